//! Our side of the TLS that we speak to upstreams.

use std::{fmt, path::PathBuf, sync::Arc};

use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};

use super::{
    files,
    provider::{VERSIONS, provider},
};
use crate::net::error::NetError;

/// Whom we believe when an upstream shows its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// The certificates of a PEM file, and no others.
    File(PathBuf),
    /// The system's store.
    System,
    /// Mozilla's list, as built in.
    WebPki,
}

/// Client TLS: the chain must lead to a root and the certificate must carry the server's name. There is no weaker way.
#[derive(Clone)]
pub struct ClientTls {
    /// The configuration of rustls.
    pub config: Arc<ClientConfig>,
    /// The name that the certificate must carry.
    pub server_name: ServerName<'static>,
}

impl ClientTls {
    /// Reads the roots. `server_name` is the DNS name or IP address that the certificate must carry: the host of the
    /// endpoint, unless configured otherwise.
    ///
    /// # Errors
    /// `ServerName`, `Roots`, and those for files.
    pub fn open(roots: &Roots, server_name: &str) -> Result<Self, NetError> {
        let server_name = ServerName::try_from(server_name.to_owned())
            .map_err(|_| NetError::ServerName { name: server_name.to_owned() })?;
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .map_err(|source| NetError::Setup { source })?
            .with_root_certificates(store(roots)?)
            .with_no_client_auth();
        // Pooled connections are few and long-lived: there is nothing to resume.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Self { config: Arc::new(config), server_name })
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

fn store(roots: &Roots) -> Result<RootCertStore, NetError> {
    match roots {
        Roots::File(path) => files::roots(path),
        Roots::System => {
            let mut store = RootCertStore::empty();
            // Systems ship certificates that rustls cannot use; the others still count.
            let (usable, _) = store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if usable == 0 {
                return Err(NetError::Roots { from: "the system's store".to_owned() });
            }
            Ok(store)
        }
        Roots::WebPki => Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }),
    }
}
