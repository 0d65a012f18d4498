//! The parts that messages and forms are made of, within Slack's bounds.
//!
//! Source: docs.slack.dev, "Blocks", "Block elements", "Composition objects".

use serde_json::{Value, json};

use super::text::{escaped, fitted};

/// The object with one more field.
pub(super) fn with(mut object: Value, name: &str, value: impl Into<Value>) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.insert(name.to_owned(), value.into());
    }
    object
}

/// Words of others: neither formatted nor linked. At most `most`; whether all of it is there.
pub(super) fn plain(text: &str, most: usize) -> (Value, bool) {
    let (text, is_whole) = fitted(text, most);
    // Slack takes no empty text.
    let text = if text.is_empty() { "–".to_owned() } else { text };
    (json!({ "type": "plain_text", "text": text, "emoji": false }), is_whole)
}

/// Words of our own, formatted; what is of others in them must be escaped.
pub(super) fn formatted(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

/// A paragraph.
pub(super) fn section(text: Value) -> Value {
    json!({ "type": "section", "text": text })
}

/// Small words below.
pub(super) fn context(text: Value) -> Value {
    json!({ "type": "context", "elements": [text] })
}

/// A paragraph of words that are not ours.
pub(super) fn paragraph(text: &str) -> Value {
    section(plain(text, SECTION_TEXT).0)
}

/// Labels with what belongs to them, five to a block; whether all of it is there.
pub(super) fn table(rows: &[(&str, String)]) -> (Vec<Value>, bool) {
    let mut is_whole = true;
    let mut blocks = Vec::new();
    for rows in rows.chunks(ROWS_OF_SECTION) {
        let mut fields = Vec::new();
        for (label, value) in rows {
            let (value, fits) = plain(value, FIELD_TEXT);
            is_whole &= fits;
            fields.extend([formatted(&format!("*{}*", escaped(label))), value]);
        }
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    (blocks, is_whole)
}

/// A button that tells us which `value` it belongs to.
pub(super) fn button(label: &str, action: &str, value: &str, style: Option<&str>) -> Value {
    let button =
        json!({ "type": "button", "text": plain(label, BUTTON_TEXT).0, "action_id": action, "value": value });
    match style {
        Some(style) => with(button, "style", style),
        None => button,
    }
}

/// A button that opens a page; nobody answers the click.
pub(super) fn page(label: &str, url: &str) -> Value {
    json!({ "type": "button", "text": plain(label, BUTTON_TEXT).0, "action_id": "open_page", "url": url })
}

/// A field of one line, or of several.
pub(super) fn input(name: &str, label: &str, initial: &str, hint: &str, bounds: Input) -> Value {
    let element = json!({
        "type": "plain_text_input", "action_id": name, "multiline": bounds.is_long, "max_length": bounds.most,
    });
    let element = if initial.is_empty() { element } else { with(element, "initial_value", initial) };
    field(name, label, hint, bounds.is_optional, element)
}

/// What a field takes.
#[derive(Clone, Copy)]
pub(super) struct Input {
    pub(super) is_optional: bool,
    pub(super) is_long: bool,
    /// At most so many characters, up to 3,000.
    pub(super) most: usize,
}

/// A list to choose one from; 100 at most.
pub(super) fn select(name: &str, label: &str, options: &[&str]) -> Value {
    let options: Vec<_> = options.iter().map(|it| option(it)).collect();
    field(name, label, "", false, json!({ "type": "static_select", "action_id": name, "options": options }))
}

/// Boxes to tick; 10 at most.
pub(super) fn checkboxes(name: &str, label: &str, options: &[&str], ticked: &[&str]) -> Value {
    let element = json!({
        "type": "checkboxes", "action_id": name,
        "options": options.iter().map(|it| option(it)).collect::<Vec<_>>(),
    });
    // Slack takes no empty list.
    let initial: Vec<_> = ticked.iter().map(|it| option(it)).collect();
    let element = if initial.is_empty() { element } else { with(element, "initial_options", initial) };
    field(name, label, "", false, element)
}

fn option(value: &str) -> Value {
    json!({ "text": plain(value, OPTION_TEXT).0, "value": value })
}

fn field(name: &str, label: &str, hint: &str, is_optional: bool, element: Value) -> Value {
    let field = json!({
        "type": "input", "block_id": name, "label": plain(label, 2000).0, "element": element,
        "optional": is_optional,
    });
    if hint.is_empty() { field } else { with(field, "hint", plain(hint, 2000).0) }
}

/// A form; without `submit` it only says something. What `noted` says comes back with it.
pub(super) fn modal(title: &str, submit: Option<&str>, form: &str, noted: &str, blocks: Vec<Value>) -> Value {
    let view = json!({
        "type": "modal", "title": plain(title, MODAL_TITLE).0, "close": plain("Close", MODAL_TITLE).0,
        "callback_id": form, "private_metadata": noted, "blocks": blocks,
    });
    match submit {
        Some(submit) => with(view, "submit", plain(submit, MODAL_TITLE).0),
        None => view,
    }
}

/// The longest text of a section.
pub(super) const SECTION_TEXT: usize = 3000;
/// The longest text of a header.
pub(super) const HEADER_TEXT: usize = 150;
const FIELD_TEXT: usize = 2000;
const BUTTON_TEXT: usize = 75;
const OPTION_TEXT: usize = 75;
const MODAL_TITLE: usize = 24;
/// A section has ten fields at most, and a row two.
const ROWS_OF_SECTION: usize = 5;
