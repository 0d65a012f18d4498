//! Errors as MySQL spells them: a number, a SQLSTATE, one message.
//!
//! Source: MySQL manual, "Server Error Message Reference".

use super::fields::Fields;
use crate::{
    model::refusal::{Refusal, RefusalCode},
    wire::WireError,
};

/// An ERR packet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{errno} ({sqlstate}): {message}")]
pub struct ServerError {
    /// Its number.
    pub errno: u16,
    /// Five characters; `HY000` where the server gives none.
    pub sqlstate: String,
    /// Its words.
    pub message: String,
}

/// Number and SQLSTATE of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// Its number.
    pub errno: u16,
    /// Five characters.
    pub sqlstate: &'static str,
}

impl ErrorCode {
    /// ER_DBACCESS_DENIED_ERROR: nothing is held on the database.
    pub const DATABASE_DENIED: Self = Self::new(1044, "42000");
    /// ER_ACCESS_DENIED_ERROR: the login failed.
    pub const LOGIN_DENIED: Self = Self::new(1045, "28000");
    /// ER_NO_DB_ERROR: no database is selected.
    pub const NO_DATABASE: Self = Self::new(1046, "3D000");
    /// ER_UNKNOWN_COM_ERROR: a command that is not spoken.
    pub const UNKNOWN_COMMAND: Self = Self::new(1047, "08S01");
    /// ER_BAD_DB_ERROR: no such database.
    pub const UNKNOWN_DATABASE: Self = Self::new(1049, "42000");
    /// ER_NO_SUCH_THREAD: KILL of a session that is not there, or not one's own.
    pub const NO_SUCH_THREAD: Self = Self::new(1094, "HY000");
    /// ER_TABLEACCESS_DENIED_ERROR: a permission on a table is missing.
    pub const TABLE_DENIED: Self = Self::new(1142, "42000");
    /// ER_SPECIFIC_ACCESS_DENIED_ERROR: only for administrators.
    pub const ADMIN_ONLY: Self = Self::new(1227, "42000");
    /// ER_UNKNOWN_STMT_HANDLER: no such prepared statement.
    pub const UNKNOWN_STATEMENT: Self = Self::new(1243, "HY000");
    /// ER_SECURE_TRANSPORT_REQUIRED: plaintext where TLS is asked for.
    pub const TLS_REQUIRED: Self = Self::new(3159, "HY000");

    /// A code of this number and SQLSTATE.
    pub const fn new(errno: u16, sqlstate: &'static str) -> Self {
        Self { errno, sqlstate }
    }

    /// The code that MySQL itself would give for `code`; a missing permission is one on a table.
    pub const fn of(code: RefusalCode) -> Self {
        match code {
            RefusalCode::AdminShutdown => Self::new(1053, "08S01"),
            RefusalCode::AuditUnavailable => Self::new(1105, "HY000"),
            // ER_NET_READ_ERROR. Numbers of 2000 and above are the clients' own: some take them from no server.
            RefusalCode::ConnectionFailure => Self::new(1158, "08S01"),
            RefusalCode::DuplicateCursor | RefusalCode::DuplicateStatement => Self::new(1105, "HY000"),
            // ER_CLIENT_INTERACTION_TIMEOUT: the session ends with it.
            RefusalCode::IdleInTransaction | RefusalCode::TransactionTimeout => Self::new(4031, "HY000"),
            RefusalCode::InsufficientPrivilege => Self::TABLE_DENIED,
            RefusalCode::InvalidAuthorization | RefusalCode::InvalidPassword => Self::LOGIN_DENIED,
            RefusalCode::InvalidCatalogName => Self::UNKNOWN_DATABASE,
            RefusalCode::InvalidCursorName => Self::new(1421, "HY000"),
            RefusalCode::InvalidStatementName => Self::UNKNOWN_STATEMENT,
            RefusalCode::NoDatabase => Self::NO_DATABASE,
            RefusalCode::NotSupported => Self::new(1235, "42000"),
            RefusalCode::ProgramLimitExceeded => Self::new(1153, "08S01"),
            RefusalCode::ProtocolViolation => Self::new(1835, "HY000"),
            RefusalCode::QueryCanceled => Self::new(1317, "70100"),
            RefusalCode::ReadOnlyTransaction => Self::new(1792, "25006"),
            // ER_QUERY_TIMEOUT.
            RefusalCode::StatementTimeout => Self::new(3024, "HY000"),
            RefusalCode::SyntaxError => Self::new(1064, "42000"),
            RefusalCode::TooManyConnections => Self::new(1040, "08004"),
        }
    }
}

impl ServerError {
    /// An error of this code.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { errno: code.errno, sqlstate: code.sqlstate.to_owned(), message: message.into() }
    }

    /// A refusal under the code that MySQL would give.
    pub fn refused(refusal: &Refusal) -> Self {
        Self::refused_as(ErrorCode::of(refusal.code), refusal)
    }

    /// A refusal under another code (1044 where a whole database is refused, 1227 for administrators' things).
    ///
    /// There is one message only: the refusal's own first, then the hint with the next step, then the detail, so that
    /// a client that cuts it at MYSQL_ERRMSG_SIZE (512 bytes) cuts what is needed least.
    pub fn refused_as(code: ErrorCode, refusal: &Refusal) -> Self {
        let parts = [Some(&refusal.message), refusal.hint.as_ref(), refusal.detail.as_ref()];
        let mut message = String::new();
        for part in parts.into_iter().flatten() {
            if !message.is_empty() {
                message.push_str(if message.ends_with(['.', '!', '?']) { " " } else { ". " });
            }
            message.push_str(part);
        }
        Self::new(code, message)
    }

    /// Bytes that are not as the protocol says, for the peer before the connection is closed.
    pub fn broken(problem: &WireError) -> Self {
        let code = match problem {
            WireError::Compressed => ErrorCode::new(1157, "08S01"),
            WireError::OutOfOrder { .. } => ErrorCode::new(1156, "08S01"),
            _ => ErrorCode::of(problem.refusal().code),
        };
        Self::refused_as(code, &problem.refusal())
    }

    /// Reads an ERR packet; before the handshake it has no SQLSTATE.
    ///
    /// # Errors
    /// `Malformed` without a number.
    pub fn read(payload: &[u8]) -> Result<Self, WireError> {
        let mut fields = Fields::new(payload, "ERR");
        if fields.byte()? != 0xff {
            return Err(fields.malformed());
        }
        let errno = fields.int16()?;
        let (sqlstate, message) = match fields.rest().split_first_chunk::<6>() {
            Some((&[b'#', ref state @ ..], message)) => (state.as_slice(), message),
            _ => (b"HY000".as_slice(), fields.rest()),
        };
        Ok(Self {
            errno,
            sqlstate: String::from_utf8_lossy(sqlstate).into_owned(),
            message: String::from_utf8_lossy(message).into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::mysql::{packet::HEADER_BYTES, reply};

    #[test]
    fn the_page_of_errors_has_every_code_of_both_databases() {
        let page = include_str!("../../../docs/errors.md");
        for code in RefusalCode::ALL {
            let (sqlstate, errno) = (code.sqlstate(), ErrorCode::of(code).errno);
            let told = page.lines().any(|line| {
                let mut cells = line.split('|').skip(1);
                let has = |cell: Option<&str>, word: &str| {
                    cell.is_some_and(|cell| cell.split([' ', ',', ';', '`']).any(|it| it == word))
                };
                has(cells.next(), sqlstate) && has(cells.next(), &errno.to_string())
            });
            assert!(told, "docs/errors.md does not tell of {sqlstate} and {errno} ({code:?}) in one line");
        }
    }

    #[test]
    fn no_error_has_a_number_that_is_a_client_s_own() {
        for code in RefusalCode::ALL {
            let errno = ErrorCode::of(code).errno;
            assert!(!(2000..3000).contains(&errno), "{code:?} is {errno}");
        }
    }

    #[test]
    fn a_missing_permission_is_a_denied_table_with_the_next_step_ahead_of_the_detail() {
        let refusal =
            Refusal::new(RefusalCode::InsufficientPrivilege, "permission denied: select on hr.salary")
                .with_detail("dana holds explain on hr (standing).")
                .with_hint("Ask for it: tidegate request --denial d7f3a");
        let error = ServerError::refused(&refusal);
        assert_eq!((error.errno, error.sqlstate.as_str()), (1142, "42000"));
        assert_eq!(
            error.message,
            "permission denied: select on hr.salary. Ask for it: tidegate request --denial d7f3a. \
             dana holds explain on hr (standing)."
        );
    }

    #[test]
    fn an_error_comes_back_as_it_was_written() {
        let mut out = bytes::BytesMut::new();
        let error = ServerError::new(ErrorCode::TABLE_DENIED, "no");
        reply::err(&mut out, &mut 1, &error);
        assert_eq!(ServerError::read(&out[HEADER_BYTES..]).unwrap(), error);
        assert_eq!(&out[..], b"\x0b\0\0\x01\xff\x76\x04#42000no");
    }

    #[test]
    fn an_error_ahead_of_the_handshake_has_no_state() {
        let error = ServerError::read(b"\xff\x6a\x04Host 'x' is not allowed").unwrap();
        assert_eq!((error.errno, error.sqlstate.as_str()), (1130, "HY000"));
        assert!(ServerError::read(b"\xff\x6a").is_err());
        assert!(ServerError::read(b"\0\x6a\x04").is_err());
    }

    #[test]
    fn broken_order_has_the_server_s_own_number() {
        let error = ServerError::broken(&WireError::OutOfOrder { expected: 0, found: 3 });
        assert_eq!((error.errno, error.sqlstate.as_str()), (1156, "08S01"));
        let error = ServerError::broken(&WireError::PacketTooLarge { length_bytes: 9, limit_bytes: 8 });
        assert_eq!(error.errno, 1153);
    }
}
