//! Proofs of passwords: how each authentication method makes and checks them.
//!
//! Source: MySQL source documentation, "Authentication Methods", "Caching_sha2_password information".

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest,
    encoding::AsDer,
    rsa::{
        KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
        PublicEncryptingKey,
    },
};
use base64::prelude::{BASE64_STANDARD, Engine};
use zeroize::{Zeroize, Zeroizing};

use super::greeting::Nonce;
use crate::{
    model::{principal::NativeKey, secret::Secret},
    wire::WireError,
};

/// An authentication method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthMethod {
    /// caching_sha2_password.
    CachingSha2,
    /// mysql_clear_password: the password itself.
    Cleartext,
    /// mysql_native_password.
    Native,
    /// sha256_password.
    Sha256,
}

impl AuthMethod {
    /// Its name on the wire.
    pub const fn plugin(self) -> &'static str {
        match self {
            Self::CachingSha2 => "caching_sha2_password",
            Self::Cleartext => "mysql_clear_password",
            Self::Native => "mysql_native_password",
            Self::Sha256 => "sha256_password",
        }
    }

    /// The method of this name on the wire.
    pub fn from_plugin(name: &str) -> Option<Self> {
        [Self::CachingSha2, Self::Cleartext, Self::Native, Self::Sha256]
            .into_iter()
            .find(|method| method.plugin() == name)
    }
}

/// What caching_sha2_password keeps for its fast path: SHA-256 of SHA-256 of the password.
pub type FastKey = Secret<[u8; 32]>;

/// The fast path's key of `password`.
pub fn fast_key(password: &[u8]) -> FastKey {
    Secret::new(sha256(&[&sha256(&[password])]))
}

/// Native's key of `password`.
pub fn native_key(password: &[u8]) -> NativeKey {
    Secret::new(sha1(&[&sha1(&[password])]))
}

/// The proof of caching_sha2_password's fast path; an empty password has an empty one.
pub fn fast_proof(password: &[u8], nonce: &Nonce) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let once = Zeroizing::new(sha256(&[password]));
    let mask = sha256(&[&sha256(&[once.as_ref()]), nonce]);
    once.iter().zip(mask).map(|(a, b)| a ^ b).collect()
}

/// The proof of mysql_native_password; an empty password has an empty one.
pub fn native_proof(password: &[u8], nonce: &Nonce) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let once = Zeroizing::new(sha1(&[password]));
    let mask = sha1(&[nonce, &sha1(&[once.as_ref()])]);
    once.iter().zip(mask).map(|(a, b)| a ^ b).collect()
}

/// Whether `proof` is one of the password that `key` is of. The work does not depend on the answer.
pub fn fast_proves(proof: &[u8], nonce: &Nonce, key: &FastKey) -> bool {
    let mask = sha256(&[key.expose(), nonce]);
    let once: Zeroizing<Vec<u8>> = Zeroizing::new(proof.iter().zip(mask).map(|(a, b)| a ^ b).collect());
    let same = verify_slices_are_equal(&sha256(&[&once]), key.expose()).is_ok();
    same && proof.len() == mask.len()
}

/// Whether `proof` is one of the password that `key` is of. The work does not depend on the answer.
pub fn native_proves(proof: &[u8], nonce: &Nonce, key: &NativeKey) -> bool {
    let mask = sha1(&[nonce, key.expose()]);
    let once: Zeroizing<Vec<u8>> = Zeroizing::new(proof.iter().zip(mask).map(|(a, b)| a ^ b).collect());
    let same = verify_slices_are_equal(&sha1(&[&once]), key.expose()).is_ok();
    same && proof.len() == mask.len()
}

/// The password in a cleartext answer: what stands before its zero byte.
///
/// # Errors
/// `Malformed` without one, or with something behind it.
pub fn cleartext(answer: &[u8]) -> Result<&[u8], WireError> {
    match answer.split_last() {
        Some((0, password)) if !password.contains(&0) => Ok(password),
        _ => Err(WireError::Malformed { message: "password" }),
    }
}

/// The RSA key that clients without TLS hide their password with.
#[derive(Debug)]
pub struct ServerKey {
    private: OaepPrivateDecryptingKey,
    pem: String,
}

/// A key could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not make an RSA key")]
pub struct NoKey;

impl ServerKey {
    /// Makes a key of 2048 bits; takes tens of milliseconds.
    ///
    /// # Errors
    /// `NoKey` when the crypto library fails.
    pub fn generate() -> Result<Self, NoKey> {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(|_| NoKey)?;
        let der = private.public_key().as_der().map_err(|_| NoKey)?;
        let pem = pem(der.as_ref());
        let private = OaepPrivateDecryptingKey::new(private).map_err(|_| NoKey)?;
        Ok(Self { private, pem })
    }

    /// The public half as clients are sent it: SubjectPublicKeyInfo in PEM.
    pub fn public_pem(&self) -> &str {
        &self.pem
    }

    /// The password in an answer that was hidden with the public half and this nonce; `None` when it was not.
    pub fn open(&self, answer: &[u8], nonce: &Nonce) -> Option<Secret<Vec<u8>>> {
        let mut space = Zeroizing::new(vec![0; self.private.min_output_size()]);
        let plain = self.private.decrypt(&OAEP_SHA1_MGF1SHA1, answer, &mut space, None).ok()?;
        xor(plain, nonce);
        cleartext(plain).ok().map(|password| Secret::new(password.to_vec()))
    }
}

/// Hides `password` with a server's public key in PEM; `None` for a key that is none, or too short for the password.
pub fn hide(password: &[u8], nonce: &Nonce, public_pem: &[u8]) -> Option<Vec<u8>> {
    let key = PublicEncryptingKey::from_der(&der(public_pem)?).ok()?;
    let key = OaepPublicEncryptingKey::new(key).ok()?;
    let mut plain = Zeroizing::new(password.to_vec());
    plain.push(0);
    xor(&mut plain, nonce);
    let mut space = vec![0; key.ciphertext_size()];
    let hidden = key.encrypt(&OAEP_SHA1_MGF1SHA1, &plain, &mut space, None).ok()?;
    Some(hidden.to_vec())
}

fn xor(bytes: &mut [u8], nonce: &Nonce) {
    bytes.iter_mut().zip(nonce.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}

fn pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    pem
}

fn der(pem: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, body) = text.split_once("-----BEGIN PUBLIC KEY-----")?;
    let (body, _) = body.split_once("-----END PUBLIC KEY-----")?;
    let body: String = body.split_ascii_whitespace().collect();
    BASE64_STANDARD.decode(body).ok()
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    hash(&digest::SHA256, parts)
}

fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    hash(&digest::SHA1_FOR_LEGACY_USE_ONLY, parts)
}

fn hash<const N: usize>(algorithm: &'static digest::Algorithm, parts: &[&[u8]]) -> [u8; N]
where
    [u8; N]: Zeroize,
{
    let mut context = digest::Context::new(algorithm);
    parts.iter().for_each(|part| context.update(part));
    let mut out = [0; N];
    out.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: Nonce = *b"abcdefghijklmnopqrst";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    #[test]
    fn native_keys_are_those_that_the_server_stores() {
        // SELECT PASSWORD('secret') in MariaDB.
        assert_eq!(hex(native_key(b"secret").expose()), "14E65567ABDB5135D0CFD9A70B3032C179A49EE7");
    }

    #[test]
    fn a_proof_proves_its_own_password_and_nonce_only() {
        let other: Nonce = *b"abcdefghijklmnopqrsX";
        let fast = fast_proof(b"secret", &NONCE);
        assert!(fast_proves(&fast, &NONCE, &fast_key(b"secret")));
        assert!(!fast_proves(&fast, &other, &fast_key(b"secret")));
        assert!(!fast_proves(&fast, &NONCE, &fast_key(b"secreT")));
        let native = native_proof(b"secret", &NONCE);
        assert!(native_proves(&native, &NONCE, &native_key(b"secret")));
        assert!(!native_proves(&native, &other, &native_key(b"secret")));
        assert!(!native_proves(&native, &NONCE, &native_key(b"secreT")));
    }

    #[test]
    fn a_proof_of_another_length_proves_nothing() {
        let fast = fast_proof(b"secret", &NONCE);
        let native = native_proof(b"secret", &NONCE);
        for end in 0..fast.len() {
            assert!(!fast_proves(&fast[..end], &NONCE, &fast_key(b"secret")), "{end}");
        }
        for end in 0..native.len() {
            assert!(!native_proves(&native[..end], &NONCE, &native_key(b"secret")), "{end}");
        }
        for proof in [[fast, vec![0]].concat(), vec![0; 32], vec![0; 20], Vec::new()] {
            assert!(!fast_proves(&proof, &NONCE, &fast_key(b"secret")));
            assert!(!native_proves(&proof, &NONCE, &native_key(b"secret")));
        }
        // Nobody has an empty password: its proof is nothing at all, and nothing proves nothing.
        assert!(!fast_proves(&[], &NONCE, &fast_key(b"")));
        assert!(!native_proves(&[], &NONCE, &native_key(b"")));
    }

    #[test]
    fn what_is_hidden_with_the_public_key_opens_with_the_nonce_it_was_hidden_with() {
        let key = ServerKey::generate().unwrap();
        let password = "pässwörd of some length, longer than the nonce is";
        let hidden = hide(password.as_bytes(), &NONCE, key.public_pem().as_bytes()).unwrap();
        assert_eq!(key.open(&hidden, &NONCE).unwrap().expose(), password.as_bytes());
        let mut damaged = hidden.clone();
        damaged[7] ^= 1;
        assert!(key.open(&damaged, &NONCE).is_none());
        assert!(key.open(&[], &NONCE).is_none());
        assert!(hide(&[b'x'; 300], &NONCE, key.public_pem().as_bytes()).is_none());
        assert!(hide(b"x", &NONCE, b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----").is_none());
    }

    #[test]
    fn a_cleartext_answer_is_one_text_and_its_zero() {
        assert_eq!(cleartext(b"secret\0"), Ok(&b"secret"[..]));
        assert_eq!(cleartext(b"\0"), Ok(&b""[..]));
        assert!(cleartext(b"secret").is_err());
        assert!(cleartext(b"sec\0ret\0").is_err());
        assert!(cleartext(b"").is_err());
    }
}
