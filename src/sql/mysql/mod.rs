//! MySQL and MariaDB: our own lexer and grammar, and one spelling for what is sent.
//!
//! The door is [`analyze`]. A token that no rule of the grammar takes makes the whole batch `Unanalyzable`: what the
//! server might read and we did not is never sent.

mod account;
mod administer;
mod administered;
mod alter;
mod argument;
mod batch;
mod body;
mod builtin;
mod charset;
mod comment;
mod data_statement;
mod data_type;
mod decode;
mod define;
mod define_column;
mod define_options;
mod define_table;
mod define_view;
mod delete;
#[cfg(test)]
mod dml_tests;
mod drop;
#[cfg(test)]
mod effect_tests;
mod explain;
mod expression;
mod fingerprint;
mod found;
mod function;
mod hint;
mod insert;
mod json_table;
mod keywords;
mod lexer;
#[cfg(test)]
mod lexer_tests;
mod literals;
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
mod raw;
mod read_only;
mod reading;
mod render;
mod respell;
mod scope;
mod session;
mod set;
mod set_value;
mod show;
mod sql_mode;
mod statement;
mod symbol;
mod table_ref;
mod token;
mod transaction;
mod update;
mod window;

pub(super) use batch::analyze;
pub use decode::readable;
pub(super) use literals::without_literals;
pub use raw::sendable;
pub use read_only::own_read_only;
pub(crate) use reading::{reading_of_charset, reading_of_mode};
pub use respell::respell;
