//! Tidegate: a database gateway that judges every SQL statement against time-boxed grants.
//!
//! The folders are floors; imports only go down (`tests/architecture.rs` holds the table).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod api;
pub mod app;
pub mod audit;
pub mod cli;
pub mod config;
pub mod console;
pub mod control;
pub mod identity;
pub mod metrics;
pub mod model;
pub mod net;
pub mod notify;
pub mod policy;
pub mod session;
pub mod sql;
pub mod store;
pub mod telemetry;
pub mod upstream;
pub mod wire;
