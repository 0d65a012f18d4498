//! The API on a socket.

use std::{convert::Infallible, future::Future, io};

use axum::extract::Request;
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::router::{ApiParts, router};
use crate::net::{HttpTls, serve_http};

/// Answers on `listener` until `stop` is done, then lets the requests under way finish, for ten seconds at most.
///
/// Without `tls` it speaks plain HTTP: the configuration must have seen to it that the address is loopback.
pub async fn serve(
    listener: TcpListener,
    tls: Option<HttpTls>,
    parts: ApiParts,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let is_loopback = listener.local_addr()?.ip().is_loopback();
    let router = router(parts, is_loopback);
    let answer = move |request: Request| {
        let router = router.clone();
        async move {
            let answered: Result<_, Infallible> = router.oneshot(request).await;
            answered.unwrap_or_else(|never| match never {})
        }
    };
    serve_http(listener, tls, answer, stop).await;
    Ok(())
}
