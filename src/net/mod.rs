//! Clock, shutdown, TLS and streams.
