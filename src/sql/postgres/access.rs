//! Touching relations: a name and a mode become accesses.

use pg_query::protobuf::RangeVar;

use crate::model::{
    facts::{Access, AccessMode, SessionEffect},
    object::Object,
};

use super::{
    builtin::SystemRelation,
    names::{Meaning, Name, is_system_schema, is_temporary_schema},
    walk::Walk,
};

impl Walk<'_> {
    /// A relation in FROM and its kin: unless it names a common table expression, it is read.
    pub(super) fn reads(&mut self, relation: &RangeVar) {
        if !self.is_cte(relation) {
            self.touch(Name::of(relation), self.reading);
        }
    }

    /// Whether the name is that of a common table expression in scope.
    pub(super) fn is_cte(&self, relation: &RangeVar) -> bool {
        relation.schemaname.is_empty()
            && relation.catalogname.is_empty()
            && self.ctes.contains(&relation.relname)
    }

    /// Touches an existing relation.
    pub(super) fn touch(&mut self, name: Name<'_>, mode: AccessMode) {
        let accesses = self.accesses_of(name, mode);
        self.found.writes |= matches!(mode, AccessMode::Write | AccessMode::Define);
        self.found.accesses.extend(accesses);
    }

    /// The same on behalf of a function that gets the name as an argument.
    pub(super) fn touch_by_function(&mut self, name: Name<'_>, mode: AccessMode) {
        let accesses = self.accesses_of(name, mode);
        self.found.by_function.extend(accesses);
    }

    /// Notes that the server's errors may show rows of it.
    pub(super) fn shown_by_errors(&mut self, name: Name<'_>) {
        let reads = self.accesses_of(name, AccessMode::Read).into_iter();
        let relations = reads.filter(|access| access.mode == AccessMode::Read).map(|access| access.object);
        self.found.shown_by_errors.extend(relations);
    }

    fn accesses_of(&self, name: Name<'_>, mode: AccessMode) -> Vec<Access> {
        let system_mode = |class| match (class, mode) {
            (
                SystemRelation::Open,
                AccessMode::Use | AccessMode::Explain | AccessMode::Read | AccessMode::Export,
            ) => AccessMode::Use,
            // Writing to a catalog is administration, whatever it holds.
            (SystemRelation::Open, AccessMode::Write | AccessMode::Define | AccessMode::Administer)
            | (SystemRelation::Guarded, _) => AccessMode::Administer,
        };
        match self.meaning(name) {
            Meaning::Temporary => vec![Access { object: Object::Database, mode: AccessMode::Use }],
            Meaning::OtherDatabase(database) => vec![Access {
                object: Object::OtherDatabase { name: database.into() },
                mode: AccessMode::Administer,
            }],
            Meaning::Relations(objects) => {
                objects.into_iter().map(|object| Access { object, mode }).collect()
            }
            Meaning::System { class, object, also } => {
                let system = Access { object, mode: system_mode(class) };
                let also = also.into_iter().map(|object| Access { object, mode });
                std::iter::once(system).chain(also).collect()
            }
        }
    }

    /// Makes a new relation (or type) of this name.
    pub(super) fn define_new(&mut self, relation: &RangeVar) {
        let temporary = relation.relpersistence == "t" || is_temporary_schema(&relation.schemaname);
        self.define_new_name(Name::of(relation), temporary);
    }

    /// Makes a new relation or type of this name; `temporary` as the statement says.
    pub(super) fn define_new_name(&mut self, name: Name<'_>, temporary: bool) {
        if temporary {
            // No catalog of anybody shows it.
            let object = Object::Relation { schema: "pg_temp".into(), name: name.name.into() };
            self.access(object, AccessMode::Define);
            self.effect(SessionEffect::CreateTemporary(name.name.into()));
            return;
        }
        self.effect(SessionEffect::Define);
        let objects = match (name.database, name.schema) {
            (Some(database), _) if database != self.names.context.database.as_str() => {
                vec![Object::OtherDatabase { name: database.into() }]
            }
            (_, Some(schema)) => vec![Object::Relation { schema: schema.into(), name: name.name.into() }],
            (_, None) => self.new_relation(name.name),
        };
        for object in objects {
            let mode = match &object {
                Object::Relation { schema, .. } if !is_system_schema(schema) => AccessMode::Define,
                Object::Unresolved { .. } => AccessMode::Define,
                Object::Relation { .. }
                | Object::Database
                | Object::Schema { .. }
                | Object::Routine { .. }
                | Object::OtherDatabase { .. }
                | Object::Server { .. } => AccessMode::Administer,
            };
            self.found.writes = true;
            self.access(object, mode);
        }
    }

    /// Changes the definition of an existing relation or type.
    pub(super) fn define(&mut self, name: Name<'_>) {
        if !matches!(self.meaning(name), Meaning::Temporary) {
            self.effect(SessionEffect::Define);
        }
        self.touch(name, AccessMode::Define);
        self.shown_by_errors(name);
    }

    /// The same, by the name node of the grammar.
    pub(super) fn define_relation(&mut self, relation: &RangeVar) {
        self.define(Name::of(relation));
    }
}
