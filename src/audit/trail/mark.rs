//! What blocks are marked with: numbers for what their records say.
//!
//! A number is a hash. Two things with the same number cost a look at a block in which nothing is found, no more:
//! whether a record is wanted is always read from its line.

use uuid::Uuid;

use super::{
    entry::{Entry, Mention, permission_code},
    filter::{Decided, Filter},
};
use crate::model::permission::Permission;

/// What a record says that it may be looked for by. Pairs are marked where each by itself is in nearly every block.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mark<'a> {
    Database(&'a str),
    Denied,
    /// Not of statements: those are everywhere.
    Event(&'a str),
    Kind(&'a str),
    /// A record that is none of a statement's names it.
    Names(&'a str),
    Needs(Permission),
    Object(&'a str),
    ObjectDenied(&'a str),
    ObjectNeeds(&'a str, Permission),
    Person(&'a str),
    PersonDenied(&'a str),
    PersonNeeds(&'a str, Permission),
    PersonObject(&'a str, &'a str),
    /// A half of a session's identifier: those of its statements begin with it.
    Session([u8; 8]),
    Target(&'a str),
    /// A statement rests on it, or is it.
    Uses(&'a str),
}

impl Mark<'_> {
    /// Its number.
    pub(super) fn number(self) -> i64 {
        let needs = |permission: Permission| [permission_code(Some(permission)) as u8];
        match self {
            Self::Database(name) => hash(1, name.as_bytes(), &[]),
            Self::Denied => hash(2, &[], &[]),
            Self::Event(name) => hash(3, name.as_bytes(), &[]),
            Self::Kind(name) => hash(4, name.as_bytes(), &[]),
            Self::Names(id) => hash(5, id.as_bytes(), &[]),
            Self::Needs(permission) => hash(6, &needs(permission), &[]),
            Self::Object(name) => hash(7, name.as_bytes(), &[]),
            Self::ObjectDenied(name) => hash(8, name.as_bytes(), &[]),
            Self::ObjectNeeds(name, permission) => hash(9, name.as_bytes(), &needs(permission)),
            Self::Person(name) => hash(10, name.as_bytes(), &[]),
            Self::PersonDenied(name) => hash(11, name.as_bytes(), &[]),
            Self::PersonNeeds(name, permission) => hash(12, name.as_bytes(), &needs(permission)),
            Self::PersonObject(person, object) => hash(13, person.as_bytes(), object.as_bytes()),
            Self::Session(half) => hash(14, &half, &[]),
            Self::Target(name) => hash(15, name.as_bytes(), &[]),
            Self::Uses(id) => hash(16, id.as_bytes(), &[]),
        }
    }
}

/// The marks of a record.
pub(super) fn marks_of(entry: &Entry<'_>, mut mark: impl FnMut(Mark<'_>)) {
    let is_denied = entry.is_allowed() == Some(false);
    let person = entry.person();
    if let Some(session) = entry.session {
        mark(Mark::Session(of_session(session)));
    }
    if let Some(person) = person {
        mark(Mark::Person(person));
    }
    entry.target().into_iter().for_each(|it| mark(Mark::Target(it)));
    entry.database().into_iter().for_each(|it| mark(Mark::Database(it)));
    entry.kind.as_deref().into_iter().for_each(|it| mark(Mark::Kind(it)));
    if is_denied {
        mark(Mark::Denied);
        person.into_iter().for_each(|person| mark(Mark::PersonDenied(person)));
    }
    for object in &entry.objects {
        mark(Mark::Object(&object.name));
        person.into_iter().for_each(|person| mark(Mark::PersonObject(person, &object.name)));
        if is_denied {
            mark(Mark::ObjectDenied(&object.name));
        }
        if let Some(permission) = object.mode.permission() {
            mark(Mark::Needs(permission));
            mark(Mark::ObjectNeeds(&object.name, permission));
            person.into_iter().for_each(|person| mark(Mark::PersonNeeds(person, permission)));
        }
    }
    named_by(entry, mark);
}

/// The marks of what a record names by its identifier.
fn named_by(entry: &Entry<'_>, mut mark: impl FnMut(Mark<'_>)) {
    let mentioned = [&entry.grant, &entry.request].into_iter().flatten().map(Mention::name);
    if matches!(&*entry.event, "statement_start" | "statement_end") {
        let used = entry.grants.iter().map(|grant| &**grant).filter(|name| Uuid::parse_str(name).is_ok());
        used.chain(mentioned).for_each(|name| mark(Mark::Uses(name)));
        // One that is not made of its session's is found by itself.
        let stray = entry.statement.filter(|it| Some(of_statement(*it)) != entry.session.map(of_session));
        stray.into_iter().for_each(|id| mark(Mark::Uses(&id.to_string())));
        return;
    }
    mark(Mark::Event(&entry.event));
    mentioned.for_each(|name| mark(Mark::Names(name)));
    let ids = [entry.session, entry.statement].into_iter().flatten();
    ids.for_each(|id| mark(Mark::Names(&id.to_string())));
}

/// What a block is to be marked with if a wanted record is in it: of each list one. `objects` are those of the table that
/// is wanted.
pub(super) fn marks_for(filter: &Filter, objects: Option<&[String]>) -> Vec<Vec<i64>> {
    let one = |mark: Mark<'_>| vec![mark.number()];
    let is_denied = filter.decision == Some(Decided::Deny);
    let person = filter.principal.as_deref();
    let mut all = Vec::new();
    all.extend(filter.target.as_deref().map(|it| one(Mark::Target(it))));
    all.extend(filter.database.as_deref().map(|it| one(Mark::Database(it))));
    all.extend(filter.kind.as_deref().map(|it| one(Mark::Kind(it))));
    let event = filter.event.as_deref().filter(|it| !matches!(*it, "statement_start" | "statement_end"));
    all.extend(event.map(|it| one(Mark::Event(it))));
    all.extend(filter.session.map(|it| one(Mark::Session(of_session(it)))));
    all.extend(filter.reference.as_deref().map(naming));
    match (person, is_denied) {
        (Some(person), true) => all.push(one(Mark::PersonDenied(person))),
        (Some(person), false) => all.push(one(Mark::Person(person))),
        (None, true) => all.push(one(Mark::Denied)),
        (None, false) => {}
    }
    match (person, filter.permission) {
        (Some(person), Some(permission)) => all.push(one(Mark::PersonNeeds(person, permission))),
        (None, Some(permission)) => all.push(one(Mark::Needs(permission))),
        (_, None) => {}
    }
    if let Some(objects) = objects {
        let each = |mark: &dyn Fn(&str) -> i64| objects.iter().map(|object| mark(object)).collect();
        all.push(match (person, filter.permission, is_denied) {
            (Some(person), ..) => each(&|object| Mark::PersonObject(person, object).number()),
            (None, Some(permission), _) => each(&|object| Mark::ObjectNeeds(object, permission).number()),
            (None, None, true) => each(&|object| Mark::ObjectDenied(object).number()),
            (None, None, false) => each(&|object| Mark::Object(object).number()),
        });
    }
    all
}

/// One of these is on each block in which something names `id`.
fn naming(id: &str) -> Vec<i64> {
    let mut any = vec![Mark::Names(id).number(), Mark::Uses(id).number()];
    if let Ok(id) = Uuid::parse_str(id) {
        any.extend([of_session(id), of_statement(id)].map(|half| Mark::Session(half).number()));
    }
    any
}

/// The half of a session's identifier that those of its statements begin with.
fn of_session(session: Uuid) -> [u8; 8] {
    plain(session.as_u64_pair().1)
}

fn of_statement(statement: Uuid) -> [u8; 8] {
    plain(statement.as_u64_pair().0)
}

/// The version of a statement's identifier stands in its seventh byte, in place of four bits of the session's.
const fn plain(half: u64) -> [u8; 8] {
    (half & 0xffff_ffff_ffff_0fff).to_be_bytes()
}

/// FNV-1a, 64 bits: the same in every build.
///
/// Source: draft-eastlake-fnv.
fn hash(kind: u8, first: &[u8], second: &[u8]) -> i64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in [&[kind], first, &[0xff], second].into_iter().flatten() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_has_the_mark_of_its_session_and_of_no_other() {
        let session: Uuid = "01a1fe1e-381f-7528-9c80-c1c003a3b95a".parse().unwrap();
        let mut bytes = *session.as_bytes();
        let (head, tail) = bytes.split_at_mut(8);
        head.copy_from_slice(tail);
        tail.copy_from_slice(&77_u64.to_be_bytes());
        let statement = uuid::Builder::from_custom_bytes(bytes).into_uuid();
        assert_eq!(of_statement(statement), of_session(session));
        assert_ne!(of_statement(statement), of_session(Uuid::from_u128(7)));
    }

    #[test]
    fn what_differs_has_other_numbers() {
        let marks = [
            Mark::Person("a"),
            Mark::PersonDenied("a"),
            Mark::PersonObject("a", "b"),
            Mark::PersonObject("ab", ""),
            Mark::Object("a"),
            Mark::Names("a"),
            Mark::Uses("a"),
        ];
        let numbers: std::collections::BTreeSet<i64> = marks.map(Mark::number).into();
        assert_eq!(numbers.len(), marks.len());
    }
}
