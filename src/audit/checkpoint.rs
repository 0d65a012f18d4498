//! Checkpoints: the number and hash of the last record, signed, so that a cut end and a rewritten log show.
//!
//! A line each: `{"checkpoint":1,"log":"…","seq":N,"hash":"…","at":"…","key":"…","signature":"…"}`. The signature is
//! Ed25519, in base64, over the line's own bytes before `,"signature":"`.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{AuditError, log::LastRecord};

/// What was signed at some moment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Checkpoint {
    /// The log.
    pub log: Uuid,
    /// Number of its last record.
    pub seq: u64,
    /// Hash of that.
    pub hash: String,
    /// When it was signed.
    pub at: Timestamp,
}

#[derive(Serialize)]
struct Signed<'a> {
    checkpoint: u32,
    log: Uuid,
    seq: u64,
    hash: &'a str,
    at: Timestamp,
    key: &'a str,
}

/// The key that signs.
pub struct CheckpointKey {
    pair: Ed25519KeyPair,
    id: String,
}

impl CheckpointKey {
    /// Makes a key and writes it to a new file (PKCS #8, PEM, mode 0600).
    ///
    /// # Errors
    /// `Key` if the file exists, cannot be written, or there is no randomness.
    pub fn generate(path: &Path) -> Result<Self, AuditError> {
        let failed = |problem: String| AuditError::Key { path: path.to_owned(), problem };
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| failed("there is no randomness to make one of".to_owned()))?;
        let pair =
            Ed25519KeyPair::from_pkcs8(document.as_ref()).map_err(|error| failed(error.to_string()))?;
        // The older form has no public key in it, and is what openssl reads.
        let private = pair.to_pkcs8v1().map_err(|_| failed("it has no form as PKCS #8".to_owned()))?;
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = made.map_err(|error| failed(error.to_string()))?;
        let text = pem("PRIVATE KEY", private.as_ref());
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self::new(pair))
    }

    /// Reads the key of a file.
    ///
    /// # Errors
    /// `Key`.
    pub fn open(path: &Path) -> Result<Self, AuditError> {
        let failed = |problem: String| AuditError::Key { path: path.to_owned(), problem };
        let der = PrivatePkcs8KeyDer::from_pem_file(path).map_err(|error| failed(error.to_string()))?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
            .map_err(|_| failed("it is no Ed25519 key: make one with tidegate audit key new".to_owned()))?;
        Ok(Self::new(pair))
    }

    fn new(pair: Ed25519KeyPair) -> Self {
        let id = key_id(pair.public_key().as_ref());
        Self { pair, id }
    }

    /// The public key, PEM.
    pub fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &[SPKI_PREFIX, self.pair.public_key().as_ref()].concat())
    }

    /// What the key is called in checkpoints: the first 16 hexadecimal digits of the SHA-256 of its public half.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A checkpoint, as a line with its line feed.
    pub(super) fn sign(&self, log: Uuid, last: &LastRecord, at: Timestamp) -> String {
        let signed = Signed { checkpoint: 1, log, seq: last.seq, hash: &last.hash, at, key: &self.id };
        // Types of our own, without any that JSON lacks: that cannot fail.
        let mut line = serde_json::to_string(&signed).unwrap_or_default();
        line.pop();
        let signature = self.pair.sign(line.as_bytes());
        format!("{line}{SIGNATURE_KEY}{}\"}}\n", STANDARD.encode(signature.as_ref()))
    }
}

impl std::fmt::Debug for CheckpointKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckpointKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The checkpoints of a file; `None` in the place of each that does not have the signature of the key.
///
/// # Errors
/// `Read` if the file cannot be read, `Key` if the public key (PEM) cannot.
pub fn read_checkpoints(path: &Path, public: &Path) -> Result<Vec<Option<Checkpoint>>, AuditError> {
    let failed = |problem: String| AuditError::Key { path: public.to_owned(), problem };
    let spki = SubjectPublicKeyInfoDer::from_pem_file(public).map_err(|error| failed(error.to_string()))?;
    let key = spki
        .strip_prefix(SPKI_PREFIX)
        .filter(|key| key.len() == 32)
        .ok_or_else(|| failed("it is no Ed25519 key".to_owned()))?;
    let text = fs::read(path).map_err(|source| AuditError::Read { source })?;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Ok(lines.map(|line| checked(line, key)).collect())
}

fn checked(line: &[u8], key: &[u8]) -> Option<Checkpoint> {
    let at = memchr::memmem::rfind(line, SIGNATURE_KEY.as_bytes())?;
    let (covered, rest) = line.split_at_checked(at)?;
    let signature = rest.strip_prefix(SIGNATURE_KEY.as_bytes())?.strip_suffix(b"\"}")?;
    let signature = STANDARD.decode(signature).ok()?;
    UnparsedPublicKey::new(&ED25519, key).verify(covered, &signature).ok()?;
    serde_json::from_slice(line).ok()
}

/// Adds a line to a file, which is made with mode 0600, and has it on the disk; "-" is standard output.
pub(super) fn add_line(path: &Path, line: &str) -> io::Result<()> {
    if path == Path::new("-") {
        let mut out = io::stdout().lock();
        return out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(line.as_bytes())?;
    file.sync_data()
}

/// Where the checkpoints of a log lie.
pub fn checkpoints_of(log: &Path) -> PathBuf {
    super::segments::beside(log, "checkpoints")
}

fn key_id(public: &[u8]) -> String {
    let digest = digest(&SHA256, public);
    digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn pem(what: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", lines.join("\n"))
}

const SIGNATURE_KEY: &str = ",\"signature\":\"";

/// What stands before the 32 bytes of a public key.
///
/// Source: RFC 8410, section 4.
const SPKI_PREFIX: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
