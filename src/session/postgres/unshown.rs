//! Errors of PostgreSQL that may hold rows which the session may not read.

use bytes::{Bytes, BytesMut};

use super::session::Session;
use crate::{
    session::{
        running::Running,
        unshown::{HINT, MESSAGE},
    },
    wire::{WireError, postgres::backend},
};

impl Session {
    /// What is shown in place of the error with which a statement failed; `None` is the error itself.
    ///
    /// What the server points to in the text is about the text.
    ///
    /// # Errors
    /// `Malformed` when fields are not laid out as the protocol says.
    pub(super) fn unshown(&self, failed: Option<&Running>, body: &[u8]) -> Result<Option<Bytes>, WireError> {
        let Some(failed) = failed else { return Ok(None) };
        let names_only = backend::error_code(body)?.is_some_and(tells_names_only);
        let of_text = backend::error_field(body, b'P')?.is_some();
        if names_only || of_text || self.desk.may_read_errors(&failed.does) {
            return Ok(None);
        }
        let mut error = BytesMut::new();
        backend::reworded_error(&mut error, body, MESSAGE, HINT)?;
        Ok(Some(error.freeze()))
    }
}

/// Whether errors of this SQLSTATE are known to tell of names, states and limits alone.
fn tells_names_only(sqlstate: &str) -> bool {
    CLASSES.iter().any(|class| sqlstate.starts_with(class)) || DEFINITIONS.contains(&sqlstate)
}

/// Classes of SQLSTATE. P0 are errors that routines of the database raise in their own words.
///
/// Source: PostgreSQL manual, "PostgreSQL Error Codes".
const CLASSES: &[&str] = &[
    "08", "0A", "21", "24", "25", "26", "28", "2B", "2D", "34", "3B", "3D", "3F", "40", "53", "54", "55",
    "57", "58", "P0",
];

/// Of class 42, what is about definitions. The others can be about a value: a setting, a type or a query that is one.
const DEFINITIONS: &[&str] = &[
    "42501", "42611", "42701", "42702", "42703", "42710", "42723", "42725", "42803", "42804", "42809",
    "42830", "42846", "42883", "42939", "42P01", "42P02", "42P03", "42P04", "42P05", "42P06", "42P07",
    "42P08", "42P09", "42P10", "42P11", "42P12", "42P13", "42P14", "42P15", "42P16", "42P17", "42P18",
    "42P19", "42P20", "42P21", "42P22",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_hold_a_value_is_not_told() {
        // A cast, a broken row, a query and a setting that are values, and what nobody knows.
        for sqlstate in ["22P02", "22007", "23502", "23505", "42601", "42704", "42602", "XX000", "ZZZZZ", ""]
        {
            assert!(!tells_names_only(sqlstate), "{sqlstate}");
        }
        for sqlstate in ["42P01", "42703", "42501", "25P02", "40001", "40P01", "55P03", "57014", "P0001"] {
            assert!(tells_names_only(sqlstate), "{sqlstate}");
        }
    }
}
