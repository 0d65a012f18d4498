//! The statements that read and change rows, by their first word.

use crate::model::facts::{Access, AccessMode, StatementKind};

use super::parser::{Parsed, Parser};

impl Parser<'_> {
    /// Whether a statement of [`Self::data_statement`] is in hand.
    pub(super) fn is_data_statement(&self) -> bool {
        self.is_symbol("(") || DATA_WORDS.iter().any(|word| self.is_word(word))
    }

    /// SELECT (in brackets or not), WITH, TABLE, VALUES, INSERT, REPLACE, UPDATE or DELETE.
    pub(super) fn data_statement(&mut self) -> Parsed<(StatementKind, &'static str)> {
        let statement = self.statement_of_data()?;
        self.show_captured(AccessMode::Write);
        Ok(statement)
    }

    /// A variable that takes values of the rows that are changed shows them, as RETURNING would; and so does one that
    /// takes values of those for which a column is filled that is new or has another default.
    pub(super) fn show_captured(&mut self, touched: AccessMode) {
        if !self.found.captures {
            return;
        }
        let touched = |access: &&Access| access.mode == touched;
        let shown: Vec<_> = self.found.accesses.iter().filter(touched).cloned().collect();
        self.found
            .accesses
            .extend(shown.into_iter().map(|access| Access { mode: AccessMode::Read, ..access }));
    }

    fn statement_of_data(&mut self) -> Parsed<(StatementKind, &'static str)> {
        if self.is_word("WITH") {
            return self.with_statement();
        }
        if self.is_word("INSERT") {
            return self.insert();
        }
        if self.is_word("REPLACE") {
            return self.replace();
        }
        if self.is_word("UPDATE") {
            return self.update();
        }
        if self.is_word("DELETE") {
            return self.delete();
        }
        if self.is_word("TABLE") {
            return self.table();
        }
        if self.is_word("VALUES") {
            return self.values();
        }
        self.query_expression().map(|()| (StatementKind::Select, "SELECT"))
    }

    /// WITH in front of a query, UPDATE or DELETE.
    fn with_statement(&mut self) -> Parsed<(StatementKind, &'static str)> {
        let outer = self.ctes.len();
        self.with_clause()?;
        let statement = if self.is_word("UPDATE") {
            self.update()?
        } else if self.is_word("DELETE") {
            self.delete()?
        } else {
            self.query_body()?;
            (StatementKind::Select, "SELECT")
        };
        self.ctes.truncate(outer);
        Ok(statement)
    }
}

/// First words of these statements.
const DATA_WORDS: &[&str] = &["DELETE", "INSERT", "REPLACE", "SELECT", "TABLE", "UPDATE", "VALUES", "WITH"];
