//! Addresses that are told of events.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_saphyr::Spanned;

use super::{
    check::{Place, line},
    error::{ConfigError, Problem},
    limits::bounded,
    nearest::nearest,
    raw::{RawTemplate, RawWebhook},
    secrets::{from_environment, from_file},
    targets,
};
use crate::model::{
    event::Event,
    secret::Secret,
    webhook::{EventPattern, WebhookForm, WebhookSettings},
};

/// Checks and completes what is written of webhooks.
pub(super) fn read(
    place: &mut Place<'_>,
    raw: &[Spanned<RawWebhook>],
) -> Result<Vec<WebhookSettings>, ConfigError> {
    let mut all: Vec<WebhookSettings> = Vec::new();
    for entry in raw {
        let webhook = webhook(place, entry)?;
        if all.iter().any(|other| other.name == webhook.name) {
            let problem = Problem::WebhookTwice { name: webhook.name.to_string() };
            return Err(place.at(line(&entry.value.name), "webhooks.name", problem));
        }
        all.push(webhook);
    }
    Ok(all)
}

fn webhook(place: &mut Place<'_>, entry: &Spanned<RawWebhook>) -> Result<WebhookSettings, ConfigError> {
    let raw = &entry.value;
    let form = form(place, entry)?;
    let url = url(place, entry, &form)?;
    if url.expose().starts_with("http:") && !raw.allow_private {
        place.warnings.push(format!(
            "{}:{}: webhooks.url: what webhook \"{}\" is told crosses the network in clear text: use https",
            place.file.display(),
            line(entry),
            raw.name.value
        ));
    }
    let number = |key, value: &Option<Spanned<u64>>, otherwise, least, most| {
        bounded(place, key, value.as_ref(), otherwise, least, most)
    };
    let sample = number("webhooks.sample", &raw.sample, 1, 1, 1_000_000)?;
    let attempts = number("webhooks.attempts", &raw.attempts, 30, 1, 100)?;
    let timeout = number("webhooks.timeout_ms", &raw.timeout_ms, 10_000, 100, 60_000)?;
    let first_wait = number("webhooks.retry_ms", &raw.retry_ms, 5_000, 10, 3_600_000)?;
    let longest_wait = number("webhooks.retry_most_s", &raw.retry_most_s, 900, 1, 86_400)?;
    Ok(WebhookSettings {
        name: targets::name(place, "webhooks.name", &raw.name)?.into(),
        url,
        events: events(place, raw, &form)?,
        form,
        sample: u32::try_from(sample).unwrap_or(u32::MAX),
        allow_private: raw.allow_private,
        ca: raw.ca.as_ref().map(|ca| place.beside(ca)),
        timeout: Duration::from_millis(timeout),
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        first_wait: Duration::from_millis(first_wait),
        longest_wait: Duration::from_secs(longest_wait),
    })
}

fn form(place: &mut Place<'_>, entry: &Spanned<RawWebhook>) -> Result<WebhookForm, ConfigError> {
    let raw = &entry.value;
    let (secret, old) = ((&raw.secret_file, &raw.secret_env), (&raw.old_secret_file, &raw.old_secret_env));
    let unused =
        |place: &Place<'_>, written: (&Option<Spanned<String>>, &Option<Spanned<String>>), key, template| {
            let at = written.0.as_ref().or(written.1.as_ref())?;
            Some(place.at(line(at), key, Problem::NotOfTemplate { template }))
        };
    match raw.template {
        RawTemplate::Standard => {
            let newest = one_of(place, entry, "webhooks.secret", secret, SECRETS)?;
            let mut keys = vec![signing_key(place, entry, "webhooks.secret", &newest)?];
            if old.0.is_some() || old.1.is_some() {
                let older = one_of(place, entry, "webhooks.old_secret", old, OLD_SECRETS)?;
                keys.push(signing_key(place, entry, "webhooks.old_secret", &older)?);
            }
            Ok(WebhookForm::Standard { keys })
        }
        RawTemplate::Pagerduty => match unused(place, old, "webhooks.old_secret", "pagerduty") {
            Some(problem) => Err(problem),
            None => {
                let routing_key = one_of(place, entry, "webhooks.secret", secret, SECRETS)?;
                Ok(WebhookForm::Pagerduty { routing_key })
            }
        },
        RawTemplate::Teams => {
            let unused = unused(place, secret, "webhooks.secret", "teams")
                .or_else(|| unused(place, old, "webhooks.old_secret", "teams"));
            unused.map_or(Ok(WebhookForm::Teams), Err)
        }
    }
}

fn url(
    place: &mut Place<'_>,
    entry: &Spanned<RawWebhook>,
    form: &WebhookForm,
) -> Result<Secret<String>, ConfigError> {
    let RawWebhook { url, url_file, url_env, .. } = &entry.value;
    match (url, url_file, url_env) {
        (Some(url), None, None) => Ok(Secret::new(url.value.clone())),
        (None, None, None) if matches!(form, WebhookForm::Pagerduty { .. }) => {
            Ok(Secret::new(PAGERDUTY.to_owned()))
        }
        (None, file, variable) => one_of(place, entry, "webhooks.url", (file, variable), URLS),
        (Some(url), _, _) => Err(place.at(line(url), "webhooks.url", Problem::OneOf { keys: URLS })),
    }
}

/// What is in a file or in a variable; it is in one of them.
pub(super) fn one_of<T>(
    place: &mut Place<'_>,
    entry: &Spanned<T>,
    key: &str,
    written: (&Option<Spanned<String>>, &Option<Spanned<String>>),
    keys: &'static [&'static str],
) -> Result<Secret<String>, ConfigError> {
    match written {
        (Some(file), None) => from_file(place, key, file),
        (None, Some(variable)) => from_environment(place, key, variable),
        (None, None) | (Some(_), Some(_)) => Err(place.at(line(entry), key, Problem::OneOf { keys })),
    }
}

/// Source: Standard Webhooks, "Symmetric (HMAC)" signatures.
fn signing_key(
    place: &Place<'_>,
    entry: &Spanned<RawWebhook>,
    key: &str,
    secret: &Secret<String>,
) -> Result<Secret<Vec<u8>>, ConfigError> {
    let bytes = secret.expose().strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
    let bytes = bytes.map(Secret::new).filter(|bytes| (24..=64).contains(&bytes.expose().len()));
    bytes.ok_or_else(|| place.at(line(entry), key, Problem::SigningSecret))
}

fn events(place: &Place<'_>, raw: &RawWebhook, form: &WebhookForm) -> Result<Vec<EventPattern>, ConfigError> {
    let Some(written) = &raw.events else {
        let usual: &[&str] = match form {
            WebhookForm::Pagerduty { .. } => &["audit_trouble", "break_glass_*"],
            WebhookForm::Standard { .. } | WebhookForm::Teams => &["*"],
        };
        return Ok(usual.iter().filter_map(|pattern| pattern.parse().ok()).collect());
    };
    if written.value.is_empty() {
        return Err(place.at(line(written), "webhooks.events", Problem::Empty));
    }
    let pattern = |text: &Spanned<String>| {
        text.value.parse().map_err(|_| {
            let (found, known) = (text.value.clone(), Event::KINDS.to_vec());
            let nearest = nearest(&found, Event::KINDS);
            place.at(line(text), "webhooks.events", Problem::UnknownEvent { found, nearest, known })
        })
    };
    written.value.iter().map(pattern).collect()
}

const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";
const URLS: &[&str] = &["url", "url_file", "url_env"];
const SECRETS: &[&str] = &["secret_file", "secret_env"];
const OLD_SECRETS: &[&str] = &["old_secret_file", "old_secret_env"];
