//! What programs are sent: JSON, signed.
//!
//! Source: Standard Webhooks, version 1.0.0.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::model::{secret::Secret, webhook::Delivery};

/// The body: `type`, `timestamp` of the event, and `data`, which is the event as it is in the journal.
pub(super) fn body(delivery: &Delivery) -> Value {
    let mut data = serde_json::to_value(&delivery.event).unwrap_or_default();
    if let (Some(fields), Some(seq)) = (data.as_object_mut(), delivery.seq) {
        fields.insert("seq".to_owned(), seq.into());
    }
    json!({ "type": delivery.event.kind(), "timestamp": delivery.at.to_string(), "data": data })
}

/// The headers that go with a body: who sends it again sends the same `webhook-id`; `keys` sign it each.
pub(super) fn headers(
    delivery: &Delivery,
    keys: &[Secret<Vec<u8>>],
    body: &[u8],
    now: Timestamp,
) -> [(&'static str, String); 3] {
    let id = format!("msg_{}", delivery.id);
    let timestamp = now.as_second().to_string();
    let signature = signature(keys, &id, &timestamp, body);
    [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature)]
}

/// HMAC-SHA256 of `id.timestamp.body` by each key, as `v1,…` with blanks between.
fn signature(keys: &[Secret<Vec<u8>>], id: &str, timestamp: &str, body: &[u8]) -> String {
    let signed = keys.iter().map(|key| {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()));
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            context.update(part);
        }
        format!("v1,{}", STANDARD.encode(context.sign()))
    });
    signed.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification_and_every_key_signs() {
        let key = |text| Secret::new(STANDARD.decode(text).unwrap());
        // The example of the specification.
        let (id, timestamp) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330");
        let body = br#"{"test": 2432232314}"#;
        let first = key("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature(std::slice::from_ref(&first), id, timestamp, body), expected);
        let second = key("C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let both = signature(&[first, second], id, timestamp, body);
        let (one, other) = both.split_once(' ').unwrap();
        assert_eq!(one, expected);
        assert!(other.starts_with("v1,") && other != expected);
    }
}
