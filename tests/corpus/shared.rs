//! Statements of others, kept beside the repository; absent on most machines.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use serde_json::Value;

/// The lines of one corpus; `None`, and a word about it, if it is not there.
pub(crate) fn lines(name: &str) -> Option<Vec<Value>> {
    let path = path(name);
    let Ok(file) = File::open(&path) else {
        println!("skipped: {} is not there", path.display());
        return None;
    };
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    Some(lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect())
}

/// The folder beside the repository, or beside the main one if this is a worktree of it.
fn path(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = |up: &Path| up.join("shared/corpus").join(format!("{name}.jsonl.gz"));
    let near = beside(&root.join(".."));
    if near.exists() { near } else { beside(&root.join("../..")) }
}
