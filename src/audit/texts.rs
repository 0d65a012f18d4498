//! What is kept of the text of statements: all of it, or a keyed hash.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use aws_lc_rs::{
    hmac::{HMAC_SHA256, Key, sign},
    rand::{SecureRandom, SystemRandom},
};

use super::AuditError;
use crate::model::ids::TargetName;

/// What is kept of the text of statements, by target.
pub struct Texts {
    /// `None` where all texts are kept whole.
    key: Option<Key>,
    is_full: bool,
    by_target: BTreeMap<TargetName, bool>,
}

impl Texts {
    /// All of it, everywhere.
    pub const FULL: Self = Self { key: None, is_full: true, by_target: BTreeMap::new() };

    /// Whole texts where `by_target` says so, else where `is_full` does. The key of the hashes is read from `path`; it is
    /// made there if it is needed and does not exist.
    ///
    /// # Errors
    /// `Key`.
    pub fn open(
        path: &Path,
        is_full: bool,
        by_target: BTreeMap<TargetName, bool>,
    ) -> Result<Self, AuditError> {
        let is_needed = !is_full || by_target.values().any(|is_full| !is_full);
        let failed = |error: io::Error| AuditError::Key { path: path.to_owned(), problem: error.to_string() };
        let key = if is_needed { Some(key(path).map_err(failed)?) } else { None };
        Ok(Self { key, is_full, by_target })
    }

    /// Whether texts of this target are kept whole.
    pub fn is_full(&self, target: &str) -> bool {
        // closed: without a key there is nothing that could be kept in their place
        self.key.is_none() || *self.by_target.get(target).unwrap_or(&self.is_full)
    }

    /// What is kept in the place of a text that is not kept whole: the same for the same text, and nobody without the key
    /// can try which text it is.
    pub fn hashed(&self, text: &str) -> String {
        let mut out = "hmac-sha256:".to_owned();
        if let Some(key) = &self.key {
            for byte in sign(key, text.as_bytes()).as_ref() {
                // Writing to a text cannot fail.
                let _written = write!(out, "{byte:02x}");
            }
        }
        out
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Texts").field("is_full", &self.is_full).finish_non_exhaustive()
    }
}

fn key(path: &Path) -> io::Result<Key> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut bytes = vec![0; KEY_BYTES];
            SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("there is no randomness"))?;
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            bytes
        }
        Err(error) => return Err(error),
    };
    if bytes.len() != KEY_BYTES {
        return Err(io::Error::other("it is not 32 bytes long"));
    }
    Ok(Key::new(HMAC_SHA256, &bytes))
}

const KEY_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_whole_or_as_a_hash_that_takes_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let by_target = BTreeMap::from([(TargetName::from("hr"), false)]);
        let texts = Texts::open(&path, true, by_target.clone()).unwrap();
        assert!(texts.is_full("shop") && !texts.is_full("hr"));
        let hash = texts.hashed("select 'secret'");
        assert_eq!(hash.len(), "hmac-sha256:".len() + 64);
        assert_ne!(hash, texts.hashed("select 'Secret'"));
        assert_eq!(hash, Texts::open(&path, true, by_target.clone()).unwrap().hashed("select 'secret'"));
        let other = Texts::open(&folder.path().join("other"), true, by_target).unwrap();
        assert_ne!(hash, other.hashed("select 'secret'"));
        assert!(!Texts::open(&folder.path().join("third"), false, BTreeMap::new()).unwrap().is_full("any"));
    }

    #[test]
    fn a_key_that_is_cut_or_unreadable_is_refused_and_none_is_made_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(Texts::open(&path, true, BTreeMap::new()).unwrap().is_full("hr"));
        assert!(!path.exists());
        fs::write(&path, b"short").unwrap();
        assert!(Texts::open(&path, false, BTreeMap::new()).is_err());
    }
}
