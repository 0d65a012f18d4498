//! Reads the log, sends, and remembers how far that went.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{error::SinkError, kafka::Kafka, otlp::Otlp, s3::S3, syslog::Syslog};
use crate::{
    audit::{
        AuditError,
        follow::{Chunk, Cursor, FollowError, Follower},
        segments::{beside, sync_folder},
    },
    metrics::AuditMetrics,
};

/// Where records go.
#[derive(Debug)]
pub enum Sink {
    /// Messages of a Kafka topic.
    Kafka(Kafka),
    /// OpenTelemetry's protocol for logs, over HTTP.
    Otlp(Otlp),
    /// Objects of S3, or of what speaks like it.
    S3(S3),
    /// Standard output, a line each.
    Stdout,
    /// Syslog over TCP or TLS.
    Syslog(Syslog),
}

/// What a sink works with.
#[derive(Debug)]
pub struct SinkParts {
    /// What it is called, in its cursor's name and in metrics.
    pub name: String,
    /// The log's file.
    pub log: PathBuf,
    /// What is counted of it.
    pub metrics: AuditMetrics,
}

/// Where the cursor of a sink lies.
pub fn cursor_of(log: &Path, name: &str) -> PathBuf {
    beside(log, &format!("{name}.cursor"))
}

impl Sink {
    /// Sends what was not sent yet, and then what is written, until it is dropped. Ends only if its thread panics.
    pub async fn run(mut self, parts: SinkParts) {
        let place = cursor_of(&parts.log, &parts.name);
        let mut follower = Follower::new(&parts.log, kept(&place).unwrap_or(Cursor::START));
        let mut waited = Duration::ZERO;
        loop {
            let limit = self.batch_bytes();
            let reading = tokio::task::spawn_blocking(move || {
                let chunk = follower.read(limit);
                (follower, chunk)
            });
            let Ok((back, chunk)) = reading.await else {
                tracing::error!(sink = parts.name, "a sink of the audit log ended: it panicked");
                return;
            };
            follower = back;
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => {
                    follower = recovered(&parts, follower, error).await;
                    continue;
                }
            };
            // Larger pieces where each is an object of its own, but not later than its time.
            let is_due = waited >= self.pace() || chunk.bytes().len() >= limit / 2;
            if chunk.is_empty() || !is_due {
                let mut pause = LOOK_EVERY;
                if !chunk.is_empty() {
                    follower = Follower::new(&parts.log, chunk.before().clone());
                    pause = self.pace().saturating_sub(waited).min(LOOK_FOR_MORE);
                    waited += pause;
                }
                tokio::time::sleep(pause).await;
                continue;
            }
            waited = Duration::ZERO;
            self.send_until_taken(&parts, &chunk).await;
            if let Err(error) = keep(&place, follower.cursor()) {
                tracing::error!(sink = parts.name, %error, "a sink's cursor could not be kept: records may come twice");
            }
            parts.metrics.sink_lag.with_label_values(&[&parts.name]).set(lag(&parts.log, follower.cursor()));
        }
    }

    async fn send_until_taken(&mut self, parts: &SinkParts, chunk: &Chunk) {
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.send(chunk).await {
                Ok(()) => return,
                Err(error) => error,
            };
            parts.metrics.sink_failures.with_label_values(&[&parts.name]).inc();
            told(&parts.name, &error);
            tokio::time::sleep(pause).await;
            pause = longer(pause);
        }
    }

    pub(super) async fn send(&mut self, chunk: &Chunk) -> Result<(), SinkError> {
        match self {
            Self::Kafka(kafka) => kafka.send(chunk).await,
            Self::Otlp(otlp) => otlp.send(chunk).await,
            Self::S3(s3) => s3.send(chunk).await,
            Self::Stdout => {
                let bytes = chunk.bytes().to_vec();
                let writing = tokio::task::spawn_blocking(move || {
                    let mut out = io::stdout().lock();
                    out.write_all(&bytes).and_then(|()| out.flush())
                });
                Ok(writing.await.map_err(io::Error::other)??)
            }
            Self::Syslog(syslog) => syslog.send(chunk).await,
        }
    }

    const fn batch_bytes(&self) -> usize {
        match self {
            Self::S3(_) => 8 << 20,
            Self::Kafka(_) | Self::Otlp(_) | Self::Stdout | Self::Syslog(_) => 256 << 10,
        }
    }

    const fn pace(&self) -> Duration {
        match self {
            Self::S3(s3) => s3.pace(),
            Self::Kafka(_) | Self::Otlp(_) | Self::Stdout | Self::Syslog(_) => Duration::ZERO,
        }
    }
}

/// How long a sink waits after its next failure.
pub(super) fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_PAUSE)
}

fn told(sink: &str, error: &SinkError) {
    let cause = std::error::Error::source(error).map(tracing::field::display);
    tracing::warn!(sink, %error, cause, "a sink of the audit log cannot send; it tries again");
}

/// Goes on where that is possible, and says what is not.
async fn recovered(parts: &SinkParts, mut follower: Follower, error: FollowError) -> Follower {
    let sink = &parts.name;
    match error {
        FollowError::Gap { from, to } => {
            tracing::error!(sink, from, to, "records of the audit log are gone that a sink has not sent");
            follower
        }
        FollowError::Replaced => {
            tracing::error!(
                sink,
                "another audit log has taken the place of the one that a sink read: it begins anew"
            );
            Follower::new(&parts.log, Cursor::START)
        }
        FollowError::Diverged { at } => {
            tracing::error!(
                sink,
                at,
                "the audit log is not what a sink has read: it goes on with this record"
            );
            let sought = tokio::task::spawn_blocking(move || {
                let sought = follower.seek(at);
                (follower, sought)
            });
            let Ok((back, sought)) = sought.await else { return Follower::new(&parts.log, Cursor::START) };
            if sought.is_err() || back.cursor().next != at {
                tokio::time::sleep(LONGEST_PAUSE).await;
            }
            back
        }
        error @ (FollowError::Read { .. } | FollowError::TooLong { .. }) => {
            let error = AuditError::from(error);
            tracing::error!(
                sink,
                error = &error as &dyn std::error::Error,
                "a sink cannot read the audit log"
            );
            tokio::time::sleep(LONGEST_PAUSE).await;
            follower
        }
    }
}

fn kept(place: &Path) -> Option<Cursor> {
    serde_json::from_slice(&fs::read(place).ok()?).ok()
}

/// Keeps a cursor; after a kill there is the old one or the new one.
fn keep(place: &Path, cursor: &Cursor) -> io::Result<()> {
    let fresh = beside(place, "new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(&serde_json::to_vec(cursor)?)?;
    file.sync_data()?;
    fs::rename(&fresh, place)?;
    sync_folder(place)
}

/// Records that are not sent yet.
fn lag(log: &Path, cursor: &Cursor) -> i64 {
    let end = Follower::at_end(log).map_or(cursor.next, |end| end.cursor().next);
    i64::try_from(end.saturating_sub(cursor.next)).unwrap_or(i64::MAX)
}

const LOOK_EVERY: Duration = Duration::from_millis(250);
/// While records wait for more to go with them.
const LOOK_FOR_MORE: Duration = Duration::from_secs(2);
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(200);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);
