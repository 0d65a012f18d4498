//! Builds everything; start and shutdown order.
