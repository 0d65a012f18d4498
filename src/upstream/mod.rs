//! Connections to the protected servers: shared accounts, pools, leases, catalogs, health.
//!
//! The door is [`Pools`]: it lends a [`Lease`], exclusive use of one connection of a lane. Bytes that make the
//! upstream run somebody's SQL leave a lease only beside a `Permit` and a `Receipt`. A connection comes back
//! through [`Lease::go_home`], is reset and checked, or is closed. What differs between the databases is behind
//! [`Protocol`]. Knows nothing of clients, sessions or policy.

mod ask;
mod asking;
mod cancel;
mod connect;
mod connection;
mod credential;
mod error;
mod excess;
mod failover;
mod health;
pub mod iam;
mod lease;
mod line;
mod login_problem;
pub mod mysql;
mod pace;
mod pool;
mod pools;
pub mod postgres;
mod protocol;
mod settings;
mod survey;
mod target;
mod word;

pub use ask::Ask;
pub use asking::{Asker, Asking};
pub use cancel::CancelHandle;
pub use connection::Progress;
pub use credential::Credential;
pub use error::UpstreamError;
pub use health::TargetHealth;
pub(crate) use health::causes;
pub use lease::{HomeState, Lease};
pub use login_problem::{LoginProblem, ServerWords};
pub use mysql::{Mysql, MysqlMessage};
pub use pools::Pools;
pub use postgres::{CatalogSource, Postgres, ProtocolMessage, ServerFacts, SettingValue, Setup};
pub use protocol::Protocol;
pub use settings::{
    Account, Accounts, Attribution, Endpoint, PoolSettings, Reader, TargetSettings, TargetTls,
};
pub use survey::{Survey, survey};
