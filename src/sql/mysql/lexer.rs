//! A text to its tokens, as the server's own lexer cuts it.
//!
//! Where the server's reading hangs on something that is not certain here, the text is refused: no reading is guessed.
//!
//! Source: MySQL manual, "Language Structure"; MariaDB knowledge base, "Identifier Names", "Comment Syntax"; and what
//! live servers answer (`tests/lexer_live_mysql.rs`).

use std::{borrow::Cow, ops::Range};

use crate::{
    model::{
        facts::Unanalyzable,
        name_context::{MysqlCharset, MysqlFlavor, MysqlReading},
    },
    sql::limits::Limits,
};

use super::{
    keywords, raw,
    token::{Kind, Token},
};

/// The tokens of `text`.
///
/// # Errors
/// `Syntax` where the server would read an error or might read something else, `TooLarge` beyond the limits.
pub(super) fn tokens<'t>(
    text: &'t str,
    reading: &MysqlReading,
    limits: &Limits,
) -> Result<Vec<Token<'t>>, Unanalyzable> {
    if text.len() > limits.statement_bytes {
        return Err(Unanalyzable::TooLarge { what: "bytes", limit: limits.statement_bytes });
    }
    let mut lexer = Lexer::new(text, *reading);
    let mut tokens = Vec::with_capacity(text.len() / 6 + 4);
    while let Some(token) = lexer.token()? {
        if tokens.len() >= limits.tokens {
            return Err(Unanalyzable::TooLarge { what: "tokens", limit: limits.tokens });
        }
        tokens.push(token);
    }
    Ok(tokens)
}

/// What the token before decides about the bytes that follow it immediately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing.
    Any,
    /// A name with a point and another name behind it: the point is no number's.
    Name,
    /// A point: a name without quotes follows, whatever it looks like.
    Point,
    /// `@@`: a name without quotes follows, in which keywords keep their meaning.
    System,
    /// A keyword behind which an optimizer hint may stand.
    HintHead,
}

/// Bytes of white space that are kept as written.
const LONGEST_GAP: usize = 80;

/// Walks over a text.
pub(super) struct Lexer<'t> {
    pub(super) text: &'t str,
    pub(super) bytes: &'t [u8],
    pub(super) at: usize,
    pub(super) reading: MysqlReading,
    /// Inside of an executable comment.
    pub(super) executable: bool,
    pub(super) after: After,
    /// Where the token before ends.
    end: Option<usize>,
}

/// What a step of the lexer answers.
pub(super) type Lexed<T> = Result<T, Unanalyzable>;

impl<'t> Lexer<'t> {
    fn new(text: &'t str, reading: MysqlReading) -> Self {
        let bytes = text.as_bytes();
        Self { text, bytes, at: 0, reading, executable: false, after: After::Any, end: None }
    }

    /// The byte at `at`, 0 behind the end; no text with NUL outside of strings is let through.
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    pub(super) fn ahead(&self, offset: usize) -> u8 {
        self.byte(self.at + offset)
    }

    /// What is written in `range`.
    pub(super) fn slice(&self, range: Range<usize>) -> Lexed<&'t str> {
        let start = range.start;
        self.text.get(range).ok_or_else(|| refused("a character is cut in two", start))
    }

    /// The first place from `at` on whose byte does not fit.
    pub(super) fn span_end(&self, at: usize, fits: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        rest.iter().position(|byte| !fits(*byte)).map_or(self.bytes.len(), |found| at + found)
    }

    /// The next token.
    fn token(&mut self) -> Lexed<Option<Token<'t>>> {
        let after = std::mem::replace(&mut self.after, After::Any);
        if after == After::HintHead
            && let Some(hint) = self.hint()?
        {
            self.end = Some(self.at);
            return Ok(Some(hint));
        }
        self.skip_blank()?;
        if self.at >= self.bytes.len() {
            if self.executable {
                return Err(refused("an executable comment does not end", self.at));
            }
            return Ok(None);
        }
        let start = self.at;
        let (kind, text) = match after {
            After::Point | After::System => self.name(after)?,
            After::Name | After::Any | After::HintHead => self.begin(after)?,
        };
        let glued = self.end == Some(start);
        let gap = if glued { "" } else { self.gap(start) };
        self.end = Some(self.at);
        Ok(Some(Token { kind, text, span: start..self.at, glued, gap }))
    }

    /// What stands between the token before and `start`, if it is short and white; else one blank.
    fn gap(&self, start: usize) -> &'t str {
        let between = self.text.get(self.end.unwrap_or(start)..start).unwrap_or_default();
        let is_white = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        if (1..=LONGEST_GAP).contains(&between.len()) && between.bytes().all(is_white) {
            between
        } else {
            " "
        }
    }

    /// A token that no token before has a say in, but for `after` being a name with a point behind it.
    fn begin(&mut self, after: After) -> Lexed<(Kind, Cow<'t, str>)> {
        match self.ahead(0) {
            b'\'' => Ok((Kind::String, self.string(b'\'')?)),
            b'"' if !self.reading.ansi_quotes => Ok((Kind::String, self.string(b'"')?)),
            quote @ (b'"' | b'`') => Ok((Kind::Quoted, self.quoted_name(quote)?)),
            b'0'..=b'9' => self.number(),
            b'.' => self.point(after),
            b'@' => self.variable(),
            byte if is_name(byte) => self.word(),
            _ => self.symbol(),
        }
    }

    /// Takes what is written up to `end` as a token.
    pub(super) fn take(&mut self, kind: Kind, end: usize) -> Lexed<(Kind, Cow<'t, str>)> {
        let text = self.slice(self.at..end)?;
        self.at = end;
        Ok((kind, Cow::Borrowed(text)))
    }

    /// A point, or a number that begins with one.
    fn point(&mut self, after: After) -> Lexed<(Kind, Cow<'t, str>)> {
        let next = self.ahead(1);
        if after != After::Name {
            if next.is_ascii_digit() {
                return self.fraction(self.at + 1);
            }
            if next == b'.' {
                return Err(refused("two points stand side by side", self.at));
            }
        }
        if is_name(next) {
            self.after = After::Point;
        }
        self.take(Kind::Symbol, self.at + 1)
    }

    /// `x'…'`, `b'…'`, `N'…'`, a character set's name or a word.
    fn word(&mut self) -> Lexed<(Kind, Cow<'t, str>)> {
        match (self.ahead(0), self.ahead(1)) {
            (b'n' | b'N', b'\'') => {
                self.at += 1;
                return Ok((Kind::National, self.string(b'\'')?));
            }
            (b'x' | b'X', b'\'') => return self.marked(Kind::Hex, |byte| byte.is_ascii_hexdigit()),
            (b'b' | b'B', b'\'') => return self.marked(Kind::Bits, |byte| matches!(byte, b'0' | b'1')),
            _ => {}
        }
        let start = self.at;
        let (kind, text) = self.name(After::Any)?;
        let dollars = self.reading.flavor == MysqlFlavor::Mysql && text.starts_with('$');
        if dollars && text.bytes().skip(1).any(|byte| byte == b'$') {
            return Err(refused("a string may begin in dollars", start));
        }
        if self.after == After::Name {
            return Ok((kind, text));
        }
        if let Some(charset) = text.strip_prefix('_')
            && (keywords::is_charset(charset, self.reading.flavor)
                || raw::is_mark(charset, self.bytes.get(self.at..).unwrap_or_default()))
        {
            return Ok((Kind::Introducer, Cow::Owned(charset.to_ascii_lowercase())));
        }
        if self.reading.flavor == MysqlFlavor::Mysql && is_hint_head(&text) {
            self.after = After::HintHead;
        }
        Ok((kind, text))
    }

    /// A name without quotes, from its first byte on; it may begin with digits.
    pub(super) fn name(&mut self, after: After) -> Lexed<(Kind, Cow<'t, str>)> {
        let start = self.at;
        let end = self.span_end(start, is_name);
        let (_, text) = self.take(Kind::Word, end)?;
        self.check_name(&text, start)?;
        if self.ahead(0) == b'.' && is_name(self.ahead(1)) {
            self.after = After::Name;
        }
        let joined = after == After::Point || (after == After::Any && self.after == After::Name);
        let is_hidden = || {
            keywords::is_reserved(&text, self.reading.flavor)
                || text.strip_prefix('_').is_some_and(|rest| keywords::is_charset(rest, self.reading.flavor))
                || (after == After::Point && text.starts_with(|first: char| first.is_ascii_digit()))
        };
        Ok((if joined && is_hidden() { Kind::Quoted } else { Kind::Word }, text))
    }

    /// Whether the server knows the same name by these bytes.
    pub(super) fn check_name(&self, name: &str, start: usize) -> Lexed<()> {
        if name.is_ascii() {
            return Ok(());
        }
        if self.reading.charset == MysqlCharset::SingleByte {
            return Err(refused("a name is not written in ASCII, and the character set is not UTF-8", start));
        }
        if name.bytes().any(|byte| byte >= 0xf0) {
            return Err(refused("a name has a character beyond U+FFFF", start));
        }
        Ok(())
    }

    /// `@name` and `@@`.
    fn variable(&mut self) -> Lexed<(Kind, Cow<'t, str>)> {
        let start = self.at;
        let first = self.ahead(1);
        if first == b'@' {
            if is_name(self.ahead(2)) {
                self.after = After::System;
            } else if self.ahead(2) != b'`' {
                return Err(refused("no name stands behind \"@@\"", start));
            }
            return self.take(Kind::SystemVariable, start + 2);
        }
        self.at += 1;
        let name = match first {
            b'`' => self.quoted_name(first)?,
            b'"' if self.reading.ansi_quotes => self.quoted_name(first)?,
            b'"' | b'\'' => self.string(first)?,
            _ => {
                let end = self.span_end(self.at, is_bare_variable);
                if end == self.at || self.byte(end) >= 0x80 {
                    return Err(refused("no name stands behind \"@\"", start));
                }
                self.take(Kind::UserVariable, end)?.1
            }
        };
        self.check_name(&name, start)?;
        if name.contains('\0') {
            return Err(refused("a name has a character that is not let through", start));
        }
        Ok((Kind::UserVariable, name))
    }
}

/// Bytes of a name without quotes.
pub(super) const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

/// Bytes of a variable's (or host's) name without quotes.
pub(super) const fn is_bare_variable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.')
}

/// White space between tokens.
pub(super) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn is_hint_head(word: &str) -> bool {
    ["SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE"].iter().any(|head| word.eq_ignore_ascii_case(head))
}

/// A text that is not let through because of what stands at `at`.
pub(super) fn refused(why: &str, at: usize) -> Unanalyzable {
    Unanalyzable::Syntax {
        message: format!("the gateway does not understand the statement: {why}"),
        position: Some(at + 1),
    }
}
