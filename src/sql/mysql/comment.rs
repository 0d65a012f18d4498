//! White space and comments: dropped, expanded, or kept as an optimizer hint.

use std::borrow::Cow;

use crate::model::name_context::MysqlFlavor;

use super::{
    lexer::{Lexed, Lexer, is_blank, refused},
    token::{Kind, Token},
};

/// What the server does with an executable comment.
enum Executable {
    /// It reads what is in it, from behind so many bytes.
    Expand(usize),
    /// Its version is not this server's.
    Drop,
}

impl<'t> Lexer<'t> {
    /// To the next token.
    pub(super) fn skip_blank(&mut self) -> Lexed<()> {
        loop {
            self.at = self.span_end(self.at, is_blank);
            match (self.ahead(0), self.ahead(1)) {
                (b'#', _) => self.skip_line()?,
                (b'-', b'-') if self.ends_dashes(self.at + 2) => self.skip_line()?,
                (b'/', b'*') => self.open_comment()?,
                (b'*', b'/') if self.executable => {
                    self.executable = false;
                    self.at += 2;
                }
                _ => return Ok(()),
            }
        }
    }

    /// Whether two dashes begin a comment, by the byte behind them.
    fn ends_dashes(&self, at: usize) -> bool {
        at >= self.bytes.len() || is_blank(self.byte(at)) || self.byte(at).is_ascii_control()
    }

    /// Past a comment that ends with its line; a carriage return does not end it.
    fn skip_line(&mut self) -> Lexed<()> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = memchr::memchr(b'\n', rest).map_or(self.bytes.len(), |found| self.at + found);
        self.no_nul(end)?;
        self.at = end;
        Ok(())
    }

    /// The server ends a text (or a comment) at a NUL in some places.
    fn no_nul(&self, end: usize) -> Lexed<()> {
        match memchr::memchr(0, self.bytes.get(self.at..end).unwrap_or_default()) {
            Some(found) => Err(refused("a NUL stands in a comment", self.at + found)),
            None => Ok(()),
        }
    }

    fn open_comment(&mut self) -> Lexed<()> {
        let maria = self.reading.flavor == MysqlFlavor::Mariadb;
        let mark = match (self.ahead(2), self.ahead(3)) {
            (b'!', _) => 3,
            (b'M', b'!') if maria => 4,
            _ => return self.drop_comment(false),
        };
        match self.executable_at(self.at + mark, mark == 4)? {
            Executable::Expand(digits) => {
                self.executable = true;
                self.at += mark + digits;
                Ok(())
            }
            Executable::Drop => self.drop_comment(true),
        }
    }

    /// Past a comment; the nested ones of a dropped executable comment are comments of its own.
    fn drop_comment(&mut self, nests: bool) -> Lexed<()> {
        let start = self.at;
        let mut at = start + 2;
        let mut nested = false;
        loop {
            let rest = self.bytes.get(at..).unwrap_or_default();
            let Some(found) = memchr::memchr2(b'*', b'/', rest).map(|found| at + found) else {
                return Err(refused("a comment does not end", start));
            };
            at = found + 1;
            match (self.byte(found), self.byte(found + 1)) {
                (b'*', b'/') => {
                    at = found + 2;
                    if !nested {
                        break;
                    }
                    nested = false;
                }
                (b'/', b'*') if nests && !nested => {
                    nested = true;
                    at = found + 2;
                }
                _ => {}
            }
        }
        self.no_nul(at)?;
        self.at = at;
        Ok(())
    }

    /// What becomes of an executable comment whose version, if it has one, stands at `at`.
    fn executable_at(&self, at: usize, marked_maria: bool) -> Lexed<Executable> {
        let digits = self.span_end(at, |byte| byte.is_ascii_digit()) - at;
        if digits < 5 {
            return Ok(Executable::Expand(0));
        }
        let taken = match self.reading.flavor {
            MysqlFlavor::Mariadb => digits.min(6),
            // Six digits count only with white space behind them, and only in newer servers.
            MysqlFlavor::Mysql if digits == 6 && is_blank(self.byte(at + 6)) => {
                if self.reading.version < 90_000 {
                    return Err(refused("an executable comment has a version of six digits", at));
                }
                6
            }
            MysqlFlavor::Mysql => 5,
        };
        let version: u32 = self
            .slice(at..at + taken)?
            .parse()
            .map_err(|_not_a_number| refused("an executable comment has no version", at))?;
        // MariaDB leaves out what was meant for MySQL 5.7 and newer.
        let foreign = self.reading.flavor == MysqlFlavor::Mariadb
            && !marked_maria
            && (50_700..=99_999).contains(&version);
        Ok(if version <= self.reading.version && !foreign {
            Executable::Expand(taken)
        } else {
            Executable::Drop
        })
    }

    /// An optimizer hint, if one comes next; only white space may stand before it.
    pub(super) fn hint(&mut self) -> Lexed<Option<Token<'t>>> {
        let start = self.span_end(self.at, is_blank);
        if !self.bytes.get(start..).is_some_and(|rest| rest.starts_with(b"/*+")) {
            return Ok(None);
        }
        let inside = start + 3;
        let rest = self.bytes.get(inside..).unwrap_or_default();
        let Some(length) = memchr::memmem::find(rest, b"*/") else {
            return Err(refused("an optimizer hint does not end", start));
        };
        let text = self.slice(inside..inside + length)?;
        // The server reads hints with another lexer, in which quotes may hide the end: whichever it takes for quotes,
        // it has to come to the same end.
        let count = |quote: u8| text.bytes().filter(|byte| *byte == quote).count();
        let quotes = [count(b'\''), count(b'"'), count(b'`')];
        let is_plain = quotes.iter().all(|count| count % 2 == 0)
            && quotes.iter().filter(|count| **count > 0).count() < 2
            && !text.contains(['\\', '\0'])
            && !text.contains("/*");
        if !is_plain {
            return Err(refused("an optimizer hint may end elsewhere", start));
        }
        let glued = start == self.at;
        self.at = inside + length + 2;
        Ok(Some(Token { kind: Kind::Hint, text: Cow::Borrowed(text), span: start..self.at, glued, gap: " " }))
    }
}
