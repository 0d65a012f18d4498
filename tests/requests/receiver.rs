//! Somebody who is told of things: keeps what comes, and answers as it is told to.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};

/// What came.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) headers: HeaderMap,
    pub(crate) query: String,
    pub(crate) body: Bytes,
    pub(crate) at: Instant,
}

impl Call {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// This status, with this header.
    Status(u16, Option<(&'static str, &'static str)>),
    /// Nothing, for so long.
    Silence(Duration),
    /// 200 and this text.
    Text(String),
}

#[derive(Debug)]
struct Inner {
    calls: watch::Sender<Vec<Call>>,
    replies: Mutex<VecDeque<Reply>>,
}

/// The other side.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
    serving: JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner { calls: watch::Sender::new(Vec::new()), replies: Mutex::default() });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, inner, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/told", self.address)
    }

    /// Answers the next calls so, one each; behind that with 204.
    pub(crate) fn replies(&self, replies: impl IntoIterator<Item = Reply>) {
        self.inner.replies.lock().unwrap().extend(replies);
    }

    /// The first so many calls, when they are there.
    pub(crate) async fn calls(&self, count: usize) -> Vec<Call> {
        let mut calls = self.inner.calls.subscribe();
        let enough = timeout(Duration::from_secs(40), calls.wait_for(|calls| calls.len() >= count)).await;
        match enough {
            Ok(calls) => calls.unwrap().clone(),
            Err(_) => panic!("{count} calls are not there: {:?}", self.kinds()),
        }
    }

    pub(crate) fn kinds(&self) -> Vec<String> {
        self.inner.calls.borrow().iter().map(Call::kind).collect()
    }

    /// Is gone; its address is free.
    pub(crate) async fn stop(self) -> SocketAddr {
        self.serving.abort();
        let _ = self.serving.await;
        self.address
    }
}

async fn answer(State(inner): State<Arc<Inner>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let query = uri.query().unwrap_or_default().to_owned();
    inner.calls.send_modify(|calls| calls.push(Call { headers, query, body, at: Instant::now() }));
    let reply = inner.replies.lock().unwrap().pop_front();
    match reply {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(Reply::Status(status, header)) => {
            let mut response = StatusCode::from_u16(status).unwrap().into_response();
            if let Some((name, value)) = header {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Some(Reply::Silence(time)) => {
            tokio::time::sleep(time).await;
            StatusCode::NO_CONTENT.into_response()
        }
        Some(Reply::Text(text)) => text.into_response(),
    }
}
