//! SCRAM, the client's side, without binding to the channel: brokers have none.
//!
//! Names and passwords are taken as they are, as brokers do; they are not prepared.
//!
//! Source: RFC 5802, RFC 7677.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2, rand};
use base64::prelude::{BASE64_STANDARD, Engine};
use zeroize::Zeroizing;

use crate::model::secret::Secret;

/// The hash that the exchange rests on.
#[derive(Clone, Copy, Debug)]
pub(super) enum ScramHash {
    Sha256,
    Sha512,
}

/// An exchange whose first message is made.
#[derive(Debug)]
pub(super) struct Scram {
    hash: ScramHash,
    nonce: String,
    /// The first message without its head.
    bare: String,
}

/// What the server must say to have proved that it knows the password, too.
pub(super) struct Expected {
    key: hmac::Key,
    authenticated: String,
}

impl Scram {
    /// Random letters, new for every exchange.
    pub(super) fn nonce() -> Result<String, &'static str> {
        let mut bytes = [0; 24];
        rand::fill(&mut bytes).map_err(|_| "this machine has no random numbers")?;
        Ok(BASE64_STANDARD.encode(bytes))
    }

    /// The exchange and its first message.
    pub(super) fn begin(hash: ScramHash, user: &str, nonce: String) -> (Self, String) {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let bare = format!("n={user},r={nonce}");
        let message = format!("n,,{bare}");
        (Self { hash, nonce, bare }, message)
    }

    /// The proof that answers the server's first message.
    ///
    /// # Errors
    /// What is wrong with that message.
    pub(super) fn prove(
        self,
        answer: &[u8],
        password: &Secret<String>,
    ) -> Result<(String, Expected), &'static str> {
        let answer = std::str::from_utf8(answer).map_err(|_| UNREADABLE)?;
        let mut parts = answer.split(',');
        let mut part = |name: &str| parts.next().and_then(|part| part.strip_prefix(name)).ok_or(UNREADABLE);
        let (nonce, salt, rounds) = (part("r=")?, part("s=")?, part("i=")?);
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("its nonce does not continue ours");
        }
        let salt = BASE64_STANDARD.decode(salt).map_err(|_| UNREADABLE)?;
        let rounds = rounds.parse::<u32>().ok().filter(|rounds| ROUNDS.contains(rounds));
        let rounds = rounds.and_then(NonZeroU32::new).ok_or("it asks for too few rounds, or too many")?;
        let salted = self.salted(password, &salt, rounds);
        let without_proof = format!("c=biws,r={nonce}");
        let authenticated = format!("{},{answer},{without_proof}", self.bare);
        let key = |name: &[u8]| self.mac(salted.as_slice(), name);
        let mut proof = Zeroizing::new(key(b"Client Key").as_ref().to_vec());
        let stored = digest::digest(self.digest(), proof.as_slice());
        let signature = self.mac(stored.as_ref(), authenticated.as_bytes());
        proof.iter_mut().zip(signature.as_ref()).for_each(|(byte, mask)| *byte ^= mask);
        let message = format!("{without_proof},p={}", BASE64_STANDARD.encode(proof.as_slice()));
        let key = hmac::Key::new(self.algorithm(), key(b"Server Key").as_ref());
        Ok((message, Expected { key, authenticated }))
    }

    fn salted(&self, password: &Secret<String>, salt: &[u8], rounds: NonZeroU32) -> Zeroizing<Vec<u8>> {
        let (algorithm, length) = match self.hash {
            ScramHash::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN),
            ScramHash::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, digest::SHA512_OUTPUT_LEN),
        };
        let mut salted = Zeroizing::new(vec![0; length]);
        pbkdf2::derive(algorithm, rounds, salt, password.expose().as_bytes(), &mut salted);
        salted
    }

    fn mac(&self, key: &[u8], message: &[u8]) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(self.algorithm(), key), message)
    }

    const fn algorithm(&self) -> hmac::Algorithm {
        match self.hash {
            ScramHash::Sha256 => hmac::HMAC_SHA256,
            ScramHash::Sha512 => hmac::HMAC_SHA512,
        }
    }

    const fn digest(&self) -> &'static digest::Algorithm {
        match self.hash {
            ScramHash::Sha256 => &digest::SHA256,
            ScramHash::Sha512 => &digest::SHA512,
        }
    }
}

impl Expected {
    /// # Errors
    /// What is wrong with the server's last message.
    pub(super) fn check(&self, answer: &[u8]) -> Result<(), &'static str> {
        let signature = answer.strip_prefix(b"v=").ok_or(UNREADABLE)?;
        let signature = BASE64_STANDARD.decode(signature).map_err(|_| UNREADABLE)?;
        hmac::verify(&self.key, self.authenticated.as_bytes(), &signature)
            .map_err(|_| "it does not know the password itself")
    }
}

const UNREADABLE: &str = "its answer cannot be read";
/// Fewer protect nothing; more would only keep us busy.
const ROUNDS: std::ops::RangeInclusive<u32> = 4_096..=1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677, section 3.
    #[test]
    fn the_exchange_is_the_one_of_the_standard() {
        let (scram, first) = Scram::begin(ScramHash::Sha256, "user", "rOprNGfwEbeRWgbNEkqO".to_owned());
        assert_eq!(first, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let answer =
            b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let (proof, expected) = scram.prove(answer, &Secret::new("pencil".to_owned())).unwrap();
        assert_eq!(
            proof,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        expected.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
        assert!(expected.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=").is_err());
        assert!(expected.check(b"e=other-error").is_err());
    }

    #[test]
    fn a_server_that_does_not_continue_our_nonce_or_wants_few_or_endless_rounds_gets_no_proof() {
        for (answer, is_fine) in [
            ("r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", true),
            ("r=abc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", false),
            ("r=xyzdef,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", false),
            ("r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095", false),
            ("r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4000000000", false),
            ("r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gQ==", false),
            ("m=abcdef", false),
        ] {
            let (scram, first) = Scram::begin(ScramHash::Sha512, "a=b,c", "abc".to_owned());
            assert_eq!(first, "n,,n=a=3Db=2Cc,r=abc");
            let proved = scram.prove(answer.as_bytes(), &Secret::new("pencil".to_owned()));
            assert_eq!(proved.is_ok(), is_fine, "{answer}");
        }
    }
}
