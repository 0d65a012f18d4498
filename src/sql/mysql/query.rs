//! Queries: SELECT in all its forms, TABLE, VALUES, set operations.

use crate::model::{
    facts::{AccessMode, StatementKind},
    name_context::MysqlFlavor,
};

use super::{
    parser::{Parsed, Parser, unknown},
    scope::Source,
    token::Kind,
};

impl<'t> Parser<'t> {
    /// A query with all that belongs to it: WITH, set operations, ORDER BY, LIMIT, locks.
    pub(super) fn query_expression(&mut self) -> Parsed<()> {
        self.query_sources().map(drop)
    }

    /// TABLE as a statement.
    pub(super) fn table(&mut self) -> Parsed<(StatementKind, &'static str)> {
        self.query_expression().map(|()| (StatementKind::Select, "TABLE"))
    }

    /// VALUES as a statement.
    pub(super) fn values(&mut self) -> Parsed<(StatementKind, &'static str)> {
        self.query_expression().map(|()| (StatementKind::Select, "VALUES"))
    }

    /// A query; what its FROM clauses list.
    pub(super) fn query_sources(&mut self) -> Parsed<Vec<Source<'t>>> {
        self.nested(|parser| {
            let outer = parser.ctes.len();
            parser.with_clause()?;
            let sources = parser.query_body()?;
            parser.ctes.truncate(outer);
            Ok(sources)
        })
    }

    /// A query within a statement: the server may run it while it plans.
    pub(super) fn inner_query(&mut self) -> Parsed<Vec<Source<'t>>> {
        self.found.plan_shows_rows = true;
        self.query_sources()
    }

    /// A query behind its WITH.
    pub(super) fn query_body(&mut self) -> Parsed<Vec<Source<'t>>> {
        let first = self.query_primary()?;
        let all = self.set_operations(first)?;
        self.query_tail(all)
    }

    /// Whether a query is in hand, brackets in front of it not counted.
    pub(super) fn starts_query(&self) -> bool {
        ["SELECT", "WITH", "TABLE"].iter().any(|word| self.is_word(word)) || self.starts_values()
    }

    /// Whether VALUES is in hand, and it is the query and not the function VALUES(column).
    fn starts_values(&self) -> bool {
        if !self.is_word("VALUES") {
            return false;
        }
        if self.peek_at(1).is_some_and(|token| token.is_word("ROW")) {
            return true;
        }
        if self.reading.flavor != MysqlFlavor::Mariadb {
            return false;
        }
        let Some(behind) = self.behind_bracket(1) else { return false };
        let token = |ahead: usize| self.peek_at(ahead);
        match token(behind) {
            None => true,
            Some(next) if next.is_symbol(",") => token(behind + 1).is_some_and(|row| row.is_symbol("(")),
            Some(next) => {
                next.is_symbol(")")
                    || ["UNION", "EXCEPT", "INTERSECT", "ORDER", "LIMIT", "OFFSET", "FETCH"]
                        .iter()
                        .any(|word| next.is_word(word))
            }
        }
    }

    /// How far behind the token in hand the bracket that opens `ahead` places behind it has closed.
    fn behind_bracket(&self, ahead: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for at in ahead.. {
            let token = self.peek_at(at)?;
            if token.is_symbol("(") {
                depth += 1;
            } else if token.is_symbol(")") {
                depth = depth.checked_sub(1)?;
            }
            if depth == 0 {
                return (at > ahead).then_some(at + 1);
            }
        }
        None
    }

    /// Whether a bracket with a query in it is part of a greater query, by what stands behind it.
    pub(super) fn goes_on_as_query(&self) -> bool {
        self.is_symbol(")")
            || ["UNION", "EXCEPT", "INTERSECT", "ORDER", "LIMIT", "INTO", "FOR", "LOCK", "OFFSET", "FETCH"]
                .iter()
                .any(|word| self.is_word(word))
    }

    /// One side of a set operation.
    fn query_primary(&mut self) -> Parsed<Vec<Source<'t>>> {
        if self.is_symbol("(") {
            return self.nested(|parser| {
                parser.expect_symbol("(")?;
                if parser.is_word("WITH") && !parser.ctes.is_empty() {
                    // MySQL forgets the outer ones in it, and reads tables of their names.
                    return Err(unknown("WITH in a bracketed part of a query that has a WITH itself"));
                }
                let sources = parser.query_sources()?;
                parser.expect_symbol(")")?;
                Ok(sources)
            });
        }
        if self.accept_word("TABLE") {
            let source = self.table_by_name()?;
            self.note(&source, AccessMode::Read)?;
            return Ok(vec![source]);
        }
        if self.accept_word("VALUES") {
            return self.rows().map(|()| Vec::new());
        }
        self.select()
    }

    /// The rows of VALUES: `ROW(1, 2), …`, in MariaDB `(1, 2), …`.
    fn rows(&mut self) -> Parsed<()> {
        loop {
            self.accept_word("ROW");
            self.row()?;
            if !self.accept_symbol(",") {
                return Ok(());
            }
        }
    }

    /// UNION, EXCEPT and INTERSECT with their right sides, as many as there are.
    pub(super) fn set_operations(&mut self, mut sources: Vec<Source<'t>>) -> Parsed<Vec<Source<'t>>> {
        while self.accept_any(&["UNION", "EXCEPT", "INTERSECT"]).is_some() {
            self.accept_any(&["ALL", "DISTINCT"]);
            sources.extend(self.query_primary()?);
        }
        Ok(sources)
    }

    /// ORDER BY, LIMIT, INTO and locks behind a query.
    pub(super) fn query_tail(&mut self, mut sources: Vec<Source<'t>>) -> Parsed<Vec<Source<'t>>> {
        self.order_by()?;
        self.limit()?;
        self.rows_into()?;
        while self.locking(&mut sources)? {}
        self.rows_into()?;
        Ok(sources)
    }

    /// SELECT up to what can stand behind a set operation.
    fn select(&mut self) -> Parsed<Vec<Source<'t>>> {
        self.expect_word("SELECT")?;
        self.hints();
        while self.select_option() {}
        self.select_list()?;
        self.rows_into()?;
        let sources = if self.accept_word("FROM") { self.from()? } else { Vec::new() };
        sources.iter().try_for_each(|source| self.note(source, AccessMode::Read))?;
        self.where_clause()?;
        self.group_by()?;
        if self.accept_word("HAVING") {
            self.expression()?;
        }
        self.window_clause()?;
        if self.accept_word("QUALIFY") {
            self.expression()?;
        }
        Ok(sources)
    }

    /// Optimizer hints behind a statement's first word.
    pub(super) fn hints(&mut self) {
        while self.accept_kind(Kind::Hint).is_some() {}
    }

    fn select_option(&mut self) -> bool {
        // No option any more in MySQL, and so a column.
        let column = self.is_word("SQL_CACHE") && self.reading.flavor == MysqlFlavor::Mysql;
        !column && self.accept_any(SELECT_OPTIONS).is_some()
    }

    /// What SELECT and RETURNING show.
    pub(super) fn select_list(&mut self) -> Parsed<()> {
        loop {
            self.select_item()?;
            if !self.accept_symbol(",") {
                return Ok(());
            }
        }
    }

    fn select_item(&mut self) -> Parsed<()> {
        if self.accept_symbol("*") {
            return Ok(());
        }
        let is = |ahead: usize, symbol| self.peek_at(ahead).is_some_and(|token| token.is_symbol(symbol));
        let parts = if is(1, ".") && is(2, "*") {
            1
        } else if is(1, ".") && is(3, ".") && is(4, "*") {
            2
        } else {
            self.expression()?;
            return self.column_alias();
        };
        self.ident()?;
        if parts == 2 {
            self.next();
            self.ident_behind_dot()?;
        }
        self.skip(2);
        Ok(())
    }

    /// WHERE, if it is in hand.
    pub(super) fn where_clause(&mut self) -> Parsed<()> {
        if self.accept_word("WHERE") { self.expression() } else { Ok(()) }
    }

    fn group_by(&mut self) -> Parsed<()> {
        if !self.accept_words(&["GROUP", "BY"]) {
            return Ok(());
        }
        let rolled = (self.is_word("ROLLUP") || self.is_word("CUBE"))
            && self.peek_at(1).is_some_and(|token| token.is_symbol("("));
        if rolled && self.reading.flavor == MysqlFlavor::Mysql {
            self.next();
            return self.in_brackets(Self::sort_keys);
        }
        if self.are_words(&["GROUPING", "SETS"]) {
            self.skip(2);
            return self.in_brackets(Self::grouping_sets);
        }
        self.sort_keys()?;
        if self.accept_word("WITH") {
            self.expect_word("ROLLUP")?;
        }
        Ok(())
    }

    /// `(a, b), (), c`.
    fn grouping_sets(&mut self) -> Parsed<()> {
        loop {
            if self.is_symbol("(") {
                self.row()?;
            } else {
                self.expression()?;
            }
            if !self.accept_symbol(",") {
                return Ok(());
            }
        }
    }

    /// ORDER BY, if it is in hand.
    pub(super) fn order_by(&mut self) -> Parsed<()> {
        if self.accept_words(&["ORDER", "BY"]) { self.sort_keys() } else { Ok(()) }
    }

    fn sort_keys(&mut self) -> Parsed<()> {
        loop {
            self.expression()?;
            self.accept_any(&["ASC", "DESC"]);
            if !self.accept_symbol(",") {
                return Ok(());
            }
        }
    }

    /// LIMIT in its forms, OFFSET … FETCH and ROWS EXAMINED, if one is in hand.
    pub(super) fn limit(&mut self) -> Parsed<()> {
        if self.accept_word("LIMIT") {
            if !self.is_word("ROWS") {
                self.row_count()?;
                if self.accept_symbol(",") || self.accept_word("OFFSET") {
                    self.row_count()?;
                }
            }
            if self.accept_words(&["ROWS", "EXAMINED"]) {
                self.row_count()?;
            }
            return Ok(());
        }
        if self.reading.flavor != MysqlFlavor::Mariadb {
            return Ok(());
        }
        if self.accept_word("OFFSET") {
            self.row_count()?;
            self.accept_any(&["ROW", "ROWS"]);
        }
        if self.accept_word("FETCH") {
            self.accept_any(&["FIRST", "NEXT"]);
            if !(self.is_word("ROW") || self.is_word("ROWS")) {
                self.row_count()?;
            }
            self.accept_any(&["ROW", "ROWS"]);
            if !self.accept_word("ONLY") {
                self.expect_word("WITH")?;
                self.expect_word("TIES")?;
            }
        }
        Ok(())
    }

    /// A number of rows. A name would be a variable of a routine, and no statement of a client has one.
    fn row_count(&mut self) -> Parsed<()> {
        match self.peek() {
            Some(token) if matches!(token.kind, Kind::Integer | Kind::Placeholder) => {
                self.next();
                Ok(())
            }
            _ => Err(self.unexpected()),
        }
    }
}

/// Options between SELECT and the list.
const SELECT_OPTIONS: &[&str] = &[
    "ALL",
    "DISTINCT",
    "DISTINCTROW",
    "HIGH_PRIORITY",
    "SQL_BIG_RESULT",
    "SQL_BUFFER_RESULT",
    "SQL_CACHE",
    "SQL_CALC_FOUND_ROWS",
    "SQL_NO_CACHE",
    "SQL_SMALL_RESULT",
    "STRAIGHT_JOIN",
];
