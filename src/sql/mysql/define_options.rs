//! Options of tables, and partitions.

use super::{
    parser::{Parsed, Parser},
    token::Kind,
};

impl Parser<'_> {
    /// Options of a table, with commas between them or without.
    pub(super) fn table_options(&mut self) -> Parsed<()> {
        while self.table_option()? {
            self.accept_symbol(",");
        }
        Ok(())
    }

    /// One option of a table; false if none is in hand.
    ///
    /// Engines that reach files or other servers, places of the server, and options that the gateway does not know
    /// (MariaDB lets engines have their own) need `admin`.
    pub(super) fn table_option(&mut self) -> Parsed<bool> {
        if self.accept_word("ENGINE") {
            self.accept_symbol("=");
            return self.engine().map(|()| true);
        }
        if self.accept_words(&["DATA", "DIRECTORY"]) || self.accept_words(&["INDEX", "DIRECTORY"]) {
            self.accept_symbol("=");
            self.found.administer("server file");
            return self.option_value().map(|()| true);
        }
        if self.accept_word("UNION") {
            self.accept_symbol("=");
            // Tables that a MERGE table shows as its own.
            self.found.administer("merged tables");
            self.expect_symbol("(")?;
            if !self.is_symbol(")") {
                self.table_names(crate::model::facts::AccessMode::Read)?;
            }
            return self.expect_symbol(")").map(|()| true);
        }
        if self.is_word("DEFAULT") || self.is_charset_option() {
            self.accept_word("DEFAULT");
            if self.accept_any(&["COLLATE", "CHARSET"]).is_none() && !self.accept_words(&["CHARACTER", "SET"])
            {
                self.accept_words(&["CHAR", "SET"]);
            }
            self.accept_symbol("=");
            return self.collation_or_default().map(|()| true);
        }
        if self.accept_words(&["START", "TRANSACTION"])
            || self.accept_words(&["WITH", "SYSTEM", "VERSIONING"])
        {
            return Ok(true);
        }
        if self.accept_word("SECONDARY_ENGINE") {
            self.accept_symbol("=");
            self.found.administer("secondary engine");
            // A name, or NULL.
            return self.option_value().map(|()| true);
        }
        if self.accept_word("TABLESPACE") {
            self.accept_symbol("=");
            return self.tablespace().map(|()| true);
        }
        if self.accept_any(HARMLESS).is_some() {
            self.accept_symbol("=");
            return self.option_or_default().map(|()| true);
        }
        let named = self.is_ident() && self.peek_at(1).is_some_and(|token| token.is_symbol("="));
        if !named {
            return Ok(false);
        }
        self.next();
        self.next();
        self.found.administer("table option");
        self.option_or_default().map(|()| true)
    }

    fn is_charset_option(&self) -> bool {
        ["CHARSET", "COLLATE"].iter().any(|word| self.is_word(word))
            || self.are_words(&["CHARACTER", "SET"])
            || self.are_words(&["CHAR", "SET"])
    }

    fn collation_or_default(&mut self) -> Parsed<()> {
        if self.accept_word("DEFAULT") { Ok(()) } else { self.collation() }
    }

    fn option_or_default(&mut self) -> Parsed<()> {
        if self.accept_word("DEFAULT") || self.accept_any(&["ON", "OFF"]).is_some() {
            return Ok(());
        }
        self.option_value()
    }

    /// An engine's name.
    pub(super) fn engine(&mut self) -> Parsed<()> {
        let name = self.peek().map(|token| token.text.to_ascii_lowercase()).unwrap_or_default();
        self.option_value()?;
        if !ENGINES.contains(&name.as_str()) {
            self.found.administer("storage engine");
        }
        Ok(())
    }

    fn tablespace(&mut self) -> Parsed<()> {
        let name = self.peek().map(|token| token.text.to_ascii_lowercase()).unwrap_or_default();
        self.option_value()?;
        if !matches!(name.as_str(), "innodb_file_per_table" | "innodb_system") {
            self.found.administer("tablespace");
        }
        self.accept_words(&["STORAGE", "DISK"]);
        self.accept_words(&["STORAGE", "MEMORY"]);
        Ok(())
    }

    /// `PARTITION BY …`, if it is in hand.
    pub(super) fn partition_by(&mut self) -> Parsed<()> {
        if !self.accept_words(&["PARTITION", "BY"]) {
            return Ok(());
        }
        self.partition_method()?;
        self.partition_count("PARTITIONS")?;
        if self.accept_words(&["SUBPARTITION", "BY"]) {
            self.partition_method()?;
            self.partition_count("SUBPARTITIONS")?;
        }
        if self.is_symbol("(") && !self.peek_at(1).is_some_and(|token| token.is_word("SELECT")) {
            self.partition_definitions()?;
        }
        Ok(())
    }

    fn partition_count(&mut self, word: &'static str) -> Parsed<()> {
        if !self.accept_word(word) {
            return Ok(());
        }
        self.accept_kind(Kind::Integer).map(drop).ok_or_else(|| self.unexpected())
    }

    fn partition_method(&mut self) -> Parsed<()> {
        self.accept_word("LINEAR");
        if self.accept_word("KEY") {
            if self.accept_word("ALGORITHM") {
                self.accept_symbol("=");
                self.accept_kind(Kind::Integer).ok_or_else(|| self.unexpected())?;
            }
            if self.peek_at(1).is_some_and(|token| token.is_symbol(")")) {
                self.expect_symbol("(")?;
                return self.expect_symbol(")");
            }
            return self.ident_list();
        }
        if self.accept_word("SYSTEM_TIME") {
            return self.system_time_method();
        }
        self.accept_any(&["HASH", "RANGE", "LIST"]).ok_or_else(|| self.unexpected())?;
        if self.accept_word("COLUMNS") {
            return self.ident_list();
        }
        self.expect_symbol("(")?;
        self.expression()?;
        self.expect_symbol(")")
    }

    /// `[INTERVAL n unit [STARTS …]] [LIMIT n] [AUTO]` (MariaDB).
    fn system_time_method(&mut self) -> Parsed<()> {
        if self.accept_word("INTERVAL") {
            self.operand()?;
            self.ident()?;
            if self.accept_word("STARTS") {
                self.operand()?;
            }
        }
        if self.accept_word("LIMIT") {
            self.accept_kind(Kind::Integer).ok_or_else(|| self.unexpected())?;
        }
        self.accept_word("AUTO");
        Ok(())
    }

    /// `(PARTITION name VALUES …, …)`.
    pub(super) fn partition_definitions(&mut self) -> Parsed<()> {
        self.expect_symbol("(")?;
        loop {
            self.expect_word("PARTITION")?;
            self.ident()?;
            if self.accept_word("VALUES") {
                self.partition_values()?;
            }
            self.accept_any(&["CURRENT", "HISTORY"]);
            self.partition_options()?;
            if self.accept_symbol("(") {
                loop {
                    self.expect_word("SUBPARTITION")?;
                    self.ident()?;
                    self.partition_options()?;
                    if !self.accept_symbol(",") {
                        break;
                    }
                }
                self.expect_symbol(")")?;
            }
            if !self.accept_symbol(",") {
                return self.expect_symbol(")");
            }
        }
    }

    fn partition_values(&mut self) -> Parsed<()> {
        if self.accept_words(&["LESS", "THAN"]) {
            if self.accept_word("MAXVALUE") {
                return Ok(());
            }
            return self.partition_value_list();
        }
        self.expect_word("IN")?;
        self.partition_value_list()
    }

    /// Values in brackets; of several columns in brackets of their own.
    fn partition_value_list(&mut self) -> Parsed<()> {
        self.expect_symbol("(")?;
        loop {
            if self.accept_any(&["MAXVALUE", "DEFAULT"]).is_none() {
                self.expression()?;
            }
            if !self.accept_symbol(",") {
                return self.expect_symbol(")");
            }
        }
    }

    fn partition_options(&mut self) -> Parsed<()> {
        loop {
            if self.are_words(&["STORAGE", "ENGINE"]) {
                self.next();
            }
            if !self.table_option()? {
                return Ok(());
            }
        }
    }
}

/// Engines that keep rows in the server's own files and nowhere else.
const ENGINES: &[&str] =
    &["archive", "aria", "default", "heap", "innodb", "memory", "myisam", "ndb", "ndbcluster", "rocksdb"];

/// Options that say how rows are kept.
const HARMLESS: &[&str] = &[
    "AUTOEXTEND_SIZE",
    "AUTO_INCREMENT",
    "AVG_ROW_LENGTH",
    "CHECKSUM",
    "COMMENT",
    "COMPRESSION",
    "DELAY_KEY_WRITE",
    "ENCRYPTED",
    "ENCRYPTION",
    "ENGINE_ATTRIBUTE",
    "INSERT_METHOD",
    "KEY_BLOCK_SIZE",
    "MAX_ROWS",
    "MIN_ROWS",
    "NODEGROUP",
    "PACK_KEYS",
    "PAGE_CHECKSUM",
    "PAGE_COMPRESSED",
    "PAGE_COMPRESSION_LEVEL",
    "ROW_FORMAT",
    "SEQUENCE",
    "STATS_AUTO_RECALC",
    "STATS_PERSISTENT",
    "STATS_SAMPLE_PAGES",
    "STORAGE",
    "TABLE_CHECKSUM",
    "TRANSACTIONAL",
];
