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
pub(crate) fn reading_of_mode(value: &str, before: MysqlReading) -> Result<MysqlReading, Unanalyzable> {
    sql_mode::read(value, before)
}

/// How the server reads once `character_set_client` has the value.
///
/// # Errors
/// `Never` for sets in which a byte of a longer character can be a quote or a backslash, and for unknown ones.
pub(crate) fn reading_of_charset(name: &str) -> Result<MysqlCharset, Unanalyzable> {
    Charset::of_client(&name.to_ascii_lowercase()).map(Charset::reading)
}
