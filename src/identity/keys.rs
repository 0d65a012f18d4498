//! A provider's keys, and whether one of them signed a token.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

use super::{claims::Claims, error::TokenProblem, token::Header};

/// The public keys of a provider.
#[derive(Clone, Debug, Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

#[derive(Clone, Debug)]
struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

/// One key as it is published; what is not listed is not looked at.
///
/// Source: RFC 7517, section 4; RFC 7518, section 6; RFC 8037, section 2.
#[derive(Deserialize)]
struct Published {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a JWK Set; keys that sign nothing that is taken here are left out. `None` when it is none, or too large.
    pub(super) fn read(document: &[u8]) -> Option<Self> {
        let Document { keys } = serde_json::from_slice(document).ok()?;
        if keys.len() > MOST_KEYS {
            return None;
        }
        Some(Self { keys: keys.into_iter().filter_map(read_key).collect() })
    }

    /// How many sign something that is taken here.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is a key for a token with this header.
    pub(super) fn has(&self, header: &Header) -> bool {
        self.find(header).is_some()
    }

    /// The key that is named; where none is named, the only one that it can be.
    fn find(&self, header: &Header) -> Option<&Key> {
        let mut fitting = self.keys.iter().filter(|key| {
            key.algorithms.contains(&header.algorithm) && (header.key.is_none() || key.id == header.key)
        });
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Some(key),
            // closed: a token that does not say which of several keys signed it
            (Some(_), Some(_)) | (None, _) => None,
        }
    }

    /// The claims of `token`, if the key that its header names signed it. What they say is not looked at.
    ///
    /// # Errors
    /// `UnknownKey`, `Signature`, `Malformed`.
    pub(super) fn claims(&self, token: &str, header: &Header) -> Result<Claims, TokenProblem> {
        let key = self.find(header).ok_or(TokenProblem::UnknownKey)?;
        let mut only = Validation::new(header.algorithm);
        // Time and names are judged by us, with our clock and all the claims that matter.
        only.required_spec_claims.clear();
        only.validate_exp = false;
        only.validate_aud = false;
        let data = decode::<Claims>(token, &key.decoding, &only).map_err(|error| match error.kind() {
            jsonwebtoken::errors::ErrorKind::InvalidSignature => TokenProblem::Signature,
            _ => TokenProblem::Malformed,
        })?;
        Ok(data.claims)
    }
}

fn read_key(value: serde_json::Value) -> Option<Key> {
    let key: Published = serde_json::from_value(value).ok()?;
    let for_encryption = key.used_for.as_ref().is_some_and(|used_for| used_for != "sig");
    let not_to_verify = key.key_ops.as_ref().is_some_and(|all| !all.iter().any(|it| it == "verify"));
    if for_encryption || not_to_verify {
        return None;
    }
    let (possible, decoding) = match (key.kty.as_str(), key.crv.as_deref()) {
        ("RSA", _) => {
            let (n, e) = (bytes(key.n.as_ref()?)?, bytes(key.e.as_ref()?)?);
            // closed: a key that can be factored
            let length = n.iter().skip_while(|byte| **byte == 0).count();
            if !(RSA_BYTES).contains(&length) || e.is_empty() {
                return None;
            }
            (vec![Algorithm::RS256, Algorithm::PS256], DecodingKey::from_rsa_raw_components(&n, &e))
        }
        ("EC", Some("P-256")) => {
            let (x, y) = (key.x.as_ref()?, key.y.as_ref()?);
            if bytes(x)?.len() != 32 || bytes(y)?.len() != 32 {
                return None;
            }
            (vec![Algorithm::ES256], DecodingKey::from_ec_components(x, y).ok()?)
        }
        ("OKP", Some("Ed25519")) => {
            let x = key.x.as_ref()?;
            if bytes(x)?.len() != 32 {
                return None;
            }
            (vec![Algorithm::EdDSA], DecodingKey::from_ed_components(x).ok()?)
        }
        // closed: secrets, other curves, and whatever comes to be
        _ => return None,
    };
    let algorithms = match key.alg {
        Some(alg) => possible.into_iter().filter(|it| format!("{it:?}") == alg).collect(),
        None => possible,
    };
    Some(Key { id: key.kid, algorithms, decoding })
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

const MOST_KEYS: usize = 100;
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn set(keys: &str) -> KeySet {
        KeySet::read(format!(r#"{{"keys":[{keys}]}}"#).as_bytes()).unwrap()
    }

    fn rsa(more: &str) -> String {
        format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"{more}}}"#, URL_SAFE_NO_PAD.encode([0xc1; 256]))
    }

    fn has(keys: &KeySet, algorithm: Algorithm, key: Option<&str>) -> bool {
        keys.has(&Header { algorithm, key: key.map(str::to_owned) })
    }

    #[test]
    fn a_key_is_found_by_its_name_and_only_for_what_it_signs() {
        let keys = set(&[rsa(r#","kid":"a","alg":"RS256""#), rsa(r#","kid":"b""#)].join(","));
        assert!(has(&keys, Algorithm::RS256, Some("a")) && has(&keys, Algorithm::PS256, Some("b")));
        assert!(!has(&keys, Algorithm::PS256, Some("a")), "the key is for RS256 alone");
        assert!(!has(&keys, Algorithm::ES256, Some("a")) && !has(&keys, Algorithm::RS256, Some("c")));
    }

    #[test]
    fn without_a_name_there_must_be_one_key_alone() {
        assert!(has(&set(&rsa("")), Algorithm::RS256, None));
        assert!(!has(&set(&[rsa(""), rsa(r#","kid":"b""#)].join(",")), Algorithm::RS256, None));
    }

    #[test]
    fn secrets_weak_keys_and_keys_for_other_things_are_left_out() {
        let weak = format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#, URL_SAFE_NO_PAD.encode([0xc1; 128]));
        let padded = [vec![0; 200], vec![0xc1; 128]].concat();
        let padded = format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#, URL_SAFE_NO_PAD.encode(padded));
        for key in [
            weak,
            padded,
            rsa(r#","use":"enc""#),
            rsa(r#","key_ops":["encrypt"]"#),
            r#"{"kty":"oct","k":"c2VjcmV0","alg":"HS256"}"#.to_owned(),
            r#"{"kty":"EC","crv":"P-521","x":"AA","y":"AA"}"#.to_owned(),
            r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#.to_owned(),
            r#"{"kty":"new","alg":"RS256"}"#.to_owned(),
        ] {
            for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA, Algorithm::HS256] {
                assert!(!has(&set(&key), algorithm, None), "{key}");
            }
        }
        assert!(KeySet::read(b"[]").is_none());
    }
}
