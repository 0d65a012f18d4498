//! What a database holds, as far as the meaning of names depends on it.

use std::collections::{BTreeMap, BTreeSet};

use super::ids::Ident;

/// The schemas, relations and routines of one database at one moment, without the system's own.
///
/// Read by the gateway over its own connection and renewed after definitions change. Wherever a name is not in
/// it, the analysis assumes the worst.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Rises with every renewal; no two contents have the same.
    pub version: u64,
    /// Whether the database keeps text as UTF-8.
    pub is_utf8: bool,
    /// All schemas that exist, the system's too.
    pub schemas: BTreeSet<Ident>,
    /// Relations (and composite, enum, domain types) by their own name: the schemas that have one.
    pub relations: BTreeMap<Ident, BTreeSet<Ident>>,
    /// Those of them that are tables which run no code of anybody's when they are read: no view, no foreign table, no
    /// partitions or heirs, no row security, no column of a type that carries code.
    pub plain: BTreeMap<Ident, BTreeSet<Ident>>,
    /// Routines outside the system's schemas by their own name: the schemas that have one.
    pub routines: BTreeMap<Ident, BTreeSet<Ident>>,
    /// Names of the routines among them that take one row of a relation, and so can be written as a column.
    pub row_routines: BTreeSet<Ident>,
    /// Names that no routines have but those of well-known extensions that do nothing but compute. They are among
    /// `routines`, too.
    pub computing_routines: BTreeSet<Ident>,
    /// Operators outside the system's schemas.
    pub operators: BTreeSet<Ident>,
    /// Names that no operators have but those of such extensions.
    pub computing_operators: BTreeSet<Ident>,
    /// Types outside the system's schemas whose input, output or cast runs a routine that is not built in.
    pub code_types: BTreeSet<Ident>,
}
