//! Whether a request comes from Slack, now, and for the first time.
//!
//! Source: api.slack.com, "Verifying requests from Slack".

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use aws_lc_rs::hmac;
use jiff::Timestamp;

use crate::model::secret::Secret;

/// Why a request is not believed. Whoever sent it is told nothing of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unproven {
    /// More requests than can be remembered came within the window.
    #[error("too many requests at once")]
    Flood,
    /// Headers are missing, or not of the form.
    #[error("there is no signature")]
    Missing,
    /// It came before.
    #[error("the request was sent before")]
    Replay,
    /// It was made too long ago, or in the future.
    #[error("the time stamp is not of now")]
    Stale,
    /// It is not signed with the secret.
    #[error("the signature is wrong")]
    Wrong,
}

/// Judges signatures, and remembers those that were good for as long as they would be.
pub(super) struct Signatures {
    key: hmac::Key,
    seen: Mutex<Seen>,
}

/// Those that were good, oldest first, and the same by what they are.
#[derive(Default)]
struct Seen {
    order: VecDeque<(i64, [u8; 32])>,
    all: BTreeSet<[u8; 32]>,
}

impl Signatures {
    pub(super) fn new(secret: &Secret<String>) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()), seen: Mutex::default() }
    }

    /// Judges a request by its headers `X-Slack-Request-Timestamp` and `X-Slack-Signature`, and its body as it came.
    ///
    /// # Errors
    /// Why it is not believed.
    pub(super) fn check(
        &self,
        timestamp: Option<&str>,
        signature: Option<&str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Unproven> {
        let (timestamp, signature) = timestamp.zip(signature).ok_or(Unproven::Missing)?;
        let is_number = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let second: i64 = timestamp.parse().ok().filter(|_| is_number).ok_or(Unproven::Missing)?;
        let signature = signature.strip_prefix("v0=").and_then(unhex).ok_or(Unproven::Missing)?;
        let message = [b"v0:", timestamp.as_bytes(), b":", body].concat();
        // In a time that does not tell where they differ.
        hmac::verify(&self.key, &message, &signature).map_err(|_| Unproven::Wrong)?;
        if now.as_second().abs_diff(second) > WINDOW_SECONDS.unsigned_abs() {
            return Err(Unproven::Stale);
        }
        self.remember(second, signature, now)
    }

    fn remember(&self, second: i64, signature: [u8; 32], now: Timestamp) -> Result<(), Unproven> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // A request from the future is good for longer: nothing is forgotten before all that are older.
        while let Some((at, old)) = seen.order.front().copied()
            && at.saturating_add(WINDOW_SECONDS) < now.as_second()
        {
            seen.order.pop_front();
            seen.all.remove(&old);
        }
        if seen.all.contains(&signature) {
            return Err(Unproven::Replay);
        }
        if seen.order.len() >= MOST_REMEMBERED {
            return Err(Unproven::Flood);
        }
        seen.order.push_back((second, signature));
        seen.all.insert(signature);
        Ok(())
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|it| u8::try_from(it).ok());
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(bytes)
}

/// How far a time stamp may be from now, both ways.
const WINDOW_SECONDS: i64 = 300;
/// Requests within ten minutes; more than a workspace sends.
const MOST_REMEMBERED: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::*;

    // The example of Slack's own page.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const AT: &str = "1531420618";
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    fn signatures() -> Signatures {
        Signatures::new(&Secret::new(SECRET.to_owned()))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_531_420_618 + second).unwrap()
    }

    fn check(signatures: &Signatures, second: i64) -> Result<(), Unproven> {
        signatures.check(Some(AT), Some(SIGNATURE), BODY.as_bytes(), at(second))
    }

    #[test]
    fn slacks_own_example_is_good_within_five_minutes_and_once() {
        for second in [-300, 0, 300] {
            let signatures = signatures();
            assert_eq!(check(&signatures, second), Ok(()));
            assert_eq!(check(&signatures, second), Err(Unproven::Replay));
        }
        for second in [-301, 301] {
            assert_eq!(check(&signatures(), second), Err(Unproven::Stale));
        }
    }

    #[test]
    fn a_replay_is_a_replay_for_as_long_as_the_signature_is_good() {
        let signatures = signatures();
        assert_eq!(check(&signatures, -300), Ok(()));
        assert_eq!(check(&signatures, 300), Err(Unproven::Replay));
        assert_eq!(check(&signatures, 301), Err(Unproven::Stale));
    }

    #[test]
    fn what_is_not_signed_as_it_came_is_refused() {
        let signatures = signatures();
        let judge = |at: Option<&str>, signature: Option<&str>, body: &str| {
            signatures.check(at, signature, body.as_bytes(), self::at(0))
        };
        assert_eq!(judge(Some(AT), Some(SIGNATURE), &format!("{BODY}x")), Err(Unproven::Wrong));
        assert_eq!(judge(Some("1531420619"), Some(SIGNATURE), BODY), Err(Unproven::Wrong));
        assert_eq!(judge(Some(AT), Some(&SIGNATURE.replace("a2", "a3")), BODY), Err(Unproven::Wrong));
        for (at, signature) in [
            (None, Some(SIGNATURE)),
            (Some(AT), None),
            (Some(""), Some(SIGNATURE)),
            (Some("+1531420618"), Some(SIGNATURE)),
            (Some(AT), Some("v1=00")),
            (Some(AT), Some("v0=a2114d57")),
            (Some(AT), Some(&SIGNATURE.replace("a2", "é"))),
        ] {
            assert_eq!(judge(at, signature, BODY), Err(Unproven::Missing), "{at:?} {signature:?}");
        }
        assert_eq!(judge(Some(AT), Some(SIGNATURE), BODY), Ok(()), "what was refused is not remembered");
    }
}
