//! Gateways that stop and start under load, and what clients ask of sessions at other gateways.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod rolling {
    mod account;
    mod balancer;
    mod cancel;
    mod drain;
    mod hand_over;
    mod restart;
}
mod support;
