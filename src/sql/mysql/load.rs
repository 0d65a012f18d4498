//! LOAD DATA and LOAD XML: a file of the server into a table.

use crate::model::facts::{AccessMode, SessionEffect, StatementKind, Tie, Unanalyzable};

use super::{
    parser::{Parsed, Parser},
    token::Kind,
};

impl Parser<'_> {
    /// LOAD DATA and LOAD XML.
    ///
    /// # Errors
    /// `Never` for LOCAL: the server would ask the client for a file.
    pub(super) fn load(&mut self) -> Parsed<(StatementKind, &'static str)> {
        self.expect_word("LOAD")?;
        if self.accept_any(&["DATA", "XML"]).is_none() {
            return Err(self.unexpected());
        }
        self.accept_any(&["LOW_PRIORITY", "CONCURRENT"]);
        if self.is_word("LOCAL") {
            return Err(Unanalyzable::Never {
                construct: "LOAD DATA LOCAL".to_owned(),
                instead: "Send the rows with INSERT.",
            });
        }
        self.expect_word("INFILE")?;
        self.found.administer("server file");
        self.text()?;
        self.accept_any(&["REPLACE", "IGNORE"]);
        self.expect_word("INTO")?;
        self.expect_word("TABLE")?;
        self.table_name(AccessMode::Write)?;
        self.partitions()?;
        self.charset_clause()?;
        if self.accept_words(&["ROWS", "IDENTIFIED", "BY"]) {
            self.text()?;
        }
        self.file_format()?;
        if self.accept_word("IGNORE")
            && (self.accept_kind(Kind::Integer).is_none() || self.accept_any(&["LINES", "ROWS"]).is_none())
        {
            return Err(self.unexpected());
        }
        if self.is_symbol("(") {
            self.in_brackets(Self::loaded_columns)?;
        }
        if self.accept_word("SET") {
            self.assignments()?;
        }
        Ok((StatementKind::Administer, "LOAD DATA"))
    }

    /// Columns, and variables that fields are read into.
    fn loaded_columns(&mut self) -> Parsed<()> {
        while !self.is_symbol(")") {
            if self.peek().is_some_and(|token| token.kind == Kind::UserVariable) {
                self.next();
                self.found.effect(SessionEffect::Ties(Tie::UserVariable));
            } else {
                self.column()?;
            }
            if !self.accept_symbol(",") {
                return Ok(());
            }
        }
        Ok(())
    }
}
