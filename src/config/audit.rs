//! The audit log: its file, its rotation, its checkpoints.

use std::{path::Path, time::Duration};

use serde_saphyr::Spanned;

use super::{
    audit_sinks, audit_texts,
    check::{Place, line},
    error::{ConfigError, Problem},
    limits::bounded,
    raw::{RawAudit, RawCheckpoints},
    settings::{Audit, AuditCheckpoints, TargetSettings},
};

/// Checks and completes what is written of the audit log.
pub(super) fn read(
    place: &mut Place<'_>,
    raw: &RawAudit,
    data_dir: &Path,
    targets: &[TargetSettings],
) -> Result<Audit, ConfigError> {
    let sinks = audit_sinks::read(place, &raw.sinks)?;
    let (text_by_target, text_key) = audit_texts::read(place, raw, targets)?;
    let place = &*place;
    let (rotate, retain) = (&raw.rotate, &raw.retain);
    let whole = |key: &str, value: &Option<Spanned<u64>>, least, most| {
        value.as_ref().map(|value| bounded(place, key, Some(value), least, least, most)).transpose()
    };
    let rotate_bytes =
        bounded(place, "audit.rotate.bytes", rotate.bytes.as_ref(), GIBIBYTE, MEBIBYTE, 1024 * GIBIBYTE)?;
    let after = whole("audit.rotate.after_s", &rotate.after_s, 60, 366 * DAY_S)?;
    let days = whole("audit.retain.days", &retain.days, 1, 36_600)?;
    let keep_bytes = whole("audit.retain.bytes", &retain.bytes, MEBIBYTE, 1024 * 1024 * GIBIBYTE)?;
    let wait_bytes = bounded(
        place,
        "audit.retain.wait_for_sinks_bytes",
        retain.wait_for_sinks_bytes.as_ref(),
        64 * GIBIBYTE,
        MEBIBYTE,
        1024 * 1024 * GIBIBYTE,
    )?;
    Ok(Audit {
        path: data_dir.join(raw.path.as_deref().unwrap_or("audit.jsonl")),
        durability: raw.durability,
        index: raw.index,
        rotate_bytes,
        rotate_after: after.map(Duration::from_secs),
        keep_for: days.map(|days| Duration::from_secs(days * DAY_S)),
        keep_bytes,
        wait_bytes,
        sinks,
        text: raw.text.as_ref().map(|text| text.value).unwrap_or_default(),
        text_by_target,
        text_key,
        checkpoints: raw.checkpoints.as_ref().map(|raw| checkpoints(place, raw)).transpose()?,
    })
}

fn checkpoints(place: &Place<'_>, raw: &Spanned<RawCheckpoints>) -> Result<AuditCheckpoints, ConfigError> {
    let raw = &raw.value;
    if raw.key_file.value.is_empty() {
        return Err(place.at(line(&raw.key_file), "audit.checkpoints.key_file", Problem::Empty));
    }
    let every = bounded(place, "audit.checkpoints.every_s", raw.every_s.as_ref(), 300, 1, DAY_S)?;
    let also = raw.also.as_ref().map(|also| match also.value.as_str() {
        "stdout" => "-".into(),
        path => place.beside(path),
    });
    Ok(AuditCheckpoints { key: place.beside(&raw.key_file.value), every: Duration::from_secs(every), also })
}

const DAY_S: u64 = 24 * 3600;
const MEBIBYTE: u64 = 1 << 20;
const GIBIBYTE: u64 = 1 << 30;
