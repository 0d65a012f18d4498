//! People of an identity provider, and how the data plane asks about their tokens.

use std::{fmt, future::Future, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use serde::Serialize;

use super::{principal::Principal, secret::Secret};

/// Whom an identity provider means, however they are called: the name may be given to somebody else, this is not.
///
/// Source: OpenID Connect Core 1.0, section 5.7 ("Claim Stability and Uniqueness").
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Subject {
    /// Which provider.
    pub issuer: Arc<str>,
    /// Whom.
    pub subject: Arc<str>,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" of {}", self.subject.escape_debug(), self.issuer)
    }
}

/// An identity provider that speaks OpenID Connect, and what is believed of it.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// Its identifier, exactly as it stands in its tokens; below it is its description.
    pub issuer: String,
    /// What the gateway is called there.
    pub client_id: String,
    /// What the gateway proves itself with there; none for a public client.
    pub client_secret: Option<Secret<String>>,
    /// Tokens that somebody brings along are for one of these; at least one.
    pub audiences: Vec<String>,
    /// Other clients that may have got such a token, beside the gateway.
    pub parties: Vec<String>,
    /// What is asked for at a login; `openid` among them.
    pub scopes: Vec<String>,
    /// The claim that names the principal, letter by letter.
    pub principal_claim: String,
    /// The claim that lists groups; those that policy has count.
    pub groups_claim: Option<String>,
    /// Whether somebody who is not known yet is added at the first login.
    pub creates: bool,
    /// Where a browser may be sent back to, beside loopback addresses.
    pub redirects: Vec<String>,
    /// Authorities (PEM) of its certificate; without them the system's.
    pub ca: Option<PathBuf>,
    /// Its keys are not fetched more often than this for the sake of a token whose key is unknown.
    pub refetch: Duration,
}

/// What clients are told that have to find a token first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhereTokensComeFrom {
    /// Address of the provider's description.
    pub configuration: String,
    /// What to ask it for, with blanks between.
    pub scope: String,
}

/// Somebody whom a token let in.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// Who, as the present Snapshot has them.
    pub principal: Arc<Principal>,
    /// Whom the provider means.
    pub subject: Subject,
}

/// Why a token lets nobody in; for the auditor, never for the client. Holds nothing of the token that is secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TokenRefused(pub String);

/// Whoever knows the identity provider.
pub trait AdmitTokens: fmt::Debug + Send + Sync + 'static {
    /// Judges a token that was given as the proof of being `principal`, and brings up to date what it says of them.
    fn admit<'a>(
        &'a self,
        token: &'a str,
        principal: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Admitted, TokenRefused>> + Send + 'a>>;

    /// What clients are told that have no token yet.
    fn source(&self) -> WhereTokensComeFrom;
}

/// Whether `text` has the outer form of a signed token: three parts of base64url, the first of which begins as JSON
/// does. Passwords that look so are taken for tokens.
///
/// Source: RFC 7515, section 3.1 ("JWS Compact Serialization Overview").
pub fn looks_like_token(text: &[u8]) -> bool {
    let parts: Vec<&[u8]> = text.splitn(4, |byte| *byte == b'.').collect();
    let plain = |part: &[u8]| {
        !part.is_empty()
            && part.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    // An empty signature is a token, too: one that is refused as such.
    let [header, claims, signature] = parts.as_slice() else { return false };
    text.starts_with(b"eyJ") && plain(header) && plain(claims) && (signature.is_empty() || plain(signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_three_parts_and_begins_as_json_does() {
        for token in ["eyJh.eyJi.c2ln", "eyJh.eyJi.", "eyJh.e-_0.x"] {
            assert!(looks_like_token(token.as_bytes()), "{token}");
        }
        for other in
            ["", "eyJ", "eyJh.eyJi", "eyJh.eyJi.a.b", "tgt_a.b.c", "eyJh..x", "eyJh.b c.d", "eyJh.b=.d"]
        {
            assert!(!looks_like_token(other.as_bytes()), "{other}");
        }
    }
}
