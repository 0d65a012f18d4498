//! SET: of what, and in which scope.

use crate::model::{
    facts::{SessionEffect, StatementKind, Tie, TransactionEffect},
    name_context::MysqlFlavor,
};

use super::{
    charset::Charset,
    parser::{Parsed, Parser, unknown},
    read_only,
    statement::Head,
    token::Kind,
};

/// Whom a variable is set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The whole server (GLOBAL, PERSIST, PERSIST_ONLY).
    Server,
    /// The session.
    Session,
    /// `@@variable`: for the variables of transactions the next one only, else the session.
    Next,
}

impl Parser<'_> {
    /// SET, in all its forms.
    pub(super) fn set(&mut self) -> Parsed<Head> {
        self.expect_word("SET")?;
        if self.are_words(&["STATEMENT"]) && !self.is_assigned(1) {
            return self.set_statement();
        }
        if let Some(what) = self.administrative_set() {
            self.found.administer(what);
            self.skip_rest();
            return Ok((StatementKind::Administer, "SET"));
        }
        if let Some(session) = self.is_set_transaction() {
            match session {
                Some(session) => self.set_transaction(session)?,
                None => {
                    self.set_transaction(false)?;
                    self.found.transaction = TransactionEffect::None;
                    self.found.administer("global variable");
                }
            }
            return Ok((StatementKind::Set, "SET"));
        }
        // A scope in words holds for the assignments behind it, too.
        let mut words = Scope::Session;
        loop {
            self.set_assignment(&mut words)?;
            if !self.accept_symbol(",") {
                return Ok((StatementKind::Set, "SET"));
            }
        }
    }

    /// What the statement administers, if it is no SET of variables.
    fn administrative_set(&self) -> Option<&'static str> {
        let plain = !self.is_assigned(1);
        if self.is_word("PASSWORD") {
            // Even `SET PASSWORD = …` is about the account.
            Some("account")
        } else if self.are_words(&["DEFAULT", "ROLE"]) || self.is_word("ROLE") && plain {
            Some("role")
        } else if self.are_words(&["RESOURCE", "GROUP"]) {
            Some("resource group")
        } else {
            None
        }
    }

    /// Whether `[scope] TRANSACTION` and no variable of that name is in hand; then takes the scope and gives whether it
    /// is the session's, `None` for GLOBAL.
    fn is_set_transaction(&mut self) -> Option<Option<bool>> {
        let at = self.position();
        let scope = if self.accept_any(&["SESSION", "LOCAL"]).is_some() {
            Some(true)
        } else if self.accept_any(&["GLOBAL", "PERSIST", "PERSIST_ONLY"]).is_some() {
            None
        } else {
            Some(false)
        };
        if self.is_word("TRANSACTION") && !self.is_assigned(1) {
            return Some(scope);
        }
        self.go_back(at);
        None
    }

    /// Whether the token `ahead` is `=` or `:=`.
    fn is_assigned(&self, ahead: usize) -> bool {
        self.peek_at(ahead).is_some_and(|token| token.is_symbol("=") || token.is_symbol(":="))
    }

    /// One assignment; `words` is the scope that stands in words somewhere before.
    fn set_assignment(&mut self, words: &mut Scope) -> Parsed<()> {
        if self.accept_kind(Kind::UserVariable).is_some() {
            self.equals()?;
            self.found.effect(SessionEffect::Ties(Tie::UserVariable));
            return self.expression();
        }
        if self.is_word("NAMES") && !self.is_assigned(1) {
            self.next();
            return self.set_names();
        }
        if self.are_words(&["CHARACTER", "SET"]) || self.are_words(&["CHAR", "SET"]) {
            self.next();
            self.next();
            return self.set_character_set();
        }
        if self.is_word("CHARSET") && !self.is_assigned(1) {
            self.next();
            return self.set_character_set();
        }
        let (name, scope) = self.variable_to_set(words)?;
        self.equals()?;
        let value = self.assigned_value()?;
        if scope == Scope::Server {
            self.found.administer("global variable");
            return Ok(());
        }
        self.set_variable(&name, scope, value)
    }

    /// `[scope] name`, `@@[scope.]name`.
    fn variable_to_set(&mut self, words: &mut Scope) -> Parsed<(String, Scope)> {
        if self.accept_kind(Kind::SystemVariable).is_some() {
            let first = self.ident_behind_dot()?.to_ascii_lowercase();
            if !self.accept_symbol(".") {
                // Behind SET GLOBAL it may be the server's, too.
                let scope = if *words == Scope::Server { Scope::Server } else { Scope::Next };
                return Ok((first, scope));
            }
            let structured = self.peek_at(1).is_some_and(|token| token.is_symbol("."));
            let scope = match first.as_str() {
                "session" | "local" if !structured => Scope::Session,
                // The server's, or a part of a structured variable.
                _ => Scope::Server,
            };
            return Ok((self.variable_name()?, scope));
        }
        let server = ["GLOBAL", "PERSIST", "PERSIST_ONLY"];
        if !self.is_assigned(1) {
            if self.accept_any(&server).is_some() {
                *words = Scope::Server;
            } else if self.accept_any(&["SESSION", "LOCAL"]).is_some() {
                *words = Scope::Session;
            }
        }
        let structured = self.peek_at(1).is_some_and(|token| token.is_symbol("."));
        let name = self.variable_name()?;
        Ok((name, if structured { Scope::Server } else { *words }))
    }

    /// `name`, or `cache.name` of a structured variable, in which the cache may be DEFAULT.
    fn variable_name(&mut self) -> Parsed<String> {
        let default = self.peek().is_some_and(|token| token.text.eq_ignore_ascii_case("default"));
        let structured = self.peek_at(1).is_some_and(|token| token.is_symbol("."));
        if default && structured {
            self.next();
        } else {
            let name = self.ident()?;
            if !structured {
                return Ok(name.to_ascii_lowercase());
            }
        }
        self.expect_symbol(".")?;
        Ok(self.ident_behind_dot()?.to_ascii_lowercase())
    }

    fn equals(&mut self) -> Parsed<()> {
        if self.accept_symbol("=") || self.accept_symbol(":=") { Ok(()) } else { Err(self.unexpected()) }
    }

    /// `SET NAMES charset [COLLATE collation]`.
    fn set_names(&mut self) -> Parsed<()> {
        let Some(charset) = self.charset_name()? else {
            self.found.effect(SessionEffect::ContextUnknown);
            self.found.effect(SessionEffect::Pin);
            return Ok(());
        };
        let charset = Charset::of_client(&charset)?;
        let mut collation = None;
        if self.accept_word("COLLATE") {
            collation = self.charset_name()?;
            if let Some(collation) = &collation {
                Charset::of_collation(collation)?;
            }
        }
        for name in ["character_set_client", "character_set_connection", "character_set_results"] {
            self.leaves(name, Some(charset.as_str().to_owned()));
        }
        // Without a word on it, it follows the character set.
        self.leaves("collation_connection", collation);
        Ok(())
    }

    /// `SET CHARACTER SET charset`: literals are turned into the set of the database.
    fn set_character_set(&mut self) -> Parsed<()> {
        let Some(charset) = self.charset_name()? else {
            self.found.effect(SessionEffect::ContextUnknown);
            self.found.effect(SessionEffect::Pin);
            return Ok(());
        };
        let charset = Charset::of_client(&charset)?;
        for name in ["character_set_client", "character_set_results"] {
            self.leaves(name, Some(charset.as_str().to_owned()));
        }
        self.found.effect(SessionEffect::Pin);
        Ok(())
    }

    /// A word or string, in lower case; `None` for DEFAULT.
    fn charset_name(&mut self) -> Parsed<Option<String>> {
        if self.accept_word("DEFAULT") {
            return Ok(None);
        }
        if let Some(token) = self.accept_kind(Kind::String) {
            return Ok(Some(token.text.to_ascii_lowercase()));
        }
        if self.accept_word("BINARY") {
            return Ok(Some("binary".to_owned()));
        }
        Ok(Some(self.ident()?.to_ascii_lowercase()))
    }

    /// MariaDB's `SET STATEMENT variable = value, … FOR statement`.
    fn set_statement(&mut self) -> Parsed<Head> {
        self.expect_word("STATEMENT")?;
        let before = std::mem::take(&mut self.found);
        loop {
            let (name, scope) = self.variable_to_set(&mut Scope::Session)?;
            self.equals()?;
            let value = self.assigned_value()?;
            if scope == Scope::Server {
                return Err(self.unexpected());
            }
            self.set_variable(&name, scope, value)?;
            if !self.accept_symbol(",") {
                break;
            }
        }
        let set = std::mem::replace(&mut self.found, before);
        let plain = set.effects.iter().all(|effect| match effect {
            SessionEffect::Set { name, .. } => !is_followed(name),
            SessionEffect::Pin | SessionEffect::Ties(Tie::UserVariable) => true,
            _ => false,
        });
        if !plain || set.transaction != TransactionEffect::None {
            return Err(unknown("SET STATEMENT of a variable that is more than a habit"));
        }
        // Back at its old value when the statement is over: nothing is left behind.
        self.found.accesses.extend(set.accesses);
        self.found.calls.extend(set.calls);
        self.found.writes |= set.writes;
        self.expect_word("FOR")?;
        if self.is_word("SET") {
            return Err(unknown("SET STATEMENT for SET"));
        }
        self.nested(|parser| parser.statement())
    }

    /// A value other than the one in hand of the level of isolation.
    pub(super) fn sets_isolation(&mut self, value: Option<String>) {
        let mysql = self.reading.flavor == MysqlFlavor::Mysql;
        // MariaDB before 11.1 has no other name for it.
        self.leaves(if mysql { "transaction_isolation" } else { "tx_isolation" }, value);
    }

    /// The session's transactions are read-only from here on, or not; `None` is the server's default.
    pub(super) fn sets_read_only(&mut self, on: Option<bool>) {
        let name = read_only::variable(&self.reading);
        self.leaves(name, on.map(|on| u8::from(on).to_string()));
    }

    /// Notes modes of transactions.
    ///
    /// # Errors
    /// `Unknown` if the same statement ends the transaction, too.
    pub(super) fn sets_modes(&mut self, read_write: bool, session: bool) -> Parsed<()> {
        match self.found.transaction {
            TransactionEffect::None => {
                self.found.transaction = TransactionEffect::SetModes { read_write, session };
                Ok(())
            }
            TransactionEffect::SetModes { read_write: before, session: lasts } => {
                let (read_write, session) = (read_write || before, session || lasts);
                self.found.transaction = TransactionEffect::SetModes { read_write, session };
                Ok(())
            }
            _ => Err(unknown("SET of autocommit and of a transaction's modes at once")),
        }
    }

    pub(super) fn leaves(&mut self, name: &str, value: Option<String>) {
        self.found.effect(SessionEffect::Set { name: name.into(), value, local: false });
    }
}

/// Whether the meaning of texts, or where the transaction stands, hangs on the variable.
fn is_followed(name: &str) -> bool {
    matches!(
        name,
        "sql_mode"
            | "autocommit"
            | "character_set_client"
            | "character_set_connection"
            | "collation_connection"
    )
}
