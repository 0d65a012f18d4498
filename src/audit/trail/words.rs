//! Numbers for names that come again and again.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::mark::Hash;

/// Numbers for names, from 1; 0 is no name.
#[derive(Debug, Default)]
pub(super) struct Words {
    names: HashMap<String, Name, RandomState>,
    last: i64,
    fresh: Vec<(i64, String)>,
}

/// A name as the index goes by it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    /// Its number.
    pub(super) id: i64,
    /// What it is marked with.
    pub(super) hash: Hash,
}

impl Words {
    /// Those that are kept already.
    pub(super) fn known(kept: Vec<(i64, String)>) -> Self {
        let last = kept.iter().map(|(id, _)| *id).max().unwrap_or(0);
        let named = |(id, text): (i64, String)| {
            let hash = Hash::of(&text);
            (text, Name { id, hash })
        };
        Self { names: kept.into_iter().map(named).collect(), last, fresh: Vec::new() }
    }

    /// A name; it gets a number if it has none.
    pub(super) fn name(&mut self, text: &str) -> Name {
        if let Some(name) = self.names.get(text) {
            return *name;
        }
        self.last += 1;
        let name = Name { id: self.last, hash: Hash::of(text) };
        self.names.insert(text.to_owned(), name);
        self.fresh.push((self.last, text.to_owned()));
        name
    }

    /// The number of a name that has one.
    pub(super) fn known_id(&self, text: &str) -> Option<i64> {
        self.names.get(text).map(|name| name.id)
    }

    /// The names of a pattern in which `*` stands for any letters, and their numbers.
    pub(super) fn matching<'w>(&'w self, pattern: &'w str) -> impl Iterator<Item = (i64, &'w str)> {
        let all = self.names.iter().map(|(text, name)| (name.id, text.as_str()));
        all.filter(move |(_, text)| super::filter::matches(pattern, text))
    }

    /// The name of each number.
    pub(super) fn by_number(&self) -> HashMap<i64, &str> {
        self.names.iter().map(|(text, name)| (name.id, text.as_str())).collect()
    }

    /// Those that were added since this was asked last.
    pub(super) fn take_fresh(&mut self) -> Vec<(i64, String)> {
        std::mem::take(&mut self.fresh)
    }
}
