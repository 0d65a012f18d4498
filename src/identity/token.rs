//! The outside of a token: its size and its header.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde::Deserialize;

use super::error::TokenProblem;

/// What a token says of its own signature; nothing of it is believed, it only chooses the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) key: Option<String>,
}

#[derive(Deserialize)]
struct Written {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
}

/// Reads the header of `token`. Keys and addresses of keys that it may hold (`jwk`, `jku`, `x5u`, `x5c`) are not looked
/// at.
///
/// Source: RFC 7515, section 4; RFC 8725, sections 3.1 and 3.11; RFC 9068, section 2.1.
///
/// # Errors
/// `TooLong`, `Malformed`, `Algorithm`, `Critical`, `Type`.
pub(super) fn header(token: &str) -> Result<Header, TokenProblem> {
    if token.len() > MOST_TOKEN_BYTES {
        return Err(TokenProblem::TooLong);
    }
    let mut parts = token.split('.');
    let (Some(head), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(TokenProblem::Malformed);
    };
    let head = URL_SAFE_NO_PAD.decode(head).map_err(|_| TokenProblem::Malformed)?;
    let Written { alg, kid, typ, crit } =
        serde_json::from_slice(&head).map_err(|_| TokenProblem::Malformed)?;
    let algorithm = match alg.as_str() {
        "EdDSA" => Algorithm::EdDSA,
        "ES256" => Algorithm::ES256,
        "PS256" => Algorithm::PS256,
        "RS256" => Algorithm::RS256,
        // closed: "none", HMAC with a key that everybody may know, and whatever comes to be.
        _ => return Err(TokenProblem::Algorithm(alg.chars().take(20).collect())),
    };
    if crit.is_some() {
        return Err(TokenProblem::Critical);
    }
    if let Some(typ) = typ {
        let typ = typ.to_ascii_lowercase();
        if !matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt") {
            // closed: a logout token or a proof of possession is signed by the same keys.
            return Err(TokenProblem::Type);
        }
    }
    Ok(Header { algorithm, key: kid })
}

/// The longest token: what fits into one message of a PostgreSQL login.
pub(super) const MOST_TOKEN_BYTES: usize = 15 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> Result<Header, TokenProblem> {
        header(&format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(head)))
    }

    #[test]
    fn four_algorithms_are_taken_and_none_besides() {
        for (alg, algorithm) in [
            ("RS256", Algorithm::RS256),
            ("PS256", Algorithm::PS256),
            ("ES256", Algorithm::ES256),
            ("EdDSA", Algorithm::EdDSA),
        ] {
            let head = format!(r#"{{"alg":"{alg}","kid":"k"}}"#);
            assert_eq!(read(&head), Ok(Header { algorithm, key: Some("k".to_owned()) }));
        }
        for alg in ["none", "None", "HS256", "HS512", "RS1", "rs256", "ES512", ""] {
            let refused = read(&format!(r#"{{"alg":"{alg}"}}"#));
            assert_eq!(refused, Err(TokenProblem::Algorithm(alg.to_owned())), "{alg}");
        }
    }

    #[test]
    fn what_is_no_login_token_is_told_by_its_header() {
        for (head, problem) in [
            (r#"{"alg":"RS256","crit":["exp"]}"#, TokenProblem::Critical),
            (r#"{"alg":"RS256","typ":"logout+jwt"}"#, TokenProblem::Type),
            (r#"{"alg":"RS256","typ":"dpop+jwt"}"#, TokenProblem::Type),
            (r#"{"alg":"RS256","alg":"none"}"#, TokenProblem::Malformed),
            (r#"{"kid":"k"}"#, TokenProblem::Malformed),
            ("[]", TokenProblem::Malformed),
        ] {
            assert_eq!(read(head), Err(problem), "{head}");
        }
        for typ in ["JWT", "at+jwt", "application/at+jwt"] {
            assert!(read(&format!(r#"{{"alg":"RS256","typ":"{typ}"}}"#)).is_ok(), "{typ}");
        }
    }

    #[test]
    fn a_token_has_three_parts_and_an_end() {
        for text in ["", "a.b", "a.b.c.d", "!!.e30.x"] {
            assert_eq!(header(text), Err(TokenProblem::Malformed), "{text}");
        }
        let long = format!("{}.e30.x", "e".repeat(MOST_TOKEN_BYTES));
        assert_eq!(header(&long), Err(TokenProblem::TooLong));
    }
}
