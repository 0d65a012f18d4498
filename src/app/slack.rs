//! The Slack app, as far as it is configured.

use std::sync::Arc;

use tokio::net::TcpListener;

use super::{error::AppError, ports::Judge, run::http_server_tls};
use crate::{
    config::Config,
    control::Control,
    net::{HttpTls, ServerTls, Shutdown, listen::bind},
    notify::{
        NotifyError, Pace,
        slack::{self, SlackParts},
    },
    session::Gate,
};

/// Where Slack's requests come in.
pub(super) struct SlackPort {
    listener: TcpListener,
    pub(super) tls: Option<Arc<ServerTls>>,
}

/// Takes the address at which Slack's requests come in, if they do.
///
/// # Errors
/// `Listen`, `Net`.
pub(super) fn open(config: &Config) -> Result<Option<SlackPort>, AppError> {
    let Some(http) = config.slack.as_ref().and_then(|slack| slack.http.as_ref()) else { return Ok(None) };
    let address = http.address;
    let listener =
        bind(address, config.shutdown.shares_ports).map_err(|source| AppError::Listen { address, source })?;
    let tls = http.tls.as_ref().map(http_server_tls).transpose()?;
    tracing::info!(%address, tls = tls.is_some(), "Slack's requests come in");
    Ok(Some(SlackPort { listener, tls }))
}

/// Serves Slack until `shutdown` begins.
pub(super) async fn serve(
    port: Option<SlackPort>,
    config: Config,
    control: Control,
    gate: Arc<Gate>,
    shutdown: Shutdown,
) {
    let Some(slack) = &config.slack else { return };
    let (clock, metrics) = (gate.clock.clone(), gate.metrics.slack());
    let parts = SlackParts {
        control,
        explain: Arc::new(Judge::of(&config, gate)),
        settings: Arc::new(slack.settings.clone()),
        listener: port.map(|port| {
            let tls = port.tls.map(|tls| -> HttpTls { Arc::new(move || Arc::clone(&tls.state().config)) });
            (port.listener, tls)
        }),
        clock,
        metrics,
        pace: Pace::default(),
    };
    if let Err(error) = slack::run(parts, &shutdown).await {
        tracing::error!(error = NotifyError::in_words(&error), "Slack is not served");
    }
}
