//! Expressions: operands with operators between them.
//!
//! How tightly operators bind decides no fact, so operands and operators are taken in a row; what the grammar must not
//! do is take a word that belongs to the clause behind.

use crate::model::{
    facts::{SessionEffect, Tie},
    name_context::MysqlFlavor,
};

use super::{
    parser::{Parsed, Parser},
    read_only,
    scope::Source,
    token::Kind,
};

/// What a bracket held.
pub(super) enum Inside<'t> {
    /// A query, with what its FROM clauses list.
    Query(Vec<Source<'t>>),
    /// Expressions with commas between them.
    Expressions,
}

impl<'t> Parser<'t> {
    /// An expression.
    pub(super) fn expression(&mut self) -> Parsed<()> {
        self.operand()?;
        self.operators()
    }

    /// Expressions with commas between them.
    pub(super) fn expressions(&mut self) -> Parsed<()> {
        self.expression()?;
        while self.accept_symbol(",") {
            self.expression()?;
        }
        Ok(())
    }

    /// An expression, or DEFAULT, as it is assigned to a column.
    pub(super) fn value(&mut self) -> Parsed<()> {
        let bare = self.is_word("DEFAULT") && !self.peek_at(1).is_some_and(|token| token.is_symbol("("));
        if bare {
            return self.expect_word("DEFAULT");
        }
        if self.reading.flavor == MysqlFlavor::Mariadb
            && self.is_word("IGNORE")
            && self.peek_at(1).is_some_and(|token| token.is_symbol(",") || token.is_symbol(")"))
        {
            return self.expect_word("IGNORE");
        }
        self.expression()
    }

    /// What may stand behind an operand, as long as it does.
    pub(super) fn operators(&mut self) -> Parsed<()> {
        while self.operator()? {}
        Ok(())
    }

    /// One operator with its right side; whether there was one.
    fn operator(&mut self) -> Parsed<bool> {
        let Some(token) = self.peek() else { return Ok(false) };
        match token.kind {
            Kind::Symbol if COMPARISONS.contains(&&*token.text) => {
                let is_equality = EQUALITIES.contains(&&*token.text);
                let of_column = self.column_end == self.position();
                self.next();
                self.compared()?;
                // What is equal to another column picks no row.
                let joins = of_column && self.column_end == self.position();
                self.found.plan_shows_rows |= is_equality && !joins;
                Ok(true)
            }
            Kind::Symbol if BINARY.contains(&&*token.text) => {
                self.next();
                self.operand()?;
                Ok(true)
            }
            Kind::Symbol if matches!(&*token.text, "->" | "->>") => {
                self.next();
                self.text()?;
                Ok(true)
            }
            Kind::Word => self.word_operator(),
            _ => Ok(false),
        }
    }

    /// The right side of a comparison: an operand, or ALL, ANY or SOME of a query.
    fn compared(&mut self) -> Parsed<()> {
        let quantified = self.is_word("ALL")
            || ((self.is_word("ANY") || self.is_word("SOME"))
                && self.peek_at(1).is_some_and(|token| token.is_symbol("(")));
        if !quantified {
            return self.operand();
        }
        self.next();
        self.subquery().map(drop)
    }

    /// A query in brackets, and nothing else.
    pub(super) fn subquery(&mut self) -> Parsed<Vec<Source<'t>>> {
        match self.parenthesis()? {
            Inside::Query(sources) => Ok(sources),
            Inside::Expressions => Err(self.unexpected()),
        }
    }

    fn word_operator(&mut self) -> Parsed<bool> {
        if self.accept_any(&["AND", "OR", "XOR", "DIV", "MOD"]).is_some() {
            return self.operand().map(|()| true);
        }
        if self.accept_word("IS") {
            self.accept_word("NOT");
            return match self.accept_any(&["NULL", "TRUE", "FALSE", "UNKNOWN"]) {
                Some(_) => Ok(true),
                None => Err(self.unexpected()),
            };
        }
        if self.accept_word("COLLATE") {
            return self.collation().map(|()| true);
        }
        if self.are_words(&["SOUNDS", "LIKE"]) {
            self.accept_words(&["SOUNDS", "LIKE"]);
            return self.operand().map(|()| true);
        }
        let member = self.is_word("MEMBER")
            && self.peek_at(1).is_some_and(|token| token.is_word("OF") || token.is_symbol("("));
        if member {
            self.next();
            self.accept_word("OF");
            return self.parenthesis().map(|_| true);
        }
        self.predicate()
    }

    /// [NOT] IN, BETWEEN, LIKE, REGEXP, RLIKE. The AND of BETWEEN is taken as an operator.
    fn predicate(&mut self) -> Parsed<bool> {
        let ahead = usize::from(self.is_word("NOT"));
        let Some(word) = self.peek_at(ahead) else { return Ok(false) };
        if word.is_word("IN") {
            // Without a bracket it belongs to POSITION(a IN b).
            if !self.peek_at(ahead + 1).is_some_and(|token| token.is_symbol("(")) {
                return Ok(false);
            }
            self.skip(ahead + 1);
            self.found.plan_shows_rows = true;
            return self.parenthesis().map(|_| true);
        }
        if word.is_word("LIKE") {
            self.skip(ahead + 1);
            self.operand()?;
            if self.accept_word("ESCAPE") {
                self.operand()?;
            }
            return Ok(true);
        }
        if ["BETWEEN", "REGEXP", "RLIKE"].iter().any(|operator| word.is_word(operator)) {
            self.found.plan_shows_rows |= word.is_word("BETWEEN");
            self.skip(ahead + 1);
            return self.operand().map(|()| true);
        }
        Ok(false)
    }

    /// The name of a collation or a character set.
    pub(super) fn collation(&mut self) -> Parsed<()> {
        if self.accept_kind(Kind::String).is_some()
            || self.accept_any(&["BINARY", "DEFAULT", "ASCII"]).is_some()
        {
            return Ok(());
        }
        self.ident().map(drop)
    }

    /// `( … )`: a query, an expression, or a row of them.
    pub(super) fn parenthesis(&mut self) -> Parsed<Inside<'t>> {
        self.nested(|parser| {
            parser.expect_symbol("(")?;
            let inside = parser.inside()?;
            parser.expect_symbol(")")?;
            Ok(inside)
        })
    }

    fn inside(&mut self) -> Parsed<Inside<'t>> {
        if self.starts_query() {
            return self.inner_query().map(Inside::Query);
        }
        if !self.is_symbol("(") {
            return self.expressions().map(|()| Inside::Expressions);
        }
        let first = self.parenthesis()?;
        match first {
            // ((SELECT …) UNION …), and not ((SELECT …) + 1).
            Inside::Query(sources) if self.goes_on_as_query() => {
                let sources = self.set_operations(sources)?;
                self.query_tail(sources).map(Inside::Query)
            }
            Inside::Query(_) | Inside::Expressions => {
                self.operators()?;
                if self.accept_symbol(",") {
                    self.expressions()?;
                }
                Ok(Inside::Expressions)
            }
        }
    }

    /// `@name`, or an assignment to it, of which only the left side is taken.
    pub(super) fn user_variable(&mut self) -> bool {
        self.next();
        let assigned = self.accept_symbol(":=");
        if assigned {
            // It belongs to the connection from here on.
            self.found.effect(SessionEffect::Ties(Tie::UserVariable));
            self.found.keep();
        }
        assigned
    }

    /// `@@name`, `@@session.name`, `@@cache.name` and their kin.
    pub(super) fn system_variable(&mut self) -> Parsed<()> {
        self.next();
        let mut last = self.variable_part()?;
        for _ in 0..2 {
            if self.accept_symbol(".") {
                last = self.variable_part()?;
            }
        }
        if DIAGNOSTICS.iter().any(|name| last.eq_ignore_ascii_case(name)) {
            self.found.effect(SessionEffect::ReadsDiagnostics);
        }
        if read_only::is_shown_by(last, &self.reading) {
            self.found.effect(SessionEffect::ShowsReadOnly);
        }
        Ok(())
    }

    /// A part of a system variable's name: it may be a reserved word (`@@global.…`, `@@default.…`).
    fn variable_part(&mut self) -> Parsed<&'t str> {
        let token = self.peek().filter(|token| matches!(token.kind, Kind::Word | Kind::Quoted));
        let Some(token) = token else { return Err(self.unexpected()) };
        self.next();
        Ok(&token.text)
    }

    /// A text, or several that the server joins.
    pub(super) fn text(&mut self) -> Parsed<()> {
        self.accept_kind(Kind::Introducer);
        let national = self.accept_kind(Kind::National).is_some();
        let plain = self.accept_kind(Kind::String).is_some();
        if !(national || plain) {
            return Err(self.unexpected());
        }
        while self.accept_kind(Kind::String).is_some() {}
        Ok(())
    }
}

/// Comparisons by which, or by the negation of which, a row is picked out.
const EQUALITIES: &[&str] = &["=", "<=>", "<>", "!="];

/// Operators behind which ALL, ANY and SOME may stand.
const COMPARISONS: &[&str] = &["=", "<=>", ">=", "<=", ">", "<", "<>", "!="];

/// The other operators that are written as symbols.
const BINARY: &[&str] = &["|", "||", "&", "&&", "<<", ">>", "+", "-", "*", "/", "%", "^"];

/// System variables that tell what the statement before left on the connection.
const DIAGNOSTICS: &[&str] =
    &["error_count", "identity", "insert_id", "last_gtid", "last_insert_id", "warning_count"];
