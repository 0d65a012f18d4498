//! What Microsoft Teams is sent: a message with an Adaptive Card.
//!
//! What people wrote stands in text runs: these have no markup, so that nobody can put a link into what others read.
//!
//! Source: Microsoft Learn, "Create incoming webhooks with Workflows" and the Adaptive Card schema 1.4.

use serde_json::{Value, json};

use super::facts::{facts, title};
use crate::model::webhook::Delivery;

pub(super) fn body(delivery: &Delivery) -> Value {
    let mut lines = vec![line(&title(&delivery.event), None)];
    lines.extend(facts(&delivery.event).into_iter().map(|(name, value)| line(name, Some(value))));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "body": lines,
            },
        }],
    })
}

/// A heading, or a name and its value.
fn line(name: &str, value: Option<String>) -> Value {
    let run = |text: &str, weight: &str, size: &str| json!({ "type": "TextRun", "text": text, "weight": weight, "size": size });
    let inlines = match value {
        None => vec![run(name, "Bolder", "Medium")],
        Some(value) => {
            vec![run(&format!("{name}: "), "Bolder", "Default"), run(&value, "Default", "Default")]
        }
    };
    json!({ "type": "RichTextBlock", "inlines": inlines })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{event::Event, ids::DeliveryId, webhook::DeliveryState};

    #[test]
    fn what_people_wrote_has_no_markup() {
        let wrote = "[click](https://evil.example) <at>all</at>";
        let delivery = Delivery {
            id: DeliveryId::new(uuid::Uuid::nil()),
            webhook: "team".into(),
            seq: Some(7),
            at: jiff::Timestamp::UNIX_EPOCH,
            event: Event::PrincipalChanged {
                actor: "ada".to_owned(),
                principal: "dana".into(),
                change: wrote.to_owned(),
            },
            state: DeliveryState::Trying,
            attempts: 0,
            tried_at: None,
            status: None,
            problem: None,
        };
        let body = body(&delivery);
        let card = &body["attachments"][0]["content"];
        assert_eq!((&card["type"], &card["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
        let runs: Vec<&Value> = card["body"]
            .as_array()
            .unwrap()
            .iter()
            .inspect(|block| assert_eq!(block["type"], "RichTextBlock"))
            .flat_map(|block| block["inlines"].as_array().unwrap())
            .collect();
        assert!(runs.iter().all(|run| run["type"] == "TextRun"), "{runs:?}");
        assert!(runs.iter().any(|run| run["text"].as_str().unwrap().contains(wrote)), "{runs:?}");
    }
}
