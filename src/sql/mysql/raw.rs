//! Strings whose bytes are no UTF-8.
//!
//! Where texts are read, judged and recorded such a string is `_raw x'…'`, in hexadecimal digits; where they are sent it
//! is its bytes between quotes. They alone mean to the server what the client meant: what stands behind `_binary` has no
//! collation, and what stands behind the name of the session's own set is checked.

use std::borrow::Cow;

use crate::{
    model::{
        facts::Unanalyzable,
        name_context::{MysqlReading, NameContext},
    },
    sql::limits::Limits,
};

use super::{
    lexer,
    token::{Kind, Token},
};

/// What marks digits as a string's bytes, with one blank behind it.
pub(super) const MARK: &str = "_raw ";
/// What the lexer calls it.
const NAME: &str = "raw";

/// Whether the name behind an underscore, with `rest` behind it, marks digits.
pub(super) fn is_mark(name: &str, rest: &[u8]) -> bool {
    name == NAME && rest.starts_with(b" x'")
}

/// Whether the token marks digits.
pub(super) fn is_marked(token: &Token<'_>) -> bool {
    token.kind == Kind::Introducer && token.text == NAME
}

/// Appends `x'…'`.
pub(super) fn put_digits(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().map_or('0', char::from);
    out.reserve(bytes.len() * 2 + 3);
    out.push_str("x'");
    for byte in bytes {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 15));
    }
    out.push('\'');
}

/// Whether at each of `places`, in their order, digits stand behind the name of a character set or [`MARK`].
///
/// # Errors
/// Those of the lexer.
pub(super) fn are_digits(text: &str, places: &[usize], reading: &MysqlReading) -> Result<bool, Unanalyzable> {
    let tokens = lexer::tokens(text, reading, &UNLIMITED)?;
    let is_introducer = |token: &Token<'_>| token.kind == Kind::Introducer;
    // Of at least three: no statement begins with such a string.
    let mut digits = tokens.windows(3).filter_map(|three| match three {
        [before, mark, digits]
            if !is_introducer(before) && is_introducer(mark) && digits.kind == Kind::Hex =>
        {
            Some(digits.span.start)
        }
        _ => None,
    });
    Ok(places.iter().all(|place| digits.any(|found| found == *place)))
}

/// A statement in the spelling that is sent, as the bytes that are sent.
///
/// # Errors
/// Those of the lexer, which has read it before.
pub fn sendable<'t>(text: &'t str, context: &NameContext) -> Result<Cow<'t, [u8]>, Unanalyzable> {
    let is_plain = memchr::memmem::find(text.as_bytes(), b"_raw x'").is_none();
    let Some(reading) = context.mysql.filter(|_| !is_plain) else {
        return Ok(Cow::Borrowed(text.as_bytes()));
    };
    let tokens = lexer::tokens(text, &reading, &UNLIMITED)?;
    let mut bytes = Vec::with_capacity(text.len());
    let mut copied = 0;
    for pair in tokens.windows(2) {
        if let [mark, digits] = pair
            && is_marked(mark)
        {
            bytes.extend_from_slice(text.get(copied..mark.span.start).unwrap_or_default().as_bytes());
            put_quoted(&mut bytes, &digits.text, &reading);
            copied = digits.span.end;
        }
    }
    bytes.extend_from_slice(text.get(copied..).unwrap_or_default().as_bytes());
    Ok(Cow::Owned(bytes))
}

/// Appends the bytes of `x'…'` between quotes.
fn put_quoted(out: &mut Vec<u8>, digits: &str, reading: &MysqlReading) {
    let digits = digits.strip_prefix(['x', 'X']).unwrap_or(digits);
    let values = digits.chars().filter_map(|digit| digit.to_digit(16));
    let values: Vec<u8> = values.filter_map(|value| u8::try_from(value).ok()).collect();
    out.push(b'\'');
    for pair in values.chunks_exact(2) {
        let byte = pair.iter().fold(0, |byte, value| byte << 4 | value);
        match byte {
            b'\'' => out.extend_from_slice(b"''"),
            b'\\' if !reading.no_backslash_escapes => out.extend_from_slice(b"\\\\"),
            0 if !reading.no_backslash_escapes => out.extend_from_slice(b"\\0"),
            _ => out.push(byte),
        }
    }
    out.push(b'\'');
}

/// For what was read before, within limits.
const UNLIMITED: Limits =
    Limits { statement_bytes: usize::MAX, tokens: usize::MAX, nesting: usize::MAX, statements: usize::MAX };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::mysql::{decode::readable, lexer_tests::context};

    fn sent(text: &[u8]) -> Vec<u8> {
        let read = readable(text, &context()).unwrap();
        sendable(&read, &context()).unwrap().into_owned()
    }

    #[test]
    fn what_is_sent_is_the_bytes_that_came() {
        for text in [
            &b"select '\xff', 'it''s', '_raw x''41''', '\xe2\x28'"[..],
            b"insert into t values ('\xc3''\\\\\\0', 'x')",
        ] {
            assert_eq!(sent(text), text);
        }
        assert_eq!(sent(b"select \"a\xff\"\"'\\n\""), b"select 'a\xff\"''\n'");
    }

    #[test]
    fn only_digits_behind_the_mark_are_bytes() {
        for text in ["select '_raw x''41'''", "select `_raw x'41'`", "select _raw, x'41'"] {
            assert_eq!(&*sendable(text, &context()).unwrap(), text.as_bytes(), "{text}");
        }
        assert_eq!(&*sendable("select _raw x'41'", &context()).unwrap(), b"select 'A'");
    }
}
