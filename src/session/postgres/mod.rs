//! PostgreSQL's sessions: messages in any number on their way, replies held against a ledger.
//!
//! The door is [`admit`]. A statement's path is `receive` (what the client says), `judge` (facts and decision),
//! `lanes` (a connection), `relay` (replies and end record); deciding and recording themselves are the folder
//! above's.

mod admit;
mod block;
mod describe;
mod extended;
mod greet;
mod held;
mod judge;
mod lanes;
mod leaves;
mod long;
mod messages;
mod names;
mod once;
mod own_names;
mod read_only;
mod reading;
mod receive;
mod relay;
mod revoke;
mod run;
mod savepoints;
mod session;
mod settings;
mod simple;
mod standing;
mod tag;
mod task;

pub(super) use admit::admit;
