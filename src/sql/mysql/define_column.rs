//! A column's type and what stands behind it.

use super::{
    parser::{Parsed, Parser},
    token::Kind,
};

impl Parser<'_> {
    /// A column, from behind its name on.
    pub(super) fn column_definition(&mut self) -> Parsed<()> {
        // MariaDB takes a generated column's type from its expression only in a view; both ask for one here.
        self.data_type()?;
        while self.column_attribute()? {}
        Ok(())
    }

    fn column_attribute(&mut self) -> Parsed<bool> {
        const ALONE: &[&str] =
            &["AUTO_INCREMENT", "INVISIBLE", "KEY", "NULL", "PERSISTENT", "STORED", "VIRTUAL", "VISIBLE"];
        const PAIRS: &[&[&str]] = &[
            &["NOT", "ENFORCED"],
            &["NOT", "NULL"],
            &["NOT", "SECONDARY"],
            &["PRIMARY", "KEY"],
            &["SERIAL", "DEFAULT", "VALUE"],
            &["UNIQUE", "KEY"],
            &["WITH", "SYSTEM", "VERSIONING"],
            &["WITHOUT", "SYSTEM", "VERSIONING"],
        ];
        if self.accept_any(ALONE).is_some() || PAIRS.iter().any(|pair| self.accept_words(pair)) {
            return Ok(true);
        }
        if self.accept_word("UNIQUE") || self.accept_word("ENFORCED") {
            return Ok(true);
        }
        if self.accept_word("DEFAULT") {
            return self.default_value().map(|()| true);
        }
        if self.is_word("ON") && self.peek_at(1).is_some_and(|token| token.is_word("UPDATE")) {
            self.next();
            self.next();
            return self.default_value().map(|()| true);
        }
        if self.accept_words(&["GENERATED", "ALWAYS"]) || self.is_word("AS") {
            return self.generated().map(|()| true);
        }
        if self.is_word("REFERENCES") {
            return self.references().map(|()| true);
        }
        if self.accept_word("CONSTRAINT") {
            if !self.is_word("CHECK") {
                self.ident()?;
            }
            self.expect_word("CHECK")?;
            return self.check().map(|()| true);
        }
        if self.accept_word("CHECK") {
            return self.check().map(|()| true);
        }
        self.valued_attribute()
    }

    /// Attributes with one literal or word behind them.
    fn valued_attribute(&mut self) -> Parsed<bool> {
        const VALUED: &[&str] = &[
            "COLUMN_FORMAT",
            "COMMENT",
            "COMPRESSED",
            "ENGINE_ATTRIBUTE",
            "REF_SYSTEM_ID",
            "SECONDARY_ENGINE_ATTRIBUTE",
            "SRID",
            "STORAGE",
        ];
        if self.accept_word("COLLATE") {
            return self.collation().map(|()| true);
        }
        let Some(word) = self.accept_any(VALUED) else { return Ok(false) };
        let assigned = self.accept_symbol("=");
        if assigned || word != "COMPRESSED" {
            self.option_value()?;
        }
        Ok(true)
    }

    /// A literal, a call, or an expression in brackets.
    fn default_value(&mut self) -> Parsed<()> {
        while self.accept_symbol("-") || self.accept_symbol("+") {}
        self.operand()
    }

    /// `AS (expression)` or `AS ROW {START | END}`.
    fn generated(&mut self) -> Parsed<()> {
        self.expect_word("AS")?;
        if self.accept_word("ROW") {
            return self.accept_any(&["START", "END"]).map(drop).ok_or_else(|| self.unexpected());
        }
        self.expect_symbol("(")?;
        self.expression()?;
        self.expect_symbol(")")
    }

    /// The value of an option: a literal or a word.
    pub(super) fn option_value(&mut self) -> Parsed<()> {
        let known = [Kind::String, Kind::Integer, Kind::Decimal, Kind::Hex, Kind::Word, Kind::Quoted];
        self.accept_symbol("-");
        match self.peek().filter(|token| known.contains(&token.kind)) {
            Some(_) => self.next().map(drop).ok_or_else(|| self.unexpected()),
            None => Err(self.unexpected()),
        }
    }
}
