//! Whether something can be reached: its name, its address, its certificate.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::finding::Finding;
use crate::{
    net::{ClientTls, Roots},
    upstream::causes,
};

/// Looks up a name and connects; `None` was told.
pub(super) async fn named(
    check: &str,
    host: &str,
    port: u16,
    tell: &mut (dyn FnMut(Finding) + Send),
) -> Option<TcpStream> {
    let addresses: Vec<_> = match timeout(PATIENCE, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            let advice = "correct the host, or the DNS of this machine";
            tell(Finding::failed(format!("{check} dns"), format!("{host}: {error}"), advice));
            return None;
        }
        Err(_) => {
            let found = format!("{host} is not found within {} s", PATIENCE.as_secs());
            tell(Finding::failed(format!("{check} dns"), found, "look at the DNS of this machine"));
            return None;
        }
    };
    located(check, host, &addresses, tell).await
}

/// Connects to what a name stands for; `None` was told.
pub(super) async fn located(
    check: &str,
    host: &str,
    addresses: &[SocketAddr],
    tell: &mut (dyn FnMut(Finding) + Send),
) -> Option<TcpStream> {
    let listed: Vec<_> = addresses.iter().map(|it| it.ip().to_string()).collect();
    tell(Finding::ok(format!("{check} dns"), format!("{host} is {}", listed.join(", "))));
    let check = format!("{check} tcp");
    let port = addresses.first().map_or(0, SocketAddr::port);
    let began = Instant::now();
    let failure = match timeout(PATIENCE, TcpStream::connect(addresses)).await {
        Ok(Ok(stream)) => {
            let took = began.elapsed().as_secs_f64() * 1000.0;
            tell(Finding::ok(check, format!("{host}:{port} answers in {took:.1} ms")));
            return Some(stream);
        }
        Ok(Err(error)) => format!("{host}:{port}: {error}"),
        Err(_) => format!("{host}:{port} does not answer within {} s", PATIENCE.as_secs()),
    };
    let advice = "look at the server, at its port, and at firewalls and security groups between";
    tell(Finding::failed(check, failure, advice));
    None
}

/// Shakes hands over `stream`, as a client that believes `roots` and expects `host`; says nothing after that.
pub(super) async fn tls(check: &str, stream: TcpStream, roots: &Roots, host: &str) -> Finding {
    let check = format!("{check} tls");
    let advice = "let ca name the authority that signed its certificate, and the address the name in it";
    let client = match ClientTls::open(roots, host.trim_matches(['[', ']'])) {
        Ok(client) => client,
        Err(error) => return Finding::failed(check, causes(&error), advice),
    };
    let shaking = TlsConnector::from(client.config).connect(client.server_name, stream);
    match timeout(PATIENCE, shaking).await {
        Ok(Ok(_)) => Finding::ok(check, format!("{host} shows a certificate that is believed")),
        Ok(Err(error)) => Finding::failed(check, causes(&error), advice),
        Err(_) => {
            let found = format!("{host} does not shake hands within {} s", PATIENCE.as_secs());
            Finding::failed(check, found, "look at what answers there: it may not speak TLS")
        }
    }
}

/// For names, addresses and handshakes, each.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
