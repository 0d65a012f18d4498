//! Text to facts: what a statement does. Pure.
//!
//! The door is [`analyze`] (or [`FactsCache::analyze`], which remembers). Knows the grammar and the meaning of names;
//! must never know who asks, what is granted, or what time it is.

mod account;
mod analyze;
mod cache;
mod found;
mod limits;
mod literals;
pub(crate) mod mysql;
pub(crate) mod postgres;

pub use analyze::analyze;
pub use cache::FactsCache;
pub use limits::Limits;
pub use literals::without_literals;
pub use mysql::{own_read_only, readable, respell, sendable};
pub use postgres::search_path;
