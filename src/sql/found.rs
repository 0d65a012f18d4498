//! What both grammars note of a statement, in the order and number in which facts carry it.

use crate::model::{
    facts::{Access, AccessMode, Call, SessionEffect, Tie},
    object::Object,
};

/// Notes an effect, behind those that come about before it.
pub(super) fn note_effect(effects: &mut Vec<SessionEffect>, effect: SessionEffect) {
    // Most that are said again were said just before; `sort_out` sees to the others.
    if !(is_said_once(&effect) && effects.last() == Some(&effect)) {
        effects.push(effect);
    }
}

/// Whether an effect says no more the second time. Of these there are few: a lock's name makes it another.
const fn is_said_once(effect: &SessionEffect) -> bool {
    match effect {
        SessionEffect::Ties(tie) | SessionEffect::Releases(tie) => !matches!(tie, Tie::NamedLock(Some(_))),
        SessionEffect::Pin
        | SessionEffect::Define
        | SessionEffect::ReadsDiagnostics
        | SessionEffect::ShowsApplication => true,
        SessionEffect::ShowsPrivileges
        | SessionEffect::ShowsReadOnly
        | SessionEffect::Set { .. }
        | SessionEffect::ResetAll
        | SessionEffect::DiscardAll
        | SessionEffect::DiscardTemporary
        | SessionEffect::CreateTemporary(_)
        | SessionEffect::DropRelation(_)
        | SessionEffect::Prepare { .. }
        | SessionEffect::Deallocate(_)
        | SessionEffect::DeclareCursor { .. }
        | SessionEffect::CloseCursor(_)
        | SessionEffect::Vacates(_)
        | SessionEffect::UseDatabase(_)
        | SessionEffect::LockTables
        | SessionEffect::UnlockTables
        | SessionEffect::ContextUnknown => false,
    }
}

/// Leaves the first of those that say no more the second time.
fn leave_once(effects: &mut Vec<SessionEffect>) {
    let mut said: Vec<SessionEffect> = Vec::new();
    effects.retain(|effect| {
        let again = is_said_once(effect) && said.contains(effect);
        if is_said_once(effect) && !again {
            said.push(effect.clone());
        }
        !again
    });
}

/// Sorts all of them but effects, and leaves one of each; what touches nothing still uses the database.
pub(super) fn sort_out(
    accesses: &mut Vec<Access>,
    shown_by_errors: &mut Vec<Object>,
    calls: &mut Vec<Call>,
    effects: &mut Vec<SessionEffect>,
) {
    if accesses.is_empty() {
        accesses.push(Access { object: Object::Database, mode: AccessMode::Use });
    }
    accesses.sort();
    accesses.dedup();
    shown_by_errors.sort();
    shown_by_errors.dedup();
    calls.sort();
    calls.dedup();
    leave_once(effects);
}
