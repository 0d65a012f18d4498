//! What changed in a session, as OK reports it.
//!
//! Source: MySQL source documentation, "Session State Information"; MySQL manual, "Server Tracking of Client Session State".

use super::fields::Fields;
use crate::wire::WireError;

/// The changes that one OK reports; those of kinds that the gateway does not follow are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateChanges(Vec<StateChange>);

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// The session's database is another one; empty is none.
    Schema(String),
    /// A system variable took a value.
    Variable {
        /// Its name.
        name: String,
        /// Its value as SHOW VARIABLES gives it.
        value: String,
    },
}

impl StateChanges {
    /// The changes, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, StateChange> {
        self.0.iter()
    }

    /// There are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn read(block: &[u8]) -> Result<Self, WireError> {
        let mut fields = Fields::new(block, "session state");
        let mut changes = Vec::new();
        while !fields.rest().is_empty() {
            let kind = fields.byte()?;
            let mut entry = Fields::new(fields.string()?, "session state");
            match kind {
                SYSTEM_VARIABLES => {
                    // MariaDB puts several variables into one entry.
                    while !entry.rest().is_empty() {
                        let name = text(entry.string()?);
                        changes.push(StateChange::Variable { name, value: text(entry.string()?) });
                    }
                }
                SCHEMA => {
                    changes.push(StateChange::Schema(text(entry.string()?)));
                    entry.end()?;
                }
                // Transactions, GTIDs, and that something changed at all: the status flags say what is needed.
                _ => {}
            }
        }
        Ok(Self(changes))
    }
}

impl<'a> IntoIterator for &'a StateChanges {
    type Item = &'a StateChange;
    type IntoIter = std::slice::Iter<'a, StateChange>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const SYSTEM_VARIABLES: u8 = 0;
const SCHEMA: u8 = 1;
