//! Slack's requests over HTTP: one address, and nothing is done before the signature is known to be good.
//!
//! Source: docs.slack.dev, "Handling user interaction in your Slack apps", "Verifying requests from Slack".

use std::{future::Future, sync::Arc, time::Duration};

use axum::{
    Json,
    body::{Bytes, to_bytes},
    extract::Request,
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use tokio::{net::TcpListener, time::timeout};

use super::{
    desk::{Desk, Reply},
    payload::of_form,
    signature::{Signatures, Unproven},
};
use crate::net::{Clock, HttpTls, serve_http};

/// What answers Slack's requests.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) desk: Desk,
    pub(super) signatures: Arc<Signatures>,
    pub(super) clock: Clock,
}

impl Door {
    /// Answers until `stop` is done.
    pub(super) async fn serve(
        self,
        listener: TcpListener,
        tls: Option<HttpTls>,
        stop: impl Future<Output = ()>,
    ) {
        let answer = move |request: Request| {
            let door = self.clone();
            async move {
                let answered = timeout(TIME, door.answer(request)).await;
                answered.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response())
            }
        };
        serve_http(listener, tls, answer, stop).await;
    }

    async fn answer(&self, request: Request) -> Response {
        if request.uri().path() != ADDRESS {
            return StatusCode::NOT_FOUND.into_response();
        }
        if request.method() != Method::POST {
            return StatusCode::METHOD_NOT_ALLOWED.into_response();
        }
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        };
        if let Err(why) = self.check(&parts.headers, &body, self.clock.now()) {
            self.desk.refuse(&why);
            return StatusCode::UNAUTHORIZED.into_response();
        }
        let interaction = match of_form(&body) {
            Ok(interaction) => interaction,
            Err(why) => {
                self.desk.refuse(&why);
                return StatusCode::BAD_REQUEST.into_response();
            }
        };
        match self.desk.take(interaction).await {
            Reply::Busy => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Reply::Shown(shown) => Json(shown).into_response(),
            Reply::Taken => StatusCode::OK.into_response(),
        }
    }

    /// The body as it came is what was signed.
    fn check(&self, headers: &HeaderMap, body: &Bytes, now: Timestamp) -> Result<(), Unproven> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (at, signature) = (header("x-slack-request-timestamp"), header("x-slack-signature"));
        self.signatures.check(at, signature, body, now)
    }
}

/// Where Slack sends clicks, forms and commands.
const ADDRESS: &str = "/slack/interactions";
const MAX_BODY_BYTES: usize = 512 << 10;
/// More than anybody waits who is Slack.
const TIME: Duration = Duration::from_secs(10);
