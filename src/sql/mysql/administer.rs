//! What needs `admin` whatever it is about: accounts, code, the server itself, other servers.

use crate::model::{
    facts::{SessionEffect, StatementKind, Tie, TransactionEffect},
    object::Object,
};

use super::{
    parser::{Parsed, Parser, unknown},
    statement::Head,
};

impl Parser<'_> {
    /// A statement of administration, or one that is refused by name; `word` is its first.
    ///
    /// Nothing inside is looked at: `admin` on the whole database covers all of it.
    pub(super) fn administration(&mut self, word: &str) -> Parsed<Head> {
        match word {
            "CALL" => return self.call(),
            "DO" => return self.do_statement(),
            "HELP" => {
                self.next();
                self.next();
                return Ok((StatementKind::Show, "HELP"));
            }
            "GET" | "RESIGNAL" | "SIGNAL" => return self.diagnostics(word),
            _ => {}
        }
        let known = HEADS.iter().find(|(words, _, _)| self.are_words(words));
        let Some((_, what, command)) = known else { return Err(self.unexpected()) };
        self.found.administer(what);
        if COMMITTING.contains(command) {
            self.defines();
        }
        if *what == "distributed transaction" {
            // It ends, or begins, one that the session does not follow.
            self.found.effect(SessionEffect::Pin);
            self.found.transaction = TransactionEffect::Commit { chain: false };
        }
        if *what == "handler" {
            self.found.effect(SessionEffect::Pin);
        }
        self.skip_rest();
        Ok((StatementKind::Administer, command))
    }

    /// CALL: what the procedure does, and leaves behind, is out of sight.
    fn call(&mut self) -> Parsed<Head> {
        self.expect_word("CALL")?;
        let name = self.qualified_name()?;
        let database = self.database_of(name)?;
        let routine = format!("{database}.{}", name.name.to_lowercase());
        self.found.writes = true;
        self.found
            .access(Object::Routine { name: routine.into() }, crate::model::facts::AccessMode::Administer);
        if self.accept_symbol("(") {
            if !self.is_symbol(")") {
                self.expressions()?;
            }
            self.expect_symbol(")")?;
        }
        self.found.runs_unseen();
        Ok((StatementKind::Administer, "CALL"))
    }

    /// DO: expressions without a result, which are read as they would be in a query.
    fn do_statement(&mut self) -> Parsed<Head> {
        self.expect_word("DO")?;
        self.select_list()?;
        Ok((StatementKind::Select, "DO"))
    }

    /// GET DIAGNOSTICS and SIGNAL: about the session's own conditions.
    fn diagnostics(&mut self, word: &str) -> Parsed<Head> {
        self.found.effect(SessionEffect::ReadsDiagnostics);
        if word == "GET" {
            self.next();
            self.accept_any(&["CURRENT", "STACKED"]);
            self.expect_word("DIAGNOSTICS")?;
            self.found.effect(SessionEffect::Ties(Tie::UserVariable));
        } else {
            self.next();
        }
        // Names of conditions, variables and values: none of it reads a table.
        if self.rest().iter().any(|token| token.is_symbol("(")) {
            return Err(unknown("brackets in a statement about diagnostics"));
        }
        self.skip_rest();
        let command = match word {
            "GET" => "GET DIAGNOSTICS",
            "SIGNAL" => "SIGNAL",
            _ => "RESIGNAL",
        };
        Ok((StatementKind::Show, command))
    }

    /// LOAD INDEX INTO CACHE; LOAD DATA and LOAD XML are statements of data.
    pub(super) fn load_index(&mut self) -> Parsed<Head> {
        if !self.are_words(&["LOAD", "INDEX"]) {
            return self.load();
        }
        self.found.administer("key cache");
        self.skip_rest();
        Ok((StatementKind::Administer, "LOAD INDEX"))
    }
}

/// Statements that end the open transaction.
const COMMITTING: &[&str] = &["GRANT", "REVOKE", "INSTALL", "UNINSTALL", "FLUSH", "RESET", "CHANGE"];

/// First words, what they administer, and the command.
const HEADS: &[(&[&str], &str, &str)] = &[
    (&["BACKUP"], "backup", "BACKUP"),
    (&["BINLOG"], "replication", "BINLOG"),
    (&["CHANGE"], "replication", "CHANGE"),
    (&["CLONE"], "clone", "CLONE"),
    (&["FLUSH"], "server", "FLUSH"),
    (&["GRANT"], "privileges", "GRANT"),
    (&["HANDLER"], "handler", "HANDLER"),
    (&["IMPORT"], "server file", "IMPORT TABLE"),
    (&["INSTALL"], "plugin", "INSTALL"),
    (&["KILL"], "another connection", "KILL"),
    (&["PURGE"], "replication", "PURGE"),
    (&["RESET"], "replication", "RESET"),
    (&["RESTART"], "server", "RESTART"),
    (&["REVOKE"], "privileges", "REVOKE"),
    (&["SHUTDOWN"], "server", "SHUTDOWN"),
    (&["START"], "replication", "START"),
    (&["STOP"], "replication", "STOP"),
    (&["UNINSTALL"], "plugin", "UNINSTALL"),
    (&["XA"], "distributed transaction", "XA"),
];
