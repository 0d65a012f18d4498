//! Where audit records go besides the log.

use std::time::Duration;

use serde_saphyr::Spanned;

use super::{
    audit_kafka::kafka,
    check::{Place, line},
    error::{ConfigError, Problem},
    limits::bounded,
    oidc::is_address,
    raw::{RawOtlp, RawS3, RawSink, RawSyslog},
    secrets::{from_environment, from_file},
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
            (None, Some(it), None, false, None) => otlp(place, &it.value)?,
            (None, None, Some(it), false, None) => s3(place, &it.value)?,
            (None, None, None, true, None) => AuditSinkKind::Stdout,
            (None, None, None, false, Some(it)) => syslog(place, &it.value)?,
            _ => return Err(place.at(line(written), "audit.sinks", Problem::SinkKind)),
        };
        sinks.push(AuditSink { name, kind });
    }
    Ok(sinks)
}

fn otlp(place: &mut Place<'_>, raw: &RawOtlp) -> Result<AuditSinkKind, ConfigError> {
    let url = address(place, "audit.sinks.otlp.url", &raw.url)?;
    let token = match (&raw.token_file, &raw.token_env) {
        (None, None) => None,
        (Some(file), None) => Some(from_file(place, TOKEN, file)?),
        (None, Some(variable)) => Some(from_environment(place, TOKEN, variable)?),
        (Some(_), Some(variable)) => {
            return Err(place.at(line(variable), &format!("{TOKEN}_env"), Problem::Twice));
        }
    };
    Ok(AuditSinkKind::Otlp { url, ca: raw.ca.as_ref().map(|ca| place.beside(ca)), token })
}

fn s3(place: &Place<'_>, raw: &RawS3) -> Result<AuditSinkKind, ConfigError> {
    for (key, value) in [("audit.sinks.s3.bucket", &raw.bucket), ("audit.sinks.s3.region", &raw.region)] {
        if value.value.is_empty() {
            return Err(place.at(line(value), key, Problem::Empty));
        }
    }
    let endpoint =
        raw.endpoint.as_ref().map(|it| address(place, "audit.sinks.s3.endpoint", it)).transpose()?;
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

fn address(place: &Place<'_>, key: &str, written: &Spanned<String>) -> Result<String, ConfigError> {
    if is_address(&written.value) && written.value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(written.value.clone());
    }
    Err(place.at(line(written), key, Problem::Url { found: written.value.clone() }))
}

const TOKEN: &str = "audit.sinks.otlp.token";
