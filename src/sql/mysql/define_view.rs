//! Views.

use crate::model::facts::{AccessMode, StatementKind};

use super::{
    found::Found,
    parser::{Parsed, Parser, unknown},
    statement::Head,
};

impl Parser<'_> {
    /// `[ALGORITHM = …] [DEFINER = …] [SQL SECURITY …]`; a view that shows what another account may see needs `admin`.
    pub(super) fn view_options(&mut self) -> Parsed<()> {
        if self.accept_word("ALGORITHM") {
            self.expect_symbol("=")?;
            self.accept_any(&["UNDEFINED", "MERGE", "TEMPTABLE"]).ok_or_else(|| self.unexpected())?;
        }
        if self.accept_word("DEFINER") {
            self.expect_symbol("=")?;
            if !self.account()? {
                self.found.administer("account");
            }
        }
        if self.accept_words(&["SQL", "SECURITY"]) {
            self.accept_any(&["DEFINER", "INVOKER"]).ok_or_else(|| self.unexpected())?;
        }
        Ok(())
    }

    /// CREATE or ALTER VIEW, from the name on: `ddl` on it, and what its query reads.
    pub(super) fn create_view(&mut self, command: &'static str) -> Parsed<Head> {
        self.if_not_exists()?;
        self.defines();
        let name = self.qualified_name()?;
        self.define_new(name)?;
        if self.is_symbol("(") {
            self.ident_list()?;
        }
        self.expect_word("AS")?;
        let outer = std::mem::take(&mut self.found);
        self.query_expression()?;
        let Found { accesses, calls, .. } = std::mem::replace(&mut self.found, outer);
        if accesses.iter().any(|access| access.mode == AccessMode::Write) {
            return Err(unknown("a view that locks rows"));
        }
        self.found.accesses.extend(accesses);
        self.found.calls.extend(calls);
        if self.accept_word("WITH") {
            self.accept_any(&["CASCADED", "LOCAL"]);
            self.expect_word("CHECK")?;
            self.expect_word("OPTION")?;
        }
        Ok((StatementKind::Define, command))
    }
}
