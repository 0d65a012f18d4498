//! A text to the facts of its statements.

use crate::{
    model::{
        facts::{Facts, Unanalyzable},
        name_context::NameContext,
    },
    sql::limits::Limits,
};

use super::parser::unknown;

/// See [`crate::sql::analyze`].
pub(in crate::sql) fn analyze(
    _text: &str,
    _context: &NameContext,
    _limits: &Limits,
) -> Result<Vec<Facts>, Unanalyzable> {
    Err(unknown("MySQL"))
}
