//! EXPLAIN, DESCRIBE and MariaDB's ANALYZE of a statement.

use crate::model::{
    facts::{AccessMode, SessionEffect, StatementKind, Tie, TransactionEffect},
    name_context::MysqlFlavor,
};

use super::{
    parser::{Parsed, Parser},
    render::render,
    statement::Head,
    token::Kind,
};

impl Parser<'_> {
    /// EXPLAIN, DESCRIBE or DESC of a table, of a statement, or of a connection.
    pub(super) fn explain(&mut self) -> Parsed<Head> {
        self.next();
        if self.is_ident() && !self.is_explain_option() && !self.is_data_statement() {
            self.table_name(AccessMode::Use)?;
            // A column, or a pattern of columns.
            if self.is_ident() {
                self.ident()?;
            } else {
                self.accept_kind(Kind::String);
            }
            return Ok((StatementKind::Show, "DESCRIBE"));
        }
        let (mut analyze, mut tabular) = (false, None);
        loop {
            if self.accept_word("ANALYZE") {
                analyze = true;
            } else if self.is_word("FORMAT") {
                tabular = Some(self.explain_format()?);
            } else if self.accept_any(&["EXTENDED", "PARTITIONS"]).is_some() {
            } else if self.accept_word("INTO") {
                self.accept_kind(Kind::UserVariable).ok_or_else(|| self.unexpected())?;
                self.found.effect(SessionEffect::Ties(Tie::UserVariable));
                // Only what is no table goes there.
                tabular = tabular.or(Some(false));
            } else if self.accept_word("FOR") {
                if self.accept_word("CONNECTION") {
                    self.expression()?;
                    self.found.administer("another connection");
                    return Ok((StatementKind::Administer, "EXPLAIN"));
                }
                self.accept_any(&["SCHEMA", "DATABASE"]).ok_or_else(|| self.unexpected())?;
                self.explain_elsewhere()?;
                break;
            } else {
                break;
            }
        }
        let head = self.explained(analyze, tabular.unwrap_or(true))?;
        if !analyze && tabular.is_none() {
            self.ask_for_table();
        }
        Ok(head)
    }

    /// Spells out the format of a plan that names none, where a variable of the server may make it another than the
    /// table that it was judged as: in MySQL 9 its default is TREE.
    ///
    /// Source: MySQL manual, "explain_format" (there since 8.0.32).
    fn ask_for_table(&mut self) {
        if self.reading.flavor != MysqlFlavor::Mysql || self.reading.version < 80_032 {
            return;
        }
        let behind = self.since(0).get(1..).unwrap_or_default();
        self.found.sent = Some(format!("EXPLAIN FORMAT=TRADITIONAL {}", render(behind, &self.reading)));
    }

    /// EXPLAIN FOR DATABASE d: names without a database are looked for there.
    fn explain_elsewhere(&mut self) -> Parsed<()> {
        let database = self.ident()?;
        self.touch_database(database, AccessMode::Use)?;
        let database = self.folded(database)?;
        if database.as_str() != self.context.database.as_str() {
            return Err(super::parser::unknown("EXPLAIN FOR DATABASE of another database"));
        }
        Ok(())
    }

    /// The statement; without ANALYZE it does not run.
    ///
    /// Yet while it plans, the server reads rows that a condition picks out by their key, and inner queries of one
    /// row; it shows their values in the conditions of a plan that is no table, in the note behind any plan, and in
    /// errors. The first needs `select`, and so does what keeps a value meanwhile; the session holds back the others.
    fn explained(&mut self, analyze: bool, tabular: bool) -> Parsed<Head> {
        let before = std::mem::take(&mut self.found);
        let (kind, _) = self.explainable()?;
        let mut found = std::mem::replace(&mut self.found, before);
        if !analyze {
            let shows_rows = found.plan_shows_rows && !tabular || found.keeps;
            let mode = if shows_rows { AccessMode::Read } else { AccessMode::Explain };
            found.shown_by_errors.clear();
            for access in &mut found.accesses {
                if matches!(access.mode, AccessMode::Read | AccessMode::Export | AccessMode::Write) {
                    access.mode = mode;
                    found.shown_by_errors.push(access.object.clone());
                }
            }
            // A READ ONLY transaction does not even plan a change; and functions of constants run while the plan is
            // made.
            found.writes = kind != StatementKind::Select || !found.calls.is_empty();
            found.transaction = TransactionEffect::None;
        }
        self.found.accesses.append(&mut found.accesses);
        self.found.shown_by_errors.append(&mut found.shown_by_errors);
        self.found.calls.append(&mut found.calls);
        self.found.writes |= found.writes;
        found.effects.into_iter().for_each(|effect| self.found.effect(effect));
        self.found.transaction = found.transaction;
        Ok(if analyze {
            (StatementKind::ExplainAnalyze, "EXPLAIN ANALYZE")
        } else {
            (StatementKind::Explain, "EXPLAIN")
        })
    }

    /// ANALYZE of a statement (MariaDB), which runs it, or of tables.
    pub(super) fn analyze(&mut self) -> Parsed<Head> {
        if self.is_maintenance() {
            return self.maintain();
        }
        self.expect_word("ANALYZE")?;
        if self.is_word("FORMAT") {
            self.explain_format()?;
        }
        self.explained(true, true)
    }

    /// `FORMAT = name`; whether it is the table of columns.
    fn explain_format(&mut self) -> Parsed<bool> {
        self.expect_word("FORMAT")?;
        self.expect_symbol("=")?;
        let name = match self.accept_kind(Kind::String) {
            Some(token) => &*token.text,
            None => self.ident()?,
        };
        Ok(name.eq_ignore_ascii_case("traditional"))
    }

    /// A word that is a name elsewhere, and begins something of EXPLAIN here.
    fn is_explain_option(&self) -> bool {
        let assigned = self.peek_at(1).is_some_and(|token| token.is_symbol("="));
        let more = self.peek_at(1).is_some_and(|token| !token.is_symbol("."));
        self.is_word("FORMAT") && assigned || (self.is_word("EXTENDED") || self.is_word("PARTITIONS")) && more
    }
}
