//! The corpus of statements: its format, the world it is read in, and what its expectations mean.

pub(crate) mod case;
pub(crate) mod expect;
pub(crate) mod shared;
pub(crate) mod world;
