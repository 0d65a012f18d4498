//! Sends lines to the partition of their gateway.

use super::{
    account::KafkaAccount,
    connection::{Connection, is_closed},
    cut::cut,
    messages::{MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, Request, Topic, check_produced, metadata, produce},
    partition::partition_of,
};
use crate::{
    audit::{
        follow::{Chunk, Cursor, FollowedLine},
        sink::error::SinkError,
    },
    net::ClientTls,
};

/// Where a topic is.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// Brokers that are asked where the others are ("host:port"), at least one.
    pub brokers: Vec<String>,
    /// The topic; it is there already.
    pub topic: String,
    /// TLS to every broker, whose certificate carries the name that the brokers give it; `None` is plain TCP.
    pub tls: Option<ClientTls>,
    /// As whom to log in.
    pub account: Option<KafkaAccount>,
    /// What the gateway is called: the key of its messages, so that its log stays in one partition.
    pub gateway: String,
}

/// A topic.
#[derive(Debug)]
pub struct Kafka {
    settings: KafkaSettings,
    leader: Option<Leader>,
    /// Which broker is asked first.
    turn: usize,
    /// Bytes of a batch that the brokers take, as far as is known.
    limit: usize,
    /// Of the chunk that begins there, so many lines are taken.
    taken: Option<(Cursor, usize)>,
}

/// Who takes what is written to our partition.
#[derive(Debug)]
struct Leader {
    connection: Connection,
    partition: i32,
}

impl Kafka {
    /// Connects when there is something to send.
    pub const fn new(settings: KafkaSettings) -> Self {
        Self { settings, leader: None, turn: 0, limit: MOST_BYTES, taken: None }
    }

    /// # Errors
    /// As of [`SinkError`]; what was taken of the chunk is not sent again when it is tried anew.
    pub(in crate::audit::sink) async fn send(&mut self, chunk: &Chunk) -> Result<(), SinkError> {
        let lines: Vec<FollowedLine<'_>> = chunk.lines().collect();
        let mut taken = match &self.taken {
            Some((before, taken)) if before == chunk.before() => *taken,
            _ => 0,
        };
        while let Some(rest) = lines.get(taken..).filter(|rest| !rest.is_empty()) {
            let cut = cut(rest, &self.settings.gateway, self.limit);
            match self.deliver(&cut.batches).await {
                Ok(()) => {
                    taken += cut.lines;
                    self.taken = Some((chunk.before().clone(), taken));
                }
                // Smaller batches, and parts of lines, rather than a line that nobody ever gets.
                Err(error) if is_too_large(&error) && self.limit > LEAST_BYTES => {
                    self.limit = (self.limit / 2).max(LEAST_BYTES);
                    tracing::warn!(bytes = self.limit, %error, "batches of a sink of the audit log get smaller");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn deliver(&mut self, batches: &[Vec<u8>]) -> Result<(), SinkError> {
        for batch in batches {
            let is_used = self.leader.is_some();
            let mut sent = self.send_batch(batch).await;
            // Brokers close connections that were quiet for long: that is no failure.
            if is_used && sent.as_ref().is_err_and(is_closed) {
                sent = self.send_batch(batch).await;
            }
            sent?;
        }
        Ok(())
    }

    /// After an error nothing is known of the leader any more.
    async fn send_batch(&mut self, batch: &[u8]) -> Result<(), SinkError> {
        let mut leader = match self.leader.take() {
            Some(leader) => leader,
            None => self.find().await?,
        };
        let body = produce(&self.settings.topic, leader.partition, batch, WAIT_MS);
        check_produced(&leader.connection.call(Request::Produce, &body).await?)?;
        self.leader = Some(leader);
        Ok(())
    }

    /// Asks the brokers in turn who leads our partition, and connects there.
    async fn find(&mut self) -> Result<Leader, SinkError> {
        let mut failed = SinkError::Silent;
        for _ in 0..self.settings.brokers.len() {
            let turn = self.turn % self.settings.brokers.len();
            let Some(broker) = self.settings.brokers.get(turn) else { break };
            match self.ask(broker).await {
                Ok(leader) => return Ok(leader),
                Err(error) => failed = error,
            }
            self.turn = turn + 1;
        }
        Err(failed)
    }

    async fn ask(&self, broker: &str) -> Result<Leader, SinkError> {
        let KafkaSettings { topic, gateway, .. } = &self.settings;
        let mut connection = Connection::open(broker, &self.settings).await?;
        let answer = connection.call(Request::Metadata, &metadata(topic)).await?;
        let mut partitions = Topic::read(&answer, topic)?.partitions;
        partitions.sort();
        let ours = partition_of(gateway, partitions.len()).and_then(|at| partitions.into_iter().nth(at));
        let Some((partition, Some(address))) = ours else {
            return Err(SinkError::NoLeader { topic: topic.clone() });
        };
        if address != broker {
            connection = Connection::open(&address, &self.settings).await?;
        }
        Ok(Leader { connection, partition })
    }
}

const fn is_too_large(error: &SinkError) -> bool {
    matches!(error, SinkError::Broker { code: MESSAGE_TOO_LARGE | RECORD_LIST_TOO_LARGE, .. })
}

/// Below what brokers take if they are not told otherwise (1,048,588).
const MOST_BYTES: usize = 1_000_000;
/// Of a broker that takes less than this, nobody has heard.
const LEAST_BYTES: usize = 16 << 10;
/// How long the leader waits for its replicas.
const WAIT_MS: i32 = 30_000;
