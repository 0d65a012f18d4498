//! What is asked of a broker, and what it answers.
//!
//! Source: Apache Kafka, "Protocol Guide", "The Messages".

use bytes::BufMut;

use super::codec::{Fields, put_bytes, put_text};
use crate::audit::sink::error::SinkError;

/// A request, in the one version in which we send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    ApiVersions,
    Metadata,
    Produce,
    SaslAuthenticate,
    SaslHandshake,
}

impl Request {
    const ALL: [Self; 5] =
        [Self::ApiVersions, Self::Metadata, Self::Produce, Self::SaslAuthenticate, Self::SaslHandshake];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ApiVersions => "ApiVersions",
            Self::Metadata => "Metadata",
            Self::Produce => "Produce",
            Self::SaslAuthenticate => "SaslAuthenticate",
            Self::SaslHandshake => "SaslHandshake",
        }
    }

    const fn key(self) -> i16 {
        match self {
            Self::Produce => 0,
            Self::Metadata => 3,
            Self::SaslHandshake => 17,
            Self::ApiVersions => 18,
            Self::SaslAuthenticate => 36,
        }
    }

    const fn version(self) -> i16 {
        match self {
            Self::ApiVersions | Self::SaslAuthenticate => 0,
            Self::SaslHandshake => 1,
            Self::Produce => 3,
            // The first that can ask without making the topic.
            Self::Metadata => 4,
        }
    }

    /// Whether brokers that ask for no login may lack it.
    const fn is_for_login(self) -> bool {
        matches!(self, Self::SaslAuthenticate | Self::SaslHandshake)
    }

    /// The whole request, its length first.
    pub(super) fn frame(self, number: i32, body: &[u8]) -> Vec<u8> {
        let mut head = Vec::new();
        head.put_i16(self.key());
        head.put_i16(self.version());
        head.put_i32(number);
        put_text("tidegate", &mut head);
        let mut frame = Vec::with_capacity(4 + head.len() + body.len());
        frame.put_i32(i32::try_from(head.len() + body.len()).unwrap_or(i32::MAX));
        frame.put_slice(&head);
        frame.put_slice(body);
        frame
    }
}

/// Reads which versions a broker speaks.
///
/// # Errors
/// `Version` where ours is none of them.
pub(super) fn check_versions(answer: &[u8], logs_in: bool) -> Result<(), SinkError> {
    let mut fields = Fields::new(Request::ApiVersions.name(), answer);
    refused(Request::ApiVersions, fields.int16()?)?;
    let mut spoken = Vec::new();
    for _ in 0..fields.count()? {
        spoken.push((fields.int16()?, fields.int16()?..=fields.int16()?));
    }
    let needed = Request::ALL.into_iter().filter(|request| logs_in || !request.is_for_login());
    for request in needed {
        let is_spoken =
            spoken.iter().any(|(key, range)| *key == request.key() && range.contains(&request.version()));
        if !is_spoken {
            return Err(SinkError::Version { api: request.name(), version: request.version() });
        }
    }
    Ok(())
}

/// Asks where a topic is; it is not made.
pub(super) fn metadata(topic: &str) -> Vec<u8> {
    let mut body = Vec::new();
    body.put_i32(1);
    put_text(topic, &mut body);
    body.put_u8(0);
    body
}

/// Where the partitions of a topic are led.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Topic {
    /// Number of each partition, and the address of its leader ("host:port"); `None` while it has none.
    pub(super) partitions: Vec<(i32, Option<String>)>,
}

impl Topic {
    /// # Errors
    /// `Broker`, `Answer`.
    pub(super) fn read(answer: &[u8], topic: &str) -> Result<Self, SinkError> {
        let mut fields = Fields::new(Request::Metadata.name(), answer);
        fields.int32()?;
        let mut brokers = Vec::new();
        for _ in 0..fields.count()? {
            let (id, host, port) = (fields.int32()?, fields.text()?, fields.int32()?);
            fields.text()?;
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            brokers.push((id, format!("{host}:{port}")));
        }
        fields.text()?;
        fields.int32()?;
        let mut partitions = Vec::new();
        for _ in 0..fields.count()? {
            let code = fields.int16()?;
            let is_it = fields.text()? == topic;
            fields.int8()?;
            if is_it {
                refused(Request::Metadata, code)?;
            }
            for _ in 0..fields.count()? {
                // Its own error says why it has no leader.
                let (_, number, leader) = (fields.int16()?, fields.int32()?, fields.int32()?);
                for _ in 0..2 {
                    for _ in 0..fields.count()? {
                        fields.int32()?;
                    }
                }
                let leader = brokers.iter().find(|(id, _)| *id == leader).map(|(_, address)| address.clone());
                if is_it {
                    partitions.push((number, leader));
                }
            }
        }
        if partitions.is_empty() { Err(fields.unreadable()) } else { Ok(Self { partitions }) }
    }
}

/// Sends a batch to a partition; all replicas that are in step have to have it. Brokers wait `wait_ms` for them.
pub(super) fn produce(topic: &str, partition: i32, batch: &[u8], wait_ms: i32) -> Vec<u8> {
    let mut body = Vec::with_capacity(batch.len() + 64);
    // No transaction.
    body.put_i16(-1);
    body.put_i16(-1);
    body.put_i32(wait_ms);
    body.put_i32(1);
    put_text(topic, &mut body);
    body.put_i32(1);
    body.put_i32(partition);
    put_bytes(batch, &mut body);
    body
}

/// Reads whether a batch was taken.
///
/// # Errors
/// `Broker`, `Answer`.
pub(super) fn check_produced(answer: &[u8]) -> Result<(), SinkError> {
    let mut fields = Fields::new(Request::Produce.name(), answer);
    let mut taken = 0;
    for _ in 0..fields.count()? {
        fields.text()?;
        for _ in 0..fields.count()? {
            fields.int32()?;
            refused(Request::Produce, fields.int16()?)?;
            fields.int64()?;
            fields.int64()?;
            taken += 1;
        }
    }
    // Closed: what is not said to be taken was not.
    if taken == 1 { Ok(()) } else { Err(fields.unreadable()) }
}

/// An error if the broker's code is one.
pub(super) fn refused(request: Request, code: i16) -> Result<(), SinkError> {
    match code {
        0 => Ok(()),
        _ => Err(SinkError::Broker { api: request.name(), code, word: word(code) }),
    }
}

/// What brokers may answer to a producer, in their own words.
const fn word(code: i16) -> &'static str {
    match code {
        2 => "CORRUPT_MESSAGE",
        3 => "UNKNOWN_TOPIC_OR_PARTITION",
        5 => "LEADER_NOT_AVAILABLE",
        6 => "NOT_LEADER_OR_FOLLOWER",
        7 => "REQUEST_TIMED_OUT",
        MESSAGE_TOO_LARGE => "MESSAGE_TOO_LARGE",
        17 => "INVALID_TOPIC_EXCEPTION",
        RECORD_LIST_TOO_LARGE => "RECORD_LIST_TOO_LARGE",
        19 => "NOT_ENOUGH_REPLICAS",
        20 => "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
        29 => "TOPIC_AUTHORIZATION_FAILED",
        31 => "CLUSTER_AUTHORIZATION_FAILED",
        UNSUPPORTED_SASL_MECHANISM => "UNSUPPORTED_SASL_MECHANISM",
        34 => "ILLEGAL_SASL_STATE",
        35 => "UNSUPPORTED_VERSION",
        44 => "POLICY_VIOLATION",
        56 => "KAFKA_STORAGE_ERROR",
        58 => "SASL_AUTHENTICATION_FAILED",
        87 => "INVALID_RECORD",
        _ => "see the Protocol Guide",
    }
}

pub(super) const MESSAGE_TOO_LARGE: i16 = 10;
pub(super) const RECORD_LIST_TOO_LARGE: i16 = 18;
pub(super) const UNSUPPORTED_SASL_MECHANISM: i16 = 33;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Broker 7 at a.b:9092 leads partition 1 of topic "t"; partition 0 has no leader.
    const TOPIC: &[u8] = b"\0\0\0\0\0\0\0\x01\0\0\0\x07\0\x03a.b\0\0\x23\x84\xff\xff\xff\xff\0\0\0\x07\
        \0\0\0\x01\0\0\0\x01t\0\0\0\0\x02\
        \0\0\0\0\0\x01\0\0\0\x07\0\0\0\x01\0\0\0\x07\0\0\0\x01\0\0\0\x07\
        \0\x05\0\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0";
    const PRODUCED: &[u8] =
        b"\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\x05\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0";

    #[test]
    fn an_answer_counts_only_when_all_of_it_is_there() {
        let partitions = vec![(1, Some("a.b:9092".to_owned())), (0, None)];
        assert_eq!(Topic::read(TOPIC, "t").unwrap(), Topic { partitions });
        assert!(Topic::read(TOPIC, "another").is_err());
        check_produced(PRODUCED).unwrap();
        for end in 0..TOPIC.len() {
            assert!(Topic::read(&TOPIC[..end], "t").is_err(), "{end}");
        }
        // Behind the partition stands only how long the broker would have us wait.
        for end in 0..PRODUCED.len() - 4 {
            assert!(check_produced(&PRODUCED[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn a_refusal_is_none_of_it_and_says_what_kafka_calls_it() {
        let mut refused = PRODUCED.to_vec();
        refused[16] = 19;
        let error = check_produced(&refused).unwrap_err().to_string();
        assert_eq!(error, "the broker answers Produce with error 19 (NOT_ENOUGH_REPLICAS)");
        assert!(check_produced(b"\0\0\0\0\0\0\0\0").is_err(), "nothing is said of our batch");
    }

    #[test]
    fn a_broker_that_lacks_a_version_of_ours_is_not_spoken_to() {
        let answer = |produce: u8| {
            let ranges = [[0, 0, 0, produce, 0, 13], [0, 3, 0, 4, 0, 13], [0, 18, 0, 0, 0, 4]].concat();
            [&[0, 0, 0, 0, 0, 3][..], &ranges].concat()
        };
        check_versions(&answer(3), false).unwrap();
        assert!(matches!(check_versions(&answer(4), false), Err(SinkError::Version { api: "Produce", .. })));
        assert!(check_versions(&answer(3), true).is_err(), "it does not take logins");
    }

    proptest! {
        #[test]
        fn whatever_answers_does_us_no_harm(answer in prop::collection::vec(any::<u8>(), 0..200)) {
            let _any = (check_versions(&answer, true), Topic::read(&answer, "t"), check_produced(&answer));
        }
    }
}
