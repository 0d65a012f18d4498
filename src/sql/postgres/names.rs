//! Names: which relations, routines, operators and types one may mean, looked up as the server would.

use pg_query::{
    NodeEnum,
    protobuf::{Node, RangeVar},
};

use crate::model::{ids::Ident, name_context::SearchPath, object::Object};

use super::{
    batch::Names,
    builtin::{self, SystemRelation},
    walk::Walk,
};

/// What a name of a relation means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// One of these or, where it is not certain, several.
    Relations(Vec<Object>),
    /// A relation of the system's schemas.
    System {
        /// How it is protected.
        class: SystemRelation,
        /// Itself.
        object: Object,
        /// Relations of others that the name may mean as well.
        also: Vec<Object>,
    },
    /// A relation of the session's own temporary schema.
    Temporary,
    /// In another database: the server refuses it.
    OtherDatabase(String),
}

/// A name of up to three parts, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    pub(super) database: Option<&'a str>,
    pub(super) schema: Option<&'a str>,
    pub(super) name: &'a str,
}

impl<'a> Name<'a> {
    pub(super) fn of(relation: &'a RangeVar) -> Self {
        let part = |text: &'a str| (!text.is_empty()).then_some(text);
        Self {
            database: part(&relation.catalogname),
            schema: part(&relation.schemaname),
            name: &relation.relname,
        }
    }

    /// From its parts; `None` for none or more than three.
    pub(super) fn of_parts(parts: &[&'a str]) -> Option<Self> {
        match *parts {
            [name] => Some(Self { database: None, schema: None, name }),
            [schema, name] => Some(Self { database: None, schema: Some(schema), name }),
            [database, schema, name] => Some(Self { database: Some(database), schema: Some(schema), name }),
            _ => None,
        }
    }
}

/// The strings of a list of names; `None` if something else is among them.
pub(super) fn parts(nodes: &[Node]) -> Option<Vec<&str>> {
    nodes.iter().map(string).collect()
}

/// The text of a string node.
pub(super) fn string(node: &Node) -> Option<&str> {
    match node.node.as_ref() {
        Some(NodeEnum::String(string)) => Some(&string.sval),
        _ => None,
    }
}

/// A schema of the session's own or others' temporary relations.
pub(super) fn is_temporary_schema(schema: &str) -> bool {
    schema == "pg_temp"
}

/// A schema that belongs to the system.
pub(super) fn is_system_schema(schema: &str) -> bool {
    schema.starts_with("pg_") || schema == "information_schema"
}

impl Walk<'_> {
    /// What a name of an existing relation means.
    pub(super) fn meaning(&self, name: Name<'_>) -> Meaning {
        if let Some(database) = name.database
            && database != self.names.context.database.as_str()
        {
            return Meaning::OtherDatabase(database.to_owned());
        }
        match name.schema {
            Some(schema) => qualified(schema, name.name),
            None => self.unqualified(name.name),
        }
    }

    fn unqualified(&self, name: &str) -> Meaning {
        let context = &self.names.context;
        let path = match &context.search_path {
            SearchPath::Known(path) => path,
            SearchPath::Unknown => {
                return Meaning::Relations(vec![Object::Unresolved { name: name.into() }]);
            }
        };
        let listed = |schema: &str| path.iter().any(|entry| entry.as_str() == schema);
        let temporary = context.temporary.contains(name);
        if temporary && !listed("pg_temp") {
            return Meaning::Temporary;
        }
        let first_is_system = !listed("pg_catalog")
            || path
                .iter()
                .find(|entry| !is_temporary_schema(entry))
                .is_some_and(|e| e.as_str() == "pg_catalog");
        let system = self.system_of_path(name, listed("information_schema"));
        match system {
            Some((class, object)) if first_is_system && builtin::relation("pg_catalog", name).is_some() => {
                Meaning::System { class, object, also: Vec::new() }
            }
            Some((class, object)) => Meaning::System { class, object, also: self.in_path(name, true) },
            None => Meaning::Relations(self.in_path(name, false)),
        }
    }

    /// The relation of this name in pg_catalog or, if the path lists it, in information_schema.
    fn system_of_path(&self, name: &str, information_schema: bool) -> Option<(SystemRelation, Object)> {
        let found = |schema: &str| {
            let class = builtin::relation(schema, name)?;
            Some((class, Object::Relation { schema: schema.into(), name: name.into() }))
        };
        found("pg_catalog").or_else(|| if information_schema { found("information_schema") } else { None })
    }

    /// The relations of this name in the path's schemas: those that the catalog knows, or else one in each schema
    /// (one may have been made since). With `only_known`, none in the second case.
    fn in_path(&self, name: &str, only_known: bool) -> Vec<Object> {
        let entries = self.path_entries();
        let known = self.names.context.catalog.as_ref().and_then(|catalog| catalog.relations.get(name));
        let held: Vec<&Ident> = match known {
            Some(schemas) => entries.iter().filter(|entry| schemas.contains(*entry)).collect(),
            None => Vec::new(),
        };
        let changed = self.names.defined && self.names.new_relations.contains(name)
            || self.names.context.made.contains(name);
        let certain = !held.is_empty() && !changed;
        let catalog_says_no = only_known && self.names.context.catalog.is_some();
        let schemas = if certain || catalog_says_no { held } else { entries.iter().collect() };
        if schemas.is_empty() && !only_known {
            return vec![Object::Unresolved { name: name.into() }];
        }
        let object = |schema: &Ident| Object::Relation { schema: schema.clone(), name: name.into() };
        schemas.into_iter().map(object).collect()
    }

    /// Schemas of the path, without the system's, that exist as far as is known; `$user` is each account.
    pub(super) fn path_entries(&self) -> Vec<Ident> {
        let mut entries: Vec<Ident> = self.own_schema.iter().cloned().collect();
        if let SearchPath::Known(path) = &self.names.context.search_path {
            for entry in path.iter() {
                let expanded = if entry.as_str() == "$user" {
                    self.names.context.accounts.as_ref()
                } else {
                    std::slice::from_ref(entry)
                };
                for schema in expanded {
                    if !is_system_schema(schema)
                        && self.names.schema_exists(schema)
                        && !entries.contains(schema)
                    {
                        entries.push(schema.clone());
                    }
                }
            }
        }
        entries
    }

    /// Where a new relation with an unqualified name may come to stand.
    pub(super) fn new_relation(&self, name: &str) -> Vec<Object> {
        let unresolved = || vec![Object::Unresolved { name: name.into() }];
        let relation = |schema: &Ident| Object::Relation { schema: schema.clone(), name: name.into() };
        if let Some(schema) = &self.own_schema {
            return vec![relation(schema)];
        }
        let SearchPath::Known(path) = &self.names.context.search_path else { return unresolved() };
        let mut places: Vec<Object> = Vec::new();
        for entry in path.iter() {
            if entry.as_str() == "$user" {
                // Which account it will be is not known here, nor then whether its schema exists.
                let accounts = self.names.context.accounts.iter();
                places.extend(accounts.filter(|account| self.names.schema_exists(account)).map(relation));
            } else if self.names.schema_exists(entry) {
                places.push(relation(entry));
                return places;
            }
        }
        if places.is_empty() { unresolved() } else { places }
    }

    /// Whether a routine (operator, type) of this name outside the system's schemas may be meant by `unqualified`.
    pub(super) fn path_reaches(&self, schemas: Option<&std::collections::BTreeSet<Ident>>) -> bool {
        let Some(schemas) = schemas else { return false };
        match &self.names.context.search_path {
            SearchPath::Unknown => !schemas.is_empty(),
            SearchPath::Known(_) => {
                let entries = self.path_entries();
                schemas.iter().any(|schema| entries.contains(schema))
            }
        }
    }

    /// Whether the path may find something before the system's own schema.
    pub(super) fn system_comes_first(&self) -> bool {
        match &self.names.context.search_path {
            SearchPath::Unknown => false,
            SearchPath::Known(path) => {
                let listed = path.iter().any(|entry| entry.as_str() == "pg_catalog");
                !listed || path.first().is_some_and(|entry| entry.as_str() == "pg_catalog")
            }
        }
    }
}

impl Names {
    fn schema_exists(&self, schema: &Ident) -> bool {
        self.context
            .catalog
            .as_ref()
            .is_none_or(|catalog| catalog.schemas.contains(schema) || self.new_schemas.contains(schema))
            || self.context.made.contains(schema)
    }
}

fn qualified(schema: &str, name: &str) -> Meaning {
    if is_temporary_schema(schema) {
        return Meaning::Temporary;
    }
    let object = Object::Relation { schema: schema.into(), name: name.into() };
    match builtin::relation(schema, name) {
        Some(class) => Meaning::System { class, object, also: Vec::new() },
        // closed: a relation of the system that is not listed, another session's temporary relation, TOAST.
        None if is_system_schema(schema) => {
            Meaning::System { class: SystemRelation::Guarded, object, also: Vec::new() }
        }
        None => Meaning::Relations(vec![object]),
    }
}
