//! The protected servers.

use std::time::Duration;

use serde_saphyr::Spanned;

use super::{
    check::{Place, line},
    error::{ConfigError, Problem},
    iam,
    limits::bounded,
    raw::{RawPool, RawReader, RawTarget, RawTlsMode, RawUpstreamTls},
    secrets,
    settings::{
        Account, Accounts, Attribution, Credential, Endpoint, Pool, Reader, TargetSettings, UpstreamTls,
    },
};
use crate::model::{
    dialect::Dialect,
    ids::{DatabaseName, EnvironmentName, TargetName},
    target::{Lane, Target},
};

pub(super) fn read(
    place: &mut Place<'_>,
    raw: &Spanned<Vec<Spanned<RawTarget>>>,
) -> Result<Vec<TargetSettings>, ConfigError> {
    if raw.value.is_empty() {
        return Err(place.at(line(raw), "targets", Problem::Empty));
    }
    let mut targets: Vec<TargetSettings> = Vec::new();
    for entry in &raw.value {
        let target = target(place, &entry.value)?;
        if targets.iter().any(|other| other.target.name == target.target.name) {
            let problem = Problem::TargetTwice { name: target.target.name.to_string() };
            return Err(place.at(line(&entry.value.name), "targets.name", problem));
        }
        targets.push(target);
    }
    Ok(targets)
}

fn target(place: &mut Place<'_>, raw: &RawTarget) -> Result<TargetSettings, ConfigError> {
    let endpoint = endpoint(place, "targets.endpoint", &raw.endpoint)?;
    let databases = match &raw.databases {
        Some(databases) if databases.value.is_empty() || databases.value.iter().any(String::is_empty) => {
            return Err(place.at(line(databases), "targets.databases", Problem::Empty));
        }
        Some(databases) => {
            Some(databases.value.iter().map(|name| DatabaseName::from(name.as_str())).collect())
        }
        None => None,
    };
    let tls = tls(place, &raw.tls)?;
    if tls == UpstreamTls::Disable && !is_local(&endpoint) {
        let warning = format!(
            "{}:{}: targets.tls: \"{endpoint}\" is reached without TLS: write mode: verify-full",
            place.file.display(),
            line(&raw.endpoint)
        );
        place.warnings.push(warning);
    }
    let iam = raw.iam.as_ref().map(|raw| iam::read(place, raw, &endpoint, &tls)).transpose()?;
    let tokens = iam.as_ref();
    let reader = raw.reader.as_ref().map(|raw| reader(place, raw, &tls)).transpose()?;
    let read_iam = match &raw.reader {
        Some(reader) => iam::of_reader(place, reader, tokens)?,
        None => iam.clone(),
    };
    let optional = |place: &mut Place<'_>, key, account: &Option<_>| {
        account.as_ref().map(|account| secrets::account(place, key, account, tokens)).transpose()
    };
    let read = secrets::account(place, "targets.accounts.read", &raw.accounts.read, read_iam.as_ref())?;
    // What serves the write lane in its absence needs tokens for the writer.
    let as_writer = match (&iam, &reader, &read.credential) {
        (Some(iam), Some(_), Credential::Iam(_)) => {
            Some(Account { user: read.user.clone(), credential: Credential::Iam(iam.clone()) })
        }
        _ => None,
    };
    let accounts = Accounts {
        read,
        write: optional(place, "targets.accounts.write", &raw.accounts.write)?.or(as_writer),
        admin: optional(place, "targets.accounts.admin", &raw.accounts.admin)?,
    };
    if let Some(raw) = &raw.iam
        && !Lane::ALL.iter().any(|lane| matches!(accounts.of(*lane).credential, Credential::Iam(_)))
    {
        return Err(place.at(line(raw), "targets.iam", Problem::IamUnused));
    }
    let pool = pool(place, &raw.pool, tokens.is_some(), reader.is_some())?;
    let target = Target {
        name: TargetName::from(name(place, "targets.name", &raw.name)?),
        dialect: raw.dialect,
        environment: EnvironmentName::from(name(place, "targets.environment", &raw.environment)?),
        labels: raw.labels.clone(),
    };
    let attribution = attribution(place, raw)?;
    Ok(TargetSettings { target, endpoint, databases, tls, reader, accounts, pool, attribution })
}

fn attribution(place: &Place<'_>, raw: &RawTarget) -> Result<Attribution, ConfigError> {
    match (&raw.attribution, raw.dialect) {
        (None, Dialect::Postgres) => Ok(Attribution::ApplicationName),
        (None, Dialect::Mysql) => Ok(Attribution::Comment),
        (Some(written), Dialect::Mysql) if written.value == Attribution::ApplicationName => {
            Err(place.at(line(written), "targets.attribution", Problem::NoApplicationName))
        }
        (Some(written), Dialect::Postgres | Dialect::Mysql) => Ok(written.value),
    }
}

/// A name that may stand in "target/database", in patterns and in metrics.
pub(super) fn name<'a>(
    place: &Place<'_>,
    key: &str,
    written: &'a Spanned<String>,
) -> Result<&'a str, ConfigError> {
    let name = written.value.as_str();
    let fine = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if name.is_empty() || name.len() > 63 || !name.chars().all(fine) {
        return Err(place.at(line(written), key, Problem::Name { name: name.to_owned() }));
    }
    Ok(name)
}

pub(super) fn endpoint(
    place: &Place<'_>,
    key: &str,
    written: &Spanned<String>,
) -> Result<Endpoint, ConfigError> {
    let parts = written.value.rsplit_once(':').and_then(|(host, port)| {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = if host.contains(':') { bare? } else { host };
        let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
        let fine = |letter: char| !letter.is_whitespace() && !matches!(letter, '/' | '@' | '[' | ']');
        (!host.is_empty() && host.chars().all(fine)).then(|| Endpoint { host: host.to_owned(), port })
    });
    parts.ok_or_else(|| place.at(line(written), key, Problem::Endpoint { found: written.value.clone() }))
}

/// Whether it is this machine itself.
pub(super) fn is_local(endpoint: &Endpoint) -> bool {
    endpoint.host == "localhost"
        || endpoint.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn reader(place: &Place<'_>, raw: &RawReader, tls: &UpstreamTls) -> Result<Reader, ConfigError> {
    if let (Some(written), UpstreamTls::Disable) = (&raw.server_name, tls) {
        return Err(place.at(line(written), "targets.reader.server_name", Problem::WithoutTls));
    }
    Ok(Reader {
        endpoint: endpoint(place, "targets.reader.endpoint", &raw.endpoint)?,
        server_name: raw.server_name.as_ref().map(|name| name.value.clone()),
    })
}

pub(super) fn tls(place: &Place<'_>, raw: &RawUpstreamTls) -> Result<UpstreamTls, ConfigError> {
    match raw.mode {
        RawTlsMode::Disable => {
            for (key, written) in [("targets.tls.ca", &raw.ca), ("targets.tls.server_name", &raw.server_name)]
            {
                if let Some(written) = written {
                    return Err(place.at(line(written), key, Problem::WithoutTls));
                }
            }
            Ok(UpstreamTls::Disable)
        }
        RawTlsMode::VerifyFull => Ok(UpstreamTls::VerifyFull {
            ca: raw.ca.as_ref().map(|path| place.beside(&path.value)),
            server_name: raw.server_name.as_ref().map(|name| name.value.clone()),
        }),
    }
}

fn pool(place: &Place<'_>, raw: &RawPool, tokens: bool, follows: bool) -> Result<Pool, ConfigError> {
    let connections =
        bounded(place, "targets.pool.max_connections", raw.max_connections.as_ref(), 20, 1, 10_000)?;
    let wait =
        bounded(place, "targets.pool.wait_timeout_ms", raw.wait_timeout_ms.as_ref(), 5_000, 1, 600_000)?;
    let idle =
        bounded(place, "targets.pool.idle_timeout_s", raw.idle_timeout_s.as_ref(), 300, 1, DAY_SECONDS)?;
    let lifetime =
        bounded(place, "targets.pool.max_lifetime_s", raw.max_lifetime_s.as_ref(), 3_600, 10, DAY_SECONDS)?;
    let otherwise = if follows { FAILOVER_MS } else { 0 };
    let failover = bounded(
        place,
        "targets.pool.failover_wait_ms",
        raw.failover_wait_ms.as_ref(),
        otherwise,
        0,
        600_000,
    )?;
    let key = "targets.pool.new_connections_per_second";
    let pace = match &raw.new_connections_per_second {
        None if !tokens => None,
        written => Some(bounded(place, key, written.as_ref(), TOKEN_LOGINS_PER_SECOND, 1, 10_000)?),
    };
    let prepared =
        bounded(place, "targets.pool.prepared_statements", raw.prepared_statements.as_ref(), 500, 1, 10_000)?;
    Ok(Pool {
        max_connections: u32::try_from(connections).unwrap_or(u32::MAX),
        wait_timeout: Duration::from_millis(wait),
        idle_timeout: Duration::from_secs(idle),
        max_lifetime: Duration::from_secs(lifetime),
        failover_wait: Duration::from_millis(failover),
        new_connections_per_second: pace.map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
        prepared_statements: u32::try_from(prepared).unwrap_or(u32::MAX),
    })
}

const DAY_SECONDS: u64 = 86_400;
/// What a failover of Aurora takes. A target without a reader has nobody who could take over.
const FAILOVER_MS: u64 = 30_000;
/// Well below the 200 a second beyond which RDS may refuse logins with tokens.
const TOKEN_LOGINS_PER_SECOND: u64 = 50;
