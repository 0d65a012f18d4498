//! Bytes to protocol events and back, without I/O.
