//! What a query does beside showing rows: INTO and locks.

use crate::model::facts::{AccessMode, SessionEffect};

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
    pub(super) fn into_clause(&mut self) -> Parsed<()> {
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
                self.found.effect(SessionEffect::Pin);
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
    /// It locks the tables in FROM, those of derived tables and of common table expressions among them (which the
    /// server locks only where it merges them), but not those of other sub-queries.
    pub(super) fn locking(&mut self, sources: &[Source<'t>]) -> Parsed<bool> {
        if self.accept_words(&["LOCK", "IN", "SHARE", "MODE"]) {
            self.lock_all(sources)?;
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
            self.lock_all(sources)?;
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

    fn lock_all(&mut self, sources: &[Source<'t>]) -> Parsed<()> {
        self.found.writes = true;
        self.note(sources, AccessMode::Write)
    }

    /// Locks what goes by `name`; everything, if nothing does.
    fn lock_named(&mut self, sources: &[Source<'t>], name: TableName<'t>) -> Parsed<()> {
        self.found.writes = true;
        let mut matched = false;
        for source in sources.iter().filter(|source| source.may_be(name.name)) {
            matched = true;
            self.note(std::slice::from_ref(source), AccessMode::Write)?;
        }
        // closed: the alias was not found where it should be.
        if matched { Ok(()) } else { self.note(sources, AccessMode::Write) }
    }

    /// Notes that all tables of these sources are touched.
    ///
    /// Those of derived tables and common table expressions were read where they stand.
    pub(super) fn note(&mut self, sources: &[Source<'t>], mode: AccessMode) -> Parsed<()> {
        for source in sources {
            let inner = source.kind != super::scope::SourceKind::Table;
            if inner && mode == AccessMode::Read {
                continue;
            }
            for table in &source.tables {
                self.touch(*table, mode)?;
            }
        }
        Ok(())
    }
}
