//! Sockets and TLS under the API.

use std::{convert::Infallible, future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use tracing::{debug, warn};

use super::{
    events::Stopping,
    router::{ApiParts, Peer, router},
};

/// Gives the TLS configuration for the next connection; asked for each, so that certificates can be renewed.
pub type ApiTls = Arc<dyn Fn() -> Arc<ServerConfig> + Send + Sync>;

/// Answers on `listener` until `stop` is done, then lets the requests under way finish, for ten seconds at most.
///
/// Without `tls` it speaks plain HTTP: the configuration must have seen to it that the address is loopback.
pub async fn serve(
    listener: TcpListener,
    tls: Option<ApiTls>,
    parts: ApiParts,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let is_loopback = listener.local_addr()?.ip().is_loopback();
    let router = router(parts, is_loopback);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            () = &mut stop => break,
            accepted = accepted => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: trying again at once would only burn the processor.
                warn!(%error, "api connection not accepted");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (router, tls, stopped) = (router.clone(), tls.clone(), stopped.clone());
        connections.spawn(async move {
            let _place = place;
            connection(stream, peer, tls, router, stopped).await;
        });
    }
    drop(listener);
    stopping.send_replace(true);
    let finished = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    if finished.is_err() {
        warn!("api requests were cut off at shutdown");
    }
    Ok(())
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<ApiTls>,
    router: Router,
    stopped: watch::Receiver<bool>,
) {
    let Some(tls) = tls else { return http(stream, peer, router, stopped).await };
    match timeout(HANDSHAKE, TlsAcceptor::from(tls()).accept(stream)).await {
        Ok(Ok(stream)) => http(stream, peer, router, stopped).await,
        Ok(Err(error)) => debug!(%peer, %error, "api tls handshake failed"),
        Err(_) => debug!(%peer, "api tls handshake took too long"),
    }
}

async fn http<S>(stream: S, peer: SocketAddr, router: Router, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stopping = Stopping(stopped.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let (router, stopping) = (router.clone(), stopping.clone());
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            request.extensions_mut().insert(stopping);
            let answered: Result<_, Infallible> = router.oneshot(request).await;
            answered
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(MAX_HEADER_BYTES);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        // What changes is that we stop; there is nothing else to be told.
        _ = stopped.changed() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%peer, %error, "api connection broke");
    }
}

const MAX_CONNECTIONS: usize = 256;
const MAX_HEADER_BYTES: usize = 32 << 10;
const HANDSHAKE: Duration = Duration::from_secs(10);
const HEADERS: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(10);
