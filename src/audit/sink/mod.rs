//! Where records go besides the log: standard output, syslog, OpenTelemetry, Kafka, objects of S3.
//!
//! The door is [`Sink`]. Each reads the files of the log on its own, sends what it has not sent, and keeps a cursor
//! beside the log. None is on the path of an append; one that cannot send tries again until it can, and begins where it
//! stopped. A record may come twice (after a kill), never not at all: its number tells.

mod error;
mod head;
mod kafka;
mod otlp;
mod run;
mod s3;
mod syslog;

#[cfg(test)]
mod outage_tests;
#[cfg(test)]
mod receiver_tests;
#[cfg(test)]
mod tests;

pub use error::SinkError;
pub use kafka::{Kafka, KafkaAccount, KafkaMechanism, KafkaSettings};
pub use otlp::Otlp;
pub use run::{Sink, SinkParts, cursor_of};
pub use s3::{S3, S3Settings};
pub use syslog::{Syslog, SyslogSettings};
