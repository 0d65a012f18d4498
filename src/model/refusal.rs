//! What a client is told when something is not done for it.

use serde::{Deserialize, Serialize};

use super::{object::Object, permission::Permission};

/// A refusal, written for the person who reads it in their SQL client.
///
/// `message` is lower case without a full stop; `detail` and `hint` are sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Five characters of SQLSTATE.
    pub code: RefusalCode,
    /// What was refused, and where.
    pub message: String,
    /// What is held and what is missing.
    pub detail: Option<String>,
    /// The next step.
    pub hint: Option<String>,
    /// Character (from 1) of the statement where the trouble is, if known.
    pub position: Option<usize>,
}

impl Refusal {
    /// A refusal without detail and hint.
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), detail: None, hint: None, position: None }
    }

    /// Adds the detail.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds the hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Why something was refused; each has the SQLSTATE that PostgreSQL itself would give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// 57P01: the session was ended by the gateway's people.
    AdminShutdown,
    /// 08006: the upstream connection broke.
    ConnectionFailure,
    /// 42P03: a named portal or cursor exists already.
    DuplicateCursor,
    /// 42P05: a named prepared statement exists already.
    DuplicateStatement,
    /// 3D000: no such target or database.
    InvalidCatalogName,
    /// 28000: login refused for another reason than the proof.
    InvalidAuthorization,
    /// 28P01: wrong name or password.
    InvalidPassword,
    /// 26000: EXECUTE or Bind of a statement that does not exist.
    InvalidStatementName,
    /// 34000: FETCH from, or Execute of, a cursor or portal that does not exist.
    InvalidCursorName,
    /// 25P03: a transaction waited too long for its next statement.
    IdleInTransaction,
    /// 42501: a permission is missing.
    InsufficientPrivilege,
    /// 3D000: a name without its database, and none is selected (MySQL).
    NoDatabase,
    /// 0A000: the gateway never lets this through.
    NotSupported,
    /// 54000: a bound of the gateway was reached.
    ProgramLimitExceeded,
    /// 08P01: the client broke the protocol.
    ProtocolViolation,
    /// 57014: the statement was cancelled.
    QueryCanceled,
    /// 25006: a write in a transaction that was opened read-only.
    ReadOnlyTransaction,
    /// 57014: a statement ran for too long.
    StatementTimeout,
    /// 42601: the text is not understood.
    SyntaxError,
    /// 58030: the audit log cannot be written.
    AuditUnavailable,
    /// 53300: too many connections, or none came free in time.
    TooManyConnections,
    /// 25P04: a transaction was open for too long.
    TransactionTimeout,
}

impl RefusalCode {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 22] = [
        Self::AdminShutdown,
        Self::ConnectionFailure,
        Self::DuplicateCursor,
        Self::DuplicateStatement,
        Self::InvalidCatalogName,
        Self::InvalidAuthorization,
        Self::InvalidPassword,
        Self::InvalidStatementName,
        Self::InvalidCursorName,
        Self::IdleInTransaction,
        Self::InsufficientPrivilege,
        Self::NoDatabase,
        Self::NotSupported,
        Self::ProgramLimitExceeded,
        Self::ProtocolViolation,
        Self::QueryCanceled,
        Self::ReadOnlyTransaction,
        Self::StatementTimeout,
        Self::SyntaxError,
        Self::AuditUnavailable,
        Self::TooManyConnections,
        Self::TransactionTimeout,
    ];

    /// The SQLSTATE.
    ///
    /// Source: PostgreSQL manual, appendix A, "PostgreSQL Error Codes".
    pub const fn sqlstate(self) -> &'static str {
        match self {
            Self::AdminShutdown => "57P01",
            Self::AuditUnavailable => "58030",
            Self::ConnectionFailure => "08006",
            Self::DuplicateCursor => "42P03",
            Self::DuplicateStatement => "42P05",
            Self::IdleInTransaction => "25P03",
            Self::InsufficientPrivilege => "42501",
            Self::InvalidAuthorization => "28000",
            Self::InvalidCatalogName | Self::NoDatabase => "3D000",
            Self::InvalidCursorName => "34000",
            Self::InvalidPassword => "28P01",
            Self::InvalidStatementName => "26000",
            Self::NotSupported => "0A000",
            Self::ProgramLimitExceeded => "54000",
            Self::ProtocolViolation => "08P01",
            Self::QueryCanceled | Self::StatementTimeout => "57014",
            Self::ReadOnlyTransaction => "25006",
            Self::SyntaxError => "42601",
            Self::TooManyConnections => "53300",
            Self::TransactionTimeout => "25P04",
        }
    }
}

/// A permission that a statement needs and its principal does not hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Missing {
    /// What is missing; `None` means any permission at all on the database.
    pub permission: Option<Permission>,
    /// On what.
    pub object: Object,
}
