//! The command line.
//!
//! The door is [`main`]. Commands that change something are clients of the API, so that whatever is done is recorded;
//! commands on files (`init`, `doctor`, `config`, `policy check`, `policy test`, `explain-access --policy`,
//! `audit verify`) need no gateway.
//! Secrets never stand in arguments. Exit codes: 0 done, 1 refused or failed, 2 not understood.

mod args;
mod args_audit;
mod args_grants;
mod args_people;
mod audit;
mod audit_print;
mod audit_reader;
mod audit_verify;
mod client;
mod config;
mod doctor;
mod entry;
mod events;
mod explain;
mod grant;
mod init;
mod key;
mod listen;
mod login;
mod loopback;
mod output;
mod password;
mod policy;
mod replay;
mod request;
mod review;
mod serve;
mod session;
mod slack;
mod store;
mod token;
mod user;
mod value;
mod webhook;

pub use entry::main;
