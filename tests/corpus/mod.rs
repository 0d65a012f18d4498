//! The corpus of statements: its format, the world it is read in, and what its expectations mean.

pub mod case;
pub mod expect;
pub mod shared;
pub mod world;
