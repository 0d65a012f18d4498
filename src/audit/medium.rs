//! Where the lines lie.

use std::{
    fmt,
    fs::{File, Metadata},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::PathBuf,
};

/// Where the lines lie. Shared by the writer and the thread that syncs.
pub(super) trait Medium: fmt::Debug + Send + Sync {
    /// Adds `bytes` at the end. On error, part of them may be there.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Drops everything after the first `bytes`.
    fn truncate(&self, bytes: u64) -> io::Result<()>;

    /// Comes back when the disk has all that was appended before the call.
    fn sync(&self) -> io::Result<()>;

    /// Checks that what is opened is still what a reader of the log finds, and is `bytes` long.
    fn check(&self, bytes: u64) -> io::Result<()>;
}

/// A file, opened to append.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    identity: (u64, u64),
}

impl LogFile {
    pub(super) fn new(path: PathBuf, file: File) -> io::Result<Self> {
        let identity = identity(&file.metadata()?);
        Ok(Self { path, file, identity })
    }
}

impl Medium for LogFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.file).write_all(bytes)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn check(&self, bytes: u64) -> io::Result<()> {
        let found = std::fs::metadata(&self.path)?;
        if identity(&found) != self.identity {
            return Err(io::Error::other(
                "another file has taken the log's place: put the log back, or restart",
            ));
        }
        if found.len() != bytes {
            return Err(io::Error::other(format!(
                "somebody else changed the log: it has {} bytes and should have {bytes}",
                found.len()
            )));
        }
        Ok(())
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
