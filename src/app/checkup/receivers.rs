//! Where the audit log and traces are sent. Nothing is sent there.

use reqwest::Url;

use super::{aws, finding::Finding, reach};
use crate::{
    config::{AuditSinkKind, Config, Endpoint, Otlp, UpstreamTls},
    net::Roots,
};

pub(super) async fn check(config: &Config, tell: &mut (dyn FnMut(Finding) + Send)) {
    for sink in &config.audit.sinks {
        let check = format!("audit sink {}", sink.name);
        match &sink.kind {
            AuditSinkKind::Otlp(otlp) => receiver(&check, otlp, tell).await,
            AuditSinkKind::S3 { bucket, region, endpoint, ca, profile, role_arn, .. } => {
                tell(aws::credentials(&check, (region, profile.as_deref(), role_arn.as_deref())).await);
                let amazons = format!("https://{bucket}.s3.{region}.amazonaws.com");
                let roots = ca.clone().map_or(Roots::System, Roots::File);
                address(&check, endpoint.as_deref().unwrap_or(&amazons), &roots, tell).await;
            }
            AuditSinkKind::Stdout => tell(Finding::ok(check, "records go to standard output")),
            AuditSinkKind::Kafka { brokers, tls, .. } => {
                for broker in brokers {
                    server(&check, broker, tls, tell).await;
                }
            }
            AuditSinkKind::Syslog { endpoint, tls } => server(&check, endpoint, tls, tell).await,
        }
    }
    if let Some(traces) = &config.traces {
        receiver("traces", &traces.otlp, tell).await;
    }
}

async fn server(check: &str, endpoint: &Endpoint, tls: &UpstreamTls, tell: &mut (dyn FnMut(Finding) + Send)) {
    let stream = reach::named(check, &endpoint.host, endpoint.port, tell).await;
    if let (Some(stream), UpstreamTls::VerifyFull { ca, server_name }) = (stream, tls) {
        let roots = ca.clone().map_or(Roots::System, Roots::File);
        let name = server_name.as_deref().unwrap_or(&endpoint.host);
        tell(reach::tls(check, stream, &roots, name).await);
    }
}

async fn receiver(check: &str, otlp: &Otlp, tell: &mut (dyn FnMut(Finding) + Send)) {
    let roots = otlp.ca.clone().map_or(Roots::System, Roots::File);
    address(check, &otlp.url, &roots, tell).await;
}

async fn address(check: &str, url: &str, roots: &Roots, tell: &mut (dyn FnMut(Finding) + Send)) {
    let parts = Url::parse(url).ok();
    let parts = parts.as_ref().and_then(|url| Some((url.host_str()?, url.port_or_known_default()?, url)));
    let Some((host, port, url)) = parts else {
        return tell(Finding::failed(
            check,
            "its address names no host",
            "write it as https://host:port/path",
        ));
    };
    let Some(stream) = reach::named(check, host.trim_matches(['[', ']']), port, tell).await else { return };
    if url.scheme() == "https" {
        tell(reach::tls(check, stream, roots, host).await);
    }
}
