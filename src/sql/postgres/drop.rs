//! DROP, TRUNCATE, and upkeep of relations.

use pg_query::{
    NodeEnum,
    protobuf::{
        ClusterStmt, DropStmt, Node, ObjectType, RefreshMatViewStmt, ReindexObjectType, ReindexStmt,
        TruncateStmt, VacuumStmt,
    },
};

use crate::model::{
    facts::{SessionEffect, StatementKind, Unanalyzable},
    object::Object,
};

use super::{
    names::string,
    walk::{Head, Walk, unknown},
};

impl Walk<'_> {
    pub(super) fn drop(&mut self, drop: &DropStmt) -> Result<Head, Unanalyzable> {
        use ObjectType as O;
        let command = match O::try_from(drop.remove_type) {
            Ok(O::ObjectTable) => "DROP TABLE",
            Ok(O::ObjectView) => "DROP VIEW",
            Ok(O::ObjectMatview) => "DROP MATERIALIZED VIEW",
            Ok(O::ObjectIndex) => "DROP INDEX",
            Ok(O::ObjectSequence) => "DROP SEQUENCE",
            Ok(O::ObjectForeignTable) => "DROP FOREIGN TABLE",
            Ok(O::ObjectType) => "DROP TYPE",
            Ok(O::ObjectDomain) => "DROP DOMAIN",
            Ok(O::ObjectStatisticExt) => "DROP STATISTICS",
            Ok(O::ObjectSchema) => {
                drop.objects.iter().try_for_each(|object| self.schema_of_node(Some(object)))?;
                return Ok((StatementKind::Define, "DROP SCHEMA"));
            }
            Ok(O::Undefined) | Err(_) => return Err(unknown("DROP of this kind of object")),
            Ok(_) => {
                self.effect(SessionEffect::Define);
                self.administer("code or server object");
                return Ok((StatementKind::Administer, "DROP"));
            }
        };
        for object in &drop.objects {
            self.define_object(Some(object))?;
            self.dropped(object);
        }
        Ok((StatementKind::Define, command))
    }

    fn dropped(&mut self, object: &Node) {
        let names = match object.node.as_ref() {
            Some(NodeEnum::List(list)) => &list.items,
            Some(NodeEnum::TypeName(name)) => &name.names,
            _ => return,
        };
        if let Some(name) = names.last().and_then(string) {
            self.effect(SessionEffect::DropRelation(name.into()));
        }
    }

    pub(super) fn truncate(&mut self, truncate: &TruncateStmt) -> Result<Head, Unanalyzable> {
        self.define_listed(&truncate.relations)?;
        Ok((StatementKind::Define, "TRUNCATE TABLE"))
    }

    pub(super) fn vacuum(&mut self, vacuum: &VacuumStmt) -> Result<Head, Unanalyzable> {
        self.nodes(&vacuum.options)?;
        self.found.writes = true;
        if vacuum.rels.is_empty() {
            self.define_one_or_all(None);
        }
        for relation in &vacuum.rels {
            match relation.node.as_ref() {
                Some(NodeEnum::VacuumRelation(relation)) => {
                    self.define_one_or_all(relation.relation.as_ref());
                }
                _ => return Err(unknown("VACUUM of this")),
            }
        }
        Ok((StatementKind::Define, if vacuum.is_vacuumcmd { "VACUUM" } else { "ANALYZE" }))
    }

    pub(super) fn cluster(&mut self, cluster: &ClusterStmt) -> Result<Head, Unanalyzable> {
        self.define_one_or_all(cluster.relation.as_ref());
        Ok((StatementKind::Define, "CLUSTER"))
    }

    pub(super) fn reindex(&mut self, reindex: &ReindexStmt) -> Result<Head, Unanalyzable> {
        match ReindexObjectType::try_from(reindex.kind) {
            Ok(ReindexObjectType::ReindexObjectIndex | ReindexObjectType::ReindexObjectTable) => {
                let relation = reindex.relation.as_ref().ok_or_else(|| unknown("REINDEX without a name"))?;
                self.define_relation(relation);
            }
            Ok(ReindexObjectType::ReindexObjectSchema) => {
                self.define_schema(&reindex.name);
                self.found.shown_by_errors.push(Object::Schema { name: reindex.name.as_str().into() });
            }
            Ok(ReindexObjectType::ReindexObjectDatabase) => self.define_all(Object::Database),
            Ok(ReindexObjectType::ReindexObjectSystem) => self.administer("system catalogs"),
            Ok(ReindexObjectType::Undefined) | Err(_) => return Err(unknown("REINDEX")),
        }
        Ok((StatementKind::Define, "REINDEX"))
    }

    pub(super) fn refresh(&mut self, refresh: &RefreshMatViewStmt) -> Result<Head, Unanalyzable> {
        let relation = refresh.relation.as_ref().ok_or_else(|| unknown("REFRESH without a name"))?;
        self.define_relation(relation);
        Ok((StatementKind::Define, "REFRESH MATERIALIZED VIEW"))
    }
}
