//! Connections to targets.
