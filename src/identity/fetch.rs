//! Asking the provider: bounded in time and size, and sent to no other place than the one that was meant.

use std::{fs, time::Duration};

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{Certificate, Client, RequestBuilder, StatusCode, header::DATE, redirect};
use rustls::crypto::aws_lc_rs;

use super::error::IdentityError;
use crate::model::identity::ProviderSettings;

/// Asks a provider.
#[derive(Clone, Debug)]
pub(super) struct Fetch {
    client: Client,
}

impl Fetch {
    /// Reads the authorities; connects nowhere yet.
    ///
    /// # Errors
    /// `Setup`.
    pub(super) fn new(settings: &ProviderSettings) -> Result<Self, IdentityError> {
        // A second installation is refused, and that is no harm: the first one was the same.
        let _ = aws_lc_rs::default_provider().install_default();
        let mut builder = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .redirect(redirect::Policy::none())
            .pool_max_idle_per_host(2)
            .no_proxy();
        if let Some(ca) = &settings.ca {
            let pem = fs::read(ca).map_err(|source| IdentityError::Setup { source: source.into() })?;
            let roots = Certificate::from_pem_bundle(&pem)
                .map_err(|source| IdentityError::Setup { source: source.into() })?;
            builder = builder.tls_certs_only(roots);
        } else if settings.issuer.starts_with("http:") {
            // Loading the system's certificates would be work for nothing, and fails where there are none.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|source| IdentityError::Setup { source: source.into() })?;
        Ok(Self { client })
    }

    /// What is at `address`, and what time it is there, if that is told; in whole seconds.
    ///
    /// # Errors
    /// `Unreachable`, `Answer` when it is not there or too large.
    pub(super) async fn get_dated(
        &self,
        doing: &'static str,
        address: &str,
    ) -> Result<(Vec<u8>, Option<Timestamp>), IdentityError> {
        let Answered { status, date, body } = send(doing, self.client.get(address)).await?;
        match status {
            StatusCode::OK => Ok((body, date)),
            _ => Err(IdentityError::Answer { doing, problem: format!("status {}", status.as_u16()) }),
        }
    }

    /// The answer to a form; the client's `secret` goes into the header.
    ///
    /// # Errors
    /// `Unreachable`, `Answer` when it is too large.
    pub(super) async fn post(
        &self,
        doing: &'static str,
        address: &str,
        form: &[(&str, &str)],
        secret: Option<(&str, &str)>,
    ) -> Result<(StatusCode, Vec<u8>), IdentityError> {
        let mut request = self.client.post(address).form(form);
        if let Some((id, secret)) = secret {
            // RFC 6749, section 2.3.1: both are form-encoded first.
            request = request.basic_auth(form_encoded(id), Some(form_encoded(secret)));
        }
        let Answered { status, body, .. } = send(doing, request).await?;
        Ok((status, body))
    }
}

struct Answered {
    status: StatusCode,
    date: Option<Timestamp>,
    body: Vec<u8>,
}

async fn send(doing: &'static str, request: RequestBuilder) -> Result<Answered, IdentityError> {
    let request = request.header("accept", "application/json");
    let unreachable =
        |source: reqwest::Error| IdentityError::Unreachable { doing, source: source.without_url() };
    let mut response = request.send().await.map_err(unreachable)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(IdentityError::Answer { doing, problem: "it is too large".to_owned() });
        }
        body.extend_from_slice(&chunk);
    }
    let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(|date| rfc2822::parse(date).ok()).map(|date| date.timestamp());
    Ok(Answered { status: response.status(), date, body })
}

/// As `application/x-www-form-urlencoded` writes it.
fn form_encoded(text: &str) -> String {
    let mut url = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => url.push(char::from(byte)),
            b' ' => url.push('+'),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

const CONNECT: Duration = Duration::from_secs(3);
/// Less than a login may take, so that its client still hears the outcome.
const ANSWER: Duration = Duration::from_secs(4);
const MOST_BYTES: usize = 512 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_so_that_its_letters_stay_apart() {
        assert_eq!(form_encoded("a:b c/ü*"), "a%3Ab+c%2F%C3%BC*");
    }
}
