//! Which words are names, and which character sets there are.

use std::{collections::HashMap, sync::LazyLock};

use crate::model::name_context::MysqlFlavor;

use super::token::{Kind, Token};

/// What a keyword may stand for without quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nothing.
    Reserved,
    /// Any name, but the alias of a column only behind AS.
    NoAlias,
    /// Any name, but the alias of a table.
    NoTableAlias,
    /// Any name.
    Free,
}

/// By upper case, first MySQL's, then MariaDB's.
static WORDS: LazyLock<HashMap<&'static str, (Standing, Standing)>> = LazyLock::new(|| {
    include_str!("../../../policies/mysql/words.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut fields = line.split('\t');
            let word = fields.next()?;
            Some((word, (standing(fields.next())?, standing(fields.next())?)))
        })
        .collect()
});

fn standing(field: Option<&str>) -> Option<Standing> {
    match field? {
        "reserved" => Some(Standing::Reserved),
        "no_alias" => Some(Standing::NoAlias),
        "no_table_alias" => Some(Standing::NoTableAlias),
        "free" => Some(Standing::Free),
        _ => None,
    }
}

fn look_up(word: &str, flavor: MysqlFlavor) -> Standing {
    // No keyword is longer.
    let mut upper = [0_u8; 32];
    let Some(upper) = upper.get_mut(..word.len()) else { return Standing::Free };
    upper.copy_from_slice(word.as_bytes());
    upper.make_ascii_uppercase();
    let found = std::str::from_utf8(upper).ok().and_then(|upper| WORDS.get(upper));
    match (found, flavor) {
        (None, _) => Standing::Free,
        (Some((mysql, _)), MysqlFlavor::Mysql) => *mysql,
        (Some((_, mariadb)), MysqlFlavor::Mariadb) => *mariadb,
    }
}

/// Whether the unquoted word can be no name. Counts only where the server looks words up: a name behind a point, or
/// with one and another name behind it, comes from the lexer as [`Kind::Quoted`].
pub(super) fn is_reserved(word: &str, flavor: MysqlFlavor) -> bool {
    look_up(word, flavor) == Standing::Reserved
}

/// Whether the token can be a name: of a database, table, column or routine, a label, or an alias behind AS.
pub(super) fn may_be_name(token: &Token<'_>, flavor: MysqlFlavor) -> bool {
    match token.kind {
        Kind::Quoted => true,
        Kind::Word => !is_reserved(&token.text, flavor),
        _ => false,
    }
}

/// Whether the token can be the alias of a column without AS. A string can, too.
pub(super) fn may_be_alias(token: &Token<'_>, flavor: MysqlFlavor) -> bool {
    match token.kind {
        Kind::Quoted | Kind::String => true,
        Kind::Word => !matches!(look_up(&token.text, flavor), Standing::Reserved | Standing::NoAlias),
        _ => false,
    }
}

/// Whether the token can be the alias of a table, with AS or without.
pub(super) fn may_be_table_alias(token: &Token<'_>, flavor: MysqlFlavor) -> bool {
    match token.kind {
        Kind::Quoted => true,
        Kind::Word => !matches!(look_up(&token.text, flavor), Standing::Reserved | Standing::NoTableAlias),
        _ => false,
    }
}

/// Names that stand behind `_` in front of a string, as `SHOW CHARACTER SET` lists them, and "utf8".
const CHARSETS: &[&str] = &[
    "armscii8", "ascii", "big5", "binary", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866",
    "cp932", "dec8", "eucjpms", "euckr", "gb2312", "gbk", "geostd8", "greek", "hebrew", "hp8", "keybcs2",
    "koi8r", "koi8u", "latin1", "latin2", "latin5", "latin7", "macce", "macroman", "sjis", "swe7", "tis620",
    "ucs2", "ujis", "utf16", "utf16le", "utf32", "utf8", "utf8mb3", "utf8mb4",
];

/// Whether the server has a character set of this name.
pub(super) fn is_charset(name: &str, flavor: MysqlFlavor) -> bool {
    CHARSETS.iter().any(|charset| charset.eq_ignore_ascii_case(name))
        || (flavor == MysqlFlavor::Mysql && name.eq_ignore_ascii_case("gb18030"))
}
