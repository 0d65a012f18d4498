//! Records as messages of a Kafka topic.
//!
//! The door is [`Kafka`]. Five requests, each in one version that brokers from 1.0 on take: which versions a broker speaks,
//! two to log in, where a partition is led, and produce with `acks=all`. One batch is under way at a time, so that the
//! order of the log is the order of the partition. Answers are read within their own bytes and nothing is made room for
//! that they do not hold.
//!
//! Source: Apache Kafka, "Protocol Guide"; its record batch, "Message Format" version 2.

mod account;
mod batch;
mod codec;
mod connection;
mod cut;
mod messages;
mod partition;
mod producer;
mod scram;

#[cfg(test)]
pub(super) mod double_tests;

pub use account::{KafkaAccount, KafkaMechanism};
pub use producer::{Kafka, KafkaSettings};
