//! The prepared statements that stand on a connection under names of the gateway's own.

use std::{collections::HashMap, sync::Arc, time::Instant};

use aws_lc_rs::digest::{Context, SHA256};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use foldhash::fast::RandomState;

use crate::{model::ids::PrincipalName, wire::postgres::shape::Shape};

/// What a prepared statement is called on connections: a digest of all that its meaning depends on.
///
/// No client's statement is called so there: names that begin like one are refused ([`StatementName::is_reserved`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StatementName(Arc<str>);

impl StatementName {
    /// The name for these parts, in this order. SHA-256 over each behind its length: other parts, another name.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut digest = Context::new(&SHA256);
        for part in parts {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        // 52 bytes: servers tell names apart by the first 63.
        Self(format!("{RESERVED}{}", URL_SAFE_NO_PAD.encode(digest.finish())).into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a message may speak of some such name.
    pub fn may_be_in(message: &[u8]) -> bool {
        memchr::memmem::find(message, RESERVED.as_bytes()).is_some()
    }

    /// Whether no session may call a statement of its own so.
    pub fn is_reserved(name: &str) -> bool {
        name.starts_with(RESERVED)
    }
}

/// What is believed to stand on one connection; the least recently used goes first.
#[derive(Debug, Default)]
pub struct Statements {
    standing: HashMap<StatementName, Standing, RandomState>,
    owners: Owners,
    /// Counts uses.
    clock: u64,
}

#[derive(Debug)]
struct Standing {
    /// Whose session made it.
    owner: PrincipalName,
    /// When; `None` if a message about it may not have come to its turn: then it may stand or not, as it is now or as it
    /// was before.
    made_at: Option<Instant>,
    /// What it returns, once somebody has asked.
    shape: Option<Shape>,
    used: u64,
}

/// Whose they are, at most.
#[derive(Debug, Default, PartialEq, Eq)]
enum Owners {
    #[default]
    None,
    One(PrincipalName),
    Several,
}

impl Statements {
    /// How many there may be.
    pub fn len(&self) -> usize {
        self.standing.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.standing.is_empty()
    }

    /// Whether it is known of each that it stands there.
    pub fn is_certain(&self) -> bool {
        self.standing.values().all(|standing| standing.made_at.is_some())
    }

    /// What `name` returns, as far as somebody has asked, if it stands there and was made at `since` or later; it counts
    /// as used now.
    pub fn reuse(&mut self, name: &StatementName, since: Instant) -> Option<Option<Shape>> {
        self.clock += 1;
        let standing = self.standing.get_mut(name)?;
        if standing.made_at? < since {
            return None;
        }
        standing.used = self.clock;
        Some(standing.shape)
    }

    /// When `name` was made, if it stands there.
    pub fn made_at(&self, name: &StatementName) -> Option<Instant> {
        self.standing.get(name)?.made_at
    }

    /// Keeps what `name` returns, if it is the one that was made at `made_at`.
    pub fn note_shape(&mut self, name: &StatementName, made_at: Instant, shape: Shape) {
        if let Some(standing) = self.standing.get_mut(name).filter(|it| it.made_at == Some(made_at)) {
            standing.shape = Some(shape);
        }
    }

    /// One more is made, at `at`, and counts as used now. Whoever sends its Parse has sent a Close of the name before.
    pub fn make(&mut self, name: StatementName, owner: &PrincipalName, at: Instant) {
        self.clock += 1;
        self.insert(
            name,
            Standing { owner: owner.clone(), made_at: Some(at), shape: None, used: self.clock },
        );
    }

    /// Which has to be closed so that one more stands there, of at most `limit`.
    pub fn evict(&mut self, limit: usize) -> Option<(StatementName, PrincipalName)> {
        if self.standing.len() < limit.max(1) {
            return None;
        }
        let (oldest, _) = self.standing.iter().min_by_key(|(_, standing)| standing.used)?;
        let oldest = oldest.clone();
        let standing = self.standing.remove(&oldest)?;
        Some((oldest, standing.owner))
    }

    /// The Parse that made it at `made_at`, or with `None` its Close, was not carried out.
    pub fn doubt(&mut self, name: &StatementName, owner: &PrincipalName, made_at: Option<Instant>) {
        match self.standing.get_mut(name) {
            Some(standing) if standing.made_at == made_at => standing.made_at = None,
            // What was sent behind it closes the name first.
            Some(_) => {}
            None => self
                .insert(name.clone(), Standing { owner: owner.clone(), made_at: None, shape: None, used: 0 }),
        }
    }

    /// The Parse that was to make it at `made_at` failed: it does not stand there.
    pub fn failed(&mut self, name: &StatementName, made_at: Instant) {
        if self.standing.get(name).is_some_and(|standing| standing.made_at == Some(made_at)) {
            self.standing.remove(name);
        }
    }

    /// It does not stand there any longer, or is about to be made anew.
    pub fn forget(&mut self, name: &StatementName) {
        self.standing.remove(name);
    }

    /// Whether some may have been made by others than `principal`.
    pub fn has_foreign(&self, principal: &PrincipalName) -> bool {
        match &self.owners {
            Owners::None => false,
            Owners::One(owner) => owner != principal,
            Owners::Several => true,
        }
    }

    /// Takes those that others than `principal` have made: they have to be closed.
    pub fn take_foreign(&mut self, principal: &PrincipalName) -> Vec<(StatementName, PrincipalName)> {
        let taken = self.standing.extract_if(|_, standing| standing.owner != *principal);
        let taken = taken.map(|(name, standing)| (name, standing.owner)).collect();
        self.owners = if self.standing.is_empty() { Owners::None } else { Owners::One(principal.clone()) };
        taken
    }

    /// Takes all of them: they have to be closed.
    pub fn take_all(&mut self) -> Vec<(StatementName, PrincipalName)> {
        self.owners = Owners::None;
        self.standing.drain().map(|(name, standing)| (name, standing.owner)).collect()
    }

    /// None stands there any longer.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn insert(&mut self, name: StatementName, standing: Standing) {
        let is_his = |owner: &PrincipalName| *owner == standing.owner;
        match &self.owners {
            Owners::None => self.owners = Owners::One(standing.owner.clone()),
            Owners::One(owner) if !is_his(owner) => self.owners = Owners::Several,
            Owners::One(_) | Owners::Several => {}
        }
        self.standing.insert(name, standing);
    }
}

/// How the names begin.
pub(super) const RESERVED: &str = "tidegate:";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn name(text: &str) -> StatementName {
        StatementName::of(&[text.as_bytes()])
    }

    fn made(names: &[&str], owner: &str, at: Instant) -> Statements {
        let mut statements = Statements::default();
        names.iter().for_each(|it| statements.make(name(it), &owner.into(), at));
        statements
    }

    #[test]
    fn names_differ_wherever_parts_do_and_fit_into_a_name() {
        assert_eq!(StatementName::of(&[b"a", b"bc"]), StatementName::of(&[b"a", b"bc"]));
        for other in [&[b"ab".as_slice(), b"c"][..], &[b"a", b"bc", b""], &[b"abc"], &[b"bc", b"a"]] {
            assert_ne!(StatementName::of(&[b"a", b"bc"]), StatementName::of(other));
        }
        let one = name("SELECT 1");
        assert!(one.as_str().len() < 63 && StatementName::is_reserved(one.as_str()));
        assert!(!StatementName::is_reserved("tidegate"));
    }

    #[test]
    fn what_was_made_before_somebody_prepared_is_not_theirs_to_use() {
        let at = Instant::now();
        let mut statements = made(&["a"], "omar", at);
        assert_eq!(statements.reuse(&name("a"), at), Some(None));
        assert_eq!(statements.reuse(&name("a"), at + Duration::from_nanos(1)), None);
        assert_eq!(statements.reuse(&name("b"), at), None);
    }

    #[test]
    fn what_it_returns_is_known_of_the_one_that_was_asked_about() {
        let at = Instant::now();
        let mut statements = made(&["a"], "omar", at);
        let shape = Shape::of(b'n', b"");
        statements.note_shape(&name("a"), at + Duration::from_nanos(1), shape);
        assert_eq!(statements.reuse(&name("a"), at), Some(None));
        statements.note_shape(&name("a"), at, shape);
        assert_eq!(statements.reuse(&name("a"), at), Some(Some(shape)));
        statements.make(name("a"), &"omar".into(), at);
        assert_eq!(statements.reuse(&name("a"), at), Some(None), "made anew, it may return something else");
    }

    #[test]
    fn the_least_recently_used_goes_first_and_only_when_there_is_no_room() {
        let at = Instant::now();
        let mut statements = made(&["a", "b", "c"], "omar", at);
        assert!(statements.reuse(&name("a"), at).is_some());
        assert_eq!(statements.evict(4), None);
        assert_eq!(statements.evict(3), Some((name("b"), "omar".into())));
        assert_eq!(statements.evict(3), None);
        assert_eq!(statements.evict(2), Some((name("c"), "omar".into())));
        assert!(statements.reuse(&name("a"), at).is_some());
    }

    #[test]
    fn what_was_skipped_is_used_by_nobody_and_not_forgotten() {
        let (at, omar) = (Instant::now(), "omar".into());
        let mut statements = made(&["a", "b"], "omar", at);
        statements.doubt(&name("a"), &omar, Some(at));
        assert!(statements.reuse(&name("a"), at).is_none() && !statements.is_certain());
        // Its Parse again, sent behind the one that was skipped.
        statements.make(name("a"), &omar, at + Duration::from_nanos(1));
        statements.doubt(&name("a"), &omar, Some(at));
        assert!(statements.reuse(&name("a"), at).is_some() && statements.is_certain());
        // A Close that was skipped: it may stand there still, and is closed when its turn comes.
        let gone = statements.evict(2).unwrap().0;
        assert_eq!(gone, name("b"));
        statements.doubt(&gone, &omar, None);
        assert_eq!((statements.len(), statements.is_certain()), (2, false));
        assert!(statements.reuse(&gone, at).is_none());
        assert_eq!(statements.evict(2).unwrap().0, gone);
    }

    #[test]
    fn whose_they_are_is_known_when_others_may_not_see_them() {
        let at = Instant::now();
        let mut statements = made(&["a", "b"], "omar", at);
        assert!(!statements.has_foreign(&"omar".into()) && statements.has_foreign(&"dana".into()));
        statements.make(name("c"), &"dana".into(), at);
        assert!(statements.has_foreign(&"omar".into()));
        assert_eq!(statements.take_foreign(&"omar".into()), [(name("c"), "dana".into())]);
        assert!(!statements.has_foreign(&"omar".into()));
        assert_eq!(statements.take_all().len(), 2);
        assert!(statements.is_empty() && !statements.has_foreign(&"dana".into()));
    }
}
