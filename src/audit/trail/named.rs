//! The names of a record, as the index goes by them.

use smallvec::SmallVec;

use super::{
    entry::Entry,
    mark::Hash,
    words::{Name, Words},
};
use crate::model::permission::Permission;

/// The names of a record, as the index goes by them.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) person: Option<Name>,
    pub(super) target: Option<Name>,
    pub(super) database: Option<Name>,
    /// What is touched, and what is needed for it.
    pub(super) objects: SmallVec<[(Name, Option<Permission>); 4]>,
}

impl Named {
    /// Those of an entry. Of statements, which are counted by them, each has a number.
    pub(super) fn of(entry: &Entry<'_>, words: &mut Words) -> Self {
        let is_counted = &*entry.event == "statement_start";
        let mut name = |text: &str| match is_counted {
            true => words.name(text),
            false => Name { id: 0, hash: Hash::of(text) },
        };
        Self {
            person: entry.person().map(&mut name),
            target: entry.target().map(&mut name),
            database: entry.database().map(&mut name),
            objects: entry.objects.iter().map(|it| (name(&it.name), it.mode.permission())).collect(),
        }
    }
}
