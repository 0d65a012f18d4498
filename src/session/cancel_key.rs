//! The key by which a client stops, over another connection, what its session runs.

use aws_lc_rs::{constant_time, digest, rand};

use crate::model::{errand::KeyProof, secret::Secret};

/// A session's key, or none: then nothing is the right one.
#[derive(Debug)]
pub(super) struct CancelKey {
    bytes: Secret<Vec<u8>>,
    is_good: bool,
}

impl CancelKey {
    /// Bytes of a key of PostgreSQL's protocol 3.0.
    pub(super) const SHORT_BYTES: usize = 4;
    /// Bytes of one of protocol 3.2, which takes 256 at most.
    pub(super) const LONG_BYTES: usize = 32;

    /// A random key of so many bytes. Without randomness none is the right one: cancel fails, nothing is opened.
    pub(super) fn random(bytes: usize) -> Self {
        let mut key = vec![0; bytes];
        let is_good = rand::fill(&mut key).is_ok();
        Self { bytes: Secret::new(key), is_good }
    }

    /// For clients that stop things in another way.
    pub(super) const fn none() -> Self {
        Self { bytes: Secret::new(Vec::new()), is_good: false }
    }

    /// What the client is given.
    pub(super) fn expose(&self) -> &[u8] {
        self.bytes.expose()
    }

    /// Whether `shown` is it; takes the same time wherever they differ.
    pub(super) fn is(&self, shown: &[u8]) -> bool {
        self.is_good && constant_time::verify_slices_are_equal(self.expose(), shown).is_ok()
    }

    /// Whether `proof` is of this key and of this session; takes the same time wherever they differ.
    pub(super) fn is_proved(&self, session: i32, proof: &KeyProof) -> bool {
        let own = prove(session, self.expose());
        self.is_good && constant_time::verify_slices_are_equal(&own.0, &proof.0).is_ok()
    }
}

/// What proves `key` of the session with this number.
pub(super) fn prove(session: i32, key: &[u8]) -> KeyProof {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&session.to_be_bytes());
    context.update(key);
    let mut proof = [0; 32];
    proof.copy_from_slice(context.finish().as_ref());
    KeyProof(proof)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_key_is_the_right_one_and_is_proved_for_its_own_session() {
        let key = CancelKey::random(CancelKey::LONG_BYTES);
        let shown = key.expose().to_vec();
        assert!(key.is(&shown) && key.is_proved(7, &prove(7, &shown)));
        assert!(!key.is_proved(8, &prove(7, &shown)));
        for at in 0..shown.len() {
            let mut wrong = shown.clone();
            wrong[at] ^= 1;
            assert!(!key.is(&wrong) && !key.is_proved(7, &prove(7, &wrong)), "{at}");
        }
        assert!(!key.is(&shown[..CancelKey::SHORT_BYTES]) && !key.is(&[]));
    }

    #[test]
    fn a_session_without_a_key_takes_none() {
        let none = CancelKey::none();
        assert!(!none.is(&[]) && !none.is(&[0; 4]));
        assert!(!none.is_proved(7, &prove(7, &[])));
    }
}
