//! Connections to PostgreSQL: login, statements of our own, reset, cancel, catalogs.
//!
//! The door is [`Postgres`], which is the [`Protocol`](super::Protocol) of such targets.

mod accounts;
mod answers;
mod ask;
mod cancel;
mod catalog;
mod catalog_text;
mod lease;
mod login;
mod message;
mod protocol;
mod reset;
mod setup;
mod statements;
mod ties;

pub(crate) use catalog::Catalogs;
pub use catalog::{CatalogSource, ServerFacts};
pub use message::ProtocolMessage;
pub use protocol::{Postgres, Session, Settings};
pub use setup::{SettingValue, Setup};
pub use statements::{StatementName, Statements};
pub use ties::HeldThere;
