//! Start, serve, stop.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, oneshot},
    task::JoinSet,
    time::interval,
};

use super::{error::AppError, evidence, logging, ports, reload, store, targets};
use crate::{
    api::{self, ApiParts, ApiTls},
    audit::{AuditLog, AuditSettings, Trail},
    config::{self, Config},
    control::{Control, ControlParts},
    metrics::Metrics,
    model::{dialect::Dialect, identity::AdmitTokens, record::Record},
    net::{Clock, ServerTls, ServerTlsFiles, Shutdown, WorkerThreads, Workers},
    session::{
        Admission, Gate, HeldLimits, Limits, Registry, Speaks, listen,
        login::{Authentication, Door, mysql::Lobby},
        throttle::{Throttle, ThrottleLimits},
    },
    sql::{self, FactsCache},
    upstream::Pools,
    wire::{mysql::auth::native_key, postgres::scram::scram_keys},
};

/// Runs the gateway until it is told to stop.
///
/// # Errors
/// Why it does not start. Once it serves, nothing ends it but the signal to stop.
pub async fn run(config: Config) -> Result<(), AppError> {
    logging::start(&config.log);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let shutdown = Shutdown::new();
    shutdown.on_signals(DRAIN)?;
    // Addresses first: a port that is taken must not leave half a start behind in log and store.
    let api_listener = bind(config.api.address).await?;
    let mut listeners = Vec::new();
    for listener in &config.listeners {
        listeners.push((bind(listener.address).await?, server_tls(listener)?));
    }
    let api_tls = config.api.tls.as_ref().map(api_server_tls).transpose()?;
    let checkpoint_key = evidence::checkpoint_key(&config.audit)?;
    let sinks = evidence::sinks(&config)?;
    let clock = Clock::System;
    let pools_settings =
        config.targets.iter().map(|it| targets::upstream(it, &clock)).collect::<Result<Vec<_>, _>>()?;

    let metrics = Metrics::new(env!("CARGO_PKG_VERSION")).map_err(|source| AppError::Metrics { source })?;
    make_data_directory(&config)?;
    let store = store::open(&config.store).await?;
    let audit = open_audit(&config, &clock, &metrics)?;
    let _receipt = audit
        .append_one(&Record::Started { version: env!("CARGO_PKG_VERSION"), gateway: &config.name })
        .await?;
    let control = Control::start(ControlParts {
        store: store.clone(),
        audit: audit.clone(),
        clock: clock.clone(),
        policies: config.policies.clone(),
        gateway: config.name.clone(),
        targets: config.targets.iter().map(|target| target.target.clone()).collect(),
        make_keys: scram_keys,
        make_native_key: native_key,
        provider: config.oidc.clone(),
        metrics: metrics.policy.clone(),
        announce_before: config.announce_before.try_into().unwrap_or(SignedDuration::MAX),
    })
    .await?;
    let key_file = config.data_dir.join("admin.key");
    if control.ensure_admin_key(&key_file).await? {
        tracing::info!(file = %key_file.display(), "wrote the first administrator's service key");
    }
    let gate = Arc::new(Gate {
        snapshot: control.snapshot().clone(),
        facts: FactsCache::new(config.limits.facts_cache_bytes),
        audit: audit.clone(),
        pools: Arc::new(Pools::new(pools_settings, &metrics)),
        clock: clock.clone(),
        metrics: Arc::clone(&metrics),
        registry: Registry::default(),
        denials: Arc::new(control.clone()),
        claims: Arc::new(control.clone()),
        limits: limits(&config.limits),
    });

    let mut tasks = JoinSet::new();
    tasks.spawn(reload::tell_sessions(Arc::clone(&gate)));
    tasks.spawn(watch_policy(control.clone(), shutdown.clone()));
    tasks.spawn(tend(control.clone(), shutdown.clone()));
    let throttle = Arc::new(Throttle::new(&ThrottleLimits::default()));
    // Until the very end: also a session that is let finish may lose its grant at another gateway.
    tasks.spawn(follow_store(control.clone(), Arc::clone(&gate)));
    tasks.spawn(share_sessions(control.clone(), Arc::clone(&gate)));
    tasks.spawn(measure(control.clone(), Arc::clone(&gate), Arc::clone(&throttle)));
    let (over, is_over) = oneshot::channel::<()>();
    let writer = tokio::spawn(write_denials(control.clone(), is_over));
    let certificates: Vec<_> =
        listeners.iter().filter_map(|(_, tls)| tls.clone()).chain(api_tls.clone()).collect();
    tasks.spawn(read_again(certificates, control.clone(), shutdown.clone()));
    let lobby = Arc::new(Lobby::new().map_err(|source| AppError::Key { source })?);
    let (workers, threads) = start_workers()?;
    let serving = Serving { lobby, workers, throttle };
    serve_clients(&config, listeners, &gate, &control, &shutdown, &mut tasks, &serving);
    tracing::info!(api = %config.api.address, "ready");
    let trail = evidence::index(&config.audit, &mut tasks).await;
    evidence::send(sinks, &config.audit, &metrics, &mut tasks);
    let signing = evidence::sign(&config.audit, checkpoint_key, &gate, &mut tasks);
    serve_api(api_listener, api_tls, &config, control, &gate, &shutdown, trail).await;

    stop(&gate, &shutdown).await;
    drop(over);
    if tokio::time::timeout(LAST_WORDS, writer).await.is_err() {
        tracing::warn!("the last refusals were not kept");
    }
    let _receipt = audit.append_one(&Record::Stopped).await?;
    if let Some(signing) = signing {
        signing.take(&audit, None).await;
    }
    tasks.abort_all();
    store.close().await;
    drop(threads);
    Ok(())
}

/// What clients of all listeners are served with.
struct Serving {
    lobby: Arc<Lobby>,
    workers: Workers,
    throttle: Arc<Throttle>,
}

/// One thread for every two processors: the kernel's part of the work, and what else the gateway does, needs the others.
/// Fewer threads with more clients each sleep less often, and share more writes of the audit log.
fn start_workers() -> Result<(Workers, WorkerThreads), AppError> {
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let count = NonZeroUsize::new(processors / 2).unwrap_or(NonZeroUsize::MIN);
    Workers::start(count).map_err(|source| AppError::Workers { source })
}

fn serve_clients(
    config: &Config,
    listeners: Vec<(TcpListener, Option<Arc<ServerTls>>)>,
    gate: &Arc<Gate>,
    control: &Control,
    shutdown: &Shutdown,
    tasks: &mut JoinSet<()>,
    serving: &Serving,
) {
    let admission = Admission {
        connections: Arc::new(Semaphore::new(config.limits.sessions)),
        per_principal: config.limits.sessions_per_principal,
    };
    for ((socket, tls), listener) in listeners.into_iter().zip(&config.listeners) {
        let door = Door {
            tls,
            plaintext: listener.plaintext,
            authentication: match listener.authentication {
                config::Authentication::CachingSha2 => Authentication::CachingSha2,
                config::Authentication::Cleartext => Authentication::Cleartext,
                config::Authentication::Native => Authentication::Native,
                config::Authentication::Oauth => Authentication::Oauth,
                config::Authentication::Scram => Authentication::Scram,
            },
            listings: targets::listings(listener, &config.targets),
            timeout: config.limits.login_timeout,
            failure_delay: FAILURE_DELAY,
            mock_secret: control.mock_secret().clone(),
            snapshot: control.snapshot().clone(),
            tokens: config.oidc.is_some().then(|| Arc::new(control.clone()) as Arc<dyn AdmitTokens>),
            throttle: Arc::clone(&serving.throttle),
            audit: gate.audit.clone(),
            metrics: gate.metrics.logins.clone(),
            clock: gate.clock.clone(),
        };
        tracing::info!(address = %listener.address, tls = listener.tls.is_some(), "listening");
        let speaks = match listener.dialect {
            Dialect::Mysql => Speaks::Mysql(Arc::clone(&serving.lobby)),
            Dialect::Postgres => Speaks::Postgres,
        };
        let (door, gate) = (Arc::new(door), Arc::clone(gate));
        let workers = serving.workers.clone();
        tasks.spawn(listen(socket, door, speaks, gate, admission.clone(), workers, shutdown.clone()));
    }
}

async fn serve_api(
    listener: TcpListener,
    tls: Option<Arc<ServerTls>>,
    config: &Config,
    control: Control,
    gate: &Arc<Gate>,
    shutdown: &Shutdown,
    trail: Option<Trail>,
) {
    let first_databases = config.targets.iter().map(|target| {
        let first = target.databases.as_ref().and_then(|databases| databases.first().cloned());
        (target.target.name.clone(), first)
    });
    let parts = ApiParts {
        control,
        sessions: Arc::new(ports::OpenSessions(Arc::clone(gate))),
        explain: Arc::new(ports::Judge {
            gate: Arc::clone(gate),
            first_databases: first_databases.collect(),
        }),
        targets: Arc::new(ports::KnownTargets(Arc::clone(gate))),
        audit: gate.audit.clone(),
        trail,
        metrics: Arc::clone(&gate.metrics),
    };
    let tls = tls.map(|tls| -> ApiTls { Arc::new(move || Arc::clone(&tls.state().config)) });
    if let Err(error) = api::serve(listener, tls, parts, shutdown.begun()).await {
        tracing::error!(%error, "the API stopped");
        shutdown.begun().await;
    }
}

/// Lets sessions finish for as long as the drain lasts, then ends them.
async fn stop(gate: &Gate, shutdown: &Shutdown) {
    tracing::info!(sessions = gate.registry.len(), "stopping");
    gate.registry.drain_all();
    let mut ticks = interval(Duration::from_millis(20));
    let drained = async {
        while !gate.registry.is_empty() {
            ticks.tick().await;
        }
    };
    tokio::select! {
        () = drained => return,
        () = shutdown.over() => {}
    }
    gate.registry.terminate_all();
    let ended = async {
        while !gate.registry.is_empty() {
            ticks.tick().await;
        }
    };
    if tokio::time::timeout(LAST_WORDS, ended).await.is_err() {
        tracing::warn!(sessions = gate.registry.len(), "sessions were cut off");
    }
}

async fn watch_policy(control: Control, shutdown: Shutdown) {
    control.watch_policy(async move { shutdown.begun().await }).await;
}

async fn tend(control: Control, shutdown: Shutdown) {
    control.tend(async move { shutdown.begun().await }).await;
}

async fn follow_store(control: Control, gate: Arc<Gate>) {
    control.follow_store(&ports::OpenSessions(gate)).await;
}

async fn share_sessions(control: Control, gate: Arc<Gate>) {
    control.share_sessions(&ports::OpenSessions(gate)).await;
}

async fn write_denials(control: Control, is_over: oneshot::Receiver<()>) {
    control.write_denials(async { drop(is_over.await) }).await;
}

async fn read_again(certificates: Vec<Arc<ServerTls>>, control: Control, shutdown: Shutdown) {
    if let Err(error) = reload::read_again(certificates, control, shutdown).await {
        tracing::error!(%error, "certificates are not renewed, and SIGHUP is not heard");
    }
}

/// Counts what changes by the clock alone, and tells of what nobody waits to tell of.
async fn measure(control: Control, gate: Arc<Gate>, throttle: Arc<Throttle>) {
    let mut seconds = interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        control.measure();
        for (name, address) in throttle.take_held_up() {
            control.notice_held_up(Some(name), address);
        }
        control.notice_audit();
        control.tell_notices().await;
        let (hits, misses) = gate.facts.hits_and_misses();
        let facts = &gate.metrics.facts;
        facts.hits.inc_by(hits.saturating_sub(facts.hits.get()));
        facts.misses.inc_by(misses.saturating_sub(facts.misses.get()));
        gate.metrics.facts.entries.set(i64::try_from(gate.facts.len()).unwrap_or(i64::MAX));
    }
}

async fn bind(address: std::net::SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(address).await.map_err(|source| AppError::Listen { address, source })
}

fn server_tls(listener: &config::Listener) -> Result<Option<Arc<ServerTls>>, AppError> {
    let Some(tls) = &listener.tls else { return Ok(None) };
    let files = ServerTlsFiles {
        certificate: tls.files.certificate.clone(),
        key: tls.files.key.clone(),
        client_ca: tls.client_ca.clone(),
    };
    // MySQL's clients do not say what they speak.
    let protocols: &[&[u8]] = match listener.dialect {
        Dialect::Mysql => &[],
        Dialect::Postgres => &[b"postgresql"],
    };
    Ok(Some(Arc::new(ServerTls::open(files, protocols)?)))
}

fn api_server_tls(files: &config::CertificateFiles) -> Result<Arc<ServerTls>, AppError> {
    let files =
        ServerTlsFiles { certificate: files.certificate.clone(), key: files.key.clone(), client_ca: None };
    Ok(Arc::new(ServerTls::open(files, &[b"http/1.1"])?))
}

fn make_data_directory(config: &Config) -> Result<(), AppError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&config.data_dir);
    made.map_err(|source| AppError::DataDirectory {
        directory: config.data_dir.display().to_string(),
        source,
    })
}

fn open_audit(config: &Config, clock: &Clock, metrics: &Metrics) -> Result<AuditLog, AppError> {
    let settings = AuditSettings {
        path: config.audit.path.clone(),
        durability: config.audit.durability,
        rotation: evidence::rotation(&config.audit),
    };
    Ok(AuditLog::open(&settings, clock.clone(), &metrics.audit)?.keeping(evidence::texts(&config.audit)?))
}

fn limits(configured: &config::Limits) -> Limits {
    Limits {
        sql: sql::Limits {
            statement_bytes: configured.statement_bytes,
            nesting: configured.nesting,
            ..sql::Limits::default()
        },
        message_bytes: configured.message_bytes,
        held: HeldLimits { count: configured.prepared_statements, bytes: configured.prepared_bytes },
        lease_idle: LEASE_IDLE,
    }
}

/// How long sessions may go on after the signal to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// How long sessions that are ended have to say so.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// How long a failed login waits for its answer.
const FAILURE_DELAY: Duration = Duration::from_millis(250);
/// How long a session keeps an upstream connection that it does not use.
const LEASE_IDLE: Duration = Duration::from_secs(2);
