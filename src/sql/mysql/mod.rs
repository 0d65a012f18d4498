//! MySQL and MariaDB: our own lexer and grammar, and one spelling for what is sent.
//!
//! The door is [`analyze`]. A token that no rule of the grammar takes makes the whole batch `Unanalyzable`: what the
//! server might read and we did not is never sent.

mod argument;
mod batch;
mod builtin;
mod comment;
mod fingerprint;
mod found;
mod keywords;
mod lexer;
mod number;
mod parser;
mod quoted;
mod render;
mod symbol;
mod data_statement;
mod data_type;
mod delete;
mod expression;
mod function;
mod insert;
mod json_table;
mod load;
mod names;
mod operand;
mod query;
mod query_into;
mod scope;
mod table_ref;
mod token;
mod update;
mod window;

pub(super) use batch::analyze;
