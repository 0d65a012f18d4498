//! The Slack app.

use std::net::SocketAddr;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{
    check::{Place, address, line},
    error::{ConfigError, Problem},
    raw::RawCertificate,
    secrets::one_of,
    settings::{CertificateFiles, Slack, SlackHttp},
};
use crate::model::{
    flow::Risk,
    object::Glob,
    secret::Secret,
    slack::{SlackDoor, SlackRoute, SlackSettings},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSlack {
    team: Spanned<String>,
    bot_token_file: Option<Spanned<String>>,
    bot_token_env: Option<Spanned<String>>,
    app_token_file: Option<Spanned<String>>,
    app_token_env: Option<Spanned<String>>,
    http: Option<Spanned<RawSlackHttp>>,
    channel: Spanned<String>,
    #[serde(default)]
    routes: Vec<Spanned<RawRoute>>,
    #[serde(default)]
    link_by_email: bool,
    page: Option<Spanned<String>>,
    api_url: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSlackHttp {
    address: Spanned<String>,
    tls: Option<RawCertificate>,
    signing_secret_file: Option<Spanned<String>>,
    signing_secret_env: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoute {
    target: Option<Spanned<String>>,
    environment: Option<Spanned<String>>,
    risk: Option<Risk>,
    channel: Spanned<String>,
}

/// Checks and completes what is written of Slack.
pub(super) fn read(
    place: &mut Place<'_>,
    raw: Option<&Spanned<RawSlack>>,
) -> Result<Option<Slack>, ConfigError> {
    let Some(written) = raw else { return Ok(None) };
    let raw = &written.value;
    let bot = (&raw.bot_token_file, &raw.bot_token_env);
    let bot_token = one_of(place, line(written), "slack.bot_token", bot, BOT_TOKEN)?;
    let app = (&raw.app_token_file, &raw.app_token_env);
    let (door, http) = match &raw.http {
        Some(http) if app.0.is_none() && app.1.is_none() => {
            let (signing_secret, http) = self::http(place, http)?;
            (SlackDoor::Http { signing_secret }, Some(http))
        }
        Some(_) => return Err(place.at(line(written), "slack.http", Problem::OneOf { keys: DOORS })),
        None => {
            let app_token = one_of(place, line(written), "slack.app_token", app, DOORS)?;
            (SlackDoor::Socket { app_token }, None)
        }
    };
    let routes = raw.routes.iter().map(|route| self::route(place, &route.value)).collect::<Result<_, _>>()?;
    let settings = SlackSettings {
        team: identifier(place, "slack.team", &raw.team, &['T'])?,
        bot_token,
        door,
        routes,
        channel: identifier(place, "slack.channel", &raw.channel, &CHANNELS)?,
        link_by_email: raw.link_by_email,
        page: raw.page.as_ref().map(|page| self::page(place, page)).transpose()?,
        api: raw.api_url.as_ref().map_or_else(|| Ok(API.to_owned()), |url| api(place, url))?,
    };
    Ok(Some(Slack { settings, http }))
}

fn http(
    place: &mut Place<'_>,
    written: &Spanned<RawSlackHttp>,
) -> Result<(Secret<String>, SlackHttp), ConfigError> {
    let raw = &written.value;
    let address: SocketAddr = address(place, "slack.http.address", &raw.address, 6481)?;
    let tls = raw.tls.as_ref().map(|tls| CertificateFiles {
        certificate: place.beside(&tls.certificate),
        key: place.beside(&tls.key),
    });
    if tls.is_none() && !address.ip().is_loopback() {
        let problem = Problem::SlackWithoutTls { address: address.to_string() };
        return Err(place.at(line(&raw.address), "slack.http.address", problem));
    }
    let source = (&raw.signing_secret_file, &raw.signing_secret_env);
    let signing_secret = one_of(place, line(written), "slack.http.signing_secret", source, SIGNING_SECRET)?;
    Ok((signing_secret, SlackHttp { address, tls }))
}

fn route(place: &Place<'_>, raw: &RawRoute) -> Result<SlackRoute, ConfigError> {
    for (key, written) in
        [("slack.routes.target", &raw.target), ("slack.routes.environment", &raw.environment)]
    {
        if let Some(written) = written.as_ref().filter(|written| written.value.is_empty()) {
            return Err(place.at(line(written), key, Problem::Empty));
        }
    }
    Ok(SlackRoute {
        target: raw.target.as_ref().map(|target| Glob::new(&target.value)),
        environment: raw.environment.as_ref().map(|environment| environment.value.as_str().into()),
        risk: raw.risk,
        channel: identifier(place, "slack.routes.channel", &raw.channel, &CHANNELS)?,
    })
}

/// An identifier and not a name: names can be given to something else.
fn identifier(
    place: &Place<'_>,
    key: &str,
    written: &Spanned<String>,
    begins: &[char],
) -> Result<String, ConfigError> {
    let found = &written.value;
    let is_plain = (2..=32).contains(&found.len())
        && found.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if is_plain && found.starts_with(begins) {
        return Ok(found.clone());
    }
    let example = begins.first().map(|letter| format!("{letter}0123ABCDE")).unwrap_or_default();
    Err(place.at(line(written), key, Problem::SlackIdentifier { found: found.clone(), example }))
}

fn page(place: &Place<'_>, written: &Spanned<String>) -> Result<String, ConfigError> {
    let page = &written.value;
    let is_address = page.starts_with("https://") || page.starts_with("http://");
    let is_plain = page.len() <= 500 && page.bytes().all(|byte| byte.is_ascii_graphic());
    if is_address && is_plain && page.contains("{request}") {
        return Ok(page.clone());
    }
    Err(place.at(line(written), "slack.page", Problem::SlackPage { found: page.clone() }))
}

/// Over TLS, or on this machine: the tokens go there.
fn api(place: &Place<'_>, written: &Spanned<String>) -> Result<String, ConfigError> {
    let url = written.value.trim_end_matches('/');
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic()) && !url.contains(['@', '?', '#']);
    let is_near = url.strip_prefix("http://127.0.0.1:").is_some_and(|rest| rest.ends_with("/api"));
    if is_plain && (is_near || url.strip_prefix("https://").is_some_and(|rest| rest.ends_with("/api"))) {
        return Ok(url.to_owned());
    }
    Err(place.at(line(written), "slack.api_url", Problem::SlackApi { found: written.value.clone() }))
}

const API: &str = "https://slack.com/api";
const BOT_TOKEN: &[&str] = &["bot_token_file", "bot_token_env"];
const SIGNING_SECRET: &[&str] = &["signing_secret_file", "signing_secret_env"];
/// The two ways in, the first of which can be written in two.
const DOORS: &[&str] = &["app_token_file", "app_token_env", "http"];
/// Public and private channels.
const CHANNELS: [char; 2] = ['C', 'G'];
