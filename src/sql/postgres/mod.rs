//! PostgreSQL: bounds, the server's own grammar, and a walk over every node of its tree.
//!
//! The door is [`analyze`]. A node that the walk does not know makes the whole batch `Unanalyzable`.

mod access;
mod account;
mod administer;
mod alter;
mod attribute;
mod batch;
mod bounds;
mod builtin;
mod builtin_columns;
mod constant;
mod copy;
mod define;
mod drop;
#[cfg(test)]
mod evasion_tests;
mod explain;
mod expression;
#[cfg(test)]
mod fingerprint_tests;
mod function;
mod lexer;
mod literals;
mod modify;
mod names;
mod parse;
mod query;
mod session;
mod setting;
mod shape;
mod statement;
mod structured;
mod syntax_error;
#[cfg(test)]
mod tests;
mod transaction;
mod types;
mod walk;

pub(super) use batch::analyze;
pub(super) use literals::without_literals;
pub use setting::search_path;
pub(super) use shape::shape;
