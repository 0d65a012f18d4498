//! The gateway's own texts, built from typed values.

use std::fmt::Write as _;

use crate::{
    model::{
        ids::{DatabaseName, Ident},
        target::Lane,
    },
    upstream::{error::UpstreamError, word::word},
};

/// A statement of the gateway's own; nobody's text gets into it.
#[derive(Clone, Copy, Debug)]
pub enum Setup<'a> {
    /// SET NAMES.
    Names {
        /// The character set.
        charset: &'a Ident,
        /// Its collation; `None` is the set's default.
        collation: Option<&'a Ident>,
    },
    /// The session's transactions are read-only from here on, or no longer are.
    ReadOnly(bool),
    /// ROLLBACK.
    Rollback,
    /// SET SESSION of one system variable.
    Set {
        /// The variable.
        name: &'a Ident,
        /// Its value.
        value: SettingValue<'a>,
    },
    /// Another current database (COM_INIT_DB). Its name goes out in UTF-8: before any other character set is set.
    Use(&'a DatabaseName),
}

/// What a variable is set to.
#[derive(Clone, Copy, Debug)]
pub enum SettingValue<'a> {
    /// DEFAULT: the server's own.
    Default,
    /// A text.
    Literal(&'a str),
    /// A number.
    Number(i64),
    /// NULL.
    Null,
}

/// How a setup goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order<'a> {
    Text(String),
    Use(&'a DatabaseName),
}

impl<'a> Setup<'a> {
    /// It, as it may go out on `lane`.
    ///
    /// # Errors
    /// `Misuse` for what would let the read lane write.
    pub(super) fn on_lane(self, lane: Lane) -> Result<Self, UpstreamError> {
        let lifts = |name: &str| READ_ONLY_SETTINGS.iter().any(|it| name.eq_ignore_ascii_case(it));
        match self {
            // INVARIANT: whatever a session has set, the read lane stays read-only.
            Self::Set { name, .. } if lane == Lane::Read && lifts(name) => Ok(Self::ReadOnly(true)),
            Self::ReadOnly(false) if lane == Lane::Read => {
                Err(UpstreamError::Misuse { what: "the read lane stays read-only" })
            }
            Self::Names { .. } | Self::ReadOnly(_) | Self::Rollback | Self::Set { .. } | Self::Use(_) => {
                Ok(self)
            }
        }
    }

    /// What goes out.
    ///
    /// # Errors
    /// `Misuse` if a name is none.
    pub(super) fn order(self) -> Result<Order<'a>, UpstreamError> {
        let text = match self {
            Self::Names { charset, collation } => match collation {
                Some(collation) => format!("SET NAMES {} COLLATE {}", word(charset)?, word(collation)?),
                None => format!("SET NAMES {}", word(charset)?),
            },
            Self::ReadOnly(true) => "SET SESSION TRANSACTION READ ONLY".to_owned(),
            Self::ReadOnly(false) => "SET SESSION TRANSACTION READ WRITE".to_owned(),
            Self::Rollback => "ROLLBACK".to_owned(),
            Self::Set { name, value } => format!("SET SESSION {} = {}", word(name)?, literal(value)),
            Self::Use(database) => return Ok(Order::Use(database)),
        };
        Ok(Order::Text(text))
    }
}

/// Reads the same whatever `sql_mode` and the character set say: what is not plain goes in hexadecimal digits.
pub(super) fn literal(value: SettingValue<'_>) -> String {
    match value {
        SettingValue::Default => "DEFAULT".to_owned(),
        SettingValue::Null => "NULL".to_owned(),
        SettingValue::Number(number) => number.to_string(),
        SettingValue::Literal(text) if text.bytes().all(is_plain) => format!("'{text}'"),
        SettingValue::Literal(text) => {
            let mut literal = String::from("_utf8mb4 X'");
            for byte in text.bytes() {
                // Writing to a String does not fail.
                let _ = write!(literal, "{byte:02X}");
            }
            literal.push('\'');
            literal
        }
    }
}

/// Whether a byte means itself between quotes, in every mode and every character set that is let through.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b' ' | b',' | b'.' | b'_' | b'-' | b'+' | b':' | b'/' | b'=')
}

const READ_ONLY_SETTINGS: [&str; 2] = ["transaction_read_only", "tx_read_only"];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(setup: Setup<'_>) -> String {
        match setup.order().unwrap() {
            Order::Text(text) => text,
            Order::Use(database) => panic!("{database}"),
        }
    }

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        let name = Ident::from("sql_mode");
        let set = |value| text(Setup::Set { name: &name, value });
        assert_eq!(
            set(SettingValue::Literal("ANSI_QUOTES,STRICT")),
            "SET SESSION sql_mode = 'ANSI_QUOTES,STRICT'"
        );
        assert_eq!(set(SettingValue::Literal("")), "SET SESSION sql_mode = ''");
        assert_eq!(set(SettingValue::Literal("a'\\\0")), "SET SESSION sql_mode = _utf8mb4 X'61275C00'");
        assert_eq!(set(SettingValue::Literal("é")), "SET SESSION sql_mode = _utf8mb4 X'C3A9'");
        assert_eq!(set(SettingValue::Default), "SET SESSION sql_mode = DEFAULT");
        assert_eq!(set(SettingValue::Number(-1)), "SET SESSION sql_mode = -1");
        assert_eq!(set(SettingValue::Null), "SET SESSION sql_mode = NULL");
    }

    #[test]
    fn a_name_that_is_no_word_is_refused() {
        for name in ["", "a b", "a`b", "global.x", "@x", "x=1,y", "é"] {
            let name = Ident::from(name);
            let setup = Setup::Set { name: &name, value: SettingValue::Default };
            assert!(matches!(setup.order(), Err(UpstreamError::Misuse { .. })), "{setup:?}");
        }
    }

    #[test]
    fn nothing_of_ours_lets_the_read_lane_write() {
        for name in ["Transaction_Read_Only", "tx_read_only"] {
            let name = Ident::from(name);
            let off = Setup::Set { name: &name, value: SettingValue::Number(0) };
            assert_eq!(text(off.on_lane(Lane::Read).unwrap()), "SET SESSION TRANSACTION READ ONLY");
            assert_eq!(text(off.on_lane(Lane::Write).unwrap()), format!("SET SESSION {name} = 0"));
        }
        assert!(Setup::ReadOnly(false).on_lane(Lane::Read).is_err());
        assert!(Setup::ReadOnly(false).on_lane(Lane::Write).is_ok());
        assert!(Setup::ReadOnly(true).on_lane(Lane::Read).is_ok());
    }
}
