//! The audit log: append, chain, verify.
