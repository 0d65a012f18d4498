//! Where people come in: addresses, certificates and their ends.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use jiff::Timestamp;

use super::finding::Finding;
use crate::{
    app::{
        AppError,
        run::{http_server_tls, server_tls},
    },
    config::Config,
    net::ServerTls,
    upstream::causes,
};

type Opened = Result<Option<Arc<ServerTls>>, AppError>;

/// `running`: whether a gateway of this configuration runs already, and has the addresses.
pub(super) fn check(config: &Config, now: Timestamp, running: bool, tell: &mut (dyn FnMut(Finding) + Send)) {
    let expected = match (running, config.shutdown.shares_ports) {
        (true, _) => Some("and a gateway of this configuration runs"),
        (false, true) => Some("and may be shared with another gateway (shutdown.shares_ports)"),
        (false, false) => None,
    };
    for listener in &config.listeners {
        let check = format!("listener {}", listener.address);
        tell(address(&check, listener.address, expected));
        certificate(&check, server_tls(listener), now, tell);
        if listener.plaintext && !listener.address.ip().is_loopback() {
            let advice = "write tls, and plaintext: false";
            tell(Finding::warning(&check, "sessions without TLS are let in from other machines", advice));
        }
    }
    tell(address("api", config.api.address, expected));
    certificate("api", config.api.tls.as_ref().map(http_server_tls).transpose(), now, tell);
}

/// `expected`: why it may be taken. It is not tried as a gateway that shares its ports would: that would take clients.
fn address(check: &str, address: SocketAddr, expected: Option<&str>) -> Finding {
    let check = format!("{check} address");
    let error = match TcpListener::bind(address) {
        Ok(_) => return Finding::ok(check, format!("{address} is free")),
        Err(error) => error,
    };
    let (found, advice) = match error.kind() {
        io::ErrorKind::AddrInUse => match expected {
            Some(by) => return Finding::ok(check, format!("{address} is taken, {by}")),
            None => (format!("something else listens on {address}"), "stop it, or write another address"),
        },
        io::ErrorKind::AddrNotAvailable => {
            (format!("this machine has no address {}", address.ip()), "write one that it has, or 0.0.0.0")
        }
        io::ErrorKind::PermissionDenied => (
            format!("the user that runs this may not listen on {address}"),
            "take a port from 1024 on, or give the gateway CAP_NET_BIND_SERVICE",
        ),
        _ => (format!("{address}: {error}"), "write another address"),
    };
    Finding::failed(check, found, advice)
}

fn certificate(check: &str, opened: Opened, now: Timestamp, tell: &mut (dyn FnMut(Finding) + Send)) {
    let check = format!("{check} certificate");
    let tls = match opened {
        Ok(Some(tls)) => tls,
        Ok(None) => return,
        Err(error) => {
            let advice = "write certificate and key anew, as files that the gateway's user may read";
            return tell(Finding::failed(check, causes(&error), advice));
        }
    };
    let ends_at = tls.state().expires_at;
    tell(match tls.warning(now) {
        Some(warning) if warning.expired => {
            let advice = "replace it and its key; clients refuse it";
            Finding::failed(check, format!("it ended at {ends_at:.0}"), advice)
        }
        Some(_) => {
            let advice = "replace it and its key; they are read again every minute";
            Finding::warning(check, format!("it ends at {ends_at:.0}, soon"), advice)
        }
        None => Finding::ok(check, format!("it ends at {ends_at:.0}")),
    });
}
