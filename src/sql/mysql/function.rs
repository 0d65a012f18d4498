//! Calls: which are built in, and what the others are.

use crate::model::{
    facts::{AccessMode, SessionEffect, Tie},
    name_context::MysqlFlavor,
    object::Object,
};

use super::{
    builtin::{self, Class},
    keywords,
    names::TableName,
    parser::{Parsed, Parser, unknown},
    token::Kind,
};

impl<'t> Parser<'t> {
    /// A call by a word without quotes and without a database.
    ///
    /// Some built-in functions are only that if their bracket stands right behind the name (or under IGNORE_SPACE).
    pub(super) fn word_call(&mut self, word: &str) -> Parsed<()> {
        let Some(token) = self.peek() else { return Err(self.unexpected()) };
        let glued = self.peek_at(1).is_some_and(|bracket| bracket.glued) || self.reading.ignore_space;
        let reserved = keywords::is_reserved(&token.text, self.reading.flavor);
        if reserved && !CALLED_KEYWORDS.contains(&word) {
            return Err(self.unexpected());
        }
        if !glued && GLUED.contains(&word) && !reserved {
            let name = self.ident()?;
            return self.routine_call(None, name);
        }
        if let Some(class) = builtin::function(word, self.reading.flavor).filter(|_| !self.is_gone(word)) {
            self.next();
            return self.builtin_call(word, class);
        }
        if reserved {
            // A keyword that the grammar makes a function of, and the list of functions does not have.
            self.next();
            return self.arguments_of(word);
        }
        let name = self.ident()?;
        self.routine_call(None, name)
    }

    /// Whether the server no longer has the built-in function: its name is a stored function's then.
    ///
    /// Source: MySQL 9.6 release notes (MD5, SHA and SHA1 are a component's); closed for all of 9.
    fn is_gone(&self, word: &str) -> bool {
        self.reading.flavor == MysqlFlavor::Mysql
            && self.reading.version >= 90_000
            && ["md5", "sha", "sha1"].iter().any(|gone| word.eq_ignore_ascii_case(gone))
    }

    /// A call of a routine that is not built in, or that quotes or a database in front make a routine of the database.
    ///
    /// It may do anything that its definer may. Where policy calls it harmless, it runs on the read lane for all that:
    /// whether it writes out of sight, only the database can tell, and that lane's lock is what stops it.
    pub(super) fn routine_call(&mut self, database: Option<&'t str>, name: &'t str) -> Parsed<()> {
        let routine = self.routine_name(TableName { database, name })?;
        self.found.call(routine);
        self.routine_arguments()?;
        self.over()
    }

    /// "database.routine" in the one spelling that calls have; a loadable function has none, if there is no database.
    ///
    /// # Errors
    /// `Unknown` if the database has a dot in it, which would make the two parts ambiguous.
    pub(super) fn routine_name(&self, name: TableName<'t>) -> Parsed<String> {
        // Routines are compared without regard to case.
        let own = name.name.to_lowercase();
        if name.database.is_none() && self.context.database.is_empty() {
            return Ok(own);
        }
        let database = self.database_of(name)?;
        if database.contains('.') {
            return Err(unknown("a routine of a database with a dot in its name"));
        }
        Ok(format!("{database}.{own}"))
    }

    fn builtin_call(&mut self, word: &str, class: Class) -> Parsed<()> {
        match class {
            Class::Pure => {}
            Class::Pin => {
                let lock = self.named_lock(word);
                if lock == SessionEffect::Ties(Tie::NamedLock(None)) {
                    // Whether a lock of some name is held, anybody can ask.
                    self.found.keep();
                }
                self.found.effect(lock);
            }
            Class::Diagnostics => {
                self.found.effect(SessionEffect::ReadsDiagnostics);
                if !self.peek_at(1).is_some_and(|token| token.is_symbol(")")) {
                    // LAST_INSERT_ID(value) keeps the value, and tells it with the end of the statement.
                    self.found.keep();
                }
            }
            Class::Sequence => return self.sequence_call(word),
            Class::Guarded if word == "LOAD_FILE" => self.found.administer("server file"),
            Class::Guarded => {
                self.found.writes = true;
                self.found
                    .access(Object::Routine { name: word.to_lowercase().into() }, AccessMode::Administer);
            }
        }
        self.arguments_of(word)
    }

    /// What GET_LOCK and its kin leave; the bracket behind the name is in hand.
    fn named_lock(&self, word: &str) -> SessionEffect {
        if !word.eq_ignore_ascii_case("GET_LOCK") {
            return SessionEffect::Releases(Tie::NamedLock(None));
        }
        let constant = self.peek_at(1).filter(|name| name.kind == Kind::String && name.text.is_ascii());
        let alone = self.peek_at(2).is_some_and(|behind| behind.is_symbol(","));
        let name = constant.filter(|_| alone).map(|name| name.text.as_ref().into());
        SessionEffect::Ties(Tie::NamedLock(name))
    }

    /// Whether `NEXT VALUE FOR` or `PREVIOUS VALUE FOR` is in hand.
    pub(super) fn is_sequence_value(&self) -> bool {
        self.reading.flavor == MysqlFlavor::Mariadb
            && (self.are_words(&["NEXT", "VALUE", "FOR"]) || self.are_words(&["PREVIOUS", "VALUE", "FOR"]))
    }

    /// `NEXT VALUE FOR seq`, `PREVIOUS VALUE FOR seq` (MariaDB).
    pub(super) fn sequence_value(&mut self) -> Parsed<()> {
        let mode = if self.is_word("NEXT") { AccessMode::Write } else { AccessMode::Read };
        self.skip(3);
        self.touch_sequence(mode)
    }

    /// `NEXTVAL(seq)`, `SETVAL(seq, 1)`, `LASTVAL(seq)` (MariaDB).
    fn sequence_call(&mut self, word: &str) -> Parsed<()> {
        let mode = if word == "LASTVAL" { AccessMode::Read } else { AccessMode::Write };
        self.expect_symbol("(")?;
        self.touch_sequence(mode)?;
        while self.accept_symbol(",") {
            self.expression()?;
        }
        self.expect_symbol(")")
    }

    fn touch_sequence(&mut self, mode: AccessMode) -> Parsed<()> {
        if mode == AccessMode::Read {
            // The last value is the connection's own.
            self.found.effect(SessionEffect::ReadsDiagnostics);
        }
        self.table_name(mode).map(drop)
    }

    /// `seq.nextval` and `seq.currval`, if that is in hand: MariaDB reads a sequence where others read a column. What
    /// is taken for a sequence and is a column asks for more than it needs.
    pub(super) fn sequence_column(&mut self) -> Parsed<()> {
        if self.reading.flavor != MysqlFlavor::Mariadb {
            return Ok(());
        }
        let text = |ahead: usize| self.peek_at(ahead).map_or("", |token| &*token.text);
        let dot = |ahead: usize| self.peek_at(ahead).is_some_and(|token| token.is_symbol("."));
        let is_value = |word: &str| ["nextval", "currval"].iter().any(|name| word.eq_ignore_ascii_case(name));
        let parts = if dot(1) && dot(3) && is_value(text(4)) {
            2
        } else if dot(1) && !dot(3) && is_value(text(2)) {
            1
        } else {
            return Ok(());
        };
        let here = self.position();
        let first = self.ident()?;
        let name = if parts == 2 {
            self.next();
            TableName { database: Some(first), name: self.ident_behind_dot()? }
        } else {
            TableName { database: None, name: first }
        };
        self.go_back(here);
        self.touch(name, AccessMode::Write)
    }
}

/// Built-in functions that are words of the grammar only if the bracket follows at once.
///
/// Those of MySQL and MariaDB together; what only the other one has asks for more than it needs.
///
/// Source: MySQL manual, "Function Name Parsing and Resolution"; and what live servers take for a stored function.
const GLUED: &[&str] = &[
    "ADDDATE",
    "BIT_AND",
    "BIT_OR",
    "BIT_XOR",
    "CAST",
    "COUNT",
    "CUME_DIST",
    "CURDATE",
    "CURTIME",
    "DATE_ADD",
    "DATE_SUB",
    "DENSE_RANK",
    "EXTRACT",
    "FIRST_VALUE",
    "GROUP_CONCAT",
    "JSON_ARRAYAGG",
    "JSON_DUALITY_OBJECT",
    "JSON_OBJECTAGG",
    "LAG",
    "LAST_VALUE",
    "LEAD",
    "MAX",
    "MEDIAN",
    "MID",
    "MIN",
    "NOW",
    "NTH_VALUE",
    "NTILE",
    "PERCENTILE_CONT",
    "PERCENTILE_DISC",
    "PERCENT_RANK",
    "POSITION",
    "RANK",
    "ROW_NUMBER",
    "SESSION_USER",
    "STD",
    "STDDEV",
    "STDDEV_POP",
    "STDDEV_SAMP",
    "ST_COLLECT",
    "SUBDATE",
    "SUBSTR",
    "SUBSTRING",
    "SUM",
    "SYSDATE",
    "SYSTEM_USER",
    "TRIM",
    "TRIM_ORACLE",
    "VARIANCE",
    "VAR_POP",
    "VAR_SAMP",
];

/// Reserved words that the grammar makes functions of.
const CALLED_KEYWORDS: &[&str] = &[
    "CHAR",
    "CONVERT",
    "CUME_DIST",
    "CURRENT_DATE",
    "CURRENT_ROLE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "DATABASE",
    "DEFAULT",
    "DENSE_RANK",
    "FIRST_VALUE",
    "GROUPING",
    "IF",
    "INSERT",
    "LAG",
    "LAST_VALUE",
    "LEAD",
    "LEFT",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "MOD",
    "NTH_VALUE",
    "NTILE",
    "PERCENT_RANK",
    "RANK",
    "REPEAT",
    "REPLACE",
    "RIGHT",
    "ROW_NUMBER",
    "SCHEMA",
    "UTC_DATE",
    "UTC_TIME",
    "UTC_TIMESTAMP",
    "VALUES",
];
