//! What is kept of the text of statements: all of it, all but its literals, or a keyed hash.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

use super::{AuditError, text_key::TextKey};
use crate::model::ids::TargetName;

/// What is kept of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// A keyed hash of it.
    Fingerprint,
    /// All of it.
    Full,
    /// All of it, with a keyed hash in the place of each literal.
    Hashed,
}

/// What is kept of the text of statements, by target.
pub struct Texts {
    /// `None` where all texts are kept whole.
    key: Option<TextKey>,
    keep: Keep,
    by_target: BTreeMap<TargetName, Keep>,
}

impl Texts {
    /// All of it, everywhere.
    pub const FULL: Self = Self { key: None, keep: Keep::Full, by_target: BTreeMap::new() };

    /// As `by_target` says, else `keep`. Where no key is given and one is needed for hashes of whole texts, it is read from
    /// `path`, and made there if it does not exist.
    ///
    /// # Errors
    /// `Key`; also where literals are to be hashed and no key is given: others have to know it.
    pub fn open(
        path: &Path,
        given: Option<TextKey>,
        keep: Keep,
        by_target: BTreeMap<TargetName, Keep>,
    ) -> Result<Self, AuditError> {
        let failed = |problem: String| AuditError::Key { path: path.to_owned(), problem };
        let is_kept = |wanted: Keep| keep == wanted || by_target.values().any(|keep| *keep == wanted);
        let key = match given {
            Some(given) => Some(given),
            None if is_kept(Keep::Hashed) => return Err(failed(NO_KEY.to_owned())),
            None if is_kept(Keep::Fingerprint) => {
                Some(TextKey::new(&own_key(path).map_err(|error| failed(error.to_string()))?))
            }
            None => None,
        };
        Ok(Self { key, keep, by_target })
    }

    /// What is kept of texts of this target.
    pub fn kept(&self, target: &str) -> Keep {
        *self.by_target.get(target).unwrap_or(&self.keep)
    }

    /// What is kept in the place of a text that is not kept: the same for the same text, and nobody without the key can
    /// try which text it is.
    pub fn of_text(&self, text: &str) -> String {
        self.key.as_ref().map(|key| key.of_text(text)).unwrap_or_default()
    }

    /// What is kept in the place of a literal of this value; see [`TextKey::of_literal`].
    pub fn of_literal(&self, value: &str) -> String {
        self.key.as_ref().map(|key| key.of_literal(value)).unwrap_or_default()
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Texts").field("keep", &self.keep).finish_non_exhaustive()
    }
}

fn own_key(path: &Path) -> io::Result<Vec<u8>> {
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
    Ok(bytes)
}

const KEY_BYTES: usize = 32;
const NO_KEY: &str =
    "literals are to be hashed, and audit.text_key_file or audit.text_key_env does not say with which key";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_whole_or_as_a_hash_that_takes_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let by_target = BTreeMap::from([(TargetName::from("hr"), Keep::Fingerprint)]);
        let open = |path: &Path| Texts::open(path, None, Keep::Full, by_target.clone()).unwrap();
        let texts = open(&path);
        assert_eq!((texts.kept("shop"), texts.kept("hr")), (Keep::Full, Keep::Fingerprint));
        let hash = texts.of_text("select 'secret'");
        assert_eq!(hash.len(), "hmac-sha256:".len() + 64);
        assert_ne!(hash, texts.of_text("select 'Secret'"));
        assert_eq!(hash, open(&path).of_text("select 'secret'"));
        assert_ne!(hash, open(&folder.path().join("other")).of_text("select 'secret'"));
        let third = folder.path().join("third");
        let all = Texts::open(&third, None, Keep::Fingerprint, BTreeMap::new()).unwrap();
        assert_eq!(all.kept("any"), Keep::Fingerprint);
    }

    #[test]
    fn a_key_that_is_cut_or_unreadable_is_refused_and_none_is_made_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert_eq!(Texts::open(&path, None, Keep::Full, BTreeMap::new()).unwrap().kept("hr"), Keep::Full);
        assert!(!path.exists());
        fs::write(&path, b"short").unwrap();
        assert!(Texts::open(&path, None, Keep::Fingerprint, BTreeMap::new()).is_err());
    }

    #[test]
    fn literals_are_hashed_with_a_key_that_was_given_and_with_no_other() {
        let path = tempfile::tempdir().unwrap().path().join("key");
        let by_target = BTreeMap::from([(TargetName::from("hr"), Keep::Hashed)]);
        let error = Texts::open(&path, None, Keep::Full, by_target.clone()).unwrap_err();
        assert!(error.to_string().contains("audit.text_key_file"), "{error}");
        assert!(!path.exists());
        let key = TextKey::new(&[7; 32]);
        let texts = Texts::open(&path, Some(key.clone()), Keep::Full, by_target).unwrap();
        assert_eq!(texts.of_literal("Ann"), key.of_literal("Ann"));
        assert!(!path.exists());
    }
}
