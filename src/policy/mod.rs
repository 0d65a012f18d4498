//! Facts to decisions: who may do it. Pure.
