//! Facts to decisions: who may do what, where and until when. Pure.
//!
//! The door: [`parse`] turns policy files into a [`Policy`], [`Snapshot::build`] joins it with people, grants and
//! targets, [`decide`] judges the facts of one statement and gives a [`Permit`] or a [`Denial`]. [`explanation`]
//! shows the same judgement to people, [`examples`] runs the tests kept beside the policy.
//!
//! It never knows SQL text, the store, the clock or the wire: facts and `now` come in, a [`Decision`] goes out.
//! Whatever is unknown (principal, target, name) is refused.

mod ceiling;
mod command;
mod decide;
mod denial;
mod document;
mod error;
pub mod examples;
pub mod explanation;
mod holdings;
mod index;
mod need;
mod permit;
mod plan;
mod refusal;
mod rules;
mod snapshot;
mod view;

pub use decide::{Decision, decide, decide_all, highest_lane};
pub use denial::{Closed, Denial};
pub use document::{PolicyFile, parse};
pub use error::{PolicyProblem, ProblemKind};
pub use permit::Permit;
pub use plan::plan_only;
pub use refusal::missing_in_words;
pub use rules::{Ceiling, Group, Policy, PolicyPrincipal, RoutineRule};
pub use snapshot::{Snapshot, SnapshotParts};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod properties;
