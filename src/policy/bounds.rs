//! How much of a target somebody may take up, and for how long.

use std::time::Duration;

use super::Snapshot;
use crate::model::{
    grant::Holder,
    object::Glob,
    permission::{Permission, PermissionSet},
    principal::Principal,
};

/// What policy bounds for some people at some targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundsRule {
    /// For whom; `None` is everybody.
    pub to: Option<Holder>,
    /// At which targets.
    pub target: Glob,
    /// For statements whose strongest need is one of these alone; `None` is all. Bounds the time of statements, and
    /// nothing else.
    pub permissions: Option<PermissionSet>,
    /// The bounds.
    pub bounds: Bounds,
}

/// Bounds of one principal at one target; `None` is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Sessions open at once.
    pub sessions: Option<u32>,
    /// Upstream connections of one lane in use at once, and with them statements that run.
    pub connections: Option<u32>,
    /// The same as a share of the lane's connections, in percent.
    pub connections_percent: Option<u8>,
    /// How long a statement may run.
    pub statement: Option<Duration>,
    /// How long a transaction may wait for its next statement.
    pub idle_in_transaction: Option<Duration>,
    /// How long a transaction may be open.
    pub transaction: Option<Duration>,
}

impl Bounds {
    /// The stricter of the two, bound by bound.
    fn and(self, other: Self) -> Self {
        Self {
            sessions: least(self.sessions, other.sessions),
            connections: least(self.connections, other.connections),
            connections_percent: least(self.connections_percent, other.connections_percent),
            statement: least(self.statement, other.statement),
            idle_in_transaction: least(self.idle_in_transaction, other.idle_in_transaction),
            transaction: least(self.transaction, other.transaction),
        }
    }
}

impl Snapshot {
    /// What holds for `principal` at `target`; `statement` bounds all statements.
    ///
    /// Every rule that is about them counts, and of each bound the strictest.
    pub fn bounds(&self, principal: &str, target: &str) -> Bounds {
        self.bounds_where(principal, target, |rule| rule.permissions.is_none())
    }

    /// How long a statement of `principal` at `target` may run whose strongest need is `permission`; `None` is any grant.
    pub fn statement_bound(
        &self,
        principal: &str,
        target: &str,
        permission: Option<Permission>,
    ) -> Option<Duration> {
        let is_meant = |rule: &BoundsRule| {
            rule.permissions.is_none_or(|these| permission.is_some_and(|needed| these.contains(needed)))
        };
        self.bounds_where(principal, target, is_meant).statement
    }

    fn bounds_where(&self, principal: &str, target: &str, is_meant: impl Fn(&BoundsRule) -> bool) -> Bounds {
        if self.policy().bounds.is_empty() {
            return Bounds::default();
        }
        let rules = self.site(target).map(|site| &*site.bounds).unwrap_or_default();
        let Some(principal) = self.principal(principal) else { return Bounds::default() };
        let mine = rules.iter().filter(|rule| is_of(rule, principal) && is_meant(rule));
        mine.fold(Bounds::default(), |all, rule| all.and(rule.bounds))
    }

    /// Targets of bounds that match none there is: most likely misspelt, and without effect.
    pub fn idle_bounds(&self) -> impl Iterator<Item = &Glob> {
        let rules = self.policy().bounds.iter().map(|rule| &rule.target);
        rules.filter(|glob| !self.targets().any(|target| glob.matches(&target.name)))
    }
}

fn is_of(rule: &BoundsRule, principal: &Principal) -> bool {
    match &rule.to {
        None => true,
        Some(Holder::Principal(name)) => *name == principal.name,
        Some(Holder::Group(group)) => principal.groups.contains(group),
    }
}

fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{
        SnapshotParts,
        fixture::{policy, target},
    };

    fn snapshot() -> Snapshot {
        let policy = policy(
            "groups: { analysts: {} }\n\
             principals: { dana: { groups: [analysts] }, omar: {} }\n\
             limits:\n\
             - { target: \"*\", sessions: 50, statement_timeout: 10m, transaction_timeout: 1h }\n\
             - { to: { group: analysts }, target: hr, statement_timeout: 30s, connections_percent: 25 }\n\
             - { to: { principal: dana }, target: hr, permissions: [export], statement_timeout: 5s }\n\
             - { target: other, sessions: 1 }\n",
        );
        let targets = vec![target("hr", "prod")];
        Snapshot::build(SnapshotParts { policy, targets, ..SnapshotParts::default() })
    }

    #[test]
    fn of_every_bound_the_strictest_counts() {
        let snapshot = snapshot();
        let dana = snapshot.bounds("dana", "hr");
        assert_eq!(dana.sessions, Some(50));
        assert_eq!(dana.statement, Some(Duration::from_secs(30)));
        assert_eq!(dana.transaction, Some(Duration::from_secs(3600)));
        assert_eq!(dana.connections_percent, Some(25));
        let omar = snapshot.bounds("omar", "hr");
        assert_eq!((omar.statement, omar.connections_percent), (Some(Duration::from_secs(600)), None));
    }

    #[test]
    fn statements_of_some_permissions_have_a_time_of_their_own() {
        let snapshot = snapshot();
        let seconds =
            |who, permission| snapshot.statement_bound(who, "hr", permission).map(|it| it.as_secs());
        assert_eq!(seconds("dana", Some(Permission::Export)), Some(5));
        assert_eq!(seconds("dana", Some(Permission::Select)), Some(30));
        assert_eq!(seconds("dana", None), Some(30));
        assert_eq!(seconds("omar", Some(Permission::Export)), Some(600));
    }

    #[test]
    fn bounds_of_no_target_are_idle_and_nobody_has_any_elsewhere() {
        let snapshot = snapshot();
        let idle: Vec<_> = snapshot.idle_bounds().map(ToString::to_string).collect();
        assert_eq!(idle, ["other"]);
        assert_eq!(snapshot.bounds("dana", "nowhere"), Bounds::default());
        assert_eq!(snapshot.bounds("nobody", "hr"), Bounds::default());
    }
}
