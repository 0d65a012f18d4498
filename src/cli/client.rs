//! Asking the gateway.

use std::{env, fs, net::IpAddr, time::Duration};

use anyhow::{Context, anyhow, bail};
use reqwest::{Certificate, Client, Method, RequestBuilder, Response, StatusCode, Url, redirect};
use rustls::crypto::aws_lc_rs;
use serde::{Serialize, de::DeserializeOwned};

use super::args::Connection;
use crate::{api::bodies::ProblemBody, model::secret::Secret};

/// A gateway's API, and the key for it.
pub(super) struct Api {
    client: Client,
    base: Url,
    key: Option<Secret<String>>,
}

impl Api {
    /// Reads key and certificates; connects nowhere yet.
    pub(super) fn new(connection: &Connection) -> anyhow::Result<Self> {
        Self::with(connection, Some(key(connection)?))
    }

    /// The same without a key, for whoever wants to get one.
    pub(super) fn without_key(connection: &Connection) -> anyhow::Result<Self> {
        Self::with(connection, None)
    }

    fn with(connection: &Connection, key: Option<Secret<String>>) -> anyhow::Result<Self> {
        let base = Url::parse(&connection.api).ok().filter(|base| base.has_host());
        let base = base.with_context(|| {
            format!("\"{}\" is no address: write for example https://gate.example:6480", connection.api)
        })?;
        match base.scheme() {
            "https" => {}
            "http" if is_loopback(&base) => {}
            "http" => bail!(
                "{base} is plain text and not on this machine, and the service key would be readable on its way: \
                 use https"
            ),
            other => bail!("{other}: use https, or http on this machine"),
        }
        // A second installation is refused, and that is no harm: the first one was ours.
        let _ = aws_lc_rs::default_provider().install_default();
        let mut builder = Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            // The key goes to this address and to no other.
            .redirect(redirect::Policy::none())
            .no_proxy();
        if let Some(ca) = &connection.ca {
            let pem = fs::read(ca).with_context(|| format!("could not read {}", ca.display()))?;
            let roots = Certificate::from_pem_bundle(&pem)
                .with_context(|| format!("{} holds no certificates in PEM form", ca.display()))?;
            if roots.is_empty() {
                bail!("{} holds no certificates in PEM form", ca.display());
            }
            builder = builder.tls_certs_only(roots);
        } else if base.scheme() == "http" {
            // Loading the system's certificates would be work for nothing, and fails where there are none.
            builder = builder.tls_certs_only([]);
        }
        Ok(Self { client: builder.build().context("could not set up TLS")?, base, key })
    }

    pub(super) async fn get<A: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
    ) -> anyhow::Result<A> {
        let request = self.request(Method::GET, path)?.query(query);
        self.answer(request).await
    }

    pub(super) async fn send<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: &impl Serialize,
    ) -> anyhow::Result<A> {
        let request = self.request(method, path)?.json(body);
        self.answer(request).await
    }

    /// The same, which may be repeated under this name without being done twice.
    pub(super) async fn send_once<A: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
        name: Option<&str>,
    ) -> anyhow::Result<A> {
        let mut request = self.request(Method::POST, path)?.json(body);
        if let Some(name) = name {
            request = request.header("idempotency-key", name);
        }
        self.answer(request).await
    }

    /// A request without a body.
    pub(super) async fn call<A: DeserializeOwned>(&self, method: Method, path: &[&str]) -> anyhow::Result<A> {
        let request = self.request(method, path)?;
        self.answer(request).await
    }

    /// Opens an answer that goes on for as long as there is something to tell.
    pub(super) async fn open(&self, path: &[&str], query: &impl Serialize) -> anyhow::Result<Response> {
        let request = self.request(Method::GET, path)?.query(query).timeout(A_LONG_TIME);
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        Err(self.failed(status, &body))
    }

    /// The same as [`Self::send`], with and for a cookie: gives that of the answer, too.
    pub(super) async fn send_with_cookie<A: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
        cookie: Option<&Secret<String>>,
    ) -> anyhow::Result<(A, Option<Secret<String>>)> {
        let mut request = self.request(Method::POST, path)?.json(body);
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie.expose());
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let set = response.headers().get("set-cookie").and_then(|value| value.to_str().ok());
        let kept = set.and_then(|set| set.split(';').next()).map(|pair| Secret::new(pair.to_owned()));
        Ok((self.read(response).await?, kept))
    }

    fn request(&self, method: Method, path: &[&str]) -> anyhow::Result<RequestBuilder> {
        let mut url = self.base.clone();
        // Segments are escaped one by one: a name with a slash stays a name.
        url.path_segments_mut()
            .map_err(|()| anyhow!("{} is no address of an API", self.base))?
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(path);
        let request = self.client.request(method, url);
        Ok(match &self.key {
            Some(key) => request.bearer_auth(key.expose()),
            None => request,
        })
    }

    async fn answer<A: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<A> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        self.read(response).await
    }

    async fn read<A: DeserializeOwned>(&self, response: Response) -> anyhow::Result<A> {
        let status = response.status();
        let body = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            let body = if body.is_empty() { b"null".as_slice() } else { &body };
            return serde_json::from_slice(body)
                .with_context(|| format!("{} answers what this version does not understand", self.base));
        }
        Err(self.failed(status, &body))
    }

    fn failed(&self, status: StatusCode, body: &[u8]) -> anyhow::Error {
        match serde_json::from_slice::<ProblemBody>(body) {
            Ok(problem) => told(status, &problem),
            Err(_) => {
                anyhow!("{} answers {status}, but not as a tidegate does: look at TIDEGATE_API", self.base)
            }
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let mut cause: &dyn std::error::Error = error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        anyhow!(
            "could not reach the gateway's API at {}: {cause}\n\
             Is `tidegate serve` running? Set TIDEGATE_API (or --api) to its address, TIDEGATE_CA (or --ca) to the \
             certificates of a private CA.",
            self.base
        )
    }
}

fn told(status: StatusCode, problem: &ProblemBody) -> anyhow::Error {
    let field = problem.field.as_ref().map(|field| format!(" (field {field})")).unwrap_or_default();
    let hint = match status {
        StatusCode::UNAUTHORIZED if !matches!(problem.code.as_str(), "wrong_password" | "wrong_token") => {
            "\nThe key in TIDEGATE_KEY or TIDEGATE_KEY_FILE is not this gateway's, or is over."
        }
        status if status.is_server_error() => "\nThe gateway's log says more.",
        _ => "",
    };
    let ProblemBody { detail, code, request_id, .. } = problem;
    let detail = super::output::clean(detail);
    anyhow!("{detail}{field} [{code}, request {request_id}]{hint}")
}

fn key(connection: &Connection) -> anyhow::Result<Secret<String>> {
    if let Ok(key) = env::var("TIDEGATE_KEY")
        && !key.trim().is_empty()
    {
        return one_line(&key, "TIDEGATE_KEY");
    }
    let file = connection.key_file.as_ref().context(
        "no service key: set TIDEGATE_KEY_FILE (or --key-file) to a file that holds one, or TIDEGATE_KEY to the key.\n\
         The first start of `tidegate serve` writes an administrator's to admin.key in its data_dir.",
    )?;
    let text = fs::read_to_string(file).map(Secret::new);
    let text = text.with_context(|| format!("could not read the service key in {}", file.display()))?;
    one_line(text.expose(), &file.display().to_string())
}

fn one_line(key: &str, place: &str) -> anyhow::Result<Secret<String>> {
    let key = key.trim();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("{place} holds no service key: one looks like tgk_… and is one line");
    }
    Ok(Secret::new(key.to_owned()))
}

fn is_loopback(base: &Url) -> bool {
    let host = base.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

const TIMEOUT: Duration = Duration::from_secs(35);
const A_LONG_TIME: Duration = Duration::from_secs(366 * 24 * 3600);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_in_plain_text() {
        for (url, own) in [
            ("http://127.0.0.1:6480", true),
            ("http://127.3.2.1", true),
            ("http://[::1]:6480", true),
            ("http://localhost:6480", true),
            ("http://10.0.0.1", false),
            ("http://127.0.0.1.example.com", false),
            ("http://localhost.example.com", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), own, "{url}");
        }
    }
}
