//! The policy files: YAML in, a checked [`Policy`](super::Policy) or a list of problems out.

mod bounds;
mod compile;
mod flows;
mod format;
mod names;
mod read;
mod roles;

pub use compile::{PolicyFile, parse};
pub(super) use names::nearest;
pub(super) use read::{locate, read};
pub(super) use roles::permissions;
