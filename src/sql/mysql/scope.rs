//! What names stand for while a query is read: common table expressions, and what FROM lists.

use super::{
    names::TableName,
    parser::{Parsed, Parser},
};

/// A common table expression that is in scope.
#[derive(Debug)]
pub(super) struct CommonTable<'t> {
    /// Its name as written.
    name: &'t str,
    /// The tables in its FROM clauses.
    tables: Vec<TableName<'t>>,
}

/// One item of FROM.
#[derive(Debug)]
pub(super) struct Source<'t> {
    /// What the statement calls it: its alias, or its own name.
    pub(super) alias: &'t str,
    /// What it is.
    pub(super) kind: SourceKind,
    /// The table itself, or those in the FROM clauses of a derived table or a common table expression.
    pub(super) tables: Vec<TableName<'t>>,
}

/// What an item of FROM is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceKind {
    /// A table or view by its name.
    Table,
    /// A sub-query, or a table function.
    Derived,
    /// A common table expression by its name.
    Common,
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
            if recursive {
                self.ctes.push(CommonTable { name, tables: Vec::new() });
            }
            self.expect_symbol("(")?;
            let sources = self.query_sources()?;
            self.expect_symbol(")")?;
            self.cycle_clause()?;
            let tables = tables_of(sources);
            if recursive {
                self.ctes.pop();
            }
            self.ctes.push(CommonTable { name, tables });
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

    /// The tables of the common table expression that hides `name`, if one does.
    ///
    /// Case counts unless the server folds names: where it does not (MariaDB), more is taken for a table.
    pub(super) fn common_table(&self, name: TableName<'t>) -> Option<Vec<TableName<'t>>> {
        if name.database.is_some() {
            return None;
        }
        let is_it = |common: &&CommonTable<'t>| {
            common.name == name.name
                || (self.reading.folds_names && common.name.eq_ignore_ascii_case(name.name))
        };
        self.ctes.iter().rev().find(is_it).map(|common| common.tables.clone())
    }
}

/// The tables of all sources.
pub(super) fn tables_of<'t>(sources: Vec<Source<'t>>) -> Vec<TableName<'t>> {
    sources.into_iter().flat_map(|source| source.tables).collect()
}
