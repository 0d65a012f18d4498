//! The forms that people fill in.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    blocks::{Input, checkboxes, input, modal, paragraph, select},
    message::length,
    names::{ASK, CHANGE, DENY, field},
};
use crate::{
    control::RequestView,
    model::{
        ids::{RequestId, TargetName},
        permission::Permission,
    },
};

/// What a form to answer with notes of the request that it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Noted {
    pub(super) request: RequestId,
    /// What stood in the form when it was opened; what is left as it was is not cut off.
    #[serde(default)]
    pub(super) duration: String,
    #[serde(default)]
    pub(super) objects: String,
    #[serde(default)]
    pub(super) permissions: Vec<Permission>,
}

/// Says something, and asks nothing.
pub(super) fn saying(text: &str) -> Value {
    modal(TITLE, None, "", "", vec![paragraph(text)])
}

/// Asks what is asked for, `targets` being those that there are.
pub(super) fn ask(targets: &[TargetName]) -> Value {
    let names: Vec<&str> = targets.iter().map(TargetName::as_str).collect();
    let target = match names.len() {
        1..=MOST_OPTIONS => select(field::TARGET, "Target", &names),
        _ => input(field::TARGET, "Target", "", "", SHORT),
    };
    let words: Vec<_> = Permission::ALL.iter().map(|it| it.as_str()).collect();
    let tables = "One a line: schema.table, on MySQL table; * stands for any characters, alone for the whole database.";
    let blocks = vec![
        target,
        input(field::DATABASE, "Database", "", "", SHORT),
        input(field::OBJECTS, "Tables", "", tables, Input { is_long: true, ..LONG }),
        checkboxes(field::PERMISSIONS, "Permissions", &words, &[]),
        input(field::DURATION, "How long", "1h", DURATION_HINT, SHORT),
        input(field::REASON, "Why", "", "", Input { most: 500, ..SHORT }),
        input(field::TICKET, "Ticket", "", "", Input { is_optional: true, ..SHORT }),
    ];
    modal("Ask for access", Some("Ask"), ASK, "", blocks)
}

/// Asks how much of a request is approved.
pub(super) fn change(request: &RequestView) -> Value {
    let duration = request.seconds.map(length).unwrap_or_default();
    let mut noted = Noted { request: request.id, duration, objects: String::new(), permissions: Vec::new() };
    let comment = Input { is_optional: true, is_long: true, most: MOST_COMMENT };
    let optional = Input { is_optional: true, ..SHORT };
    let mut blocks = vec![
        paragraph(&format!(
            "{} asks for {} on {}/{}.",
            request.requester, request.permissions, request.target, request.database
        )),
        input(field::DURATION, "At most so long", &noted.duration, DURATION_HINT, optional),
    ];
    if request.statement.is_none() {
        let objects = request.objects.join("\n");
        // What does not fit would come back cut off.
        if objects.chars().count() <= LONG.most {
            blocks.push(input(field::OBJECTS, "These tables alone", &objects, "One a line.", LONG));
            noted.objects = objects;
        }
        noted.permissions = request.permissions.iter().collect();
        let words: Vec<_> = noted.permissions.iter().map(|it| it.as_str()).collect();
        blocks.push(checkboxes(field::PERMISSIONS, "These permissions alone", &words, &words));
    }
    blocks.push(input(field::COMMENT, "Comment", "", "", comment));
    // closed: what Slack does not carry back is not compared with, and cuts off what is left as it was, too
    let text = serde_json::to_string(&noted).unwrap_or_default();
    let text = if text.len() <= MOST_NOTED { text } else { noted_of(request.id) };
    modal("Approve less", Some("Approve"), CHANGE, &text, blocks)
}

/// Asks why a request is denied.
pub(super) fn deny(request: RequestId) -> Value {
    let comment = Input { is_optional: true, is_long: true, most: MOST_COMMENT };
    let blocks = vec![input(field::COMMENT, "Comment", "", "The requester reads it.", comment)];
    modal("Deny", Some("Deny"), DENY, &noted_of(request), blocks)
}

fn noted_of(request: RequestId) -> String {
    serde_json::json!({ "request": request }).to_string()
}

const TITLE: &str = "Tidegate";
const DURATION_HINT: &str = "For example 30m, 8h or 1h30m.";
const SHORT: Input = Input { is_optional: false, is_long: false, most: 200 };
const LONG: Input = Input { is_optional: false, is_long: true, most: 3000 };
const MOST_OPTIONS: usize = 100;
const MOST_COMMENT: usize = 1000;
/// Slack carries 3,000 characters along.
const MOST_NOTED: usize = 3000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        control::StatementView,
        notify::slack::{fixture::request, shapes::check_view},
    };

    fn names_of(view: &Value) -> Vec<&str> {
        let blocks = view["blocks"].as_array().unwrap();
        blocks.iter().filter_map(|block| block["block_id"].as_str()).collect()
    }

    #[test]
    fn forms_are_such_as_slack_takes() {
        let few: Vec<TargetName> = vec!["hr".into(), "shop".into()];
        let many: Vec<TargetName> = (0..101).map(|number| format!("t{number}").into()).collect();
        for view in [ask(&few), ask(&many), ask(&[]), change(&request()), deny(request().id), saying("")] {
            check_view(&view);
        }
        assert_eq!(ask(&few)["blocks"][0]["element"]["type"], "static_select");
        assert_eq!(ask(&many)["blocks"][0]["element"]["type"], "plain_text_input");
    }

    #[test]
    fn of_a_statement_only_its_time_can_be_cut() {
        let statement = StatementView {
            sql: "DELETE FROM t".to_owned(),
            command: "DELETE".to_owned(),
            fingerprint: String::new(),
            read_only: false,
        };
        let of_statement = change(&RequestView { statement: Some(statement), ..request() });
        assert_eq!(names_of(&of_statement), ["duration", "comment"]);
        assert_eq!(names_of(&change(&request())), ["duration", "objects", "permissions", "comment"]);
    }

    #[test]
    fn what_is_too_long_to_be_carried_along_is_left_out() {
        let objects = (0..200).map(|number| format!("public.table_{number}")).collect();
        let view = change(&RequestView { objects, ..request() });
        check_view(&view);
        assert_eq!(names_of(&view), ["duration", "permissions", "comment"]);
        let objects = (0..140).map(|number| format!("public.table_{number}")).collect();
        let view = change(&RequestView { objects, ..request() });
        check_view(&view);
        let noted: Value = serde_json::from_str(view["private_metadata"].as_str().unwrap()).unwrap();
        assert_eq!(noted["request"], json!(request().id));
    }
}
