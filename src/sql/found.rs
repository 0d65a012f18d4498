//! What both grammars note of a statement, in the order and number in which facts carry it.

use crate::model::{
    facts::{Access, AccessMode, Call, SessionEffect},
    object::Object,
};

/// Notes an effect, behind those that come about before it; once is enough for those that say no more the second time.
pub(super) fn note_effect(effects: &mut Vec<SessionEffect>, effect: SessionEffect) {
    let once = matches!(
        effect,
        SessionEffect::Pin
            | SessionEffect::Ties(_)
            | SessionEffect::Releases(_)
            | SessionEffect::Define
            | SessionEffect::ReadsDiagnostics
            | SessionEffect::ShowsApplication
    );
    if !(once && effects.contains(&effect)) {
        effects.push(effect);
    }
}

/// Sorts all of them, and leaves one of each; what touches nothing still uses the database.
pub(super) fn sort_out(accesses: &mut Vec<Access>, shown_by_errors: &mut Vec<Object>, calls: &mut Vec<Call>) {
    if accesses.is_empty() {
        accesses.push(Access { object: Object::Database, mode: AccessMode::Use });
    }
    accesses.sort();
    accesses.dedup();
    shown_by_errors.sort();
    shown_by_errors.dedup();
    calls.sort();
    calls.dedup();
}
