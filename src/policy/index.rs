//! Grants, found by holder and target without looking at anybody else's.

use std::{
    cmp::Ordering,
    collections::{HashMap, hash_map::Entry as MapEntry},
    sync::Arc,
};

use jiff::Timestamp;

use crate::model::{
    grant::{Grant, GrantName, Holder},
    ids::{GroupName, PrincipalName, TargetName},
    permission::PermissionSet,
};

use super::ceiling;

/// All grants of a snapshot.
#[derive(Debug, Default)]
pub(super) struct GrantIndex {
    entries: Vec<Entry>,
    holders: Vec<HolderGrants>,
    by_principal: HashMap<PrincipalName, usize>,
    by_group: HashMap<GroupName, usize>,
}

/// One grant, with what decisions ask of it worked out.
#[derive(Debug)]
pub(super) struct Entry {
    /// The grant itself.
    pub(super) grant: Grant,
    /// Its permissions and all that they imply.
    pub(super) reach: PermissionSet,
    /// [`Grant::over_at`].
    pub(super) over_at: Option<Timestamp>,
    /// The grants of a Permit that rests on this one alone.
    pub(super) alone: Arc<[GrantName]>,
}

/// The grants of one holder; each list has the one that lasts longest first.
#[derive(Debug, Default)]
struct HolderGrants {
    /// On a target named in full.
    exact: HashMap<TargetName, Vec<usize>>,
    /// On targets named by a pattern.
    patterned: Vec<usize>,
}

/// A holder, as the index numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HolderNumber(usize);

impl GrantIndex {
    /// Indexes `grants`.
    pub(super) fn build(grants: impl Iterator<Item = Grant>) -> Self {
        let mut index = Self::default();
        for grant in grants {
            index.add(grant);
        }
        let entries = &index.entries;
        let order = |a: &usize, b: &usize| match (entries.get(*a), entries.get(*b)) {
            (Some(a), Some(b)) => longest_first(a.over_at, b.over_at),
            (None, _) | (_, None) => Ordering::Equal,
        };
        for holder in &mut index.holders {
            holder.patterned.sort_by(order);
            holder.exact.values_mut().for_each(|list| list.sort_by(order));
        }
        index
    }

    fn add(&mut self, grant: Grant) {
        let number = self.entries.len();
        let holder = match &grant.holder {
            Holder::Principal(name) => slot(self.by_principal.entry(name.clone()), &mut self.holders),
            Holder::Group(name) => slot(self.by_group.entry(name.clone()), &mut self.holders),
        };
        if let Some(holder) = self.holders.get_mut(holder) {
            holder.list(&grant, number);
        }
        self.entries.push(Entry::new(grant));
    }

    /// The holders through which a principal with these groups holds grants.
    pub(super) fn holders(&self, principal: &PrincipalName, groups: &[GroupName]) -> Box<[HolderNumber]> {
        let own = self.by_principal.get(principal);
        let shared = groups.iter().filter_map(|group| self.by_group.get(group));
        own.into_iter().chain(shared).map(|number| HolderNumber(*number)).collect()
    }

    /// The grants of `holder` on `target`, over or not; the one that lasts longest first in each of two lists.
    pub(super) fn on_target<'i>(
        &'i self,
        holder: HolderNumber,
        target: &'i str,
    ) -> [impl Iterator<Item = &'i Entry>; 2] {
        let holder = self.holders.get(holder.0);
        let exact = holder.and_then(|holder| holder.exact.get(target)).map(Vec::as_slice);
        let patterned = holder.map(|holder| holder.patterned.as_slice());
        [exact, patterned].map(move |list| {
            list.unwrap_or_default()
                .iter()
                .filter_map(|number| self.entries.get(*number))
                .filter(move |entry| entry.grant.target.matches(target))
        })
    }

    /// Every grant of `holder`, over or not.
    pub(super) fn of_holder(&self, holder: HolderNumber) -> impl Iterator<Item = &Entry> {
        let holder = self.holders.get(holder.0);
        holder
            .into_iter()
            .flat_map(|holder| holder.exact.values().flatten().chain(&holder.patterned))
            .filter_map(|number| self.entries.get(*number))
    }

    /// Every grant.
    pub(super) fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.entries.iter().map(|entry| &entry.grant)
    }
}

impl HolderGrants {
    fn list(&mut self, grant: &Grant, number: usize) {
        if grant.target.as_str().contains('*') {
            self.patterned.push(number);
        } else {
            self.exact.entry(grant.target.as_str().into()).or_default().push(number);
        }
    }
}

impl Entry {
    /// Whether it is leave for one statement: its holder is present, and opens nothing with it.
    pub(super) fn is_presence(&self) -> bool {
        self.grant.objects.is_empty()
    }

    fn new(grant: Grant) -> Self {
        Self {
            reach: ceiling::downward(grant.permissions),
            over_at: grant.over_at(),
            alone: Arc::from([grant.id.clone()]),
            grant,
        }
    }

    /// Whether it is over at `now`; once over, always over.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.over_at.is_some_and(|at| at <= now)
    }

    /// Whether it is in force at `now`.
    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        self.grant.is_live(now)
    }
}

/// Orders ends so that the later comes first and `None` (never) before all.
pub(super) fn longest_first(a: Option<Timestamp>, b: Option<Timestamp>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(a), Some(b)) => b.cmp(&a),
    }
}

fn slot<K>(entry: MapEntry<'_, K, usize>, holders: &mut Vec<HolderGrants>) -> usize {
    *entry.or_insert_with(|| {
        holders.push(HolderGrants::default());
        holders.len() - 1
    })
}
