//! What a query does beside showing rows: INTO and locks.

use crate::model::facts::{AccessMode, SessionEffect, Tie};

use super::{
    names::TableName,
    parser::{Parsed, Parser},
    scope::Source,
    token::Kind,
};

impl<'t> Parser<'t> {
    /// INTO OUTFILE, INTO DUMPFILE or INTO variables, if it is in hand.
    ///
    /// # Errors
    /// `Syntax` for a variable of a routine, too.
    pub(super) fn rows_into(&mut self) -> Parsed<()> {
        if !self.accept_word("INTO") {
            return Ok(());
        }
        if self.accept_word("DUMPFILE") {
            self.found.administer("server file");
            return self.text();
        }
        if self.accept_word("OUTFILE") {
            self.found.administer("server file");
            self.text()?;
            self.charset_clause()?;
            return self.file_format();
        }
        loop {
            if self.accept_kind(Kind::UserVariable).is_none() {
                return Err(self.unexpected());
            }
            if !self.accept_symbol(",") {
                self.found.effect(SessionEffect::Ties(Tie::UserVariable));
                return Ok(());
            }
        }
    }

    /// `CHARACTER SET name`, if it is in hand.
    pub(super) fn charset_clause(&mut self) -> Parsed<()> {
        let said = self.accept_words(&["CHARACTER", "SET"])
            || self.accept_words(&["CHAR", "SET"])
            || self.accept_word("CHARSET");
        if said { self.collation() } else { Ok(()) }
    }

    /// FIELDS and LINES of a file.
    pub(super) fn file_format(&mut self) -> Parsed<()> {
        if self.accept_any(&["FIELDS", "COLUMNS"]).is_some() {
            loop {
                let mark = self.accept_words(&["TERMINATED", "BY"])
                    || self.accept_words(&["OPTIONALLY", "ENCLOSED", "BY"])
                    || self.accept_words(&["ENCLOSED", "BY"])
                    || self.accept_words(&["ESCAPED", "BY"]);
                if !mark {
                    break;
                }
                self.literal()?;
            }
        }
        if self.accept_word("LINES") {
            while self.accept_words(&["TERMINATED", "BY"]) || self.accept_words(&["STARTING", "BY"]) {
                self.literal()?;
            }
        }
        Ok(())
    }

    /// FOR UPDATE, FOR SHARE or LOCK IN SHARE MODE; whether one was in hand.
    ///
    /// It locks the tables in FROM, but not those of sub-queries, derived tables and common table expressions. Behind a
    /// set operation all sides count, of which the server locks the last.
    ///
    /// Source: MySQL manual, "Locking Reads"; and what live servers lock.
    pub(super) fn locking(&mut self, sources: &mut [Source<'t>]) -> Parsed<bool> {
        if self.accept_words(&["LOCK", "IN", "SHARE", "MODE"]) {
            self.lock(sources)?;
            return self.lock_wait().map(|()| true);
        }
        if !(self.accept_words(&["FOR", "UPDATE"]) || self.accept_words(&["FOR", "SHARE"])) {
            return Ok(false);
        }
        if self.accept_word("OF") {
            loop {
                let name = self.qualified_name()?;
                self.lock_named(sources, name)?;
                if !self.accept_symbol(",") {
                    break;
                }
            }
        } else {
            self.lock(sources)?;
        }
        self.lock_wait().map(|()| true)
    }

    fn lock_wait(&mut self) -> Parsed<()> {
        if self.accept_word("NOWAIT") || self.accept_words(&["SKIP", "LOCKED"]) {
            return Ok(());
        }
        if self.accept_word("WAIT") && self.accept_kind(Kind::Integer).is_none() {
            return Err(self.unexpected());
        }
        Ok(())
    }

    /// Locks what goes by `name`; everything, if nothing does.
    fn lock_named(&mut self, sources: &mut [Source<'t>], name: TableName<'t>) -> Parsed<()> {
        let mut matched = false;
        for source in sources.iter_mut().filter(|source| source.may_be(name.name)) {
            matched = true;
            self.lock(std::slice::from_mut(source))?;
        }
        // closed: the alias was not found where it should be.
        if matched { Ok(()) } else { self.lock(sources) }
    }

    fn lock(&mut self, sources: &mut [Source<'t>]) -> Parsed<()> {
        self.found.writes = true;
        for source in sources.iter_mut().filter(|source| !source.locked) {
            source.locked = true;
            self.note(source, AccessMode::Write)?;
        }
        Ok(())
    }

    /// Notes that the table of a source is touched.
    pub(super) fn note(&mut self, source: &Source<'t>, mode: AccessMode) -> Parsed<()> {
        source.table.map_or(Ok(()), |table| self.touch(table, mode))
    }
}
