//! What must survive a restart: principals, tokens, requests, grants, service keys, and a few values of the gateway itself.
//!
//! The door is [`Store`]: it reads alone and writes through a [`Change`], which is one transaction. It keeps what it
//! is told and decides nothing; it knows neither policy nor snapshots. Passwords, tokens and keys never reach it, only
//! what proves them.

mod cases;
mod change;
mod database;
mod error;
mod events;
mod grants;
mod identities;
mod keys;
mod lock;
mod meta;
mod principals;
mod row;
mod tokens;

pub use cases::{CaseFilter, FirstAnswer, PastRequest};
pub use change::Change;
pub use database::Store;
pub use error::StoreError;
pub use grants::{GrantFilter, GrantMark, Origin, Revocation, StoredGrant};
pub use identities::StoredIdentity;
pub use keys::StoredKey;
pub use principals::{StoredPassword, StoredPrincipal};
pub use row::whole_microseconds;
pub use tokens::StoredToken;
