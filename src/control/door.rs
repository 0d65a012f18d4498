//! The control plane's door: start, authenticate, publish.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, watch};
use tracing::{error, warn};
use uuid::Uuid;

use super::{
    caller::{Caller, Scope},
    denials::Ledger,
    errands::Replicas,
    error::ControlError,
    notices::Notices,
    policy::{Loaded, load},
    secret_text::{random, same, sha256},
    state::{Groups, State, VERSION},
    turn::{Turn, cause},
    views::{PolicyView, scopes},
};
use crate::{
    audit::AuditLog,
    identity::{Provider, Seal},
    metrics::PolicyMetrics,
    model::{
        grant::GrantName,
        identity::ProviderSettings,
        ids::{GatewayName, PrincipalName},
        on_call::OnCall,
        principal::{NativeKey, Principal, ScramKeys},
        record::Record,
        secret::Secret,
        target::Target,
    },
    net::{Clock, Published},
    policy::{Policy, Snapshot},
    store::{Change, Store, StoreError, StoredIdentity, StoredKey, whole_microseconds},
};

/// Makes SCRAM-SHA-256 keys of a password (SASLprep is its duty), a salt and a number of rounds.
pub type MakeKeys = fn(password: &[u8], salt: &[u8], iterations: u32) -> ScramKeys;

/// Makes the key by which mysql_native_password proves a password.
pub type MakeNativeKey = fn(password: &[u8]) -> NativeKey;

/// What a control plane is built from.
pub struct ControlParts {
    /// What must survive a restart.
    pub store: Store,
    /// Where every change is recorded.
    pub audit: AuditLog,
    /// What time it is.
    pub clock: Clock,
    /// The directory of the policy files.
    pub policies: PathBuf,
    /// What this gateway is called among those that share the store.
    pub gateway: GatewayName,
    /// The protected servers.
    pub targets: Vec<Target>,
    /// How passwords and tokens become keys.
    pub make_keys: MakeKeys,
    /// How tokens, and the passwords for which it is asked, become keys of mysql_native_password.
    pub make_native_key: MakeNativeKey,
    /// The identity provider, if there is one.
    pub provider: Option<ProviderSettings>,
    /// Where people open the console, without a slash at its end, if they do.
    pub public_url: Option<String>,
    /// Who tells who is on call, if anybody does.
    pub on_call: Option<Arc<dyn OnCall>>,
    /// What is counted of policy and grants.
    pub metrics: PolicyMetrics,
    /// How long before its end a grant is announced to end soon.
    pub announce_before: SignedDuration,
}

/// The control plane; cheap to clone, all clones are the same one.
///
/// Changes are made one after another and run to their end even when whoever asked for them goes away.
#[derive(Clone)]
pub struct Control(Arc<Inner>);

struct Inner {
    parts: ControlParts,
    state: Mutex<State>,
    snapshot: Published<Snapshot>,
    keys: Published<Vec<StoredKey>>,
    identities: Published<BTreeMap<PrincipalName, StoredIdentity>>,
    groups: Published<Groups>,
    /// The gateways of the store whose policy is another one.
    differing: Published<Vec<GatewayName>>,
    provider: Option<Provider>,
    policy: Published<PolicyView>,
    mock_secret: Secret<[u8; 32]>,
    seal: Seal,
    denials: Ledger,
    notices: Notices,
    /// Wakes those who wait for events; that there may be some is all it says.
    stirred: watch::Sender<()>,
    /// Tells this run of this gateway from all others, whatever they are called.
    instance: String,
    replicas: Replicas,
    /// Nothing new is to be sent here any more.
    is_stopping: AtomicBool,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Control {
    /// Reads store and policy, records that the policy is in force, and publishes the first Snapshot.
    ///
    /// # Errors
    /// `PolicyBroken` and `PolicyUnreadable`: there is no older policy that could stay in force; `Store`, `Audit`.
    pub async fn start(parts: ControlParts) -> Result<Self, ControlError> {
        let now = whole_microseconds(parts.clock.now());
        let Loaded { policy, digest, files } = load(parts.policies.clone()).await?;
        // Gateways that start at the same moment must agree on the secret.
        let hold = parts.store.hold().await?;
        let (state, mut change) = first_state(&parts.store, policy, now).await?;
        let mock_secret = mock_secret(&parts.store, &mut change).await?;
        let loaded = Record::PolicyLoaded { actor: START, digest: &digest };
        let provider = parts.provider.clone();
        let provider = provider.map(|it| Provider::new(it, &mock_secret, parts.clock.clone())).transpose()?;
        let _receipts =
            parts.audit.append(&[loaded]).await.map_err(|source| ControlError::Audit { source })?;
        change.commit().await?;
        drop(hold);
        let snapshot = state.snapshot(&parts.targets, now);
        parts.metrics.snapshot_version.set(gauge(state.version));
        let policy = PolicyView {
            digest,
            files,
            loaded_at: now,
            loaded_by: START.to_owned(),
            snapshot: state.version,
            rejected: None,
        };
        Ok(Self(Arc::new(Inner {
            snapshot: Published::new(snapshot),
            keys: Published::new(state.keys.clone()),
            identities: Published::new(state.identities.clone()),
            groups: Published::new(state.groups.clone()),
            differing: Published::new(Vec::new()),
            provider,
            policy: Published::new(policy),
            state: Mutex::new(state),
            seal: Seal::new(&mock_secret)?,
            mock_secret,
            denials: Ledger::new(),
            instance: Uuid::new_v4().to_string(),
            notices: Notices::default(),
            stirred: watch::Sender::new(()),
            replicas: Replicas::new(),
            is_stopping: AtomicBool::new(false),
            parts,
        })))
    }

    /// Where every new Snapshot appears.
    pub fn snapshot(&self) -> &Published<Snapshot> {
        &self.0.snapshot
    }

    /// A secret of this store's gateways, from which login makes up salts for people who do not exist.
    pub fn mock_secret(&self) -> &Secret<[u8; 32]> {
        &self.0.mock_secret
    }

    /// Whom a service key proves; `None` if it is unknown, over or revoked.
    ///
    /// Every key is compared, each in constant time: how long it takes tells nothing of which is near.
    pub fn authenticate(&self, key: &str) -> Option<Caller> {
        let digest = sha256(key);
        let keys = self.0.keys.load();
        let mut found = None;
        for key in keys.iter() {
            if same(&key.sha256, &digest) {
                found = Some(key);
            }
        }
        self.caller_of(found?)
    }

    /// A caller as it would be let in now, with the scopes that it has now; `None` once its key is over or its principal
    /// is not let in. What goes on for long has to ask again.
    pub fn again(&self, caller: &Caller) -> Option<Caller> {
        let keys = self.0.keys.load();
        self.caller_of(keys.iter().find(|key| key.id == caller.key)?)
    }

    fn caller_of(&self, key: &StoredKey) -> Option<Caller> {
        if !key.is_live(self.now()) {
            return None;
        }
        let mut scopes = scopes(&key.scopes);
        if let Some(name) = &key.principal {
            let snapshot = self.snapshot().load();
            // closed: the key of somebody who is not known, or not let in, opens nothing
            let principal = snapshot.principal(name).filter(|principal| !principal.disabled)?;
            if scopes.contains(&Scope::Person) {
                scopes.extend(scopes_of_groups(&snapshot, principal));
            }
        }
        let name = key.principal.as_deref().unwrap_or(&key.name).to_owned();
        Some(Caller { name, principal: key.principal.clone(), key: key.id, ends_at: key.ends_at, scopes })
    }

    /// Counts what changes by the clock alone; to be called before metrics are shown.
    pub fn measure(&self) {
        let (snapshot, now) = (self.snapshot().load(), self.now());
        let granted = snapshot.grants().filter(|grant| matches!(grant.id, GrantName::Granted(_)));
        let live = granted.filter(|grant| grant.is_live(now)).count();
        self.0.parts.metrics.grants_live.set(gauge(live as u64));
    }

    /// Answers if the store does.
    ///
    /// # Errors
    /// `Store` when it does not.
    pub async fn ping_store(&self) -> Result<(), ControlError> {
        Ok(self.0.parts.store.ping().await?)
    }

    pub(super) fn seal(&self) -> &Seal {
        &self.0.seal
    }

    /// The gateway is about to stop: from now on it is not ready.
    pub fn note_stopping(&self) {
        self.0.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the gateway is about to stop.
    pub fn is_stopping(&self) -> bool {
        self.0.is_stopping.load(Ordering::Relaxed)
    }

    pub(super) fn replicas(&self) -> &Replicas {
        &self.0.replicas
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.parts.store
    }

    pub(super) fn identities(&self) -> &Published<BTreeMap<PrincipalName, StoredIdentity>> {
        &self.0.identities
    }

    pub(super) fn differing(&self) -> &Published<Vec<GatewayName>> {
        &self.0.differing
    }

    pub(super) fn groups(&self) -> &Published<Groups> {
        &self.0.groups
    }

    /// The identity provider.
    ///
    /// # Errors
    /// `NoProvider` where none is configured.
    pub(super) fn provider(&self) -> Result<&Provider, ControlError> {
        self.0.provider.as_ref().ok_or(ControlError::NoProvider)
    }

    pub(super) fn instance(&self) -> &str {
        &self.0.instance
    }

    pub(super) fn gateway(&self) -> &GatewayName {
        &self.0.parts.gateway
    }

    pub(super) fn state(&self) -> &Mutex<State> {
        &self.0.state
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.0.denials
    }

    pub(super) fn notices(&self) -> &Notices {
        &self.0.notices
    }

    /// Wakes when there may be new events; other gateways on the store do not wake it.
    pub fn stirred(&self) -> watch::Receiver<()> {
        self.0.stirred.subscribe()
    }

    /// Wakes those who wait for events.
    pub(super) fn stir(&self) {
        self.0.stirred.send_replace(());
    }

    pub(super) fn parts(&self) -> &ControlParts {
        &self.0.parts
    }

    pub(super) fn policy_view(&self) -> &Published<PolicyView> {
        &self.0.policy
    }

    /// Where people open the console, without a slash at its end, if they do.
    pub fn public_url(&self) -> Option<&str> {
        self.parts().public_url.as_deref()
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        whole_microseconds(self.0.parts.clock.now())
    }

    /// Waits for its turn to change something, among all gateways of the store; what it then sees is what the store holds.
    ///
    /// While the store does not answer it sees what was seen last, and [`Control::begin`] refuses.
    pub(super) async fn turn(&self) -> Turn<'_> {
        let mut state = self.0.state.lock().await;
        // Without it a change may come to a `Conflict`, but not to harm.
        let hold =
            self.store().hold().await.inspect_err(
                |error| warn!(%error, cause = cause(error), "other gateways are not waited for"),
            );
        if let Err(error) = self.catch_up(&mut state).await {
            warn!(%error, cause = cause(&error), "what other gateways changed is not known");
        }
        Turn { state, _hold: hold.ok() }
    }

    /// Begins the change that leads to the next Snapshot.
    ///
    /// # Errors
    /// `Conflict` when another gateway changed something since `state` was seen, `Store`.
    pub(super) async fn begin(&self, state: &State) -> Result<Change, ControlError> {
        let mut change = self.store().change().await?;
        let (seen, next) = (state.version.to_be_bytes(), (state.version + 1).to_be_bytes());
        if !change.swap_value(VERSION, &seen, &next).await? {
            return Err(ControlError::Conflict);
        }
        Ok(change)
    }

    /// Records what is about to take effect; without the record it must not.
    pub(super) async fn record_first(&self, records: &[Record<'_>]) -> Result<(), ControlError> {
        let recorded = self.0.parts.audit.append(records).await;
        recorded.map(|_| ()).map_err(|source| ControlError::Audit { source })
    }

    /// Records what has taken effect already.
    pub(super) async fn record_after(
        &self,
        done: &'static str,
        records: &[Record<'_>],
    ) -> Result<(), ControlError> {
        let recorded = self.0.parts.audit.append(records).await;
        recorded.map(|_| ()).map_err(|source| {
            error!(done, %source, "a change is in force but not in the audit log");
            ControlError::Unaudited { done, source }
        })
    }

    /// Makes lasting what was recorded already. Where that fails, the record tells of more than there is.
    pub(super) async fn commit_recorded(&self, change: Change) -> Result<(), ControlError> {
        change.commit().await.map_err(|source: StoreError| {
            error!(%source, "a change is in the audit log but did not take effect");
            source
        })?;
        self.stir();
        Ok(())
    }

    /// Publishes the state as the next Snapshot, and the keys.
    pub(super) fn publish(&self, state: &mut State) {
        state.version += 1;
        self.show(state);
    }

    /// Publishes the state as the Snapshot of its version, and the keys.
    pub(super) fn show(&self, state: &mut State) {
        let now = self.now();
        state.forget(now);
        self.0.snapshot.publish(state.snapshot(&self.0.parts.targets, now));
        self.0.parts.metrics.snapshot_version.set(gauge(state.version));
        self.0.keys.publish(state.keys.clone());
        self.0.identities.publish(state.identities.clone());
        self.0.groups.publish(state.groups.clone());
        self.stir();
    }

    /// Runs `work` to its end, also when the caller no longer waits: a change must not stop between the store and the
    /// Snapshot.
    pub(super) async fn to_the_end<T, W, F>(&self, work: W) -> Result<T, ControlError>
    where
        T: Send + 'static,
        W: FnOnce(Self) -> F,
        F: Future<Output = Result<T, ControlError>> + Send + 'static,
    {
        tokio::spawn(work(self.clone())).await.unwrap_or(Err(ControlError::Interrupted))
    }
}

/// What the store holds, and the change that makes the next Snapshot of it.
async fn first_state(
    store: &Store,
    policy: Arc<Policy>,
    now: Timestamp,
) -> Result<(State, Change), ControlError> {
    let mut state = State::read(store, policy, now).await?;
    let seen = state.version;
    state.version += 1;
    let mut change = store.change().await?;
    if seen == 0 {
        change.set_value(VERSION, &state.version.to_be_bytes()).await?;
    } else if !change.swap_value(VERSION, &seen.to_be_bytes(), &state.version.to_be_bytes()).await? {
        return Err(ControlError::Conflict);
    }
    Ok((state, change))
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What policy lets the groups of a person do at the API.
fn scopes_of_groups(snapshot: &Snapshot, principal: &Principal) -> Vec<Scope> {
    let groups = &snapshot.policy().groups;
    let words = principal.groups.iter().filter_map(|name| groups.get(name)).flat_map(|group| &group.scopes);
    words.filter_map(|word| word.parse().ok()).collect()
}

async fn mock_secret(store: &Store, change: &mut Change) -> Result<Secret<[u8; 32]>, ControlError> {
    if let Some(bytes) = store.value(MOCK_SECRET).await?
        && let Ok(bytes) = bytes.try_into()
    {
        return Ok(Secret::new(bytes));
    }
    let bytes = random::<32>()?;
    change.set_value(MOCK_SECRET, &bytes).await?;
    Ok(Secret::new(bytes))
}

/// The actor of what the gateway does by itself when it starts.
pub(super) const START: &str = "start";
const MOCK_SECRET: &str = "mock_secret";
