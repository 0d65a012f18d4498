//! A connection, in plain text or TLS, from a client or to an upstream.

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::BytesMut;
use rustls::{CommonState, ProtocolVersion};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::{
    error::NetError,
    socket::Socket,
    tls::{ClientTls, ServerTlsState, end_point},
};

/// A connection with its peer's address; `TCP_NODELAY` and keepalive are set.
#[derive(Debug)]
pub struct Stream {
    peer: SocketAddr,
    transport: Transport,
}

#[derive(Debug)]
enum Transport {
    Plain(Socket),
    ServerTls(Box<server::TlsStream<Socket>>),
    ClientTls(Box<client::TlsStream<Socket>>),
}

impl Stream {
    /// Takes over a connection that a listener accepted.
    ///
    /// # Errors
    /// `Socket`.
    pub fn accepted(socket: TcpStream, peer: SocketAddr) -> Result<Self, NetError> {
        set_up(&socket).map_err(|source| NetError::Socket { source })?;
        Ok(Self { peer, transport: Transport::Plain(Socket::new(socket)) })
    }

    /// Connects to `endpoint` ("host:port"), trying its addresses in turn. Bound it with a timeout.
    ///
    /// # Errors
    /// `Connect`.
    pub async fn connect(endpoint: &str) -> Result<Self, NetError> {
        let refused = |source| NetError::Connect { endpoint: endpoint.to_owned(), source };
        let socket = TcpStream::connect(endpoint).await.map_err(refused)?;
        set_up(&socket).map_err(refused)?;
        let peer = socket.peer_addr().map_err(refused)?;
        Ok(Self { peer, transport: Transport::Plain(Socket::new(socket)) })
    }

    /// Goes on in TLS as the server. `read` is what was already read of the client's first TLS record.
    /// Bound it with a timeout.
    ///
    /// # Errors
    /// `Handshake`, also when it is in TLS already.
    pub async fn accept_tls(self, tls: &ServerTlsState, read: &[u8]) -> Result<Self, NetError> {
        let socket = self.plain()?;
        let mut fed = Ok(0);
        let accept = TlsAcceptor::from(tls.config.clone()).accept_with(socket.0, |connection| {
            // An empty read would count as the end of the stream.
            if !read.is_empty() {
                fed = connection.read_tls(&mut &*read);
            }
        });
        match fed {
            Ok(bytes) if bytes == read.len() => {}
            Ok(_) => return Err(NetError::Handshake { source: io::ErrorKind::InvalidData.into() }),
            Err(source) => return Err(NetError::Handshake { source }),
        }
        let tls = accept.await.map_err(|source| NetError::Handshake { source })?;
        Ok(Self { peer: socket.1, transport: Transport::ServerTls(Box::new(tls)) })
    }

    /// Goes on in TLS as the client. Bound it with a timeout.
    ///
    /// # Errors
    /// `Handshake`, also when it is in TLS already.
    pub async fn connect_tls(self, tls: &ClientTls) -> Result<Self, NetError> {
        let socket = self.plain()?;
        let stream = TlsConnector::from(tls.config.clone())
            .connect(tls.server_name.clone(), socket.0)
            .await
            .map_err(|source| NetError::Handshake { source })?;
        Ok(Self { peer: socket.1, transport: Transport::ClientTls(Box::new(stream)) })
    }

    /// The peer's address.
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// "TLSv1.2" or "TLSv1.3"; `None` in plain text.
    pub fn tls_version(&self) -> Option<&'static str> {
        match self.tls()?.protocol_version()? {
            ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
            ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
            _ => None,
        }
    }

    /// The ALPN name that was agreed on.
    pub fn protocol(&self) -> Option<&[u8]> {
        self.tls()?.alpn_protocol()
    }

    /// The peer's own certificate (DER), verified in the handshake.
    pub fn peer_certificate(&self) -> Option<&[u8]> {
        self.tls()?.peer_certificates()?.first().map(AsRef::as_ref)
    }

    /// Channel-binding data (`tls-server-end-point`) of the upstream that we are connected to.
    pub fn upstream_end_point(&self) -> Option<Vec<u8>> {
        match &self.transport {
            Transport::ClientTls(_) => end_point(self.peer_certificate()?),
            Transport::Plain(_) | Transport::ServerTls(_) => None,
        }
    }

    /// Reads once, by way of the thread's own buffer, and appends to `bytes`: whoever is sent nothing holds no memory for
    /// it, and what is read often lies in few places. 0 at the end.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn poll_read_behind(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        READ.with_borrow_mut(|room| {
            let mut read = ReadBuf::new(room);
            ready!(Pin::new(self).poll_read(cx, &mut read))?;
            bytes.extend_from_slice(read.filled());
            Poll::Ready(Ok(read.filled().len()))
        })
    }

    /// Looks at the bytes that wait in the socket without taking them; waits for the first. 0 at the end.
    ///
    /// In TLS these are bytes of records.
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn peek_socket(&self, bytes: &mut [u8]) -> io::Result<usize> {
        self.socket().tcp()?.peek(bytes).await
    }

    /// Whether the present runtime is the one that wakes who waits for it.
    pub fn is_here(&self) -> bool {
        self.socket().is_here()
    }

    /// Changes over to the present runtime, so that who waits for it there is woken without a detour.
    ///
    /// # Errors
    /// When the system does not take it; the connection is closed then.
    pub fn settle_here(&mut self) -> io::Result<()> {
        match &mut self.transport {
            Transport::Plain(socket) => socket.settle_here(),
            Transport::ServerTls(tls) => tls.get_mut().0.settle_here(),
            Transport::ClientTls(tls) => tls.get_mut().0.settle_here(),
        }
    }

    fn socket(&self) -> &Socket {
        match &self.transport {
            Transport::Plain(socket) => socket,
            Transport::ServerTls(tls) => tls.get_ref().0,
            Transport::ClientTls(tls) => tls.get_ref().0,
        }
    }

    fn tls(&self) -> Option<&CommonState> {
        match &self.transport {
            Transport::Plain(_) => None,
            Transport::ServerTls(tls) => Some(tls.get_ref().1),
            Transport::ClientTls(tls) => Some(tls.get_ref().1),
        }
    }

    fn plain(self) -> Result<(Socket, SocketAddr), NetError> {
        match self.transport {
            Transport::Plain(socket) => Ok((socket, self.peer)),
            Transport::ServerTls(_) | Transport::ClientTls(_) => {
                Err(NetError::Handshake { source: io::ErrorKind::AlreadyExists.into() })
            }
        }
    }
}

/// The most that [`Stream::poll_read_behind`] reads at a time.
pub const READ_BYTES: usize = 16 * 1024;

thread_local! {
    static READ: RefCell<[u8; READ_BYTES]> = const { RefCell::new([0; READ_BYTES]) };
}

/// A dead peer is noticed after about two minutes of silence.
fn set_up(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    SockRef::from(socket).set_tcp_keepalive(&keepalive)
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Plain(socket) => Pin::new(socket).poll_read(cx, buf),
            Transport::ServerTls(tls) => Pin::new(tls).poll_read(cx, buf),
            Transport::ClientTls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().transport {
            Transport::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Transport::ServerTls(tls) => Pin::new(tls).poll_write(cx, bytes),
            Transport::ClientTls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().transport {
            Transport::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Transport::ServerTls(tls) => Pin::new(tls).poll_write_vectored(cx, slices),
            Transport::ClientTls(tls) => Pin::new(tls).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Plain(socket) => socket.is_write_vectored(),
            Transport::ServerTls(tls) => tls.is_write_vectored(),
            Transport::ClientTls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Transport::ServerTls(tls) => Pin::new(tls).poll_flush(cx),
            Transport::ClientTls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Transport::ServerTls(tls) => Pin::new(tls).poll_shutdown(cx),
            Transport::ClientTls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use jiff::Timestamp;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::net::tls::{Roots, ServerTls, ServerTlsFiles, identities};

    /// Writes `{name}.crt` and `{name}.key` below `folder`, signed by the authority of `ca.crt`.
    struct Authority(CertifiedIssuer<'static, KeyPair>);

    impl Authority {
        fn new(folder: &Path) -> Self {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
            fs::write(folder.join("ca.crt"), issuer.pem()).unwrap();
            Self(issuer)
        }

        fn issue(&self, folder: &Path, name: &str, params: CertificateParams) {
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &self.0).unwrap();
            fs::write(folder.join(format!("{name}.crt")), certificate.pem()).unwrap();
            fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
        }
    }

    fn folder() -> (tempfile::TempDir, Authority) {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new(folder.path());
        authority.issue(folder.path(), "server", CertificateParams::new(["db.internal".to_owned()]).unwrap());
        (folder, authority)
    }

    fn files(folder: &Path) -> ServerTlsFiles {
        ServerTlsFiles {
            certificate: folder.join("server.crt"),
            key: folder.join("server.key"),
            client_ca: Some(folder.join("ca.crt")),
        }
    }

    async fn handshake(
        server: &ServerTls,
        client: &ClientTls,
    ) -> (Result<Stream, NetError>, Result<Stream, NetError>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = listener.local_addr().unwrap().to_string();
        let accept = async {
            let (socket, peer) = listener.accept().await.unwrap();
            Stream::accepted(socket, peer)?.accept_tls(&server.state(), &[]).await
        };
        let connect = async { Stream::connect(&endpoint).await?.connect_tls(client).await };
        tokio::join!(accept, connect)
    }

    #[tokio::test]
    async fn both_sides_agree_on_the_channel_and_bytes_pass() {
        let (folder, _) = folder();
        let server = ServerTls::open(files(folder.path()), &[b"postgresql"]).unwrap();
        let client = ClientTls::open(&Roots::File(folder.path().join("ca.crt")), "db.internal").unwrap();
        let (accepted, connected) = handshake(&server, &client).await;
        let (mut accepted, mut connected) = (accepted.unwrap(), connected.unwrap());
        assert_eq!(accepted.tls_version(), Some("TLSv1.3"));
        assert!(server.state().end_point.is_some());
        assert_eq!(connected.upstream_end_point(), server.state().end_point);
        assert_eq!(accepted.peer_certificate(), None);
        connected.write_all(b"hello").await.unwrap();
        connected.flush().await.unwrap();
        let mut read = [0; 5];
        accepted.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"hello");
    }

    #[tokio::test]
    async fn an_upstream_with_another_name_or_another_authority_is_refused() {
        let (here, _) = folder();
        let (elsewhere, _) = folder();
        let server = ServerTls::open(files(here.path()), &[]).unwrap();
        let other_name = ClientTls::open(&Roots::File(here.path().join("ca.crt")), "other.internal").unwrap();
        assert!(handshake(&server, &other_name).await.1.is_err());
        let other_root =
            ClientTls::open(&Roots::File(elsewhere.path().join("ca.crt")), "db.internal").unwrap();
        assert!(handshake(&server, &other_root).await.1.is_err());
        let built_in = ClientTls::open(&Roots::WebPki, "db.internal").unwrap();
        assert!(handshake(&server, &built_in).await.1.is_err());
    }

    fn with_certificate(mut client: ClientTls, folder: &Path) -> ClientTls {
        let roots =
            crate::net::tls::ClientTls::open(&Roots::File(folder.join("ca.crt")), "db.internal").unwrap();
        let mut store = rustls::RootCertStore::empty();
        store.add(CertificateDer::from_pem_file(folder.join("ca.crt")).unwrap()).unwrap();
        let provider = roots.config.crypto_provider().clone();
        client.config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(store)
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_file(folder.join("dana.crt")).unwrap()],
                PrivateKeyDer::from_pem_file(folder.join("dana.key")).unwrap(),
            )
            .unwrap()
            .into();
        client
    }

    #[tokio::test]
    async fn a_client_certificate_is_shown_only_if_our_authority_signed_it() {
        let (here, authority) = folder();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![rcgen::SanType::Rfc822Name("dana@example.com".try_into().unwrap())];
        authority.issue(here.path(), "dana", params.clone());
        let server = ServerTls::open(files(here.path()), &[]).unwrap();
        let client = ClientTls::open(&Roots::File(here.path().join("ca.crt")), "db.internal").unwrap();
        let known = with_certificate(client.clone(), here.path());
        let accepted = handshake(&server, &known).await.0.unwrap();
        let found = identities(accepted.peer_certificate().unwrap()).unwrap();
        assert!(found.contains(&"email:dana@example.com".to_owned()), "{found:?}");

        let stranger = Authority::new(tempfile::tempdir().unwrap().path());
        stranger.issue(here.path(), "dana", params);
        let unknown = with_certificate(client, here.path());
        assert!(handshake(&server, &unknown).await.0.is_err());
    }

    #[tokio::test]
    async fn a_reload_takes_the_new_files_and_a_broken_one_keeps_the_old() {
        let (folder, authority) = folder();
        let server = ServerTls::open(files(folder.path()), &[]).unwrap();
        let first = server.state().end_point.clone();
        authority.issue(folder.path(), "server", CertificateParams::new(["db.internal".to_owned()]).unwrap());
        server.reload().unwrap();
        let second = server.state().end_point.clone();
        assert_ne!(first, second);

        authority.issue(folder.path(), "other", CertificateParams::new(["db.internal".to_owned()]).unwrap());
        fs::copy(folder.path().join("other.key"), folder.path().join("server.key")).unwrap();
        let error = server.reload().unwrap_err();
        assert!(matches!(error, NetError::KeyMismatch { .. }), "{error}");
        assert!(error.to_string().contains("server.key does not match certificate"), "{error}");

        fs::write(folder.path().join("server.key"), "nothing").unwrap();
        assert!(
            server.reload().unwrap_err().to_string().contains("server.key holds no unencrypted private key")
        );
        fs::remove_file(folder.path().join("server.crt")).unwrap();
        let error = server.reload().unwrap_err();
        assert!(matches!(error, NetError::Unreadable { .. }), "{error}");
        assert!(error.to_string().contains("server.crt"), "{error}");
        assert_eq!(server.state().end_point, second);
    }

    #[test]
    fn a_certificate_is_warned_of_before_its_end_and_after_it() {
        let (folder, authority) = folder();
        let mut params = CertificateParams::default();
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        authority.issue(folder.path(), "server", params);
        let server = ServerTls::open(files(folder.path()), &[]).unwrap();
        let at = |text: &str| server.warning(text.parse::<Timestamp>().unwrap());
        assert_eq!(at("2029-12-01T00:00:00Z"), None);
        assert!(at("2029-12-30T00:00:00Z").unwrap().to_string().contains("server.crt expires at 2030-01-01"));
        assert!(at("2030-01-01T00:00:01Z").unwrap().expired);
    }

    #[test]
    fn a_server_name_must_be_one() {
        assert!(matches!(ClientTls::open(&Roots::WebPki, "not a name"), Err(NetError::ServerName { .. })));
        assert!(ClientTls::open(&Roots::WebPki, "127.0.0.1").is_ok());
    }
}
