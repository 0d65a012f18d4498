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
    secrets::one_of,
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
            let newest = one_of(place, line(entry), "webhooks.secret", secret, SECRETS)?;
            let mut keys = vec![signing_key(place, entry, "webhooks.secret", &newest)?];
            if old.0.is_some() || old.1.is_some() {
                let older = one_of(place, line(entry), "webhooks.old_secret", old, OLD_SECRETS)?;
                keys.push(signing_key(place, entry, "webhooks.old_secret", &older)?);
            }
            Ok(WebhookForm::Standard { keys })
        }
        RawTemplate::Pagerduty => match unused(place, old, "webhooks.old_secret", "pagerduty") {
            Some(problem) => Err(problem),
            None => {
                let routing_key = one_of(place, line(entry), "webhooks.secret", secret, SECRETS)?;
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
        (None, file, variable) => one_of(place, line(entry), "webhooks.url", (file, variable), URLS),
        (Some(url), _, _) => Err(place.at(line(url), "webhooks.url", Problem::OneOf { keys: URLS })),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, load};

    const REST: &str = "
data_dir: data
listeners: [ { address: '127.0.0.1:6432', targets: [hr], plaintext: true } ]
targets:
  - { name: hr, environment: prod, endpoint: '127.0.0.1:5432', accounts: { read: { user: r, password_env: PASSWORD } } }
webhooks:
";

    fn load_with(webhooks: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tidegate.yaml");
        std::fs::write(&file, format!("{REST}{webhooks}")).unwrap();
        load(&file, |name| {
            Some(match name {
                "SHORT" => format!("whsec_{}", STANDARD.encode([7; 23])),
                "SIGNING" => format!("whsec_{}", STANDARD.encode([7; 24])),
                "ADDRESS" => "https://chat.example/s3cret".to_owned(),
                "PASSWORD" => "s3cret".to_owned(),
                _ => return None,
            })
        })
    }

    fn problem(webhooks: &str) -> String {
        let problem = load_with(webhooks).unwrap_err().to_string();
        assert!(!problem.contains("s3cret") && !problem.contains("whsec_Bw"), "{problem}");
        problem.split_once("tidegate.yaml:").unwrap().1.to_owned()
    }

    #[test]
    fn a_webhook_gets_the_documented_defaults() {
        let config = load_with(
            "
  - { name: bot, url: 'https://bot.example/x', secret_env: SIGNING, old_secret_env: SIGNING }
  - { name: chat, template: teams, url_env: ADDRESS, events: ['request_*', audit_trouble], sample: 10 }
  - { name: pager, template: pagerduty, secret_env: PASSWORD, url: 'http://10.0.0.1/', allow_private: true }
  - { name: plain, url: 'http://bot.example/x', secret_env: SIGNING }",
        )
        .unwrap();
        let [bot, chat, pager, _] = config.webhooks.as_slice() else { panic!() };
        assert!(matches!(&bot.form, WebhookForm::Standard { keys } if keys.len() == 2));
        assert_eq!((bot.attempts, bot.sample, bot.timeout.as_secs()), (30, 1, 10));
        assert_eq!((bot.first_wait.as_secs(), bot.longest_wait.as_secs()), (5, 900));
        assert!(!bot.allow_private && bot.events[0].fits("grant_ended"));
        assert_eq!((chat.url.expose().as_str(), chat.sample), ("https://chat.example/s3cret", 10));
        assert!(
            chat.events[0].fits("request_denied") && !chat.events.iter().any(|it| it.fits("grant_ended"))
        );
        assert!(matches!(&pager.form, WebhookForm::Pagerduty { .. }) && !pager.events[0].fits("grant_ended"));
        assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
        assert!(!format!("{config:?}").contains("s3cret"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_on_its_line() {
        for (webhooks, words) in [
            (
                "  - { name: bot, url: 'https://x', secret_env: SHORT }",
                "7: webhooks.secret: it holds no signing secret",
            ),
            (
                "  - { name: bot, url: 'https://x', secret_env: PASSWORD }",
                "7: webhooks.secret: it holds no signing",
            ),
            (
                "  - { name: bot, url: 'https://x' }",
                "7: webhooks.secret: write exactly one of secret_file, secret_env",
            ),
            (
                "  - { name: bot, secret_env: SIGNING }",
                "7: webhooks.url: write exactly one of url, url_file, url_env",
            ),
            (
                "  - { name: bot, url: 'https://x', url_env: ADDRESS, secret_env: SIGNING }",
                "7: webhooks.url: write exactly one",
            ),
            (
                "  - { name: t, template: teams, url: 'https://x', secret_env: SIGNING }",
                "7: webhooks.secret: template teams",
            ),
            (
                "  - { name: bot, url: 'https://x', secret_env: SIGNING, events: [request_create] }",
                "7: webhooks.events: no event is called \"request_create\": did you mean \"request_created\"?",
            ),
            (
                "  - { name: bot, url: 'https://x', secret_env: SIGNING, events: [] }",
                "7: webhooks.events: it is empty",
            ),
            (
                "  - { name: bot, url: 'https://x', secret_env: SIGNING, sample: 0 }",
                "7: webhooks.sample: 0 is out",
            ),
            (
                "  - { name: t, template: teams, url: 'https://x' }\n  - { name: t, template: teams, url: 'https://y' }",
                "8: webhooks.name: webhook \"t\" is there twice",
            ),
        ] {
            let problem = problem(webhooks);
            assert!(problem.starts_with(words), "{problem}\nis not\n{words}");
        }
    }
}
