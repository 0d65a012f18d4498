//! Requests to receivers that speak HTTP: bounded in time, and to no other place than the one that was meant.

use std::{error::Error, fs, path::Path, time::Duration};

use reqwest::{Certificate, Client, RequestBuilder, redirect};
use rustls::crypto::aws_lc_rs;

use super::error::NetError;

/// A client that believes the authorities of `ca` (PEM), or those of the system; connects nowhere yet.
///
/// # Errors
/// `Unreadable`, `Request`.
pub fn http_client(url: &str, ca: Option<&Path>) -> Result<Client, NetError> {
    // A second installation is refused, and that is no harm: the first one was the same.
    let _ = aws_lc_rs::default_provider().install_default();
    let mut builder = Client::builder()
        .connect_timeout(CONNECT)
        .timeout(ANSWER)
        .redirect(redirect::Policy::none())
        .pool_max_idle_per_host(1)
        .no_proxy();
    if let Some(ca) = ca {
        let pem = fs::read(ca).map_err(|source| NetError::Unreadable { path: ca.to_owned(), source })?;
        let roots = Certificate::from_pem_bundle(&pem).map_err(failed)?;
        builder = builder.tls_certs_only(roots);
    } else if url.starts_with("http:") {
        // Loading the system's certificates would be work for nothing, and fails where there are none.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(failed)
}

/// Sends a request; the body of its answer if that was a success.
///
/// # Errors
/// `Request`, `Refused`.
pub async fn http_send(request: RequestBuilder) -> Result<Vec<u8>, NetError> {
    let response = request.send().await.map_err(|source| failed(source.without_url()))?;
    let status = response.status();
    let body = response.bytes().await.map_err(|source| failed(source.without_url()))?;
    if status.is_success() {
        return Ok(body.to_vec());
    }
    let answer = String::from_utf8_lossy(body.get(..body.len().min(300)).unwrap_or_default()).into_owned();
    Err(NetError::Refused { status: status.as_u16(), answer })
}

fn failed(source: impl Error + Send + Sync + 'static) -> NetError {
    NetError::Request { source: source.into() }
}

const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);
