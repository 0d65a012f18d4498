//! What belongs to administrators, whatever stands in it: CREATE and ALTER of routines, accounts, servers and the like.

use crate::model::facts::StatementKind;

use super::{
    parser::{Parsed, Parser},
    statement::Head,
};

/// Something that belongs to administrators.
#[derive(Clone, Copy)]
pub(super) struct Administered {
    /// How it begins.
    words: &'static [&'static str],
    /// What needs `admin`.
    what: &'static str,
    command: &'static str,
    /// A program may come behind it.
    has_body: bool,
}

impl Administered {
    /// One without a program in it.
    pub(super) const fn new(
        words: &'static [&'static str],
        what: &'static str,
        command: &'static str,
    ) -> Self {
        Self { words, what, command, has_body: false }
    }

    /// One that may hold a program.
    pub(super) const fn with_body(
        words: &'static [&'static str],
        what: &'static str,
        command: &'static str,
    ) -> Self {
        Self { words, what, command, has_body: true }
    }
}

impl Parser<'_> {
    /// One of `kinds`, which need `admin` whatever stands in them; their definer may come before.
    pub(super) fn administered(&mut self, kinds: &[Administered]) -> Parsed<Head> {
        if self.accept_word("DEFINER") {
            self.expect_symbol("=")?;
            self.account()?;
        }
        let kind = kinds.iter().find(|kind| self.accept_words(kind.words));
        let Administered { what, command, has_body, .. } = *kind.ok_or_else(|| self.unexpected())?;
        self.defines();
        self.found.administer(what);
        if has_body {
            return Ok(self.compound(command));
        }
        self.skip_rest();
        Ok((StatementKind::Administer, command))
    }
}
