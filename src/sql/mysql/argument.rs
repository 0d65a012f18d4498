//! What stands in the brackets of a call, function by function where the grammar has words there.

use super::{
    operand::UNITS,
    parser::{Parsed, Parser},
    token::Kind,
};

impl Parser<'_> {
    /// The arguments of the built-in function `word` (upper case), and what may follow its bracket.
    pub(super) fn arguments_of(&mut self, word: &str) -> Parsed<()> {
        match word {
            "CAST" => self.in_brackets(Self::cast),
            "CHAR" => self.in_brackets(Self::char_using),
            "CONVERT" => self.in_brackets(Self::convert),
            "EXTRACT" => self.in_brackets(Self::extract),
            "JSON_VALUE" => self.in_brackets(Self::json_value),
            "MID" | "SUBSTR" | "SUBSTRING" => self.in_brackets(Self::substring),
            "POSITION" => self.in_brackets(Self::position_in),
            "TRIM" | "TRIM_ORACLE" => self.in_brackets(Self::trim),
            "WEIGHT_STRING" => self.in_brackets(Self::weight_string),
            "NTH_VALUE" => {
                self.arguments()?;
                self.nth_from();
                self.over()
            }
            _ => {
                self.arguments()?;
                self.over()
            }
        }
    }

    /// Arguments as any function may have them, aggregates' words among them.
    pub(super) fn arguments(&mut self) -> Parsed<()> {
        self.in_brackets(|parser| {
            if parser.is_symbol(")") || parser.accept_symbol("*") {
                return Ok(());
            }
            parser.accept_any(&["DISTINCT", "DISTINCTROW", "ALL"]);
            parser.argument()?;
            while parser.accept_symbol(",") {
                parser.argument()?;
            }
            let _nulls = parser.accept_words(&["NULL", "ON", "NULL"])
                || parser.accept_words(&["ABSENT", "ON", "NULL"]);
            parser.order_by()?;
            if parser.accept_word("SEPARATOR") {
                parser.separator()?;
            }
            parser.limit()
        })
    }

    /// Arguments of a routine that is not built in: those of loadable functions may have aliases.
    pub(super) fn routine_arguments(&mut self) -> Parsed<()> {
        self.in_brackets(|parser| {
            if parser.accept_symbol("*") || parser.is_symbol(")") {
                return Ok(());
            }
            parser.accept_any(&["DISTINCT", "DISTINCTROW", "ALL"]);
            loop {
                parser.expression()?;
                parser.column_alias()?;
                if !parser.accept_symbol(",") {
                    return Ok(());
                }
            }
        })
    }

    fn separator(&mut self) -> Parsed<()> {
        let marked = self.accept_kind(Kind::Hex).is_some() || self.accept_kind(Kind::Bits).is_some();
        if marked { Ok(()) } else { self.text() }
    }

    /// One argument; dynamic columns (MariaDB) say its type behind AS.
    fn argument(&mut self) -> Parsed<()> {
        self.expression()?;
        if !self.accept_word("AS") {
            return Ok(());
        }
        self.data_type()
    }

    /// `( … )` around a rule.
    pub(super) fn in_brackets(&mut self, rule: impl FnOnce(&mut Self) -> Parsed<()>) -> Parsed<()> {
        self.nested(|parser| {
            parser.expect_symbol("(")?;
            rule(parser)?;
            parser.expect_symbol(")")
        })
    }

    fn cast(&mut self) -> Parsed<()> {
        self.expression()?;
        if self.accept_words(&["AT", "TIME", "ZONE"]) {
            self.accept_word("INTERVAL");
            self.text()?;
        }
        self.expect_word("AS")?;
        self.data_type()?;
        if self.accept_word("FORMAT") {
            self.text()?;
        }
        Ok(())
    }

    fn convert(&mut self) -> Parsed<()> {
        self.expression()?;
        if self.accept_word("USING") {
            return self.collation();
        }
        self.expect_symbol(",")?;
        self.data_type()
    }

    fn char_using(&mut self) -> Parsed<()> {
        self.expressions()?;
        if self.accept_word("USING") { self.collation() } else { Ok(()) }
    }

    fn extract(&mut self) -> Parsed<()> {
        if self.accept_any(UNITS).is_none() {
            return Err(self.unexpected());
        }
        self.expect_word("FROM")?;
        self.expression()
    }

    fn substring(&mut self) -> Parsed<()> {
        self.expressions()?;
        if self.accept_word("FROM") {
            self.expression()?;
            if self.accept_word("FOR") {
                self.expression()?;
            }
        }
        Ok(())
    }

    fn position_in(&mut self) -> Parsed<()> {
        self.expression()?;
        if self.accept_word("IN") { self.expression() } else { Ok(()) }
    }

    fn trim(&mut self) -> Parsed<()> {
        let sided = self.accept_any(&["LEADING", "TRAILING", "BOTH"]).is_some();
        if !(sided && self.is_word("FROM")) {
            self.expression()?;
        }
        if self.accept_word("FROM") { self.expression() } else { Ok(()) }
    }

    fn weight_string(&mut self) -> Parsed<()> {
        self.expressions()?;
        if self.accept_word("AS") {
            self.data_type()?;
        }
        if self.accept_word("LEVEL") {
            self.level()?;
            while self.accept_symbol(",") || self.accept_symbol("-") {
                self.level()?;
            }
        }
        Ok(())
    }

    fn level(&mut self) -> Parsed<()> {
        if self.accept_kind(Kind::Integer).is_none() {
            return Err(self.unexpected());
        }
        self.accept_any(&["ASC", "DESC"]);
        self.accept_word("REVERSE");
        Ok(())
    }

    fn json_value(&mut self) -> Parsed<()> {
        self.expressions()?;
        if self.accept_word("RETURNING") {
            self.data_type()?;
        }
        self.on_empty_or_error()
    }

    /// `NULL ON EMPTY`, `ERROR ON ERROR`, `DEFAULT '…' ON EMPTY`, as many as there are.
    pub(super) fn on_empty_or_error(&mut self) -> Parsed<()> {
        loop {
            if self.accept_word("DEFAULT") {
                self.literal_with_sign()?;
            } else if self.accept_any(&["NULL", "ERROR"]).is_none() {
                return Ok(());
            }
            self.expect_word("ON")?;
            if self.accept_any(&["EMPTY", "ERROR"]).is_none() {
                return Err(self.unexpected());
            }
        }
    }

    fn literal_with_sign(&mut self) -> Parsed<()> {
        if self.accept_any(&["NULL", "TRUE", "FALSE"]).is_some() {
            return Ok(());
        }
        if self.accept_any(&["DATE", "TIME", "TIMESTAMP"]).is_some() {
            return self.text();
        }
        let _sign = self.accept_symbol("-") || self.accept_symbol("+");
        self.literal()
    }

    /// `FROM FIRST` and `FROM LAST` of NTH_VALUE, which are no FROM clause because OVER comes behind them.
    fn nth_from(&mut self) {
        let behind = |word| self.peek_at(2).is_some_and(|token| token.is_word(word));
        let over = behind("OVER")
            || ((behind("RESPECT") || behind("IGNORE"))
                && self.peek_at(3).is_some_and(|token| token.is_word("NULLS")));
        if over && (self.are_words(&["FROM", "FIRST"]) || self.are_words(&["FROM", "LAST"])) {
            self.skip(2);
        }
    }
}
