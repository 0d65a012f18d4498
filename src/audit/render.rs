//! The records of a statement as JSON, by hand: two of them are written for every statement that runs.
//!
//! The form is what `model::record` derives, byte for byte; a test holds the two together.

use std::{
    fmt::{self, Write as _},
    io::Write as _,
};

use serde::Serialize;
use uuid::{Uuid, fmt::Hyphenated};

use crate::model::record::{Actor, DecisionRecord, Record, StatementEnd, StatementStart};

use super::chain::OwnRecord;

/// What a line of the log holds between its head and its hash.
pub(super) trait Body {
    /// Appends the members of a JSON object, each with a comma before it and without the braces.
    fn render(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error>;
}

impl Body for Record<'_> {
    fn render(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        match self {
            Self::StatementStart(start) => start_members(start, out),
            Self::StatementEnd(end) => end_members(end, out),
            other => members(other, out),
        }
    }
}

impl Body for OwnRecord<'_> {
    fn render(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        members(self, out)
    }
}

/// What serialises to an object.
pub(super) fn members(object: &impl Serialize, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let start = out.len();
    serde_json::to_writer(&mut *out, object)?;
    if let Some(brace) = out.get_mut(start) {
        *brace = b',';
    }
    out.pop();
    Ok(())
}

fn start_members(start: &StatementStart<'_>, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    out.extend_from_slice(b",\"event\":\"statement_start\",\"statement\":");
    uuid(start.statement.uuid(), out);
    actor_members(start.actor, out)?;
    value(b",\"sql\":", start.sql, out)?;
    value(b",\"fingerprint\":", &start.fingerprint, out)?;
    value(b",\"kind\":", &start.kind, out)?;
    out.extend_from_slice(b",\"objects\":[");
    let mut before = "";
    for touched in &start.objects {
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(b"{\"name\":\"");
        escaped(&touched.0.object, out)?;
        value(b"\",\"mode\":", &touched.0.mode, out)?;
        out.push(b'}');
        before = ",";
    }
    out.push(b']');
    match &start.decision {
        DecisionRecord::Allow { lane, grants } => {
            value(b",\"decision\":\"allow\",\"lane\":", lane, out)?;
            value(b",\"grants\":", grants, out)?;
        }
        deny @ DecisionRecord::Deny { .. } => members(deny, out)?,
    }
    match &start.trace_id {
        Some(trace) => value(b",\"trace_id\":", trace, out),
        None => Ok(()),
    }
}

fn actor_members(actor: &Actor<'_>, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    out.extend_from_slice(b",\"session\":");
    uuid(actor.session.uuid(), out);
    value(b",\"principal\":", actor.principal.as_str(), out)?;
    // An address holds nothing that JSON escapes, and writing to a vector cannot fail.
    let _written = write!(out, ",\"client\":\"{}\"", actor.client);
    value(b",\"application\":", actor.application, out)?;
    value(b",\"target\":", actor.target.as_str(), out)?;
    value(b",\"database\":", actor.database.as_str(), out)
}

fn end_members(end: &StatementEnd<'_>, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    out.extend_from_slice(b",\"event\":\"statement_end\",\"statement\":");
    uuid(end.statement.uuid(), out);
    out.extend_from_slice(b",\"session\":");
    uuid(end.session.uuid(), out);
    value(b",\"outcome\":", &end.outcome, out)?;
    value(b",\"rows\":", &end.rows, out)?;
    value(b",\"bytes\":", &end.bytes, out)?;
    value(b",\"duration_us\":", &end.duration_us, out)?;
    value(b",\"sqlstate\":", &end.sqlstate, out)?;
    value(b",\"upstream_pid\":", &end.upstream_pid, out)
}

/// A key, ready to be written, and its value.
fn value(key: &[u8], value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    out.extend_from_slice(key);
    serde_json::to_writer(out, value)
}

fn uuid(id: Uuid, out: &mut Vec<u8>) {
    let mut text = [0; Hyphenated::LENGTH];
    out.push(b'"');
    out.extend_from_slice(id.hyphenated().encode_lower(&mut text).as_bytes());
    out.push(b'"');
}

/// The inside of a string.
fn escaped(text: &impl fmt::Display, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let mut escaping = Escaping { out, problem: None };
    match write!(escaping, "{text}") {
        Ok(()) => Ok(()),
        Err(error) => Err(escaping.problem.unwrap_or_else(|| serde::ser::Error::custom(error))),
    }
}

/// Escapes what is written to it.
struct Escaping<'o> {
    out: &'o mut Vec<u8>,
    problem: Option<serde_json::Error>,
}

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            self.out.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        let start = self.out.len();
        if let Err(error) = serde_json::to_writer(&mut *self.out, text) {
            self.problem = Some(error);
            return Err(fmt::Error);
        }
        // Without its quotation marks it goes on where the piece before it ended.
        self.out.pop();
        self.out.remove(start);
        Ok(())
    }
}
