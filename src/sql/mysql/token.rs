//! The words of a MySQL text.

use std::{borrow::Cow, ops::Range};

/// One token; comments and white space are none, executable comments are replaced by what is in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token<'t> {
    /// What it is.
    pub(super) kind: Kind,
    /// A word or symbol as written; the unescaped content of a quoted name or string; a number as written; a
    /// variable's name without `@`.
    pub(super) text: Cow<'t, str>,
    /// Where it stands in the text.
    pub(super) span: Range<usize>,
    /// Nothing stands between it and the token before it.
    pub(super) glued: bool,
    /// The white space between them, where that is all there is and it is short; else one blank, or nothing.
    pub(super) gap: &'t str,
}

/// What a token is.
///
/// Source: MySQL manual, "Language Structure".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// A keyword or a name without quotes; which of them, the grammar decides.
    Word,
    /// A name in backticks (or in double quotes under ANSI_QUOTES), and what the server takes for a name although a
    /// keyword or a number is written: `t.select`, `select.t`, `t.1`.
    Quoted,
    /// A string; adjacent strings are tokens of their own.
    String,
    /// `N'…'`.
    National,
    /// `_charset` in front of a string; `text` is the character set's name.
    Introducer,
    /// `x'…'` or `0x…`, with its mark: MariaDB tells the two apart.
    Hex,
    /// `b'…'` or `0b…`, with its mark.
    Bits,
    /// Digits alone.
    Integer,
    /// Digits with a point.
    Decimal,
    /// Digits with an exponent.
    Float,
    /// `?`.
    Placeholder,
    /// `@name`, however its name is quoted.
    UserVariable,
    /// `@@`; what comes next is glued to it.
    SystemVariable,
    /// `/*+ … */` behind SELECT, INSERT, REPLACE, UPDATE or DELETE; `text` is what is inside.
    Hint,
    /// An operator or a mark; `text` says which (`<=>`, `:=`, `->>`, `(`, `.`, `;` …).
    Symbol,
}

impl Token<'_> {
    /// Whether it is the unquoted word `word` (given in upper case).
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether it is this symbol.
    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }
}
