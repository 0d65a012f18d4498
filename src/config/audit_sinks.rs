//! Where audit records go besides the log.

use std::time::Duration;

use serde_saphyr::Spanned;

use super::{
    audit_kafka::kafka,
    check::{Place, line},
    error::{ConfigError, Problem},
    limits::bounded,
    otlp,
    raw::{RawS3, RawSink, RawSyslog},
    settings::{AuditSink, AuditSinkKind, UpstreamTls},
    targets,
};

/// Checks and completes what is written of the sinks.
pub(super) fn read(place: &mut Place<'_>, raw: &[Spanned<RawSink>]) -> Result<Vec<AuditSink>, ConfigError> {
    let mut sinks: Vec<AuditSink> = Vec::new();
    for written in raw {
        let sink = &written.value;
        let name = targets::name(place, "audit.sinks.name", &sink.name)?.to_owned();
        if sinks.iter().any(|other| other.name == name) {
            return Err(place.at(line(&sink.name), "audit.sinks.name", Problem::Twice));
        }
        let kind = match (&sink.kafka, &sink.otlp, &sink.s3, sink.stdout, &sink.syslog) {
            (Some(it), None, None, false, None) => kafka(place, it)?,
            (None, Some(it), None, false, None) => {
                AuditSinkKind::Otlp(otlp::read(place, "audit.sinks.otlp", &it.value)?)
            }
            (None, None, Some(it), false, None) => s3(place, &it.value)?,
            (None, None, None, true, None) => AuditSinkKind::Stdout,
            (None, None, None, false, Some(it)) => syslog(place, &it.value)?,
            _ => return Err(place.at(line(written), "audit.sinks", Problem::SinkKind)),
        };
        sinks.push(AuditSink { name, kind });
    }
    Ok(sinks)
}

fn s3(place: &Place<'_>, raw: &RawS3) -> Result<AuditSinkKind, ConfigError> {
    for (key, value) in [("audit.sinks.s3.bucket", &raw.bucket), ("audit.sinks.s3.region", &raw.region)] {
        if value.value.is_empty() {
            return Err(place.at(line(value), key, Problem::Empty));
        }
    }
    let endpoint =
        raw.endpoint.as_ref().map(|it| otlp::address(place, "audit.sinks.s3.endpoint", it)).transpose()?;
    let every = bounded(place, "audit.sinks.s3.every_s", raw.every_s.as_ref(), 60, 1, 3600)?;
    Ok(AuditSinkKind::S3 {
        bucket: raw.bucket.value.clone(),
        prefix: raw.prefix.clone(),
        region: raw.region.value.clone(),
        endpoint,
        ca: raw.ca.as_ref().map(|ca| place.beside(ca)),
        profile: raw.profile.clone(),
        role_arn: raw.role_arn.clone(),
        every: Duration::from_secs(every),
    })
}

fn syslog(place: &mut Place<'_>, raw: &RawSyslog) -> Result<AuditSinkKind, ConfigError> {
    let endpoint = targets::endpoint(place, "audit.sinks.syslog.endpoint", &raw.endpoint)?;
    let tls = targets::tls(place, &raw.tls)?;
    if tls == UpstreamTls::Disable && !targets::is_local(&endpoint) {
        place.warnings.push(format!(
            "{}:{}: audit.sinks.syslog.tls: \"{endpoint}\" is reached without TLS: write mode: verify-full",
            place.file.display(),
            line(&raw.endpoint)
        ));
    }
    Ok(AuditSinkKind::Syslog { endpoint, tls })
}
