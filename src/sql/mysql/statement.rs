//! One statement, by its first words.

use crate::model::facts::{Runs, StatementKind};

use super::parser::{Parsed, Parser};

/// The kind of a statement and its command in capitals.
pub(super) type Head = (StatementKind, &'static str);

impl Parser<'_> {
    /// Takes a whole statement.
    ///
    /// # Errors
    /// See [`crate::sql::analyze`]; `Syntax` also where tokens are left over.
    pub(super) fn whole_statement(&mut self) -> Parsed<Head> {
        let head = self.statement()?;
        self.spare_accounts(head.0)?;
        if self.is_at_end() { Ok(head) } else { Err(self.unexpected()) }
    }

    /// Takes a statement, up to what does not belong to it.
    pub(super) fn statement(&mut self) -> Parsed<Head> {
        if self.is_data_statement() {
            return self.data_statement();
        }
        let Some(token) = self.peek().filter(|token| token.kind == super::token::Kind::Word) else {
            return Err(self.unexpected());
        };
        let word = token.text.to_ascii_uppercase();
        match word.as_str() {
            "BEGIN" | "COMMIT" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" => self.transaction(),
            "START" => self.start(),
            "SET" => self.set(),
            "SHOW" => self.show(),
            "DESC" | "DESCRIBE" | "EXPLAIN" => self.explain(),
            "USE" => self.use_statement(),
            "CREATE" => self.create(),
            "ALTER" => self.alter(),
            "DROP" => self.drop(),
            "RENAME" => self.rename(),
            "TRUNCATE" => self.truncate(),
            "ANALYZE" => self.analyze(),
            "CHECK" | "CHECKSUM" | "OPTIMIZE" | "REPAIR" | "CACHE" => self.maintain(),
            "LOCK" | "UNLOCK" => self.lock_statement(),
            "PREPARE" => self.prepare(),
            "EXECUTE" => self.execute(),
            "DEALLOCATE" => self.deallocate(),
            "LOAD" => self.load_index(),
            _ => self.administration(&word),
        }
    }

    /// A statement of data that the server lets EXPLAIN, ANALYZE or PREPARE go before.
    pub(super) fn explainable(&mut self) -> Parsed<Head> {
        if self.is_data_statement() { self.data_statement() } else { Err(self.unexpected()) }
    }

    /// Notes that the statement runs the prepared statement of this name.
    pub(super) fn runs(&mut self, name: &str) {
        self.found.runs = Some(Runs::Prepared { name: name.into(), explain: false });
    }
}
