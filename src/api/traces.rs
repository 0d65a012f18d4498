//! One span for each request to the API and to SCIM.
//!
//! Source: OpenTelemetry semantic conventions, "HTTP server".

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, Method},
    middleware::Next,
    response::Response,
};

use crate::{
    model::trace::TraceParent,
    telemetry::{KeyValue, Span, SpanKind, Tracer},
};

/// Measures what an address answers. Its words are those of the description: no name or number that a client wrote.
pub(super) async fn trace(State(tracer): State<Tracer>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let Some(route) = route.filter(|route| is_traced(route)) else { return next.run(request).await };
    let parent = parent_of(request.headers());
    let method = known(request.method());
    let began = Instant::now();
    let response = next.run(request).await;
    if let Some(context) = tracer.begin(parent) {
        let status = response.status();
        tracer.send(vec![Span {
            context,
            name: format!("{method} {route}").into(),
            kind: SpanKind::Server,
            began,
            ended: Instant::now(),
            attributes: vec![
                KeyValue::text("http.request.method", method),
                KeyValue::text("http.route", route),
                KeyValue::int("http.response.status_code", status.as_u16().into()),
            ],
            failed: status.is_server_error(),
        }]);
    }
    response
}

/// Probes and pages would be most of what is kept.
fn is_traced(route: &str) -> bool {
    ["/api/", "/scim/"].iter().any(|start| route.starts_with(start))
}

fn parent_of(headers: &HeaderMap) -> Option<TraceParent> {
    TraceParent::parse(headers.get("traceparent")?.to_str().ok()?)
}

fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "DELETE" => "DELETE",
        "GET" => "GET",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        "POST" => "POST",
        "PUT" => "PUT",
        _ => "_OTHER",
    }
}
