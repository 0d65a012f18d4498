//! Character sets of clients: which can be read, and how.

use crate::model::{facts::Unanalyzable, name_context::MysqlCharset};

/// A character set whose texts are read without doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Charset(&'static str);

impl Charset {
    /// The set of `character_set_client` of that name (lower case).
    ///
    /// # Errors
    /// `Never` for sets in which a byte of a longer character can be a quote or a backslash, and for unknown ones.
    pub(super) fn of_client(name: &str) -> Result<Self, Unanalyzable> {
        let found = UTF8.iter().chain(SINGLE_BYTE).find(|known| **known == name);
        found.map(|name| Self(name)).ok_or_else(|| never(name))
    }

    /// The set of a collation of that name (lower case).
    ///
    /// # Errors
    /// `Never` for collations of sets that clients may not have.
    pub(super) fn of_collation(name: &str) -> Result<(), Unanalyzable> {
        let charset = name.split('_').next().unwrap_or_default();
        Self::of_client(charset).map(drop)
    }

    /// Its name.
    pub(super) const fn as_str(self) -> &'static str {
        self.0
    }

    /// How its bytes are read.
    pub(super) fn reading(self) -> MysqlCharset {
        if UTF8.contains(&self.0) { MysqlCharset::Utf8 } else { MysqlCharset::SingleByte }
    }
}

fn never(name: &str) -> Unanalyzable {
    Unanalyzable::Never { construct: format!("the character set {name}"), instead: "Use utf8mb4." }
}

const UTF8: &[&str] = &["utf8", "utf8mb3", "utf8mb4"];

/// In these, each byte is a character and those of ASCII mean themselves.
const SINGLE_BYTE: &[&str] = &[
    "armscii8", "ascii", "binary", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "dec8",
    "geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin1", "latin2", "latin5", "latin7",
    "macce", "macroman", "tis620",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_whose_characters_can_hide_a_quote_are_never_let_through() {
        for name in
            ["gbk", "sjis", "cp932", "big5", "gb18030", "utf16", "utf32", "ucs2", "swe7", "of_tomorrow"]
        {
            assert!(Charset::of_client(name).is_err(), "{name}");
            assert!(Charset::of_collation(&format!("{name}_bin")).is_err(), "{name}");
        }
    }

    #[test]
    fn what_drivers_ask_for_is_let_through() {
        assert_eq!(Charset::of_client("utf8mb4").unwrap().reading(), MysqlCharset::Utf8);
        assert_eq!(Charset::of_client("latin1").unwrap().reading(), MysqlCharset::SingleByte);
        assert!(Charset::of_collation("utf8mb4_0900_ai_ci").is_ok());
    }
}
