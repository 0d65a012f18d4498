//! Reading the stream of events.
//!
//! Source: the HTML standard, "Server-sent events", section "Interpreting an event stream".

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::Response;
use tokio::time::timeout;

use super::{client::Api, output::complain};
use crate::api::bodies::{EventBody, EventQuery};

/// A stream of events that is open.
pub(super) struct Listening {
    response: Response,
    unread: Vec<u8>,
    seen: Option<i64>,
}

impl Listening {
    pub(super) async fn begin(api: &Api, query: EventQuery) -> anyhow::Result<Self> {
        let response = api.open(&["events"], &query).await?;
        Ok(Self { response, unread: Vec::new(), seen: query.after })
    }

    /// The number of the last event, as far as one was read.
    pub(super) const fn seen(&self) -> Option<i64> {
        self.seen
    }

    /// The next event; `None` when the gateway ends the stream.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<EventBody>> {
        loop {
            while let Some(block) = self.take_block() {
                let Some((kind, data)) = read(&block) else { continue };
                if kind == "journal_gap" {
                    complain!("some events are gone: they are kept for seven days");
                    continue;
                }
                let event: EventBody = serde_json::from_str(&data)
                    .context("the gateway sends an event that this version does not understand")?;
                self.seen = Some(event.seq);
                return Ok(Some(event));
            }
            if self.unread.len() > MOST_BYTES {
                bail!("the gateway sends an event over {MOST_BYTES} bytes");
            }
            // Something comes every 15 seconds, if only a sign of life.
            let chunk = timeout(SILENCE, self.response.chunk()).await;
            match chunk.context("the gateway has gone silent")?.context("the stream of events broke")? {
                Some(bytes) => self.unread.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }

    /// What stands before the next empty line.
    fn take_block(&mut self) -> Option<String> {
        let end = self.unread.windows(2).position(|two| two == b"\n\n")?;
        let block: Vec<u8> = self.unread.drain(..end + 2).collect();
        Some(String::from_utf8_lossy(&block).into_owned())
    }
}

/// The word and the data of an event; `None` for a sign of life.
fn read(block: &str) -> Option<(String, String)> {
    let (mut kind, mut data) = (String::new(), Vec::new());
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut kind),
            "data" => data.push(value),
            _ => {}
        }
    }
    (!data.is_empty()).then(|| (kind, data.join("\n")))
}

/// How soon a stream that broke is opened again.
pub(super) const TRY_EVERY: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_secs(45);
const MOST_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_of_life_is_no_event() {
        assert_eq!(read(":\n\n"), None);
        assert_eq!(read("id: 7\nevent: x\n\n"), None);
        let read = read("id: 7\nevent: grant_ended\ndata: {\ndata:}\n\n");
        assert_eq!(read, Some(("grant_ended".to_owned(), "{\n}".to_owned())));
    }
}
