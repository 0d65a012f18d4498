//! What is given to a client so that it comes back unread and unchanged: logins under way, sessions of browsers.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hmac, rand,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::error::IdentityError;
use crate::model::secret::Secret;

/// Seals and opens what clients keep for us.
pub struct Seal(RandomizedNonceKey);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Seal").finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Content<T> {
    until: Timestamp,
    state: T,
}

impl Seal {
    /// One whose seals all gateways with the same `secret` open.
    ///
    /// # Errors
    /// `Random`.
    pub fn new(secret: &Secret<[u8; 32]>) -> Result<Self, IdentityError> {
        // The secret has other uses: each has a key of its own.
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.expose()), b"tidegate login state 1");
        RandomizedNonceKey::new(&AES_256_GCM, key.as_ref()).map(Self).map_err(|_| IdentityError::Random)
    }

    /// `state` as text that only [`Self::open`] reads, for the same `kind` and before `until`.
    ///
    /// # Errors
    /// `Random`; `NoSuchLogin` for what has no form as JSON.
    pub fn close(
        &self,
        kind: &'static str,
        state: &impl Serialize,
        until: Timestamp,
    ) -> Result<String, IdentityError> {
        let mut bytes =
            serde_json::to_vec(&Content { until, state }).map_err(|_| IdentityError::NoSuchLogin)?;
        let nonce = self.0.seal_in_place_append_tag(Aad::from(kind), &mut bytes);
        let mut sealed = nonce.map_err(|_| IdentityError::Random)?.as_ref().to_vec();
        sealed.append(&mut bytes);
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// What was sealed.
    ///
    /// # Errors
    /// `NoSuchLogin` for what was not sealed here, is over, or of another kind.
    pub fn open<T: DeserializeOwned>(
        &self,
        kind: &'static str,
        sealed: &str,
        now: Timestamp,
    ) -> Result<T, IdentityError> {
        let none = || IdentityError::NoSuchLogin;
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| none())?;
        let (nonce, rest) = bytes.split_at_mut_checked(NONCE_LEN).ok_or_else(none)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| none())?;
        let opened = self.0.open_in_place(nonce, Aad::from(kind), rest).map_err(|_| none())?;
        let content: Content<T> = serde_json::from_slice(opened).map_err(|_| none())?;
        if content.until <= now { Err(none()) } else { Ok(content.state) }
    }
}

/// 256 random bits, URL-safe.
pub(super) fn random() -> Result<String, IdentityError> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| IdentityError::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_once_more_before_its_end_and_for_its_own_kind() {
        let seal = Seal::new(&Secret::new([7; 32])).unwrap();
        let (now, end) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(10).unwrap());
        let sealed = seal.close("device", &"code", end).unwrap();
        assert!(!sealed.contains("code"));
        assert_eq!(seal.open::<String>("device", &sealed, now).unwrap(), "code");
        assert!(seal.open::<String>("browser", &sealed, now).is_err());
        assert!(seal.open::<String>("device", &sealed, end).is_err());
        let other = Seal::new(&Secret::new([8; 32])).unwrap();
        assert!(other.open::<String>("device", &sealed, now).is_err());
        for at in [0, sealed.len() / 2, sealed.len() - 2] {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(seal.open::<String>("device", &changed, now).is_err(), "{at}");
        }
        assert!(seal.open::<String>("device", "", now).is_err());
    }
}
