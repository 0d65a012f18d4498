//! ALTER.

use crate::model::facts::{AccessMode, SessionEffect, StatementKind};

use super::{
    administered::Administered,
    names::TableName,
    parser::{Parsed, Parser},
    statement::Head,
    token::Kind,
};

impl<'t> Parser<'t> {
    /// ALTER, in all its forms.
    pub(super) fn alter(&mut self) -> Parsed<Head> {
        self.expect_word("ALTER")?;
        let position = self.position();
        self.accept_any(&["ONLINE", "OFFLINE"]);
        self.accept_word("IGNORE");
        if self.accept_word("TABLE") {
            return self.alter_table();
        }
        self.go_back(position);
        if self.accept_word("SEQUENCE") {
            self.defines();
            self.if_exists()?;
            self.table_name(AccessMode::Define)?;
            self.sequence_options()?;
            return Ok((StatementKind::Define, "ALTER SEQUENCE"));
        }
        if self.accept_any(&["DATABASE", "SCHEMA"]).is_some() {
            return self.administer_database("ALTER DATABASE");
        }
        self.view_options()?;
        if self.accept_word("VIEW") {
            return self.create_view("ALTER VIEW");
        }
        self.go_back(position);
        self.administered(KINDS)
    }

    /// From behind TABLE on.
    fn alter_table(&mut self) -> Parsed<Head> {
        self.defines();
        self.if_exists()?;
        let name = self.table_name(AccessMode::Define)?;
        self.accept_wait()?;
        while !self.is_at_end() {
            self.alter_action(name)?;
            if !self.accept_symbol(",") && !self.goes_on_without_comma() {
                break;
            }
        }
        self.show_captured(AccessMode::Define);
        Ok((StatementKind::Define, "ALTER TABLE"))
    }

    /// Options of the table may follow one another; what is about partitions follows without a comma.
    fn goes_on_without_comma(&self) -> bool {
        self.is_ident()
            || ["PARTITION", "REMOVE", "DEFAULT", "CHARACTER", "COLLATE", "UNION"]
                .iter()
                .any(|word| self.is_word(word))
    }

    fn alter_action(&mut self, table: TableName<'t>) -> Parsed<()> {
        if self.accept_word("ADD") {
            return self.alter_add();
        }
        if self.accept_word("DROP") {
            return self.alter_drop();
        }
        if self.accept_any(&["CHANGE", "MODIFY"]).is_some() {
            let change = self.since(0).last().is_some_and(|token| token.is_word("CHANGE"));
            self.accept_word("COLUMN");
            self.if_exists()?;
            self.ident()?;
            if change {
                self.ident()?;
            }
            self.column_definition()?;
            return self.column_place();
        }
        if self.accept_word("ALTER") {
            return self.alter_alter();
        }
        if self.accept_word("RENAME") {
            return self.alter_rename(table);
        }
        if self.accept_words(&["ORDER", "BY"]) {
            loop {
                self.column()?;
                self.accept_any(&["ASC", "DESC"]);
                if !self.is_symbol(",") {
                    return Ok(());
                }
                self.next();
            }
        }
        if self.accept_words(&["CONVERT", "TO"]) {
            return self.alter_convert();
        }
        if self.alter_of_partitions()? || self.alter_plainly()? {
            return Ok(());
        }
        if self.is_word("PARTITION") {
            return self.partition_by();
        }
        if self.table_option()? { Ok(()) } else { Err(self.unexpected()) }
    }

    /// `FIRST`, `AFTER column`.
    fn column_place(&mut self) -> Parsed<()> {
        if self.accept_word("AFTER") {
            return self.ident().map(drop);
        }
        self.accept_word("FIRST");
        Ok(())
    }

    fn alter_add(&mut self) -> Parsed<()> {
        if self.is_word("PARTITION") {
            self.next();
            self.if_not_exists()?;
            self.accept_any(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
            if self.accept_word("PARTITIONS") {
                return self.accept_kind(Kind::Integer).map(drop).ok_or_else(|| self.unexpected());
            }
            return self.partition_definitions();
        }
        if self.accept_words(&["SYSTEM", "VERSIONING"]) {
            return Ok(());
        }
        if self.is_word("PERIOD") && self.peek_at(1).is_some_and(|token| token.is_word("FOR")) {
            return self.period();
        }
        if self.is_table_constraint() {
            return self.table_constraint();
        }
        self.accept_word("COLUMN");
        self.if_not_exists()?;
        if !self.accept_symbol("(") {
            self.ident()?;
            self.column_definition()?;
            return self.column_place();
        }
        loop {
            if self.is_table_constraint() {
                self.table_constraint()?;
            } else {
                self.ident()?;
                self.column_definition()?;
            }
            if !self.accept_symbol(",") {
                return self.expect_symbol(")");
            }
        }
    }

    fn alter_drop(&mut self) -> Parsed<()> {
        if self.accept_words(&["PRIMARY", "KEY"]) || self.accept_words(&["SYSTEM", "VERSIONING"]) {
            return Ok(());
        }
        if self.accept_words(&["PERIOD", "FOR"]) {
            return self.ident().map(drop);
        }
        let several = self.accept_word("PARTITION");
        if !several {
            self.accept_words(&["FOREIGN", "KEY"]);
            self.accept_any(&["INDEX", "KEY", "CONSTRAINT", "CHECK", "COLUMN"]);
        }
        self.if_exists()?;
        self.ident()?;
        while several && self.accept_symbol(",") {
            self.ident()?;
        }
        self.accept_any(&["RESTRICT", "CASCADE"]);
        Ok(())
    }

    /// ALTER of a column's default, of an index or of a check.
    fn alter_alter(&mut self) -> Parsed<()> {
        if self.accept_any(&["INDEX", "KEY", "CONSTRAINT", "CHECK"]).is_none() {
            self.accept_word("COLUMN");
        }
        self.if_exists()?;
        self.ident()?;
        if self.accept_words(&["DROP", "DEFAULT"])
            || self.accept_any(&["VISIBLE", "INVISIBLE", "ENFORCED", "IGNORED"]).is_some()
            || self.accept_words(&["NOT", "ENFORCED"])
            || self.accept_words(&["NOT", "IGNORED"])
        {
            return Ok(());
        }
        if self.are_words(&["DROP", "MASKING"]) || self.are_words(&["SET", "MASKING"]) {
            self.found.administer("masking policy");
            self.skip_rest();
            return Ok(());
        }
        self.expect_word("SET")?;
        if self.accept_any(&["VISIBLE", "INVISIBLE"]).is_some() {
            return Ok(());
        }
        self.expect_word("DEFAULT")?;
        self.expression()
    }

    fn alter_rename(&mut self, table: TableName<'t>) -> Parsed<()> {
        if self.accept_any(&["COLUMN", "INDEX", "KEY"]).is_some() {
            self.if_exists()?;
            self.ident()?;
            self.expect_word("TO")?;
            return self.ident().map(drop);
        }
        if self.accept_any(&["TO", "AS"]).is_none() {
            self.accept_symbol("=");
        }
        let name = self.qualified_name()?;
        let (old, new) = (self.temporary_name(table)?, self.temporary_name(name)?);
        let is_temporary = self.is_temporary(&self.database_of(table)?, &self.folded(table.name)?);
        if is_temporary {
            self.found.effect(SessionEffect::DropRelation(old.into()));
            self.found.effect(SessionEffect::CreateTemporary(new.into()));
            return Ok(());
        }
        self.define_new(name)
    }

    /// `CONVERT TO CHARACTER SET …`, `CONVERT TABLE t TO PARTITION p …` (MariaDB), from behind CONVERT TO on.
    fn alter_convert(&mut self) -> Parsed<()> {
        if self.accept_word("CHARSET") || self.accept_words(&["CHARACTER", "SET"]) {
            if !self.accept_word("DEFAULT") {
                self.collation()?;
            }
            if self.accept_word("COLLATE") {
                self.collation()?;
            }
            return Ok(());
        }
        Err(self.unexpected())
    }

    /// What is done to partitions; false if nothing of that is in hand.
    fn alter_of_partitions(&mut self) -> Parsed<bool> {
        if self.accept_words(&["EXCHANGE", "PARTITION"]) {
            self.ident()?;
            self.expect_word("WITH")?;
            self.expect_word("TABLE")?;
            // Rows of both change places, and are read under the other's name.
            let other = self.table_name(AccessMode::Define)?;
            self.touch(other, AccessMode::Read)?;
            if self.accept_any(&["WITH", "WITHOUT"]).is_some() {
                self.expect_word("VALIDATION")?;
            }
            return Ok(true);
        }
        if self.accept_words(&["REMOVE", "PARTITIONING"]) {
            return Ok(true);
        }
        if self.accept_words(&["COALESCE", "PARTITION"]) {
            self.accept_any(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
            return self.accept_kind(Kind::Integer).map(|_| true).ok_or_else(|| self.unexpected());
        }
        if self.accept_words(&["REORGANIZE", "PARTITION"]) {
            self.accept_any(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
            if self.is_at_end() {
                return Ok(true);
            }
            self.partition_names()?;
            self.expect_word("INTO")?;
            return self.partition_definitions().map(|()| true);
        }
        let words = ["ANALYZE", "CHECK", "OPTIMIZE", "REBUILD", "REPAIR", "TRUNCATE"];
        let of_partition = self.peek_at(1).is_some_and(|token| token.is_word("PARTITION"));
        if of_partition && self.accept_any(&words).is_some() {
            self.next();
            self.accept_any(&["NO_WRITE_TO_BINLOG", "LOCAL"]);
            self.partition_names()?;
            while self.accept_any(&["QUICK", "FAST", "MEDIUM", "EXTENDED", "CHANGED", "USE_FRM"]).is_some() {}
            return Ok(true);
        }
        if of_partition && (self.is_word("DISCARD") || self.is_word("IMPORT")) {
            self.next();
            self.next();
            self.partition_names()?;
            self.expect_word("TABLESPACE")?;
            self.found.administer("server file");
            return Ok(true);
        }
        Ok(false)
    }

    fn partition_names(&mut self) -> Parsed<()> {
        if self.accept_word("ALL") {
            return Ok(());
        }
        self.ident()?;
        while self.accept_symbol(",") {
            self.ident()?;
        }
        Ok(())
    }

    /// Actions without names; false if none is in hand.
    fn alter_plainly(&mut self) -> Parsed<bool> {
        if self.accept_any(&["DISCARD", "IMPORT"]).is_some() {
            self.expect_word("TABLESPACE")?;
            self.found.administer("server file");
            return Ok(true);
        }
        if self.accept_any(&["DISABLE", "ENABLE"]).is_some() {
            return self.expect_word("KEYS").map(|()| true);
        }
        if self.accept_any(&["SECONDARY_LOAD", "SECONDARY_UNLOAD"]).is_some() {
            self.found.administer("secondary engine");
            return Ok(true);
        }
        if self.accept_any(&["ALGORITHM", "LOCK"]).is_some() {
            self.accept_symbol("=");
            return if self.accept_word("DEFAULT") { Ok(true) } else { self.ident().map(|_| true) };
        }
        Ok(self.accept_word("FORCE")
            || self.accept_words(&["WITH", "VALIDATION"])
            || self.accept_words(&["WITHOUT", "VALIDATION"]))
    }
}

/// What administrators alter, by its first words.
const KINDS: &[Administered] = &[
    Administered::with_body(&["EVENT"], "event", "ALTER EVENT"),
    Administered::new(&["FUNCTION"], "routine", "ALTER FUNCTION"),
    Administered::new(&["INSTANCE"], "server", "ALTER INSTANCE"),
    Administered::new(&["LIBRARY"], "routine", "ALTER LIBRARY"),
    Administered::new(&["LOGFILE", "GROUP"], "tablespace", "ALTER LOGFILE GROUP"),
    Administered::new(&["MASKING", "POLICY"], "masking policy", "ALTER MASKING POLICY"),
    Administered::new(&["PROCEDURE"], "routine", "ALTER PROCEDURE"),
    Administered::new(&["RESOURCE", "GROUP"], "resource group", "ALTER RESOURCE GROUP"),
    Administered::new(&["SERVER"], "foreign server", "ALTER SERVER"),
    Administered::new(&["TABLESPACE"], "tablespace", "ALTER TABLESPACE"),
    Administered::new(&["UNDO", "TABLESPACE"], "tablespace", "ALTER TABLESPACE"),
    Administered::new(&["USER"], "account", "ALTER USER"),
];
