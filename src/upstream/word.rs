//! Words of the gateway's own texts that may stand without quotes.

use super::error::UpstreamError;

/// `name`, if it is a word that means itself wherever it stands: the name of a setting, or a part of it.
///
/// # Errors
/// `Misuse` for anything else.
pub(super) fn word(name: &str) -> Result<&str, UpstreamError> {
    if name.is_empty() || !name.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_') {
        return Err(UpstreamError::Misuse {
            what: "the name of a setting has other letters than a-z, 0-9, _",
        });
    }
    Ok(name)
}
