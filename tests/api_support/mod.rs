//! A gateway's control plane and API on a free port, over a store, an audit log and a policy of its own.
// Two test files share it, and neither uses all of it.
#![allow(dead_code)]

#[path = "../support/database.rs"]
pub(crate) mod database;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use database::Fresh;
use jiff::Timestamp;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate::{
    api::{ApiParts, Rooms, serve},
    audit::{AuditLog, AuditSettings, Rotation, Trail},
    control::{
        BoxFuture, Control, ControlError, ControlParts, Explain, ExplainError, Explanation, Question,
        SessionView, Sessions, TargetHealth, Targets, ToEstimate,
    },
    metrics::Metrics,
    model::{
        dialect::Dialect,
        errand::Errand,
        facts::{Access, AccessMode, Facts, StatementKind, TransactionEffect, Unanalyzable},
        identity::ProviderSettings,
        ids::SessionId,
        object::Object,
        on_call::{OnCall, OnCallSettings},
        record::Durability,
        request::Estimate,
        secret::Secret,
        target::{Place, Target},
        webhook::WebhookSettings,
    },
    net::{Clock, ManualClock, Published},
    notify::{Pagerduty, Webhooks},
    policy::Snapshot,
    store::{Place as StorePlace, Server, ServerTls, Store},
    wire::{mysql::auth::native_key, postgres::scram::scram_keys},
};
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    task::JoinHandle,
};
use uuid::Uuid;

pub(crate) const POLICY: &str = "
groups: { developers: { description: writes code }, admins: {} }
principals: { dana: { groups: [developers] } }
standing:
  - { to: { group: developers }, target: '*', database: '*', objects: ['*'], permissions: [explain], reason: plans }
ceilings:
  - { environment: prod, forbid: [ddl], except: { groups: [admins] } }
";

/// What a gateway of a test keeps its store in.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    /// A file of its home.
    Sqlite,
    /// A database of the test, which gateways may share.
    Postgres(Arc<Fresh>),
}

impl Kept {
    /// A new database; `None` ends the test as skipped.
    pub(crate) async fn in_postgres() -> Option<Self> {
        Fresh::new().await.map(|fresh| Self::Postgres(Arc::new(fresh)))
    }
}

/// Runs each test over both stores.
#[macro_export]
macro_rules! over_both_stores {
    ($($test:ident),* $(,)?) => {
        mod over_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(super::Kept::Sqlite).await;
                }
            )*
        }
        mod over_postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    if let Some(kept) = super::Kept::in_postgres().await {
                        super::$test(kept).await;
                    }
                }
            )*
        }
    };
}

/// What outlives one run of a gateway.
pub(crate) struct Home {
    pub(crate) dir: TempDir,
    pub(crate) kept: Kept,
    pub(crate) name: String,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) time: Clock,
    pub(crate) provider: Option<ProviderSettings>,
    pub(crate) public_url: Option<String>,
    pub(crate) webhooks: Vec<WebhookSettings>,
    pub(crate) on_call: Option<OnCallSettings>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self::over(Kept::Sqlite)
    }

    pub(crate) fn over(kept: Kept) -> Self {
        let (time, clock) = Clock::manual(Timestamp::now());
        Self::at(kept, time, clock)
    }

    /// One whose clock is another's.
    pub(crate) fn at(kept: Kept, time: Clock, clock: Arc<ManualClock>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("policies")).unwrap();
        let name = "one".to_owned();
        let (provider, public_url, webhooks, on_call) = (None, None, Vec::new(), None);
        let home = Self { dir, kept, name, clock, time, provider, public_url, webhooks, on_call };
        home.write_policy(POLICY);
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write_policy(&self, text: &str) {
        fs::write(self.path("policies/base.yaml"), text).unwrap();
    }

    /// The audit log's records with this event.
    pub(crate) fn records(&self, event: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path("audit.jsonl")).unwrap();
        let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.filter(|record| record["event"] == event).collect()
    }

    /// Makes the audit log unwritable from the next record on: it notices that it is no longer where it was.
    pub(crate) fn break_audit(&self) {
        fs::rename(self.path("audit.jsonl"), self.path("elsewhere.jsonl")).unwrap();
        self.clock.advance(std::time::Duration::from_secs(1));
    }

    pub(crate) fn mend_audit(&self) {
        fs::rename(self.path("elsewhere.jsonl"), self.path("audit.jsonl")).unwrap();
        self.clock.advance(std::time::Duration::from_secs(1));
    }

    pub(crate) fn store_place(&self) -> StorePlace {
        match &self.kept {
            Kept::Sqlite => StorePlace::Sqlite(self.path("store.db")),
            Kept::Postgres(fresh) => StorePlace::Postgres(Server {
                host: fresh.host.clone(),
                port: fresh.port,
                database: fresh.database.clone(),
                user: fresh.user.clone(),
                password: Secret::new(fresh.password.clone()),
                tls: ServerTls::Disable,
            }),
        }
    }

    pub(crate) async fn open_control(&self) -> Result<(Control, AuditLog, Arc<Metrics>), ControlError> {
        let metrics = Metrics::new("test").unwrap();
        let store = Store::open_at(&self.store_place()).await?;
        let settings = AuditSettings {
            path: self.path("audit.jsonl"),
            gateway: self.name.as_str().into(),
            durability: Durability::Process,
            rotation: Rotation::NEVER,
        };
        let audit = AuditLog::open(&settings, self.time.clone(), &metrics.audit).unwrap();
        let parts = ControlParts {
            store,
            audit: audit.clone(),
            clock: self.time.clone(),
            policies: self.path("policies"),
            gateway: self.name.as_str().into(),
            targets: vec![Target {
                name: "hr".into(),
                dialect: Dialect::Postgres,
                environment: "prod".into(),
                labels: BTreeMap::new(),
            }],
            make_keys: scram_keys,
            make_native_key: native_key,
            provider: self.provider.clone(),
            public_url: self.public_url.clone(),
            on_call: self.on_call.clone().map(|it| Arc::new(Pagerduty::new(it).unwrap()) as Arc<dyn OnCall>),
            metrics: metrics.policy.clone(),
            announce_before: jiff::SignedDuration::from_mins(5),
        };
        Ok((Control::start(parts).await?, audit, metrics))
    }

    /// The audit log as it is read.
    pub(crate) async fn trail(&self) -> Trail {
        Trail::open(&self.path("audit.jsonl"), &self.path("audit.jsonl.index")).await.unwrap()
    }

    pub(crate) async fn start(&self) -> Gateway {
        // Every test of the process installs the same one; all but the first are told that it is there.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (control, audit, metrics) = self.open_control().await.unwrap();
        control.ensure_admin_key(&self.path("admin.key")).await.unwrap();
        // Of several gateways one makes the key.
        let key = fs::read_to_string(self.path("admin.key")).unwrap_or_default().trim().to_owned();
        let webhooks = Webhooks::new(&self.webhooks, &control, &self.time, &metrics).unwrap();
        for webhook in &self.webhooks {
            // What happens from now on is told, and not only what happens once its task runs.
            control.take_up_events(&format!("webhook:{}", webhook.name)).await.unwrap();
        }
        let sessions = Arc::new(FakeSessions::default());
        let up = Arc::new(AtomicBool::new(true));
        let parts = ApiParts {
            rooms: Rooms::default(),
            control: control.clone(),
            sessions: Arc::clone(&sessions) as Arc<dyn Sessions>,
            explain: Arc::new(FakeExplain { snapshot: control.snapshot().clone(), clock: self.time.clone() }),
            targets: Arc::new(FakeTargets(Arc::clone(&up))),
            webhooks: Arc::new(webhooks.clone()),
            audit,
            trail: Some(self.trail().await),
            metrics,
            tracer: None,
        };
        let kept = parts.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            serve(listener, None, parts, async { drop(stopped.await) }).await.unwrap();
        });
        let (over, is_over) = oneshot::channel::<()>();
        let writer = control.clone();
        let writer = tokio::spawn(async move { writer.write_denials(async { drop(is_over.await) }).await });
        let (follower, open) = (control.clone(), Arc::clone(&sessions));
        let follower = tokio::spawn(async move {
            tokio::join!(follower.follow_store(&*open), follower.share_sessions(&*open));
        });
        let (stop_telling, telling_stops) = watch::channel(());
        let telling = tokio::spawn(async move {
            let stop = || {
                let mut stops = telling_stops.clone();
                async move { drop(stops.changed().await) }
            };
            webhooks.run(stop).await;
        });
        Gateway {
            stop_telling,
            telling,
            control,
            base,
            key,
            sessions,
            up,
            parts: kept,
            stop,
            over,
            running,
            writer,
            follower,
            client: Client::builder().no_proxy().build().unwrap(),
        }
    }
}

pub(crate) struct Gateway {
    pub(crate) control: Control,
    pub(crate) base: String,
    pub(crate) key: String,
    pub(crate) sessions: Arc<FakeSessions>,
    pub(crate) up: Arc<AtomicBool>,
    pub(crate) parts: ApiParts,
    stop: oneshot::Sender<()>,
    over: oneshot::Sender<()>,
    running: JoinHandle<()>,
    writer: JoinHandle<()>,
    follower: JoinHandle<()>,
    stop_telling: watch::Sender<()>,
    telling: JoinHandle<()>,
    client: Client,
}

impl Gateway {
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.running.await.unwrap();
        drop(self.stop_telling);
        // Killed, perhaps.
        let _ = self.telling.await;
        drop(self.over);
        self.writer.await.unwrap();
        self.follower.abort();
        let _ = self.follower.await;
        drop(self.control);
    }

    /// From now on webhooks are told nothing, in the midst of whatever was being done.
    pub(crate) fn kill_telling(&self) {
        self.telling.abort();
    }

    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&str>,
    ) -> Response {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        request.send().await.unwrap()
    }

    /// Status and body of a call with a key.
    pub(crate) async fn with(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> (StatusCode, Value) {
        let text = body.to_string();
        let body = (!body.is_null()).then_some(text.as_str());
        let response = self.raw(method, &format!("/api/v1{path}"), Some(key), body).await;
        let status = response.status();
        let bytes = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        self.with(&self.key, method, path, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, Value::Null).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(Method::POST, path, body).await;
        assert!(status.is_success(), "{path}: {answer}");
        answer
    }

    /// Makes a key of the scopes; gives its identifier and itself.
    pub(crate) async fn key(&self, name: &str, scopes: &[&str]) -> (String, String) {
        let made = self.post("/keys", json!({ "name": name, "scopes": scopes })).await;
        (made["key"]["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
    }
}

impl Gateway {
    /// Makes a key by which `name` acts as themselves.
    pub(crate) async fn person(&self, name: &str) -> String {
        let made = self.post("/keys", json!({ "name": format!("{name}-laptop"), "principal": name })).await;
        made["secret"].as_str().unwrap().to_owned()
    }
}

/// A grant for dana that is refused nothing.
pub(crate) fn grant() -> Value {
    json!({
        "holder": { "principal": "dana" }, "target": "hr", "database": "hr_prod",
        "objects": ["public.employee"], "permissions": ["select"], "for": "2m", "reason": "INC-42",
    })
}

#[derive(Default)]
pub(crate) struct FakeSessions(pub(crate) Mutex<Vec<SessionView>>);

impl FakeSessions {
    pub(crate) fn open(&self) -> SessionId {
        let id = SessionId::new(Uuid::now_v7());
        self.0.lock().unwrap().push(SessionView {
            id,
            principal: "dana".into(),
            client: "127.0.0.1:5000".parse().unwrap(),
            application: "psql".to_owned(),
            target: "hr".into(),
            database: "hr_prod".into(),
            started_at: Timestamp::UNIX_EPOCH,
            state: "idle".to_owned(),
            statements: 3,
            gateway: None,
        });
        id
    }
}

impl Sessions for FakeSessions {
    fn list(&self) -> Vec<SessionView> {
        self.0.lock().unwrap().clone()
    }

    fn terminate(&self, session: SessionId) -> bool {
        let mut sessions = self.0.lock().unwrap();
        let before = sessions.len();
        sessions.retain(|it| it.id != session);
        sessions.len() < before
    }

    fn run(&self, _: &Errand) -> bool {
        false
    }
}

struct FakeTargets(Arc<AtomicBool>);

impl Targets for FakeTargets {
    fn health(&self) -> Vec<TargetHealth> {
        let up = self.0.load(Ordering::Relaxed);
        vec![TargetHealth {
            target: "hr".into(),
            up,
            problem: (!up).then(|| "connection refused".to_owned()),
            warnings: Vec::new(),
        }]
    }
}

/// Takes every text for a read of public.employee.
struct FakeExplain {
    snapshot: Published<Snapshot>,
    clock: Clock,
}

impl Explain for FakeExplain {
    fn explain(&self, question: Question) -> BoxFuture<'_, Result<Explanation, ExplainError>> {
        Box::pin(async move {
            let snapshot = self.snapshot.load();
            let principal = snapshot
                .principal(&question.principal)
                .ok_or_else(|| ExplainError::UnknownPrincipal(question.principal.to_string()))?;
            if snapshot.target(&question.target).is_none() {
                return Err(ExplainError::UnknownTarget(question.target.to_string()));
            }
            let database = question.database.unwrap_or_else(|| "hr_prod".into());
            let place = Place { target: question.target, database };
            let analysis = Ok(vec![read_of_employee(question.sql.len())]);
            Ok(Explanation::new(&snapshot, principal, &place, &question.sql, &analysis, self.clock.now()))
        })
    }

    /// Several statements are as many reads; what begins with a brace is not understood.
    fn facts(
        &self,
        question: Question,
    ) -> BoxFuture<'_, Result<Result<Vec<Facts>, Unanalyzable>, ExplainError>> {
        Box::pin(async move {
            if question.sql.starts_with('{') {
                return Ok(Err(Unanalyzable::Unknown { construct: "a brace".to_owned() }));
            }
            let each = question.sql.split(';').map(|sql| read_of_employee(sql.len()));
            Ok(Ok(each.collect()))
        })
    }

    /// A row for each letter of the statement; what has a brace in it cannot be planned.
    fn estimate(&self, question: ToEstimate) -> BoxFuture<'_, Estimate> {
        let at = self.clock.now();
        Box::pin(async move {
            let problem = question.sql.contains('{').then(|| "a brace".to_owned());
            let rows = problem.is_none().then_some(question.sql.len() as u64);
            Estimate { rows, cost: Some(1).filter(|_| problem.is_none()), problem, at }
        })
    }
}

pub(crate) fn read_of_employee(length: usize) -> Facts {
    Facts {
        kind: StatementKind::Select,
        command: "SELECT",
        span: 0..length,
        accesses: vec![Access {
            object: Object::Relation { schema: "public".into(), name: "employee".into() },
            mode: AccessMode::Read,
        }],
        shown_by_errors: Vec::new(),
        calls: Vec::new(),
        transaction: TransactionEffect::None,
        effects: Vec::new(),
        runs: None,
        read_only: true,
        fingerprint: 0,
        sent: None,
    }
}

/// Whether any file below `dir` holds `text`.
pub(crate) fn is_kept_somewhere(dir: &Path, text: &str) -> bool {
    fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_kept_somewhere(&path, text);
        }
        // The store's own side files come and go.
        let bytes = fs::read(&path).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}
