//! What stands between operators: literals, columns, calls, sub-queries.

use super::{
    parser::{Parsed, Parser},
    raw,
    token::Kind,
};

impl Parser<'_> {
    /// An operand, with the signs in front of it.
    pub(super) fn operand(&mut self) -> Parsed<()> {
        loop {
            let Some(token) = self.peek() else { return Err(self.unexpected()) };
            let prefix = match token.kind {
                Kind::Symbol => ["-", "+", "~", "!"].contains(&&*token.text),
                Kind::Word => token.is_word("NOT") || token.is_word("BINARY"),
                _ => false,
            };
            if prefix {
                self.next();
                continue;
            }
            if token.kind == Kind::UserVariable && self.user_variable() {
                continue;
            }
            return match token.kind {
                Kind::UserVariable => Ok(()),
                Kind::SystemVariable => self.system_variable(),
                Kind::Integer
                | Kind::Decimal
                | Kind::Float
                | Kind::Hex
                | Kind::Bits
                | Kind::Placeholder
                | Kind::String
                | Kind::National
                | Kind::Introducer => self.literal(),
                Kind::Symbol => self.symbol_operand(),
                Kind::Word => self.word_operand(),
                Kind::Quoted => self.name_operand(),
                Kind::Hint => Err(self.unexpected()),
            };
        }
    }

    /// A literal; the server joins strings that stand side by side.
    pub(super) fn literal(&mut self) -> Parsed<()> {
        let Some(token) = self.peek() else { return Err(self.unexpected()) };
        match token.kind {
            Kind::Integer | Kind::Decimal | Kind::Float | Kind::Hex | Kind::Bits | Kind::Placeholder => {
                self.next();
                Ok(())
            }
            Kind::String | Kind::National => self.text(),
            Kind::Introducer if raw::is_marked(token) => {
                self.skip(2);
                while self.accept_kind(Kind::String).is_some() {}
                Ok(())
            }
            Kind::Introducer => {
                self.next();
                if self.accept_kind(Kind::Hex).is_some() || self.accept_kind(Kind::Bits).is_some() {
                    return Ok(());
                }
                if self.peek().is_some_and(|token| token.kind == Kind::String) {
                    return self.text();
                }
                Err(self.unexpected())
            }
            Kind::Word
            | Kind::Quoted
            | Kind::UserVariable
            | Kind::SystemVariable
            | Kind::Hint
            | Kind::Symbol => Err(self.unexpected()),
        }
    }

    fn symbol_operand(&mut self) -> Parsed<()> {
        if self.is_symbol("(") {
            return self.parenthesis().map(drop);
        }
        if self.is_symbol(".") {
            return self.column();
        }
        if self.accept_symbol("{") {
            // ODBC: {d '…'}, {ts '…'}, {fn …}.
            return self.nested(|parser| {
                parser.ident()?;
                parser.expression()?;
                parser.expect_symbol("}")
            });
        }
        Err(self.unexpected())
    }

    fn word_operand(&mut self) -> Parsed<()> {
        let Some(token) = self.peek() else { return Err(self.unexpected()) };
        let word = token.text.to_ascii_uppercase();
        let called = self.peek_at(1).is_some_and(|token| token.is_symbol("("));
        match word.as_str() {
            "NULL" | "TRUE" | "FALSE" => {
                self.next();
                Ok(())
            }
            "CASE" => self.case(),
            "INTERVAL" => self.interval(),
            "EXISTS" => {
                self.next();
                self.subquery().map(drop)
            }
            "ROW" if called => {
                self.next();
                self.row()
            }
            "MATCH" => self.match_against(),
            "DATE" | "TIME" | "TIMESTAMP"
                if self.peek_at(1).is_some_and(|token| token.kind == Kind::String) =>
            {
                self.next();
                self.text()
            }
            "NEXT" | "PREVIOUS" if self.is_sequence_value() => self.sequence_value(),
            "CURRENT_DATE" | "CURRENT_TIME" | "CURRENT_TIMESTAMP" | "CURRENT_USER" | "CURRENT_ROLE"
            | "LOCALTIME" | "LOCALTIMESTAMP" | "UTC_DATE" | "UTC_TIME" | "UTC_TIMESTAMP"
                if !called =>
            {
                self.next();
                Ok(())
            }
            _ if called => self.word_call(&word),
            _ => self.name_operand(),
        }
    }

    /// A column, or a call of a routine by its qualified or quoted name.
    fn name_operand(&mut self) -> Parsed<()> {
        let called = |parser: &Self, ahead| parser.peek_at(ahead).is_some_and(|token| token.is_symbol("("));
        if called(self, 1) {
            let name = self.ident()?;
            return self.routine_call(None, name);
        }
        let dotted = self.peek_at(1).is_some_and(|token| token.is_symbol("."));
        if dotted && called(self, 3) {
            let database = self.ident()?;
            self.next();
            let name = self.ident_behind_dot()?;
            return self.routine_call(Some(database), name);
        }
        self.sequence_column()?;
        self.column()?;
        self.column_end = self.position();
        Ok(())
    }

    /// CASE … END.
    fn case(&mut self) -> Parsed<()> {
        self.nested(|parser| {
            parser.expect_word("CASE")?;
            if !parser.is_word("WHEN") {
                parser.expression()?;
            }
            if !parser.is_word("WHEN") {
                return Err(parser.unexpected());
            }
            while parser.accept_word("WHEN") {
                parser.expression()?;
                parser.expect_word("THEN")?;
                parser.expression()?;
            }
            if parser.accept_word("ELSE") {
                parser.expression()?;
            }
            parser.expect_word("END")
        })
    }

    /// `INTERVAL 1 DAY`, or the function INTERVAL(n, a, b, …).
    fn interval(&mut self) -> Parsed<()> {
        self.nested(|parser| {
            parser.expect_word("INTERVAL")?;
            parser.expression()?;
            parser.accept_any(UNITS);
            Ok(())
        })
    }

    /// `( a, b, … )` with values in it; it may be empty.
    pub(super) fn row(&mut self) -> Parsed<()> {
        self.nested(|parser| {
            parser.expect_symbol("(")?;
            if parser.accept_symbol(")") {
                return Ok(());
            }
            parser.value()?;
            while parser.accept_symbol(",") {
                parser.value()?;
            }
            parser.expect_symbol(")")
        })
    }

    /// `MATCH (a, b) AGAINST ('…' IN BOOLEAN MODE)`.
    fn match_against(&mut self) -> Parsed<()> {
        self.nested(|parser| {
            parser.expect_word("MATCH")?;
            let bracket = parser.accept_symbol("(");
            parser.column()?;
            while parser.accept_symbol(",") {
                parser.column()?;
            }
            if bracket {
                parser.expect_symbol(")")?;
            }
            parser.expect_word("AGAINST")?;
            parser.expect_symbol("(")?;
            parser.expression()?;
            parser.accept_words(&["IN", "NATURAL", "LANGUAGE", "MODE"]);
            parser.accept_words(&["IN", "BOOLEAN", "MODE"]);
            parser.accept_words(&["WITH", "QUERY", "EXPANSION"]);
            parser.expect_symbol(")")
        })
    }
}

/// Units of INTERVAL and EXTRACT.
pub(super) const UNITS: &[&str] = &[
    "DAY",
    "DAY_HOUR",
    "DAY_MICROSECOND",
    "DAY_MINUTE",
    "DAY_SECOND",
    "HOUR",
    "HOUR_MICROSECOND",
    "HOUR_MINUTE",
    "HOUR_SECOND",
    "MICROSECOND",
    "MINUTE",
    "MINUTE_MICROSECOND",
    "MINUTE_SECOND",
    "MONTH",
    "QUARTER",
    "SECOND",
    "SECOND_MICROSECOND",
    "SQL_TSI_DAY",
    "SQL_TSI_HOUR",
    "SQL_TSI_MINUTE",
    "SQL_TSI_MONTH",
    "SQL_TSI_QUARTER",
    "SQL_TSI_SECOND",
    "SQL_TSI_WEEK",
    "SQL_TSI_YEAR",
    "WEEK",
    "YEAR",
    "YEAR_MONTH",
];
