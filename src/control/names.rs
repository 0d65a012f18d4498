//! Names and remarks that people give.

use super::error::{ControlError, invalid};

/// Refuses what would be hard to read in lists, logs and records, or could pass for something else.
///
/// Letters and digits of ASCII, then also `.`, `_`, `-`, `@` and `+`; at most 63 bytes, as PostgreSQL's own names.
pub(super) fn check_name(field: &'static str, name: &str) -> Result<(), ControlError> {
    let starts = name.starts_with(|letter: char| letter.is_ascii_alphanumeric());
    let plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-@+".contains(letter));
    if starts && plain && name.len() <= MAX_NAME {
        return Ok(());
    }
    Err(invalid(
        field,
        format!(
            "a name begins with a letter or digit, goes on with these or . _ - @ +, and has at most {MAX_NAME}"
        ),
    ))
}

/// Takes a reason: some text of one line, without blanks around it.
pub(super) fn checked_reason(reason: &str) -> Result<String, ControlError> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(invalid("reason", "say why, for example the number of an incident"));
    }
    if reason.chars().count() > MAX_REASON || reason.chars().any(char::is_control) {
        return Err(invalid("reason", format!("at most {MAX_REASON} characters on one line")));
    }
    Ok(reason.to_owned())
}

const MAX_NAME: usize = 63;
const MAX_REASON: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_plain_letters() {
        for good in ["dana", "dana@example.com", "svc-42", "4eyes", "a.b_c+d"] {
            check_name("name", good).unwrap();
        }
        for bad in ["", "-dana", "da na", "dana\n", "dáná", "a/b", "a\"b", &"x".repeat(64)] {
            assert!(check_name("name", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_reason_is_said_in_one_line() {
        assert_eq!(checked_reason("  INC-42 ").unwrap(), "INC-42");
        for bad in ["", "   ", "two\nlines", &"x".repeat(501)] {
            assert!(checked_reason(bad).is_err(), "{bad:?}");
        }
    }
}
