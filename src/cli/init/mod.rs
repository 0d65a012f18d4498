//! `tidegate init`: a first configuration and policy for a database that is there.
//!
//! The door is [`run`]. What no flag says is asked for on a terminal; what is there already stays as it is.

mod answers;
mod args;
mod asking;
mod begin;
mod files;
mod text;

pub(super) use args::InitArgs;
pub(super) use begin::run;
