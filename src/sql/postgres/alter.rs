//! ALTER of relations, types and schemas, and COMMENT.

use pg_query::{
    NodeEnum,
    protobuf::{
        AlterDomainStmt, AlterEnumStmt, AlterObjectSchemaStmt, AlterSeqStmt, AlterStatsStmt, AlterTableCmd,
        AlterTableStmt, AlterTableType, CommentStmt, Node, ObjectType, RangeVar, RenameStmt,
    },
};

use crate::model::{
    facts::{AccessMode, SessionEffect, StatementKind, Unanalyzable},
    object::Object,
};

use super::{
    names::{Meaning, Name, parts},
    walk::{Head, Step, Walk, unknown},
};

impl Walk<'_> {
    pub(super) fn alter_table(&mut self, alter: &AlterTableStmt) -> Result<Head, Unanalyzable> {
        let relation = alter.relation.as_ref().ok_or_else(|| unknown("ALTER TABLE without a name"))?;
        self.define_relation(relation);
        let kept = self.values_kept;
        for command in &alter.cmds {
            match command.node.as_ref() {
                Some(NodeEnum::AlterTableCmd(command)) => {
                    self.alter_table_command(relation, command)?;
                    self.tied(relation, command);
                }
                _ => return Err(unknown("ALTER TABLE")),
            }
        }
        self.passes_rows_of(Some(relation), kept);
        let command = match ObjectType::try_from(alter.objtype) {
            Ok(ObjectType::ObjectTable) => "ALTER TABLE",
            Ok(ObjectType::ObjectIndex) => "ALTER INDEX",
            Ok(ObjectType::ObjectSequence) => "ALTER SEQUENCE",
            Ok(ObjectType::ObjectView) => "ALTER VIEW",
            Ok(ObjectType::ObjectMatview) => "ALTER MATERIALIZED VIEW",
            Ok(ObjectType::ObjectForeignTable) => "ALTER FOREIGN TABLE",
            Ok(ObjectType::ObjectType) => "ALTER TYPE",
            _ => return Err(unknown("ALTER of this kind of object")),
        };
        Ok((StatementKind::Define, command))
    }

    fn alter_table_command(&mut self, relation: &RangeVar, command: &AlterTableCmd) -> Step {
        use AlterTableType as T;
        match T::try_from(command.subtype) {
            // Who owns it, which code its rows run through, which rows are seen.
            Ok(
                T::AtChangeOwner
                | T::AtEnableTrig
                | T::AtEnableAlwaysTrig
                | T::AtEnableReplicaTrig
                | T::AtDisableTrig
                | T::AtEnableTrigAll
                | T::AtDisableTrigAll
                | T::AtEnableTrigUser
                | T::AtDisableTrigUser
                | T::AtEnableRule
                | T::AtEnableAlwaysRule
                | T::AtEnableReplicaRule
                | T::AtDisableRule
                | T::AtEnableRowSecurity
                | T::AtDisableRowSecurity
                | T::AtForceRowSecurity
                | T::AtNoForceRowSecurity,
            ) => {
                self.administer("owners, triggers, rules and row security");
                Ok(())
            }
            Ok(T::AtAttachPartition | T::AtDetachPartition | T::AtDetachPartitionFinalize) => {
                match command.def.as_deref().and_then(|def| def.node.as_ref()) {
                    Some(NodeEnum::PartitionCmd(partition)) => {
                        if let Some(name) = &partition.name {
                            self.define_relation(name);
                            if command.subtype == T::AtAttachPartition as i32 {
                                // Its rows are read by the other's name from here on.
                                self.touch(Name::of(name), AccessMode::Read);
                            }
                        }
                        if let Some(bound) = &partition.bound {
                            self.nodes(&bound.listdatums)?;
                            self.nodes(&bound.lowerdatums)?;
                            self.nodes(&bound.upperdatums)?;
                        }
                        Ok(())
                    }
                    _ => Err(unknown("a partition")),
                }
            }
            Ok(T::AtGenericOptions | T::AtAlterColumnGenericOptions) => {
                self.administer("which file or server a foreign table reads");
                Ok(())
            }
            Ok(T::AtAddInherit) => {
                // Its rows are read by the parent's name from here on.
                self.touch(Name::of(relation), AccessMode::Read);
                self.define_object(command.def.as_deref())
            }
            Ok(T::AtDropInherit) => self.define_object(command.def.as_deref()),
            Ok(T::AtReplicaIdentity | T::AtAlterConstraint) => Ok(()),
            Ok(T::Undefined) | Err(_) => Err(unknown("ALTER TABLE")),
            // The rest changes the relation itself; whatever expression it brings is walked.
            Ok(T::AtSetIdentity | T::AtAddIdentity) => {
                match command.def.as_deref().and_then(|d| d.node.as_ref()) {
                    Some(NodeEnum::List(options)) => {
                        options.items.iter().try_for_each(|option| self.sequence_option(option))
                    }
                    _ => self.maybe(command.def.as_deref()),
                }
            }
            Ok(_) => self.maybe(command.def.as_deref()),
        }
    }

    /// A table that is tied to another goes with it: if it is temporary, its name hides nothing any more.
    fn tied(&mut self, relation: &RangeVar, command: &AlterTableCmd) {
        use AlterTableType as T;
        match T::try_from(command.subtype) {
            Ok(T::AtAddInherit | T::AtAddOf) => {
                self.effect(SessionEffect::DropRelation(relation.relname.as_str().into()));
            }
            Ok(T::AtAttachPartition) => {
                if let Some(NodeEnum::PartitionCmd(partition)) =
                    command.def.as_deref().and_then(|def| def.node.as_ref())
                    && let Some(child) = &partition.name
                {
                    self.effect(SessionEffect::DropRelation(child.relname.as_str().into()));
                }
            }
            _ => {}
        }
    }

    pub(super) fn rename(&mut self, rename: &RenameStmt) -> Result<Head, Unanalyzable> {
        use ObjectType as O;
        match O::try_from(rename.rename_type) {
            Ok(
                O::ObjectTable
                | O::ObjectView
                | O::ObjectMatview
                | O::ObjectIndex
                | O::ObjectSequence
                | O::ObjectForeignTable,
            ) => {
                let relation = rename.relation.as_ref().ok_or_else(|| unknown("RENAME"))?;
                self.rename_to(Name::of(relation), &rename.newname);
            }
            Ok(O::ObjectColumn | O::ObjectAttribute | O::ObjectTabconstraint) => {
                let relation = rename.relation.as_ref().ok_or_else(|| unknown("RENAME"))?;
                self.define_relation(relation);
            }
            Ok(O::ObjectType | O::ObjectDomain | O::ObjectStatisticExt) => {
                let names = list_parts(rename.object.as_deref())?;
                let name = Name::of_parts(&names).ok_or_else(|| unknown("RENAME"))?;
                self.rename_to(name, &rename.newname);
            }
            Ok(O::ObjectDomconstraint) => self.define_object(rename.object.as_deref())?,
            Ok(O::ObjectSchema) => {
                self.define_schema(&rename.subname);
                self.define_schema(&rename.newname);
            }
            kind => {
                self.effect(SessionEffect::Define);
                if kind == Ok(O::ObjectDatabase) {
                    self.effect(SessionEffect::Vacates(rename.subname.as_str().into()));
                }
                self.administer("name of an object");
                return Ok((StatementKind::Administer, "ALTER"));
            }
        }
        Ok((StatementKind::Define, "ALTER"))
    }

    /// The relation changes, and so does whatever is to be called `new`.
    fn rename_to(&mut self, name: Name<'_>, new: &str) {
        match self.meaning(name) {
            Meaning::Relations(objects) => {
                for object in objects {
                    let renamed = match object {
                        Object::Relation { schema, .. } => Object::Relation { schema, name: new.into() },
                        _ => Object::Unresolved { name: new.into() },
                    };
                    self.access(renamed, AccessMode::Define);
                }
            }
            Meaning::Temporary => {
                self.define(name);
                self.effect(SessionEffect::DropRelation(name.name.into()));
                self.effect(SessionEffect::CreateTemporary(new.into()));
                self.may_vanish(new);
                return;
            }
            Meaning::System { .. } | Meaning::OtherDatabase(_) => {}
        }
        self.define(name);
        self.effect(SessionEffect::DropRelation(name.name.into()));
    }

    pub(super) fn alter_schema(&mut self, alter: &AlterObjectSchemaStmt) -> Result<Head, Unanalyzable> {
        use ObjectType as O;
        let names;
        let name = match (O::try_from(alter.object_type), &alter.relation) {
            (
                Ok(
                    O::ObjectTable
                    | O::ObjectView
                    | O::ObjectMatview
                    | O::ObjectSequence
                    | O::ObjectForeignTable,
                ),
                Some(relation),
            ) => Name::of(relation),
            (Ok(O::ObjectType | O::ObjectDomain | O::ObjectStatisticExt), None) => {
                names = list_parts(alter.object.as_deref())?;
                Name::of_parts(&names).ok_or_else(|| unknown("SET SCHEMA"))?
            }
            _ => {
                self.effect(SessionEffect::Define);
                self.administer("schema of an object");
                return Ok((StatementKind::Administer, "ALTER"));
            }
        };
        self.define(name);
        self.effect(SessionEffect::DropRelation(name.name.into()));
        let new = Name { database: None, schema: Some(&alter.newschema), name: name.name };
        self.define_new_name(new, false);
        Ok((StatementKind::Define, "ALTER"))
    }

    pub(super) fn alter_sequence(&mut self, alter: &AlterSeqStmt) -> Result<Head, Unanalyzable> {
        let sequence = alter.sequence.as_ref().ok_or_else(|| unknown("ALTER SEQUENCE without a name"))?;
        self.define_relation(sequence);
        alter.options.iter().try_for_each(|option| self.sequence_option(option))?;
        Ok((StatementKind::Define, "ALTER SEQUENCE"))
    }

    pub(super) fn alter_domain(&mut self, alter: &AlterDomainStmt) -> Result<Head, Unanalyzable> {
        self.define_parts(&alter.type_name)?;
        self.maybe(alter.def.as_deref())?;
        // A new condition runs over the rows of every table that has a column of it.
        self.found.shown_by_errors.push(Object::Database);
        Ok((StatementKind::Define, "ALTER DOMAIN"))
    }

    pub(super) fn alter_enum(&mut self, alter: &AlterEnumStmt) -> Result<Head, Unanalyzable> {
        self.define_parts(&alter.type_name)?;
        Ok((StatementKind::Define, "ALTER TYPE"))
    }

    pub(super) fn alter_statistics(&mut self, alter: &AlterStatsStmt) -> Result<Head, Unanalyzable> {
        self.define_parts(&alter.defnames)?;
        Ok((StatementKind::Define, "ALTER STATISTICS"))
    }

    pub(super) fn comment(&mut self, comment: &CommentStmt) -> Result<Head, Unanalyzable> {
        use ObjectType as O;
        let object = comment.object.as_deref();
        match O::try_from(comment.objtype) {
            Ok(
                O::ObjectTable
                | O::ObjectView
                | O::ObjectMatview
                | O::ObjectIndex
                | O::ObjectSequence
                | O::ObjectForeignTable
                | O::ObjectType
                | O::ObjectDomain
                | O::ObjectStatisticExt,
            ) => self.define_object(object)?,
            Ok(O::ObjectColumn | O::ObjectTabconstraint) => self.define_owner(object)?,
            Ok(O::ObjectSchema) => self.schema_of_node(object)?,
            _ => {
                self.administer("comment");
                return Ok((StatementKind::Administer, "COMMENT"));
            }
        }
        Ok((StatementKind::Define, "COMMENT"))
    }
}

fn list_parts(object: Option<&Node>) -> Result<Vec<&str>, Unanalyzable> {
    match object.and_then(|object| object.node.as_ref()) {
        Some(NodeEnum::List(list)) => parts(&list.items).ok_or_else(|| unknown("a name")),
        _ => Err(unknown("a name")),
    }
}
