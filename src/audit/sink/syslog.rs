//! Records as syslog messages.
//!
//! Source: RFC 5424 (the message), RFC 5425 (TLS), RFC 6587 (octet counting over TCP).

use std::time::Duration;

use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::error::SinkError;
use crate::{
    audit::follow::Chunk,
    net::{ClientTls, Stream},
};

/// Where a syslog receiver is.
#[derive(Clone, Debug)]
pub struct SyslogSettings {
    /// Host and port.
    pub endpoint: String,
    /// TLS; `None` is plain TCP.
    pub tls: Option<ClientTls>,
    /// What the gateway is called, as the message's host.
    pub host: String,
}

/// A syslog receiver.
#[derive(Debug)]
pub struct Syslog {
    settings: SyslogSettings,
    open: Option<Stream>,
}

/// What of a record the head of its message needs.
#[derive(Default, Deserialize)]
struct Head {
    #[serde(default)]
    at: String,
    #[serde(default)]
    event: String,
    decision: Option<String>,
}

impl Syslog {
    /// Connects when there is something to send.
    pub const fn new(settings: SyslogSettings) -> Self {
        Self { settings, open: None }
    }

    pub(super) async fn send(&mut self, chunk: &Chunk) -> Result<(), SinkError> {
        let mut bytes = Vec::new();
        for line in chunk.lines() {
            self.message(line.bytes, &mut bytes);
        }
        let sent = timeout(SEND, self.write(&bytes)).await.unwrap_or(Err(SinkError::Silent));
        if sent.is_err() {
            // What the receiver has of it is not known: it is sent again on a new connection.
            self.open = None;
        }
        sent
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        if let Some(stream) = &mut self.open
            && is_closed(stream).await
        {
            self.open = None;
        }
        let stream = match &mut self.open {
            Some(stream) => stream,
            None => {
                let stream = Stream::connect(&self.settings.endpoint).await?;
                self.open.insert(match &self.settings.tls {
                    Some(tls) => stream.connect_tls(tls).await?,
                    None => stream,
                })
            }
        };
        stream.write_all(bytes).await?;
        stream.flush().await?;
        // Syslog acknowledges nothing. A connection that was reset meanwhile shows here at least.
        if is_closed(stream).await {
            return Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into());
        }
        Ok(())
    }

    /// Adds a message: its length in bytes, a blank, and itself.
    fn message(&self, line: &[u8], out: &mut Vec<u8>) {
        let head: Head = serde_json::from_slice(line).unwrap_or_default();
        let is_notable = head.decision.as_deref() == Some("deny") || NOTABLE.contains(&head.event.as_str());
        let severity = if is_notable { 5 } else { 6 };
        let text = String::from_utf8_lossy(line);
        let at = if head.at.is_empty() { "-" } else { &head.at };
        let event = if head.event.is_empty() { "-" } else { &head.event };
        let host = &self.settings.host;
        let message = format!("<{}>1 {at} {host} tidegate - {event} - {text}", LOG_AUDIT * 8 + severity);
        out.extend_from_slice(format!("{} ", message.len()).as_bytes());
        out.extend_from_slice(message.as_bytes());
    }
}

/// Whether the receiver has closed the connection; it never sends anything else.
async fn is_closed(stream: &mut Stream) -> bool {
    let mut byte = [0];
    match timeout(Duration::from_millis(1), stream.read(&mut byte)).await {
        // Nothing to read yet: it is open.
        Err(_) => false,
        Ok(Ok(read)) => read == 0,
        Ok(Err(_)) => true,
    }
}

/// Facility 13.
const LOG_AUDIT: u32 = 13;
/// Events of severity 5 (notice) whatever was decided; the others are 6 (informational).
const NOTABLE: [&str; 6] =
    ["break_glass", "grant_revoked", "log_recovered", "log_repaired", "log_trimmed", "login_failed"];
const SEND: Duration = Duration::from_secs(30);
