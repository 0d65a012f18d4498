//! All webhooks of a gateway.

use std::{future::Future, sync::Arc};

use tokio::task::JoinSet;

use super::{consume::consume, endpoint::Endpoint, error::NotifyError};
use crate::{
    control::{BoxFuture, Control, ControlError, WebhookInfo, Webhooks as Port},
    metrics::Metrics,
    model::{
        ids::WebhookName,
        webhook::{Delivery, WebhookSettings},
    },
    net::Clock,
};

/// All webhooks of a gateway; cheap to clone, all clones are the same ones.
#[derive(Clone, Debug)]
pub struct Webhooks {
    endpoints: Arc<[Arc<Endpoint>]>,
    control: Control,
}

impl Webhooks {
    /// Checks addresses and reads authorities; connects nowhere yet.
    ///
    /// # Errors
    /// Which webhook cannot be used as it is configured, and why.
    pub fn new(
        settings: &[WebhookSettings],
        control: &Control,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Result<Self, (WebhookName, NotifyError)> {
        let endpoint = |it: &WebhookSettings| {
            Endpoint::new(it.clone(), control.clone(), clock.clone(), metrics.webhook(&it.name))
                .map(Arc::new)
                .map_err(|problem| (it.name.clone(), problem))
        };
        let endpoints = settings.iter().map(endpoint).collect::<Result<_, _>>()?;
        Ok(Self { endpoints, control: control.clone() })
    }

    /// Tells them of everything that they are to be told of, each at its own pace, until `stop` is done.
    pub async fn run<S: Future<Output = ()> + Send + 'static>(&self, stop: impl Fn() -> S) {
        let mut tasks = JoinSet::new();
        for endpoint in self.endpoints.iter() {
            let (endpoint, control, stop) = (Arc::clone(endpoint), self.control.clone(), stop());
            tasks.spawn(async move { consume(&control, &*endpoint, &endpoint.pace(), stop).await });
        }
        while tasks.join_next().await.is_some() {}
    }
}

impl Port for Webhooks {
    fn list(&self) -> Vec<WebhookInfo> {
        self.endpoints.iter().map(|endpoint| endpoint.info()).collect()
    }

    fn attempt(&self, delivery: Delivery) -> BoxFuture<'_, Result<Delivery, ControlError>> {
        Box::pin(async move {
            let name = &delivery.webhook;
            let endpoint = self.endpoints.iter().find(|it| it.info().name == *name);
            let unknown = || ControlError::Unknown { what: "webhook", name: name.to_string() };
            let endpoint = endpoint.ok_or_else(unknown)?;
            endpoint.attempt_by_hand(delivery).await
        })
    }
}
