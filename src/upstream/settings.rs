//! What the gateway has to know to reach a target.

use std::{fmt, sync::Arc, time::Duration};

use super::credential::Credential;
use crate::{
    model::{
        dialect::Dialect,
        ids::{DatabaseName, Ident, TargetName},
        target::Lane,
    },
    net::ClientTls,
};

/// One target, as the configuration names it.
#[derive(Clone, Debug)]
pub struct TargetSettings {
    /// Its name.
    pub name: TargetName,
    /// What it speaks.
    pub dialect: Dialect,
    /// Where it listens; with `reader`, where its writer does.
    pub endpoint: Endpoint,
    /// How the connection to it is protected.
    pub tls: TargetTls,
    /// Where the read lane goes instead, if it goes somewhere else.
    pub reader: Option<Reader>,
    /// Whom the gateway logs in as.
    pub accounts: Accounts,
    /// The databases that may be used; `None` is any.
    pub databases: Option<Vec<DatabaseName>>,
    /// Bounds of each lane's pool.
    pub pool: PoolSettings,
    /// How its servers are told whose statements they run.
    pub attribution: Attribution,
}

impl TargetSettings {
    /// Where a lane goes, and how the way is protected.
    pub fn way(&self, lane: Lane) -> (&Endpoint, &TargetTls) {
        match (&self.reader, lane) {
            (Some(reader), Lane::Read) => (&reader.endpoint, &reader.tls),
            (None, Lane::Read) | (_, Lane::Write | Lane::Admin) => (&self.endpoint, &self.tls),
        }
    }
}

/// How a server is told whose statements it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribution {
    /// By `application_name` (PostgreSQL).
    ApplicationName,
    /// By a comment in each text.
    Comment,
    /// Not at all.
    Off,
}

/// A server, or several under one name, that follow the writer.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// How the connection to it is protected.
    pub tls: TargetTls,
}

/// How the connection to a target is protected.
#[derive(Clone, Debug)]
pub enum TargetTls {
    /// Plain text. To PostgreSQL, passwords go out only as SCRAM proofs; to MySQL, as proofs or hidden with the RSA
    /// key that the server shows, which nothing vouches for.
    Disable,
    /// TLS, with the server's certificate checked up to the roots and against the name.
    VerifyFull(ClientTls),
}

/// Host and port; the name is resolved at every connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address, without brackets.
    pub host: Arc<str>,
    /// TCP port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The shared upstream accounts of a target.
#[derive(Clone, Debug)]
pub struct Accounts {
    /// Serves the read lane, and every lane above it that has no account of its own.
    pub read: Account,
    /// Serves the write lane, and the admin lane if that has no account of its own.
    pub write: Option<Account>,
    /// Serves the admin lane.
    pub admin: Option<Account>,
}

impl Accounts {
    /// The account of a lane: its own, or the strongest below it.
    pub fn of(&self, lane: Lane) -> &Account {
        let write = self.write.as_ref().unwrap_or(&self.read);
        match lane {
            Lane::Read => &self.read,
            Lane::Write => write,
            Lane::Admin => self.admin.as_ref().unwrap_or(write),
        }
    }

    /// The names of all of them, each once.
    pub fn names(&self) -> Arc<[Ident]> {
        let mut names: Vec<Ident> = Lane::ALL.map(|lane| self.of(lane).user.clone()).into();
        names.sort();
        names.dedup();
        names.into()
    }
}

/// One upstream account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name, spelled as the server holds it.
    pub user: Ident,
    /// What it proves itself with.
    pub credential: Credential,
}

/// Bounds of the pool of one target and lane, over all its databases.
#[derive(Clone, Debug)]
pub struct PoolSettings {
    /// Connections open at once, in use and idle; at least 1 is taken.
    pub max_connections: usize,
    /// How long a session waits for one to come free.
    pub wait_timeout: Duration,
    /// How long one may lie idle.
    pub idle_timeout: Duration,
    /// How old one may be when it is lent.
    pub max_lifetime: Duration,
    /// From resolving the name to the first ReadyForQuery; also the bound of cancel requests.
    pub connect_timeout: Duration,
    /// How long a session waits for a server that took over from one that went away.
    pub failover_wait: Duration,
    /// How many may be opened in a second, over all lanes; `None` is any number.
    pub new_connections_per_second: Option<u32>,
    /// Prepared statements that may stand on one of them; at least 1 is taken.
    pub prepared_statements: usize,
    /// How old a catalog may be while its database is in use.
    pub catalog_refresh: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            max_connections: 20,
            wait_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(300),
            max_lifetime: Duration::from_secs(3600),
            connect_timeout: Duration::from_secs(5),
            failover_wait: Duration::ZERO,
            new_connections_per_second: None,
            prepared_statements: 500,
            catalog_refresh: Duration::from_secs(30),
        }
    }
}
