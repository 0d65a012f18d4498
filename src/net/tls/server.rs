//! Our side of the TLS that clients speak to us, reloadable while it is in use.

use std::{fmt, path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use rustls::{
    InconsistentKeys, ServerConfig,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::{
    certificate::{end_point, expires_at},
    files,
    provider::{VERSIONS, provider},
};
use crate::net::error::NetError;

/// The files that a server's TLS is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTlsFiles {
    /// PEM certificate chain, our own certificate first.
    pub certificate: PathBuf,
    /// PEM private key, unencrypted.
    pub key: PathBuf,
    /// PEM certificates of those who may sign client certificates; without it none is asked for.
    pub client_ca: Option<PathBuf>,
}

/// Server TLS, reloadable: handshakes that are under way keep what they began with.
pub struct ServerTls {
    files: ServerTlsFiles,
    protocols: Vec<Vec<u8>>,
    state: ArcSwap<ServerTlsState>,
}

/// What one handshake uses.
pub struct ServerTlsState {
    /// The configuration of rustls.
    pub config: Arc<ServerConfig>,
    /// Channel-binding data of our leaf certificate; `None` where it is undefined.
    pub end_point: Option<Vec<u8>>,
    /// First instant at which our certificate is no longer valid.
    pub expires_at: Timestamp,
}

impl ServerTls {
    /// Reads the files. `protocols` are the ALPN names that we speak; a client that names others only is refused,
    /// one that names none is not.
    ///
    /// # Errors
    /// Any of `NetError`'s for files; each names the file and what to do.
    pub fn open(files: ServerTlsFiles, protocols: &[&[u8]]) -> Result<Self, NetError> {
        let protocols = protocols.iter().map(|name| name.to_vec()).collect::<Vec<_>>();
        let state = ArcSwap::from_pointee(load(&files, &protocols)?);
        Ok(Self { files, protocols, state })
    }

    /// Reads the files again; on an error what was in force stays in force.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn reload(&self) -> Result<(), NetError> {
        self.state.store(Arc::new(load(&self.files, &self.protocols)?));
        Ok(())
    }

    /// What the next handshake uses.
    pub fn state(&self) -> Arc<ServerTlsState> {
        self.state.load_full()
    }

    /// Something people should know about our certificate; it is used all the same.
    pub fn warning(&self, now: Timestamp) -> Option<CertificateWarning> {
        let expires_at = self.state.load().expires_at;
        (expires_at.duration_since(now) <= WARN_BEFORE).then(|| CertificateWarning {
            certificate: self.files.certificate.clone(),
            expires_at,
            expired: expires_at <= now,
        })
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// A certificate that has ended or soon will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateWarning {
    /// Its file.
    pub certificate: PathBuf,
    /// Its end.
    pub expires_at: Timestamp,
    /// Whether that is past.
    pub expired: bool,
}

impl fmt::Display for CertificateWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.expired { "expired at" } else { "expires at" };
        write!(
            f,
            "certificate {} {verb} {}; replace it and its key, then reload",
            self.certificate.display(),
            self.expires_at
        )
    }
}

/// How long before its end a certificate is warned of.
const WARN_BEFORE: SignedDuration = SignedDuration::from_hours(14 * 24);

fn load(files: &ServerTlsFiles, protocols: &[Vec<u8>]) -> Result<ServerTlsState, NetError> {
    let chain = files::certificates(&files.certificate)?;
    let leaf = chain
        .first()
        .cloned()
        .ok_or_else(|| NetError::Nothing { path: files.certificate.clone(), what: "certificate" })?;
    let expires_at = expires_at(&leaf).map_err(|_| NetError::Certificate {
        path: files.certificate.clone(),
        source: rustls::CertificateError::BadEncoding.into(),
    })?;
    let signing_key = provider()
        .key_provider
        .load_private_key(files::private_key(&files.key)?)
        .map_err(|source| NetError::Key { path: files.key.clone(), source })?;
    let certified = CertifiedKey::new(chain, signing_key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
        Err(rustls::Error::InconsistentKeys(_)) => {
            return Err(NetError::KeyMismatch {
                certificate: files.certificate.clone(),
                key: files.key.clone(),
            });
        }
        Err(source) => return Err(NetError::Certificate { path: files.certificate.clone(), source }),
    }
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .map_err(|source| NetError::Setup { source })?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(files::roots(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                // A client without a certificate is asked for a password instead.
                .allow_unauthenticated()
                .build()
                .map_err(|_| NetError::Roots { from: path.display().to_string() })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = protocols.to_vec();
    // A resumed session would carry a client certificate past its end and past a reload.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(ServerTlsState { config: Arc::new(config), end_point: end_point(&leaf), expires_at })
}
