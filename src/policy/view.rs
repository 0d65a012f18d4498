//! One principal at one place at one moment: where needs are held against grants.

use jiff::Timestamp;

use crate::model::{
    dialect::Dialect,
    facts::Call,
    permission::{Permission, PermissionSet},
    principal::Principal,
    target::Place,
};

use super::{
    ceiling,
    denial::Closed,
    index::{Entry, longest_first},
    need::Need,
    snapshot::{Member, Site, Snapshot},
};

/// A principal that may be let in, at a target that exists.
pub(super) struct View<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) member: &'s Member,
    pub(super) site: &'s Site,
    pub(super) place: &'s Place,
    /// What ceilings forbid here, whatever is granted.
    pub(super) forbidden: PermissionSet,
    pub(super) now: Timestamp,
}

impl<'s> View<'s> {
    /// Looks the principal up by name, so that an old copy of it in an open session gives it nothing.
    ///
    /// # Errors
    /// Closed when the principal is unknown or disabled, or the target is unknown.
    pub(super) fn open(
        snapshot: &'s Snapshot,
        principal: &Principal,
        place: &'s Place,
        now: Timestamp,
    ) -> Result<Self, Closed> {
        let member = snapshot.member(&principal.name).ok_or(Closed::UnknownPrincipal)?;
        if member.principal.disabled {
            return Err(Closed::Disabled);
        }
        let site = snapshot.site(&place.target).ok_or(Closed::UnknownTarget)?;
        let forbidden = ceiling::forbidden(site.ceilings.iter(), &member.principal);
        Ok(Self { snapshot, member, site, place, forbidden, now })
    }

    /// What the target speaks.
    pub(super) fn dialect(&self) -> Dialect {
        self.site.target.dialect
    }

    /// Whether policy lists the routine for the target.
    pub(super) fn is_listed(&self, call: &Call) -> bool {
        self.site.allows_routine(&call.name)
    }

    /// The live grant that satisfies `need` and lasts longest.
    pub(super) fn grant_for(&self, need: &Need<'_>) -> Option<&'s Entry> {
        if need.permission().is_some_and(|permission| self.forbidden.contains(permission)) {
            return None;
        }
        // The lists are in order of their ends, so the first that fits is the best of its list.
        self.lists()
            .filter_map(|mut list| list.find(|entry| self.satisfies(entry, need)))
            .min_by(|a, b| longest_first(a.over_at, b.over_at))
    }

    /// Whether `entry` would satisfy `need`, were it in force.
    pub(super) fn covers(&self, entry: &Entry, need: &Need<'_>) -> bool {
        let dialect = self.dialect();
        // Where a session spans the databases of its server, being anywhere on it is being present.
        let anywhere = dialect.spans_databases() && matches!(need, Need::Presence);
        let database = need.database(dialect).unwrap_or(&self.place.database);
        if entry.is_presence() {
            // Leave for one statement opens the door, so that it can be used, and nothing behind it.
            let is_there = anywhere || entry.grant.database.matches(database);
            return matches!(need, Need::Presence | Need::PresenceIn(_)) && is_there;
        }
        let allows = match need.permission() {
            Some(permission) => entry.reach.contains(permission),
            None => self.leaves_anything(entry),
        };
        allows
            && (anywhere || entry.grant.database.matches(database))
            && entry.grant.objects.iter().any(|pattern| need.is_reached_by(pattern, dialect))
    }

    /// The live grants on the target and database, in no order.
    pub(super) fn live_here(&self) -> impl Iterator<Item = &'s Entry> {
        self.lists().flatten().filter(|entry| self.satisfies(entry, &Need::Presence))
    }

    /// Every grant on the target that the principal holds or held.
    pub(super) fn ever_on_target(&self) -> impl Iterator<Item = &'s Entry> {
        let index = self.snapshot.index();
        let target: &'s str = &self.place.target;
        self.member.holders.iter().flat_map(move |holder| index.on_target(*holder, target)).flatten()
    }

    /// Whether the ceilings leave something of `permission` held by a live grant here.
    pub(super) fn holds(&self, permission: Permission) -> bool {
        !self.forbidden.contains(permission) && self.live_here().any(|entry| entry.reach.contains(permission))
    }

    /// What `entry` still allows under the ceilings.
    pub(super) fn remainder(&self, entry: &Entry) -> PermissionSet {
        entry.reach.iter().filter(|permission| !self.forbidden.contains(*permission)).collect()
    }

    fn satisfies(&self, entry: &Entry, need: &Need<'_>) -> bool {
        entry.is_live(self.now) && self.covers(entry, need)
    }

    /// A grant of which the ceilings leave nothing is no grant here.
    fn leaves_anything(&self, entry: &Entry) -> bool {
        entry.reach.iter().any(|permission| !self.forbidden.contains(permission))
    }

    /// The grants on the target that are not over, each list with the one that lasts longest first.
    fn lists(&self) -> impl Iterator<Item = impl Iterator<Item = &'s Entry> + use<'s>> {
        let (index, now) = (self.snapshot.index(), self.now);
        let target: &'s str = &self.place.target;
        self.member
            .holders
            .iter()
            .flat_map(move |holder| index.on_target(*holder, target))
            .map(move |list| list.take_while(move |entry| !entry.is_over(now)))
    }
}
