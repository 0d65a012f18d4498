//! Reads PEM files; every error names the file.

use std::{fs, path::Path};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
};
use zeroize::Zeroizing;

use crate::net::error::NetError;

/// All certificates of a file, in its order; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, NetError> {
    let bytes = read(path)?;
    let found = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| NetError::Pem { path: path.to_owned(), source })?;
    if found.is_empty() {
        return Err(NetError::Nothing { path: path.to_owned(), what: "certificate" });
    }
    Ok(found)
}

/// The first private key of a file.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, NetError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|source| match source {
        pem::Error::NoItemsFound => {
            NetError::Nothing { path: path.to_owned(), what: "unencrypted private key" }
        }
        source => NetError::Pem { path: path.to_owned(), source },
    })
}

/// A store of the roots of a file; every certificate in it must be usable.
pub(super) fn roots(path: &Path) -> Result<RootCertStore, NetError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|source| NetError::Certificate { path: path.to_owned(), source })?;
    }
    Ok(store)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, NetError> {
    fs::read(path)
        .map(Zeroizing::new)
        .map_err(|source| NetError::Unreadable { path: path.to_owned(), source })
}
