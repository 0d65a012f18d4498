//! Calls that are written like a field: `x.f` for `f(x)`.
//!
//! The server takes a name behind a dot for a function of one argument where it is no field of what stands in front.

use pg_query::{
    NodeEnum,
    protobuf::{ColumnRef, Node, RangeFunction},
};

use crate::model::facts::SessionEffect;

use super::{
    builtin::{self, FunctionClass},
    names::{parts, string},
    walk::{Step, Walk},
};

/// A function in FROM whose rows may be plain values, so that its name stands for one in an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ScalarRows {
    /// It goes by this name.
    Named(String),
    /// The server makes a name for it.
    Unnamed,
}

impl Walk<'_> {
    /// A column, or a function of a row that is written like one.
    pub(super) fn column(&mut self, column: &ColumnRef) -> Step {
        self.columns_seen += 1;
        if let [.., owner, last] = column.fields.as_slice()
            && let Some(name) = string(last)
        {
            // Without a catalog no such function is known, and the name is taken for a column.
            let catalog = self.names.context.catalog.as_ref();
            if catalog.is_some_and(|catalog| catalog.row_routines.contains(name)) {
                self.call(name);
            }
            let of_value = self.scalar_rows.iter().any(|rows| match rows {
                ScalarRows::Named(known) => string(owner) == Some(known),
                ScalarRows::Unnamed => true,
            });
            if of_value {
                self.field_of_value(name);
            }
        }
        Ok(())
    }

    /// What stands behind an expression: fields, or functions of its value, and subscripts.
    pub(super) fn indirection(&mut self, steps: &[Node]) -> Step {
        for step in steps {
            match string(step) {
                Some(name) => self.field_of_value(name),
                None => self.node(step)?,
            }
        }
        Ok(())
    }

    /// Notes an item of FROM whose name may stand for a plain value; its own columns are fields all the same.
    pub(super) fn scalar_rows(&mut self, function: &RangeFunction) {
        let rows = match (&function.alias, own_name(function)) {
            (Some(alias), _) => ScalarRows::Named(alias.aliasname.clone()),
            (None, Some(name)) => ScalarRows::Named(name.to_owned()),
            (None, None) => ScalarRows::Unnamed,
        };
        self.scalar_rows.push(rows);
    }

    /// A field of a value of any type: every function of one argument may be meant, and every cast.
    fn field_of_value(&mut self, name: &str) {
        let catalog = self.names.context.catalog.clone();
        match builtin::function(name) {
            Some(
                FunctionClass::Pure
                | FunctionClass::Setting { write: false }
                | FunctionClass::Size { .. }
                | FunctionClass::Sequence { write: false, .. },
            ) => self.found.writes |= builtin::writes(name),
            None => {}
            Some(FunctionClass::Pin) => self.effect(SessionEffect::Pin),
            Some(
                FunctionClass::Guarded
                | FunctionClass::Notify
                | FunctionClass::ReadsDatabase
                | FunctionClass::ReadsRelation { .. }
                | FunctionClass::ReadsSchema { .. }
                | FunctionClass::RunsText { .. }
                | FunctionClass::Sequence { write: true, .. }
                | FunctionClass::Setting { write: true },
            ) => {
                self.found.writes |= builtin::writes(name);
                self.guarded(name);
            }
        }
        match catalog {
            Some(catalog) => {
                let routine =
                    self.path_reaches(catalog.routines.get(name)) && !self.routine_only_computes(name);
                if routine || catalog.code_types.contains(name) {
                    self.call(name);
                }
            }
            // closed: what is neither a field nor built in cannot be told from one that is.
            None if builtin::function(name).is_none() => self.call(name),
            None => {}
        }
    }
}

/// The name that a function in FROM goes by without an alias, if it is a plain call.
fn own_name(function: &RangeFunction) -> Option<&str> {
    let [item] = function.functions.as_slice() else { return None };
    let call = match item.node.as_ref()? {
        NodeEnum::List(item) => item.items.first()?,
        _ => item,
    };
    match call.node.as_ref()? {
        NodeEnum::FuncCall(call) => parts(&call.funcname)?.last().copied(),
        _ => None,
    }
}
