//! Transactions, as far as statements control them.

use pg_query::protobuf::{TransactionStmt, TransactionStmtKind};

use crate::model::facts::{StatementKind, TransactionEffect, Unanalyzable};

use super::{
    setting::says_read_write,
    walk::{Head, Walk, unknown},
};

impl Walk<'_> {
    pub(super) fn transaction(&mut self, statement: &TransactionStmt) -> Result<Head, Unanalyzable> {
        let begin = || TransactionEffect::Begin { read_write: says_read_write(&statement.options) };
        let chain = statement.chain;
        let name = || statement.savepoint_name.as_str().into();
        let (command, effect) = match TransactionStmtKind::try_from(statement.kind) {
            Ok(TransactionStmtKind::TransStmtBegin) => ("BEGIN", begin()),
            Ok(TransactionStmtKind::TransStmtStart) => ("START TRANSACTION", begin()),
            Ok(TransactionStmtKind::TransStmtCommit) => ("COMMIT", TransactionEffect::Commit { chain }),
            Ok(TransactionStmtKind::TransStmtRollback) => ("ROLLBACK", TransactionEffect::Rollback { chain }),
            Ok(TransactionStmtKind::TransStmtSavepoint) => {
                ("SAVEPOINT", TransactionEffect::Savepoint(name()))
            }
            Ok(TransactionStmtKind::TransStmtRelease) => ("RELEASE", TransactionEffect::Release(name())),
            Ok(TransactionStmtKind::TransStmtRollbackTo) => {
                ("ROLLBACK", TransactionEffect::RollbackTo(name()))
            }
            Ok(TransactionStmtKind::TransStmtPrepare) => {
                self.administer("two-phase transaction");
                // The session's transaction is over: it lives on under a name of its own.
                self.found.transaction = TransactionEffect::Commit { chain: false };
                return Ok((StatementKind::Administer, "PREPARE TRANSACTION"));
            }
            Ok(TransactionStmtKind::TransStmtCommitPrepared) => {
                self.administer("two-phase transaction");
                return Ok((StatementKind::Administer, "COMMIT PREPARED"));
            }
            Ok(TransactionStmtKind::TransStmtRollbackPrepared) => {
                self.administer("two-phase transaction");
                return Ok((StatementKind::Administer, "ROLLBACK PREPARED"));
            }
            Ok(TransactionStmtKind::Undefined) | Err(_) => return Err(unknown("a transaction statement")),
        };
        self.found.transaction = effect;
        Ok((StatementKind::Transaction, command))
    }
}
