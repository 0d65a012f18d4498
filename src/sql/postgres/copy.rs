//! COPY.

use pg_query::protobuf::CopyStmt;

use crate::model::facts::{AccessMode, StatementKind, Unanalyzable};

use super::{
    names::Name,
    walk::{Head, Walk, unknown},
};

impl Walk<'_> {
    pub(super) fn copy(&mut self, copy: &CopyStmt) -> Result<Head, Unanalyzable> {
        let server_side = self.server_side(copy);
        self.nodes(&copy.options)?;
        let kind = if copy.is_from { StatementKind::CopyFrom } else { StatementKind::CopyTo };
        match (&copy.relation, copy.query.as_deref()) {
            (Some(relation), None) if copy.is_from => {
                self.found.writes = true;
                self.touch(Name::of(relation), AccessMode::Write);
            }
            (Some(relation), None) => self.touch(Name::of(relation), AccessMode::Export),
            (None, Some(query)) if !copy.is_from => {
                self.reading = AccessMode::Export;
                self.node(query)?;
                self.reading = AccessMode::Read;
            }
            _ => return Err(unknown("COPY without a source")),
        }
        self.maybe(copy.where_clause.as_deref())?;
        Ok((if server_side { StatementKind::Administer } else { kind }, "COPY"))
    }

    fn server_side(&mut self, copy: &CopyStmt) -> bool {
        if copy.is_program {
            self.administer("server program");
        } else if !copy.filename.is_empty() {
            self.administer("server file");
        }
        copy.is_program || !copy.filename.is_empty()
    }
}
