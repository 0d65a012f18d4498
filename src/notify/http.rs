//! Calls to addresses that somebody configured: bounded in time and size, led nowhere else by the answer, and to no
//! machine that the configuration did not allow.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::{
    Certificate, Client, Method, Response, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    redirect,
};
use rustls::crypto::aws_lc_rs;

use super::{
    address::{Standing, standing},
    error::NotifyError,
};
use crate::model::webhook::WebhookSettings;

/// Which machines may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of the public network, of private ones, and this one.
    Private,
    /// Those of the public network.
    Public,
}

/// How calls are made.
#[derive(Clone, Debug)]
pub struct OutgoingSettings {
    /// Authorities (PEM) of certificates; without them the system's.
    pub ca: Option<PathBuf>,
    /// Which machines may be called.
    pub reach: Reach,
    /// How long a call may take in all.
    pub timeout: Duration,
    /// So much of an answer is read.
    pub answer_bytes: usize,
}

/// Makes calls; cheap to clone.
#[derive(Clone, Debug)]
pub struct Outgoing {
    client: Client,
    reach: Reach,
    answer_bytes: usize,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// How long the other side wants to be left alone.
    pub retry_after: Option<Duration>,
    /// What it says, cut off where it is longer than what is read.
    pub body: Vec<u8>,
    /// What it says beside that.
    pub headers: HeaderMap,
}

impl Outgoing {
    /// Reads the authorities; connects nowhere yet.
    ///
    /// # Errors
    /// `Setup`.
    pub fn new(settings: &OutgoingSettings) -> Result<Self, NotifyError> {
        // A second installation is refused, and that is no harm: the first one was the same.
        let _ = aws_lc_rs::default_provider().install_default();
        let mut builder = Client::builder()
            .connect_timeout(settings.timeout.min(CONNECT))
            .timeout(settings.timeout)
            .redirect(redirect::Policy::none())
            .referer(false)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")))
            // A proxy of the environment would be asked for names that have to be checked here.
            .no_proxy()
            .dns_resolver(Arc::new(Checked(settings.reach)));
        if let Some(ca) = &settings.ca {
            let pem = fs::read(ca).map_err(|source| NotifyError::Setup { source: source.into() })?;
            let roots = Certificate::from_pem_bundle(&pem)
                .map_err(|source| NotifyError::Setup { source: source.into() })?;
            builder = builder.tls_certs_only(roots);
        }
        let client = builder.build().map_err(|source| NotifyError::Setup { source: source.into() })?;
        Ok(Self { client, reach: settings.reach, answer_bytes: settings.answer_bytes })
    }

    /// What is answered at `address`; an answer of any status is one, also a redirect, which is not followed.
    ///
    /// # Errors
    /// `Address` when it is none, or none that may be called; `Unreachable`.
    pub async fn get(&self, address: &str, headers: &[(&str, &str)]) -> Result<Answer, NotifyError> {
        self.call(Method::GET, address, headers, None).await
    }

    /// What is answered at `address` to `body` of the type `content_type`; as [`Outgoing::get`] otherwise.
    ///
    /// # Errors
    /// As there.
    pub async fn post(
        &self,
        address: &str,
        headers: &[(&str, &str)],
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Answer, NotifyError> {
        self.call(Method::POST, address, headers, Some((content_type, body))).await
    }

    async fn call(
        &self,
        method: Method,
        address: &str,
        headers: &[(&str, &str)],
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Answer, NotifyError> {
        let url = allowed(address, self.reach)?;
        let mut request = self.client.request(method, url);
        for (name, value) in headers {
            let (Ok(name), Ok(mut value)) = (HeaderName::try_from(*name), HeaderValue::try_from(*value))
            else {
                return Err(NotifyError::Address { problem: "a header that goes with it is none" });
            };
            // Signatures and keys are among them.
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        if let Some((content_type, body)) = body {
            request = request.header(CONTENT_TYPE, content_type).body(body);
        }
        let unreachable = |source: reqwest::Error| NotifyError::Unreachable { source: source.without_url() };
        let mut response = request.send().await.map_err(unreachable)?;
        let (status, retry_after) = (response.status().as_u16(), retry_after(&response));
        let headers = std::mem::take(response.headers_mut());
        let mut body = Vec::new();
        while body.len() < self.answer_bytes
            && let Some(chunk) = response.chunk().await.map_err(unreachable)?
        {
            let room = self.answer_bytes - body.len();
            body.extend(chunk.into_iter().take(room));
        }
        Ok(Answer { status, retry_after, body, headers })
    }
}

/// The address, if it is one of HTTP, and not itself a number of a machine that may not be called. Names are checked when
/// they are resolved.
///
/// # Errors
/// `Address`.
pub(super) fn allowed(address: &str, reach: Reach) -> Result<Url, NotifyError> {
    let refused = |problem| NotifyError::Address { problem };
    let url = Url::parse(address).map_err(|_| refused("it is none"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("it is not one of http or https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("it has a name or a password in it"));
    }
    let host = url.host_str().ok_or_else(|| refused("it names no host"))?;
    let number = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(ip) = number.parse::<IpAddr>() {
        reach.check(ip).map_err(refused)?;
    }
    Ok(url)
}

impl Reach {
    fn check(self, ip: IpAddr) -> Result<(), &'static str> {
        match (standing(ip), self) {
            (Standing::Public, _) | (Standing::Private, Self::Private) => Ok(()),
            (Standing::Private, Self::Public) => Err("it is on a private network"),
            (Standing::Never, _) => Err("it is of no machine that calls are meant for"),
        }
    }

    /// What a name stands for: an error of the look-up, or of the check.
    async fn resolve(self, name: &str, port: u16) -> io::Result<Result<Vec<SocketAddr>, NotifyError>> {
        let found: Vec<SocketAddr> = tokio::net::lookup_host((name, port)).await?.collect();
        // closed: one address that is not allowed is enough
        let checked = found.iter().try_for_each(|address| self.check(address.ip()));
        Ok(checked.map(|()| found).map_err(|problem| NotifyError::Address { problem }))
    }
}

/// Where a webhook is.
#[derive(Clone, Debug)]
pub struct Located {
    /// Its host.
    pub host: String,
    /// Whether it is spoken to over TLS.
    pub tls: bool,
    /// What its name stands for; each of them may be called.
    pub addresses: Vec<SocketAddr>,
}

/// Checks and resolves the address of a webhook as a delivery would; connects nowhere.
///
/// # Errors
/// `Address`, `Unresolved`.
pub async fn locate(webhook: &WebhookSettings) -> Result<Located, NotifyError> {
    let reach = if webhook.allow_private { Reach::Private } else { Reach::Public };
    let url = allowed(webhook.url.expose(), reach)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or_default();
    let name = host.trim_matches(['[', ']']);
    let addresses =
        reach.resolve(name, port).await.map_err(|source| NotifyError::Unresolved { source })??;
    Ok(Located { tls: url.scheme() == "https", host, addresses })
}

/// Resolves names and gives out what was checked: what is then connected to is exactly that, however a name changes.
#[derive(Debug)]
struct Checked(Reach);

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = reach.resolve(name.as_str(), 0).await??;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Source: RFC 9110, section 10.2.3.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    wait_in(text, Timestamp::now())
}

fn wait_in(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::parse(text).ok()?.timestamp();
    Some(at.duration_since(now).try_into().unwrap_or_default())
}

const CONNECT: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_to_machines_that_are_allowed() {
        for address in ["https://hooks.example/a?b", "http://8.8.8.8:81/", "https://[2606:4700::1]/"] {
            assert!(allowed(address, Reach::Public).is_ok(), "{address}");
        }
        for address in
            ["http://127.0.0.1:8080/", "http://10.1.2.3/", "http://[::1]/", "http://[::ffff:10.0.0.1]/"]
        {
            assert!(allowed(address, Reach::Public).is_err(), "{address}");
            assert!(allowed(address, Reach::Private).is_ok(), "{address}");
        }
        for address in [
            "",
            "hooks.example",
            "ftp://hooks.example/",
            "file:///etc/passwd",
            "gopher://hooks.example/",
            "https://user:secret@hooks.example/",
            "https://",
            "http://169.254.169.254/latest/meta-data/",
            "http://[fe80::1]/",
            "http://0.0.0.0/",
            "http://0/",
            "http://[::ffff:169.254.169.254]/",
        ] {
            for reach in [Reach::Private, Reach::Public] {
                assert!(allowed(address, reach).is_err(), "{address}");
            }
        }
        // Other spellings of 127.0.0.1.
        for address in [
            "http://2130706433/",
            "http://0x7f.1/",
            "http://017700000001/",
            "http://127.1/",
            "http://①27.0.0.1/",
        ] {
            assert!(allowed(address, Reach::Public).is_err(), "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_of_a_machine_that_is_not_allowed_is_not_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let timeout = Duration::from_secs(10);
        let settings = OutgoingSettings { ca: None, reach: Reach::Public, timeout, answer_bytes: 1 };
        let outgoing = Outgoing::new(&settings).unwrap();
        let error = outgoing.get(&address, &[]).await.unwrap_err();
        assert!(error.in_words().contains("it is on a private network"), "{}", error.in_words());
        let nobody = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await;
        assert!(nobody.is_err());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        assert_eq!(wait_in("120", now), Some(Duration::from_secs(120)));
        assert_eq!(wait_in("Sat, 21 Nov 2026 12:01:30 GMT", now), Some(Duration::from_secs(90)));
        assert_eq!(wait_in("Sat, 21 Nov 2026 11:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(wait_in("soon", now), None);
    }
}
