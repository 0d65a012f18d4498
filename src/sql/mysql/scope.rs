//! What names stand for while a query is read: common table expressions, and what FROM lists.

use crate::model::{facts::Unanalyzable, name_context::MysqlFlavor};

use super::{
    names::TableName,
    parser::{Parsed, Parser, unknown},
};

/// One item of FROM.
#[derive(Debug)]
pub(super) struct Source<'t> {
    /// What the statement calls it: its alias, or its own name.
    pub(super) alias: &'t str,
    /// The table; `None` is a derived table, a table function or a common table expression, whose tables are noted
    /// where they stand.
    pub(super) table: Option<TableName<'t>>,
    /// It was noted that the query locks it.
    pub(super) locked: bool,
}

impl Source<'_> {
    /// Whether the statement may mean it by `name`.
    ///
    /// More names match than on the server, which looks at case or not as its file system does; what matches
    /// in excess is asked for in excess. Letters outside of ASCII match any.
    pub(super) fn may_be(&self, name: &str) -> bool {
        !name.is_ascii() || !self.alias.is_ascii() || self.alias.eq_ignore_ascii_case(name)
    }
}

impl<'t> Parser<'t> {
    /// WITH: its names hide tables from here to the end of the statement it belongs to; the caller cuts `ctes` back.
    ///
    /// A name is in scope behind its own definition, and with RECURSIVE in it. MariaDB lets recursive ones refer to
    /// later ones, too: those are taken for tables, which asks for more than the server does.
    pub(super) fn with_clause(&mut self) -> Parsed<()> {
        if !self.accept_word("WITH") {
            return Ok(());
        }
        let recursive = self.accept_word("RECURSIVE");
        loop {
            let name = self.ident()?;
            if self.is_symbol("(") {
                self.ident_list()?;
            }
            self.expect_word("AS")?;
            let hides = self.ctes.iter().any(|outer| outer.to_lowercase() == name.to_lowercase());
            if hides && self.reading.flavor == MysqlFlavor::Mariadb {
                // MariaDB takes the name for a table within the definition of the inner one.
                return Err(unknown("a common table expression that hides another one"));
            }
            if self.ctes.len() >= COMMON_TABLES {
                return Err(Unanalyzable::TooLarge {
                    what: "common table expressions",
                    limit: COMMON_TABLES,
                });
            }
            if recursive {
                self.ctes.push(name);
            }
            self.expect_symbol("(")?;
            self.inner_query()?;
            self.expect_symbol(")")?;
            self.cycle_clause()?;
            if !recursive {
                self.ctes.push(name);
            }
            if !self.accept_symbol(",") {
                return Ok(());
            }
        }
    }

    /// `CYCLE a, b RESTRICT` (MariaDB).
    fn cycle_clause(&mut self) -> Parsed<()> {
        if !self.accept_word("CYCLE") {
            return Ok(());
        }
        self.ident()?;
        while self.accept_symbol(",") {
            self.ident()?;
        }
        self.expect_word("RESTRICT")
    }

    /// Whether a common table expression hides `name`.
    ///
    /// Case counts: where the server looks past it (MariaDB, and MySQL where it folds names), more is taken for a
    /// table than the server takes.
    pub(super) fn is_common_table(&self, name: TableName<'t>) -> bool {
        name.database.is_none() && self.ctes.contains(&name.name)
    }
}

/// Common table expressions that are in scope at once.
const COMMON_TABLES: usize = 1_000;
