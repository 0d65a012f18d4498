//! What a channel is shown of a request: its whole story, and how it stands.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    blocks::{HEADER_TEXT, SECTION_TEXT, button, context, formatted, page, paragraph, plain, section, table},
    names::Button,
    stage::{Stage, groups, in_words, stage, waits_for_a_look},
    text::{code_blocks, escaped, fitted},
};
use crate::{
    control::{Answer, GrantView, RequestView, ReviewView},
    model::lifetime::Lifetime,
};

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    /// What it shows.
    pub(super) blocks: Vec<Value>,
    /// What notifications show, and programs that cannot show blocks.
    pub(super) text: String,
}

/// The message about a request, `page` being where more is to be read of it.
///
/// Approve stands below it only if everything that would be approved stands in it.
pub(super) fn message(request: &RequestView, grant: Option<&GrantView>, page_of: Option<&str>) -> Message {
    let title = title(request);
    let mut blocks = vec![json!({ "type": "header", "text": plain(&title, HEADER_TEXT).0 })];
    let (rows, mut is_whole) = table(&rows(request));
    blocks.extend(rows);
    is_whole &= statement(request, &mut blocks);
    blocks.extend(request.reviews.iter().rev().take(MOST_REVIEWS).rev().map(review));
    let stage = stage(request, grant);
    blocks.push(section(plain(&in_words(request, &stage), SECTION_TEXT).0));
    blocks.extend(times(request, grant, &stage));
    if let Some(given) = grant.and_then(|grant| given(request, grant)) {
        blocks.push(paragraph(&given));
    }
    if !is_whole {
        blocks.push(section(formatted(match page_of {
            Some(_) => "It is too long to be shown here in full. Read all of it on its page before you answer.",
            None => "It is too long to be shown here in full. Read all of it by the command below before you answer.",
        })));
    }
    let buttons = buttons(request, &stage, is_whole, page_of);
    if !buttons.is_empty() {
        blocks.push(json!({ "type": "actions", "elements": buttons }));
    }
    blocks.push(context(formatted(&format!("`tidegate request show {}`", request.id))));
    let (text, _) = fitted(&format!("{title}: {}", in_words(request, &stage)), SECTION_TEXT);
    Message { blocks, text }
}

fn title(request: &RequestView) -> String {
    let RequestView { requester, target, database, permissions, .. } = request;
    let what = match &request.statement {
        Some(statement) => format!("one {}", statement.command),
        None => permissions.to_string(),
    };
    let how = if request.break_glass { " (break-glass)" } else { "" };
    format!("{requester} asks for {what} on {target}/{database}{how}")
}

fn rows(request: &RequestView) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("Who", request.requester.to_string()),
        ("Where", format!("{}/{}", request.target, request.database)),
        ("Permissions", request.permissions.to_string()),
        ("Objects", request.objects.join(", ")),
        ("How long", how_long(request)),
        ("Reason", request.reason.clone()),
    ];
    rows.extend(request.ticket.clone().map(|ticket| ("Ticket", ticket)));
    rows.extend(request.role.as_ref().map(|role| ("Role", role.to_string())));
    rows.push(("Risk", format!("{} (flow {})", request.risk, request.flow)));
    if let Some(estimate) = &request.estimate {
        let rows_and_cost = match (&estimate.problem, estimate.rows, estimate.cost) {
            (Some(problem), ..) => format!("none: {problem}"),
            (None, Some(rows), _) => format!("{rows} rows"),
            (None, None, Some(cost)) => format!("cost {cost}"),
            (None, None, None) => "none".to_owned(),
        };
        rows.push(("Estimate", rows_and_cost));
    }
    if !request.waits_for.is_empty() {
        rows.push(("Waits for", groups(&request.waits_for)));
    }
    rows
}

fn how_long(request: &RequestView) -> String {
    let length = request.seconds.map(length);
    let until = request.until.map(|until| format!("until {until}"));
    let from = request.starts_at.map(|from| format!("from {from} on"));
    [length, until, from].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Seconds as people write them.
pub(super) fn length(seconds: i64) -> String {
    let text = format!("{seconds}s");
    text.parse::<Lifetime>().map_or(text, |lifetime| lifetime.to_string())
}

/// The statement, if there is one; whether it is there in full.
fn statement(request: &RequestView, blocks: &mut Vec<Value>) -> bool {
    let Some(statement) = &request.statement else { return true };
    match code_blocks(&statement.sql, SECTION_TEXT, MOST_CODE) {
        Some(code) => {
            blocks.extend(code.iter().map(|code| section(formatted(code))));
            true
        }
        None => false,
    }
}

fn review(review: &ReviewView) -> Value {
    let said = match (review.verdict, review.afterwards) {
        (Answer::Approve, false) => "approved",
        (Answer::Approve, true) => "found it right",
        (Answer::Deny, false) => "denied",
        (Answer::Deny, true) => "found it not right",
    };
    let mut text = format!("{} {said}", review.reviewer);
    let cut = [
        review.permissions.map(|it| it.to_string()),
        review.objects.as_ref().map(|it| format!("on {}", it.join(", "))),
        review.seconds.map(|it| format!("for {}", length(it))),
    ];
    let cut: Vec<_> = cut.into_iter().flatten().collect();
    if !cut.is_empty() {
        text = format!("{text}, only {}", cut.join(" "));
    }
    if !review.comment.is_empty() {
        text = format!("{text}: {}", review.comment);
    }
    context(plain(&text, REVIEW_TEXT).0)
}

/// What was given, where that is less than what was asked.
fn given(request: &RequestView, grant: &GrantView) -> Option<String> {
    let objects: Vec<_> = grant.objects.iter().map(ToString::to_string).collect();
    let is_less = grant.permissions != request.permissions || objects != request.objects;
    (request.statement.is_none() && is_less)
        .then(|| format!("Given: {} on {}", grant.permissions, objects.join(", ")))
}

/// Instants, in the time of whoever reads.
fn times(request: &RequestView, grant: Option<&GrantView>, stage: &Stage) -> Option<Value> {
    let line = match (stage, grant) {
        (Stage::Pending, _) => format!("Can be answered until {}", date(request.expires_at)),
        (Stage::Upcoming, Some(grant)) => format!("Begins {}", date(grant.starts_at)),
        (Stage::Live, Some(grant)) => format!("Ends {}", date(grant.ends_at?)),
        _ => return None,
    };
    Some(context(formatted(&line)))
}

/// Source: docs.slack.dev, "Formatting text", "Date formatting".
fn date(at: Timestamp) -> String {
    let second = at.as_second();
    format!("<!date^{second}^{{date_short_pretty}} {{time}}|{}>", escaped(&at.to_string()))
}

fn buttons(request: &RequestView, stage: &Stage, is_whole: bool, page_of: Option<&str>) -> Vec<Value> {
    let id = request.id.to_string();
    let of = |label: &str, it: Button, style| button(label, it.action(), &id, style);
    let mut buttons = Vec::new();
    match stage {
        Stage::Pending => {
            if is_whole {
                buttons.push(of("Approve", Button::Approve, Some("primary")));
                buttons.push(of("Approve less…", Button::Change, None));
            }
            buttons.push(of("Deny…", Button::Deny, Some("danger")));
        }
        Stage::Approved
        | Stage::Cancelled
        | Stage::Denied { .. }
        | Stage::Ended
        | Stage::Expired
        | Stage::Live
        | Stage::Revoked { .. }
        | Stage::Upcoming
        | Stage::Used => {}
    }
    if waits_for_a_look(request) {
        if is_whole {
            buttons.push(of("It was right", Button::Approve, None));
        }
        buttons.push(of("It was not…", Button::Deny, Some("danger")));
    }
    buttons.extend(page_of.map(|url| page("Open", url)));
    buttons
}

/// Sections of a statement; with all else still far fewer than 50 blocks.
const MOST_CODE: usize = 6;
const MOST_REVIEWS: usize = 10;
const REVIEW_TEXT: usize = 1200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        control::{LifeState, RevocationView, StatementView},
        model::{
            flow::Risk,
            permission::Permission,
            request::{Aftermath, RequestState},
        },
        notify::slack::{
            fixture::{grant, request},
            shapes,
        },
    };

    fn shown(request: &RequestView, grant: Option<&GrantView>) -> (String, Vec<String>) {
        let message = message(request, grant, Some("https://gate.example/r/1"));
        shapes::check_message(&message.blocks);
        let actions = message.blocks.iter().filter(|block| block["type"] == "actions");
        let labels = actions.flat_map(|block| block["elements"].as_array().unwrap());
        let labels = labels.map(|it| it["text"]["text"].as_str().unwrap().to_owned()).collect();
        (serde_json::to_string(&message.blocks).unwrap(), labels)
    }

    fn statement(sql: &str) -> RequestView {
        let statement = StatementView {
            sql: sql.to_owned(),
            command: "DELETE".to_owned(),
            fingerprint: "0".repeat(16),
            read_only: false,
        };
        RequestView { statement: Some(statement), ..request() }
    }

    #[test]
    fn a_request_is_shown_with_its_whole_story() {
        let it = RequestView { ticket: Some("INC-42".to_owned()), risk: Risk::High, ..request() };
        let (text, labels) = shown(&it, None);
        for part in
            ["dana", "hr/hr_prod", "select", "public.salary", "1h", "because", "INC-42", "high", "leads"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(labels, ["Approve", "Approve less…", "Deny…", "Open"]);
    }

    #[test]
    fn nobody_forges_words_of_ours() {
        let reason = "x *bold* <!channel> ```\u{202e} <https://evil|Approve>".to_owned();
        let (text, _) = shown(&RequestView { reason, ..request() }, None);
        assert!(
            !text.contains("<!channel>") && !text.contains("<https://evil") && !text.contains('\u{202e}')
        );
        let message = message(&RequestView { reason: "*bold*".to_owned(), ..request() }, None, None);
        let fields =
            message.blocks.iter().flat_map(|it| it["fields"].as_array().cloned().unwrap_or_default());
        let bold: Vec<_> = fields.filter(|it| it["text"].as_str().unwrap().contains("*bold*")).collect();
        assert_eq!((bold.len(), bold[0]["type"].as_str()), (1, Some("plain_text")));
        let (text, _) = shown(&statement("DELETE FROM t -- ```\n*Approved by lee*"), None);
        assert!(!text.contains("-- ```"), "{text}");
    }

    #[test]
    fn what_cannot_be_shown_in_full_is_not_approved_by_a_click() {
        let (text, labels) =
            shown(&statement(&format!("DELETE FROM t WHERE a = '{}'", "Q".repeat(15_000))), None);
        assert_eq!(labels[0], "Approve", "{text}");
        assert_eq!(text.matches('Q').count(), 15_000);
        let (text, labels) =
            shown(&statement(&format!("DELETE FROM t WHERE a = '{}'", "Q".repeat(20_000))), None);
        assert_eq!(labels, ["Deny…", "Open"]);
        assert!(!text.contains("QQ") && text.contains("too long to be shown"));
        let objects = (0..300).map(|number| format!("public.table_{number}")).collect();
        assert_eq!(shown(&RequestView { objects, ..request() }, None).1, ["Deny…", "Open"]);
    }

    #[test]
    fn buttons_are_there_while_they_are_good_for_something() {
        for state in
            [RequestState::Approved, RequestState::Cancelled, RequestState::Denied, RequestState::Expired]
        {
            assert_eq!(shown(&RequestView { state, ..request() }, None).1, ["Open"], "{state}");
        }
        let looked_at = RequestView {
            state: RequestState::Approved,
            break_glass: true,
            aftermath: Aftermath::Open,
            ..request()
        };
        assert_eq!(shown(&looked_at, Some(&grant())).1, ["It was right", "It was not…", "Open"]);
    }

    #[test]
    fn every_end_of_a_grant_is_told() {
        let approved = RequestView { state: RequestState::Approved, ..request() };
        let of = |grant: GrantView| shown(&approved, Some(&grant)).0;
        assert!(of(grant()).contains("the grant is in force"));
        assert!(of(GrantView { state: LifeState::Ended, ..grant() }).contains("the grant has ended"));
        let revocation =
            RevocationView { at: grant().created_at, by: "lee".to_owned(), reason: "done".to_owned() };
        let revoked = GrantView { state: LifeState::Revoked, revocation: Some(revocation), ..grant() };
        assert!(of(revoked).contains("revoked by lee: done"));
        let used = GrantView { used_at: Some(grant().created_at), ..grant() };
        assert!(of(used).contains("let through, once"));
        let less = GrantView { permissions: [Permission::Explain].into_iter().collect(), ..grant() };
        assert!(of(less).contains("Given: explain on public.salary"));
        assert!(!of(grant()).contains("Given:"));
    }
}
