//! What settings of a session say of how its texts are read.

use crate::model::{
    facts::Unanalyzable,
    name_context::{MysqlCharset, MysqlReading},
};

use super::{charset::Charset, sql_mode};

/// How the server reads once `sql_mode` has the value.
///
/// # Errors
/// `Never` for modes of another grammar, and for unknown ones.
pub fn reading_of_mode(value: &str, before: MysqlReading) -> Result<MysqlReading, Unanalyzable> {
    sql_mode::read(value, before)
}

/// How the server reads once `character_set_client` has the value.
///
/// # Errors
/// `Never` for sets in which a byte of a longer character can be a quote or a backslash, and for unknown ones.
pub fn reading_of_charset(name: &str) -> Result<MysqlCharset, Unanalyzable> {
    Charset::of_client(&name.to_ascii_lowercase()).map(Charset::reading)
}

/// TEMPORARY until the lexer's is merged.
pub fn readable<'t>(
    text: &'t [u8],
    _context: &crate::model::name_context::NameContext,
) -> Result<std::borrow::Cow<'t, str>, Unanalyzable> {
    std::str::from_utf8(text)
        .map(std::borrow::Cow::Borrowed)
        .map_err(|_| Unanalyzable::Unknown { construct: "a text that is not UTF-8".into() })
}
