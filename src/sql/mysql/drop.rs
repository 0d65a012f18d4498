//! DROP, RENAME and TRUNCATE.

use std::collections::HashSet;

use crate::model::{
    facts::{AccessMode, SessionEffect, StatementKind, TransactionEffect},
    object::Object,
};

use super::{
    parser::{Parsed, Parser, unknown},
    statement::Head,
    token::Kind,
};

impl Parser<'_> {
    /// DROP, in all its forms.
    pub(super) fn drop(&mut self) -> Parsed<Head> {
        if self.are_words(&["DROP", "PREPARE"]) {
            return self.deallocate();
        }
        self.expect_word("DROP")?;
        let temporary = self.accept_word("TEMPORARY");
        if self.accept_any(&["TABLE", "TABLES"]).is_some() {
            return self.drop_relations("DROP TABLE", temporary);
        }
        if self.accept_word("SEQUENCE") {
            return self.drop_relations("DROP SEQUENCE", temporary);
        }
        if temporary {
            return Err(self.unexpected());
        }
        if self.accept_word("VIEW") {
            return self.drop_relations("DROP VIEW", false);
        }
        if self.accept_any(&["DATABASE", "SCHEMA"]).is_some() {
            self.if_exists()?;
            return self.administer_database("DROP DATABASE");
        }
        self.accept_any(&["ONLINE", "OFFLINE"]);
        if self.accept_word("INDEX") {
            return self.drop_index();
        }
        let (command, what) = KINDS
            .iter()
            .find(|(words, _, _)| self.accept_words(words))
            .map(|(_, what, command)| (*command, *what))
            .ok_or_else(|| self.unexpected())?;
        self.defines();
        self.found.administer(what);
        self.skip_rest();
        Ok((StatementKind::Administer, command))
    }

    /// Tables, views or sequences, from behind the kind on.
    fn drop_relations(&mut self, command: &'static str, temporary: bool) -> Parsed<Head> {
        self.defines();
        if temporary {
            self.found.transaction = TransactionEffect::None;
        }
        self.if_exists()?;
        let mut dropped = HashSet::new();
        loop {
            let name = self.qualified_name()?;
            if temporary {
                // Never a table of the database, whatever its name.
                self.found.access(Object::Database, AccessMode::Use);
            } else if command == "DROP VIEW" {
                self.define_new(name)?;
            } else {
                self.touch(name, AccessMode::Define)?;
            }
            if command != "DROP VIEW" {
                let name = self.temporary_name(name)?;
                self.found.effect(SessionEffect::DropRelation(name.as_str().into()));
                if !dropped.insert(name) {
                    // Of two tables of one name, the temporary one is only the first to go.
                    return Err(unknown("DROP of one name twice"));
                }
            }
            if !self.accept_symbol(",") {
                break;
            }
        }
        self.accept_any(&["RESTRICT", "CASCADE"]);
        self.accept_wait()?;
        Ok((StatementKind::Define, command))
    }

    /// From the name on.
    fn drop_index(&mut self) -> Parsed<Head> {
        self.defines();
        self.if_exists()?;
        if !self.accept_word("PRIMARY") {
            self.ident()?;
        }
        self.expect_word("ON")?;
        self.table_name(AccessMode::Define)?;
        self.online_options()?;
        Ok((StatementKind::Define, "DROP INDEX"))
    }

    pub(super) fn if_exists(&mut self) -> Parsed<()> {
        if self.accept_word("IF") { self.expect_word("EXISTS") } else { Ok(()) }
    }

    /// `TRUNCATE [TABLE] name`.
    pub(super) fn truncate(&mut self) -> Parsed<Head> {
        self.expect_word("TRUNCATE")?;
        self.accept_word("TABLE");
        self.defines();
        self.table_name(AccessMode::Define)?;
        self.accept_wait()?;
        Ok((StatementKind::Define, "TRUNCATE TABLE"))
    }

    /// RENAME TABLE; users are administration.
    pub(super) fn rename(&mut self) -> Parsed<Head> {
        self.expect_word("RENAME")?;
        if self.accept_word("USER") {
            self.defines();
            self.found.administer("account");
            self.skip_rest();
            return Ok((StatementKind::Administer, "RENAME USER"));
        }
        self.accept_any(&["TABLE", "TABLES"]).ok_or_else(|| self.unexpected())?;
        self.defines();
        self.if_exists()?;
        loop {
            // MariaDB renames a temporary table of the name, MySQL the other: asked for is the stricter.
            let name = self.qualified_name()?;
            self.define_new(name)?;
            let old = self.temporary_name(name)?;
            self.found.effect(SessionEffect::DropRelation(old.into()));
            self.accept_wait()?;
            self.expect_word("TO")?;
            let name = self.qualified_name()?;
            self.define_new(name)?;
            if !self.accept_symbol(",") {
                break;
            }
        }
        Ok((StatementKind::Define, "RENAME TABLE"))
    }

    /// ANALYZE, CHECK, CHECKSUM, OPTIMIZE and REPAIR TABLE; CACHE INDEX.
    pub(super) fn maintain(&mut self) -> Parsed<Head> {
        if self.accept_words(&["CACHE", "INDEX"]) {
            self.found.administer("key cache");
            self.skip_rest();
            return Ok((StatementKind::Administer, "CACHE INDEX"));
        }
        let commands: [(&'static str, &'static str); 5] = [
            ("ANALYZE", "ANALYZE TABLE"),
            ("CHECK", "CHECK TABLE"),
            ("CHECKSUM", "CHECKSUM TABLE"),
            ("OPTIMIZE", "OPTIMIZE TABLE"),
            ("REPAIR", "REPAIR TABLE"),
        ];
        let command = commands.into_iter().find(|(word, _)| self.accept_word(word));
        let (word, command) = command.ok_or_else(|| self.unexpected())?;
        // A checksum tells of the rows and changes nothing.
        let mode = if word == "CHECKSUM" { AccessMode::Read } else { AccessMode::Define };
        if word != "CHECKSUM" {
            self.defines();
        }
        self.accept_any(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
        self.accept_any(&["TABLE", "TABLES", "VIEW", "VIEWS"]).ok_or_else(|| self.unexpected())?;
        loop {
            self.table_name(mode)?;
            if self.accept_word("PERSISTENT") {
                self.persistent_for()?;
            }
            if !self.accept_symbol(",") {
                break;
            }
        }
        self.maintenance_options()?;
        Ok((StatementKind::Define, command))
    }

    /// Whether ANALYZE in hand is about tables.
    pub(super) fn is_maintenance(&self) -> bool {
        const BEHIND: &[&str] = &["TABLE", "TABLES", "LOCAL", "NO_WRITE_TO_BINLOG"];
        self.peek_at(1).is_some_and(|token| BEHIND.iter().any(|word| token.is_word(word)))
    }

    /// `PERSISTENT FOR {ALL | COLUMNS (…) INDEXES (…)}` (MariaDB), from FOR on.
    fn persistent_for(&mut self) -> Parsed<()> {
        self.expect_word("FOR")?;
        if self.accept_word("ALL") {
            return Ok(());
        }
        for kind in ["COLUMNS", "INDEXES"] {
            self.expect_word(kind)?;
            if !self.accept_word("ALL") {
                self.expect_symbol("(")?;
                while !self.accept_symbol(")") {
                    if !self.accept_word("PRIMARY") {
                        self.ident()?;
                    }
                    self.accept_symbol(",");
                }
            }
        }
        Ok(())
    }

    fn maintenance_options(&mut self) -> Parsed<()> {
        const WORDS: &[&str] = &["CHANGED", "EXTENDED", "FAST", "FORCE", "MEDIUM", "QUICK", "USE_FRM"];
        loop {
            if self.accept_any(WORDS).is_some()
                || self.accept_words(&["FOR", "UPGRADE"])
                || self.accept_words(&["AUTO", "UPDATE"])
                || self.accept_words(&["MANUAL", "UPDATE"])
            {
                continue;
            }
            if self.accept_any(&["UPDATE", "DROP"]).is_some() {
                self.expect_word("HISTOGRAM")?;
                self.expect_word("ON")?;
                self.ident()?;
                while self.accept_symbol(",") {
                    self.ident()?;
                }
            } else if self.is_word("WITH") {
                self.next();
                self.accept_kind(Kind::Integer).ok_or_else(|| self.unexpected())?;
                self.expect_word("BUCKETS")?;
            } else if self.accept_words(&["USING", "DATA"]) {
                self.accept_kind(Kind::String).ok_or_else(|| self.unexpected())?;
            } else {
                return Ok(());
            }
        }
    }
}

/// What administrators drop, by its first words.
const KINDS: &[(&[&str], &str, &str)] = &[
    (&["EVENT"], "event", "DROP EVENT"),
    (&["FUNCTION"], "routine", "DROP FUNCTION"),
    (&["LIBRARY"], "routine", "DROP LIBRARY"),
    (&["LOGFILE", "GROUP"], "tablespace", "DROP LOGFILE GROUP"),
    (&["MASKING", "POLICY"], "masking policy", "DROP MASKING POLICY"),
    (&["PACKAGE"], "routine", "DROP PACKAGE"),
    (&["PROCEDURE"], "routine", "DROP PROCEDURE"),
    (&["RESOURCE", "GROUP"], "resource group", "DROP RESOURCE GROUP"),
    (&["ROLE"], "role", "DROP ROLE"),
    (&["SERVER"], "foreign server", "DROP SERVER"),
    (&["SPATIAL", "REFERENCE", "SYSTEM"], "spatial reference system", "DROP SPATIAL REFERENCE SYSTEM"),
    (&["TABLESPACE"], "tablespace", "DROP TABLESPACE"),
    (&["TRIGGER"], "trigger", "DROP TRIGGER"),
    (&["UNDO", "TABLESPACE"], "tablespace", "DROP TABLESPACE"),
    (&["USER"], "account", "DROP USER"),
];
