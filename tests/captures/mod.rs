//! What real clients and a real PostgreSQL said to each other (tests/corpus/wire), and readers that take it in pieces.

pub(crate) mod mutate;
pub(crate) mod readers;
pub(crate) mod replay;

use std::{fs, path::Path, sync::LazyLock};

use readers::{Backend, Frontend, Heard, Said};

/// One connection of one client.
pub(crate) struct Capture {
    pub(crate) client: String,
    /// What the client said, from its first byte.
    pub(crate) frontend: Vec<u8>,
    /// What it heard: an `N` for each request for encryption, then messages.
    pub(crate) backend: Vec<u8>,
    /// `frontend` read in one piece.
    pub(crate) said: Vec<Said>,
    /// `backend` read in one piece.
    pub(crate) heard: Vec<Heard>,
}

impl Capture {
    /// How many requests for encryption were answered before the messages of the server.
    pub(crate) fn refusals(&self) -> usize {
        self.said.iter().filter(|said| matches!(said, Said::Request(_))).count() - 1
    }

    /// Where each message of the client begins, and the end.
    pub(crate) fn said_at(&self) -> Vec<usize> {
        bounds(self.said.iter().map(Said::bytes_read))
    }

    /// Where each message of the server begins, and the end; what stands before the first is no message.
    pub(crate) fn heard_at(&self) -> Vec<usize> {
        bounds(std::iter::once(self.refusals()).chain(self.heard.iter().map(|heard| heard.total_bytes)))
            .split_off(1)
    }
}

fn bounds(lengths: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut at = vec![0];
    for length in lengths {
        at.push(at[at.len() - 1] + length);
    }
    at
}

/// All captures, by client.
pub(crate) static CAPTURES: LazyLock<Vec<Capture>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/wire");
    let mut clients: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .filter_map(|file| {
            file.unwrap().file_name().to_str()?.strip_suffix(".frontend.bin").map(str::to_owned)
        })
        .collect();
    clients.sort();
    clients
        .into_iter()
        .map(|client| {
            let read = |side: &str| fs::read(folder.join(format!("{client}.{side}.bin"))).unwrap();
            let (frontend, backend) = (read("frontend"), read("backend"));
            let mut capture = Capture { client, frontend, backend, said: Vec::new(), heard: Vec::new() };
            let mut reader = Frontend::new();
            reader.feed(&capture.frontend, &mut capture.said).unwrap();
            assert_eq!(reader.left(), 0, "{}: the frontend ends within a message", capture.client);
            let mut reader = Backend::new();
            reader.feed(&capture.backend[capture.refusals()..], &mut capture.heard).unwrap();
            assert_eq!(reader.left(), 0, "{}: the backend ends within a message", capture.client);
            capture
        })
        .collect()
});
