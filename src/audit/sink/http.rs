//! Requests to receivers that speak HTTP: bounded in time, and to no other place than the one that was meant.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::{Certificate, Client, RequestBuilder, redirect};
use rustls::crypto::aws_lc_rs;

use super::error::SinkError;

/// A client that believes the authorities of `ca`, or those of the system.
pub(super) fn client(url: &str, ca: Option<&Path>) -> Result<Client, SinkError> {
    // A second installation is refused, and that is no harm: the first one was the same.
    let _ = aws_lc_rs::default_provider().install_default();
    let mut builder = Client::builder()
        .connect_timeout(CONNECT)
        .timeout(ANSWER)
        .redirect(redirect::Policy::none())
        .pool_max_idle_per_host(1)
        .no_proxy();
    if let Some(ca) = ca {
        let pem = fs::read(ca).map_err(|source| failed(source.into()))?;
        let roots = Certificate::from_pem_bundle(&pem).map_err(|source| failed(source.into()))?;
        builder = builder.tls_certs_only(roots);
    } else if url.starts_with("http:") {
        // Loading the system's certificates would be work for nothing, and fails where there are none.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|source| failed(source.into()))
}

/// Sends a request; the body of its answer if that was a success.
pub(super) async fn send(request: RequestBuilder) -> Result<Vec<u8>, SinkError> {
    let response = request.send().await.map_err(|source| failed(source.without_url().into()))?;
    let status = response.status();
    let body = response.bytes().await.map_err(|source| failed(source.without_url().into()))?;
    if status.is_success() {
        return Ok(body.to_vec());
    }
    let answer = String::from_utf8_lossy(body.get(..body.len().min(300)).unwrap_or_default()).into_owned();
    Err(SinkError::Refused { status: status.as_u16(), answer })
}

pub(super) fn failed(source: Box<dyn std::error::Error + Send + Sync>) -> SinkError {
    SinkError::Request { source }
}

/// Authorities of a receiver.
pub(super) type Ca = Option<PathBuf>;

const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);
