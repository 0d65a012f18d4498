//! As whom we log in to a broker.
//!
//! Source: RFC 4616 (PLAIN), RFC 5802 and RFC 7677 (SCRAM); Apache Kafka, "Protocol Guide", "SASL Authentication Sequence".

use zeroize::Zeroizing;

use super::{
    codec::{Fields, put_bytes, put_text},
    connection::Connection,
    messages::{Request, UNSUPPORTED_SASL_MECHANISM, refused},
    scram::{Scram, ScramHash},
};
use crate::{audit::sink::error::SinkError, model::secret::Secret};

/// An account at the brokers.
#[derive(Clone, Debug)]
pub struct KafkaAccount {
    /// How it proves itself.
    pub mechanism: KafkaMechanism,
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: Secret<String>,
}

/// How an account proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KafkaMechanism {
    /// It sends its password; over TLS only.
    Plain,
    /// SCRAM-SHA-256.
    ScramSha256,
    /// SCRAM-SHA-512.
    ScramSha512,
}

impl KafkaMechanism {
    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl KafkaAccount {
    /// # Errors
    /// `Login` where the broker refuses it, or does not prove that it knows the password itself.
    pub(super) async fn log_in(&self, connection: &mut Connection) -> Result<(), SinkError> {
        let mut body = Vec::new();
        put_text(self.mechanism.name(), &mut body);
        let answer = connection.call(Request::SaslHandshake, &body).await?;
        let mut fields = Fields::new(Request::SaslHandshake.name(), &answer);
        let code = fields.int16()?;
        if code == UNSUPPORTED_SASL_MECHANISM {
            let offered: Vec<&str> = (0..fields.count()?).map(|_| fields.text()).collect::<Result<_, _>>()?;
            return Err(self.refusal(&format!("it offers {}", offered.join(", "))));
        }
        refused(Request::SaslHandshake, code)?;
        match self.mechanism {
            KafkaMechanism::Plain => self.plain(connection).await,
            KafkaMechanism::ScramSha256 => self.scram(connection, ScramHash::Sha256).await,
            KafkaMechanism::ScramSha512 => self.scram(connection, ScramHash::Sha512).await,
        }
    }

    async fn plain(&self, connection: &mut Connection) -> Result<(), SinkError> {
        let message = Zeroizing::new(format!("\0{}\0{}", self.user, self.password.expose()));
        self.say(connection, message.as_bytes()).await.map(drop)
    }

    async fn scram(&self, connection: &mut Connection, hash: ScramHash) -> Result<(), SinkError> {
        let wrong = |problem: &'static str| self.refusal(problem);
        let nonce = Scram::nonce().map_err(wrong)?;
        let (scram, first) = Scram::begin(hash, &self.user, nonce);
        let answer = self.say(connection, first.as_bytes()).await?;
        let password = self.password.clone();
        // Thousands of rounds of a hash: not on a thread that others wait for.
        let proving = tokio::task::spawn_blocking(move || scram.prove(&answer, &password));
        let (proof, expected) = proving.await.map_err(std::io::Error::other)?.map_err(wrong)?;
        let answer = self.say(connection, proof.as_bytes()).await?;
        expected.check(&answer).map_err(wrong)
    }

    /// Sends a message of the exchange; gives the broker's.
    async fn say(&self, connection: &mut Connection, message: &[u8]) -> Result<Vec<u8>, SinkError> {
        let mut body = Zeroizing::new(Vec::with_capacity(message.len() + 4));
        put_bytes(message, &mut body);
        let answer = connection.call(Request::SaslAuthenticate, &body).await?;
        let mut fields = Fields::new(Request::SaslAuthenticate.name(), &answer);
        let (code, said) = (fields.int16()?, fields.text()?);
        if code != 0 {
            return Err(self.refusal(if said.is_empty() { "it does not say why" } else { said }));
        }
        Ok(fields.bytes()?.to_vec())
    }

    fn refusal(&self, answer: &str) -> SinkError {
        let answer = answer.chars().filter(|letter| !letter.is_control()).take(300).collect();
        SinkError::Login { mechanism: self.mechanism.name(), answer }
    }
}
