//! What a statement does, as far as its text and the name context tell.

use std::{ops::Range, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    ids::{DatabaseName, Ident},
    object::Object,
    permission::Permission,
};

/// What one statement does. Says nothing of who may do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What kind of statement it is.
    pub kind: StatementKind,
    /// The command in capitals, as the server's command tag would begin ("SELECT", "CREATE TABLE").
    pub command: &'static str,
    /// Where it stands in the batch, in bytes, without the semicolon.
    pub span: Range<usize>,
    /// Everything it touches; sorted, each pair once.
    pub accesses: Vec<Access>,
    /// Relations of which the server's errors and warnings may show rows, although it needs no leave to read them: what
    /// it changes row by row, defines anew over its rows, or reads while it plans. Sorted, each once.
    pub shown_by_errors: Vec<Object>,
    /// Routines, operators and casts that it runs and that are not built in; sorted, each once.
    pub calls: Vec<Call>,
    /// What it does to the transaction.
    pub transaction: TransactionEffect,
    /// What it leaves behind in the session.
    pub effects: Vec<SessionEffect>,
    /// Whether it runs something that the session holds by name, and is judged with that.
    pub runs: Option<Runs>,
    /// Whether a READ ONLY transaction of the database would accept it; picks the lane.
    pub read_only: bool,
    /// The same for statements that differ in literals and white space only.
    pub fingerprint: u64,
    /// What goes to the server in its place: the one spelling that cannot be read in another way. `None` is the
    /// statement as written.
    pub sent: Option<Arc<str>>,
}

/// The kinds of statement that the rest of the gateway tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatementKind {
    /// Roles, code, server settings, files.
    Administer,
    /// CLOSE.
    CloseCursor,
    /// COPY … FROM STDIN.
    CopyFrom,
    /// COPY … TO STDOUT.
    CopyTo,
    /// DEALLOCATE.
    Deallocate,
    /// DECLARE … CURSOR.
    DeclareCursor,
    /// CREATE, ALTER, DROP, TRUNCATE … of relations.
    Define,
    /// DELETE.
    Delete,
    /// DISCARD.
    Discard,
    /// Nothing between two semicolons.
    Empty,
    /// EXECUTE of a prepared statement.
    Execute,
    /// EXPLAIN without ANALYZE.
    Explain,
    /// EXPLAIN ANALYZE: it runs.
    ExplainAnalyze,
    /// FETCH and MOVE.
    Fetch,
    /// INSERT.
    Insert,
    /// LISTEN and UNLISTEN.
    Listen,
    /// LOCK TABLE.
    Lock,
    /// MERGE.
    Merge,
    /// NOTIFY.
    Notify,
    /// PREPARE.
    Prepare,
    /// SELECT, TABLE, VALUES.
    Select,
    /// SET and RESET.
    Set,
    /// SHOW.
    Show,
    /// BEGIN, COMMIT, ROLLBACK, SAVEPOINT and their kin.
    Transaction,
    /// UPDATE.
    Update,
    /// USE.
    Use,
}

impl StatementKind {
    /// Whether the fingerprints of statements of this kind go by no literal of theirs. Those of others do: by the password
    /// of a role, the body of a function, the text of a notification.
    pub const fn hides_literals(self) -> bool {
        match self {
            Self::Delete
            | Self::Empty
            | Self::Explain
            | Self::ExplainAnalyze
            | Self::Insert
            | Self::Merge
            | Self::Select
            | Self::Show
            | Self::Update
            | Self::Use => true,
            Self::Administer
            | Self::CloseCursor
            | Self::CopyFrom
            | Self::CopyTo
            | Self::Deallocate
            | Self::DeclareCursor
            | Self::Define
            | Self::Discard
            | Self::Execute
            | Self::Fetch
            | Self::Listen
            | Self::Lock
            | Self::Notify
            | Self::Prepare
            | Self::Set
            | Self::Transaction => false,
        }
    }
}

/// One object and how it is touched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Access {
    /// What is touched.
    pub object: Object,
    /// How.
    pub mode: AccessMode,
}

/// How an object is touched; each mode asks for one permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessMode {
    /// Harmless use of the database: any live grant on it is enough.
    Use,
    /// Its plan is shown.
    Explain,
    /// Its rows are read.
    Read,
    /// Its rows are read in bulk.
    Export,
    /// Its rows are changed or locked.
    Write,
    /// Its definition is changed.
    Define,
    /// It is administered.
    Administer,
}

impl AccessMode {
    /// The permission that it asks for; `None` is satisfied by any live grant.
    pub const fn permission(self) -> Option<Permission> {
        match self {
            Self::Use => None,
            Self::Explain => Some(Permission::Explain),
            Self::Read => Some(Permission::Select),
            Self::Export => Some(Permission::Export),
            Self::Write => Some(Permission::Dml),
            Self::Define => Some(Permission::Ddl),
            Self::Administer => Some(Permission::Admin),
        }
    }
}

/// A routine, operator or cast outside the built-in set. Needs `admin` unless policy lists it for the target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    /// As written; schema first if it was qualified ("public.similarity", "similarity", "operator <->").
    pub name: Ident,
}

/// What a statement does to the transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TransactionEffect {
    /// Nothing.
    #[default]
    None,
    /// BEGIN or START TRANSACTION; `read_write` if it asks for READ WRITE in words.
    Begin {
        /// It says READ WRITE.
        read_write: bool,
    },
    /// COMMIT or END; `chain` opens the next at once.
    Commit {
        /// AND CHAIN.
        chain: bool,
    },
    /// ROLLBACK or ABORT; `chain` opens the next at once.
    Rollback {
        /// AND CHAIN.
        chain: bool,
    },
    /// SAVEPOINT.
    Savepoint(Ident),
    /// RELEASE.
    Release(Ident),
    /// ROLLBACK TO.
    RollbackTo(Ident),
    /// SET TRANSACTION or SET SESSION CHARACTERISTICS; `read_write` if it asks for READ WRITE in words.
    SetModes {
        /// It says READ WRITE (or sets the read-only settings off).
        read_write: bool,
        /// SET SESSION CHARACTERISTICS: lasts beyond the transaction.
        session: bool,
    },
}

/// What a statement leaves behind in the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEffect {
    /// A setting takes a value; `None` is its default (SET … TO DEFAULT, RESET).
    Set {
        /// Setting, lower case.
        name: Ident,
        /// Value in the form SET takes between quotes; for `search_path` the list as written.
        value: Option<String>,
        /// SET LOCAL.
        local: bool,
    },
    /// RESET ALL.
    ResetAll,
    /// DISCARD ALL.
    DiscardAll,
    /// DISCARD TEMP.
    DiscardTemporary,
    /// A relation in the session's temporary schema appears; in MySQL the name is "database.table".
    CreateTemporary(Ident),
    /// A relation may be gone; if it was temporary, its name no longer shadows.
    DropRelation(Ident),
    /// PREPARE: `text` is the statement behind AS.
    Prepare {
        /// Name of the prepared statement.
        name: Ident,
        /// Its text.
        text: String,
    },
    /// DEALLOCATE; `None` is ALL.
    Deallocate(Option<Ident>),
    /// DECLARE; the cursor lives to the end of the transaction, or of the session.
    DeclareCursor {
        /// Name of the cursor.
        name: Ident,
        /// WITH HOLD.
        hold: bool,
    },
    /// CLOSE; `None` is ALL.
    CloseCursor(Option<Ident>),
    /// Whatever belongs to the one upstream connection until it is reset, and cannot be given up in another way.
    Pin,
    /// Something belongs to the one upstream connection until it is given up, or the connection is reset.
    Ties(Tie),
    /// Something of the kind may have been given up.
    Releases(Tie),
    /// Definitions changed: the catalog is out of date.
    Define,
    /// USE: the session's database is another one.
    UseDatabase(Ident),
    /// LOCK TABLES: belongs to the one upstream connection until UNLOCK TABLES.
    LockTables,
    /// UNLOCK TABLES, or what does the same.
    UnlockTables,
    /// It asks what the statement before it left on the connection (LAST_INSERT_ID, FOUND_ROWS, warnings; lastval), and has to
    /// run where that one ran.
    ReadsDiagnostics,
    /// A database has to be without connections for it (DROP DATABASE).
    Vacates(DatabaseName),
    /// It shows whether transactions are read-only. What the read lane answers is the lane's lock, not the session's.
    ShowsReadOnly,
    /// It shows what the account that asks may do, and what only such an account is shown: it goes to the strongest that
    /// the session may use.
    ShowsPrivileges,
    /// It may show or change what the client calls itself (`application_name`).
    ShowsApplication,
    /// Something may have changed settings out of sight: the name context is unknown from here on.
    ContextUnknown,
}

/// What belongs to the one upstream connection, and can be given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tie {
    /// An advisory lock that outlives its transaction (PostgreSQL).
    AdvisoryLock,
    /// A channel that is listened to.
    Channel,
    /// A lock of GET_LOCK, by its name; `None` where the text does not say it as one plain constant.
    NamedLock(Option<Ident>),
    /// A temporary relation whose name is not kept, because it can go by itself.
    Temporary,
    /// A user variable (MySQL).
    UserVariable,
}

/// Something held by the session under a name, which the statement runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runs {
    /// A prepared statement, judged by its text; `explain` if only its plan is shown.
    Prepared {
        /// Its name.
        name: Ident,
        /// EXPLAIN EXECUTE without ANALYZE.
        explain: bool,
    },
    /// A cursor, judged by the statement it was declared for.
    Cursor(Ident),
}

/// The text is not understood or is never let through; nothing of its batch runs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanalyzable {
    /// Not in the grammar.
    #[error("{message}")]
    Syntax {
        /// The parser's words ("syntax error at or near …").
        message: String,
        /// Character of the batch, from 1, if known.
        position: Option<usize>,
    },
    /// In the grammar, but the gateway does not know what it does.
    #[error("{construct} is not understood by the gateway")]
    Unknown {
        /// What, in the words of the manual.
        construct: String,
    },
    /// Understood, and refused whatever is granted.
    #[error("{construct} is not let through")]
    Never {
        /// What, in the words of the manual.
        construct: String,
        /// What to do instead.
        instead: &'static str,
    },
    /// A name without its database, and the session has none to look in (MySQL).
    #[error("no database selected")]
    NoDatabase,
    /// Larger, deeper or longer than the configured bound.
    #[error("the statement is over the limit of {limit} {what}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
}
