//! Operators and marks.

use std::borrow::Cow;

use crate::model::name_context::MysqlFlavor;

use super::{
    lexer::{Lexed, Lexer, is_name, refused},
    token::Kind,
};

impl<'t> Lexer<'t> {
    /// An operator, a mark or a placeholder.
    pub(super) fn symbol(&mut self) -> Lexed<(Kind, Cow<'t, str>)> {
        let mysql = self.reading.flavor == MysqlFlavor::Mysql;
        let length = match (self.ahead(0), self.ahead(1), self.ahead(2)) {
            (b'?', next, _) if !is_name(next) => return self.take(Kind::Placeholder, self.at + 1),
            (b'\\', b'N', _) if !mysql => return self.short_null(),
            (b'<' | b'>' | b'=' | b'!', _, _) => self.comparison(mysql)?,
            (b'-', b'>', b'>') if mysql => 3,
            (b'-', b'>', _) if mysql => 2,
            (b'&', b'&', _) | (b'|', b'|', _) | (b':', b'=', _) => 2,
            (
                b'(' | b')' | b',' | b';' | b'+' | b'-' | b'*' | b'/' | b'%' | b'^' | b'~' | b'&' | b'|'
                | b':' | b'{' | b'}',
                _,
                _,
            ) => 1,
            _ => return Err(refused("a character has no meaning here", self.at)),
        };
        self.take(Kind::Symbol, self.at + length)
    }

    /// How many bytes a comparison or a shift takes.
    fn comparison(&self, mysql: bool) -> Lexed<usize> {
        let length = match (self.ahead(0), self.ahead(1), self.ahead(2)) {
            (b'<', b'=', b'>') => 3,
            (b'<', b'<' | b'=' | b'>', _) | (b'>', b'=' | b'>', _) | (b'!', b'=', _) => 2,
            _ => 1,
        };
        // MySQL swallows what it cannot join: `!!1` is `!1`, and `<=!` nothing.
        let next_of_two = matches!(self.ahead(1), b'<' | b'>' | b'=' | b'!');
        let next_of_three = matches!(self.ahead(2), b'>' | b'=' | b'!') && self.ahead(0) == b'<';
        let swallows = (length == 1 && next_of_two) || (length == 2 && next_of_three);
        if mysql && swallows {
            return Err(refused("operators stand side by side without a blank", self.at));
        }
        Ok(length)
    }

    /// MariaDB's `\N`.
    fn short_null(&mut self) -> Lexed<(Kind, Cow<'t, str>)> {
        if self.at > 0 && self.byte(self.at - 1) == b'.' {
            return Err(refused("a name is missing", self.at));
        }
        self.at += 2;
        Ok((Kind::Word, Cow::Borrowed("NULL")))
    }
}
