//! The lexer and the renderer alone, to be held against servers.

use crate::{
    model::{facts::Unanalyzable, name_context::MysqlReading},
    sql::limits::Limits,
};

use super::{lexer, render};

/// All statements of `text` in the spelling in which they would be sent, whatever they mean.
///
/// The plain function of fuzzing and of tests against live servers: what it gives must be read as `text` is, and
/// respelling that must change nothing.
///
/// # Errors
/// Those of the lexer.
pub fn respell(text: &str, reading: &MysqlReading, limits: &Limits) -> Result<String, Unanalyzable> {
    Ok(render::render(&lexer::tokens(text, reading, limits)?, reading))
}
