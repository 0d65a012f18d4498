//! Looks over everything that a gateway depends on, before anybody depends on the gateway; changes nothing.
//!
//! The door is [`check_up`], and [`check_up_targets`] for the protected servers alone. Each gives [`Finding`]s: what was
//! looked at, how it is, and what to do about it.

mod advice;
mod aws;
mod doors;
mod finding;
mod keeping;
mod people;
mod reach;
mod receivers;
mod rules;
mod servers;
mod told;
mod whole;

pub use finding::{Finding, Grade};
pub use servers::check_up_targets;
pub use whole::check_up;
