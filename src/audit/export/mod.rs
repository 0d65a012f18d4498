//! Records for other programs.
//!
//! The door is [`Taking`]: records that are wanted, in the form of an [`Export`], piece by piece. Each form turns a
//! record, and for a statement its end, into bytes.

mod csv;
mod event;
mod exporter;
mod form;
mod ocsf;
mod parquet;
mod taking;

#[cfg(test)]
mod tests;

pub use form::Export;
pub use taking::{Piece, Taking};
