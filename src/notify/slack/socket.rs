//! Socket Mode: a WebSocket that we open to Slack, so that Slack needs no way in.
//!
//! Source: docs.slack.dev, "Using Socket Mode".

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, interval, sleep, sleep_until, timeout},
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};
use tracing::{debug, info, warn};

use super::{
    desk::{Desk, Reply},
    error::SlackError,
    payload::{Interaction, Unreadable, of_command, of_interactive},
    web::Web,
};
use crate::{
    net::{ClientTls, Roots},
    notify::{Backoff, backoff::chance},
};

/// What holds a WebSocket to Slack open.
pub(super) struct Socket {
    pub(super) desk: Desk,
    pub(super) web: Web,
    /// Also without TLS, to this machine: what stands for Slack in tests.
    pub(super) is_local: bool,
}

type Stream = WebSocketStream<Box<dyn Wire>>;

/// What a WebSocket runs over.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// What Slack sends.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    envelope_id: Option<String>,
    #[serde(default)]
    payload: Value,
    reason: Option<String>,
}

impl Socket {
    /// Holds one open until it is dropped: one that Slack wants replaced is served on while the next is opened.
    pub(super) async fn hold(&self) {
        let mut old = JoinSet::new();
        let mut failed = 0_u32;
        loop {
            while old.try_join_next().is_some() {}
            let problem = match self.open().await {
                Ok(stream) => {
                    let (over, is_over) = oneshot::channel();
                    let desk = self.desk.clone();
                    let since = Instant::now();
                    old.spawn(async move { serve(stream, &desk, over).await });
                    let end = is_over.await.unwrap_or(End::Broken);
                    if since.elapsed() > STEADY {
                        failed = 0;
                    }
                    match end {
                        End::Broken => "it broke".to_owned(),
                        End::Replace if failed == 0 => {
                            failed = 1;
                            continue;
                        }
                        End::Replace => "Slack wants it replaced".to_owned(),
                    }
                }
                Err(error) => error.to_string(),
            };
            failed = failed.saturating_add(1);
            let wait = RETRY.after(failed, chance());
            warn!(problem, ?wait, "there is no WebSocket to Slack; it is opened again");
            sleep(wait).await;
        }
    }

    async fn open(&self) -> Result<Stream, SlackError> {
        let address = self.web.socket().await?;
        let broken = |problem: &str| SlackError::Socket { problem: problem.to_owned() };
        let url = Url::parse(&address).map_err(|_| broken("its address is none"))?;
        let host = url.host_str().ok_or_else(|| broken("its address names no host"))?.to_owned();
        let is_tls = match url.scheme() {
            "wss" if host.ends_with(OURS) => true,
            "ws" if self.is_local && host == "127.0.0.1" => false,
            // closed: Slack leads us to no other machines
            _ => return Err(broken("its address is not Slack's")),
        };
        let port = url.port_or_known_default().unwrap_or(443);
        let opened = timeout(PATIENCE, async {
            let stream = TcpStream::connect((host.as_str(), port))
                .await
                .map_err(|error| broken(&error.to_string()))?;
            let wire: Box<dyn Wire> = if is_tls {
                let tls = ClientTls::open(&Roots::System, &host);
                let tls = tls.map_err(|error| broken(&error.to_string()))?;
                let connector = TlsConnector::from(tls.config);
                let secure = connector.connect(tls.server_name, stream).await;
                Box::new(secure.map_err(|error| broken(&error.to_string()))?)
            } else {
                Box::new(stream)
            };
            let limits = WebSocketConfig::default()
                .max_message_size(Some(MAX_MESSAGE_BYTES))
                .max_frame_size(Some(MAX_MESSAGE_BYTES));
            let opened = client_async_with_config(address.as_str(), wire, Some(limits)).await;
            // The address holds a ticket: nothing of it is told.
            opened.map(|(stream, _)| stream).map_err(|_| broken("it is not taken up"))
        });
        opened.await.map_err(|_| broken("it is not taken up in time"))?
    }
}

/// Why the next one is to be opened.
enum End {
    Broken,
    Replace,
}

/// Serves one WebSocket to its end; tells through `over` when the next one is to be opened.
async fn serve(stream: Stream, desk: &Desk, over: oneshot::Sender<End>) {
    let mut over = Some(over);
    let (mut sink, mut source) = stream.split();
    let (answers, mut answered) = mpsc::channel::<String>(ANSWERS);
    let mut work = JoinSet::new();
    let mut pings = interval(PING_EVERY);
    let mut silent_until = Instant::now() + SILENCE;
    let mut last = None::<Instant>;
    loop {
        while work.try_join_next().is_some() {}
        tokio::select! {
            message = source.next() => {
                silent_until = Instant::now() + SILENCE;
                let Some(Ok(message)) = message else { break };
                let Message::Text(text) = message else { continue };
                match read(text.as_str()) {
                    Said::Answer { id, interaction } => {
                        let (desk, answers) = (desk.clone(), answers.clone());
                        work.spawn(async move {
                            if let Some(text) = answer(&desk, &id, interaction).await {
                                // Who is gone when it is done is told nothing.
                                drop(answers.send(text).await);
                            }
                        });
                    }
                    Said::Hello => info!("a WebSocket to Slack is open"),
                    Said::Nothing => {}
                    Said::Replace(reason) => {
                        debug!(reason, "Slack wants the WebSocket replaced");
                        last.get_or_insert_with(|| Instant::now() + LAST_WORDS);
                        if let Some(over) = over.take() {
                            drop(over.send(End::Replace));
                        }
                    }
                }
            }
            Some(text) = answered.recv() => {
                if sink.send(Message::text(text)).await.is_err() {
                    break;
                }
            }
            _ = pings.tick() => {
                if sink.send(Message::Ping(Vec::new().into())).await.is_err() {
                    break;
                }
            }
            () = sleep_until(last.unwrap_or(silent_until)) => break,
        }
    }
    if let Some(over) = over.take() {
        drop(over.send(End::Broken));
    }
}

/// What is to be done with a message of Slack's.
enum Said {
    Answer { id: String, interaction: Result<Interaction, Unreadable> },
    Hello,
    Nothing,
    Replace(String),
}

fn read(text: &str) -> Said {
    let Ok(envelope) = serde_json::from_str::<Envelope>(text) else {
        warn!("a message of Slack's cannot be read");
        return Said::Nothing;
    };
    match (envelope.kind.as_str(), envelope.envelope_id) {
        ("hello", _) => Said::Hello,
        ("disconnect", _) => Said::Replace(envelope.reason.unwrap_or_default()),
        ("interactive", Some(id)) => Said::Answer { id, interaction: of_interactive(&envelope.payload) },
        ("slash_commands", Some(id)) => Said::Answer { id, interaction: of_command(&envelope.payload) },
        // What nobody waits for is acknowledged, or it would come again.
        (_, Some(id)) => Said::Answer { id, interaction: Ok(Interaction::Other) },
        (_, None) => Said::Nothing,
    }
}

/// The acknowledgement of an envelope, and what is shown for it; without one Slack tells the person that it failed.
async fn answer(desk: &Desk, id: &str, interaction: Result<Interaction, Unreadable>) -> Option<String> {
    let reply = match interaction {
        Ok(interaction) => desk.take(interaction).await,
        Err(why) => {
            desk.refuse(&why);
            Reply::Taken
        }
    };
    let acknowledged = match reply {
        Reply::Busy => return None,
        Reply::Taken => json!({ "envelope_id": id }),
        Reply::Shown(shown) => json!({ "envelope_id": id, "payload": shown }),
    };
    Some(acknowledged.to_string())
}

/// What Slack's machines are called.
const OURS: &str = ".slack.com";
const PATIENCE: Duration = Duration::from_secs(10);
const RETRY: Backoff = Backoff { first: Duration::from_millis(500), most: Duration::from_secs(30) };
/// One that lasted so long was a good one.
const STEADY: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(15);
/// After two pings that nobody answers.
const SILENCE: Duration = Duration::from_secs(35);
/// How long a WebSocket is served that Slack wants replaced: it closes it itself in about ten seconds.
const LAST_WORDS: Duration = Duration::from_secs(15);
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// Answers that wait to be sent; as many as people who are served at once.
const ANSWERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_envelope_is_acknowledged_and_nothing_else_is() {
        let is_answered = |text: &str| matches!(read(text), Said::Answer { .. });
        assert!(is_answered(r#"{"type":"interactive","envelope_id":"e","payload":{}}"#));
        assert!(is_answered(r#"{"type":"events_api","envelope_id":"e","payload":{}}"#));
        assert!(!is_answered(r#"{"type":"interactive","payload":{}}"#));
        assert!(matches!(read(r#"{"type":"hello","num_connections":1}"#), Said::Hello));
        assert!(matches!(read(r#"{"type":"disconnect","reason":"warning"}"#), Said::Replace(_)));
        assert!(matches!(read("{"), Said::Nothing));
    }
}
