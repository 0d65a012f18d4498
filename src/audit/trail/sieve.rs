//! Whether a record is wanted.

use super::{
    entry::{Entry, Mention},
    filter::{Decided, Filter, matches, words_of},
};

/// What is wanted, ready to be held against records.
#[derive(Clone, Debug)]
pub(super) struct Sieve {
    pub(super) filter: Filter,
    /// Those that its `text` asks for.
    words: Vec<String>,
}

impl Sieve {
    pub(super) fn new(filter: Filter) -> Self {
        Self { words: filter.words(), filter }
    }

    /// Whether a record is wanted, as it is written; places by number and time are left to who asks.
    pub(super) fn takes(&self, entry: &Entry<'_>) -> bool {
        let same = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        let wanted = &self.filter;
        let is_end = &*entry.event == "statement_end";
        let is_event = wanted.event.as_ref().map_or(!is_end, |event| **event == *entry.event);
        is_event
            && same(&wanted.principal, entry.person())
            && same(&wanted.target, entry.target())
            && same(&wanted.database, entry.database())
            && same(&wanted.kind, entry.kind.as_deref())
            && wanted.decision.is_none_or(|it| entry.is_allowed() == Some(it == Decided::Allow))
            && wanted.session.is_none_or(|session| entry.session == Some(session))
            && self.is_touched(entry)
            && self.is_mentioned(entry)
            && self.is_worded(entry)
    }

    fn is_touched(&self, entry: &Entry<'_>) -> bool {
        let (table, permission) = (self.filter.table.as_deref(), self.filter.permission);
        if table.is_none() && permission.is_none() {
            return true;
        }
        entry.objects.iter().any(|object| {
            table.is_none_or(|pattern| matches(pattern, &object.name))
                && permission.is_none_or(|it| object.mode.permission() == Some(it))
        })
    }

    fn is_mentioned(&self, entry: &Entry<'_>) -> bool {
        self.filter.reference.as_deref().is_none_or(|wanted| {
            let ids = [entry.session, entry.statement].into_iter().flatten().map(|id| id.to_string());
            let mentions = [&entry.grant, &entry.request].into_iter().flatten().map(Mention::name);
            let used = entry.grants.iter().map(|grant| (**grant).to_owned());
            ids.chain(mentions.map(str::to_owned)).chain(used).any(|it| it == wanted)
        })
    }

    fn is_worded(&self, entry: &Entry<'_>) -> bool {
        if self.words.is_empty() {
            return self.filter.text.is_none();
        }
        let Some(sql) = entry.sql.as_deref() else { return false };
        let sql = sql.to_lowercase();
        self.words.iter().all(|word| match word.strip_suffix('*') {
            Some(stem) => words_of(&sql).any(|it| it.starts_with(stem)),
            None => words_of(&sql).any(|it| it == word),
        })
    }
}
