//! The configuration file.
//!
//! The door is [`load`]: it reads `tidegate.yaml`, refuses whatever it does not know or cannot be meant, and gives
//! a [`Config`] in which every path is absolute or relative to the working directory, every name is a type, and
//! every secret is read. The format is written in `docs/configuration.md`.
//! Never knows what the settings are used for.

mod audit;
mod audit_kafka;
mod audit_sinks;
mod audit_texts;
#[cfg(test)]
mod breakage_tests;
mod check;
mod error;
mod iam;
mod limits;
mod load;
mod nearest;
mod oidc;
mod on_call;
mod otlp;
mod raw;
mod schema;
mod secrets;
mod settings;
mod slack;
mod store;
mod targets;
mod telemetry;
mod webhooks;

pub use error::{ConfigError, Problem};
pub use limits::Limits;
pub use load::load;
pub use schema::schema;
pub use settings::{
    Account, Accounts, Api, Attribution, Audit, AuditCheckpoints, AuditSink, AuditSinkKind, AuditText,
    Authentication, CertificateFiles, Compression, Config, Credential, Endpoint, Iam, Listener, ListenerTls,
    Log, LogFormat, LogLevel, Otlp, Pool, PostgresStore, Reader, SaslAccount, SaslMechanism, Shutdown, Slack,
    SlackHttp, Store, StoreTls, TargetSettings, Traces, UpstreamTls,
};
