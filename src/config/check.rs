//! From what is written to what is meant.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_saphyr::Spanned;

use super::{
    audit,
    error::{ConfigError, Problem},
    limits::{Limits, bounded},
    nearest::nearest,
    oidc, on_call,
    raw::{RawApi, RawConfig, RawListener, RawShutdown},
    settings::{
        Api, Authentication, CertificateFiles, Compression, Config, Listener, ListenerTls, Log, Shutdown,
        Store, TargetSettings,
    },
    slack, store, targets, telemetry, webhooks,
};
use crate::model::{dialect::Dialect, ids::GatewayName, replica::Replica};

/// The file that is read, and what its meaning depends on.
pub(super) struct Place<'a> {
    pub(super) file: &'a Path,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
    pub(super) warnings: Vec<String>,
}

impl<'a> Place<'a> {
    pub(super) fn new(file: &'a Path, environment: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { file, environment, warnings: Vec::new() }
    }

    /// A path that is relative to the file.
    pub(super) fn beside(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }

    pub(super) fn at(&self, line: u64, key: &str, problem: Problem) -> ConfigError {
        ConfigError::Key { file: self.file.to_owned(), line, key: key.to_owned(), problem: Box::new(problem) }
    }
}

impl fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("file", &self.file).finish_non_exhaustive()
    }
}

/// The line that a value is written on.
pub(super) fn line<T>(value: &Spanned<T>) -> u64 {
    value.referenced.line()
}

/// Checks and completes what is written.
pub(super) fn check(mut place: Place<'_>, raw: &RawConfig) -> Result<Config, ConfigError> {
    if raw.data_dir.value.is_empty() {
        return Err(place.at(line(&raw.data_dir), "data_dir", Problem::Empty));
    }
    let data_dir = place.beside(&raw.data_dir.value);
    let name = gateway_name(&place, raw.name.as_ref())?;
    let replica = replica(&place, raw)?;
    let store = match &raw.store {
        Some(written) => store::read(&mut place, written, &data_dir)?,
        None => Store::Sqlite(data_dir.join(store::DEFAULT_FILE)),
    };
    let targets = targets::read(&mut place, &raw.targets)?;
    let listeners = listeners(&place, raw, &targets)?;
    let api = api(&place, &raw.api, &listeners)?;
    let oidc = oidc::read(&mut place, raw.oidc.as_ref())?;
    let webhooks = webhooks::read(&mut place, &raw.webhooks)?;
    let on_call = on_call::read(&mut place, raw.on_call.as_ref())?;
    let slack = slack::read(&mut place, raw.slack.as_ref())?;
    let limits = Limits::read(&place, &raw.limits)?;
    let audit = audit::read(&mut place, &raw.audit, &data_dir, &targets)?;
    let traces = telemetry::read(&mut place, &raw.telemetry)?;
    Ok(Config {
        file: place.file.to_owned(),
        policies: place.beside(&raw.policies),
        name,
        replica,
        store,
        audit,
        data_dir,
        listeners,
        targets,
        api,
        oidc,
        webhooks,
        on_call,
        slack,
        limits,
        announce_before: announce_before(&place, raw)?,
        shutdown: shutdown(&place, raw)?,
        log: Log { format: raw.log.format, level: raw.log.level },
        traces,
        warnings: place.warnings,
    })
}

fn announce_before(place: &Place<'_>, raw: &RawConfig) -> Result<Duration, ConfigError> {
    let written = raw.grants.announce_before_s.as_ref();
    bounded(place, "grants.announce_before_s", written, 300, 10, 7 * 24 * 3600).map(Duration::from_secs)
}

fn replica(place: &Place<'_>, raw: &RawConfig) -> Result<Option<Replica>, ConfigError> {
    // 0 is none.
    let number = bounded(place, "replica", raw.replica.as_ref(), 0, 1, Replica::MOST.into())?;
    Ok(u16::try_from(number).ok().and_then(Replica::new))
}

fn shutdown(place: &Place<'_>, raw: &RawConfig) -> Result<Shutdown, ConfigError> {
    let RawShutdown { delay_s, drain_s, shares_ports } = &raw.shutdown;
    let delay = bounded(place, "shutdown.delay_s", delay_s.as_ref(), 0, 0, 3600)?;
    let drain = bounded(place, "shutdown.drain_s", drain_s.as_ref(), 30, 0, 24 * 3600)?;
    let [delay, drain] = [delay, drain].map(Duration::from_secs);
    Ok(Shutdown { delay, drain, shares_ports: *shares_ports })
}

/// What is written, else what the machine is called.
fn gateway_name(place: &Place<'_>, written: Option<&Spanned<String>>) -> Result<GatewayName, ConfigError> {
    if let Some(written) = written {
        return Ok(targets::name(place, "name", written)?.into());
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let fine = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let host: String = host.trim().chars().filter(fine).take(63).collect();
    Ok(if host.is_empty() { "tidegate" } else { host.as_str() }.into())
}

fn listeners(
    place: &Place<'_>,
    raw: &RawConfig,
    targets: &[TargetSettings],
) -> Result<Vec<Listener>, ConfigError> {
    if raw.listeners.value.is_empty() {
        return Err(place.at(line(&raw.listeners), "listeners", Problem::Empty));
    }
    let mut listeners: Vec<Listener> = Vec::new();
    for entry in &raw.listeners.value {
        let listener = listener(place, entry, targets, raw.oidc.is_some())?;
        if let Some(other) = listeners.iter().find(|other| collide(other.address, listener.address)) {
            let other = format!("the listener on {}", other.address);
            return Err(taken(
                place,
                line(&entry.value.address),
                "listeners.address",
                listener.address,
                other,
            ));
        }
        listeners.push(listener);
    }
    Ok(listeners)
}

fn listener(
    place: &Place<'_>,
    entry: &Spanned<RawListener>,
    targets: &[TargetSettings],
    has_provider: bool,
) -> Result<Listener, ConfigError> {
    let raw = &entry.value;
    let address = address(place, "listeners.address", &raw.address, 6432)?;
    if raw.targets.value.is_empty() {
        return Err(place.at(line(&raw.targets), "listeners.targets", Problem::Empty));
    }
    let mut names = Vec::new();
    for name in &raw.targets.value {
        let target = known(place, name, targets)?;
        if target.target.dialect != raw.dialect {
            let problem = Problem::Dialect {
                name: name.value.clone(),
                target: target.target.dialect.as_str(),
                listener: raw.dialect.as_str(),
            };
            return Err(place.at(line(name), "listeners.targets", problem));
        }
        names.push(target.target.name.clone());
    }
    let plaintext = raw.plaintext.as_ref().is_some_and(|plaintext| plaintext.value);
    if raw.tls.is_none() && !plaintext {
        return Err(place.at(line(entry), "listeners.tls", Problem::NoWayIn));
    }
    let authentication = raw
        .authentication
        .as_ref()
        .map_or_else(|| Authentication::default_of(raw.dialect), |authentication| authentication.value);
    if !authentication.is_of(raw.dialect) {
        let at = raw.authentication.as_ref().map_or_else(|| line(entry), line);
        let problem = Problem::OtherAuthentication {
            found: authentication.as_str(),
            dialect: raw.dialect.as_str(),
            instead: Authentication::default_of(raw.dialect).as_str(),
        };
        return Err(place.at(at, "listeners.authentication", problem));
    }
    let in_clear = matches!(authentication, Authentication::Cleartext | Authentication::Oauth);
    let at = raw.authentication.as_ref().map_or_else(|| line(entry), line);
    if in_clear && (raw.tls.is_none() || plaintext) {
        let problem = Problem::CleartextWithoutTls { found: authentication.as_str() };
        return Err(place.at(at, "listeners.authentication", problem));
    }
    if authentication == Authentication::Oauth && !has_provider {
        return Err(place.at(at, "listeners.authentication", Problem::OauthWithoutProvider));
    }
    let compression = match &raw.compression {
        None => Compression::default_of(raw.dialect).to_vec(),
        Some(listed) if raw.dialect == Dialect::Mysql => listed.value.clone(),
        Some(listed) => return Err(place.at(line(listed), "listeners.compression", Problem::NoCompression)),
    };
    let tls = raw.tls.as_ref().map(|tls| ListenerTls {
        files: CertificateFiles { certificate: place.beside(&tls.certificate), key: place.beside(&tls.key) },
        client_ca: tls.client_ca.as_ref().map(|path| place.beside(path)),
    });
    Ok(Listener {
        address,
        dialect: raw.dialect,
        targets: names,
        tls,
        plaintext,
        authentication,
        compression,
    })
}

fn known<'a>(
    place: &Place<'_>,
    name: &Spanned<String>,
    targets: &'a [TargetSettings],
) -> Result<&'a TargetSettings, ConfigError> {
    let by_name: BTreeMap<&str, &TargetSettings> =
        targets.iter().map(|target| (target.target.name.as_str(), target)).collect();
    by_name.get(name.value.as_str()).copied().ok_or_else(|| {
        let problem = Problem::UnknownTarget {
            name: name.value.clone(),
            nearest: nearest(&name.value, by_name.keys().copied()).map(str::to_owned),
            known: by_name.keys().map(|known| (*known).to_owned()).collect(),
        };
        place.at(line(name), "listeners.targets", problem)
    })
}

fn api(place: &Place<'_>, raw: &RawApi, listeners: &[Listener]) -> Result<Api, ConfigError> {
    let tls = raw.tls.as_ref().map(|tls| CertificateFiles {
        certificate: place.beside(&tls.certificate),
        key: place.beside(&tls.key),
    });
    let (address, at) = match &raw.address {
        Some(written) => (address(place, "api.address", written, DEFAULT_API.port())?, line(written)),
        None => (DEFAULT_API, 0),
    };
    if tls.is_none() && !address.ip().is_loopback() {
        let problem = Problem::ApiWithoutTls { address: address.to_string() };
        return Err(place.at(at, "api.address", problem));
    }
    if let Some(other) = listeners.iter().find(|other| collide(other.address, address)) {
        let other = format!("the listener on {}", other.address);
        return Err(taken(place, at, "api.address", address, other));
    }
    let public_url = raw.public_url.as_ref().map(|url| public_url(place, url)).transpose()?;
    Ok(Api { address, tls, public_url })
}

/// An origin: what follows it in a link is ours.
fn public_url(place: &Place<'_>, written: &Spanned<String>) -> Result<String, ConfigError> {
    let url = written.value.trim_end_matches('/');
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let is_origin = rest.is_some_and(|rest| {
        let is_of_it = |letter: char| letter.is_ascii_alphanumeric() || "-.:[]".contains(letter);
        !rest.is_empty() && rest.chars().all(is_of_it)
    });
    let problem = || Problem::PublicUrl { found: written.value.clone() };
    if is_origin { Ok(url.to_owned()) } else { Err(place.at(line(written), "api.public_url", problem())) }
}

pub(super) fn address(
    place: &Place<'_>,
    key: &str,
    written: &Spanned<String>,
    port: u16,
) -> Result<SocketAddr, ConfigError> {
    let problem = || Problem::Address { found: written.value.clone(), port };
    written.value.parse().map_err(|_| place.at(line(written), key, problem()))
}

fn taken(place: &Place<'_>, line: u64, key: &str, address: SocketAddr, other: String) -> ConfigError {
    place.at(line, key, Problem::AddressTwice { address: address.to_string(), other })
}

/// Whether two sockets cannot both listen. Port 0 takes any that is free.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port()
        && one.port() != 0
        && (one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified())
}

/// Where the API listens if nothing is written.
const DEFAULT_API: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 6480);
