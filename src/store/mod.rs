//! What must survive a restart: principals, tokens, requests, grants, service keys, and a few values of the gateway itself.
//!
//! The door is [`Store`]: it reads alone and writes through a [`Change`], which is one transaction. It keeps what it
//! is told and decides nothing; it knows neither policy nor snapshots. Passwords, tokens and keys never reach it, only
//! what proves them. What it says is one SQL text for SQLite and PostgreSQL; each has its own migrations.

mod backup;
mod cases;
mod change;
mod copy;
mod cursors;
mod database;
mod deliveries;
mod denials;
mod directory_groups;
mod errands;
mod error;
mod events;
mod follow;
mod gateways;
mod grants;
mod hold;
mod identities;
mod keys;
mod lock;
mod meta;
mod migrations;
mod place;
mod pool;
mod postgres;
mod principals;
mod replicas;
#[cfg(test)]
mod replicas_tests;
mod row;
mod slack;
mod sql;
mod sqlite;
mod standing;
#[cfg(test)]
mod tests;
mod tokens;
mod transaction;

pub use backup::{back_up, restore};
pub use cases::{CaseFilter, FirstAnswer, PastRequest};
pub use change::Change;
pub use database::Store;
pub use deliveries::DeliveryFilter;
pub use denials::StoredDenial;
pub use directory_groups::StoredDirectoryGroup;
pub use error::StoreError;
pub use follow::{Follower, Look};
pub use gateways::{SaidSessions, Termination};
pub use grants::{GrantFilter, GrantMark, Origin, Revocation, StoredGrant};
pub use hold::Hold;
pub use identities::StoredIdentity;
pub use keys::StoredKey;
pub use place::{Place, Server, ServerTls};
pub use principals::{StoredPassword, StoredPrincipal};
pub use replicas::LEASE;
pub use row::whole_microseconds;
pub use slack::{StoredSlackCode, StoredSlackLink, StoredSlackMessage};
pub use standing::{Standing, look};
pub use tokens::StoredToken;
