//! Refusals that can be asked about: kept in memory for a day, bounded, each for the one who was refused alone.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    denial::{DenialId, Denied, KeepDenials},
    ids::PrincipalName,
};

use super::{door::Control, secret_text::random};

/// The refusals of late, by who was refused.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_principal: HashMap<PrincipalName, VecDeque<(DenialId, Denied)>>,
    bytes: usize,
}

impl Ledger {
    /// Keeps one; the same statement at the same place has the name that it had before.
    pub(super) fn keep(&self, id: DenialId, denied: Denied) -> Option<DenialId> {
        if denied.sql.len() > MOST_SQL_BYTES {
            return None;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { by_principal, bytes } = &mut *kept;
        let own = by_principal.entry(denied.principal.clone()).or_default();
        let same = own.iter().position(|(_, it)| it.sql == denied.sql && it.place == denied.place);
        let (id, replaced) = match same.and_then(|at| own.remove(at)) {
            Some((known, old)) => (known, size(&old)),
            None => (id, 0),
        };
        *bytes = (*bytes).saturating_sub(replaced);
        while own.len() >= MOST_EACH {
            *bytes = (*bytes).saturating_sub(own.pop_front().map_or(0, |(_, old)| size(&old)));
        }
        if *bytes + size(&denied) > MOST_BYTES {
            return None;
        }
        *bytes += size(&denied);
        own.push_back((id, denied));
        Some(id)
    }

    /// The refusal that `principal` calls so.
    pub(super) fn of(&self, principal: &PrincipalName, id: DenialId) -> Option<Denied> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = kept.by_principal.get(principal)?;
        own.iter().rev().find(|(known, _)| *known == id).map(|(_, denied)| denied.clone())
    }

    /// Forgets what is older than a day.
    pub(super) fn forget(&self, now: Timestamp) {
        let since = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.by_principal.retain(|_, own| {
            own.retain(|(_, denied)| denied.at > since);
            !own.is_empty()
        });
        kept.bytes = kept.by_principal.values().flatten().map(|(_, denied)| size(denied)).sum();
    }
}

impl KeepDenials for Control {
    fn keep(&self, denied: Denied) -> Option<DenialId> {
        let id = DenialId::new(u32::from_be_bytes(random::<4>().ok()?));
        let told = denied.clone();
        let id = self.ledger().keep(id, denied)?;
        self.notices().refused(id, &told);
        Some(id)
    }
}

/// About what one takes up.
fn size(denied: &Denied) -> usize {
    let accesses: usize = denied.does.iter().map(|facts| facts.accesses.len() + facts.calls.len()).sum();
    OWN_BYTES + denied.sql.len() + (accesses + denied.missing.len()) * ACCESS_BYTES
}

const MOST_SQL_BYTES: usize = 64 << 10;
const MOST_EACH: usize = 100;
const MOST_BYTES: usize = 64 << 20;
const OWN_BYTES: usize = 512;
const ACCESS_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::target::Place;

    fn denied(principal: &str, sql: &str, second: i64) -> Denied {
        Denied {
            principal: principal.into(),
            place: Place { target: "hr".into(), database: "hr_prod".into() },
            sql: sql.into(),
            does: Arc::from([]),
            missing: Vec::new(),
            at: Timestamp::from_second(second).unwrap(),
        }
    }

    #[test]
    fn a_refusal_is_known_to_the_one_who_was_refused_alone_and_for_a_day() {
        let ledger = Ledger::default();
        let id = ledger.keep(DenialId::new(1), denied("dana", "SELECT 1", 0)).unwrap();
        assert_eq!(&*ledger.of(&"dana".into(), id).unwrap().sql, "SELECT 1");
        assert!(ledger.of(&"sam".into(), id).is_none());
        ledger.forget(Timestamp::from_second(86_399).unwrap());
        assert!(ledger.of(&"dana".into(), id).is_some());
        ledger.forget(Timestamp::from_second(86_400).unwrap());
        assert!(ledger.of(&"dana".into(), id).is_none());
    }

    #[test]
    fn the_same_statement_keeps_its_name_and_the_oldest_makes_room() {
        let ledger = Ledger::default();
        let first = ledger.keep(DenialId::new(1), denied("dana", "SELECT 1", 0));
        assert_eq!(ledger.keep(DenialId::new(2), denied("dana", "SELECT 1", 1)), first);
        for number in 0..100 {
            ledger
                .keep(DenialId::new(100 + number), denied("dana", &format!("SELECT 1{number}"), 2))
                .unwrap();
        }
        assert!(ledger.of(&"dana".into(), DenialId::new(1)).is_none());
        assert!(ledger.of(&"dana".into(), DenialId::new(199)).is_some());
        assert!(ledger.keep(DenialId::new(3), denied("dana", &"x".repeat(70_000), 0)).is_none());
    }
}
