//! INSERT and REPLACE.

use crate::model::{
    facts::{AccessMode, StatementKind},
    name_context::MysqlFlavor,
};

use super::{
    names::TableName,
    parser::{Parsed, Parser},
};

impl<'t> Parser<'t> {
    /// INSERT.
    pub(super) fn insert(&mut self) -> Parsed<(StatementKind, &'static str)> {
        self.expect_word("INSERT")?;
        self.hints();
        self.accept_any(&["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY"]);
        self.accept_word("IGNORE");
        self.added_rows()?;
        Ok((StatementKind::Insert, "INSERT"))
    }

    /// REPLACE.
    pub(super) fn replace(&mut self) -> Parsed<(StatementKind, &'static str)> {
        self.expect_word("REPLACE")?;
        self.hints();
        self.accept_any(&["LOW_PRIORITY", "DELAYED"]);
        self.added_rows()?;
        Ok((StatementKind::Insert, "REPLACE"))
    }

    /// The target, the rows, and what happens to duplicates.
    fn added_rows(&mut self) -> Parsed<()> {
        self.accept_word("INTO");
        let target = self.table_name(AccessMode::Write)?;
        self.partitions()?;
        if self.accept_word("SET") {
            self.assignments()?;
            self.row_alias()?;
        } else {
            if self.is_symbol("(") && !self.is_bracketed_query() {
                self.column_list()?;
            }
            if self.accept_any(&["VALUES", "VALUE"]).is_some() {
                self.inserted_rows()?;
                self.row_alias()?;
            } else {
                self.query_expression()?;
            }
        }
        // What is kept of the new rows, or told of them, shows none of those that are there.
        self.found.captures = false;
        self.found.shown_by_errors.clear();
        if self.accept_words(&["ON", "DUPLICATE", "KEY", "UPDATE"]) {
            self.assignments()?;
            let target = self.object(target)?;
            self.found.shown_by_errors.push(target);
        }
        self.returning(target)
    }

    /// Whether the bracket in hand begins a query, and not a list of columns.
    fn is_bracketed_query(&self) -> bool {
        let mut ahead = 0;
        while self.peek_at(ahead).is_some_and(|token| token.is_symbol("(")) {
            ahead += 1;
        }
        self.peek_at(ahead)
            .is_some_and(|token| ["SELECT", "WITH", "TABLE", "VALUES"].iter().any(|word| token.is_word(word)))
    }

    fn column_list(&mut self) -> Parsed<()> {
        self.in_brackets(|parser| {
            if parser.is_symbol(")") {
                return Ok(());
            }
            parser.column()?;
            while parser.accept_symbol(",") {
                parser.column()?;
            }
            Ok(())
        })
    }

    fn inserted_rows(&mut self) -> Parsed<()> {
        loop {
            self.accept_word("ROW");
            self.row()?;
            if !self.accept_symbol(",") {
                return Ok(());
            }
        }
    }

    /// `AS new (a, b)` behind the rows (MySQL).
    fn row_alias(&mut self) -> Parsed<()> {
        if !self.accept_word("AS") {
            return Ok(());
        }
        self.ident()?;
        if self.is_symbol("(") { self.ident_list() } else { Ok(()) }
    }

    /// `a = 1, t.b = DEFAULT, …`; the tables that the columns are written with, `None` for those without.
    pub(super) fn assignments(&mut self) -> Parsed<Vec<Option<&'t str>>> {
        let mut tables = Vec::new();
        loop {
            tables.push(self.assignment()?);
            if !self.accept_symbol(",") {
                return Ok(tables);
            }
        }
    }

    fn assignment(&mut self) -> Parsed<Option<&'t str>> {
        self.accept_symbol(".");
        let mut parts = vec![self.ident()?];
        while parts.len() < 3 && self.accept_symbol(".") {
            parts.push(self.ident_behind_dot()?);
        }
        if !self.accept_symbol(":=") {
            self.expect_symbol("=")?;
        }
        self.value()?;
        Ok(parts.iter().rev().nth(1).copied())
    }

    /// RETURNING (MariaDB), if it is in hand: it shows rows of the target.
    pub(super) fn returning(&mut self, target: TableName<'t>) -> Parsed<()> {
        if self.reading.flavor != MysqlFlavor::Mariadb || !self.accept_word("RETURNING") {
            return Ok(());
        }
        self.touch(target, AccessMode::Read)?;
        self.select_list()
    }
}
