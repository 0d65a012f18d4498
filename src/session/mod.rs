//! The data plane.

pub mod login;
pub mod throttle;
