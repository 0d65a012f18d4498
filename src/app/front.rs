//! Who serves clients, whichever way they come: to a listener, or from a page of the console.

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};

use super::{console::Receptions, targets};
use crate::{
    api::Rooms,
    config::{self, Config},
    console::{self, Editor, TargetInfo},
    control::Control,
    model::{dialect::Dialect, identity::AdmitTokens},
    net::{ServerTls, Shutdown, Throttle, Workers},
    session::{
        Admission, Gate, Reception, Speaks, listen,
        login::{Authentication, Door, Listing, mysql::Lobby},
    },
    wire::mysql::capability::Capabilities,
};

/// A listener's socket, and its certificate.
pub(super) type Port = (TcpListener, Option<Arc<ServerTls>>);

/// What clients of all listeners are served with.
pub(super) struct Serving {
    pub(super) lobby: Arc<Lobby>,
    pub(super) workers: Workers,
    pub(super) throttle: Arc<Throttle>,
    /// Places of connections over all listeners.
    pub(super) connections: Arc<Semaphore>,
}

/// What stands before the data plane.
pub(super) struct Front<'a> {
    pub(super) config: &'a Config,
    pub(super) gate: &'a Arc<Gate>,
    pub(super) control: &'a Control,
    pub(super) serving: Serving,
}

impl Front<'_> {
    /// Serves the clients of all listeners.
    pub(super) fn listen(&self, listeners: Vec<Port>, shutdown: &Shutdown, tasks: &mut JoinSet<()>) {
        for ((socket, tls), listener) in listeners.into_iter().zip(&self.config.listeners) {
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
                compression: compression(&listener.compression),
                ..self.door(targets::listings(listener, &self.config.targets))
            };
            tracing::info!(address = %listener.address, tls = listener.tls.is_some(), "listening");
            tasks.spawn(listen(socket, self.reception(door, listener.dialect), shutdown.clone()));
        }
    }

    /// The console: its pages, and the SQL editor behind them, whose connections are received like those of listeners.
    pub(super) fn console(&self, shutdown: &Shutdown, tasks: &mut JoinSet<()>) -> Rooms {
        let receptions = self.config.targets.iter().map(|it| {
            let info = TargetInfo {
                name: it.target.name.clone(),
                dialect: it.target.dialect,
                environment: it.target.environment.clone(),
                databases: it.databases.clone(),
            };
            let listing = Listing { target: it.target.name.clone(), databases: it.databases.clone() };
            let reception = self.reception(self.door(vec![listing]), it.target.dialect);
            (it.target.name.clone(), (info, reception))
        });
        let editor = Editor::new(
            self.control.clone(),
            Arc::new(Receptions { of: receptions.collect(), shutdown: shutdown.clone() }),
        );
        let keyed = editor.routes();
        tasks.spawn(async move { editor.tend().await });
        Rooms { pages: console::pages(self.config.oidc.is_some()), keyed }
    }

    /// Who receives clients through `door`.
    fn reception(&self, door: Door, dialect: Dialect) -> Reception {
        let Serving { lobby, workers, connections, .. } = &self.serving;
        let speaks = match dialect {
            Dialect::Mysql => Speaks::Mysql(Arc::clone(lobby)),
            Dialect::Postgres => Speaks::Postgres,
        };
        let per_principal = self.config.limits.sessions_per_principal;
        let admission = Admission { connections: Arc::clone(connections), per_principal };
        Reception {
            door: Arc::new(door),
            speaks,
            gate: Arc::clone(self.gate),
            admission,
            workers: workers.clone(),
        }
    }

    /// A door to `listings`, without TLS, that only takes proofs which tell no secret.
    fn door(&self, listings: Vec<Listing>) -> Door {
        let Self { config, gate, control, serving } = self;
        Door {
            tls: None,
            plaintext: true,
            authentication: Authentication::Scram,
            compression: Capabilities::NONE,
            listings,
            timeout: config.limits.login_timeout,
            failure_delay: FAILURE_DELAY,
            mock_secret: control.mock_secret().clone(),
            snapshot: control.snapshot().clone(),
            tokens: config.oidc.is_some().then(|| Arc::new((*control).clone()) as Arc<dyn AdmitTokens>),
            throttle: Arc::clone(&serving.throttle),
            audit: gate.audit.clone(),
            metrics: gate.metrics.logins.clone(),
            clock: gate.clock.clone(),
        }
    }
}

fn compression(offered: &[config::Compression]) -> Capabilities {
    offered.iter().fold(Capabilities::NONE, |all, one| match one {
        config::Compression::Zlib => all | Capabilities::COMPRESS,
        config::Compression::Zstd => all | Capabilities::ZSTD_COMPRESSION,
    })
}

/// How long a failed login waits for its answer.
const FAILURE_DELAY: Duration = Duration::from_millis(250);
