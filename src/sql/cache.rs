//! Facts that were worked out before.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use quick_cache::{Equivalent, Weighter, sync::Cache};

use crate::model::{
    dialect::Dialect,
    facts::{Facts, SessionEffect, Unanalyzable},
    name_context::NameContext,
};

use super::{analyze::analyze, limits::Limits, postgres};

/// The facts of each statement, or why there are none.
type Answer = Result<Arc<[Arc<Facts>]>, Arc<Unanalyzable>>;

/// Remembers answers of [`analyze`], good and bad, within a bound of bytes.
///
/// The key is the whole text and the whole context, never their hash alone: two texts never share an answer.
/// Shared by all sessions; the least used entries go first.
#[derive(Debug)]
pub struct FactsCache {
    answers: Cache<Key, Answer, Bytes>,
    largest_bytes: u64,
}

impl FactsCache {
    /// A cache that holds about `capacity_bytes` of texts and answers.
    pub fn new(capacity_bytes: u64) -> Self {
        let entries = usize::try_from(capacity_bytes / TYPICAL_BYTES).unwrap_or(usize::MAX).max(16);
        Self {
            answers: Cache::with_weighter(entries, capacity_bytes, Bytes),
            largest_bytes: capacity_bytes / 64,
        }
    }

    /// The facts of `text`, from memory if they are there.
    ///
    /// A text that would fill more than a 64th of the cache is worked out each time. `limits` are not part of the
    /// key: pass the same ones on every call.
    pub fn analyze(
        &self,
        text: &str,
        dialect: Dialect,
        context: &Arc<NameContext>,
        limits: &Limits,
    ) -> Answer {
        // First: a text with values in it is hardly ever seen twice.
        if let Some(answer) = self.analyze_shape(text, dialect, context, limits) {
            return answer;
        }
        let wanted = Wanted { text, dialect, context };
        self.answers.get(&wanted).unwrap_or_else(|| self.work_out(text, dialect, context, limits))
    }

    /// The facts that all texts of this shape share, so that literals in the text cost no analysis.
    fn analyze_shape(
        &self,
        text: &str,
        dialect: Dialect,
        context: &Arc<NameContext>,
        limits: &Limits,
    ) -> Option<Answer> {
        if text.len() > limits.statement_bytes {
            return None;
        }
        let shape = match dialect {
            Dialect::Postgres => postgres::shape(text)?,
            // What is sent is part of the answer: each text has its own.
            Dialect::Mysql => return None,
        };
        let wanted = Wanted { text: &shape, dialect, context };
        let answer =
            self.answers.get(&wanted).unwrap_or_else(|| self.work_out(&shape, dialect, context, limits));
        // The reason of an error may quote the text: it has to be this one.
        answer.is_ok().then_some(answer)
    }

    fn work_out(&self, text: &str, dialect: Dialect, context: &Arc<NameContext>, limits: &Limits) -> Answer {
        let answer = analyze(text, dialect, context, limits)
            .map(|facts| facts.into_iter().map(Arc::new).collect())
            .map_err(Arc::new);
        let key = Key { text: text.into(), dialect, context: Arc::clone(context) };
        if Bytes.weight(&key, &answer) <= self.largest_bytes {
            self.answers.insert(key, answer.clone());
        }
        answer
    }

    /// Answers that were there, and answers that had to be worked out, since it was made.
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.answers.hits(), self.answers.misses())
    }

    /// How many answers it holds.
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }
}

const TYPICAL_BYTES: u64 = 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    text: Box<str>,
    dialect: Dialect,
    context: Arc<NameContext>,
}

struct Wanted<'a> {
    text: &'a str,
    dialect: Dialect,
    context: &'a Arc<NameContext>,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Wanted { text: &self.text, dialect: self.dialect, context: &self.context }.hash(state);
    }
}

impl Hash for Wanted<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
        self.dialect.hash(state);
        self.context.hash(state);
    }
}

impl Equivalent<Key> for Wanted<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.text == *key.text
            && self.dialect == key.dialect
            && (Arc::ptr_eq(self.context, &key.context) || *self.context == key.context)
    }
}

/// Weighs an entry in bytes, roughly; contexts are shared and not counted.
#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<Key, Answer> for Bytes {
    fn weight(&self, key: &Key, answer: &Answer) -> u64 {
        let facts = match answer {
            Ok(facts) => facts.iter().map(|facts| facts_bytes(facts)).sum(),
            Err(_) => 128,
        };
        (256 + key.text.len() + facts) as u64
    }
}

fn facts_bytes(facts: &Facts) -> usize {
    let texts = facts.effects.iter().map(|effect| match effect {
        SessionEffect::Prepare { text, .. } => text.len(),
        SessionEffect::Set { value, .. } => value.as_ref().map_or(0, String::len),
        SessionEffect::ResetAll
        | SessionEffect::DiscardAll
        | SessionEffect::DiscardTemporary
        | SessionEffect::CreateTemporary(_)
        | SessionEffect::DropRelation(_)
        | SessionEffect::Deallocate(_)
        | SessionEffect::DeclareCursor { .. }
        | SessionEffect::CloseCursor(_)
        | SessionEffect::Pin
        | SessionEffect::Ties(_)
        | SessionEffect::Releases(_)
        | SessionEffect::UseDatabase(_)
        | SessionEffect::Vacates(_)
        | SessionEffect::LockTables
        | SessionEffect::UnlockTables
        | SessionEffect::ShowsApplication
        | SessionEffect::ShowsPrivileges
        | SessionEffect::ShowsReadOnly
        | SessionEffect::ReadsDiagnostics
        | SessionEffect::Define
        | SessionEffect::ContextUnknown => 0,
    });
    size_of::<Facts>()
        + facts.accesses.len() * 128
        + facts.calls.len() * 64
        + facts.effects.len() * 64
        + texts.sum::<usize>()
        + facts.sent.as_ref().map_or(0, |sent| sent.len())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::model::{name_context::SearchPath, object::Object};

    use super::*;

    fn context(path: &str) -> Arc<NameContext> {
        Arc::new(NameContext {
            database: "hr".into(),
            server_version: 15,
            search_path: SearchPath::Known([path.into()].into()),
            accounts: [].into(),
            temporary: Arc::new(BTreeSet::new()),
            made: Arc::default(),
            catalog: None,
            mysql: None,
        })
    }

    /// Whether both are one and the same answer in memory.
    fn same(one: &Answer, other: &Answer) -> bool {
        match (one, other) {
            (Ok(one), Ok(other)) => Arc::ptr_eq(one, other),
            (Err(one), Err(other)) => Arc::ptr_eq(one, other),
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
        }
    }

    #[test]
    fn the_same_text_in_the_same_context_is_worked_out_once() {
        let cache = FactsCache::new(1 << 20);
        let ask = |text: &str, context| cache.analyze(text, Dialect::Postgres, &context, &Limits::default());
        let first = ask("select * from t", context("a"));
        assert!(same(&first, &ask("select * from t", context("a"))));
        let other = ask("select * from t", context("b"));
        assert!(!same(&first, &other));
        let facts = other.unwrap();
        assert_eq!(facts[0].accesses[0].object, Object::Relation { schema: "b".into(), name: "t".into() });
        let error = ask("selec", context("a"));
        assert!(error.is_err() && same(&error, &ask("selec", context("a"))));
    }

    #[test]
    fn a_text_too_large_for_the_cache_is_not_kept() {
        let cache = FactsCache::new(64 * 1024);
        let long = format!("select 1 -- {}", "x".repeat(4096));
        let ask = || cache.analyze(&long, Dialect::Postgres, &context("a"), &Limits::default());
        assert!(!same(&ask(), &ask()));
        assert_eq!(cache.answers.len(), 0);
    }
}
