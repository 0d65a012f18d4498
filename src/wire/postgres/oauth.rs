//! OAUTHBEARER, the server's side: one message with a token, or the answer that tells where to get one.
//!
//! Source: RFC 7628, section 3; RFC 6750, section 2.1; PostgreSQL manual, "OAUTHBEARER Authentication".

use super::frame::Fields;
use crate::{model::secret::Secret, wire::WireError};

/// What the mechanism is called.
pub const MECHANISM: &str = "OAUTHBEARER";

/// The client's first message, read.
#[derive(Debug)]
pub struct ClientFirst {
    /// The token; `None` asks where to get one.
    pub token: Option<Secret<String>>,
}

impl ClientFirst {
    /// Reads the body of a SASLInitialResponse.
    ///
    /// # Errors
    /// `Malformed`, also for another mechanism, channel binding, an authorization identity, and other schemes than Bearer.
    pub fn read(body: &[u8]) -> Result<Self, WireError> {
        let mut fields = Fields::new(body, MESSAGE);
        if fields.text()? != MECHANISM {
            return Err(malformed());
        }
        let length = usize::try_from(fields.int32()?).map_err(|_| malformed())?;
        let message = fields.bytes(length)?;
        fields.end()?;
        let message = std::str::from_utf8(message).map_err(|_| malformed())?;
        let pairs = ["n,,\x01", "y,,\x01"].iter().find_map(|head| message.strip_prefix(head));
        // Each pair has its end, and so has the list of them.
        let pairs = pairs.and_then(|rest| rest.strip_suffix("\x01\x01")).ok_or_else(malformed)?;
        let mut token = None;
        for pair in pairs.split('\x01') {
            let (key, value) = pair.split_once('=').ok_or_else(malformed)?;
            if key.is_empty() || !key.bytes().all(|letter| letter.is_ascii_alphabetic()) {
                return Err(malformed());
            }
            // Others (host, port) are the client's to say and nobody's to believe.
            if key == "auth" && token.replace(bearer(value)?).is_some() {
                return Err(malformed());
            }
        }
        Ok(Self { token: token.ok_or_else(malformed)? })
    }
}

/// The token behind "Bearer"; `None` where nothing is said.
fn bearer(value: &str) -> Result<Option<Secret<String>>, WireError> {
    if value.is_empty() {
        return Ok(None);
    }
    let (scheme, token) = value.split_once(' ').ok_or_else(malformed)?;
    let token = token.trim_start_matches(' ');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let unpadded = token.trim_end_matches('=');
    let is_token = !unpadded.is_empty() && unpadded.bytes().all(plain);
    if !scheme.eq_ignore_ascii_case("bearer") || !is_token {
        return Err(malformed());
    }
    Ok(Some(Secret::new(token.to_owned())))
}

/// What a client is told that has no token, or one that is not taken: where the provider describes itself, and what to
/// ask it for.
pub fn challenge(configuration: &str, scope: &str) -> String {
    serde_json::json!({ "status": "invalid_token", "openid-configuration": configuration, "scope": scope })
        .to_string()
}

/// Reads the body of the SASLResponse to a challenge, which says nothing.
///
/// # Errors
/// `Malformed` if it does say something.
pub fn read_acknowledgement(body: &[u8]) -> Result<(), WireError> {
    if body == [1] { Ok(()) } else { Err(WireError::Malformed { message: "SASLResponse" }) }
}

const fn malformed() -> WireError {
    WireError::Malformed { message: MESSAGE }
}

const MESSAGE: &str = "SASLInitialResponse";

#[cfg(test)]
mod tests {
    use super::*;

    fn body(message: &str) -> Vec<u8> {
        let length = i32::try_from(message.len()).unwrap().to_be_bytes();
        [b"OAUTHBEARER\0".as_slice(), &length, message.as_bytes()].concat()
    }

    fn token(message: &str) -> Result<Option<String>, WireError> {
        let read = ClientFirst::read(&body(message))?;
        Ok(read.token.map(|token| token.expose().clone()))
    }

    #[test]
    fn a_token_stands_behind_its_scheme() {
        for good in [
            "n,,\x01auth=Bearer a.b-c_d~e+f/g==\x01\x01",
            "y,,\x01auth=bearer   a.b-c_d~e+f/g==\x01\x01",
            "n,,\x01host=x\x01port=1\x01auth=Bearer a.b-c_d~e+f/g==\x01\x01",
        ] {
            assert_eq!(token(good).unwrap().as_deref(), Some("a.b-c_d~e+f/g=="), "{good:?}");
        }
        assert_eq!(token("n,,\x01auth=\x01\x01"), Ok(None));
    }

    #[test]
    fn what_is_not_as_the_mechanism_says_is_refused() {
        for bad in [
            "",
            "n,,",
            "n,,\x01\x01",
            "n,,\x01auth=Bearer t\x01",
            "n,,auth=Bearer t\x01\x01",
            "p=tls-server-end-point,,\x01auth=Bearer t\x01\x01",
            "n,a=dana,\x01auth=Bearer t\x01\x01",
            "n,,\x01auth=Bearer t\x01auth=Bearer u\x01\x01",
            "n,,\x01auth=\x01auth=Bearer u\x01\x01",
            "n,,\x01auth=Basic t\x01\x01",
            "n,,\x01auth=Bearer\x01\x01",
            "n,,\x01auth=Bearer =\x01\x01",
            "n,,\x01auth=Bearer a b\x01\x01",
            "n,,\x01auth=Bearer a=b\x01\x01",
            "n,,\x01au1h=x\x01auth=Bearer t\x01\x01",
            "n,,\x01=x\x01auth=Bearer t\x01\x01",
            "n,,\x01auth=Bearer t\x01\x01\x01",
        ] {
            assert!(token(bad).is_err(), "{bad:?}");
        }
        assert!(ClientFirst::read(b"OAUTHBEARER\0\xff\xff\xff\xff").is_err());
        assert!(ClientFirst::read(&[body("n,,\x01auth=\x01\x01"), vec![0]].concat()).is_err());
        assert!(ClientFirst::read(b"SCRAM-SHA-256\0\0\0\0\x01n").is_err());
    }

    #[test]
    fn a_refused_client_says_nothing_more() {
        assert!(read_acknowledgement(&[1]).is_ok());
        assert!(read_acknowledgement(&[]).is_err() && read_acknowledgement(b"\x01\x01").is_err());
        let told: serde_json::Value = serde_json::from_str(&challenge("https://id/\"", "openid")).unwrap();
        assert_eq!(told["openid-configuration"], "https://id/\"");
    }
}
