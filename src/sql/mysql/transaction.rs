//! Transactions, as far as statements control them.

use crate::model::facts::{StatementKind, TransactionEffect, Unanalyzable};

use super::{
    parser::{Parsed, Parser},
    statement::Head,
};

impl Parser<'_> {
    /// BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE SAVEPOINT.
    pub(super) fn transaction(&mut self) -> Parsed<Head> {
        let (command, effect) = if self.accept_word("BEGIN") {
            if self.accept_word("NOT") {
                self.expect_word("ATOMIC")?;
                return Ok(self.compound("BEGIN NOT ATOMIC"));
            }
            self.accept_word("WORK");
            ("BEGIN", TransactionEffect::Begin { read_write: false })
        } else if self.accept_word("COMMIT") {
            self.accept_word("WORK");
            ("COMMIT", TransactionEffect::Commit { chain: self.completion()? })
        } else if self.accept_word("ROLLBACK") {
            self.accept_word("WORK");
            if self.accept_word("TO") {
                self.accept_word("SAVEPOINT");
                ("ROLLBACK", TransactionEffect::RollbackTo(self.savepoint()?.into()))
            } else {
                ("ROLLBACK", TransactionEffect::Rollback { chain: self.completion()? })
            }
        } else if self.accept_word("SAVEPOINT") {
            ("SAVEPOINT", TransactionEffect::Savepoint(self.savepoint()?.into()))
        } else {
            self.expect_word("RELEASE")?;
            self.expect_word("SAVEPOINT")?;
            ("RELEASE", TransactionEffect::Release(self.savepoint()?.into()))
        };
        self.found.transaction = effect;
        Ok((StatementKind::Transaction, command))
    }

    /// START TRANSACTION; START REPLICA and its like are administration.
    pub(super) fn start(&mut self) -> Parsed<Head> {
        if !self.are_words(&["START", "TRANSACTION"]) {
            return self.administration("START");
        }
        self.accept_words(&["START", "TRANSACTION"]);
        let mut read_write = false;
        while self.is_word("WITH") || self.is_word("READ") {
            if self.accept_words(&["WITH", "CONSISTENT", "SNAPSHOT"]) || self.accept_words(&["READ", "ONLY"])
            {
            } else if self.accept_words(&["READ", "WRITE"]) {
                read_write = true;
            } else {
                return Err(self.unexpected());
            }
            if !self.accept_symbol(",") {
                break;
            }
        }
        self.found.transaction = TransactionEffect::Begin { read_write };
        Ok((StatementKind::Transaction, "START TRANSACTION"))
    }

    /// `[AND [NO] CHAIN] [[NO] RELEASE]`; whether it chains.
    fn completion(&mut self) -> Parsed<bool> {
        let mut chain = false;
        if self.accept_word("AND") {
            chain = !self.accept_word("NO");
            self.expect_word("CHAIN")?;
        }
        if self.accept_words(&["NO", "RELEASE"]) {
            return Ok(chain);
        }
        if self.is_word("RELEASE") {
            return Err(Unanalyzable::Never {
                construct: "RELEASE behind COMMIT or ROLLBACK".to_owned(),
                instead: "End the transaction, then the connection.",
            });
        }
        Ok(chain)
    }

    /// Names of savepoints are compared without regard to case.
    fn savepoint(&mut self) -> Parsed<String> {
        Ok(self.ident()?.to_lowercase())
    }

    /// `SET [SESSION] TRANSACTION …`, from TRANSACTION on.
    pub(super) fn set_transaction(&mut self, session: bool) -> Parsed<()> {
        self.expect_word("TRANSACTION")?;
        let mut read_only = None;
        loop {
            if self.accept_words(&["ISOLATION", "LEVEL"]) {
                let level = self.isolation_level()?;
                if session {
                    self.sets_isolation(Some(format!("'{level}'")));
                }
            } else if self.accept_words(&["READ", "WRITE"]) {
                read_only = Some(false);
            } else if self.accept_words(&["READ", "ONLY"]) {
                read_only = Some(true);
            } else {
                return Err(self.unexpected());
            }
            if !self.accept_symbol(",") {
                break;
            }
        }
        if session && read_only.is_some() {
            self.sets_read_only(read_only);
        }
        self.sets_modes(read_only == Some(false), session)
    }

    fn isolation_level(&mut self) -> Parsed<&'static str> {
        if self.accept_word("SERIALIZABLE") {
            Ok("SERIALIZABLE")
        } else if self.accept_words(&["REPEATABLE", "READ"]) {
            Ok("REPEATABLE-READ")
        } else if self.accept_words(&["READ", "COMMITTED"]) {
            Ok("READ-COMMITTED")
        } else if self.accept_words(&["READ", "UNCOMMITTED"]) {
            Ok("READ-UNCOMMITTED")
        } else {
            Err(self.unexpected())
        }
    }
}
