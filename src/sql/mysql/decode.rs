//! Texts that are not UTF-8: raw bytes in strings are written in hexadecimal digits.

use std::borrow::Cow;

use crate::model::{
    facts::Unanalyzable,
    name_context::{MysqlReading, NameContext},
};

use super::lexer::{is_blank, is_name, refused};

/// The text of a statement, of which strings with bytes that are no UTF-8 are written anew, with the same value.
///
/// Drivers send the bytes of a BLOB as `_binary'…'`. A text in UTF-8 is given back as it is.
///
/// # Errors
/// `Syntax` if such bytes stand elsewhere, also in strings without `_binary`: in UTF-8 the server would not accept
/// them, and in sets of single bytes what they mean hangs on which set it is.
pub fn readable<'t>(text: &'t [u8], context: &NameContext) -> Result<Cow<'t, str>, Unanalyzable> {
    match (std::str::from_utf8(text), context.mysql) {
        (Ok(text), _) => Ok(Cow::Borrowed(text)),
        (Err(error), None) => Err(refused("it is not written in UTF-8", error.valid_up_to())),
        (Err(_), Some(reading)) => {
            Respeller { text, at: 0, reading, out: String::new() }.run().map(Cow::Owned)
        }
    }
}

struct Respeller<'t> {
    text: &'t [u8],
    at: usize,
    reading: MysqlReading,
    out: String,
}

impl Respeller<'_> {
    fn run(mut self) -> Result<String, Unanalyzable> {
        // Where a string's introducer begins in what was written, if one was the last token.
        let mut introducer = None;
        while let Some(byte) = self.byte(self.at) {
            let start = self.at;
            match byte {
                b'\'' => self.string(byte, introducer)?,
                b'"' if !self.reading.ansi_quotes => self.string(byte, introducer)?,
                b'"' | b'`' => {
                    let end = self.find(start + 1, byte, "a quoted name")?;
                    self.copy(end)?;
                }
                b'#' => self.line()?,
                b'-' if self.byte(start + 1) == Some(b'-') && self.ends_dashes(start + 2) => self.line()?,
                b'/' if self.is(start, b"/*") && !self.is(start, b"/*!") && !self.is(start, b"/*M!") => {
                    let rest = self.text.get(start + 2..).unwrap_or_default();
                    let Some(length) = memchr::memmem::find(rest, b"*/") else {
                        return Err(refused("a comment does not end", start));
                    };
                    self.copy(start + 2 + length + 2)?;
                }
                byte if is_name(byte) => {
                    let rest = self.text.get(start..).unwrap_or_default();
                    let length = rest.iter().position(|byte| !is_name(*byte)).unwrap_or(rest.len());
                    introducer = Some(self.out.len());
                    self.copy(start + length)?;
                    continue;
                }
                byte if is_blank(byte) => {
                    self.copy(start + 1)?;
                    continue;
                }
                _ => self.copy(start + 1)?,
            }
            introducer = None;
        }
        Ok(self.out)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    fn is(&self, at: usize, word: &[u8]) -> bool {
        self.text.get(at..).is_some_and(|rest| rest.starts_with(word))
    }

    fn ends_dashes(&self, at: usize) -> bool {
        self.byte(at).is_none_or(|byte| is_blank(byte) || byte.is_ascii_control())
    }

    /// Copies up to `end`, which has to be UTF-8.
    fn copy(&mut self, end: usize) -> Result<(), Unanalyzable> {
        let piece = self.text.get(self.at..end).unwrap_or_default();
        let piece = std::str::from_utf8(piece)
            .map_err(|error| refused("it is not written in UTF-8", self.at + error.valid_up_to()))?;
        self.out.push_str(piece);
        self.at = end;
        Ok(())
    }

    fn line(&mut self) -> Result<(), Unanalyzable> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.copy(self.at + length)
    }

    /// Behind the closing quote of what begins before `at`; doubled quotes are two pieces, which does no harm.
    fn find(&self, at: usize, quote: u8, what: &str) -> Result<usize, Unanalyzable> {
        let rest = self.text.get(at..).unwrap_or_default();
        match memchr::memchr(quote, rest) {
            Some(length) => Ok(at + length + 1),
            None => Err(refused(&format!("{what} does not end"), at)),
        }
    }

    /// What the string in hand stands for, and where it ends.
    fn value(&self, quote: u8) -> Result<(Vec<u8>, usize), Unanalyzable> {
        let mut value = Vec::new();
        let mut at = self.at + 1;
        loop {
            let next = self.byte(at + 1);
            match self.byte(at) {
                Some(b'\\') if !self.reading.no_backslash_escapes => {
                    let Some(escaped) = next else { break };
                    match escaped {
                        b'n' => value.push(b'\n'),
                        b't' => value.push(b'\t'),
                        b'r' => value.push(b'\r'),
                        b'b' => value.push(8),
                        b'0' => value.push(0),
                        b'Z' => value.push(0x1a),
                        b'%' | b'_' => value.extend([b'\\', escaped]),
                        other => value.push(other),
                    }
                    at += 2;
                }
                Some(byte) if byte == quote => {
                    if next != Some(quote) {
                        return Ok((value, at + 1));
                    }
                    value.push(quote);
                    at += 2;
                }
                Some(byte) => {
                    value.push(byte);
                    at += 1;
                }
                None => break,
            }
        }
        Err(refused("a string does not end", self.at))
    }

    /// The string in hand, as it is or in digits.
    fn string(&mut self, quote: u8, introducer: Option<usize>) -> Result<(), Unanalyzable> {
        let start = self.at;
        let (value, end) = self.value(quote)?;
        if std::str::from_utf8(self.text.get(start..end).unwrap_or_default()).is_ok() {
            return self.copy(end);
        }
        let word = introducer.and_then(|at| self.out.get(at..)).unwrap_or_default();
        if !word.trim_end().eq_ignore_ascii_case("_binary") {
            return Err(refused("a string has bytes that are no UTF-8, and no _binary before it", start));
        }
        self.out.push_str(" x'");
        for byte in value {
            self.out.push(char::from(b"0123456789abcdef".get(usize::from(byte >> 4)).copied().unwrap_or(0)));
            self.out.push(char::from(b"0123456789abcdef".get(usize::from(byte & 15)).copied().unwrap_or(0)));
        }
        self.out.push('\'');
        self.at = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::mysql::lexer_tests::context;

    fn read(text: &[u8]) -> Result<String, Unanalyzable> {
        readable(text, &context()).map(Cow::into_owned)
    }

    #[test]
    fn bytes_behind_binary_become_digits_of_the_same_value() {
        for (text, expected) in [
            (
                &b"insert into t values (_binary'\xff\\0''\\'\\%', 1)"[..],
                "insert into t values (_binary x'ff0027275c25', 1)",
            ),
            (b"select _BINARY \"\xfe\"", "select _BINARY  x'fe'"),
            (b"select _binary'a', _binary'\xff'", "select _binary'a', _binary x'ff'"),
            (b"select 'it''s', _binary'\xff' -- '", "select 'it''s', _binary x'ff' -- '"),
            (b"select `'`, /* ' */ _binary'\xff' # '", "select `'`, /* ' */ _binary x'ff' # '"),
        ] {
            assert_eq!(read(text).unwrap(), expected);
        }
    }

    #[test]
    fn bytes_elsewhere_are_refused() {
        for text in [
            &b"select '\xff'"[..],
            b"select _utf8mb4'\xff'",
            b"select \xff",
            b"select `\xff`",
            b"select 1 /* \xff */",
            b"select 1 -- \xff",
            b"select _binary, '\xff'",
            b"select _binary'\xff",
            b"select _binary'\xff\\",
        ] {
            assert!(read(text).is_err(), "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(read("select 'é'".as_bytes()).unwrap(), "select 'é'");
    }
}
