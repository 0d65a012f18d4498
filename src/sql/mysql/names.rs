//! Identifiers, and the tables that they name.

use crate::model::{
    facts::{AccessMode, Unanalyzable},
    object::Object,
};

use super::{
    builtin::{self, SystemRelation},
    keywords,
    parser::{Parsed, Parser, unknown},
    token::Kind,
};

/// The name of a table, a sequence or a routine as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TableName<'t> {
    /// Its database, if it says so.
    pub(super) database: Option<&'t str>,
    /// Its own name.
    pub(super) name: &'t str,
}

impl<'t> Parser<'t> {
    /// Whether a name is in hand: in quotes, or a word that is not reserved.
    pub(super) fn is_ident(&self) -> bool {
        self.is_ident_at(0)
    }

    /// Whether the token `ahead` places behind the one in hand is a name.
    pub(super) fn is_ident_at(&self, ahead: usize) -> bool {
        self.peek_at(ahead).is_some_and(|token| keywords::may_be_name(token, self.reading.flavor))
    }

    /// Takes a name.
    ///
    /// # Errors
    /// `Syntax` if none is in hand, or one that the server reads in its own way.
    pub(super) fn ident(&mut self) -> Parsed<&'t str> {
        if !self.is_ident() {
            return Err(self.unexpected());
        }
        self.any_word()
    }

    /// Takes a name or, as the server's lexer does behind a dot, any word that stands right at it.
    pub(super) fn ident_behind_dot(&mut self) -> Parsed<&'t str> {
        match self.peek() {
            Some(token) if token.kind == Kind::Word && token.glued => self.any_word(),
            _ => self.ident(),
        }
    }

    /// Takes a name that is the alias of a table, with AS or without.
    pub(super) fn table_alias(&mut self) -> Parsed<Option<&'t str>> {
        let said = self.accept_word("AS");
        let fits = self.peek().is_some_and(|token| keywords::may_be_table_alias(token, self.reading.flavor));
        match (fits, said) {
            (true, _) => self.any_word().map(Some),
            (false, true) => Err(self.unexpected()),
            (false, false) => Ok(None),
        }
    }

    /// Takes the alias of a column, if one is in hand: a name or a string.
    pub(super) fn column_alias(&mut self) -> Parsed<()> {
        if self.accept_word("AS") {
            if self.accept_kind(Kind::String).is_some() {
                return Ok(());
            }
            return self.ident().map(drop);
        }
        if self.peek().is_some_and(|token| keywords::may_be_alias(token, self.reading.flavor)) {
            self.next();
        }
        Ok(())
    }

    /// Takes a word or a quoted name, reserved or not.
    fn any_word(&mut self) -> Parsed<&'t str> {
        let token = self.peek().filter(|token| matches!(token.kind, Kind::Word | Kind::Quoted));
        let Some(token) = token else { return Err(self.unexpected()) };
        self.next();
        Ok(&token.text)
    }

    /// `( a, b, … )`.
    pub(super) fn ident_list(&mut self) -> Parsed<()> {
        self.expect_symbol("(")?;
        self.ident()?;
        while self.accept_symbol(",") {
            self.ident()?;
        }
        self.expect_symbol(")")
    }

    /// Takes `name`, `database.name` or `.name`.
    ///
    /// # Errors
    /// `Syntax` if there is none, or a third part.
    pub(super) fn qualified_name(&mut self) -> Parsed<TableName<'t>> {
        if self.accept_symbol(".") {
            return Ok(TableName { database: None, name: self.ident_behind_dot()? });
        }
        let first = self.ident()?;
        if !self.is_symbol(".") || self.peek_at(1).is_some_and(|token| token.is_symbol("*")) {
            return Ok(TableName { database: None, name: first });
        }
        self.next();
        let name = TableName { database: Some(first), name: self.ident_behind_dot()? };
        let third = self.is_symbol(".") && !self.peek_at(1).is_some_and(|token| token.is_symbol("*"));
        if third { Err(self.unexpected()) } else { Ok(name) }
    }

    /// Takes the name of a table and notes that it is touched; no common table expression hides it.
    pub(super) fn table_name(&mut self, mode: AccessMode) -> Parsed<TableName<'t>> {
        let name = self.qualified_name()?;
        self.touch(name, mode)?;
        Ok(name)
    }

    /// Takes names of tables with commas between them, all touched in one way.
    pub(super) fn table_names(&mut self, mode: AccessMode) -> Parsed<()> {
        self.table_name(mode)?;
        while self.accept_symbol(",") {
            self.table_name(mode)?;
        }
        Ok(())
    }

    /// Takes a column: `name`, `table.name`, `database.table.name`, `.table.name`.
    pub(super) fn column(&mut self) -> Parsed<()> {
        self.accept_symbol(".");
        self.ident()?;
        for _ in 0..2 {
            if self.accept_symbol(".") {
                self.ident_behind_dot()?;
            }
        }
        Ok(())
    }

    /// Notes that the table is touched.
    ///
    /// # Errors
    /// `NoDatabase` if it names none and the session has none.
    pub(super) fn touch(&mut self, name: TableName<'t>, mode: AccessMode) -> Parsed<()> {
        self.found.writes |= matches!(mode, AccessMode::Write | AccessMode::Define);
        let (database, table) = (self.database_of(name)?, self.folded(name.name)?);
        if self.is_temporary(&database, &table) {
            // The session's own, wherever a table of that name stands.
            self.found.access(Object::Database, AccessMode::Use);
            return Ok(());
        }
        let harmless =
            matches!(mode, AccessMode::Use | AccessMode::Explain | AccessMode::Read | AccessMode::Export);
        match builtin::system_relation(&database, &table) {
            Some(SystemRelation::Open) if harmless => self.found.access(Object::Database, AccessMode::Use),
            Some(SystemRelation::Open | SystemRelation::Guarded) => {
                if !harmless && holds_accounts(&database, &table) {
                    return Err(Unanalyzable::Never {
                        construct: format!("writing to {database}.{table}"),
                        instead: "Use the statements about accounts: CREATE USER, ALTER USER, DROP USER, GRANT, REVOKE.",
                    });
                }
                self.found.writes = true;
                // Their names are compared without regard to case.
                let object = relation(&database.to_ascii_lowercase(), &table.to_ascii_lowercase());
                self.found.access(object, AccessMode::Administer);
            }
            None => self.found.access(relation(&database, &table), mode),
        }
        Ok(())
    }

    /// The table that a name stands for, temporary or not, as accesses name it.
    pub(super) fn object(&self, name: TableName<'t>) -> Parsed<Object> {
        Ok(relation(&self.database_of(name)?, &self.folded(name.name)?))
    }

    /// The database in which the name is looked for, folded.
    pub(super) fn database_of(&self, name: TableName<'t>) -> Parsed<String> {
        match name.database {
            Some(database) => self.folded(database),
            None if self.context.database.is_empty() => Err(Unanalyzable::NoDatabase),
            None => self.folded(&self.context.database),
        }
    }

    /// Whether a temporary table of the session goes by this name.
    ///
    /// A dot in a name would make "database.table" ambiguous: such a table never counts as temporary.
    pub(super) fn is_temporary(&self, database: &str, table: &str) -> bool {
        let ambiguous = database.contains('.') || table.contains('.');
        !ambiguous && self.context.temporary.contains(format!("{database}.{table}").as_str())
    }

    /// A name as the server compares it.
    ///
    /// # Errors
    /// `Unknown` if the server may see another name in it, or has none like it.
    pub(super) fn folded(&self, name: &str) -> Parsed<String> {
        if !is_plain_name(name) {
            return Err(unknown("a name that is empty or outside of what MySQL keeps"));
        }
        if !self.reading.folds_names {
            return Ok(name.to_owned());
        }
        name.chars()
            .map(|letter| {
                let mut lower = letter.to_lowercase();
                match (lower.next(), lower.next()) {
                    (Some(lower), None) => Ok(lower),
                    _ => Err(unknown("a name with a letter that has no one lower case")),
                }
            })
            .collect()
    }
}

/// Whether it is the table in which the server keeps accounts, the gateway's own among them.
fn holds_accounts(database: &str, table: &str) -> bool {
    database.eq_ignore_ascii_case("mysql")
        && ["global_priv", "user"].iter().any(|name| table.eq_ignore_ascii_case(name))
}

/// Whether the server takes the name as it is written.
///
/// Names hold no character beyond the Basic Multilingual Plane, and `#mysql50#` makes a name of a file's name.
///
/// Source: MySQL manual, "Schema Object Names"; "Mapping of Identifiers to File Names".
fn is_plain_name(name: &str) -> bool {
    let encoded = name.get(.."#mysql50#".len()).is_some_and(|head| head.eq_ignore_ascii_case("#mysql50#"));
    !name.is_empty()
        && !encoded
        && !name.ends_with(' ')
        && name.chars().all(|letter| letter != '\0' && u32::from(letter) <= 0xFFFF)
}

fn relation(database: &str, name: &str) -> Object {
    Object::Relation { schema: database.into(), name: name.into() }
}
