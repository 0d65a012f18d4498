//! What surrounds every request: its name, its time, and how problems are written.

use std::time::Duration;

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::{Instrument, debug, info_span};
use uuid::Uuid;

use super::problem::Problem;

/// Names the request, bounds its time, and writes the body of a problem.
pub(super) async fn surround(request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().to_string();
    let span = info_span!("api", request_id = id);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answered = async {
        let response = match tokio::time::timeout(TIME, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                "timeout",
                "no answer in 30 seconds: a change may still be made, look before you repeat it",
            )
            .into_response(),
        };
        debug!(%method, path, status = response.status().as_u16(), "answered");
        response
    };
    let mut response = answered.instrument(span).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = problem.render(response, &id);
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    // Pages say themselves how long they are good.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

pub(super) async fn no_such_address() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no_such_address",
        "there is nothing at this address; see docs/api.md",
    )
}

pub(super) async fn no_such_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no_such_method", "this address does not take this method")
}

const TIME: Duration = Duration::from_secs(30);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
