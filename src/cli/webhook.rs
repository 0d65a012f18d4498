//! `tidegate webhook`

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

use super::{
    args::Connection,
    client::Api,
    output::{counted, instant, list, say, show, table},
    value::id,
};
use crate::{
    api::bodies::{Delivery, DeliveryPage, DeliveryQuery, DeliveryState, WebhookList, WebhookView},
    model::ids::{DeliveryId, WebhookName},
};

#[derive(Debug, Subcommand)]
pub(super) enum WebhookCommand {
    /// List webhooks and how they fare.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// List what a webhook was told or could not be told, newest first.
    Deliveries {
        /// Which webhook.
        webhook: WebhookName,
        /// Only those in this state: dead, delivered or trying.
        #[arg(long)]
        state: Option<DeliveryState>,
        /// At most so many.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
        #[command(flatten)]
        connection: Connection,
    },
    /// Send a delivery again, or all that were given up, oldest first until one fails.
    Replay {
        /// Which webhook.
        webhook: WebhookName,
        /// Which delivery.
        #[arg(required_unless_present = "all_dead", conflicts_with = "all_dead", value_parser = id::<DeliveryId>)]
        delivery: Option<DeliveryId>,
        /// All that were given up.
        #[arg(long)]
        all_dead: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// Tell a webhook once that somebody tries it, and show what it answers.
    Test {
        /// Which.
        webhook: WebhookName,
        #[command(flatten)]
        connection: Connection,
    },
    /// Tell a webhook of things again whose address said that it is gone.
    Enable {
        /// Which.
        webhook: WebhookName,
        #[command(flatten)]
        connection: Connection,
    },
}

pub(super) async fn run(command: WebhookCommand) -> anyhow::Result<ExitCode> {
    match command {
        WebhookCommand::List { connection } => {
            let answer: WebhookList = Api::new(&connection)?.get(&["webhooks"], &()).await?;
            show(connection.json, &answer, |it| print_webhooks(&it.webhooks))
        }
        WebhookCommand::Deliveries { webhook, state, limit, connection } => {
            let query = DeliveryQuery { state, before: None, limit };
            let answer: DeliveryPage =
                Api::new(&connection)?.get(&["webhooks", &webhook, "deliveries"], &query).await?;
            show(connection.json, &answer, |it| print_deliveries(&it.deliveries))
        }
        WebhookCommand::Replay { webhook, delivery: Some(delivery), connection, .. } => {
            let sent = replay(&Api::new(&connection)?, &webhook, delivery).await?;
            outcome(&connection, &sent)
        }
        WebhookCommand::Replay { webhook, delivery: None, connection, .. } => {
            replay_all(&webhook, &connection).await
        }
        WebhookCommand::Test { webhook, connection } => {
            let api = Api::new(&connection)?;
            let sent: Delivery = api.call(Method::POST, &["webhooks", &webhook, "test"]).await?;
            outcome(&connection, &sent)
        }
        WebhookCommand::Enable { webhook, connection } => {
            Api::new(&connection)?.call::<()>(Method::POST, &["webhooks", &webhook, "enable"]).await?;
            let words = |_: &_| say!("Webhook {webhook} is told of what happens from now on.");
            show(connection.json, &json!({ "enabled": webhook }), words)
        }
    }
}

async fn replay(api: &Api, webhook: &WebhookName, delivery: DeliveryId) -> anyhow::Result<Delivery> {
    let id = delivery.to_string();
    api.call(Method::POST, &["webhooks", webhook, "deliveries", &id, "replay"]).await
}

async fn replay_all(webhook: &WebhookName, connection: &Connection) -> anyhow::Result<ExitCode> {
    let api = Api::new(connection)?;
    let mut dead = Vec::new();
    let mut query = DeliveryQuery { state: Some(DeliveryState::Dead), before: None, limit: 200 };
    loop {
        let page: DeliveryPage = api.get(&["webhooks", webhook, "deliveries"], &query).await?;
        let Some(last) = page.deliveries.last() else { break };
        query.before = Some(last.id);
        dead.extend(page.deliveries.iter().map(|it| it.id));
    }
    for (done, delivery) in dead.iter().rev().enumerate() {
        let sent = replay(&api, webhook, *delivery).await?;
        if sent.state != DeliveryState::Delivered {
            bail!("{done} of {} sent again, then {}", dead.len(), told(&sent));
        }
    }
    let answer = json!({ "replayed": dead.len() });
    show(connection.json, &answer, |_| say!("{} sent again.", counted(dead.len(), "event")))
}

/// What came of one attempt; one that failed is a failure of the command.
fn outcome(connection: &Connection, sent: &Delivery) -> anyhow::Result<ExitCode> {
    show(connection.json, sent, |it| say!("{}", told(it)))?;
    Ok(if sent.state == DeliveryState::Delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn told(sent: &Delivery) -> String {
    let status = sent.status.map(|status| format!(" (status {status})")).unwrap_or_default();
    match &sent.problem {
        None => format!("Delivery {} was taken{status}.", sent.id),
        Some(problem) => format!("Delivery {} was not taken: {problem}.", sent.id),
    }
}

fn print_webhooks(webhooks: &[WebhookView]) {
    let row = |it: &WebhookView| {
        let state = match (&it.disabled_at, &it.last) {
            (Some(at), _) => format!("disabled since {}", instant(*at)),
            (None, Some(last)) => format!("last {}", last.state),
            (None, None) => "nothing told yet".to_owned(),
        };
        let webhook = &it.webhook;
        vec![
            webhook.name.to_string(),
            webhook.template.clone(),
            webhook.host.clone(),
            list(&webhook.events),
            it.dead.to_string(),
            state,
        ]
    };
    let head = ["NAME", "TEMPLATE", "HOST", "EVENTS", "DEAD", "STATE"];
    table(&head, webhooks.iter().map(row).collect(), "No webhooks are configured.");
}

fn print_deliveries(deliveries: &[Delivery]) {
    let row = |it: &Delivery| {
        vec![
            it.id.to_string(),
            it.seq.map_or_else(|| "-".to_owned(), |seq| seq.to_string()),
            instant(it.at),
            it.event.kind().to_owned(),
            it.state.to_string(),
            it.attempts.to_string(),
            it.problem.clone().or_else(|| it.status.map(|status| status.to_string())).unwrap_or_default(),
        ]
    };
    let head = ["ID", "EVENT", "AT", "KIND", "STATE", "ATTEMPTS", "ANSWER"];
    table(&head, deliveries.iter().map(row).collect(), "There are no deliveries.");
}
