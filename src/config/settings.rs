//! The settings of one gateway, checked.

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf, time::Duration};

use serde::Deserialize;

use super::limits::Limits;
use crate::model::{
    dialect::Dialect,
    identity::ProviderSettings,
    ids::{DatabaseName, GatewayName, TargetName},
    on_call::OnCallSettings,
    record::Durability,
    replica::Replica,
    secret::Secret,
    slack::SlackSettings,
    target::{Lane, Target},
    webhook::WebhookSettings,
};

/// The settings of one gateway.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file they come from.
    pub file: PathBuf,
    /// What this gateway is called among those that share its store.
    pub name: GatewayName,
    /// Its number among those; `None` is any that is free.
    pub replica: Option<Replica>,
    /// Where the gateway keeps what it writes.
    pub data_dir: PathBuf,
    /// Where clients connect; at least one.
    pub listeners: Vec<Listener>,
    /// The protected servers; at least one, names unique.
    pub targets: Vec<TargetSettings>,
    /// Directory of policy files.
    pub policies: PathBuf,
    /// Where people, requests, grants and keys are kept.
    pub store: Store,
    /// The audit log.
    pub audit: Audit,
    /// The administration API.
    pub api: Api,
    /// The identity provider, if there is one.
    pub oidc: Option<ProviderSettings>,
    /// Addresses that are told of events; names unique.
    pub webhooks: Vec<WebhookSettings>,
    /// Who is asked who is on call, if anybody is.
    pub on_call: Option<OnCallSettings>,
    /// The Slack app, if there is one.
    pub slack: Option<Slack>,
    /// Bounds.
    pub limits: Limits,
    /// How long before its end a grant is announced to end soon.
    pub announce_before: Duration,
    /// How it stops.
    pub shutdown: Shutdown,
    /// The process's own log.
    pub log: Log,
    /// Traces, if they are made.
    pub traces: Option<Traces>,
    /// What is allowed and should not be; to be logged at start.
    pub warnings: Vec<String>,
}

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Address and port.
    pub address: SocketAddr,
    /// What is spoken there.
    pub dialect: Dialect,
    /// Targets reached through it, at least one; the first is the default.
    pub targets: Vec<TargetName>,
    /// Certificate of the gateway.
    pub tls: Option<ListenerTls>,
    /// Whether sessions without TLS are accepted.
    pub plaintext: bool,
    /// How clients show their password or token.
    pub authentication: Authentication,
    /// MySQL: by what clients may compress.
    pub compression: Vec<Compression>,
}

/// By what clients of MySQL's protocol may compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Deflate, as all clients that compress can.
    Zlib,
    /// Zstandard, as those of MySQL 8 can.
    Zstd,
}

impl Compression {
    /// What a listener of `dialect` offers that says nothing.
    pub const fn default_of(dialect: Dialect) -> &'static [Self] {
        match dialect {
            Dialect::Mysql => &[Self::Zlib, Self::Zstd],
            Dialect::Postgres => &[],
        }
    }
}

/// Certificate, key and whom to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// Certificate chain and key.
    pub files: CertificateFiles,
    /// Authorities (PEM) of client certificates; without them none is asked for.
    pub client_ca: Option<PathBuf>,
}

/// A certificate chain and its key, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// Certificate chain, the own one first.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// How clients show their password or token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Authentication {
    /// PostgreSQL: SCRAM-SHA-256, with channel binding over TLS.
    Scram,
    /// MySQL: caching_sha2_password.
    #[serde(rename = "caching_sha2")]
    CachingSha2,
    /// MySQL: mysql_native_password, for clients that speak nothing newer.
    Native,
    /// In clear text, over TLS only; for tools that send tokens.
    Cleartext,
    /// PostgreSQL: OAUTHBEARER, with a token of the identity provider, over TLS only.
    Oauth,
}

impl Authentication {
    /// What a listener of `dialect` uses that says nothing.
    pub const fn default_of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Mysql => Self::CachingSha2,
            Dialect::Postgres => Self::Scram,
        }
    }

    /// Whether clients of `dialect` speak it.
    pub const fn is_of(self, dialect: Dialect) -> bool {
        match self {
            Self::CachingSha2 | Self::Native => matches!(dialect, Dialect::Mysql),
            Self::Cleartext => true,
            Self::Oauth | Self::Scram => matches!(dialect, Dialect::Postgres),
        }
    }

    /// The word of the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CachingSha2 => "caching_sha2",
            Self::Cleartext => "cleartext",
            Self::Native => "native",
            Self::Oauth => "oauth",
            Self::Scram => "scram",
        }
    }
}

/// A protected server and how to reach it.
#[derive(Clone, Debug)]
pub struct TargetSettings {
    /// What decisions need to know of it.
    pub target: Target,
    /// Where it is.
    pub endpoint: Endpoint,
    /// Databases that may be reached; `None` is any.
    pub databases: Option<Vec<DatabaseName>>,
    /// How the gateway trusts it.
    pub tls: UpstreamTls,
    /// Where the read lane goes instead.
    pub reader: Option<Reader>,
    /// The shared accounts.
    pub accounts: Accounts,
    /// Connections kept, per lane.
    pub pool: Pool,
    /// How it is told whose statements it runs.
    pub attribution: Attribution,
}

/// How a server is told whose statements it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// By `application_name`; PostgreSQL alone has that.
    ApplicationName,
    /// By a comment in each text.
    Comment,
    /// Not at all.
    Off,
}

/// Host and port of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
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

/// How the gateway trusts an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamTls {
    /// No TLS at all.
    Disable,
    /// TLS; certificate and name must be right.
    VerifyFull {
        /// Authorities (PEM); without them the system's.
        ca: Option<PathBuf>,
        /// The name in its certificate; without it the endpoint's host.
        server_name: Option<String>,
    },
}

/// What follows the writer; trusted as that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The name in its certificate; without it the endpoint's host.
    pub server_name: Option<String>,
}

/// The shared accounts of a target.
#[derive(Clone, Debug)]
pub struct Accounts {
    /// Of the read lane.
    pub read: Account,
    /// Of the write lane.
    pub write: Option<Account>,
    /// Of the admin lane.
    pub admin: Option<Account>,
}

impl Accounts {
    /// The account that serves `lane`: its own, else the next stronger, else the next weaker.
    pub fn of(&self, lane: Lane) -> &Account {
        match lane {
            Lane::Read => &self.read,
            Lane::Write => self.write.as_ref().or(self.admin.as_ref()).unwrap_or(&self.read),
            Lane::Admin => self.admin.as_ref().or(self.write.as_ref()).unwrap_or(&self.read),
        }
    }
}

/// A user of the upstream.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name.
    pub user: String,
    /// What it logs in with.
    pub credential: Credential,
}

/// What an account logs in with.
#[derive(Clone, Debug)]
pub enum Credential {
    /// Login tokens; its target has TLS.
    Iam(Iam),
    /// A password.
    Password(Secret<String>),
}

/// Where login tokens of RDS and Aurora come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Iam {
    /// Region of the server.
    pub region: String,
    /// Profile of AWS's own files; without it what `AWS_PROFILE` says.
    pub profile: Option<String>,
    /// A role to take on.
    pub role_arn: Option<String>,
    /// The server as AWS knows it, in lower case.
    pub endpoint: Endpoint,
}

/// Connections kept for one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// At most so many, 1 to 10,000.
    pub max_connections: u32,
    /// A session waits so long for one.
    pub wait_timeout: Duration,
    /// An idle one is closed after it.
    pub idle_timeout: Duration,
    /// Any is closed after it, once it is idle.
    pub max_lifetime: Duration,
    /// A session waits so long for a server that took over from one that went away.
    pub failover_wait: Duration,
    /// So many may be opened in a second over all lanes, 1 to 10,000; `None` is any number.
    pub new_connections_per_second: Option<u32>,
    /// So many prepared statements are kept on one, 1 to 10,000.
    pub prepared_statements: u32,
}

/// Where people, requests, grants and keys are kept.
#[derive(Clone, Debug)]
pub enum Store {
    /// In a PostgreSQL that several gateways may share.
    Postgres(PostgresStore),
    /// In this file.
    Sqlite(PathBuf),
}

/// A database of the gateways' own.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    /// Where its server is.
    pub endpoint: Endpoint,
    /// What it is called.
    pub database: String,
    /// The account that owns its tables.
    pub user: String,
    /// That account's password.
    pub password: Secret<String>,
    /// How its server is trusted.
    pub tls: StoreTls,
}

/// How the gateway trusts the store's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreTls {
    /// No TLS at all.
    Disable,
    /// TLS; certificate and name must be right.
    VerifyFull {
        /// Authorities (PEM); without them those of the web.
        ca: Option<PathBuf>,
    },
}

/// The audit log.
#[derive(Clone, Debug)]
pub struct Audit {
    /// The file.
    pub path: PathBuf,
    /// When a record counts as kept.
    pub durability: Durability,
    /// Whether an index is kept beside it, so that it can be searched.
    pub index: bool,
    /// At which size it goes on in a new file.
    pub rotate_bytes: u64,
    /// After which time it does.
    pub rotate_after: Option<Duration>,
    /// How long full files are kept.
    pub keep_for: Option<Duration>,
    /// Up to which size of all of them.
    pub keep_bytes: Option<u64>,
    /// Up to which size of all of them files are kept for a sink that has not read them.
    pub wait_bytes: u64,
    /// What signs checkpoints.
    pub checkpoints: Option<AuditCheckpoints>,
    /// Where records go besides, names unique.
    pub sinks: Vec<AuditSink>,
    /// What is kept of the text of statements.
    pub text: AuditText,
    /// The same for each target.
    pub text_by_target: BTreeMap<TargetName, AuditText>,
    /// Under which hashes are made; of at least 32 bytes. `None` is one of the log's own.
    pub text_key: Option<Secret<String>>,
}

/// What is kept of the text of statements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditText {
    /// A keyed hash, beside the fingerprint.
    Fingerprint,
    /// All of it.
    #[default]
    Full,
    /// All of it, with a keyed hash in the place of each literal.
    Hashed,
}

/// Where records go besides the log.
#[derive(Clone, Debug)]
pub struct AuditSink {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: AuditSinkKind,
}

/// What a sink is.
#[derive(Clone, Debug)]
pub enum AuditSinkKind {
    /// Messages of a Kafka topic.
    Kafka {
        /// Brokers that know the others, at least one.
        brokers: Vec<Endpoint>,
        /// The topic.
        topic: String,
        /// How brokers are trusted; there is no name of a server in it.
        tls: UpstreamTls,
        /// As whom the gateway logs in.
        account: Option<SaslAccount>,
    },
    /// OpenTelemetry's protocol for logs, over HTTP.
    Otlp(Otlp),
    /// Objects of S3, or of what speaks like it.
    S3 {
        /// The bucket.
        bucket: String,
        /// What the names of all objects begin with.
        prefix: String,
        /// The region.
        region: String,
        /// Another place than Amazon's.
        endpoint: Option<String>,
        /// Authorities (PEM); `None` is the system's.
        ca: Option<PathBuf>,
        /// The profile of AWS's own files.
        profile: Option<String>,
        /// A role that is taken on.
        role_arn: Option<String>,
        /// How long records wait for more to go with them.
        every: Duration,
    },
    /// Standard output.
    Stdout,
    /// Syslog over TCP or TLS.
    Syslog {
        /// Where.
        endpoint: Endpoint,
        /// How it is trusted.
        tls: UpstreamTls,
    },
}

/// An account at the brokers of Kafka.
#[derive(Clone, Debug)]
pub struct SaslAccount {
    /// How it proves itself.
    pub mechanism: SaslMechanism,
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: Secret<String>,
}

/// How an account proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SaslMechanism {
    /// By sending its password.
    Plain,
    /// SCRAM-SHA-256.
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// SCRAM-SHA-512.
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}

/// A receiver of OpenTelemetry's protocol over HTTP.
#[derive(Clone, Debug)]
pub struct Otlp {
    /// All of the address.
    pub url: String,
    /// Authorities (PEM); `None` is the system's.
    pub ca: Option<PathBuf>,
    /// A bearer token.
    pub token: Option<Secret<String>>,
}

/// Traces of statements and of requests to the API.
#[derive(Clone, Debug)]
pub struct Traces {
    /// Where they go.
    pub otlp: Otlp,
    /// Of those that begin here, one in so many is kept.
    pub one_in: u64,
}

/// Checkpoints of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditCheckpoints {
    /// File of the key that signs.
    pub key: PathBuf,
    /// How often.
    pub every: Duration,
    /// Where they are written besides; "-" is standard output.
    pub also: Option<PathBuf>,
}

/// The administration API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// Address and port.
    pub address: SocketAddr,
    /// Its certificate; always there unless the address is a loopback one.
    pub tls: Option<CertificateFiles>,
    /// Where people open the console, without a slash at its end; refusals name it.
    pub public_url: Option<String>,
}

/// How the gateway stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// From the signal, while it says that it is not ready, until nobody is accepted any more.
    pub delay: Duration,
    /// So long open transactions may go on after that.
    pub drain: Duration,
    /// Whether a successor may listen on its ports meanwhile.
    pub shares_ports: bool,
}

/// The Slack app.
#[derive(Clone, Debug)]
pub struct Slack {
    /// The workspace, the app in it, and what is told where.
    pub settings: SlackSettings,
    /// Where Slack's requests come in, if they do.
    pub http: Option<SlackHttp>,
}

/// Where Slack's requests come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlackHttp {
    /// Address and port.
    pub address: SocketAddr,
    /// Its certificate; always there unless the address is a loopback one.
    pub tls: Option<CertificateFiles>,
}

/// The process's own log, on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Its form.
    pub format: LogFormat,
    /// Its least level.
    pub level: LogLevel,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    #[default]
    Text,
}

/// Least level of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Statements' texts may appear.
    Debug,
    /// Somebody must act.
    Error,
    /// Starts, stops, changes.
    #[default]
    Info,
    /// Everything.
    Trace,
    /// Something is not as it should be.
    Warn,
}

impl LogLevel {
    /// The word of the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Error => "error",
            Self::Info => "info",
            Self::Trace => "trace",
            Self::Warn => "warn",
        }
    }
}
