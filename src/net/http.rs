//! Sockets and TLS under HTTP.

use std::{convert::Infallible, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use axum::{body::Body, extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

/// Gives the TLS configuration for the next connection; asked for each, so that certificates can be renewed.
pub type HttpTls = Arc<dyn Fn() -> Arc<ServerConfig> + Send + Sync>;

/// Whom a connection comes from; in the extensions of every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Says, once, that the server stops; in the extensions of every request.
#[derive(Clone, Debug)]
pub struct Stopping(pub watch::Receiver<bool>);

impl Stopping {
    /// Whether it was said.
    pub fn is_said(&self) -> bool {
        // closed: a server that is gone has stopped
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}

/// Has `answer` answer what comes to `listener` until `stop` is done, then lets the requests under way finish, for ten
/// seconds at most.
///
/// Without `tls` it speaks plain HTTP: the configuration must have seen to it that nobody listens in.
pub async fn serve_http<A, F>(
    listener: TcpListener,
    tls: Option<HttpTls>,
    answer: A,
    stop: impl Future<Output = ()>,
) where
    A: Fn(Request) -> F + Clone + Send + 'static,
    F: Future<Output = Response> + Send + 'static,
{
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
                warn!(%error, "http connection not accepted");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Who takes nothing for so long is gone, also where the other end says that it is there.
        if let Err(error) = SockRef::from(&stream).set_tcp_user_timeout(Some(STALLED)) {
            debug!(%peer, %error, "an http connection without a bound of time");
        }
        let (answer, tls, stopped) = (answer.clone(), tls.clone(), stopped.clone());
        connections.spawn(async move {
            let _place = place;
            connection(stream, peer, tls, answer, stopped).await;
        });
    }
    drop(listener);
    stopping.send_replace(true);
    let finished = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
    if finished.is_err() {
        warn!("http requests were cut off at shutdown");
    }
}

async fn connection<A, F>(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<HttpTls>,
    answer: A,
    stopped: watch::Receiver<bool>,
) where
    A: Fn(Request) -> F + Clone + Send + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let Some(tls) = tls else { return http(stream, peer, answer, stopped).await };
    match timeout(HANDSHAKE, TlsAcceptor::from(tls()).accept(stream)).await {
        Ok(Ok(stream)) => http(stream, peer, answer, stopped).await,
        Ok(Err(error)) => debug!(%peer, %error, "http tls handshake failed"),
        Err(_) => debug!(%peer, "http tls handshake took too long"),
    }
}

async fn http<S, A, F>(stream: S, peer: SocketAddr, answer: A, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request) -> F + Clone + Send + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let stopping = Stopping(stopped.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        request.extensions_mut().insert(stopping.clone());
        let answered = answer(request);
        async move { Ok::<_, Infallible>(answered.await) }
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
        debug!(%peer, %error, "http connection broke");
    }
}

const MAX_CONNECTIONS: usize = 256;
const MAX_HEADER_BYTES: usize = 32 << 10;
/// As long as the console waits for a page that does not read.
const STALLED: Duration = Duration::from_secs(60);
const HANDSHAKE: Duration = Duration::from_secs(10);
const HEADERS: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(10);
