//! What the Snapshot is made of, as the control plane holds it between changes.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use super::error::ControlError;
use crate::{
    model::{
        grant::{Grant, Holder},
        ids::{DirectoryGroupId, GrantId, GroupName, KeyId, PrincipalName, TokenId},
        permission::PermissionSet,
        principal::{Credentials, Principal, Token},
        target::{Place, Target},
    },
    policy::{ExactGrant, Policy, Snapshot, SnapshotParts},
    store::{
        Store, StoredDirectoryGroup, StoredGrant, StoredIdentity, StoredKey, StoredPrincipal, StoredToken,
    },
};

/// The groups of the directory.
pub(super) type Groups = BTreeMap<DirectoryGroupId, Arc<StoredDirectoryGroup>>;

/// Equal to the store's content at every moment at which nobody changes it.
#[derive(Debug)]
pub(super) struct State {
    /// Version of the Snapshot in force.
    pub(super) version: u64,
    pub(super) policy: Arc<Policy>,
    pub(super) principals: BTreeMap<PrincipalName, StoredPrincipal>,
    pub(super) identities: BTreeMap<PrincipalName, StoredIdentity>,
    pub(super) groups: Groups,
    pub(super) tokens: BTreeMap<TokenId, StoredToken>,
    pub(super) grants: BTreeMap<GrantId, StoredGrant>,
    pub(super) keys: Vec<StoredKey>,
    /// When what is no longer needed was last looked for.
    pub(super) tidied_at: Option<Timestamp>,
}

impl State {
    /// Reads everything that is not long over.
    pub(super) async fn read(
        store: &Store,
        policy: Arc<Policy>,
        now: Timestamp,
    ) -> Result<Self, ControlError> {
        // The version first: what is changed while the rest is read has a later one, and is read again.
        let version = version(store).await?;
        Ok(Self {
            version,
            policy,
            principals: store.principals().await?.into_iter().map(|it| (it.name.clone(), it)).collect(),
            identities: store.identities().await?.into_iter().map(|it| (it.principal.clone(), it)).collect(),
            groups: store.directory_groups().await?.into_iter().map(|it| (it.id, Arc::new(it))).collect(),
            tokens: store.tokens(now).await?.into_iter().map(|it| (it.id, it)).collect(),
            grants: store.grants(keep_after(now)).await?.into_iter().map(|it| (it.id, it)).collect(),
            keys: store.keys().await?,
            tidied_at: None,
        })
    }

    /// Forgets what is long over. It stays in the store.
    pub(super) fn forget(&mut self, now: Timestamp) {
        let after = keep_after(now);
        self.grants.retain(|_, it| it.grant.window.ends_at.is_none_or(|end| end > after));
        self.tokens.retain(|_, it| it.is_live(now));
        self.keys.retain(|it| it.is_live(now));
    }

    /// The Snapshot of this state.
    pub(super) fn snapshot(&self, targets: &[Target], now: Timestamp) -> Snapshot {
        let is_open = |it: &&StoredGrant| it.statement.is_none() || it.used_at.is_none();
        let grants = self.grants.values().filter(is_open).map(|it| match it.statement {
            None => it.grant.clone(),
            // Without objects and permissions it lets its holder in, and opens nothing there.
            Some(_) => Grant { permissions: PermissionSet::EMPTY, ..it.grant.clone() },
        });
        let memberships = self.memberships();
        Snapshot::build(SnapshotParts {
            version: self.version,
            policy: Arc::clone(&self.policy),
            principals: self.principals.values().map(|it| self.principal(it, &memberships, now)).collect(),
            grants: grants.collect(),
            targets: targets.to_vec(),
        })
        .with_exact(self.grants.values().filter_map(exact))
    }

    /// In which of policy's groups the directory has put whom; the others mean nothing here.
    fn memberships(&self) -> HashMap<&PrincipalName, Vec<&GroupName>> {
        let mut all: HashMap<&PrincipalName, Vec<&GroupName>> = HashMap::new();
        for group in self.groups.values().filter(|it| self.policy.groups.contains_key(&it.name)) {
            for member in &group.members {
                all.entry(member).or_default().push(&group.name);
            }
        }
        all
    }

    fn principal(
        &self,
        stored: &StoredPrincipal,
        memberships: &HashMap<&PrincipalName, Vec<&GroupName>>,
        now: Timestamp,
    ) -> Principal {
        let credentials = stored.password.as_ref().map(|password| Credentials {
            salt: password.salt.clone(),
            iterations: password.iterations,
            password: password.keys.clone(),
            native: password.native.clone(),
            tokens: self
                .tokens_of(&stored.name, now)
                .map(|it| Token {
                    id: it.id,
                    keys: it.keys.clone(),
                    native: it.native.clone(),
                    ends_at: it.ends_at,
                })
                .collect(),
            certificates: Vec::new(),
        });
        let identity = self.identities.get(&stored.name);
        let elsewhere = identity.map(|it| it.groups.as_slice()).unwrap_or_default();
        let directory = memberships.get(&stored.name).into_iter().flatten().copied();
        let groups: BTreeSet<_> = stored.groups.iter().chain(elsewhere).chain(directory).cloned().collect();
        Principal {
            name: stored.name.clone(),
            groups: groups.into_iter().collect(),
            attributes: BTreeMap::new(),
            disabled: stored.disabled || identity.is_some_and(StoredIdentity::is_out),
            credentials: Arc::new(credentials.unwrap_or_default()),
        }
    }

    /// The tokens that log `principal` in at `now`.
    pub(super) fn tokens_of<'s>(
        &'s self,
        principal: &'s PrincipalName,
        now: Timestamp,
    ) -> impl Iterator<Item = &'s StoredToken> {
        self.tokens.values().filter(move |it| it.principal == *principal && it.is_live(now))
    }

    /// Whether policy or the store names it.
    pub(super) fn knows(&self, principal: &str) -> bool {
        self.principals.contains_key(principal) || self.policy.principals.contains_key(principal)
    }

    /// The stored principal, or a new one to be stored if policy alone names it.
    pub(super) fn principal_to_change(
        &self,
        name: &PrincipalName,
        now: Timestamp,
    ) -> Option<StoredPrincipal> {
        match self.principals.get(name) {
            Some(stored) => Some(stored.clone()),
            None => self.knows(name).then(|| StoredPrincipal {
                name: name.clone(),
                groups: Vec::new(),
                disabled: false,
                password: None,
                created_at: now,
            }),
        }
    }

    /// The groups in order, each once.
    ///
    /// # Errors
    /// `Unknown` for a group that is not in policy.
    pub(super) fn known_groups(&self, groups: Vec<GroupName>) -> Result<Vec<GroupName>, ControlError> {
        match groups.iter().find(|group| !self.policy.groups.contains_key(*group)) {
            Some(group) => Err(ControlError::Unknown { what: "group", name: group.to_string() }),
            None => Ok(groups.into_iter().collect::<BTreeSet<_>>().into_iter().collect()),
        }
    }

    /// The live keys by which somebody acts as `principal`.
    pub(super) fn keys_of(&self, principal: &PrincipalName, now: Timestamp) -> Vec<KeyId> {
        let own = |it: &&StoredKey| it.principal.as_ref() == Some(principal) && it.is_live(now);
        self.keys.iter().filter(own).map(|it| it.id).collect()
    }

    /// Grants held by `principal` itself that are neither over nor revoked.
    pub(super) fn open_grants_of(&self, principal: &PrincipalName, now: Timestamp) -> Vec<GrantId> {
        let held = |it: &&StoredGrant| it.grant.holder == Holder::Principal(principal.clone());
        let open = |it: &&StoredGrant| it.revocation.is_none() && !it.grant.window.is_over(now);
        self.grants.values().filter(held).filter(open).map(|it| it.id).collect()
    }
}

/// The version of the last Snapshot that any gateway made of the store.
pub(super) async fn version(store: &Store) -> Result<u64, ControlError> {
    let bytes = store.value(VERSION).await?;
    Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes))
}

/// Leave for one statement, if the grant is that.
fn exact(stored: &StoredGrant) -> Option<ExactGrant> {
    let statement = stored.statement.as_ref()?;
    let Holder::Principal(holder) = &stored.grant.holder else { return None };
    let (target, database) = (stored.grant.target.as_str(), stored.grant.database.as_str());
    Some(ExactGrant {
        id: stored.id,
        holder: holder.clone(),
        place: Place { target: target.into(), database: database.into() },
        statement: Arc::new(statement.clone()),
        window: stored.grant.window,
        revoked_at: stored.grant.revoked_at,
        is_used: stored.used_at.is_some(),
    })
}

/// Ended grants are kept this long, so that a refusal can say "ended two days ago".
fn keep_after(now: Timestamp) -> Timestamp {
    now.checked_sub(SignedDuration::from_hours(7 * 24)).unwrap_or(Timestamp::MIN)
}

/// Under which name the store keeps the Snapshot's version.
pub(super) const VERSION: &str = "snapshot_version";
