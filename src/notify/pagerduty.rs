//! What PagerDuty is sent: what somebody has to look at opens an incident, what settles it closes that one again.
//!
//! Source: PagerDuty, "Events API v2: PD-CEF" and "Send an alert event".

use serde_json::{Value, json};

use super::facts::title;
use crate::model::{event::Event, secret::Secret, webhook::Delivery};

pub(super) fn body(delivery: &Delivery, routing_key: &Secret<String>) -> Value {
    let (action, severity) = urgency(&delivery.event);
    let dedup_key = match topic(&delivery.event) {
        Some(topic) => format!("tidegate/{topic}/{}", delivery.event.subject()),
        None => format!("tidegate/{}", delivery.id),
    };
    json!({
        "routing_key": routing_key.expose(),
        "event_action": action,
        "dedup_key": dedup_key.chars().take(MOST_DEDUP).collect::<String>(),
        "client": "Tidegate",
        "payload": {
            "summary": title(&delivery.event).chars().take(MOST_SUMMARY).collect::<String>(),
            "source": "tidegate",
            "severity": severity,
            "timestamp": delivery.at.to_string(),
            "class": delivery.event.kind(),
            "custom_details": serde_json::to_value(&delivery.event).unwrap_or_default(),
        },
    })
}

/// What events that open and close the same incident have in common, beside what they are about.
fn topic(event: &Event) -> Option<&'static str> {
    match event {
        Event::AuditTrouble { .. } => Some("audit"),
        Event::BreakGlassOpened(_) | Event::BreakGlassReviewed { .. } => Some("break-glass"),
        Event::RequestApproved(_)
        | Event::RequestCancelled(_)
        | Event::RequestCreated(_)
        | Event::RequestDenied(_)
        | Event::RequestEscalated(_)
        | Event::RequestExpired(_) => Some("request"),
        Event::GrantEnded(_)
        | Event::GrantExpiring(_)
        | Event::GrantExtended { .. }
        | Event::GrantRevoked(_)
        | Event::GrantStarted(_)
        | Event::LoginThrottled { .. }
        | Event::PolicyRejected { .. }
        | Event::PolicyReloaded { .. }
        | Event::PrincipalChanged { .. }
        | Event::RequestReviewed(_)
        | Event::StatementDenied { .. }
        | Event::WebhookDisabled { .. }
        | Event::WebhookTested { .. } => None,
    }
}

fn urgency(event: &Event) -> (&'static str, &'static str) {
    match event {
        Event::AuditTrouble { writable: false } => ("trigger", "critical"),
        Event::BreakGlassOpened(_) => ("trigger", "error"),
        Event::LoginThrottled { .. }
        | Event::PolicyRejected { .. }
        | Event::RequestEscalated(_)
        | Event::WebhookDisabled { .. } => ("trigger", "warning"),
        Event::AuditTrouble { writable: true }
        | Event::BreakGlassReviewed { .. }
        | Event::RequestApproved(_)
        | Event::RequestCancelled(_)
        | Event::RequestDenied(_)
        | Event::RequestExpired(_) => ("resolve", "info"),
        Event::GrantEnded(_)
        | Event::GrantExpiring(_)
        | Event::GrantExtended { .. }
        | Event::GrantRevoked(_)
        | Event::GrantStarted(_)
        | Event::PolicyReloaded { .. }
        | Event::PrincipalChanged { .. }
        | Event::RequestCreated(_)
        | Event::RequestReviewed(_)
        | Event::StatementDenied { .. }
        | Event::WebhookTested { .. } => ("trigger", "info"),
    }
}

const MOST_DEDUP: usize = 255;
const MOST_SUMMARY: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ids::DeliveryId, webhook::DeliveryState};

    fn sent(event: Event) -> Value {
        let delivery = Delivery {
            id: DeliveryId::new(uuid::Uuid::nil()),
            webhook: "pager".into(),
            seq: Some(7),
            at: jiff::Timestamp::UNIX_EPOCH,
            event,
            state: DeliveryState::Trying,
            attempts: 0,
            tried_at: None,
            status: None,
            problem: None,
        };
        body(&delivery, &Secret::new("R0UT1NG".to_owned()))
    }

    #[test]
    fn what_is_over_closes_the_incident_that_it_opened() {
        let opened = sent(Event::AuditTrouble { writable: false });
        let closed = sent(Event::AuditTrouble { writable: true });
        assert_eq!(
            (&opened["event_action"], &closed["event_action"]),
            (&json!("trigger"), &json!("resolve"))
        );
        assert_eq!(opened["dedup_key"], closed["dedup_key"]);
        assert_eq!(
            (&opened["payload"]["severity"], &opened["routing_key"]),
            (&json!("critical"), &json!("R0UT1NG"))
        );
        let other = sent(Event::WebhookDisabled { webhook: "x".into() });
        assert_ne!(other["dedup_key"], opened["dedup_key"]);
    }
}
