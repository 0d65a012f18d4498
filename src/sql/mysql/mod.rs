//! MySQL and MariaDB: our own lexer and grammar, and one spelling for what is sent.
//!
//! The door is [`analyze`]. A token that no rule of the grammar takes makes the whole batch `Unanalyzable`: what the
//! server might read and we did not is never sent.

mod batch;
mod builtin;
mod comment;
mod decode;
mod fingerprint;
mod found;
mod hint;
mod keywords;
mod lexer;
#[cfg(test)]
mod lexer_tests;
mod number;
mod parser;
mod quoted;
mod render;
mod respell;
mod symbol;
mod token;

pub(super) use batch::analyze;
pub use decode::readable;
pub use respell::respell;
