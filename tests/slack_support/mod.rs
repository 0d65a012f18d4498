//! What stands for Slack: its Web API and its WebSockets, on loopback ports in a thread of its own.
//!
//! Every call is held against Slack's documented shapes; a call that Slack would not take is answered as Slack would, and
//! fails the test at its end.
#![allow(dead_code)]

mod methods;
pub(crate) mod payloads;
pub(crate) mod shapes;
mod sockets;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

pub(crate) const TEAM: &str = "T0TIDE";
pub(crate) const CHANNEL: &str = "C0GRANTS";
pub(crate) const BOT_TOKEN: &str = "xoxb-of-the-bot";
pub(crate) const APP_TOKEN: &str = "xapp-of-the-app";
/// Those of deploy/slack/manifest.yaml.
pub(crate) const SCOPES: [&str; 5] = ["chat:write", "commands", "im:write", "users:read", "users:read.email"];
pub(crate) const SIGNING_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// A running one.
pub(crate) struct Slack {
    /// Below which its methods are.
    pub(crate) api: String,
    shared: Arc<Shared>,
    _stop: oneshot::Sender<()>,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    origin: String,
    socket: String,
}

#[derive(Default)]
pub(crate) struct State {
    /// All calls that were answered with ok, in order.
    pub(crate) calls: Vec<(String, Value)>,
    /// What messages show, by channel and time stamp.
    pub(crate) messages: BTreeMap<(String, String), Value>,
    /// What forms show, by what names them.
    pub(crate) views: BTreeMap<String, Value>,
    /// What people were told for them alone.
    pub(crate) whispers: Vec<String>,
    /// What people are, by their identifier, as users.info tells.
    pub(crate) members: BTreeMap<String, Value>,
    /// Which workspace the bot token is of.
    pub(crate) team: Option<String>,
    /// What the bot token may do.
    pub(crate) scopes: Vec<&'static str>,
    /// Answers everything with 503.
    pub(crate) is_down: bool,
    /// Channels that there are not.
    pub(crate) missing: Vec<String>,
    /// Answers the next calls with 429, to be repeated after so many seconds.
    pub(crate) limits: VecDeque<u64>,
    /// What Slack would not have taken.
    pub(crate) faults: Vec<String>,
    /// Calls that were refused because it is down or limited.
    pub(crate) turned_away: usize,
    /// Open WebSockets.
    sockets: Vec<mpsc::UnboundedSender<String>>,
    /// Acknowledged envelopes, and when.
    pub(crate) acknowledged: BTreeMap<String, (Value, Instant)>,
    pub(crate) sockets_opened: usize,
    triggers: Vec<String>,
    next: u32,
}

impl Slack {
    pub(crate) fn start() -> Self {
        let listen = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            let port = listener.local_addr().unwrap().port();
            (listener, port)
        };
        let ((http, port), (socket, socket_port)) = (listen(), listen());
        let origin = format!("http://127.0.0.1:{port}");
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                team: Some(TEAM.to_owned()),
                scopes: SCOPES.to_vec(),
                ..State::default()
            }),
            origin: origin.clone(),
            socket: format!("ws://127.0.0.1:{socket_port}/link"),
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let app = methods::router(Arc::clone(&shared));
        let sockets = Arc::clone(&shared);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let http = tokio::net::TcpListener::from_std(http).unwrap();
                let socket = tokio::net::TcpListener::from_std(socket).unwrap();
                tokio::select! {
                    () = methods::serve(http, app) => {}
                    () = sockets::serve(socket, sockets) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { api: format!("{origin}/api"), shared, _stop: stop }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    /// Somebody of the workspace; their identifier.
    pub(crate) fn member(&self, user: &str, email: Option<&str>) {
        let member = serde_json::json!({
            "id": user, "team_id": TEAM, "name": user.to_lowercase(), "deleted": false, "is_bot": false,
            "is_restricted": false, "is_ultra_restricted": false, "is_email_confirmed": email.is_some(),
            "profile": { "real_name": format!("{user} <@U1>"), "email": email },
        });
        self.state().members.insert(user.to_owned(), member);
    }

    /// What opens a form.
    pub(crate) fn trigger(&self) -> String {
        let mut state = self.state();
        state.next += 1;
        let trigger = format!("{}.trigger", state.next);
        state.triggers.push(trigger.clone());
        trigger
    }

    /// Where somebody is told something for them alone.
    pub(crate) fn response_url(&self) -> String {
        format!("{}/actions/{TEAM}/1/x", self.shared.origin)
    }

    /// Sends an envelope through the newest WebSocket; gives what acknowledged it.
    pub(crate) async fn envelope(&self, kind: &str, payload: Value) -> Value {
        let id = uuid::Uuid::new_v4().to_string();
        let envelope = serde_json::json!({
            "envelope_id": id, "type": kind, "payload": payload, "accepts_response_payload": true,
        });
        self.waits("a WebSocket", |state| (!state.sockets.is_empty()).then_some(())).await;
        let began = Instant::now();
        self.state().sockets.last().unwrap().send(envelope.to_string()).unwrap();
        let (answer, at) =
            self.waits("an acknowledgement", |state| state.acknowledged.get(&id).cloned()).await;
        assert!(at - began < Duration::from_secs(3), "Slack waits three seconds");
        answer
    }

    /// Sends what is no envelope.
    pub(crate) fn send(&self, text: &Value) {
        self.state().sockets.last().unwrap().send(text.to_string()).unwrap();
    }

    /// Closes all WebSockets.
    pub(crate) fn close_sockets(&self) {
        self.state().sockets.clear();
    }

    /// Waits for something to be so.
    pub(crate) async fn waits<T>(&self, what: &str, mut found: impl FnMut(&mut State) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            let seen = {
                let mut state = self.state();
                if let Some(found) = found(&mut state) {
                    return found;
                }
                format!("{:?}\n{:?}\n{:?}", state.calls.last(), state.faults, state.whispers)
            };
            assert!(began.elapsed() < PATIENCE, "not seen: {what}\n{seen}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The message in the channel that shows all of these words; its time stamp.
    pub(crate) async fn shows(&self, channel: &str, words: &[&str]) -> (String, Value) {
        self.waits(&format!("{words:?} in {channel}"), |state| {
            let of_channel = state.messages.iter().filter(|((place, _), _)| place == channel);
            let mut fits = of_channel.filter(|(_, message)| {
                let text = message.to_string();
                words.iter().all(|word| text.contains(word))
            });
            fits.next().map(|((_, ts), message)| (ts.clone(), message.clone()))
        })
        .await
    }

    /// What somebody is told next for them alone.
    pub(crate) async fn whisper(&self) -> String {
        self.waits("a whisper", |state| (!state.whispers.is_empty()).then(|| state.whispers.remove(0))).await
    }

    /// What the newest form shows, once it shows these words.
    pub(crate) async fn view(&self, words: &str) -> (String, Value) {
        self.waits(&format!("a form with {words}"), |state| {
            let newest = state.views.iter().next_back()?;
            newest.1.to_string().contains(words).then(|| (newest.0.clone(), newest.1.clone()))
        })
        .await
    }
}

impl Drop for Slack {
    fn drop(&mut self) {
        let faults = std::mem::take(&mut self.state().faults);
        assert!(std::thread::panicking() || faults.is_empty(), "Slack would not take this: {faults:#?}");
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
