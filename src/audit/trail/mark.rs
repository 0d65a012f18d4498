//! What blocks are marked with: numbers for what their records say.
//!
//! A number is a hash. Two things with the same number cost a look at a block in which nothing is found, no more:
//! whether a record is wanted is always read from its line.

use uuid::Uuid;

use super::{
    entry::{Entry, Mention, permission_code},
    filter::{Decided, Filter},
    named::Named,
};
use crate::model::permission::Permission;

/// What a record says that it may be looked for by. Pairs are marked where each by itself is in nearly every block.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mark {
    Database(Hash),
    Denied,
    /// Not of statements: those are everywhere.
    Event(Hash),
    Kind(Hash),
    /// A record that is none of a statement's names it.
    Names(Hash),
    Needs(Permission),
    Object(Hash),
    ObjectDenied(Hash),
    ObjectNeeds(Hash, Permission),
    Person(Hash),
    PersonDenied(Hash),
    PersonNeeds(Hash, Permission),
    PersonObject(Hash, Hash),
    PersonTarget(Hash, Hash),
    /// A half of a session's identifier: those of its statements begin with it.
    Session(u64),
    Target(Hash),
    /// A statement rests on it, or is it.
    Uses(Hash),
}

/// What stands for a text in marks: the same in every build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hash(u64);

impl Hash {
    /// FNV-1a, 64 bits.
    ///
    /// Source: draft-eastlake-fnv.
    pub(super) fn of(text: &str) -> Self {
        Self(text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        }))
    }
}

impl Mark {
    /// Its number.
    pub(super) const fn number(self) -> i64 {
        const fn needs(permission: Permission) -> u64 {
            permission_code(Some(permission)).cast_unsigned()
        }
        match self {
            Self::Database(name) => number(1, name.0, 0),
            Self::Denied => number(2, 0, 0),
            Self::Event(name) => number(3, name.0, 0),
            Self::Kind(name) => number(4, name.0, 0),
            Self::Names(id) => number(5, id.0, 0),
            Self::Needs(permission) => number(6, needs(permission), 0),
            Self::Object(name) => number(7, name.0, 0),
            Self::ObjectDenied(name) => number(8, name.0, 0),
            Self::ObjectNeeds(name, permission) => number(9, name.0, needs(permission)),
            Self::Person(name) => number(10, name.0, 0),
            Self::PersonDenied(name) => number(11, name.0, 0),
            Self::PersonNeeds(name, permission) => number(12, name.0, needs(permission)),
            Self::PersonObject(person, object) => number(13, person.0, object.0),
            Self::PersonTarget(person, target) => number(14, person.0, target.0),
            Self::Session(half) => number(15, half, 0),
            Self::Target(name) => number(16, name.0, 0),
            Self::Uses(id) => number(17, id.0, 0),
        }
    }
}

/// The marks of a record, whose names are `named`.
pub(super) fn marks_of(entry: &Entry<'_>, named: &Named, mut mark: impl FnMut(Mark)) {
    let is_denied = entry.is_allowed() == Some(false);
    let person = named.person.map(|name| name.hash);
    if let Some(session) = entry.session {
        mark(Mark::Session(of_session(session)));
    }
    if let Some(person) = person {
        mark(Mark::Person(person));
    }
    if let Some(target) = named.target {
        mark(Mark::Target(target.hash));
        person.into_iter().for_each(|person| mark(Mark::PersonTarget(person, target.hash)));
    }
    named.database.into_iter().for_each(|it| mark(Mark::Database(it.hash)));
    entry.kind.as_deref().into_iter().for_each(|it| mark(Mark::Kind(Hash::of(it))));
    if is_denied {
        mark(Mark::Denied);
        person.into_iter().for_each(|person| mark(Mark::PersonDenied(person)));
    }
    for (object, permission) in &named.objects {
        mark(Mark::Object(object.hash));
        person.into_iter().for_each(|person| mark(Mark::PersonObject(person, object.hash)));
        if is_denied {
            mark(Mark::ObjectDenied(object.hash));
        }
        if let Some(permission) = *permission {
            mark(Mark::Needs(permission));
            mark(Mark::ObjectNeeds(object.hash, permission));
            person.into_iter().for_each(|person| mark(Mark::PersonNeeds(person, permission)));
        }
    }
    named_by(entry, mark);
}

/// The marks of what a record names by its identifier.
fn named_by(entry: &Entry<'_>, mut mark: impl FnMut(Mark)) {
    let mentioned = [&entry.grant, &entry.request].into_iter().flatten().map(Mention::name);
    if matches!(&*entry.event, "statement_start" | "statement_end") {
        let used = entry.grants.iter().map(|grant| &**grant).filter(|name| Uuid::parse_str(name).is_ok());
        used.chain(mentioned).for_each(|name| mark(Mark::Uses(Hash::of(name))));
        // One that is not made of its session's is found by itself.
        let stray = entry.statement.filter(|it| Some(of_statement(*it)) != entry.session.map(of_session));
        stray.into_iter().for_each(|id| mark(Mark::Uses(Hash::of(&id.to_string()))));
        return;
    }
    mark(Mark::Event(Hash::of(&entry.event)));
    mentioned.for_each(|name| mark(Mark::Names(Hash::of(name))));
    let ids = [entry.session, entry.statement].into_iter().flatten();
    ids.for_each(|id| mark(Mark::Names(Hash::of(&id.to_string()))));
}

/// What a block is to be marked with if a wanted record is in it: of each list one. `objects` are those of the table that
/// is wanted.
pub(super) fn marks_for(filter: &Filter, objects: Option<&[String]>) -> Vec<Vec<i64>> {
    let one = |mark: Mark| vec![mark.number()];
    let is_denied = filter.decision == Some(Decided::Deny);
    let hashed = |text: &Option<String>| text.as_deref().map(Hash::of);
    let person = hashed(&filter.principal);
    let mut all = Vec::new();
    all.extend(hashed(&filter.target).map(|target| match person {
        Some(person) => one(Mark::PersonTarget(person, target)),
        None => one(Mark::Target(target)),
    }));
    all.extend(hashed(&filter.database).map(|it| one(Mark::Database(it))));
    all.extend(hashed(&filter.kind).map(|it| one(Mark::Kind(it))));
    let event = filter.event.as_deref().filter(|it| !matches!(*it, "statement_start" | "statement_end"));
    all.extend(event.map(|it| one(Mark::Event(Hash::of(it)))));
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
        let mark = |object: Hash| match (person, filter.permission, is_denied) {
            (Some(person), ..) => Mark::PersonObject(person, object),
            (None, Some(permission), _) => Mark::ObjectNeeds(object, permission),
            (None, None, true) => Mark::ObjectDenied(object),
            (None, None, false) => Mark::Object(object),
        };
        all.push(objects.iter().map(|object| mark(Hash::of(object)).number()).collect());
    }
    all
}

/// One of these is on each block in which something names `id`.
fn naming(id: &str) -> Vec<i64> {
    let mut any = vec![Mark::Names(Hash::of(id)).number(), Mark::Uses(Hash::of(id)).number()];
    if let Ok(id) = Uuid::parse_str(id) {
        any.extend([of_session(id), of_statement(id)].map(|half| Mark::Session(half).number()));
    }
    any
}

/// The half of a session's identifier that those of its statements begin with.
fn of_session(session: Uuid) -> u64 {
    plain(session.as_u64_pair().1)
}

fn of_statement(statement: Uuid) -> u64 {
    plain(statement.as_u64_pair().0)
}

/// The version of a statement's identifier stands in its seventh byte, in place of four bits of the session's.
const fn plain(half: u64) -> u64 {
    half & 0xffff_ffff_ffff_0fff
}

const fn number(kind: u64, first: u64, second: u64) -> i64 {
    mixed(mixed(first.wrapping_add(kind.wrapping_mul(0x9e37_79b9_7f4a_7c15))) ^ second).cast_signed()
}

/// Spreads what differs in few bits over all.
///
/// Source: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", `mix64`.
const fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
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
        let [a, b] = ["a", "b"].map(Hash::of);
        let marks = [
            Mark::Person(a),
            Mark::PersonDenied(a),
            Mark::PersonObject(a, b),
            Mark::PersonObject(b, a),
            Mark::PersonObject(Hash::of("ab"), Hash::of("")),
            Mark::Object(a),
            Mark::ObjectNeeds(a, Permission::Select),
            Mark::ObjectNeeds(a, Permission::Export),
            Mark::Names(a),
            Mark::Uses(a),
        ];
        let numbers: std::collections::BTreeSet<i64> = marks.map(Mark::number).into();
        assert_eq!(numbers.len(), marks.len());
    }
}
