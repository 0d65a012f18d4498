//! The configuration as written, with the lines it was written on.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{
    settings::{Attribution, AuditText, Authentication, Compression, LogFormat, LogLevel, SaslMechanism},
    slack::RawSlack,
};
use crate::model::{dialect::Dialect, record::Durability};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    pub(super) name: Option<Spanned<String>>,
    pub(super) replica: Option<Spanned<u64>>,
    pub(super) data_dir: Spanned<String>,
    pub(super) listeners: Spanned<Vec<Spanned<RawListener>>>,
    pub(super) targets: Spanned<Vec<Spanned<RawTarget>>>,
    #[serde(default = "policies")]
    pub(super) policies: String,
    pub(super) store: Option<Spanned<RawStore>>,
    #[serde(default)]
    pub(super) audit: RawAudit,
    #[serde(default)]
    pub(super) api: RawApi,
    pub(super) oidc: Option<Spanned<RawOidc>>,
    pub(super) slack: Option<Spanned<RawSlack>>,
    #[serde(default)]
    pub(super) webhooks: Vec<Spanned<RawWebhook>>,
    pub(super) on_call: Option<Spanned<RawOnCall>>,
    #[serde(default)]
    pub(super) limits: RawLimits,
    #[serde(default)]
    pub(super) grants: RawGrants,
    #[serde(default)]
    pub(super) shutdown: RawShutdown,
    #[serde(default)]
    pub(super) log: RawLog,
    #[serde(default)]
    pub(super) telemetry: RawTelemetry,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTelemetry {
    pub(super) traces: Option<RawTraces>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTraces {
    pub(super) otlp: RawOtlp,
    pub(super) one_in: Option<Spanned<u64>>,
}

fn policies() -> String {
    "policies".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawListener {
    pub(super) address: Spanned<String>,
    #[serde(default = "postgres")]
    pub(super) dialect: Dialect,
    pub(super) targets: Spanned<Vec<Spanned<String>>>,
    pub(super) tls: Option<RawListenerTls>,
    pub(super) plaintext: Option<Spanned<bool>>,
    pub(super) authentication: Option<Spanned<Authentication>>,
    pub(super) compression: Option<Spanned<Vec<Compression>>>,
}

const fn postgres() -> Dialect {
    Dialect::Postgres
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawListenerTls {
    pub(super) certificate: String,
    pub(super) key: String,
    pub(super) client_ca: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTarget {
    pub(super) name: Spanned<String>,
    #[serde(default = "postgres")]
    pub(super) dialect: Dialect,
    pub(super) environment: Spanned<String>,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    pub(super) endpoint: Spanned<String>,
    pub(super) databases: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    pub(super) tls: RawUpstreamTls,
    pub(super) reader: Option<RawReader>,
    pub(super) iam: Option<Spanned<RawIam>>,
    pub(super) accounts: RawAccounts,
    #[serde(default)]
    pub(super) pool: RawPool,
    pub(super) attribution: Option<Spanned<Attribution>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUpstreamTls {
    #[serde(default)]
    pub(super) mode: RawTlsMode,
    pub(super) ca: Option<Spanned<String>>,
    pub(super) server_name: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReader {
    pub(super) endpoint: Spanned<String>,
    pub(super) server_name: Option<Spanned<String>>,
    pub(super) iam_endpoint: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIam {
    pub(super) region: Option<Spanned<String>>,
    pub(super) profile: Option<Spanned<String>>,
    pub(super) role_arn: Option<Spanned<String>>,
    pub(super) endpoint: Option<Spanned<String>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawTlsMode {
    Disable,
    #[default]
    VerifyFull,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccounts {
    pub(super) read: Spanned<RawAccount>,
    pub(super) write: Option<Spanned<RawAccount>>,
    pub(super) admin: Option<Spanned<RawAccount>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccount {
    pub(super) user: Spanned<String>,
    pub(super) password_file: Option<Spanned<String>>,
    pub(super) password_env: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPool {
    pub(super) max_connections: Option<Spanned<u64>>,
    pub(super) wait_timeout_ms: Option<Spanned<u64>>,
    pub(super) idle_timeout_s: Option<Spanned<u64>>,
    pub(super) max_lifetime_s: Option<Spanned<u64>>,
    pub(super) failover_wait_ms: Option<Spanned<u64>>,
    pub(super) new_connections_per_second: Option<Spanned<u64>>,
    pub(super) prepared_statements: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStore {
    pub(super) sqlite: Option<Spanned<String>>,
    pub(super) postgres: Option<Spanned<RawPostgresStore>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPostgresStore {
    pub(super) endpoint: Spanned<String>,
    pub(super) database: Spanned<String>,
    pub(super) account: Spanned<RawAccount>,
    #[serde(default)]
    pub(super) tls: RawTls,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    #[serde(default)]
    pub(super) mode: RawTlsMode,
    pub(super) ca: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAudit {
    pub(super) path: Option<String>,
    pub(super) durability: Durability,
    pub(super) index: bool,
    pub(super) rotate: RawRotate,
    pub(super) retain: RawRetain,
    pub(super) checkpoints: Option<Spanned<RawCheckpoints>>,
    pub(super) sinks: Vec<Spanned<RawSink>>,
    pub(super) text: Option<Spanned<AuditText>>,
    pub(super) text_by_environment: BTreeMap<String, Spanned<AuditText>>,
    pub(super) text_by_target: BTreeMap<String, Spanned<AuditText>>,
    pub(super) text_key_env: Option<Spanned<String>>,
    pub(super) text_key_file: Option<Spanned<String>>,
}

impl Default for RawAudit {
    fn default() -> Self {
        Self {
            path: None,
            durability: Durability::default(),
            index: true,
            rotate: RawRotate::default(),
            retain: RawRetain::default(),
            checkpoints: None,
            sinks: Vec::new(),
            text: None,
            text_by_environment: BTreeMap::new(),
            text_by_target: BTreeMap::new(),
            text_key_env: None,
            text_key_file: None,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRotate {
    pub(super) bytes: Option<Spanned<u64>>,
    pub(super) after_s: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRetain {
    pub(super) days: Option<Spanned<u64>>,
    pub(super) bytes: Option<Spanned<u64>>,
    pub(super) wait_for_sinks_bytes: Option<Spanned<u64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCheckpoints {
    pub(super) key_file: Spanned<String>,
    pub(super) every_s: Option<Spanned<u64>>,
    pub(super) also: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSink {
    pub(super) name: Spanned<String>,
    pub(super) kafka: Option<Spanned<RawKafka>>,
    pub(super) otlp: Option<Spanned<RawOtlp>>,
    pub(super) s3: Option<Spanned<RawS3>>,
    #[serde(default)]
    pub(super) stdout: bool,
    pub(super) syslog: Option<Spanned<RawSyslog>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKafka {
    pub(super) brokers: Vec<Spanned<String>>,
    pub(super) topic: Spanned<String>,
    #[serde(default)]
    pub(super) tls: RawTls,
    pub(super) sasl: Option<Spanned<RawSasl>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSasl {
    pub(super) mechanism: SaslMechanism,
    pub(super) user: Spanned<String>,
    pub(super) password_file: Option<Spanned<String>>,
    pub(super) password_env: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSyslog {
    pub(super) endpoint: Spanned<String>,
    #[serde(default)]
    pub(super) tls: RawUpstreamTls,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOtlp {
    pub(super) url: Spanned<String>,
    pub(super) ca: Option<String>,
    pub(super) token_file: Option<Spanned<String>>,
    pub(super) token_env: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawS3 {
    pub(super) bucket: Spanned<String>,
    #[serde(default)]
    pub(super) prefix: String,
    pub(super) region: Spanned<String>,
    pub(super) endpoint: Option<Spanned<String>>,
    pub(super) ca: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) role_arn: Option<String>,
    pub(super) every_s: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawApi {
    pub(super) address: Option<Spanned<String>>,
    pub(super) tls: Option<RawCertificate>,
    pub(super) public_url: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCertificate {
    pub(super) certificate: String,
    pub(super) key: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOidc {
    pub(super) issuer: Spanned<String>,
    pub(super) client_id: Spanned<String>,
    pub(super) client_secret_file: Option<Spanned<String>>,
    pub(super) client_secret_env: Option<Spanned<String>>,
    pub(super) audiences: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    pub(super) parties: Vec<String>,
    pub(super) scopes: Option<Vec<String>>,
    pub(super) principal_claim: Option<Spanned<String>>,
    pub(super) groups_claim: Option<String>,
    #[serde(default)]
    pub(super) create_people: bool,
    #[serde(default)]
    pub(super) redirect_urls: Vec<Spanned<String>>,
    pub(super) ca: Option<String>,
    pub(super) keys_refetch_s: Option<Spanned<u64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWebhook {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) template: RawTemplate,
    pub(super) url: Option<Spanned<String>>,
    pub(super) url_file: Option<Spanned<String>>,
    pub(super) url_env: Option<Spanned<String>>,
    pub(super) secret_file: Option<Spanned<String>>,
    pub(super) secret_env: Option<Spanned<String>>,
    pub(super) old_secret_file: Option<Spanned<String>>,
    pub(super) old_secret_env: Option<Spanned<String>>,
    pub(super) events: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) sample: Option<Spanned<u64>>,
    #[serde(default)]
    pub(super) allow_private: bool,
    pub(super) ca: Option<String>,
    pub(super) timeout_ms: Option<Spanned<u64>>,
    pub(super) attempts: Option<Spanned<u64>>,
    pub(super) retry_ms: Option<Spanned<u64>>,
    pub(super) retry_most_s: Option<Spanned<u64>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawTemplate {
    Pagerduty,
    #[default]
    Standard,
    Teams,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOnCall {
    pub(super) pagerduty: RawPagerduty,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPagerduty {
    pub(super) token_file: Option<Spanned<String>>,
    pub(super) token_env: Option<Spanned<String>>,
    pub(super) schedules: Spanned<BTreeMap<String, String>>,
    pub(super) url: Option<Spanned<String>>,
    pub(super) ca: Option<String>,
    #[serde(default)]
    pub(super) allow_private: bool,
    pub(super) cache_s: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    pub(super) statement_bytes: Option<Spanned<u64>>,
    pub(super) nesting: Option<Spanned<u64>>,
    pub(super) sessions: Option<Spanned<u64>>,
    pub(super) sessions_per_principal: Option<Spanned<u64>>,
    pub(super) login_timeout_ms: Option<Spanned<u64>>,
    pub(super) prepared_statements: Option<Spanned<u64>>,
    pub(super) prepared_bytes: Option<Spanned<u64>>,
    pub(super) message_bytes: Option<Spanned<u64>>,
    pub(super) facts_cache_bytes: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGrants {
    pub(super) announce_before_s: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawShutdown {
    pub(super) delay_s: Option<Spanned<u64>>,
    pub(super) drain_s: Option<Spanned<u64>>,
    #[serde(default)]
    pub(super) shares_ports: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLog {
    #[serde(default)]
    pub(super) format: LogFormat,
    #[serde(default)]
    pub(super) level: LogLevel,
}
