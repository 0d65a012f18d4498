//! MySQL and MariaDB: our own lexer and grammar, and one spelling for what is sent.
//!
//! The door is [`analyze`]. A token that no rule of the grammar takes makes the whole batch `Unanalyzable`: what the
//! server might read and we did not is never sent.

mod batch;
mod builtin;
mod found;
mod parser;
mod token;

pub(super) use batch::analyze;
