//! MySQL's sessions: one command at a time, each answered before the next is read.
//!
//! The door is [`admit`]. A statement's path is `receive` (what the client says), `query` and `prepared` (facts,
//! decision, lane, record, sent), `relay` (the reply and the end record), `effects` (what it leaves); deciding and
//! recording themselves are the folder above's.

mod admit;
mod collation;
mod cursor;
mod effects;
mod flight;
mod greet;
mod held;
mod judge;
mod kill;
mod lanes;
mod long;
mod names;
mod once;
mod own;
mod planned;
mod prepared;
mod query;
mod receive;
mod relay;
mod revoke;
mod run;
mod send;
mod session;
mod settings;
mod told;
mod unshown;
mod user;

pub(super) use admit::admit;
pub use greet::mysql_context;
pub(super) use session::Entrance;
