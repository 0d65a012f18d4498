//! MySQL and MariaDB: our own lexer and grammar, and one spelling for what is sent.
//!
//! The door is [`analyze`]. A token that no rule of the grammar takes makes the whole batch `Unanalyzable`: what the
//! server might read and we did not is never sent.

mod argument;
mod batch;
mod builtin;
mod comment;
mod data_statement;
mod data_type;
mod decode;
mod delete;
#[cfg(test)]
mod dml_tests;
mod expression;
mod fingerprint;
mod fingerprint;
mod found;
mod found;
mod function;
mod hint;
mod insert;
mod json_table;
mod keywords;
mod keywords;
mod lexer;
mod lexer;
#[cfg(test)]
mod lexer_tests;
mod load;
#[cfg(test)]
mod misreading_tests;
mod names;
mod number;
mod operand;
mod parser;
#[cfg(test)]
mod probe;
mod query;
mod query_into;
mod quoted;
mod render;
mod respell;
mod scope;
mod symbol;
mod table_ref;
mod token;
mod update;
mod window;

pub(super) use batch::analyze;
pub use decode::readable;
pub use respell::respell;
