//! Connections to MySQL and MariaDB: login, statements of our own, reset, cancel.
//!
//! The door is [`Mysql`], which is the [`Protocol`](super::Protocol) of such targets.

mod account;
mod answers;
mod ask;
mod cancel;
mod facts;
mod introduce;
mod lease;
mod locks;
mod login;
mod message;
mod protocol;
mod reset;
mod setup;
mod state;

pub(crate) use facts::LastFacts;
pub use facts::ServerFacts;
pub use message::MysqlMessage;
pub use protocol::{Home, Mysql, Session};
pub use setup::{SettingValue, Setup};
pub use state::State;
