//! Start and end of all that speaks with Slack.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{net::TcpListener, time::sleep};
use tracing::{error, info, warn};

use super::{
    desk::Desk, error::SlackError, listener::Door, signature::Signatures, socket::Socket, updates::Updates,
    web::Web,
};
use crate::{
    control::{Control, Explain},
    metrics::SlackMetrics,
    model::slack::{SlackDoor, SlackSettings},
    net::{Clock, HttpTls, Shutdown},
    notify::{Backoff, NotifyError, Pace, backoff::chance, consume},
};

/// What the Slack app is built from.
pub struct SlackParts {
    /// Makes the changes.
    pub control: Control,
    /// Reads statements without running them.
    pub explain: Arc<dyn Explain>,
    /// The workspace, the app in it, and what is told where.
    pub settings: Arc<SlackSettings>,
    /// Where Slack's requests come in, if they do.
    pub listener: Option<(TcpListener, Option<HttpTls>)>,
    /// What time it is.
    pub clock: Clock,
    /// What is counted.
    pub metrics: SlackMetrics,
    /// How often the outbox is looked into.
    pub pace: Pace,
}

/// Serves the workspace until `shutdown` begins. What Slack does not take now is told when it does.
///
/// # Errors
/// `Setup`.
pub async fn run(parts: SlackParts, shutdown: &Shutdown) -> Result<(), NotifyError> {
    let SlackParts { control, explain, settings, listener, clock, metrics, pace } = parts;
    let web = Web::new(Arc::clone(&settings))?;
    tokio::select! {
        is_ours = until_known(&web, &settings) => if !is_ours { return Ok(()) },
        () = shutdown.begun() => return Ok(()),
    }
    let desk = Desk::new(control.clone(), explain, web.clone(), Arc::clone(&settings), metrics.clone());
    let is_local = settings.api.starts_with("http:");
    let updates =
        Updates { control: control.clone(), web: web.clone(), settings: Arc::clone(&settings), metrics };
    let asked = async {
        match (&settings.door, listener) {
            (SlackDoor::Http { signing_secret }, Some((listener, tls))) => {
                let signatures = Arc::new(Signatures::new(signing_secret));
                Door { desk, signatures, clock }.serve(listener, tls, shutdown.begun()).await;
            }
            (SlackDoor::Socket { .. }, _) => {
                until(shutdown, Socket { desk, web, is_local }.hold()).await;
            }
            (SlackDoor::Http { .. }, None) => {}
        }
    };
    tokio::join!(consume(&control, &updates, &pace, shutdown.begun()), asked);
    Ok(())
}

/// Waits until Slack says which workspace the token is of; whether it is the configured one.
async fn until_known(web: &Web, settings: &SlackSettings) -> bool {
    let mut failed = 0_u32;
    loop {
        match web.team().await {
            Ok(team) if team == settings.team => {
                info!(team, "Slack is told of requests");
                return true;
            }
            Ok(found) => {
                let configured = settings.team.clone();
                let error = SlackError::Team { configured, found };
                error!(%error, "Slack is not served");
                return false;
            }
            Err(error) => {
                failed = failed.saturating_add(1);
                let wait = RETRY.after(failed, chance());
                warn!(error = NotifyError::from(error).in_words(), ?wait, "Slack does not answer");
                sleep(wait).await;
            }
        }
    }
}

async fn until(shutdown: &Shutdown, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        () = shutdown.begun() => {}
    }
}

const RETRY: Backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) };
