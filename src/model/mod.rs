//! Plain values that every other folder speaks in: names, permissions, grants, facts, records.
//!
//! Imports nothing of ours, does nothing: no I/O, no clock, no logging.

pub mod catalog;
pub mod claim;
pub mod denial;
pub mod dialect;
pub mod errand;
pub mod event;
mod event_words;
pub mod facts;
pub mod failure;
pub mod flow;
pub mod grant;
pub mod identity;
pub mod ids;
pub mod lifetime;
pub mod name_context;
pub mod object;
pub mod on_call;
pub mod permission;
pub mod principal;
pub mod record;
pub mod refusal;
pub mod replica;
pub mod request;
pub mod review;
mod schema;
pub mod secret;
pub mod slack;
pub mod target;
pub mod trace;
pub mod webhook;
pub mod window;
