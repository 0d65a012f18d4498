//! UPDATE.

use crate::model::facts::{AccessMode, StatementKind};

use super::{
    parser::{Parsed, Parser, unknown},
    scope::Source,
};

impl<'t> Parser<'t> {
    /// UPDATE of one table or of several.
    pub(super) fn update(&mut self) -> Parsed<(StatementKind, &'static str)> {
        self.expect_word("UPDATE")?;
        self.hints();
        self.accept_word("LOW_PRIORITY");
        self.accept_word("IGNORE");
        let sources = self.table_refs()?;
        self.portion()?;
        self.expect_word("SET")?;
        let assigned = self.assignments()?;
        if self.note_changed(&sources, &assigned)? > 1 {
            // The rows of one can be written into the other.
            self.found.captures = true;
        }
        self.where_clause()?;
        self.order_by()?;
        self.limit()?;
        Ok((StatementKind::Update, "UPDATE"))
    }

    /// `FOR PORTION OF period FROM a TO b` (MariaDB), if it is in hand.
    pub(super) fn portion(&mut self) -> Parsed<()> {
        if !self.accept_words(&["FOR", "PORTION", "OF"]) {
            return Ok(());
        }
        self.ident()?;
        self.expect_word("FROM")?;
        self.expression()?;
        self.expect_word("TO")?;
        self.expression()
    }

    /// Notes `sources` as changed if one of `names` may mean them, and as read if not; how many are changed.
    ///
    /// A column without a table (`None`) may be any table's, and so may be one with a name that none goes by: then
    /// all tables count as changed, which asks for more than the server does.
    ///
    /// # Errors
    /// `Unknown` if there is no table among them: nothing else can be changed.
    pub(super) fn note_changed(
        &mut self,
        sources: &[Source<'t>],
        names: &[Option<&'t str>],
    ) -> Parsed<usize> {
        if !sources.iter().any(|source| source.table.is_some()) {
            return Err(unknown("changing what is no table"));
        }
        let is_known =
            |name: &str| sources.iter().any(|source| source.table.is_some() && source.may_be(name));
        let all = names.iter().any(|name| !name.is_some_and(is_known));
        let mut changed = 0;
        for source in sources {
            let named = names.iter().flatten().any(|name| source.may_be(name));
            let mode = if all || named { AccessMode::Write } else { AccessMode::Read };
            changed += usize::from(mode == AccessMode::Write && source.table.is_some());
            self.note(source, mode)?;
        }
        Ok(changed)
    }
}
