//! Strings and quoted names.

use std::borrow::Cow;

use super::lexer::{Lexed, Lexer, refused};

impl<'t> Lexer<'t> {
    /// The content of the string whose opening `quote` is in hand.
    pub(super) fn string(&mut self, quote: u8) -> Lexed<Cow<'t, str>> {
        let start = self.at;
        let mut content = Cow::Borrowed("");
        let mut piece = start + 1;
        let mut at = piece;
        loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let found = if self.reading.no_backslash_escapes {
                memchr::memchr(quote, rest)
            } else {
                memchr::memchr2(quote, b'\\', rest)
            };
            let Some(found) = found.map(|found| at + found) else {
                return Err(refused("a string does not end", start));
            };
            if self.byte(found) == b'\\' {
                let Some(escaped) = self.text.get(found + 1..).and_then(|rest| rest.chars().next()) else {
                    return Err(refused("a string does not end", start));
                };
                content += self.slice(piece..found)?;
                at = found + 1 + escaped.len_utf8();
                piece = at;
                let content = content.to_mut();
                if matches!(escaped, '%' | '_') {
                    content.push('\\');
                }
                content.push(unescaped(escaped));
            } else if self.byte(found + 1) == quote && found + 1 < self.bytes.len() {
                content += self.slice(piece..found + 1)?;
                at = found + 2;
                piece = at;
            } else {
                content += self.slice(piece..found)?;
                self.at = found + 1;
                return Ok(content);
            }
        }
    }

    /// The name whose opening `quote` is in hand.
    pub(super) fn quoted_name(&mut self, quote: u8) -> Lexed<Cow<'t, str>> {
        let start = self.at;
        let mut name = Cow::Borrowed("");
        let mut at = start + 1;
        loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let Some(found) = memchr::memchr(quote, rest).map(|found| at + found) else {
                return Err(refused("a quoted name does not end", start));
            };
            if self.byte(found + 1) == quote {
                name += self.slice(at..found + 1)?;
                at = found + 2;
            } else {
                name += self.slice(at..found)?;
                self.at = found + 1;
                break;
            }
        }
        if name.contains('\0') {
            return Err(refused("a name has a character that is not let through", start));
        }
        self.check_name(&name, start)?;
        Ok(name)
    }
}

/// What stands for `\` and this character.
const fn unescaped(escaped: char) -> char {
    match escaped {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        '0' => '\0',
        'Z' => '\u{1a}',
        other => other,
    }
}
