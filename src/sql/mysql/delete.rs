//! DELETE.

use crate::model::{
    facts::{AccessMode, StatementKind},
    name_context::MysqlFlavor,
};

use super::{
    names::TableName,
    parser::{Parsed, Parser},
};

impl<'t> Parser<'t> {
    /// DELETE from one table or from several.
    pub(super) fn delete(&mut self) -> Parsed<(StatementKind, &'static str)> {
        self.expect_word("DELETE")?;
        self.hints();
        while self.accept_any(&["LOW_PRIORITY", "QUICK", "IGNORE"]).is_some() {}
        if self.reading.flavor == MysqlFlavor::Mariadb && self.are_words(&["HISTORY", "FROM"]) {
            // Of a table with versions: what was, and is kept for whoever looks back.
            self.found.administer("history");
        }
        if !self.accept_word("FROM") {
            let (targets, _) = self.targets()?;
            self.expect_word("FROM")?;
            self.delete_joined(&targets)?;
            return Ok((StatementKind::Delete, "DELETE"));
        }
        let (targets, wild) = self.targets()?;
        match targets.as_slice() {
            [target] if !wild && !self.is_word("USING") => self.delete_single(*target)?,
            _ => {
                self.expect_word("USING")?;
                self.delete_joined(&targets)?;
            }
        }
        Ok((StatementKind::Delete, "DELETE"))
    }

    /// The tables to delete from, and whether `.*` stands behind one.
    fn targets(&mut self) -> Parsed<(Vec<TableName<'t>>, bool)> {
        let (mut targets, mut wild) = (Vec::new(), false);
        loop {
            targets.push(self.qualified_name()?);
            if self.accept_symbol(".") {
                self.expect_symbol("*")?;
                wild = true;
            }
            if !self.accept_symbol(",") {
                return Ok((targets, wild));
            }
        }
    }

    /// The rest of DELETE from one table, which no common table expression hides.
    fn delete_single(&mut self, target: TableName<'t>) -> Parsed<()> {
        self.touch(target, AccessMode::Write)?;
        self.partitions()?;
        self.portion()?;
        self.table_alias()?;
        self.partitions()?;
        self.where_clause()?;
        self.order_by()?;
        self.limit()?;
        self.returning(target)
    }

    /// The rest of DELETE from some of several tables: `targets` are names or aliases of theirs.
    fn delete_joined(&mut self, targets: &[TableName<'t>]) -> Parsed<()> {
        let sources = self.table_refs()?;
        let names: Vec<_> = targets.iter().map(|target| Some(target.name)).collect();
        self.note_changed(&sources, &names)?;
        self.where_clause()?;
        self.order_by()?;
        self.limit()
    }
}
