//! The key under which texts and literals are hashed.

use std::fmt::{self, Write as _};

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

use super::AuditError;
use crate::model::secret::Secret;

/// The key under which texts and literals are hashed: whoever has it can look for a value, nobody else can try values.
#[derive(Clone)]
pub struct TextKey(Key);

impl TextKey {
    /// The key that a secret is.
    ///
    /// # Errors
    /// `Filter` for one that could be guessed: shorter than [`Self::LEAST_BYTES`].
    pub fn of_secret(secret: &Secret<String>) -> Result<Self, AuditError> {
        if secret.expose().len() < Self::LEAST_BYTES {
            let problem = format!("it has fewer than {} characters", Self::LEAST_BYTES);
            return Err(AuditError::Filter { field: "key", problem });
        }
        Ok(Self::new(secret.expose().as_bytes()))
    }

    pub(super) fn new(bytes: &[u8]) -> Self {
        Self(Key::new(HMAC_SHA256, bytes))
    }

    /// What stands in the place of a whole text.
    pub fn of_text(&self, text: &str) -> String {
        self.hex("hmac-sha256:", text, usize::MAX)
    }

    /// What stands, between quotation marks, in the place of a literal of this value: `#` and the first 20 hexadecimal
    /// digits of HMAC-SHA-256 of its value. Among a thousand million values, one of a million logs has two of the same.
    pub fn of_literal(&self, value: &str) -> String {
        self.hex("#", value, LITERAL_BYTES)
    }

    fn hex(&self, before: &str, text: &str, bytes: usize) -> String {
        let mut out = before.to_owned();
        for byte in sign(&self.0, text.as_bytes()).as_ref().iter().take(bytes) {
            // Writing to a text cannot fail.
            let _written = write!(out, "{byte:02x}");
        }
        out
    }

    /// Bytes of the shortest secret.
    pub const LEAST_BYTES: usize = 32;
}

impl fmt::Debug for TextKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TextKey")
    }
}

const LITERAL_BYTES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_named_as_openssl_reckons_it() {
        let key = TextKey::of_secret(&Secret::new("0123456789abcdef0123456789abcdef".to_owned())).unwrap();
        // printf Ann | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        assert_eq!(key.of_literal("Ann"), "#61bfb7a5d2485cfedfd1");
        assert_ne!(key.of_literal("Ann"), key.of_literal("ann"));
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_no_key() {
        assert!(TextKey::of_secret(&Secret::new("a".repeat(31))).is_err());
        assert!(TextKey::of_secret(&Secret::new("a".repeat(32))).is_ok());
    }
}
