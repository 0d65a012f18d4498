//! Telling others what happened: what passes events on to other programs, and how these are reached.
//!
//! The doors are [`Webhooks`]; [`consume`], which reads the outbox for a [`Consumer`]; and [`Outgoing`], which is how
//! anything here talks to an address that somebody configured. One gateway of a store does the work of a consumer at a time; an event counts as
//! passed on when the consumer has taken it over, so that each is taken over at least once, and in order. It never knows
//! the data plane, and nothing of that ever waits for it.

mod address;
mod backoff;
mod consume;
mod endpoint;
mod error;
mod facts;
mod http;
mod on_call;
mod pagerduty;
pub mod slack;
mod standard;
mod teams;
mod webhooks;

pub use backoff::Backoff;
pub use consume::{Consumer, Pace, consume};
pub use error::NotifyError;
pub use http::{Answer, Located, Outgoing, OutgoingSettings, Reach, locate};
pub use on_call::Pagerduty;
pub use webhooks::Webhooks;
