//! Facts to decisions: who may do what, where and until when. Pure.
//!
//! The door: [`parse`] turns policy files into a [`Policy`], [`Snapshot::build`] joins it with people, grants and
//! targets, [`decide`] judges the facts of one statement and gives a [`Permit`] or a [`Denial`]. [`explanation`]
//! shows the same judgement to people, [`examples`] runs the tests kept beside the policy.
//!
//! The life before a grant is here, too: [`submit`] gives a request its risk and its way, [`review`] judges one answer
//! to it, and [`decide_exact`] lets a statement through that was approved as it stands.
//!
//! It never knows SQL text, the store, the clock or the wire: facts and `now` come in, a [`Decision`] goes out.
//! Whatever is unknown (principal, target, name) is refused.

mod approval;
mod bounds;
mod ceiling;
mod circumstances;
mod command;
mod condition;
mod decide;
mod denial;
mod document;
mod error;
mod estimate;
mod exact;
pub mod examples;
pub mod explanation;
mod flows;
mod holdings;
mod index;
mod need;
mod permit;
mod plan;
mod recent;
mod refusal;
pub mod replay;
mod rules;
mod snapshot;
mod submit;
mod view;

pub use approval::{Approved, NotReviewed, Outcome, approvers, is_escalated, may_review, review};
pub use bounds::{Bounds, BoundsRule};
pub use circumstances::{DAYS, History, Past};
pub use command::asked_for;
pub(crate) use command::quoted;
pub use condition::{Condition, Unanswered, Zone};
pub use decide::{Decision, decide, decide_all, highest_lane};
pub use denial::{Closed, Denial};
pub use document::{PolicyFile, parse};
pub use error::{PolicyProblem, ProblemKind};
pub use estimate::decide_estimate;
pub use exact::{Claimed, ExactGrant, Once, awaits_alike, can_be_exact, decide_exact};
pub use flows::{Flow, Longest, RiskRule, TextForm};
pub use permit::{Leave, Permit};
pub use plan::{plan_only, reading};
pub use recent::Recent;
pub use refusal::missing_in_words;
pub use rules::{Ceiling, GROUP_SCOPES, Group, Policy, PolicyPrincipal, RoutineRule};
pub use snapshot::{Snapshot, SnapshotParts};
pub use submit::{Ask, NotTaken, Submitted, submit};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod lifecycle_properties;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod vocabulary_tests;
