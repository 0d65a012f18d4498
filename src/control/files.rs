//! The policy directory.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use aws_lc_rs::digest as hash;

use super::error::ControlError;
use crate::policy::PolicyFile;

/// Reads the policy files of `directory`: what ends in `.yaml` or `.yml` but not in `.test.yaml` or `.test.yml`, by
/// name, without looking into directories below it. Blocks.
///
/// # Errors
/// `PolicyUnreadable` when the directory or one of the files cannot be read, is too large, or there are too many.
pub fn read_policy(directory: &Path) -> Result<Vec<PolicyFile>, ControlError> {
    read(policy_paths(directory, Kind::Policy)?)
}

/// Reads the examples of `directory`: what ends in `.test.yaml` or `.test.yml`. Blocks.
///
/// # Errors
/// As [`read_policy`].
pub fn read_examples(directory: &Path) -> Result<Vec<PolicyFile>, ControlError> {
    read(policy_paths(directory, Kind::Examples)?)
}

fn read(paths: Vec<PathBuf>) -> Result<Vec<PolicyFile>, ControlError> {
    paths
        .into_iter()
        .map(|path| {
            let unreadable = |source| ControlError::PolicyUnreadable { path: path.clone(), source };
            if fs::metadata(&path).map_err(unreadable)?.len() > MAX_FILE_BYTES {
                return Err(unreadable(std::io::Error::other("the file is over 4 MiB: split it")));
            }
            let text = fs::read_to_string(&path).map_err(unreadable)?;
            Ok(PolicyFile { path: path.display().to_string(), text })
        })
        .collect()
}

/// SHA-256 over names (without their directory) and texts, hexadecimal.
pub fn digest(files: &[PolicyFile]) -> String {
    let mut context = hash::Context::new(&hash::SHA256);
    for file in files {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        for part in [name, file.text.as_str()] {
            // The length goes first, so that nothing can move from one part to the next unseen.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
    }
    context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What changes when somebody touches a policy file; `None` while the directory cannot be looked at. Blocks.
pub(super) fn stamp(directory: &Path) -> Option<Vec<Stamp>> {
    let paths = policy_paths(directory, Kind::Policy).ok()?;
    paths
        .into_iter()
        .map(|path| {
            let metadata = fs::metadata(&path).ok()?;
            Some(Stamp { path, len: metadata.len(), modified: metadata.modified().ok() })
        })
        .collect()
}

/// One file at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    path: PathBuf,
    len: u64,
    modified: Option<SystemTime>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Examples,
    Policy,
}

fn policy_paths(directory: &Path, kind: Kind) -> Result<Vec<PathBuf>, ControlError> {
    let unreadable = |source| ControlError::PolicyUnreadable { path: directory.to_owned(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_wanted = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| {
            let yaml = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
            let examples = kind == Kind::Examples;
            yaml.is_some_and(|stem| stem.ends_with(".test") == examples && !stem.starts_with('.'))
        });
        if is_wanted {
            paths.push(path);
        }
    }
    if paths.len() > MAX_FILES {
        return Err(unreadable(std::io::Error::other(format!("it has over {MAX_FILES} policy files"))));
    }
    paths.sort();
    Ok(paths)
}

const MAX_FILES: usize = 1000;
const MAX_FILE_BYTES: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_and_hidden_files_are_no_policy() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "a.test.yaml", ".swp.yaml", "notes.txt"] {
            fs::write(dir.path().join(name), "groups: {}\n").unwrap();
        }
        let names: Vec<_> = read_policy(dir.path()).unwrap().into_iter().map(|file| file.path).collect();
        let examples = read_examples(dir.path()).unwrap();
        assert_eq!(examples.len(), 1);
        assert!(examples[0].path.ends_with("/a.test.yaml"));
        assert_eq!(names, ["a.yml", "b.yaml"].map(|name| dir.path().join(name).display().to_string()));
    }

    #[test]
    fn text_that_moves_from_one_file_to_the_next_changes_the_digest() {
        let file = |path: &str, text: &str| PolicyFile { path: path.to_owned(), text: text.to_owned() };
        let one = [file("a", "12"), file("b", "3")];
        let other = [file("a", "1"), file("b", "23")];
        assert_ne!(digest(&one), digest(&other));
        assert_eq!(digest(&one), digest(&one.clone()));
    }
}
