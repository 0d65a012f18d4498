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
    /// The upstream accounts of the target: nobody changes them through the gateway, and `"$user"` in the path may be
    /// any of them.
    pub accounts: Arc<[Ident]>,
    /// Relations that this session made in its temporary schema; they shadow by name.
    pub temporary: Arc<BTreeSet<Ident>>,
    /// Relations, types and schemas that the open transaction made or changed: the catalog, which is read outside of
    /// it, does not know of it yet.
    pub made: Arc<BTreeSet<Ident>>,
    /// What the database holds; `None` while it could not be read, and always in MySQL, whose names need none.
    pub catalog: Option<Arc<Catalog>>,
    /// How a MySQL server reads the session's texts; `None` for PostgreSQL.
    pub mysql: Option<MysqlReading>,
}

/// What the lexical structure and the names of a MySQL text depend on.
///
/// Source: MySQL manual, "Server SQL Modes", "Character Set Configuration", "Identifier Case Sensitivity"; MariaDB
/// knowledge base, "Comment Syntax".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MysqlReading {
    /// Whose grammar it is.
    pub flavor: MysqlFlavor,
    /// Version as in executable comments: major × 10000 + minor × 100 + patch (90700, 80036, 101108).
    pub version: u32,
    /// ANSI_QUOTES: `"…"` is a name.
    pub ansi_quotes: bool,
    /// NO_BACKSLASH_ESCAPES: `\` is a character like any other.
    pub no_backslash_escapes: bool,
    /// PIPES_AS_CONCAT: `||` binds as an operator on strings.
    pub pipes_as_concat: bool,
    /// IGNORE_SPACE: a built-in function's name may stand apart from its bracket.
    pub ignore_space: bool,
    /// `lower_case_table_names` is not 0: names of databases and tables are compared in lower case.
    pub folds_names: bool,
    /// `character_set_client`.
    pub charset: MysqlCharset,
}

impl MysqlReading {
    /// As MySQL 8.0 reads in utf8mb4, with no mode that changes reading: for texts without a server.
    pub const USUAL: Self = Self {
        flavor: MysqlFlavor::Mysql,
        version: 80_000,
        ansi_quotes: false,
        no_backslash_escapes: false,
        pipes_as_concat: false,
        ignore_space: false,
        folds_names: false,
        charset: MysqlCharset::Utf8,
    };
}

/// How texts are cut into tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// As a MySQL server does.
    Mysql(MysqlReading),
    /// As PostgreSQL does.
    Postgres,
    /// Nobody knows.
    #[default]
    Unknown,
}

/// Whose grammar a MySQL server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MysqlFlavor {
    /// MariaDB.
    Mariadb,
    /// MySQL and Aurora MySQL.
    Mysql,
}

/// Character sets of clients, as far as reading a text depends on them. Those in which a byte of a longer character
/// can be a quote or a backslash (Big5, CP932, GB18030, GBK, SJIS, UCS-2, UTF-16, UTF-32) are never let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MysqlCharset {
    /// utf8mb4, utf8mb3 and utf8.
    Utf8,
    /// ascii, binary, latin1 and other sets of single bytes in which ASCII means itself.
    SingleByte,
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
            && self.made == other.made
            && self.mysql == other.mysql
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
        self.made.len().hash(state);
        self.catalog.as_ref().map(|catalog| catalog.version).hash(state);
    }
}
