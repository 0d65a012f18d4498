//! A Kafka topic that audit records go to.

use serde_saphyr::Spanned;

use super::{
    check::{Place, line},
    error::{ConfigError, Problem},
    raw::{RawKafka, RawSasl, RawUpstreamTls},
    secrets::one_of,
    settings::{AuditSinkKind, SaslAccount, SaslMechanism, UpstreamTls},
    targets,
};

/// Checks and completes what is written of a topic.
pub(super) fn kafka(place: &mut Place<'_>, raw: &Spanned<RawKafka>) -> Result<AuditSinkKind, ConfigError> {
    let at = line(raw);
    let raw = &raw.value;
    if raw.brokers.is_empty() {
        return Err(place.at(at, "audit.sinks.kafka.brokers", Problem::Empty));
    }
    let endpoint = |broker| targets::endpoint(place, "audit.sinks.kafka.brokers", broker);
    let brokers = raw.brokers.iter().map(endpoint).collect::<Result<Vec<_>, _>>()?;
    if !is_topic(&raw.topic.value) {
        let problem = Problem::Topic { found: raw.topic.value.clone() };
        return Err(place.at(line(&raw.topic), "audit.sinks.kafka.topic", problem));
    }
    // Every broker shows a certificate of its own, so that there is no one name to write.
    let tls = RawUpstreamTls { mode: raw.tls.mode, ca: raw.tls.ca.clone(), server_name: None };
    let tls = targets::tls(place, &tls)?;
    let is_far = brokers.iter().any(|broker| !targets::is_local(broker));
    let account = raw.sasl.as_ref().map(|sasl| account(place, sasl)).transpose()?;
    if tls == UpstreamTls::Disable && is_far {
        if account.as_ref().is_some_and(|account| account.mechanism == SaslMechanism::Plain) {
            return Err(place.at(at, "audit.sinks.kafka.sasl.mechanism", Problem::PlainWithoutTls));
        }
        let warning = "audit.sinks.kafka.tls: brokers are reached without TLS: write mode: verify-full";
        place.warnings.push(format!("{}:{at}: {warning}", place.file.display()));
    }
    Ok(AuditSinkKind::Kafka { brokers, topic: raw.topic.value.clone(), tls, account })
}

fn account(place: &mut Place<'_>, raw: &Spanned<RawSasl>) -> Result<SaslAccount, ConfigError> {
    let RawSasl { mechanism, user, password_file, password_env } = &raw.value;
    if user.value.is_empty() {
        return Err(place.at(line(user), "audit.sinks.kafka.sasl.user", Problem::Empty));
    }
    let keys = &["password_file", "password_env"];
    let key = "audit.sinks.kafka.sasl.password";
    let password = one_of(place, line(raw), key, (password_file, password_env), keys)?;
    Ok(SaslAccount { mechanism: *mechanism, user: user.value.clone(), password })
}

/// Whether Kafka would take it as the name of a topic.
fn is_topic(name: &str) -> bool {
    let fine = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'_' | b'-');
    (1..=249).contains(&name.len()) && !matches!(name, "." | "..") && name.bytes().all(fine)
}
