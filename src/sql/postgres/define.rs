//! CREATE of relations, types, indexes, views, sequences and schemas.

use pg_query::{
    NodeEnum,
    protobuf::{
        CompositeTypeStmt, CreateDomainStmt, CreateEnumStmt, CreateRangeStmt, CreateSchemaStmt,
        CreateSeqStmt, CreateStatsStmt, CreateStmt, CreateTableAsStmt, IndexStmt, Node, ObjectType,
        OnCommitAction, RangeVar, RoleSpec, RoleSpecType, ViewStmt,
    },
};

use crate::model::{
    facts::{AccessMode, SessionEffect, StatementKind, Unanalyzable},
    object::Object,
};

use super::{
    names::{Name, is_system_schema, parts, string},
    walk::{Head, Step, Walk, unknown},
};

impl Walk<'_> {
    pub(super) fn create_table(&mut self, create: &CreateStmt) -> Result<Head, Unanalyzable> {
        let relation = create.relation.as_ref().ok_or_else(|| unknown("CREATE TABLE without a name"))?;
        self.define_new(relation);
        if create.oncommit == OnCommitAction::OncommitDrop as i32 {
            self.forget_temporary(&relation.relname);
        }
        let depends = !create.inh_relations.is_empty()
            || create.partbound.is_some()
            || create.partspec.is_some()
            || create.of_typename.is_some();
        if depends {
            self.may_vanish(&relation.relname);
        }
        for element in &create.table_elts {
            match element.node.as_ref() {
                // What is copied is a definition, but the server wants to see SELECT on its source.
                Some(NodeEnum::TableLikeClause(like)) => {
                    let source = like.relation.as_ref().ok_or_else(|| unknown("LIKE without a source"))?;
                    self.touch(Name::of(source), AccessMode::Read);
                }
                _ => self.node(element)?,
            }
        }
        for parent in &create.inh_relations {
            match parent.node.as_ref() {
                // The parent shows the new table's rows from here on.
                Some(NodeEnum::RangeVar(parent)) => self.define_relation(parent),
                _ => return Err(unknown("INHERITS")),
            }
        }
        if let Some(bound) = &create.partbound {
            self.node(&as_node(NodeEnum::PartitionBoundSpec(bound.clone())))?;
        }
        if let Some(partition) = &create.partspec {
            self.nodes(&partition.part_params)?;
        }
        if let Some(of) = &create.of_typename {
            self.type_name(of)?;
        }
        self.nodes(&create.constraints)?;
        self.nodes(&create.nnconstraints)?;
        self.nodes(&create.options)?;
        Ok((StatementKind::Define, "CREATE TABLE"))
    }

    pub(super) fn create_table_as(
        &mut self,
        create: &CreateTableAsStmt,
        source: &str,
    ) -> Result<Head, Unanalyzable> {
        let into = create.into.as_deref().ok_or_else(|| unknown("CREATE TABLE AS without a name"))?;
        let query = create.query.as_deref().ok_or_else(|| unknown("CREATE TABLE AS without a query"))?;
        match query.node.as_ref() {
            // WITH NO DATA runs nothing: what the query would leave in the session is not certain.
            Some(NodeEnum::SelectStmt(query)) => self.select(query)?,
            Some(NodeEnum::ExecuteStmt(_)) => {
                self.statement(Some(query), source)?;
            }
            _ => return Err(unknown("CREATE TABLE AS this statement")),
        }
        self.makes(into)?;
        let materialized = create.objtype == ObjectType::ObjectMatview as i32;
        Ok((StatementKind::Define, if materialized { "CREATE MATERIALIZED VIEW" } else { "CREATE TABLE AS" }))
    }

    pub(super) fn create_view(&mut self, create: &ViewStmt) -> Result<Head, Unanalyzable> {
        let view = create.view.as_ref().ok_or_else(|| unknown("CREATE VIEW without a name"))?;
        self.define_new(view);
        self.may_vanish(&view.relname);
        self.maybe(create.query.as_deref())?;
        self.nodes(&create.options)?;
        // Over a temporary relation it is temporary too, whatever is written.
        self.effect(SessionEffect::Define);
        Ok((StatementKind::Define, "CREATE VIEW"))
    }

    pub(super) fn create_index(&mut self, create: &IndexStmt) -> Result<Head, Unanalyzable> {
        let relation = create.relation.as_ref().ok_or_else(|| unknown("CREATE INDEX without a table"))?;
        self.define_relation(relation);
        self.nodes(&create.index_params)?;
        self.nodes(&create.index_including_params)?;
        self.nodes(&create.options)?;
        self.nodes(&create.exclude_op_names)?;
        self.maybe(create.where_clause.as_deref())?;
        Ok((StatementKind::Define, "CREATE INDEX"))
    }

    pub(super) fn create_sequence(&mut self, create: &CreateSeqStmt) -> Result<Head, Unanalyzable> {
        let sequence = create.sequence.as_ref().ok_or_else(|| unknown("CREATE SEQUENCE without a name"))?;
        self.define_new(sequence);
        self.may_vanish(&sequence.relname);
        create.options.iter().try_for_each(|option| self.sequence_option(option))?;
        Ok((StatementKind::Define, "CREATE SEQUENCE"))
    }

    /// OWNED BY ties the sequence to another table.
    pub(super) fn sequence_option(&mut self, option: &Node) -> Step {
        let Some(NodeEnum::DefElem(option)) = option.node.as_ref() else {
            return Err(unknown("an option of a sequence"));
        };
        let names = match option.arg.as_deref().and_then(|arg| arg.node.as_ref()) {
            Some(NodeEnum::List(list)) => parts(&list.items).ok_or_else(|| unknown("a name"))?,
            _ => return self.maybe(option.arg.as_deref()),
        };
        match (option.defname.as_str(), names.as_slice()) {
            ("owned_by", ["none"]) => Ok(()),
            ("owned_by", [relation @ .., _]) => {
                let name = Name::of_parts(relation).ok_or_else(|| unknown("OWNED BY"))?;
                self.define(name);
                Ok(())
            }
            ("sequence_name", names) => {
                let name = Name::of_parts(names).ok_or_else(|| unknown("SEQUENCE NAME"))?;
                self.define_new_name(name, false);
                Ok(())
            }
            (other, _) => Err(unknown(format!("the sequence option {other}"))),
        }
    }

    pub(super) fn create_schema(
        &mut self,
        create: &CreateSchemaStmt,
        source: &str,
    ) -> Result<Head, Unanalyzable> {
        let owner = create.authrole.as_ref();
        // Its maker owns a schema anyway.
        let own = |owner: &RoleSpec| {
            let to_maker = [RoleSpecType::RolespecCurrentUser, RoleSpecType::RolespecCurrentRole];
            !create.schemaname.is_empty() && to_maker.iter().any(|maker| owner.roletype == *maker as i32)
        };
        if !owner.is_none_or(own) {
            self.administer("role");
        }
        let name = match owner {
            Some(owner) if create.schemaname.is_empty() => owner.rolename.as_str(),
            _ => create.schemaname.as_str(),
        };
        self.define_schema(name);
        self.own_schema = Some(name.into());
        for element in &create.schema_elts {
            self.statement(Some(element), source)?;
        }
        self.own_schema = None;
        Ok((StatementKind::Define, "CREATE SCHEMA"))
    }

    pub(super) fn define_schema(&mut self, name: &str) {
        self.effect(SessionEffect::Define);
        let mode = if is_system_schema(name) { AccessMode::Administer } else { AccessMode::Define };
        self.found.writes = true;
        self.access(Object::Schema { name: name.into() }, mode);
    }

    pub(super) fn create_statistics(&mut self, create: &CreateStatsStmt) -> Result<Head, Unanalyzable> {
        for relation in &create.relations {
            match relation.node.as_ref() {
                Some(NodeEnum::RangeVar(relation)) => self.define_relation(relation),
                _ => return Err(unknown("CREATE STATISTICS of this")),
            }
        }
        self.nodes(&create.exprs)?;
        self.statistics_name(create)?;
        Ok((StatementKind::Define, "CREATE STATISTICS"))
    }

    /// A statistics object stands in a schema by itself, which need not be that of its table.
    fn statistics_name(&mut self, create: &CreateStatsStmt) -> Step {
        let names = parts(&create.defnames).ok_or_else(|| unknown("a name"))?;
        let Some(name) = Name::of_parts(&names) else { return Ok(()) };
        let places = match name.schema {
            Some(schema) => vec![Object::Relation { schema: schema.into(), name: name.name.into() }],
            None => self.new_relation(name.name),
        };
        let beside_table =
            places.iter().all(|place| match place {
                Object::Relation { schema: home, .. } => self.found.accesses.iter().any(
                    |access| matches!(&access.object, Object::Relation { schema, .. } if schema == home),
                ),
                _ => false,
            });
        if !beside_table {
            self.define_new_name(name, false);
        }
        Ok(())
    }

    pub(super) fn create_composite(&mut self, create: &CompositeTypeStmt) -> Result<Head, Unanalyzable> {
        let name = create.typevar.as_ref().ok_or_else(|| unknown("CREATE TYPE without a name"))?;
        self.define_new_name(Name::of(name), false);
        self.nodes(&create.coldeflist)?;
        Ok((StatementKind::Define, "CREATE TYPE"))
    }

    pub(super) fn create_enum(&mut self, create: &CreateEnumStmt) -> Result<Head, Unanalyzable> {
        self.new_type(&create.type_name)?;
        Ok((StatementKind::Define, "CREATE TYPE"))
    }

    pub(super) fn create_range(&mut self, create: &CreateRangeStmt) -> Result<Head, Unanalyzable> {
        self.new_type(&create.type_name)?;
        for param in &create.params {
            let Some(NodeEnum::DefElem(param)) = param.node.as_ref() else {
                return Err(unknown("CREATE TYPE AS RANGE"));
            };
            match (param.defname.as_str(), param.arg.as_deref().and_then(|arg| arg.node.as_ref())) {
                ("subtype", Some(NodeEnum::TypeName(subtype))) => self.type_name(subtype)?,
                ("collation" | "multirange_type_name", _) => {}
                // Functions and operator classes: code.
                _ => self.administer("range type with functions of its own"),
            }
        }
        Ok((StatementKind::Define, "CREATE TYPE"))
    }

    pub(super) fn create_domain(&mut self, create: &CreateDomainStmt) -> Result<Head, Unanalyzable> {
        self.new_type(&create.domainname)?;
        if let Some(base) = &create.type_name {
            self.type_name(base)?;
        }
        self.nodes(&create.constraints)?;
        Ok((StatementKind::Define, "CREATE DOMAIN"))
    }

    pub(super) fn new_type(&mut self, names: &[Node]) -> Step {
        let names = parts(names).ok_or_else(|| unknown("a type's name"))?;
        let name = Name::of_parts(&names).ok_or_else(|| unknown("a type's name"))?;
        let temporary = name.schema == Some("pg_temp");
        self.define_new_name(name, temporary);
        if temporary {
            // Types hide types, never relations.
            self.forget_temporary(name.name);
        }
        Ok(())
    }

    /// A relation that a list of name parts stands for.
    pub(super) fn define_parts(&mut self, nodes: &[Node]) -> Step {
        let names = parts(nodes).ok_or_else(|| unknown("a name"))?;
        let name = Name::of_parts(&names).ok_or_else(|| unknown("a name"))?;
        self.define(name);
        Ok(())
    }

    /// The relation, type or schema that a node of the grammar names, if it is one of these.
    pub(super) fn define_object(&mut self, object: Option<&Node>) -> Step {
        match object.and_then(|object| object.node.as_ref()) {
            Some(NodeEnum::List(list)) => self.define_parts(&list.items),
            Some(NodeEnum::TypeName(name)) => self.define_parts(&name.names),
            Some(NodeEnum::RangeVar(relation)) => {
                self.define_relation(relation);
                Ok(())
            }
            _ => Err(unknown("a definition of this kind of object")),
        }
    }

    /// The relation in front of the last part: `s.t.column`, `s.t.constraint`.
    pub(super) fn define_owner(&mut self, object: Option<&Node>) -> Step {
        match object.and_then(|object| object.node.as_ref()) {
            Some(NodeEnum::List(list)) => match list.items.split_last() {
                Some((_, relation)) => self.define_parts(relation),
                None => Err(unknown("a name")),
            },
            _ => Err(unknown("a name")),
        }
    }

    pub(super) fn schema_of_node(&mut self, object: Option<&Node>) -> Step {
        let name = object.and_then(string).ok_or_else(|| unknown("a schema's name"))?.to_owned();
        self.define_schema(&name);
        Ok(())
    }

    /// Relations listed behind a command.
    pub(super) fn define_listed(&mut self, relations: &[Node]) -> Step {
        for relation in relations {
            match relation.node.as_ref() {
                Some(NodeEnum::RangeVar(relation)) => self.define_relation(relation),
                _ => return Err(unknown("a list of relations")),
            }
        }
        Ok(())
    }

    /// A command on all relations of a schema, or of the database: errors may show rows of any.
    pub(super) fn define_all(&mut self, within: Object) {
        self.found.shown_by_errors.push(within.clone());
        self.access(within, AccessMode::Define);
    }

    /// A command on one relation, or on the whole database if it names none.
    pub(super) fn define_one_or_all(&mut self, relation: Option<&RangeVar>) {
        match relation {
            Some(relation) => self.define_relation(relation),
            None => self.define_all(Object::Database),
        }
    }
}

fn as_node(node: NodeEnum) -> Node {
    Node { node: Some(node) }
}
