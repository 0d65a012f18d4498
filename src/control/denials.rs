//! Refusals that can be asked about: for a day, bounded, each for the one who was refused alone.
//!
//! A refusal waits for nobody: it is kept in memory at once, and written to the store behind its back, so that it is known
//! after a restart and at other gateways as well.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tracing::warn;

use crate::{
    model::{
        denial::{DenialId, Denied, KeepDenials},
        ids::PrincipalName,
        permission::PermissionSet,
    },
    policy,
    store::StoredDenial,
};

use super::{
    ask_views::DenialView,
    door::Control,
    error::{ControlError, unknown},
    secret_text::random,
};

/// The refusals of late, by who was refused, and those that are on their way to the store.
#[derive(Debug)]
pub(super) struct Ledger {
    kept: Mutex<Kept>,
    outbox: Sender<Entry>,
    to_write: Mutex<Option<Receiver<Entry>>>,
}

#[derive(Debug, Default)]
struct Kept {
    by_principal: HashMap<PrincipalName, VecDeque<Entry>>,
    bytes: usize,
}

/// One refusal.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    principal: PrincipalName,
    id: DenialId,
    denial: Arc<StoredDenial>,
    at: Timestamp,
}

impl Ledger {
    pub(super) fn new() -> Self {
        let (outbox, to_write) = channel(MOST_UNWRITTEN);
        Self { kept: Mutex::default(), outbox, to_write: Mutex::new(Some(to_write)) }
    }

    /// Keeps one; the same statement at the same place has the name that it had before. Gives it if it is to be written.
    fn keep(&self, id: DenialId, denied: Denied) -> Option<(DenialId, Option<Entry>)> {
        if denied.sql.len() > MOST_SQL_BYTES {
            return None;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { by_principal, bytes } = &mut *kept;
        let own = by_principal.entry(denied.principal.clone()).or_default();
        let same = own.iter().position(|it| *it.denial.sql == *denied.sql && it.denial.is_at(&denied.place));
        let old = same.and_then(|at| own.remove(at));
        if let Some(fresh) = old.as_ref().filter(|it| denied.at.duration_since(it.at) < WRITTEN_ANEW) {
            let id = fresh.id;
            own.extend(old);
            return Some((id, None));
        }
        let id = old.as_ref().map_or(id, |it| it.id);
        *bytes = (*bytes).saturating_sub(old.as_ref().map_or(0, Entry::size));
        while own.len() >= MOST_EACH as usize {
            *bytes = (*bytes).saturating_sub(own.pop_front().map_or(0, |it| it.size()));
        }
        let (principal, at) = (denied.principal.clone(), denied.at);
        let entry = Entry { principal, id, denial: Arc::new(stored(denied)), at };
        if *bytes + entry.size() > MOST_BYTES {
            return None;
        }
        *bytes += entry.size();
        own.push_back(entry.clone());
        Some((id, Some(entry)))
    }

    /// The refusal that `principal` calls so, if it was here.
    fn of(&self, principal: &PrincipalName, id: DenialId) -> Option<Arc<StoredDenial>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let own = kept.by_principal.get(principal)?;
        own.iter().rev().find(|it| it.id == id).map(|it| Arc::clone(&it.denial))
    }

    /// Forgets what is from before `since`, or from then.
    pub(super) fn forget(&self, since: Timestamp) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.by_principal.retain(|_, own| {
            own.retain(|it| it.at > since);
            !own.is_empty()
        });
        kept.bytes = kept.by_principal.values().flatten().map(Entry::size).sum();
    }
}

impl Entry {
    /// About what one takes up.
    fn size(&self) -> usize {
        OWN_BYTES + self.denial.sql.len() + self.denial.missing.len() * MISSING_BYTES
    }
}

impl KeepDenials for Control {
    fn keep(&self, denied: Denied) -> Option<DenialId> {
        let id = DenialId::new(u32::from_be_bytes(random::<4>().ok()?));
        let told = denied.clone();
        let (id, to_write) = self.ledger().keep(id, denied)?;
        if let Some(Err(_)) = to_write.map(|entry| self.ledger().outbox.try_send(entry)) {
            self.parts().metrics.denials_not_kept.inc();
        }
        self.notices().refused(id, &told);
        Some(id)
    }

    fn page_of(&self, denial: DenialId) -> Option<String> {
        self.public_url().map(|url| format!("{url}/r/{denial}"))
    }
}

impl Control {
    /// The refusal that `principal` calls so, wherever it was.
    pub(super) async fn denial(
        &self,
        principal: &PrincipalName,
        id: DenialId,
    ) -> Result<Option<Arc<StoredDenial>>, ControlError> {
        if let Some(known) = self.ledger().of(principal, id) {
            return Ok(Some(known));
        }
        let since = forgotten_until(self.now());
        Ok(self.store().denial(principal, id, since).await?.map(Arc::new))
    }

    /// The refusal that `principal` calls so, as they may see it.
    ///
    /// # Errors
    /// `Unknown`, also for what was refused to somebody else; `Store`.
    pub async fn denial_view(
        &self,
        principal: &PrincipalName,
        id: DenialId,
    ) -> Result<DenialView, ControlError> {
        let denial = self.denial(principal, id).await?.ok_or_else(|| unknown("denial", id))?;
        let dialect = self.parts().targets.iter().find(|it| it.name == denial.target).map(|it| it.dialect);
        let place = denial.place();
        let asked = dialect.and_then(|dialect| policy::asked_for(&denial.missing, &place, dialect));
        let (database, objects, permissions) =
            asked.unwrap_or_else(|| (place.database, Vec::new(), PermissionSet::EMPTY));
        let sql = denial.sql.clone();
        Ok(DenialView { id, target: place.target, database, sql, objects, permissions })
    }

    /// Writes refusals to the store as they come, until `stop` is done and what came before is written; only the first
    /// call does.
    pub async fn write_denials(&self, stop: impl Future<Output = ()>) {
        let taken = self.ledger().to_write.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut to_write) = taken else { return };
        let mut stop = std::pin::pin!(stop);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let count = tokio::select! {
                count = to_write.recv_many(&mut batch, BATCH) => count,
                () = &mut stop, if !to_write.is_closed() => {
                    to_write.close();
                    continue;
                }
            };
            if count == 0 {
                return;
            }
            if let Err(error) = self.write(&batch).await {
                warn!(%error, count = batch.len(), "refusals can be asked about at this gateway alone");
                self.parts().metrics.denials_not_kept.inc_by(batch.len() as u64);
            }
            batch.clear();
        }
    }

    async fn write(&self, batch: &[Entry]) -> Result<(), ControlError> {
        let mut change = self.store().change().await?;
        for entry in batch {
            change.keep_denial(&entry.principal, entry.id, &entry.denial, entry.at).await?;
        }
        for principal in batch.iter().map(|entry| &entry.principal).collect::<BTreeSet<_>>() {
            change.trim_denials(principal, MOST_EACH).await?;
        }
        Ok(change.commit().await?)
    }
}

fn stored(denied: Denied) -> StoredDenial {
    StoredDenial {
        target: denied.place.target,
        database: denied.place.database,
        sql: denied.sql.to_string(),
        missing: denied.missing,
    }
}

/// What is from then or before is forgotten at `now`.
pub(super) fn forgotten_until(now: Timestamp) -> Timestamp {
    now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN)
}

const MOST_SQL_BYTES: usize = 64 << 10;
const MOST_EACH: u32 = 100;
const MOST_BYTES: usize = 64 << 20;
const OWN_BYTES: usize = 512;
const MISSING_BYTES: usize = 128;
/// So many wait to be written; more are kept in memory alone.
const MOST_UNWRITTEN: usize = 256;
const BATCH: usize = 64;
/// The same refusal is written once an hour.
const WRITTEN_ANEW: SignedDuration = SignedDuration::from_hours(1);

#[cfg(test)]
mod tests {
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

    fn name(kept: Option<(DenialId, Option<Entry>)>) -> Option<DenialId> {
        kept.map(|(id, _)| id)
    }

    #[test]
    fn a_refusal_is_known_to_the_one_who_was_refused_alone_and_for_a_day() {
        let ledger = Ledger::new();
        let id = name(ledger.keep(DenialId::new(1), denied("dana", "SELECT 1", 0))).unwrap();
        assert_eq!(ledger.of(&"dana".into(), id).unwrap().sql, "SELECT 1");
        assert!(ledger.of(&"sam".into(), id).is_none());
        ledger.forget(forgotten_until(Timestamp::from_second(86_399).unwrap()));
        assert!(ledger.of(&"dana".into(), id).is_some());
        ledger.forget(forgotten_until(Timestamp::from_second(86_400).unwrap()));
        assert!(ledger.of(&"dana".into(), id).is_none());
    }

    #[test]
    fn the_same_statement_keeps_its_name_and_the_oldest_makes_room() {
        let ledger = Ledger::new();
        let first = name(ledger.keep(DenialId::new(1), denied("dana", "SELECT 1", 0)));
        assert_eq!(name(ledger.keep(DenialId::new(2), denied("dana", "SELECT 1", 1))), first);
        for number in 0..100 {
            ledger
                .keep(DenialId::new(100 + number), denied("dana", &format!("SELECT 1{number}"), 2))
                .unwrap();
        }
        assert!(ledger.of(&"dana".into(), DenialId::new(1)).is_none());
        assert!(ledger.of(&"dana".into(), DenialId::new(199)).is_some());
        assert!(ledger.keep(DenialId::new(3), denied("dana", &"x".repeat(70_000), 0)).is_none());
    }

    #[test]
    fn the_same_refusal_is_written_once_an_hour() {
        let ledger = Ledger::new();
        let written = |second| ledger.keep(DenialId::new(1), denied("dana", "SELECT 1", second)).unwrap().1;
        assert!(written(0).is_some());
        assert!(written(3599).is_none());
        assert_eq!(
            written(3600).map(|entry| (entry.id, entry.at.as_second())),
            Some((DenialId::new(1), 3600))
        );
    }
}
