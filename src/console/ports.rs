//! What the console needs of the data plane; the application fills it in.

use std::{io, net::SocketAddr};

use serde::Serialize;
use tokio::net::TcpStream;

use crate::{
    control::BoxFuture,
    model::{
        dialect::Dialect,
        ids::{DatabaseName, EnvironmentName, TargetName},
    },
};

/// A target, as people choose one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetInfo {
    /// Its name.
    pub name: TargetName,
    /// What it speaks.
    pub dialect: Dialect,
    /// Which ceilings hold for it.
    pub environment: EnvironmentName,
    /// Its databases; `None` is any that the server has.
    pub databases: Option<Vec<DatabaseName>>,
}

/// The way to the gate.
pub trait Dial: Send + Sync + 'static {
    /// What can be dialled.
    fn targets(&self) -> Vec<TargetInfo>;

    /// A connection to the gate that leads to `target`, from a client at `from`; nobody is logged in on it.
    ///
    /// # Errors
    /// `NotFound` for a target that there is not; what the operating system says.
    fn dial(&self, target: &TargetName, from: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>>;
}
