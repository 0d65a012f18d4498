//! x
pub(crate) mod builtin;
