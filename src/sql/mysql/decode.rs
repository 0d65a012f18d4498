//! Texts that are not UTF-8: strings with raw bytes in them are written in hexadecimal digits.

use std::borrow::Cow;

use crate::model::{
    facts::Unanalyzable,
    name_context::{MysqlReading, NameContext},
};

use super::{
    charset::Charset,
    lexer::{is_blank, is_name, refused},
    raw,
};

/// The text of a statement, of which strings with bytes that are no UTF-8 are written anew, with the same value.
///
/// Behind the name of a character set (`_binary'…'`) digits mean what the bytes mean; elsewhere the string becomes one
/// of `raw`, which is sent as the bytes that it was. A text in UTF-8 is given back as it is.
///
/// No byte of 0x80 and above hides a quote or a backslash behind it: not in sets of single bytes, and in UTF-8 the
/// server takes a character that is not complete for bytes of their own (`tests/lexer_live_mysql.rs`).
///
/// # Errors
/// `Syntax` if such bytes stand elsewhere, or the text cannot be read.
pub fn readable<'t>(text: &'t [u8], context: &NameContext) -> Result<Cow<'t, str>, Unanalyzable> {
    match (std::str::from_utf8(text), context.mysql) {
        (Ok(text), _) => Ok(Cow::Borrowed(text)),
        (Err(error), None) => Err(refused("it is not written in UTF-8", error.valid_up_to())),
        (Err(_), Some(reading)) => {
            let respeller = Respeller { text, at: 0, reading, out: String::new(), made: Vec::new() };
            respeller.run().map(Cow::Owned)
        }
    }
}

struct Respeller<'t> {
    text: &'t [u8],
    at: usize,
    reading: MysqlReading,
    out: String,
    /// Where digits begin in what was written.
    made: Vec<usize>,
}

impl Respeller<'_> {
    fn run(mut self) -> Result<String, Unanalyzable> {
        // Where the word begins in what was written that may stand before a string.
        let mut word = None;
        while let Some(byte) = self.byte(self.at) {
            let start = self.at;
            match byte {
                b'\'' => self.string(byte, word)?,
                b'"' if !self.reading.ansi_quotes => self.string(byte, word)?,
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
                    word = Some(self.out.len());
                    self.copy(start + length)?;
                    continue;
                }
                byte if is_blank(byte) => {
                    self.copy(start + 1)?;
                    continue;
                }
                _ => self.copy(start + 1)?,
            }
            word = None;
        }
        // closed: whoever reads what was written has to come upon the same strings.
        if !raw::are_digits(&self.out, &self.made, &self.reading)? {
            return Err(refused("strings with bytes that are no UTF-8 may begin elsewhere", 0));
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

    /// The string in hand, as it is or in digits; `word` is where a word before it begins in what was written.
    fn string(&mut self, quote: u8, word: Option<usize>) -> Result<(), Unanalyzable> {
        let start = self.at;
        let (value, end) = self.value(quote)?;
        if std::str::from_utf8(self.text.get(start..end).unwrap_or_default()).is_ok() {
            return self.copy(end);
        }
        let before = word.and_then(|at| self.out.get(at..)).unwrap_or_default();
        let is_mark = ["n", "x", "b"].iter().any(|mark| before.eq_ignore_ascii_case(mark));
        let is_variable = self.out.ends_with('@');
        match before.trim_end().strip_prefix('_') {
            Some(name) if Charset::of_client(&name.to_ascii_lowercase()).is_ok() => self.out.push(' '),
            None if !is_mark && !is_variable => {
                if self.out.ends_with(|letter: char| !letter.is_ascii() || is_name(letter as u8)) {
                    self.out.push(' ');
                }
                self.out.push_str(raw::MARK);
            }
            Some(_) | None => {
                return Err(refused("bytes that are no UTF-8 stand in what is no plain string", start));
            }
        }
        self.made.push(self.out.len());
        raw::put_digits(&mut self.out, &value);
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
    fn bytes_behind_a_character_set_become_digits_of_the_same_value() {
        for (text, expected) in [
            (
                &b"insert into t values (_binary'\xff\\0''\\'\\%', 1)"[..],
                "insert into t values (_binary x'ff0027275c25', 1)",
            ),
            (b"select _BINARY \"\xfe\"", "select _BINARY  x'fe'"),
            (b"select _latin1'\xe9'", "select _latin1 x'e9'"),
            (b"select _binary'a', _binary'\xff'", "select _binary'a', _binary x'ff'"),
            (b"select 'it''s', _binary'\xff' -- '", "select 'it''s', _binary x'ff' -- '"),
            (b"select `'`, /* ' */ _binary'\xff' # '", "select `'`, /* ' */ _binary x'ff' # '"),
        ] {
            assert_eq!(read(text).unwrap(), expected);
        }
    }

    #[test]
    fn other_strings_become_raw_ones() {
        for (text, expected) in [
            (&b"select 'a\xff'"[..], "select _raw x'61ff'"),
            (b"select'\xe2\\'', 1", "select _raw x'e227', 1"),
            (b"values(\"\xc3\"\"\",'\xf0\\\\')", "values(_raw x'c322',_raw x'f05c')"),
            (b"select n '\xff'", "select n _raw x'ff'"),
        ] {
            assert_eq!(read(text).unwrap(), expected);
        }
    }

    #[test]
    fn bytes_elsewhere_are_refused() {
        for text in [
            &b"select _gbk'\xff'"[..],
            b"select _nothing'\xff'",
            b"select n'\xff'",
            b"select X'\xff'",
            b"select @'\xff'",
            b"create user u@'\xff'",
            b"select \xff",
            b"select `\xff`",
            b"select 1 /* \xff */",
            b"select 1 -- \xff",
            b"select '\xff",
            b"select '\xff\\",
            b"select /*!99999 ' */ 1, '\xff' -- '",
        ] {
            assert!(read(text).is_err(), "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(read("select 'é'".as_bytes()).unwrap(), "select 'é'");
    }
}
