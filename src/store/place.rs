//! Where a store is.

use std::{fmt, path::PathBuf};

use crate::model::secret::Secret;

/// Where a store is.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a database of a PostgreSQL, for several gateways.
    Postgres(Server),
    /// In this file, for one gateway.
    Sqlite(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(server) => server.fmt(f),
            Self::Sqlite(path) => path.display().fmt(f),
        }
    }
}

/// A database of a PostgreSQL, and the account that owns the store's tables there.
#[derive(Clone, Debug)]
pub struct Server {
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The account.
    pub user: String,
    /// Its password.
    pub password: Secret<String>,
    /// How the server is trusted.
    pub tls: ServerTls,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brackets = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{}{}{}:{}/{}", brackets.0, self.host, brackets.1, self.port, self.database)
    }
}

/// How the store's server is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerTls {
    /// No TLS at all.
    Disable,
    /// TLS; certificate and name must be right.
    VerifyFull {
        /// Authorities (PEM); without them those of the web.
        ca: Option<PathBuf>,
    },
}
