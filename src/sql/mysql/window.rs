//! Windows: OVER, WINDOW, frames, and WITHIN GROUP.

use super::parser::{Parsed, Parser};

impl Parser<'_> {
    /// What may stand behind the bracket of a function: WITHIN GROUP, the treatment of nulls, OVER.
    pub(super) fn over(&mut self) -> Parsed<()> {
        if self.accept_words(&["WITHIN", "GROUP"]) {
            self.in_brackets(Self::order_by)?;
        }
        let _treated = self.accept_words(&["RESPECT", "NULLS"]) || self.accept_words(&["IGNORE", "NULLS"]);
        if !self.accept_word("OVER") {
            return Ok(());
        }
        if self.is_symbol("(") { self.window() } else { self.ident().map(drop) }
    }

    /// `WINDOW w AS (…), …`, if it is in hand.
    pub(super) fn window_clause(&mut self) -> Parsed<()> {
        if !self.accept_word("WINDOW") {
            return Ok(());
        }
        loop {
            self.ident()?;
            self.expect_word("AS")?;
            self.window()?;
            if !self.accept_symbol(",") {
                return Ok(());
            }
        }
    }

    fn window(&mut self) -> Parsed<()> {
        self.in_brackets(|parser| {
            if parser.is_ident() && !parser.is_frame() {
                parser.ident()?;
            }
            if parser.accept_words(&["PARTITION", "BY"]) {
                parser.expressions()?;
            }
            parser.order_by()?;
            if parser.is_frame() { parser.frame() } else { Ok(()) }
        })
    }

    fn is_frame(&self) -> bool {
        let frame = ["ROWS", "RANGE", "GROUPS"].iter().any(|unit| self.is_word(unit));
        // A window may be called so where the words are not reserved.
        frame && !self.peek_at(1).is_some_and(|token| token.is_symbol(")"))
    }

    fn frame(&mut self) -> Parsed<()> {
        self.accept_any(&["ROWS", "RANGE", "GROUPS"]);
        if self.accept_word("BETWEEN") {
            self.bound()?;
            self.expect_word("AND")?;
        }
        self.bound()?;
        if !self.accept_word("EXCLUDE") {
            return Ok(());
        }
        let excluded = self.accept_words(&["CURRENT", "ROW"])
            || self.accept_words(&["NO", "OTHERS"])
            || self.accept_any(&["GROUP", "TIES"]).is_some();
        if excluded { Ok(()) } else { Err(self.unexpected()) }
    }

    fn bound(&mut self) -> Parsed<()> {
        if self.accept_words(&["CURRENT", "ROW"]) {
            return Ok(());
        }
        if !(self.are_words(&["UNBOUNDED", "PRECEDING"]) || self.are_words(&["UNBOUNDED", "FOLLOWING"])) {
            self.expression()?;
        } else {
            self.next();
        }
        match self.accept_any(&["PRECEDING", "FOLLOWING"]) {
            Some(_) => Ok(()),
            None => Err(self.unexpected()),
        }
    }
}
