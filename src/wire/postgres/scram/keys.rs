//! From a password to what a server keeps of it, and back to a yes or no.

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest, hmac, pbkdf2};
use zeroize::Zeroizing;

use crate::model::{principal::ScramKeys, secret::Secret};

/// PBKDF2 rounds of keys that are made, and of salts that are made up. Source: RFC 7677, section 4.
pub const DEFAULT_ITERATIONS: u32 = 4096;

/// Length of a salt that is made, or made up.
pub const SALT_BYTES: usize = 16;

/// What a server keeps of `password`: SASLprep'd if that is possible, as it is otherwise, like PostgreSQL.
///
/// Takes about a millisecond for 4,096 `iterations` (0 counts as 1).
pub fn scram_keys(password: &[u8], salt: &[u8], iterations: u32) -> ScramKeys {
    let salted = salted_password(password, salt, iterations);
    let key = hmac::Key::new(hmac::HMAC_SHA256, salted.as_ref());
    let client_key = mac(&key, b"Client Key");
    ScramKeys {
        stored_key: Secret::new(hash(client_key.as_ref())),
        server_key: Secret::new(*mac(&key, b"Server Key")),
    }
}

/// Which of `keys`, all made with this salt and these rounds, `password` is of. The work does not depend on the answer.
pub fn matching_password(
    password: &[u8],
    salt: &[u8],
    iterations: u32,
    keys: &[&ScramKeys],
) -> Option<usize> {
    let shown = scram_keys(password, salt, iterations);
    first_match(keys.iter().map(|keys| same(shown.stored_key.expose(), keys.stored_key.expose())))
}

/// A salt for a name that has none: always the same for one name, and nothing tells it from a real one.
pub fn mock_salt(secret: &[u8], name: &str) -> [u8; SALT_BYTES] {
    let tag = mac(&hmac::Key::new(hmac::HMAC_SHA256, secret), name.as_bytes());
    let mut salt = [0; SALT_BYTES];
    salt.iter_mut().zip(tag.iter()).for_each(|(to, from)| *to = *from);
    salt
}

/// The first yes, after all have been asked.
pub(super) fn first_match(answers: impl Iterator<Item = bool>) -> Option<usize> {
    answers.enumerate().fold(None, |found, (at, yes)| if found.is_none() && yes { Some(at) } else { found })
}

pub(super) fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    verify_slices_are_equal(one, other).is_ok()
}

pub(super) fn mac(key: &hmac::Key, data: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    out.iter_mut().zip(hmac::sign(key, data).as_ref()).for_each(|(to, from)| *to = *from);
    out
}

pub(super) fn hash(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.iter_mut().zip(digest::digest(&digest::SHA256, data).as_ref()).for_each(|(to, from)| *to = *from);
    out
}

fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> Zeroizing<[u8; 32]> {
    let prepared = std::str::from_utf8(password).ok().and_then(|text| stringprep::saslprep(text).ok());
    let prepared =
        Zeroizing::new(prepared.map_or_else(|| password.to_vec(), |text| text.into_owned().into_bytes()));
    let mut out = Zeroizing::new([0; 32]);
    let rounds = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, &prepared, out.as_mut());
    out
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, Engine};

    use super::*;

    #[test]
    fn keys_are_those_that_postgresql_makes() {
        // CREATE ROLE … PASSWORD 'pencil' with the salt of RFC 7677, section 3.
        let salt = BASE64_STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let keys = scram_keys(b"pencil", &salt, 4096);
        assert_eq!(
            BASE64_STANDARD.encode(keys.stored_key.expose()),
            "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
        );
        assert_eq!(
            BASE64_STANDARD.encode(keys.server_key.expose()),
            "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }

    #[test]
    fn passwords_that_are_prepared_to_the_same_text_are_one_and_others_are_not() {
        let keys = |password: &str| scram_keys(password.as_bytes(), b"salt", 1);
        // Examples of RFC 4013, section 3: soft hyphen goes, ligatures are spread.
        assert_eq!(keys("I\u{ad}X"), keys("IX"));
        assert_eq!(keys("\u{2168}"), keys("IX"));
        assert_ne!(keys("user"), keys("USER"));
        // Forbidden in SASLprep, so taken as it is.
        assert_ne!(keys("a\u{7}"), keys("a"));
        assert_ne!(scram_keys(b"\xff", b"salt", 1), scram_keys(b"\xfe", b"salt", 1));
    }

    #[test]
    fn a_password_is_found_among_several_keys() {
        let made = ["one", "two", "three"].map(|it| scram_keys(it.as_bytes(), b"salt", 2));
        let keys = made.iter().collect::<Vec<_>>();
        assert_eq!(matching_password(b"two", b"salt", 2, &keys), Some(1));
        assert_eq!(matching_password(b"four", b"salt", 2, &keys), None);
        assert_eq!(matching_password(b"two", b"tlas", 2, &keys), None);
        assert_eq!(matching_password(b"two", b"salt", 2, &[]), None);
    }

    #[test]
    fn a_made_up_salt_is_stable_by_name_and_differs_between_names_and_secrets() {
        assert_eq!(mock_salt(b"s", "dana"), mock_salt(b"s", "dana"));
        assert_ne!(mock_salt(b"s", "dana"), mock_salt(b"s", "dave"));
        assert_ne!(mock_salt(b"s", "dana"), mock_salt(b"t", "dana"));
    }
}
