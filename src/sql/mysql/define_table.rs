//! CREATE TABLE: columns, keys and where its rows come from.

use crate::model::facts::{AccessMode, SessionEffect, StatementKind, TransactionEffect, Unanalyzable};

use super::{
    names::TableName,
    parser::{Parsed, Parser},
    statement::Head,
    token::Kind,
};

impl<'t> Parser<'t> {
    /// CREATE [TEMPORARY] TABLE, from behind TABLE on.
    pub(super) fn create_table(&mut self, temporary: bool, replace: bool) -> Parsed<Head> {
        self.defines();
        self.if_not_exists()?;
        let name = self.qualified_name()?;
        self.new_table(name, temporary, replace)?;
        if self.accept_word("LIKE") {
            self.table_name(AccessMode::Read)?;
            return Ok((StatementKind::Define, "CREATE TABLE"));
        }
        if self.is_symbol("(") && !self.is_query_in_brackets() {
            self.next();
            if self.accept_word("LIKE") {
                self.table_name(AccessMode::Read)?;
                self.expect_symbol(")")?;
                return Ok((StatementKind::Define, "CREATE TABLE"));
            }
            self.table_elements()?;
            self.expect_symbol(")")?;
            self.show_captured(AccessMode::Define);
        }
        self.table_options()?;
        self.partition_by()?;
        self.accept_any(&["IGNORE", "REPLACE"]);
        let filled = self.accept_word("AS") || self.starts_query() || self.is_query_in_brackets();
        if filled {
            self.query_expression()?;
            return Ok((StatementKind::Define, "CREATE TABLE AS"));
        }
        Ok((StatementKind::Define, "CREATE TABLE"))
    }

    /// What the new name asks for.
    ///
    /// A temporary table is the session's own and commits nothing; making one is a definition like any other.
    pub(super) fn new_table(&mut self, name: TableName<'t>, temporary: bool, replace: bool) -> Parsed<()> {
        if !temporary {
            if replace {
                // A temporary table of that name goes first.
                let name = self.temporary_name(name)?;
                self.found.effect(SessionEffect::DropRelation(name.into()));
            }
            return self.define_new(name);
        }
        if replace && self.is_temporary(&self.database_of(name)?, &self.folded(name.name)?) {
            // The old one is gone even if the new one cannot be made.
            return Err(Unanalyzable::Never {
                construct: "OR REPLACE of a temporary table".to_owned(),
                instead: "Drop it first.",
            });
        }
        self.found.transaction = TransactionEffect::None;
        self.define_new(name)?;
        let name = self.temporary_name(name)?;
        self.found.effect(SessionEffect::CreateTemporary(name.into()));
        Ok(())
    }

    /// Whether a query in brackets is in hand, and no list of columns.
    fn is_query_in_brackets(&self) -> bool {
        let brackets = self.rest().iter().take_while(|token| token.is_symbol("(")).count();
        let first = self.peek_at(brackets);
        let starts = |word: &str| first.is_some_and(|token| token.is_word(word));
        brackets > 0 && ["SELECT", "WITH", "TABLE", "VALUES"].into_iter().any(starts)
    }

    /// Columns, keys and checks, with commas between them.
    fn table_elements(&mut self) -> Parsed<()> {
        loop {
            self.table_element()?;
            if !self.accept_symbol(",") {
                return Ok(());
            }
        }
    }

    fn table_element(&mut self) -> Parsed<()> {
        if self.is_word("PERIOD") && self.peek_at(1).is_some_and(|token| token.is_word("FOR")) {
            return self.period();
        }
        if self.is_table_constraint() {
            return self.table_constraint();
        }
        self.ident()?;
        self.column_definition()
    }

    /// `PERIOD FOR name (a, b)`.
    pub(super) fn period(&mut self) -> Parsed<()> {
        self.expect_word("PERIOD")?;
        self.expect_word("FOR")?;
        self.ident()?;
        self.ident_list()
    }

    pub(super) fn is_table_constraint(&self) -> bool {
        const HEADS: &[&str] =
            &["CHECK", "CONSTRAINT", "FOREIGN", "FULLTEXT", "INDEX", "KEY", "PRIMARY", "SPATIAL", "UNIQUE"];
        let vector = self.is_word("VECTOR")
            && self.peek_at(1).is_some_and(|token| token.is_word("INDEX") || token.is_word("KEY"));
        vector || HEADS.iter().any(|head| self.is_word(head))
    }

    /// A key, a foreign key or a check.
    pub(super) fn table_constraint(&mut self) -> Parsed<()> {
        if self.accept_word("CONSTRAINT") {
            if !self.is_table_constraint() {
                self.if_not_exists()?;
                self.ident()?;
            }
            self.if_not_exists()?;
        }
        if self.accept_word("CHECK") {
            return self.check();
        }
        if self.accept_word("FOREIGN") {
            self.expect_word("KEY")?;
            self.if_not_exists()?;
            if self.is_ident() {
                self.ident()?;
            }
            self.ident_list()?;
            return self.references();
        }
        if self.accept_word("PRIMARY") {
            self.expect_word("KEY")?;
        } else {
            self.accept_any(&["UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR"]);
            self.accept_any(&["INDEX", "KEY"]);
        }
        self.if_not_exists()?;
        if self.is_ident() && !self.is_index_option() {
            self.ident()?;
        }
        self.index_options()?;
        self.key_parts()?;
        self.index_options()
    }

    /// `(a, b (10) DESC, (expression))`.
    pub(super) fn key_parts(&mut self) -> Parsed<()> {
        self.expect_symbol("(")?;
        loop {
            if self.accept_symbol("(") {
                self.expression()?;
                self.expect_symbol(")")?;
            } else {
                self.ident()?;
                if self.accept_symbol("(") {
                    self.accept_kind(Kind::Integer).ok_or_else(|| self.unexpected())?;
                    self.expect_symbol(")")?;
                }
                self.accept_words(&["WITHOUT", "OVERLAPS"]);
            }
            self.accept_any(&["ASC", "DESC"]);
            if !self.accept_symbol(",") {
                return self.expect_symbol(")");
            }
        }
    }

    fn is_index_option(&self) -> bool {
        let followed = |words: &[&str]| {
            self.peek_at(1).is_some_and(|token| words.iter().any(|word| token.is_word(word)))
        };
        self.is_word("TYPE") && followed(&["BTREE", "HASH", "RTREE"])
    }

    pub(super) fn index_options(&mut self) -> Parsed<()> {
        const ALONE: &[&str] = &["CLUSTERING", "IGNORED", "INVISIBLE", "VISIBLE"];
        const VALUED: &[&str] =
            &["COMMENT", "DISTANCE", "ENGINE_ATTRIBUTE", "KEY_BLOCK_SIZE", "M", "SECONDARY_ENGINE_ATTRIBUTE"];
        loop {
            if self.accept_any(&["USING", "TYPE"]).is_some() || self.accept_words(&["WITH", "PARSER"]) {
                self.ident()?;
            } else if self.accept_any(ALONE).is_some() || self.accept_words(&["NOT", "IGNORED"]) {
            } else if self.accept_any(VALUED).is_some() {
                self.accept_symbol("=");
                self.option_value()?;
            } else {
                return Ok(());
            }
        }
    }

    /// `REFERENCES table (…) …`.
    ///
    /// A foreign key tells which keys the other table holds, and keeps its rows from being deleted.
    pub(super) fn references(&mut self) -> Parsed<()> {
        self.expect_word("REFERENCES")?;
        let name = self.qualified_name()?;
        // A temporary table of that name is not meant.
        self.define_new(name)?;
        if self.is_symbol("(") {
            self.ident_list()?;
        }
        if self.accept_word("MATCH") {
            self.accept_any(&["FULL", "PARTIAL", "SIMPLE"]).ok_or_else(|| self.unexpected())?;
        }
        while self.is_word("ON")
            && self.peek_at(1).is_some_and(|token| token.is_word("DELETE") || token.is_word("UPDATE"))
        {
            self.next();
            self.next();
            let known = self.accept_any(&["RESTRICT", "CASCADE"]).is_some()
                || self.accept_words(&["SET", "NULL"])
                || self.accept_words(&["SET", "DEFAULT"])
                || self.accept_words(&["NO", "ACTION"]);
            if !known {
                return Err(self.unexpected());
            }
        }
        Ok(())
    }

    /// `(expression) [[NOT] ENFORCED]`.
    pub(super) fn check(&mut self) -> Parsed<()> {
        self.expect_symbol("(")?;
        self.expression()?;
        self.expect_symbol(")")?;
        if !self.accept_words(&["NOT", "ENFORCED"]) {
            self.accept_word("ENFORCED");
        }
        Ok(())
    }
}
