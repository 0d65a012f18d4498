//! Records for people.

use serde_json::Value;

use super::output::{clean, list, say, table};
use crate::{
    api::bodies::{GrantView, RequestView, StoryView},
    audit::{FoundRecord, Stats, StoredRecord},
};

/// A record in one line.
pub(super) fn line(found: &FoundRecord) -> String {
    let record = &found.found;
    let text = |field: &str| record.text(field).unwrap_or_default().to_owned();
    let at = text("at");
    let at = at.split('.').next().unwrap_or_default();
    let mark = if record.intact { "" } else { " [CHANGED: it does not have its hash]" };
    let who = [text("principal"), text("actor")].into_iter().find(|it| !it.is_empty()).unwrap_or_default();
    let words = match record.text("event") {
        Some("statement_start") => statement(found),
        _ => details(&record.record),
    };
    let place = match (text("target"), text("database")) {
        (target, _) if target.is_empty() => String::new(),
        (target, database) => format!(" {target}/{database}"),
    };
    let event = if text("event") == "statement_start" { text("decision") } else { text("event") };
    let line = format!("{at}Z {} {event} {who}{place} {words}{mark}", record.seq);
    clean(&line.replace(['\n', '\r', '\t'], " ")).trim_end().to_owned()
}

fn statement(found: &FoundRecord) -> String {
    let record = &found.found;
    let sql = record.text("sql").unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let ending = match (&found.end, record.text("message")) {
        (Some(end), _) => {
            let number = |field: &str| end.record.get(field).and_then(Value::as_u64);
            let outcome = end.text("outcome").unwrap_or_default();
            let rows = number("rows").map(|rows| format!(", {rows} rows")).unwrap_or_default();
            let ms = number("duration_us").map(|us| format!(", {:.1} ms", us as f64 / 1000.0));
            format!("  [{outcome}{rows}{}]", ms.unwrap_or_default())
        }
        (None, Some(message)) => format!("  [{message}]"),
        (None, None) => "  [no end record]".to_owned(),
    };
    format!("{sql}{ending}")
}

/// What a record says besides what stands before it.
fn details(record: &Value) -> String {
    let known = ["seq", "at", "prev", "hash", "event", "principal", "actor", "target", "database"];
    let fields = record.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| !known.contains(&name.as_str()));
    let words = fields.map(|(name, value)| match value {
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A story from its end to its beginning.
pub(super) fn story(view: &StoryView) {
    let story = &view.story;
    say!("{}", line(&FoundRecord { found: story.record.clone(), end: story.end.clone() }));
    fields(&story.record);
    section("Session", &story.session);
    section("Grants", &story.grants);
    if story.grants.is_empty() && !view.current_grants.is_empty() {
        say!("\nGrants (of the store; this log has no record of them):");
        view.current_grants.iter().for_each(grant);
    }
    section("Requests and answers", &story.requests);
    if story.requests.is_empty() && !view.current_requests.is_empty() {
        say!("\nRequests (of the store; this log has no record of them):");
        view.current_requests.iter().for_each(request);
    }
}

fn fields(record: &StoredRecord) {
    for name in [
        "statement",
        "session",
        "client",
        "application",
        "kind",
        "lane",
        "objects",
        "grants",
        "missing",
        "sql",
    ] {
        if let Some(value) = record.record.get(name).filter(|it| !it.is_null()) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            say!("  {name:<12} {}", clean(&text));
        }
    }
}

fn section(head: &str, records: &[StoredRecord]) {
    if records.is_empty() {
        return;
    }
    say!("\n{head}:");
    for record in records {
        say!("  {}", line(&FoundRecord { found: record.clone(), end: None }));
    }
}

fn grant(it: &GrantView) {
    say!(
        "  {} by {} ({}), approved by {}",
        it.id,
        clean(&it.created_by),
        clean(&it.reason),
        clean(&list(&it.approvers))
    );
}

fn request(it: &RequestView) {
    say!("  {} of {}: {}", it.id, clean(&it.requester), clean(&it.reason));
    for review in &it.reviews {
        say!("    {}", clean(&serde_json::to_string(review).unwrap_or_default()));
    }
}

/// Who touched what, and a bar for each hour.
pub(super) fn stats(stats: &Stats) {
    let row = |it: &crate::audit::Touch| {
        vec![
            it.principal.clone(),
            format!("{}/{}", it.target, it.database),
            it.object.clone(),
            it.permission.map_or_else(|| "-".to_owned(), |it| it.to_string()),
            it.allowed.to_string(),
            it.denied.to_string(),
        ]
    };
    let head = ["PRINCIPAL", "PLACE", "OBJECT", "PERMISSION", "ALLOWED", "DENIED"];
    table(&head, stats.touches.iter().map(row).collect(), "Nobody touched anything.");
    let hours = stats.hours.iter().rev().take(MOST_BARS).rev();
    let most = hours.clone().map(|hour| hour.allowed + hour.denied).max().unwrap_or(0).max(1);
    if !stats.hours.is_empty() {
        say!("\nStatements by the hour (# allowed, x denied):");
    }
    for hour in hours {
        // At least one sign for what there is.
        let signs = |count: u64| (count.saturating_mul(BAR)).div_ceil(most) as usize;
        let bar = format!("{}{}", "#".repeat(signs(hour.allowed)), "x".repeat(signs(hour.denied)));
        say!("{:.13}h {bar} {}", hour.at.to_string().replace('T', " "), hour.allowed + hour.denied);
    }
}

const MOST_BARS: usize = 48;
/// Signs of the longest bar.
const BAR: u64 = 50;
