//! Everything that decisions are made of, at one moment; never changed, only replaced.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;

use crate::model::{
    grant::Grant,
    ids::{Ident, PrincipalName, TargetName},
    principal::{Credentials, Principal},
    target::Target,
};

use super::{
    bounds::BoundsRule,
    exact::ExactGrant,
    index::{GrantIndex, HolderNumber},
    rules::{Ceiling, Policy},
};

/// What a snapshot is built from.
#[derive(Clone, Debug, Default)]
pub struct SnapshotParts {
    /// Rises with every snapshot that is published.
    pub version: u64,
    /// What the policy files say.
    pub policy: Arc<Policy>,
    /// Local people from the store: credentials, groups, disabled.
    pub principals: Vec<Principal>,
    /// Granted grants from the store; policy's standing ones come with the policy.
    pub grants: Vec<Grant>,
    /// Targets from the configuration.
    pub targets: Vec<Target>,
}

/// Principals, groups, grants, targets, ceilings and allowed routines, indexed for decisions. Immutable.
#[derive(Debug)]
pub struct Snapshot {
    version: u64,
    policy: Arc<Policy>,
    principals: HashMap<PrincipalName, Member>,
    by_certificate: HashMap<String, Vec<PrincipalName>>,
    targets: BTreeMap<TargetName, Site>,
    index: GrantIndex,
    exact: HashMap<PrincipalName, Vec<ExactGrant>>,
}

/// A principal and where its grants are.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) principal: Arc<Principal>,
    pub(super) holders: Box<[HolderNumber]>,
}

/// A target and what policy says of it.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) target: Target,
    pub(super) ceilings: Vec<Ceiling>,
    pub(super) bounds: Vec<BoundsRule>,
    routines: HashSet<Ident>,
}

impl Site {
    /// Whether policy lists a routine, spelled exactly so, as harmless here.
    pub(super) fn allows_routine(&self, name: &Ident) -> bool {
        self.routines.contains(name)
    }

    /// The listed routines that `name` would be if it were written with a schema.
    pub(super) fn qualified(&self, name: &str) -> Vec<&Ident> {
        let mut found: Vec<_> = self
            .routines
            .iter()
            .filter(|listed| listed.rsplit_once('.').is_some_and(|(_, own)| own == name))
            .collect();
        found.sort();
        found
    }
}

impl Snapshot {
    /// Joins the parts.
    ///
    /// A principal of the policy and one of the store with the same name are one: groups and certificates are
    /// united, attributes come from policy over the store's, credentials from the store; disabled in either is
    /// disabled.
    pub fn build(parts: SnapshotParts) -> Self {
        let SnapshotParts { version, policy, principals, grants, targets } = parts;
        let index = GrantIndex::build(policy.standing.iter().cloned().chain(grants));
        let principals: HashMap<_, _> = unite(&policy, principals)
            .into_iter()
            .map(|(name, principal)| {
                let holders = index.holders(&name, &principal.groups);
                (name, Member { principal: Arc::new(principal), holders })
            })
            .collect();
        let mut by_certificate: HashMap<String, Vec<PrincipalName>> = HashMap::new();
        for member in principals.values() {
            for certificate in &member.principal.credentials.certificates {
                by_certificate.entry(certificate.clone()).or_default().push(member.principal.name.clone());
            }
        }
        let targets =
            targets.into_iter().map(|target| (target.name.clone(), site(&policy, target))).collect();
        Self { version, policy, principals, by_certificate, targets, index, exact: HashMap::new() }
    }

    /// The same with leave for exact statements.
    #[must_use]
    pub fn with_exact(mut self, grants: impl IntoIterator<Item = ExactGrant>) -> Self {
        for grant in grants {
            self.exact.entry(grant.holder.clone()).or_default().push(grant);
        }
        self
    }

    /// Its version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The policy in it.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// The principal called `name`, disabled ones too.
    pub fn principal(&self, name: &str) -> Option<&Arc<Principal>> {
        self.principals.get(name).map(|member| &member.principal)
    }

    /// All principals, in no order.
    pub fn principals(&self) -> impl Iterator<Item = &Arc<Principal>> {
        self.principals.values().map(|member| &member.principal)
    }

    /// The one principal that a client certificate with this subject and these SANs proves.
    ///
    /// `None` if nobody is meant, or more than one: an ambiguous certificate proves nothing.
    pub fn principal_by_certificate<S: AsRef<str>>(&self, names: &[S]) -> Option<&Arc<Principal>> {
        let mut found: Option<&PrincipalName> = None;
        for name in names.iter().filter_map(|name| self.by_certificate.get(name.as_ref())).flatten() {
            if found.is_some_and(|other| other != name) {
                return None;
            }
            found = Some(name);
        }
        self.principal(found?)
    }

    /// The target called `name`.
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.get(name).map(|site| &site.target)
    }

    /// All targets, by name.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.values().map(|site| &site.target)
    }

    /// All grants, standing and granted, over or not.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.index.grants()
    }

    /// The grants in force at `now` that `principal` holds, directly or through a group.
    pub fn grants_of(&self, principal: &str, now: Timestamp) -> impl Iterator<Item = &Grant> {
        let holders = self.principals.get(principal).map(|member| &*member.holders).unwrap_or_default();
        holders
            .iter()
            .flat_map(|holder| self.index.of_holder(*holder))
            .filter(move |entry| entry.is_live(now))
            .map(|entry| &entry.grant)
    }

    /// Ceilings whose environment is none of the targets': most likely misspelt, and without effect.
    pub fn idle_ceilings(&self) -> impl Iterator<Item = &Ceiling> {
        self.policy
            .ceilings
            .iter()
            .filter(|ceiling| !self.targets().any(|target| ceiling.environment.matches(&target.environment)))
    }

    pub(super) fn exact_of(&self, principal: &str) -> &[ExactGrant] {
        self.exact.get(principal).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        self.principals.get(name)
    }

    pub(super) fn site(&self, target: &str) -> Option<&Site> {
        self.targets.get(target)
    }

    pub(super) fn index(&self) -> &GrantIndex {
        &self.index
    }
}

fn unite(policy: &Policy, local: Vec<Principal>) -> BTreeMap<PrincipalName, Principal> {
    let mut all: BTreeMap<PrincipalName, Principal> = BTreeMap::new();
    for principal in local {
        all.insert(principal.name.clone(), principal);
    }
    for (name, said) in &policy.principals {
        let principal = all.entry(name.clone()).or_insert_with(|| Principal {
            name: name.clone(),
            groups: Vec::new(),
            attributes: BTreeMap::new(),
            disabled: false,
            credentials: Arc::new(Credentials::default()),
        });
        principal.groups.extend(said.groups.iter().cloned());
        principal.attributes.extend(said.attributes.clone());
        principal.disabled |= said.disabled;
        if !said.certificates.is_empty() {
            let certificates = &mut Arc::make_mut(&mut principal.credentials).certificates;
            certificates.extend(said.certificates.iter().cloned());
            certificates.sort();
            certificates.dedup();
        }
    }
    for principal in all.values_mut() {
        principal.groups.sort();
        principal.groups.dedup();
    }
    all
}

fn site(policy: &Policy, target: Target) -> Site {
    let ceilings = policy
        .ceilings
        .iter()
        .filter(|ceiling| ceiling.environment.matches(&target.environment))
        .cloned()
        .collect();
    let routines = policy
        .routines
        .iter()
        .filter(|rule| rule.target.matches(&target.name))
        .flat_map(|rule| rule.allow.iter().cloned())
        .collect();
    let bounds = policy.bounds.iter().filter(|rule| rule.target.matches(&target.name)).cloned().collect();
    Site { target, ceilings, bounds, routines }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::permission::Permission,
        policy::fixture::{at, grant, policy, principal, shipped, target, until},
    };

    fn with(policy: Arc<Policy>, principals: Vec<Principal>) -> Snapshot {
        Snapshot::build(SnapshotParts {
            version: 3,
            policy,
            principals,
            targets: vec![target("hr", "prod")],
            ..SnapshotParts::default()
        })
    }

    fn local(name: &str, groups: &[&str]) -> Principal {
        let credentials = Credentials {
            salt: vec![1; 16],
            iterations: 4096,
            certificates: vec!["CN=dana".to_owned()],
            ..Credentials::default()
        };
        Principal {
            credentials: Arc::new(credentials),
            attributes: [("team".to_owned(), "store".to_owned()), ("desk".to_owned(), "4".to_owned())].into(),
            ..principal(name, groups)
        }
    }

    #[test]
    fn policy_and_store_are_one_principal() {
        let snapshot = with(shipped(), vec![local("dana", &["auditors", "developers"])]);
        let dana = snapshot.principal("dana").unwrap();
        assert_eq!(dana.groups, ["auditors".into(), "developers".into()]);
        assert_eq!(dana.attributes.get("team").unwrap(), "payroll");
        assert_eq!(dana.attributes.get("desk").unwrap(), "4");
        assert_eq!(dana.credentials.iterations, 4096);
        assert_eq!(dana.credentials.certificates, ["CN=dana", "email:dana@example.com"]);
        assert!(snapshot.principal("sam").unwrap().credentials.password.is_none());
        assert_eq!(snapshot.principals().count(), 4);
    }

    #[test]
    fn disabled_in_either_is_disabled() {
        let said = |policy_says: bool, store_says: bool| {
            let policy = policy(&format!("principals: {{ dana: {{ disabled: {policy_says} }} }}"));
            let local = Principal { disabled: store_says, ..local("dana", &[]) };
            with(policy, vec![local]).principal("dana").unwrap().disabled
        };
        assert!(said(true, false) && said(false, true) && said(true, true) && !said(false, false));
    }

    #[test]
    fn a_certificate_proves_one_principal_or_nobody() {
        let snapshot = with(shipped(), vec![local("dana", &[]), local("sam", &[])]);
        let by =
            |names: &[&str]| snapshot.principal_by_certificate(names).map(|found| found.name.to_string());
        assert_eq!(by(&["CN=x", "email:dana@example.com"]).as_deref(), Some("dana"));
        assert_eq!(by(&["email:DANA@example.com"]), None);
        assert_eq!(by(&["CN=dana"]), None, "two principals have it");
        assert_eq!(by(&["email:dana@example.com", "dns:payroll-report.example.com"]), None);
        assert_eq!(by(&[]), None);
    }

    #[test]
    fn the_grants_of_a_principal_are_the_live_ones_and_those_of_its_groups() {
        let grants = vec![
            until(grant(1, &[Permission::Select], &["*"]), at(10)),
            until(grant(2, &[Permission::Select], &["*"]), at(20)),
        ];
        let snapshot = Snapshot::build(SnapshotParts {
            policy: shipped(),
            grants,
            targets: vec![target("hr", "prod")],
            ..SnapshotParts::default()
        });
        let names = |principal: &str, second| {
            let mut names: Vec<_> =
                snapshot.grants_of(principal, at(second)).map(|grant| grant.id.to_string()).collect();
            names.sort();
            names
        };
        let (second, standing) = ("00000000-0000-0000-0000-000000000002", "standing:developers/0");
        assert_eq!(names("dana", 10), [second, standing]);
        assert_eq!(names("dana", 20), [standing]);
        assert_eq!(names("sam", 0), [standing]);
        assert!(names("nobody", 0).is_empty());
        assert_eq!(snapshot.grants().count(), 5);
    }

    #[test]
    fn a_ceiling_for_no_target_is_idle() {
        let policy = policy(
            "ceilings: [ { environment: prd, forbid: [admin] }, { environment: \"p*\", forbid: [ddl] } ]",
        );
        let idle: Vec<_> =
            with(policy, vec![]).idle_ceilings().map(|ceiling| ceiling.environment.to_string()).collect();
        assert_eq!(idle, ["prd"]);
    }
}
