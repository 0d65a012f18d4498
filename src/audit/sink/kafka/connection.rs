//! A connection to one broker.

use std::{io, time::Duration};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};
use zeroize::Zeroizing;

use super::{
    messages::{Request, check_versions},
    producer::KafkaSettings,
};
use crate::{
    audit::sink::error::SinkError,
    net::{ClientTls, NetError, Stream},
};

/// A connection that is logged in, if that is wanted.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    number: i32,
}

impl Connection {
    /// Connects to `broker` ("host:port"), with TLS and login as it is written.
    ///
    /// # Errors
    /// `Net`, `Silent`, `Version`, `Login`, `Broker`, `Answer`, `Broken`.
    pub(super) async fn open(broker: &str, settings: &KafkaSettings) -> Result<Self, SinkError> {
        let opening = async {
            let stream = Stream::connect(broker).await?;
            Ok::<_, SinkError>(match &settings.tls {
                Some(tls) => stream.connect_tls(&named(tls, broker)?).await?,
                None => stream,
            })
        };
        let stream = timeout(CONNECT, opening).await.unwrap_or(Err(SinkError::Silent))?;
        let mut connection = Self { stream, number: 0 };
        let answer = connection.call(Request::ApiVersions, &[]).await?;
        check_versions(&answer, settings.account.is_some())?;
        if let Some(account) = &settings.account {
            account.log_in(&mut connection).await?;
        }
        Ok(connection)
    }

    /// Sends a request; gives the body of its answer. Whoever stops waiting, or gets an error, closes the connection.
    ///
    /// # Errors
    /// `Silent`, `Broken`, `Answer`.
    pub(super) async fn call(&mut self, request: Request, body: &[u8]) -> Result<Vec<u8>, SinkError> {
        self.number = self.number.wrapping_add(1);
        // Some hold a password.
        let frame = Zeroizing::new(request.frame(self.number, body));
        timeout(ANSWER, self.exchange(request, &frame)).await.unwrap_or(Err(SinkError::Silent))
    }

    async fn exchange(&mut self, request: Request, frame: &[u8]) -> Result<Vec<u8>, SinkError> {
        self.stream.write_all(frame).await?;
        self.stream.flush().await?;
        let length = usize::try_from(self.stream.read_i32().await?).unwrap_or(usize::MAX);
        let number = self.stream.read_i32().await?;
        let is_ours = number == self.number && (4..=ANSWER_BYTES).contains(&length);
        if !is_ours {
            return Err(SinkError::Answer { api: request.name() });
        }
        let mut answer = vec![0; length - 4];
        self.stream.read_exact(&mut answer).await?;
        Ok(answer)
    }
}

/// The same TLS for the server at this address.
fn named(tls: &ClientTls, broker: &str) -> Result<ClientTls, SinkError> {
    let host = broker.rsplit_once(':').map_or(broker, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let server_name =
        ServerName::try_from(host.to_owned()).map_err(|_| NetError::ServerName { name: host.to_owned() })?;
    Ok(ClientTls { config: tls.config.clone(), server_name })
}

/// Whether the connection was closed before its answer came.
pub(super) fn is_closed(error: &SinkError) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error,
        SinkError::Broken { source }
            if matches!(source.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
    )
}

const CONNECT: Duration = Duration::from_secs(10);
/// Longer than brokers are told to wait for their replicas.
const ANSWER: Duration = Duration::from_secs(40);
/// Of an answer: one about a topic of ten thousand partitions is shorter.
const ANSWER_BYTES: usize = 2 << 20;
