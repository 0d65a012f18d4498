//! Traces, if the configuration wants them.

use tokio::sync::oneshot;

use super::{error::AppError, evidence};
use crate::{
    config::Config,
    metrics::Metrics,
    net::Clock,
    telemetry::{Exporter, Tracer, TracerSettings},
};

/// What makes traces, and what sends them; connects nowhere yet.
pub(super) fn open(
    config: &Config,
    clock: &Clock,
    metrics: &Metrics,
) -> Result<(Option<Tracer>, Option<Exporter>), AppError> {
    let Some(traces) = &config.traces else { return Ok((None, None)) };
    let settings =
        TracerSettings { otlp: evidence::receiver(&config.name, &traces.otlp), one_in: traces.one_in };
    let (tracer, exporter) = Tracer::new(settings, clock.clone(), metrics.traces.clone())?;
    Ok((Some(tracer), Some(exporter)))
}

/// Sends spans until there are no more to come.
pub(super) async fn export(exporter: Option<Exporter>, end: oneshot::Receiver<()>) {
    if let Some(exporter) = exporter {
        exporter.run(async { drop(end.await) }).await;
    }
}
