//! The audit log: append, chain, verify.

mod receipt;

pub use receipt::Receipt;
