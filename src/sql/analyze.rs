//! The door: a batch's text to the facts of its statements.

use crate::model::{
    dialect::Dialect,
    facts::{Facts, Unanalyzable},
    name_context::NameContext,
};

use super::{limits::Limits, mysql, postgres};

/// What each statement of `text` does, in order; empty if there is none.
///
/// Names are looked up as the server would in `context`; what a statement changes of it (SET search_path, temporary
/// tables) counts for the ones behind it.
///
/// # Errors
/// Any of [`Unanalyzable`]: then nothing of the batch may run.
pub fn analyze(
    text: &str,
    dialect: Dialect,
    context: &NameContext,
    limits: &Limits,
) -> Result<Vec<Facts>, Unanalyzable> {
    match dialect {
        Dialect::Mysql => mysql::analyze(text, context, limits),
        Dialect::Postgres => postgres::analyze(text, context, limits),
    }
}
