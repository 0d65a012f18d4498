//! The records of a statement as JSON, by hand: two of them are written for every statement that runs.
//!
//! The form is what `model::record` derives, byte for byte; a test holds the two together.

use std::{
    fmt::{self, Write as _},
    io::Write as _,
    net::SocketAddr,
};

use serde::Serialize;
use uuid::{Uuid, fmt::Hyphenated};

use crate::model::record::{Actor, DecisionRecord, Fingerprint, Record, StatementEnd, StatementStart};

use super::chain::{OwnRecord, hex};

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
    text(b",\"sql\":", start.sql, out)?;
    out.extend_from_slice(b",\"fingerprint\":");
    match start.fingerprint {
        Some(Fingerprint(number)) => fingerprint(number, out),
        None => out.extend_from_slice(b"null"),
    }
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
    text(b",\"principal\":", actor.principal.as_str(), out)?;
    address(actor.client, out);
    text(b",\"application\":", actor.application, out)?;
    text(b",\"target\":", actor.target.as_str(), out)?;
    text(b",\"database\":", actor.database.as_str(), out)
}

/// Nothing in an address is escaped by JSON, and writing to a vector cannot fail.
fn address(client: SocketAddr, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"client\":\"");
    let mut number = itoa::Buffer::new();
    match client {
        SocketAddr::V4(client) => {
            for (at, part) in client.ip().octets().into_iter().enumerate() {
                if at > 0 {
                    out.push(b'.');
                }
                out.extend_from_slice(number.format(part).as_bytes());
            }
            out.push(b':');
            out.extend_from_slice(number.format(client.port()).as_bytes());
        }
        SocketAddr::V6(client) => {
            let _written = write!(out, "{client}");
        }
    }
    out.push(b'"');
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

/// A string; most hold nothing to escape.
fn text(key: &[u8], text: &str, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    if !is_plain(text.as_bytes()) {
        return value(key, text, out);
    }
    out.extend_from_slice(key);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
}

/// Whether JSON escapes none of it. Without a way out of the inner loop, which goes over many bytes at a time.
fn is_plain(text: &[u8]) -> bool {
    let is_escaped = |byte: &u8| (*byte < b' ') | (*byte == b'"') | (*byte == b'\\');
    text.chunks(32).all(|chunk| !chunk.iter().fold(false, |any, byte| any | is_escaped(byte)))
}

/// As [`Fingerprint`] is written.
fn fingerprint(number: u64, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in number.to_be_bytes() {
        out.extend_from_slice(&hex(byte));
    }
    out.push(b'"');
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
        if is_plain(text.as_bytes()) {
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
