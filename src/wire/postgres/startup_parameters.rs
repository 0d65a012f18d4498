//! The parameters of a startup message.

use super::{frame::Fields, startup_options::read_options};
use crate::wire::WireError;

/// Parameters, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) user: String,
    pub(super) database: String,
    pub(super) unknown_options: Vec<String>,
    pub(super) settings: Vec<(String, String)>,
}

/// Reads pairs of text up to an empty name, which must be the last byte.
///
/// A name given twice is refused, whatever its letter case: which of the two counts is not for a gate to guess.
pub(super) fn read_parameters(body: &[u8]) -> Result<Parameters, WireError> {
    let mut fields = Fields::new(body, "startup");
    let mut found = Parameters::default();
    let mut seen: Vec<String> = Vec::new();
    let mut from_options = Vec::new();
    loop {
        let name = fields.text()?;
        if name.is_empty() {
            fields.end()?;
            break;
        }
        let value = fields.text()?;
        let folded = name.to_ascii_lowercase();
        if seen.contains(&folded) {
            return Err(WireError::DuplicateParameter { name: name.to_owned() });
        }
        seen.push(folded);
        match name {
            "user" => found.user = value.to_owned(),
            "database" => found.database = value.to_owned(),
            "options" => from_options = read_options(value)?,
            "replication" if is_false(value) => {}
            "replication" => return Err(WireError::Replication),
            _ if name.starts_with("_pq_.") => found.unknown_options.push(name.to_owned()),
            _ => found.settings.push((name.to_owned(), value.to_owned())),
        }
    }
    if found.user.is_empty() {
        return Err(WireError::NoUser);
    }
    if found.database.is_empty() {
        found.database.clone_from(&found.user);
    }
    found.settings.splice(..0, from_options);
    Ok(found)
}

/// Whether the server reads `value` as the boolean false: a beginning of "false" or "no", "of", "off", "0".
fn is_false(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let begins = |word: &str| !value.is_empty() && word.starts_with(&value);
    begins("false") || begins("no") || value == "of" || value == "off" || value == "0"
}
