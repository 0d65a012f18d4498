//! Start, serve, stop.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use jiff::SignedDuration;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, oneshot},
    task::JoinSet,
    time::interval,
};

use super::{
    error::AppError,
    evidence,
    front::{Front, Port, Serving},
    logging, ports, reload, slack, stop, store, targets, traces,
};
use crate::{
    api::{self, ApiParts, ApiTls, Rooms},
    audit::{AuditLog, AuditSettings, Trail},
    config::{self, Config},
    control::{Control, ControlParts},
    metrics::Metrics,
    model::{dialect::Dialect, on_call::OnCall, record::Record},
    net::{
        Clock, ServerTls, ServerTlsFiles, Shutdown, WorkerThreads, Workers,
        listen::bind,
        throttle::{Throttle, ThrottleLimits},
    },
    notify::{Pagerduty, Webhooks},
    session::{Gate, HeldLimits, Limits, Registry, login::mysql::Lobby},
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
    shutdown.on_signals(config.shutdown.delay, config.shutdown.drain)?;
    // Addresses first: a port that is taken must not leave half a start behind in log and store.
    let (api_listener, listeners) = open_ports(&config)?;
    let api_tls = config.api.tls.as_ref().map(http_server_tls).transpose()?;
    let slack_port = slack::open(&config)?;
    let checkpoint_key = evidence::checkpoint_key(&config.audit)?;
    let sinks = evidence::sinks(&config)?;
    let clock = Clock::System;
    let pools_settings =
        config.targets.iter().map(|it| targets::upstream(it, &clock)).collect::<Result<Vec<_>, _>>()?;

    let metrics = Metrics::new(env!("CARGO_PKG_VERSION")).map_err(|source| AppError::Metrics { source })?;
    let (tracer, exporter) = traces::open(&config, &clock, &metrics)?;
    make_data_directory(&config)?;
    let store = store::open(&config.store).await?;
    let audit = open_audit(&config, &clock, &metrics)?;
    let _receipt = audit.append_one(&Record::Started { version: env!("CARGO_PKG_VERSION") }).await?;
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
        public_url: config.api.public_url.clone(),
        on_call: on_call(&config)?,
        metrics: metrics.policy.clone(),
        announce_before: config.announce_before.try_into().unwrap_or(SignedDuration::MAX),
    })
    .await?;
    let webhooks = Webhooks::new(&config.webhooks, &control, &clock, &metrics)
        .map_err(|(webhook, source)| AppError::Webhook { webhook, source })?;
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
        tracer,
        registry: Registry::new(control.replica().clone()),
        denials: Arc::new(control.clone()),
        claims: Arc::new(control.clone()),
        elsewhere: Arc::new(control.clone()),
        limits: limits(&config.limits),
    });

    let mut tasks = JoinSet::new();
    tasks.spawn(reload::tell_sessions(Arc::clone(&gate)));
    tasks.spawn(watch_policy(control.clone(), shutdown.clone()));
    tasks.spawn(tend(control.clone(), shutdown.clone()));
    let telling = tokio::spawn(tell_webhooks(webhooks.clone(), shutdown.clone()));
    let (end_traces, traces_end) = oneshot::channel::<()>();
    let exporting = tokio::spawn(traces::export(exporter, traces_end));
    let throttle = Arc::new(Throttle::new(&ThrottleLimits::default()));
    // Until the very end: also a session that is let finish may lose its grant at another gateway.
    tasks.spawn(follow_store(control.clone(), Arc::clone(&gate)));
    tasks.spawn(share_sessions(control.clone(), Arc::clone(&gate)));
    tasks.spawn(do_errands(control.clone(), Arc::clone(&gate)));
    tasks.spawn(send_errands(control.clone()));
    // Before the first session, whose number it is part of.
    tasks.spawn(control.lease_replica(config.replica).await.hold());
    tasks.spawn(measure(control.clone(), Arc::clone(&gate), Arc::clone(&throttle)));
    let (over, is_over) = oneshot::channel::<()>();
    let writer = tokio::spawn(write_denials(control.clone(), is_over));
    let slack_tls = slack_port.as_ref().and_then(|port| port.tls.clone());
    let certificates: Vec<_> =
        listeners.iter().filter_map(|(_, tls)| tls.clone()).chain(api_tls.clone()).chain(slack_tls).collect();
    let slack =
        slack::serve(slack_port, config.clone(), control.clone(), Arc::clone(&gate), shutdown.clone());
    let slack = tokio::spawn(slack);
    tasks.spawn(read_again(certificates, control.clone(), shutdown.clone()));
    let lobby = Arc::new(Lobby::new().map_err(|source| AppError::Key { source })?);
    let (workers, threads) = start_workers()?;
    let connections = Arc::new(Semaphore::new(config.limits.sessions));
    let serving = Serving { lobby, workers, throttle, connections: Arc::clone(&connections) };
    let front = Front { config: &config, gate: &gate, control: &control, serving };
    front.listen(listeners, &shutdown, &mut tasks);
    let rooms = front.console(&shutdown, &mut tasks);
    drop(front);
    let (end_api, api_ends) = oneshot::channel::<()>();
    let trail = evidence::index(&config.audit, &mut tasks).await;
    evidence::send(sinks, &config.audit, &metrics, &mut tasks);
    let signing = evidence::sign(&config.audit, checkpoint_key, &gate, &mut tasks);
    let parts = api_parts(&config, &control, webhooks, trail, &gate, rooms);
    let api = tokio::spawn(serve_api(api_listener, api_tls, parts, api_ends));
    tracing::info!(api = %config.api.address, "ready");

    stop::announced(&shutdown, &control).await;
    stop::drained(&gate, &connections, config.limits.sessions, &shutdown).await;
    drop(end_api);
    stop::within("requests to the API were cut off", api).await;
    drop(over);
    stop::within("the last refusals were not kept", writer).await;
    // What they were about to tell is told by another gateway, or at the next start.
    stop::within("webhooks were not told everything", telling).await;
    stop::within("Slack was not told everything", slack).await;
    tasks.shutdown().await;
    // Nobody renews it any more.
    control.leave_store().await;
    // Nobody writes behind the last record.
    stop::within("threads that serve clients did not end", tokio::task::spawn_blocking(|| drop(threads)))
        .await;
    drop(end_traces);
    stop::within("the last spans were not sent", exporting).await;
    let _receipt = audit.append_one(&Record::Stopped).await?;
    if let Some(signing) = signing {
        signing.take(&audit, None).await;
    }
    store.close().await;
    Ok(())
}

/// One thread for every two processors: the kernel's part of the work, and what else the gateway does, needs the others.
/// Fewer threads with more clients each sleep less often, and share more writes of the audit log.
fn start_workers() -> Result<(Workers, WorkerThreads), AppError> {
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let count = NonZeroUsize::new(processors / 2).unwrap_or(NonZeroUsize::MIN);
    Workers::start(count).map_err(|source| AppError::Workers { source })
}

fn api_parts(
    config: &Config,
    control: &Control,
    webhooks: Webhooks,
    trail: Option<Trail>,
    gate: &Arc<Gate>,
    rooms: Rooms,
) -> ApiParts {
    ApiParts {
        control: control.clone(),
        sessions: Arc::new(ports::OpenSessions(Arc::clone(gate))),
        explain: Arc::new(ports::Judge::of(config, Arc::clone(gate))),
        targets: Arc::new(ports::KnownTargets(Arc::clone(gate))),
        webhooks: Arc::new(webhooks),
        audit: gate.audit.clone(),
        trail,
        metrics: Arc::clone(&gate.metrics),
        tracer: gate.tracer.clone(),
        rooms,
    }
}

async fn serve_api(
    listener: TcpListener,
    tls: Option<Arc<ServerTls>>,
    parts: ApiParts,
    ends: oneshot::Receiver<()>,
) {
    let tls = tls.map(|tls| -> ApiTls { Arc::new(move || Arc::clone(&tls.state().config)) });
    if let Err(error) = api::serve(listener, tls, parts, async { drop(ends.await) }).await {
        tracing::error!(%error, "the API stopped");
    }
}

async fn watch_policy(control: Control, shutdown: Shutdown) {
    control.watch_policy(async move { shutdown.begun().await }).await;
}

async fn tend(control: Control, shutdown: Shutdown) {
    control.tend(async move { shutdown.begun().await }).await;
}

async fn tell_webhooks(webhooks: Webhooks, shutdown: Shutdown) {
    let stop = || {
        let shutdown = shutdown.clone();
        async move { shutdown.begun().await }
    };
    webhooks.run(stop).await;
}

fn on_call(config: &Config) -> Result<Option<Arc<dyn OnCall>>, AppError> {
    let Some(settings) = &config.on_call else { return Ok(None) };
    let pagerduty = Pagerduty::new(settings.clone()).map_err(|source| AppError::OnCall { source })?;
    Ok(Some(Arc::new(pagerduty)))
}

async fn follow_store(control: Control, gate: Arc<Gate>) {
    control.follow_store(&ports::OpenSessions(gate)).await;
}

async fn share_sessions(control: Control, gate: Arc<Gate>) {
    control.share_sessions(&ports::OpenSessions(gate)).await;
}

async fn do_errands(control: Control, gate: Arc<Gate>) {
    control.do_errands(&ports::OpenSessions(gate)).await;
}

async fn send_errands(control: Control) {
    control.send_errands().await;
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

/// Opens the API's port and those of all listeners.
fn open_ports(config: &Config) -> Result<(TcpListener, Vec<Port>), AppError> {
    let open = |address| {
        bind(address, config.shutdown.shares_ports).map_err(|source| AppError::Listen { address, source })
    };
    let api = open(config.api.address)?;
    let clients =
        config.listeners.iter().map(|listener| Ok((open(listener.address)?, server_tls(listener)?)));
    Ok((api, clients.collect::<Result<_, AppError>>()?))
}

pub(super) fn server_tls(listener: &config::Listener) -> Result<Option<Arc<ServerTls>>, AppError> {
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

pub(super) fn http_server_tls(files: &config::CertificateFiles) -> Result<Arc<ServerTls>, AppError> {
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
        gateway: config.name.clone(),
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

/// How long a session keeps an upstream connection that it does not use.
const LEASE_IDLE: Duration = Duration::from_secs(2);
