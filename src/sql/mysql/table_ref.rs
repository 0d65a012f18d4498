//! What stands in FROM: tables, joins, derived tables, table functions.

use crate::model::{facts::Unanalyzable, name_context::MysqlFlavor};

use super::{
    parser::{Parsed, Parser},
    scope::Source,
    token::Kind,
};

impl<'t> Parser<'t> {
    /// The list behind FROM. The tables are not noted yet.
    pub(super) fn from(&mut self) -> Parsed<Vec<Source<'t>>> {
        if self.accept_word("DUAL") {
            return Ok(Vec::new());
        }
        self.table_refs()
    }

    /// Tables and joins with commas between them.
    pub(super) fn table_refs(&mut self) -> Parsed<Vec<Source<'t>>> {
        let mut sources = self.table_ref()?;
        while self.accept_symbol(",") {
            self.add_sources(&mut sources, Self::table_ref)?;
        }
        Ok(sources)
    }

    /// Adds what a rule finds to the sources of one FROM.
    fn add_sources(
        &mut self,
        sources: &mut Vec<Source<'t>>,
        rule: impl FnOnce(&mut Self) -> Parsed<Vec<Source<'t>>>,
    ) -> Parsed<()> {
        sources.extend(rule(self)?);
        if sources.len() > SOURCES {
            return Err(Unanalyzable::TooLarge { what: "tables in one FROM", limit: SOURCES });
        }
        Ok(())
    }

    /// A table with everything that is joined to it.
    fn table_ref(&mut self) -> Parsed<Vec<Source<'t>>> {
        let mut sources = self.table_factor()?;
        self.joins(&mut sources)?;
        Ok(sources)
    }

    /// Joins and their conditions in a row; which condition is whose decides no fact.
    fn joins(&mut self, sources: &mut Vec<Source<'t>>) -> Parsed<()> {
        let mut joined = false;
        loop {
            if self.join_word()? {
                self.add_sources(sources, Self::table_factor)?;
                joined = true;
            } else if joined && self.is_word("ON") && !self.are_words(&["ON", "DUPLICATE", "KEY"]) {
                self.next();
                self.expression()?;
            } else if joined && self.accept_word("USING") {
                self.ident_list()?;
            } else {
                return Ok(());
            }
        }
    }

    /// Takes the words of a join; whether there were any.
    fn join_word(&mut self) -> Parsed<bool> {
        if self.accept_word("STRAIGHT_JOIN") {
            return Ok(true);
        }
        let natural = self.accept_word("NATURAL");
        let outer = self.accept_any(&["LEFT", "RIGHT"]).is_some();
        if outer {
            self.accept_word("OUTER");
        }
        let inner = !outer && self.accept_any(&["INNER", "CROSS"]).is_some();
        if natural || outer || inner {
            return self.expect_word("JOIN").map(|()| true);
        }
        Ok(self.accept_word("JOIN"))
    }

    fn table_factor(&mut self) -> Parsed<Vec<Source<'t>>> {
        if self.is_symbol("(") {
            return self.bracketed_factor();
        }
        if self.accept_symbol("{") {
            return self.nested(|parser| {
                parser.expect_word("OJ")?;
                let sources = parser.table_ref()?;
                parser.expect_symbol("}")?;
                Ok(sources)
            });
        }
        let bracket = |ahead: usize| self.peek_at(ahead).is_some_and(|token| token.is_symbol("("));
        if self.is_word("LATERAL") && bracket(1) {
            self.next();
            self.subquery()?;
            return self.derived().map(|source| vec![source]);
        }
        if self.is_word("JSON_TABLE") && bracket(1) {
            self.json_table()?;
            return self.derived().map(|source| vec![source]);
        }
        self.table_by_name_with_options().map(|source| vec![source])
    }

    /// A derived table, or tables and joins in brackets.
    fn bracketed_factor(&mut self) -> Parsed<Vec<Source<'t>>> {
        match self.bracketed()? {
            Bracketed::Query(_) => self.derived().map(|source| vec![source]),
            Bracketed::Tables(sources) => Ok(sources),
        }
    }

    fn bracketed(&mut self) -> Parsed<Bracketed<'t>> {
        self.nested(|parser| {
            parser.expect_symbol("(")?;
            let inside = parser.inside_bracketed()?;
            parser.expect_symbol(")")?;
            Ok(inside)
        })
    }

    fn inside_bracketed(&mut self) -> Parsed<Bracketed<'t>> {
        if self.starts_query() {
            return self.inner_query().map(Bracketed::Query);
        }
        if !self.is_symbol("(") {
            return self.table_refs().map(Bracketed::Tables);
        }
        let mut sources = match self.bracketed()? {
            // ((SELECT …) UNION …), and not ((SELECT …) AS d JOIN …).
            Bracketed::Query(sources) if self.goes_on_as_query() => {
                let sources = self.set_operations(sources)?;
                return self.query_tail(sources).map(Bracketed::Query);
            }
            Bracketed::Query(_) => vec![self.derived()?],
            Bracketed::Tables(sources) => sources,
        };
        self.joins(&mut sources)?;
        while self.accept_symbol(",") {
            self.add_sources(&mut sources, Self::table_ref)?;
        }
        Ok(Bracketed::Tables(sources))
    }

    /// The alias of a derived table, and the names of its columns.
    fn derived(&mut self) -> Parsed<Source<'t>> {
        let alias = self.table_alias()?.unwrap_or_default();
        if self.is_symbol("(") {
            self.ident_list()?;
        }
        Ok(Source { alias, table: None, locked: false })
    }

    /// A table by its name alone: a common table expression may hide it.
    pub(super) fn table_by_name(&mut self) -> Parsed<Source<'t>> {
        let name = self.qualified_name()?;
        let table = if self.is_common_table(name) { None } else { Some(name) };
        Ok(Source { alias: name.name, table, locked: false })
    }

    fn table_by_name_with_options(&mut self) -> Parsed<Source<'t>> {
        let mut source = self.table_by_name()?;
        self.partitions()?;
        self.system_time()?;
        if let Some(alias) = self.table_alias()? {
            source.alias = alias;
        }
        self.table_sample()?;
        self.index_hints()?;
        Ok(source)
    }

    /// `PARTITION (p0, …)`, if it is in hand.
    pub(super) fn partitions(&mut self) -> Parsed<()> {
        if self.accept_word("PARTITION") { self.ident_list() } else { Ok(()) }
    }

    /// `FOR SYSTEM_TIME …` (MariaDB), if it is in hand.
    fn system_time(&mut self) -> Parsed<()> {
        if self.reading.flavor != MysqlFlavor::Mariadb || !self.accept_words(&["FOR", "SYSTEM_TIME"]) {
            return Ok(());
        }
        if self.accept_word("ALL") {
            return Ok(());
        }
        if self.accept_words(&["AS", "OF"]) || self.accept_word("BETWEEN") {
            return self.history_point();
        }
        self.expect_word("FROM")?;
        self.history_point()?;
        self.expect_word("TO")?;
        self.history_point()
    }

    fn history_point(&mut self) -> Parsed<()> {
        let transaction = self.is_word("TRANSACTION")
            && !self.peek_at(1).is_some_and(|token| token.is_symbol(",") || token.is_symbol(")"));
        if transaction {
            self.next();
        }
        let point = self.is_word("TIMESTAMP")
            && !self.peek_at(1).is_some_and(|token| token.kind == Kind::String || token.is_symbol("("));
        if point {
            self.next();
        }
        self.expression()
    }

    /// `TABLESAMPLE SYSTEM (10)`, if it is in hand.
    fn table_sample(&mut self) -> Parsed<()> {
        let sampled =
            self.are_words(&["TABLESAMPLE", "SYSTEM"]) || self.are_words(&["TABLESAMPLE", "BERNOULLI"]);
        if !sampled {
            return Ok(());
        }
        self.skip(2);
        self.in_brackets(Self::expression)
    }

    /// USE, FORCE and IGNORE INDEX, as many as there are.
    fn index_hints(&mut self) -> Parsed<()> {
        loop {
            let behind = |word| self.peek_at(1).is_some_and(|token| token.is_word(word));
            let hint = ["USE", "FORCE", "IGNORE"].iter().any(|word| self.is_word(word))
                && (behind("INDEX") || behind("KEY"));
            if !hint {
                return Ok(());
            }
            self.skip(2);
            if self.accept_word("FOR") {
                let purpose = self.accept_word("JOIN")
                    || self.accept_words(&["ORDER", "BY"])
                    || self.accept_words(&["GROUP", "BY"]);
                if !purpose {
                    return Err(self.unexpected());
                }
            }
            self.in_brackets(Self::index_names)?;
            // Commas between hints are taken only if a hint follows: else another table does.
            let next = |word| self.peek_at(1).is_some_and(|token| token.is_word(word));
            if self.is_symbol(",") && (next("USE") || next("FORCE") || next("IGNORE")) {
                self.next();
            }
        }
    }

    fn index_names(&mut self) -> Parsed<()> {
        while !self.is_symbol(")") {
            if !self.accept_word("PRIMARY") {
                self.ident()?;
            }
            if !self.accept_symbol(",") {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Tables in one FROM; no server joins as many.
const SOURCES: usize = 1_000;

/// What a bracket in FROM held.
enum Bracketed<'t> {
    /// A query.
    Query(Vec<Source<'t>>),
    /// Tables and joins.
    Tables(Vec<Source<'t>>),
}
