//! Numbers for names that come again and again.

use std::collections::HashMap;

/// Numbers for names, from 1; 0 is no name.
#[derive(Debug, Default)]
pub(super) struct Words {
    ids: HashMap<String, i64>,
    last: i64,
    fresh: Vec<(i64, String)>,
}

impl Words {
    /// Those that are kept already.
    pub(super) fn known(kept: Vec<(i64, String)>) -> Self {
        let last = kept.iter().map(|(id, _)| *id).max().unwrap_or(0);
        Self { ids: kept.into_iter().map(|(id, text)| (text, id)).collect(), last, fresh: Vec::new() }
    }

    /// The number of a name; it gets one if it has none.
    pub(super) fn id(&mut self, text: &str) -> i64 {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        self.last += 1;
        self.ids.insert(text.to_owned(), self.last);
        self.fresh.push((self.last, text.to_owned()));
        self.last
    }

    /// The number of a name that may be missing.
    pub(super) fn maybe(&mut self, text: Option<&str>) -> i64 {
        text.map_or(0, |text| self.id(text))
    }

    /// The number of a name that has one.
    pub(super) fn known_id(&self, text: &str) -> Option<i64> {
        self.ids.get(text).copied()
    }

    /// The names of a pattern in which `*` stands for any letters, and their numbers.
    pub(super) fn matching<'w>(&'w self, pattern: &'w str) -> impl Iterator<Item = (i64, &'w str)> {
        let all = self.ids.iter().map(|(text, id)| (*id, text.as_str()));
        all.filter(move |(_, text)| super::filter::matches(pattern, text))
    }

    /// The name of each number.
    pub(super) fn by_number(&self) -> HashMap<i64, &str> {
        self.ids.iter().map(|(text, id)| (*id, text.as_str())).collect()
    }

    /// Those that were added since this was asked last.
    pub(super) fn take_fresh(&mut self) -> Vec<(i64, String)> {
        std::mem::take(&mut self.fresh)
    }
}
