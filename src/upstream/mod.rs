//! Connections to the protected servers: shared accounts, pools, leases, catalogs, health.
//!
//! The door is [`Pools`]: it lends a [`Lease`], exclusive use of one connection of a lane. Bytes that make the
//! upstream run somebody's SQL leave a lease only beside a `Permit` and a `Receipt`. A connection comes back
//! through [`Lease::go_home`], is reset and checked, or is closed. Knows nothing of clients, sessions or policy.

mod accounts;
mod cancel;
mod catalog;
mod catalog_text;
mod connect;
mod connection;
mod credential;
mod error;
mod health;
mod lease;
mod message;
mod pool;
mod pools;
mod reset;
mod settings;
mod setup;

pub use cancel::CancelHandle;
pub use catalog::{CatalogSource, ServerFacts};
pub use connection::Progress;
pub use credential::Credential;
pub use error::UpstreamError;
pub use health::TargetHealth;
pub use lease::{HomeState, Lease};
pub use message::ProtocolMessage;
pub use pools::Pools;
pub use settings::{Account, Accounts, Endpoint, PoolSettings, TargetSettings, TargetTls};
pub use setup::{AccessMode, Isolation, SettingValue, Setup};
