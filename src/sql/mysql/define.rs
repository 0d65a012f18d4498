//! CREATE, by the kind of what is created.

use crate::model::facts::{AccessMode, StatementKind, TransactionEffect};

use super::{
    administered::Administered,
    parser::{Parsed, Parser},
    statement::Head,
    token::Kind,
};

impl Parser<'_> {
    /// CREATE, in all its forms.
    pub(super) fn create(&mut self) -> Parsed<Head> {
        self.expect_word("CREATE")?;
        let replace = self.accept_words(&["OR", "REPLACE"]);
        let temporary = self.accept_word("TEMPORARY");
        if self.accept_word("TABLE") {
            return self.create_table(temporary, replace);
        }
        if self.accept_word("SEQUENCE") {
            return self.create_sequence(temporary, replace);
        }
        if temporary {
            return Err(self.unexpected());
        }
        if self.accept_any(&["DATABASE", "SCHEMA"]).is_some() {
            self.if_not_exists()?;
            return self.administer_database("CREATE DATABASE");
        }
        self.accept_any(&["ONLINE", "OFFLINE"]);
        self.accept_any(&["UNIQUE", "FULLTEXT", "SPATIAL", "VECTOR"]);
        if self.accept_word("INDEX") {
            return self.create_index();
        }
        let position = self.position();
        self.view_options()?;
        if self.accept_word("VIEW") {
            return self.create_view("CREATE VIEW");
        }
        self.go_back(position);
        self.administered(KINDS)
    }

    /// The rest is a program, and with semicolons in it perhaps more than that.
    pub(super) fn compound(&mut self, command: &'static str) -> Head {
        self.found.administer("routine");
        if command == "BEGIN NOT ATOMIC" || self.rest().iter().any(|token| token.is_symbol(";")) {
            self.found.runs_unseen();
            self.found.transaction = TransactionEffect::Commit { chain: false };
        }
        self.skip_rest();
        (StatementKind::Administer, command)
    }

    /// Databases belong to administrators; from the name on.
    pub(super) fn administer_database(&mut self, command: &'static str) -> Parsed<Head> {
        self.defines();
        if self.is_ident() && !self.is_database_option() {
            let name = self.ident()?;
            self.touch_database(name, AccessMode::Administer)?;
        } else {
            self.touch_own_database(AccessMode::Administer)?;
        }
        self.skip_rest();
        Ok((StatementKind::Administer, command))
    }

    /// ALTER DATABASE may leave the name out; an option follows at once.
    fn is_database_option(&self) -> bool {
        let options = ["CHARSET", "COMMENT", "ENCRYPTION"];
        let ends = self.peek_at(1).is_none();
        !ends && options.iter().any(|option| self.is_word(option))
    }

    pub(super) fn if_not_exists(&mut self) -> Parsed<()> {
        if self.accept_word("IF") {
            self.expect_word("NOT")?;
            self.expect_word("EXISTS")?;
        }
        Ok(())
    }

    /// CREATE INDEX, from the name on.
    fn create_index(&mut self) -> Parsed<Head> {
        self.defines();
        self.if_not_exists()?;
        self.ident()?;
        self.index_options()?;
        self.expect_word("ON")?;
        self.table_name(AccessMode::Define)?;
        self.key_parts()?;
        self.index_options()?;
        self.online_options()?;
        Ok((StatementKind::Define, "CREATE INDEX"))
    }

    /// `WAIT n`, `NOWAIT`, `ALGORITHM [=] …`, `LOCK [=] …` of definitions.
    pub(super) fn online_options(&mut self) -> Parsed<()> {
        loop {
            if self.accept_any(&["ALGORITHM", "LOCK"]).is_some() {
                self.accept_symbol("=");
                if !self.accept_word("DEFAULT") {
                    self.ident()?;
                }
                self.accept_symbol(",");
            } else if !self.accept_wait()? {
                return Ok(());
            }
        }
    }

    /// MariaDB's `WAIT n` and `NOWAIT`.
    pub(super) fn accept_wait(&mut self) -> Parsed<bool> {
        if self.accept_word("NOWAIT") {
            return Ok(true);
        }
        if !self.accept_word("WAIT") {
            return Ok(false);
        }
        self.accept_kind(Kind::Integer).map(|_| true).ok_or_else(|| self.unexpected())
    }

    /// CREATE SEQUENCE (MariaDB), from the name on.
    fn create_sequence(&mut self, temporary: bool, replace: bool) -> Parsed<Head> {
        self.defines();
        self.if_not_exists()?;
        let name = self.qualified_name()?;
        self.new_table(name, temporary, replace)?;
        self.sequence_options()?;
        self.table_options()?;
        Ok((StatementKind::Define, "CREATE SEQUENCE"))
    }

    /// START, INCREMENT, MINVALUE, … of a sequence.
    pub(super) fn sequence_options(&mut self) -> Parsed<()> {
        const ALONE: &[&str] = &["CYCLE", "NOCACHE", "NOCYCLE", "NOMAXVALUE", "NOMINVALUE"];
        const VALUED: &[&str] = &["CACHE", "INCREMENT", "MAXVALUE", "MINVALUE", "RESTART", "START"];
        loop {
            if self.accept_any(ALONE).is_some() {
                continue;
            }
            if self.accept_word("NO") {
                self.accept_any(&["CACHE", "CYCLE", "MAXVALUE", "MINVALUE"])
                    .ok_or_else(|| self.unexpected())?;
                continue;
            }
            if self.accept_any(VALUED).is_none() {
                return Ok(());
            }
            if self.accept_any(&["BY", "WITH"]).is_none() {
                self.accept_symbol("=");
            }
            self.accept_symbol("-");
            // RESTART alone begins anew.
            self.accept_kind(Kind::Integer);
        }
    }

    /// `name[@host]`, a string or CURRENT_USER; whether it is the account itself.
    pub(super) fn account(&mut self) -> Parsed<bool> {
        if self.accept_any(&["CURRENT_USER", "CURRENT_ROLE"]).is_some() {
            if self.accept_symbol("(") {
                self.expect_symbol(")")?;
            }
            return Ok(true);
        }
        if self.accept_kind(Kind::String).is_none() {
            self.ident()?;
        }
        self.accept_kind(Kind::UserVariable);
        Ok(false)
    }
}

/// First words behind CREATE, what they are about, and the command.
const KINDS: &[Administered] = &[
    Administered::with_body(&["AGGREGATE", "FUNCTION"], "routine", "CREATE FUNCTION"),
    Administered::with_body(&["EVENT"], "event", "CREATE EVENT"),
    Administered::new(&["EXTERNAL", "TABLE"], "server file", "CREATE EXTERNAL TABLE"),
    Administered::with_body(&["FUNCTION"], "routine", "CREATE FUNCTION"),
    Administered::with_body(&["LIBRARY"], "routine", "CREATE LIBRARY"),
    Administered::new(&["LOGFILE", "GROUP"], "tablespace", "CREATE LOGFILE GROUP"),
    Administered::new(&["MASKING", "POLICY"], "masking policy", "CREATE MASKING POLICY"),
    Administered::with_body(&["PACKAGE"], "routine", "CREATE PACKAGE"),
    Administered::with_body(&["PROCEDURE"], "routine", "CREATE PROCEDURE"),
    Administered::new(&["RESOURCE", "GROUP"], "resource group", "CREATE RESOURCE GROUP"),
    Administered::new(&["ROLE"], "role", "CREATE ROLE"),
    Administered::new(&["SERVER"], "foreign server", "CREATE SERVER"),
    Administered::new(
        &["SPATIAL", "REFERENCE", "SYSTEM"],
        "spatial reference system",
        "CREATE SPATIAL REFERENCE SYSTEM",
    ),
    Administered::new(
        &["REFERENCE", "SYSTEM"],
        "spatial reference system",
        "CREATE SPATIAL REFERENCE SYSTEM",
    ),
    Administered::new(&["TABLESPACE"], "tablespace", "CREATE TABLESPACE"),
    Administered::with_body(&["TRIGGER"], "trigger", "CREATE TRIGGER"),
    Administered::new(&["UNDO", "TABLESPACE"], "tablespace", "CREATE TABLESPACE"),
    Administered::new(&["USER"], "account", "CREATE USER"),
];
