//! Texts that are longer than any that is let through: refused by what their message says of its length, and never kept.

use super::{
    gate::Limits,
    judge::{Refused, refusal_of},
};
use crate::model::facts::Unanalyzable;

/// So much of a text is waited for before it is refused, so that its record shows how it begins.
pub(super) const BEGINNING_BYTES: usize = 1024;

/// Why no such text is let through.
pub(super) fn too_long(limits: &Limits) -> Refused {
    refusal_of(&Unanalyzable::TooLarge { what: "bytes", limit: limits.sql.statement_bytes }).into()
}

/// The beginning of a text of which more is to come, as it is recorded.
pub(super) fn beginning(bytes: &[u8]) -> &str {
    // What was cut through at its end is left out, and so is all behind what is no UTF-8.
    bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_that_is_cut_through_is_left_out() {
        assert_eq!(beginning("SELECT 'caf\u{e9}".as_bytes().split_last().unwrap().1), "SELECT 'caf");
        assert_eq!(beginning(b""), "");
    }
}
