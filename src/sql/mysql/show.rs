//! SHOW.
//!
//! Source: MySQL manual, "SHOW Statements"; MariaDB knowledge base, "SHOW".

use crate::model::{
    facts::{AccessMode, SessionEffect, StatementKind},
    name_context::MysqlFlavor,
    object::Object,
};

use super::{
    builtin::SYSTEM_DATABASES,
    parser::{Parsed, Parser, unknown},
    statement::Head,
    token::{Kind, Token},
};

impl<'t> Parser<'t> {
    /// SHOW, in all its forms.
    pub(super) fn show(&mut self) -> Parsed<Head> {
        self.expect_word("SHOW")?;
        if self.shows_others_work() {
            self.found.administer("server");
            self.skip_rest();
            return Ok((StatementKind::Administer, "SHOW"));
        }
        if self.accept_word("CREATE") {
            self.show_create()?;
        } else if self.accept_words(&["PROCEDURE", "CODE"]) || self.accept_words(&["FUNCTION", "CODE"]) {
            self.database_of_routine()?;
        } else if self.is_word("COUNT") {
            self.show_count()?;
        } else if self.accept_any(&["WARNINGS", "ERRORS"]).is_some() {
            self.found.effect(SessionEffect::ReadsDiagnostics);
            self.show_limit()?;
        } else if self.accept_word("GRANTS") {
            self.show_grants()?;
        } else {
            self.show_list()?;
        }
        Ok((StatementKind::Show, "SHOW"))
    }

    /// Whether it is about accounts, other connections, logs or replication, whatever stands behind.
    fn shows_others_work(&self) -> bool {
        const FORMS: &[&[&str]] = &[
            &["ALL", "REPLICAS"],
            &["ALL", "SLAVES"],
            &["ANALYZE"],
            &["BINARY"],
            &["BINLOG"],
            &["CLIENT_STATISTICS"],
            &["CREATE", "MASKING"],
            &["CREATE", "SERVER"],
            &["CREATE", "USER"],
            &["ENGINE"],
            &["EXPLAIN"],
            &["FULL", "PROCESSLIST"],
            &["INNODB"],
            &["MASTER"],
            &["OPEN", "TABLES"],
            &["PROCESSLIST"],
            &["PROFILE"],
            &["PROFILES"],
            &["RELAYLOG"],
            &["REPLICA"],
            &["REPLICAS"],
            &["SLAVE"],
            &["USER_STATISTICS"],
        ];
        FORMS.iter().any(|form| self.are_words(form))
    }

    /// SHOW CREATE, from the kind of object on.
    fn show_create(&mut self) -> Parsed<()> {
        if self.accept_any(&["DATABASE", "SCHEMA"]).is_some() {
            if self.accept_word("IF") {
                self.expect_word("NOT")?;
                self.expect_word("EXISTS")?;
            }
            let name = self.ident()?;
            return self.touch_database(name, AccessMode::Use);
        }
        if self.accept_any(&["TABLE", "VIEW", "SEQUENCE"]).is_some() {
            return self.table_name(AccessMode::Use).map(drop);
        }
        if self.accept_word("PACKAGE") {
            self.accept_word("BODY");
        } else {
            let kinds = ["EVENT", "FUNCTION", "LIBRARY", "PROCEDURE", "TRIGGER"];
            self.accept_any(&kinds).ok_or_else(|| self.unexpected())?;
        }
        self.database_of_routine()
    }

    /// The name of a routine, trigger or event: its database is touched.
    fn database_of_routine(&mut self) -> Parsed<()> {
        let name = self.qualified_name()?;
        match name.database {
            Some(database) => self.touch_database(database, AccessMode::Use),
            None => self.touch_own_database(AccessMode::Use),
        }
    }

    /// `COUNT(*) WARNINGS`, `COUNT(*) ERRORS`.
    fn show_count(&mut self) -> Parsed<()> {
        self.expect_word("COUNT")?;
        self.expect_symbol("(")?;
        self.expect_symbol("*")?;
        self.expect_symbol(")")?;
        self.accept_any(&["WARNINGS", "ERRORS"]).ok_or_else(|| self.unexpected())?;
        self.found.effect(SessionEffect::ReadsDiagnostics);
        Ok(())
    }

    fn show_limit(&mut self) -> Parsed<()> {
        if !self.accept_word("LIMIT") {
            return Ok(());
        }
        self.show_number()?;
        if self.accept_symbol(",") || self.accept_word("OFFSET") {
            self.show_number()?;
        }
        Ok(())
    }

    fn show_number(&mut self) -> Parsed<()> {
        let number =
            self.accept_kind(Kind::Integer).or_else(|| self.accept_kind(Kind::Placeholder)).is_some();
        if number { Ok(()) } else { Err(self.unexpected()) }
    }

    /// GRANTS of the own account, or of another one.
    ///
    /// MariaDB shows the verifier of the account's password with them, and the account is one that many share.
    fn show_grants(&mut self) -> Parsed<()> {
        if self.reading.flavor == MysqlFlavor::Mariadb {
            self.found.administer("account");
            self.skip_rest();
            return Ok(());
        }
        if self.is_at_end() {
            return Ok(());
        }
        self.expect_word("FOR")?;
        if self.accept_any(&["CURRENT_USER", "CURRENT_ROLE"]).is_some() {
            if self.accept_symbol("(") {
                self.expect_symbol(")")?;
            }
            if self.is_at_end() {
                return Ok(());
            }
        }
        self.found.administer("account");
        self.skip_rest();
        Ok(())
    }

    /// What lists something, with LIKE or WHERE behind it.
    fn show_list(&mut self) -> Parsed<()> {
        self.accept_word("EXTENDED");
        let full = self.accept_word("FULL");
        if self.shows_what_the_account_may(full) {
            self.found.effect(SessionEffect::ShowsPrivileges);
        }
        if self.accept_any(&["COLUMNS", "FIELDS"]).is_some() {
            self.show_of_table()?;
        } else if self.accept_any(&["TABLES", "TRIGGERS"]).is_some() {
            self.show_of_database()?;
        } else if !full && self.accept_any(&["INDEX", "INDEXES", "KEYS"]).is_some() {
            self.show_of_table()?;
        } else if !full && (self.accept_words(&["TABLE", "STATUS"]) || self.accept_word("EVENTS")) {
            self.show_of_database()?;
        } else if !full && self.accept_any(&["GLOBAL", "SESSION", "LOCAL"]).is_some() {
            self.accept_any(&["STATUS", "VARIABLES"]).ok_or_else(|| self.unexpected())?;
        } else if full || !self.show_of_server() {
            return Err(self.unexpected());
        }
        self.show_filter()
    }

    /// Whether what a list has in it depends on who asks.
    ///
    /// Not with a condition, in which there could be anything, and not of another database than the session's: by the
    /// session's it is known which account its person may use.
    fn shows_what_the_account_may(&self, full: bool) -> bool {
        let (lists, named) = if full { (["COLUMNS", "FIELDS"], 1) } else { (["EVENTS", "TRIGGERS"], 0) };
        let leaves = |token: &&Token<'_>| token.is_word("FROM") || token.is_word("IN");
        lists.iter().any(|word| self.is_word(word))
            && self.rest().iter().filter(leaves).count() == named
            && !self.rest().iter().any(|token| token.is_word("WHERE") || token.is_symbol("."))
    }

    /// Lists of what belongs to no database.
    fn show_of_server(&mut self) -> bool {
        const FORMS: &[&[&str]] = &[
            &["AUTHORS"],
            &["CHARACTER", "SET"],
            &["CHARSET"],
            &["COLLATION"],
            &["CONTRIBUTORS"],
            &["DATABASES"],
            &["ENGINES"],
            &["FUNCTION", "STATUS"],
            &["INDEX_STATISTICS"],
            &["LIBRARY", "STATUS"],
            &["LOCALES"],
            &["PACKAGE", "BODY", "STATUS"],
            &["PACKAGE", "STATUS"],
            &["PLUGINS"],
            &["PRIVILEGES"],
            &["PROCEDURE", "STATUS"],
            &["SCHEMAS"],
            &["STATUS"],
            &["STORAGE", "ENGINES"],
            &["TABLE_STATISTICS"],
            &["VARIABLES"],
        ];
        FORMS.iter().any(|form| self.accept_words(form))
    }

    /// `{FROM | IN} table [{FROM | IN} database]`.
    fn show_of_table(&mut self) -> Parsed<()> {
        self.accept_any(&["FROM", "IN"]).ok_or_else(|| self.unexpected())?;
        let mut name = self.qualified_name()?;
        if self.accept_any(&["FROM", "IN"]).is_some() {
            // The database behind it counts, whatever stands before the point.
            name.database = Some(self.ident()?);
        }
        self.touch(name, AccessMode::Use)
    }

    /// `[{FROM | IN} database]`.
    fn show_of_database(&mut self) -> Parsed<()> {
        if self.accept_any(&["FROM", "IN"]).is_none() {
            return self.touch_own_database(AccessMode::Use);
        }
        let name = self.ident()?;
        self.touch_database(name, AccessMode::Use)
    }

    /// `[LIKE 'pattern' | WHERE expression]`; sub-queries in it read what they read.
    fn show_filter(&mut self) -> Parsed<()> {
        if self.accept_word("LIKE") {
            let pattern =
                self.accept_kind(Kind::String).or_else(|| self.accept_kind(Kind::Placeholder)).is_some();
            return if pattern { Ok(()) } else { Err(self.unexpected()) };
        }
        if !self.accept_word("WHERE") {
            return Ok(());
        }
        if self.reading.flavor == MysqlFlavor::Mariadb
            && self.rest().iter().any(|token| token.is_word("WITH"))
        {
            // A recursive one there ends the whole server (10.11).
            return Err(unknown("WITH in SHOW"));
        }
        self.expression()
    }

    /// Notes that the database is touched; those that every server has belong to nobody.
    pub(super) fn touch_database(&mut self, name: &str, mode: AccessMode) -> Parsed<()> {
        let name = self.folded(name)?;
        let system = SYSTEM_DATABASES.iter().any(|system| system.eq_ignore_ascii_case(&name));
        let object = Object::Schema { name: name.as_str().into() };
        match (system, mode) {
            (true, AccessMode::Use) => self.found.access(Object::Database, AccessMode::Use),
            (true, _) => self.found.access(object, AccessMode::Administer),
            (false, mode) => self.found.access(object, mode),
        }
        Ok(())
    }

    /// The same for the session's own database.
    pub(super) fn touch_own_database(&mut self, mode: AccessMode) -> Parsed<()> {
        let name: &'t str = &self.context.database;
        if name.is_empty() {
            return Err(crate::model::facts::Unanalyzable::NoDatabase);
        }
        self.touch_database(name, mode)
    }
}
