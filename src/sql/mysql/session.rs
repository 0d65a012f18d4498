//! What belongs to the session: its database, locks, and prepared statements.

use crate::model::{
    facts::{AccessMode, SessionEffect, StatementKind, TransactionEffect},
    object::Object,
};

use super::{
    found::Found,
    lexer,
    names::TableName,
    parser::{Parsed, Parser, unknown},
    render::{quote_string, render},
    statement::Head,
    token::Kind,
};

impl Parser<'_> {
    /// `USE database`.
    pub(super) fn use_statement(&mut self) -> Parsed<Head> {
        self.expect_word("USE")?;
        let name = self.ident()?;
        self.touch_database(name, AccessMode::Use)?;
        let name = self.folded(name)?;
        self.found.effect(SessionEffect::UseDatabase(name.into()));
        Ok((StatementKind::Use, "USE"))
    }

    /// LOCK TABLES, LOCK INSTANCE FOR BACKUP, UNLOCK.
    pub(super) fn lock_statement(&mut self) -> Parsed<Head> {
        if self.accept_word("UNLOCK") {
            if self.accept_word("INSTANCE") {
                self.found.administer("backup lock");
                return Ok((StatementKind::Administer, "UNLOCK INSTANCE"));
            }
            self.accept_any(&["TABLES", "TABLE"]).ok_or_else(|| self.unexpected())?;
            self.found.effect(SessionEffect::UnlockTables);
            // What was open under LOCK TABLES is committed.
            self.found.transaction = TransactionEffect::Commit { chain: false };
            return Ok((StatementKind::Lock, "UNLOCK TABLES"));
        }
        self.expect_word("LOCK")?;
        if self.accept_words(&["INSTANCE", "FOR", "BACKUP"]) {
            self.found.administer("backup lock");
            return Ok((StatementKind::Administer, "LOCK INSTANCE"));
        }
        self.accept_any(&["TABLES", "TABLE"]).ok_or_else(|| self.unexpected())?;
        loop {
            self.lock_table()?;
            if !self.accept_symbol(",") {
                break;
            }
        }
        if self.accept_any(&["WAIT"]).is_some() {
            self.accept_kind(Kind::Integer).ok_or_else(|| self.unexpected())?;
        } else {
            self.accept_word("NOWAIT");
        }
        self.found.effect(SessionEffect::LockTables);
        self.found.transaction = TransactionEffect::Commit { chain: false };
        Ok((StatementKind::Lock, "LOCK TABLES"))
    }

    /// `table [[AS] alias] {READ [LOCAL] | [LOW_PRIORITY] WRITE [CONCURRENT]}`.
    ///
    /// A READ lock asks for `select` alone, although it keeps writers waiting: so does a long read in a transaction,
    /// and a dump with the tools' defaults needs nothing else. It ends with the session, and at `wait_timeout`.
    fn lock_table(&mut self) -> Parsed<()> {
        let name = self.qualified_name()?;
        let kinds = ["READ", "WRITE", "LOW_PRIORITY"];
        if self.accept_word("AS") || !kinds.iter().any(|kind| self.is_word(kind)) {
            self.ident()?;
        }
        self.touch(name, AccessMode::Read)?;
        if self.accept_word("READ") {
            self.accept_word("LOCAL");
            return Ok(());
        }
        self.accept_word("LOW_PRIORITY");
        self.expect_word("WRITE")?;
        self.accept_word("CONCURRENT");
        self.touch(name, AccessMode::Write)
    }

    /// `PREPARE name FROM {'text' | @variable}`.
    ///
    /// The statement inside is judged now and again at every EXECUTE; what it leaves, it leaves only then.
    pub(super) fn prepare(&mut self) -> Parsed<Head> {
        self.expect_word("PREPARE")?;
        let name = self.prepared_name()?;
        self.expect_word("FROM")?;
        let Some(text) = self.constant_text() else {
            self.expression()?;
            self.found.administer("dynamic SQL");
            self.found.effect(SessionEffect::Pin);
            self.found.effect(SessionEffect::Prepare { name: name.into(), text: UNSEEN.to_owned() });
            return Ok((StatementKind::Prepare, "PREPARE"));
        };
        let (_, inner, sent) = self.inner(&text)?;
        let follows = inner.effects.iter().any(|effect| {
            matches!(
                effect,
                SessionEffect::ContextUnknown | SessionEffect::UseDatabase(_) | SessionEffect::Set { .. }
            )
        });
        if follows || matches!(inner.transaction, TransactionEffect::SetModes { .. }) {
            return Err(unknown("a prepared statement that changes how others are read"));
        }
        self.found.accesses.extend(inner.accesses);
        self.found.calls.extend(inner.calls);
        self.found.writes |= inner.writes;
        let mut whole = render(self.since(0).get(..3).unwrap_or_default(), &self.reading);
        whole.push(' ');
        quote_string(&mut whole, &sent, &self.reading);
        self.found.sent = Some(whole);
        self.found.effect(SessionEffect::Prepare { name: name.into(), text: sent });
        Ok((StatementKind::Prepare, "PREPARE"))
    }

    /// The name of a prepared statement, in lower case.
    ///
    /// # Errors
    /// `Unknown` if MySQL's collation may take it for another one's: it looks past accents and blanks at the end.
    fn prepared_name(&mut self) -> Parsed<String> {
        let name = self.ident()?;
        if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unknown("a name of a prepared statement that is not plain ASCII"));
        }
        Ok(name.to_ascii_lowercase())
    }

    /// One string, which is the whole of the text.
    fn constant_text(&mut self) -> Option<String> {
        let alone = |ahead| match self.peek_at(ahead) {
            None => true,
            Some(next) => next.is_word("USING"),
        };
        if !alone(1) {
            return None;
        }
        self.accept_kind(Kind::String).map(|token| token.text.to_string())
    }

    /// Reads the statement in a text: what it is, what it does, and its one spelling.
    fn inner(&self, text: &str) -> Parsed<(Head, Found, String)> {
        let tokens = lexer::tokens(text, &self.reading, self.limits)?;
        let tokens = match tokens.split_last() {
            Some((last, before)) if last.is_symbol(";") => before,
            _ => tokens.as_slice(),
        };
        if tokens.iter().any(|token| token.is_symbol(";")) {
            return Err(unknown("several statements in the text of one"));
        }
        let mut parser = Parser::new(tokens, self.context, self.reading, self.limits);
        let head = parser.whole_statement()?;
        if matches!(head.0, StatementKind::Prepare | StatementKind::Execute | StatementKind::Deallocate) {
            return Err(unknown("a prepared statement about prepared statements"));
        }
        let mut found = parser.found;
        let sent = found.sent.take().unwrap_or_else(|| render(tokens, &self.reading));
        Ok((head, found, sent))
    }

    /// `EXECUTE name [USING @a, …]`, and MariaDB's EXECUTE IMMEDIATE.
    pub(super) fn execute(&mut self) -> Parsed<Head> {
        self.expect_word("EXECUTE")?;
        if self.accept_word("IMMEDIATE") {
            return self.execute_immediate();
        }
        let name = self.prepared_name()?;
        self.runs(&name);
        if self.accept_word("USING") {
            loop {
                self.expression()?;
                if !self.accept_symbol(",") {
                    break;
                }
            }
        }
        Ok((StatementKind::Execute, "EXECUTE"))
    }

    /// EXECUTE IMMEDIATE (MariaDB) of a constant is the statement in it, and is sent as that.
    fn execute_immediate(&mut self) -> Parsed<Head> {
        let Some(text) = self.constant_text().filter(|_| self.is_at_end()) else {
            self.found.administer("dynamic SQL");
            self.found.runs_unseen();
            self.skip_rest();
            return Ok((StatementKind::Execute, "EXECUTE IMMEDIATE"));
        };
        let (head, found, sent) = self.inner(&text)?;
        self.found = found;
        self.found.sent = Some(sent);
        Ok(head)
    }

    /// `{DEALLOCATE | DROP} PREPARE name`, from PREPARE on.
    pub(super) fn deallocate(&mut self) -> Parsed<Head> {
        self.accept_any(&["DEALLOCATE", "DROP"]).ok_or_else(|| self.unexpected())?;
        self.expect_word("PREPARE")?;
        let name = self.prepared_name()?;
        self.found.effect(SessionEffect::Deallocate(Some(name.into())));
        Ok((StatementKind::Deallocate, "DEALLOCATE"))
    }

    /// Notes that definitions change, and with that the end of the transaction.
    ///
    /// Source: MySQL manual, "Statements That Cause an Implicit Commit".
    pub(super) fn defines(&mut self) {
        self.found.writes = true;
        self.found.effect(SessionEffect::Define);
        self.found.transaction = TransactionEffect::Commit { chain: false };
    }

    /// Notes that a relation comes into being, or takes a new name; what is temporary does not hide it.
    pub(super) fn define_new(&mut self, name: TableName<'_>) -> Parsed<()> {
        let object = self.object(name)?;
        let system = match &object {
            Object::Relation { schema, .. } => {
                super::builtin::SYSTEM_DATABASES.iter().any(|system| system.eq_ignore_ascii_case(schema))
            }
            _ => true,
        };
        self.found.access(object, if system { AccessMode::Administer } else { AccessMode::Define });
        Ok(())
    }

    /// "database.table", as the session remembers temporary tables.
    pub(super) fn temporary_name(&self, name: TableName<'_>) -> Parsed<String> {
        let (database, table) = (self.database_of(name)?, self.folded(name.name)?);
        Ok(format!("{database}.{table}"))
    }
}

/// What EXECUTE is judged as where nobody has seen the text that it runs.
const UNSEEN: &str = "EXECUTE IMMEDIATE @text";
