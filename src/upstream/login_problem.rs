//! Why a login failed, or what a server said, in the words of its protocol.

use crate::wire::{
    mysql::{error as mysql_error, upstream as mysql},
    postgres::upstream as postgres,
};

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
pub enum LoginProblem {
    /// Of a MySQL server.
    #[error(transparent)]
    Mysql(#[from] mysql::LoginError),
    /// Of a PostgreSQL server.
    #[error(transparent)]
    Postgres(#[from] postgres::LoginError),
}

/// What a server said to a statement of the gateway's own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerWords {
    /// ERR.
    #[error(transparent)]
    Mysql(#[from] mysql_error::ServerError),
    /// ErrorResponse.
    #[error(transparent)]
    Postgres(#[from] postgres::ServerError),
}

/// A server's answer to a login that says nothing against its other databases and sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoginAnswer {
    /// It takes no more connections.
    Full,
    /// It does not have the database.
    NoDatabase,
    /// It does not have the database, or does not let the account into it; it does not say which.
    NoEntry,
    /// It does not let the account into that database, or nobody.
    NotThere,
}

impl LoginProblem {
    /// What the server itself said, if it is what refused.
    pub fn server(&self) -> Option<ServerWords> {
        match self {
            Self::Mysql(mysql::LoginError::Server { source }) => Some(source.clone().into()),
            Self::Postgres(postgres::LoginError::Server { source }) => Some(source.clone().into()),
            Self::Mysql(_) | Self::Postgres(_) => None,
        }
    }

    /// Whether the server is only starting or stopping.
    pub(crate) fn is_of_a_start(&self) -> bool {
        match self {
            Self::Postgres(postgres::LoginError::Server { source }) => {
                ["57P01", "57P02", "57P03"].contains(&source.sqlstate.as_str())
            }
            // ER_SERVER_SHUTDOWN.
            Self::Mysql(mysql::LoginError::Server { source }) => source.errno == 1053,
            Self::Mysql(_) | Self::Postgres(_) => false,
        }
    }

    /// What the server answered, if that leaves it up for others.
    pub(crate) fn answer(&self) -> Option<LoginAnswer> {
        match self {
            Self::Postgres(postgres::LoginError::Server { source }) => match source.sqlstate.as_str() {
                // What RDS says to a login token that it does not take; it holds for every database.
                "28000" if source.message.starts_with("PAM authentication failed") => None,
                "3D000" => Some(LoginAnswer::NoDatabase),
                "53300" => Some(LoginAnswer::Full),
                "28000" | "42501" | "55000" => Some(LoginAnswer::NotThere),
                _ => None,
            },
            Self::Mysql(mysql::LoginError::Server { source }) => match source.errno {
                1049 => Some(LoginAnswer::NoDatabase),
                // All connections, or all of the account's, are in use.
                1040 | 1203 | 1226 => Some(LoginAnswer::Full),
                1044 => Some(LoginAnswer::NoEntry),
                _ => None,
            },
            Self::Mysql(_) | Self::Postgres(_) => None,
        }
    }
}
