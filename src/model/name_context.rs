//! What the meaning of a statement's text depends on, beside the text.

use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::{
    catalog::Catalog,
    ids::{DatabaseName, Ident},
};

/// Follows the session's settings exactly; part of the key under which facts are cached.
#[derive(Clone, Debug)]
pub struct NameContext {
    /// The session's database.
    pub database: DatabaseName,
    /// Major version of the upstream ("15"), by which its system catalogs and functions are known.
    pub server_version: u32,
    /// Where unqualified names are looked for.
    pub search_path: SearchPath,
    /// The upstream accounts of the target; `"$user"` in the path may be any of them.
    pub accounts: Arc<[Ident]>,
    /// Relations that this session made in its temporary schema; they shadow by name.
    pub temporary: Arc<BTreeSet<Ident>>,
    /// What the database holds; `None` while it could not be read.
    pub catalog: Option<Arc<Catalog>>,
}

/// PostgreSQL's `search_path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SearchPath {
    /// As written, folded, in order; `$user` stands as an entry of that name.
    Known(Arc<[Ident]>),
    /// Something may have changed it out of sight.
    Unknown,
}

impl PartialEq for NameContext {
    fn eq(&self, other: &Self) -> bool {
        self.database == other.database
            && self.server_version == other.server_version
            && self.search_path == other.search_path
            && self.accounts == other.accounts
            && self.temporary == other.temporary
            && match (&self.catalog, &other.catalog) {
                (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            }
    }
}

impl Eq for NameContext {}

impl Hash for NameContext {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.database.hash(state);
        self.search_path.hash(state);
        self.temporary.len().hash(state);
        self.catalog.as_ref().map(|catalog| catalog.version).hash(state);
    }
}
