//! What the audit log keeps of the text of statements, and under which key.

use std::collections::BTreeMap;

use super::{
    check::{Place, line},
    error::{ConfigError, Problem},
    raw::RawAudit,
    secrets::one_of,
    settings::{AuditText, TargetSettings},
};
use crate::model::{ids::TargetName, secret::Secret};

/// What is kept of each target's texts, and the key, where one is written.
type TextsAndKey = (BTreeMap<TargetName, AuditText>, Option<Secret<String>>);

/// Reads what is kept of texts.
pub(super) fn read(
    place: &mut Place<'_>,
    raw: &RawAudit,
    targets: &[TargetSettings],
) -> Result<TextsAndKey, ConfigError> {
    for (name, text) in &raw.text_by_target {
        let known = || targets.iter().map(|it| it.target.name.to_string());
        exists(place, ("audit.text_by_target", line(text)), name, known)?;
    }
    for (name, text) in &raw.text_by_environment {
        let known = || targets.iter().map(|it| it.target.environment.to_string());
        exists(place, ("audit.text_by_environment", line(text)), name, known)?;
    }
    let otherwise = raw.text.as_ref().map(|text| text.value).unwrap_or_default();
    let text_of = |settings: &TargetSettings| {
        let target = &settings.target;
        let own = raw.text_by_target.get(target.name.as_str());
        let own = own.or_else(|| raw.text_by_environment.get(target.environment.as_str()));
        own.map_or(otherwise, |text| text.value)
    };
    let texts: BTreeMap<_, _> =
        targets.iter().map(|settings| (settings.target.name.clone(), text_of(settings))).collect();
    let key = match (&raw.text_key_file, &raw.text_key_env) {
        (None, None) => None,
        (file, variable) => {
            let at = file.as_ref().or(variable.as_ref()).map_or(0, line);
            let key = one_of(place, at, KEY, (file, variable), KEYS)?;
            if key.expose().len() < LEAST_BYTES {
                return Err(place.at(at, KEY, Problem::TextKeyShort { least: LEAST_BYTES }));
            }
            Some(key)
        }
    };
    let written = raw.text.iter().chain(raw.text_by_environment.values()).chain(raw.text_by_target.values());
    if key.is_none()
        && let Some(hashed) = written.into_iter().find(|text| text.value == AuditText::Hashed)
    {
        return Err(place.at(line(hashed), "audit.text", Problem::TextKeyMissing));
    }
    Ok((texts, key))
}

/// closed: a name with a slip in it would leave the texts as they are.
fn exists<I: Iterator<Item = String>>(
    place: &Place<'_>,
    (key, at): (&str, u64),
    name: &str,
    known: impl Fn() -> I,
) -> Result<(), ConfigError> {
    if known().any(|known| known == name) {
        return Ok(());
    }
    let known = known().collect();
    Err(place.at(at, key, Problem::NoSuchName { found: name.to_owned(), known }))
}

const KEY: &str = "audit.text_key";
const KEYS: &[&str] = &["audit.text_key_file", "audit.text_key_env"];
const LEAST_BYTES: usize = 32;
