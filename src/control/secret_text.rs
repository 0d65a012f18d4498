//! Random secrets, and what is kept of them.

use aws_lc_rs::{constant_time, digest, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::error::ControlError;
use crate::model::secret::Secret;

/// `prefix` and 256 random bits, URL-safe.
pub(super) fn random_text(prefix: &str) -> Result<Secret<String>, ControlError> {
    let bytes = Secret::new(random::<32>()?);
    Ok(Secret::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes.expose()))))
}

/// Random bytes of the operating system's quality.
pub(super) fn random<const N: usize>() -> Result<[u8; N], ControlError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| ControlError::Random)?;
    Ok(bytes)
}

/// What is kept of a service key.
pub(super) fn sha256(text: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

/// Whether both are equal, in a time that does not tell where they differ.
pub(super) fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    constant_time::verify_slices_are_equal(one, other).is_ok()
}
