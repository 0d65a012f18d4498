//! TLS 1.2 and 1.3 on rustls and aws-lc-rs, for the clients that come to us and the upstreams that we go to.
//!
//! The provider is named in every configuration: the process has no default to rely on.

mod certificate;
mod client;
mod files;
mod provider;
mod server;

pub use certificate::{end_point, expires_at, identities};
pub use client::{ClientTls, Roots};
pub use server::{CertificateWarning, ServerTls, ServerTlsFiles, ServerTlsState};
