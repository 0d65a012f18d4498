//! A small identity provider: discovery, keys that rotate, codes with PKCE, device codes, and tokens of every kind,
//! good and bad. It listens on a loopback port in a thread of its own.
#![allow(dead_code)]

pub(crate) mod keys;
mod pages;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use keys::{Kind, SigningKey};

pub(crate) const CLIENT: &str = "tidegate";
pub(crate) const SECRET: &str = "s3cret of the client/é";

/// A running provider.
pub(crate) struct Oidc {
    pub(crate) issuer: String,
    shared: Arc<Shared>,
    _stop: oneshot::Sender<()>,
}

/// What its pages know.
pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) issuer: String,
    pub(crate) keys: Vec<SigningKey>,
    /// Whose browser it is, and who types in codes of devices.
    pub(crate) person: Value,
    /// Device codes: whether somebody said yes.
    pub(crate) devices: HashMap<String, bool>,
    /// Codes: PKCE challenge, redirect and nonce.
    pub(crate) codes: HashMap<String, (String, String, Value)>,
    /// How often its keys were asked for.
    pub(crate) key_fetches: usize,
    pub(crate) is_down: bool,
    pub(crate) next: u32,
}

impl Oidc {
    pub(crate) fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let state = State {
            issuer: issuer.clone(),
            keys: vec![SigningKey::new("k1", Kind::Rsa)],
            person: json!({}),
            devices: HashMap::new(),
            codes: HashMap::new(),
            key_fetches: 0,
            is_down: false,
            next: 0,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state) });
        let (stop, stopped) = oneshot::channel::<()>();
        let app = pages::router(Arc::clone(&shared));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                pages::serve(listener, app, async { drop(stopped.await) }).await;
            });
        });
        Self { issuer, shared, _stop: stop }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    /// From now on tokens are signed by a new key; the old one is no longer published.
    pub(crate) fn rotate(&self, id: &str, kind: Kind) {
        self.state().keys = vec![SigningKey::new(id, kind)];
    }

    /// Whoever uses the browser, or types in a code, is this person.
    pub(crate) fn sits_down(&self, name: &str, groups: &[&str]) {
        self.state().person = person(name, groups);
    }

    /// Somebody types in the code of every device that waits.
    pub(crate) fn approve_devices(&self) {
        self.state().devices.values_mut().for_each(|approved| *approved = true);
    }

    /// Good claims of a person, of now, with some replaced; those that become null are left out.
    pub(crate) fn claims(&self, now: Timestamp, name: &str, changes: Value) -> Value {
        let now = now.as_second();
        let mut claims = person(name, &[]);
        claims["iss"] = self.issuer.clone().into();
        claims["aud"] = CLIENT.into();
        claims["exp"] = (now + 300).into();
        claims["iat"] = now.into();
        for (claim, value) in changes.as_object().unwrap() {
            claims[claim] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        claims
    }

    /// A token of these claims by the present key.
    pub(crate) fn token(&self, now: Timestamp, name: &str, changes: Value) -> String {
        let claims = self.claims(now, name, changes);
        self.state().keys[0].sign(&claims)
    }
}

/// What the provider knows of somebody.
pub(crate) fn person(name: &str, groups: &[&str]) -> Value {
    json!({
        "sub": format!("sub-of-{name}"), "email": format!("{name}@example.com"), "email_verified": true,
        "preferred_username": name, "groups": groups,
    })
}
