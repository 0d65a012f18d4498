//! What is made of the audit log while it is written: files that follow each other, an index, checkpoints.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::error::AppError;
use crate::{
    audit::{
        AuditError, CheckpointKey, Checkpoints, Kafka, KafkaAccount, KafkaMechanism, KafkaSettings, Otlp,
        Rotation, S3, S3Settings, Sink, SinkError, SinkParts, Syslog, SyslogSettings, Texts, Trail, beside,
        checkpoints_of, cursor_of,
    },
    config::{self, AuditSinkKind, AuditText, Config, SaslAccount, SaslMechanism, UpstreamTls},
    metrics::Metrics,
    model::ids::GatewayName,
    net::{ClientTls, NetError, Roots},
    session::Gate,
    telemetry::OtlpSettings,
    upstream::iam::{ChainSettings, SharedCredentialsProvider, StandardChain},
};

/// When the log goes on in a new file, and how long the full ones are kept.
pub(super) fn rotation(audit: &config::Audit) -> Rotation {
    Rotation {
        bytes: audit.rotate_bytes,
        after: audit.rotate_after,
        keep_for: audit.keep_for,
        keep_bytes: audit.keep_bytes,
        readers: audit.sinks.iter().map(|sink| cursor_of(&audit.path, &sink.name)).collect(),
        wait_bytes: audit.wait_bytes,
    }
}

/// Opens the index of the log and keeps it up to date; without one, the log is written all the same.
pub(super) async fn index(audit: &config::Audit, tasks: &mut JoinSet<()>) -> Option<Trail> {
    if !audit.index {
        return None;
    }
    match Trail::open(&audit.path, &beside(&audit.path, "index")).await {
        Ok(trail) => {
            let kept = trail.clone();
            tasks.spawn(async move { kept.keep_up().await });
            Some(trail)
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the audit log cannot be searched");
            None
        }
    }
}

/// What records are to keep of texts.
pub(super) fn texts(audit: &config::Audit) -> Result<Texts, AuditError> {
    let is_full = |text: AuditText| match text {
        AuditText::Fingerprint => false,
        AuditText::Full => true,
    };
    let by_target = audit.text_by_target.iter().map(|(name, text)| (name.clone(), is_full(*text)));
    Texts::open(&beside(&audit.path, "text.key"), is_full(audit.text), by_target.collect())
}

/// Sets up the sinks; connects nowhere yet.
pub(super) fn sinks(config: &Config) -> Result<Vec<(String, Sink)>, AppError> {
    let sink = |sink: &config::AuditSink| {
        let failed = |source| AppError::Sink { name: sink.name.clone(), source };
        Ok((sink.name.clone(), self::sink(&config.name, &sink.kind).map_err(failed)?))
    };
    config.audit.sinks.iter().map(sink).collect()
}

/// A receiver of OpenTelemetry's protocol.
pub(super) fn receiver(gateway: &GatewayName, otlp: &config::Otlp) -> OtlpSettings {
    let config::Otlp { url, ca, token } = otlp.clone();
    OtlpSettings { url, ca, token, gateway: gateway.to_string() }
}

fn sink(gateway: &GatewayName, kind: &AuditSinkKind) -> Result<Sink, SinkError> {
    Ok(match kind {
        AuditSinkKind::Kafka { brokers, topic, tls, account } => {
            // The name of each broker takes the place of this one when it is connected to.
            let host = brokers.first().map_or("localhost", |broker| broker.host.as_str());
            Sink::Kafka(Kafka::new(KafkaSettings {
                brokers: brokers.iter().map(ToString::to_string).collect(),
                topic: topic.clone(),
                tls: client_tls(tls, host)?,
                account: account.as_ref().map(kafka_account),
                gateway: gateway.to_string(),
            }))
        }
        AuditSinkKind::Otlp(otlp) => Sink::Otlp(Otlp::new(receiver(gateway, otlp))?),
        AuditSinkKind::S3 { bucket, prefix, region, endpoint, ca, profile, role_arn, every } => {
            let chain = StandardChain::new(ChainSettings {
                region: region.clone(),
                profile: profile.clone(),
                role_arn: role_arn.clone(),
            });
            Sink::S3(S3::new(S3Settings {
                bucket: bucket.clone(),
                prefix: prefix.clone(),
                region: region.clone(),
                endpoint: endpoint.clone(),
                ca: ca.clone(),
                gateway: gateway.to_string(),
                credentials: SharedCredentialsProvider::new(chain),
                pace: *every,
            })?)
        }
        AuditSinkKind::Stdout => Sink::Stdout,
        AuditSinkKind::Syslog { endpoint, tls } => Sink::Syslog(Syslog::new(SyslogSettings {
            endpoint: endpoint.to_string(),
            tls: client_tls(tls, &endpoint.host)?,
            host: gateway.to_string(),
        })),
    })
}

/// TLS to a server at `host`, unless its certificate is to carry another name.
fn client_tls(tls: &UpstreamTls, host: &str) -> Result<Option<ClientTls>, NetError> {
    match tls {
        UpstreamTls::Disable => Ok(None),
        UpstreamTls::VerifyFull { ca, server_name } => {
            let roots = ca.clone().map_or(Roots::System, Roots::File);
            ClientTls::open(&roots, server_name.as_deref().unwrap_or(host)).map(Some)
        }
    }
}

fn kafka_account(account: &SaslAccount) -> KafkaAccount {
    KafkaAccount {
        mechanism: match account.mechanism {
            SaslMechanism::Plain => KafkaMechanism::Plain,
            SaslMechanism::ScramSha256 => KafkaMechanism::ScramSha256,
            SaslMechanism::ScramSha512 => KafkaMechanism::ScramSha512,
        },
        user: account.user.clone(),
        password: account.password.clone(),
    }
}

/// Sends what is written to the sinks.
pub(super) fn send(
    sinks: Vec<(String, Sink)>,
    audit: &config::Audit,
    metrics: &Metrics,
    tasks: &mut JoinSet<()>,
) {
    for (name, sink) in sinks {
        let parts = SinkParts { name, log: audit.path.clone(), metrics: metrics.audit.clone() };
        tasks.spawn(sink.run(parts));
    }
}

/// The key that signs checkpoints, if they are wanted.
pub(super) fn checkpoint_key(audit: &config::Audit) -> Result<Option<CheckpointKey>, AuditError> {
    audit.checkpoints.as_ref().map(|checkpoints| CheckpointKey::open(&checkpoints.key)).transpose()
}

/// Signs checkpoints from time to time.
pub(super) fn sign(
    audit: &config::Audit,
    key: Option<CheckpointKey>,
    gate: &Gate,
    tasks: &mut JoinSet<()>,
) -> Option<Arc<Checkpoints>> {
    let (key, wanted) = key.zip(audit.checkpoints.as_ref())?;
    tracing::info!(key = key.id(), "the audit log's checkpoints are signed");
    let to = [checkpoints_of(&audit.path)].into_iter().chain(wanted.also.clone()).collect();
    let checkpoints = Arc::new(Checkpoints {
        key,
        log: audit.path.clone(),
        to,
        every: wanted.every,
        clock: gate.clock.clone(),
        metrics: gate.metrics.audit.clone(),
    });
    tasks.spawn(Arc::clone(&checkpoints).run(gate.audit.clone()));
    Some(checkpoints)
}
