//! Writing what was not there.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// Files that were written, so that they can be taken back.
#[derive(Debug, Default)]
pub(super) struct Written {
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

impl Written {
    /// Makes a directory where there is none.
    pub(super) fn directory(&mut self, path: &Path) -> anyhow::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        let made = DirBuilder::new().recursive(true).mode(0o755).create(path);
        made.with_context(|| format!("could not make {}", path.display()))?;
        self.directories.push(path.to_owned());
        Ok(())
    }

    /// Writes a file that is not there; `mode` is who may read it.
    pub(super) fn file(&mut self, path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
        let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
        let mut file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                bail!("{} is there already, and nothing is overwritten", path.display())
            }
            Err(error) => return Err(error).with_context(|| format!("could not write {}", path.display())),
        };
        self.files.push(path.to_owned());
        file.write_all(text.as_bytes()).with_context(|| format!("could not write {}", path.display()))
    }

    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Takes back what was written; what was there before stays.
    pub(super) fn take_back(self) {
        for file in self.files {
            let _ = fs::remove_file(file);
        }
        for directory in self.directories.into_iter().rev() {
            // Only if nobody put anything into it.
            let _ = fs::remove_dir(directory);
        }
    }
}
