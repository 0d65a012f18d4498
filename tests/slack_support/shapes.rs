//! What Slack takes: bounds and required fields of messages and forms.
//!
//! Source: docs.slack.dev, "Blocks", "Block elements", "Composition objects", "Views".

use serde_json::Value;

pub(crate) fn check_message(blocks: &[Value]) {
    assert!((1..=50).contains(&blocks.len()), "{} blocks", blocks.len());
    blocks.iter().for_each(check_block);
}

pub(crate) fn check_view(view: &Value) {
    assert_eq!(view["type"], "modal");
    for name in ["title", "close", "submit"] {
        if let Some(text) = view.get(name) {
            check_text(text, 24);
            assert_eq!(text["type"], "plain_text");
        }
    }
    let blocks = view["blocks"].as_array().unwrap();
    assert!((1..=100).contains(&blocks.len()));
    let has_input = blocks.iter().any(|block| block["type"] == "input");
    assert!(!has_input || view.get("submit").is_some(), "a form that cannot be sent");
    assert!(view["private_metadata"].as_str().unwrap().chars().count() <= 3000);
    assert!(view["callback_id"].as_str().unwrap().len() <= 255);
    blocks.iter().for_each(check_block);
}

fn check_block(block: &Value) {
    match block["type"].as_str().unwrap() {
        "header" => {
            check_text(&block["text"], 150);
            assert_eq!(block["text"]["type"], "plain_text");
        }
        "section" => {
            let fields = block["fields"].as_array();
            assert!(fields.is_some() || block.get("text").is_some());
            if let Some(text) = block.get("text") {
                check_text(text, 3000);
            }
            if let Some(fields) = fields {
                assert!((1..=10).contains(&fields.len()));
                fields.iter().for_each(|field| check_text(field, 2000));
            }
        }
        "context" => {
            let elements = block["elements"].as_array().unwrap();
            assert!((1..=10).contains(&elements.len()));
            elements.iter().for_each(|it| check_text(it, 3000));
        }
        "actions" => {
            let elements = block["elements"].as_array().unwrap();
            assert!((1..=25).contains(&elements.len()));
            elements.iter().for_each(check_button);
        }
        "input" => {
            check_text(&block["label"], 2000);
            assert!(block["block_id"].as_str().unwrap().len() <= 255);
            check_element(&block["element"]);
        }
        other => panic!("a block of type {other}"),
    }
}

fn check_button(button: &Value) {
    assert_eq!(button["type"], "button");
    check_text(&button["text"], 75);
    assert!((1..=255).contains(&button["action_id"].as_str().unwrap().len()));
    assert!(button["value"].as_str().is_none_or(|value| value.len() <= 2000));
    assert!(button["url"].as_str().is_none_or(|url| url.len() <= 3000));
    assert!(button["style"].as_str().is_none_or(|style| matches!(style, "primary" | "danger")));
}

fn check_element(element: &Value) {
    assert!((1..=255).contains(&element["action_id"].as_str().unwrap().len()));
    let options = |most: usize| {
        let options = element["options"].as_array().unwrap();
        assert!((1..=most).contains(&options.len()), "{} options", options.len());
        for option in options {
            check_text(&option["text"], 75);
            assert!((1..=150).contains(&option["value"].as_str().unwrap().len()));
        }
        for initial in element["initial_options"].as_array().into_iter().flatten() {
            assert!(options.contains(initial));
        }
    };
    match element["type"].as_str().unwrap() {
        "plain_text_input" => {
            let most = element["max_length"].as_u64().unwrap();
            assert!((1..=3000).contains(&most));
            let initial = element["initial_value"].as_str().unwrap_or_default();
            assert!(initial.chars().count() as u64 <= most);
        }
        "static_select" => options(100),
        "checkboxes" => {
            options(10);
            assert!(element["initial_options"].as_array().is_none_or(|initial| !initial.is_empty()));
        }
        other => panic!("an element of type {other}"),
    }
}

fn check_text(text: &Value, most: usize) {
    let kind = text["type"].as_str().unwrap();
    assert!(matches!(kind, "plain_text" | "mrkdwn"), "{kind}");
    let words = text["text"].as_str().unwrap();
    assert!((1..=most).contains(&words.chars().count()), "{} characters of {most}", words.chars().count());
}
