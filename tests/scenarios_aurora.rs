//! What Aurora and RDS ask of a gateway: logins by token, readers and failovers, accounts that hold little.
//!
//! No AWS is asked: real servers of the laboratory stand behind what imitates it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

#[path = "aurora/accounts.rs"]
mod accounts;
#[path = "aurora/failover.rs"]
mod failover;
#[path = "aurora/iam.rs"]
mod iam;
