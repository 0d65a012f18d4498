//! `tidegate session`

use std::process::ExitCode;

use reqwest::Method;
use serde_json::json;

use super::{
    args::SessionCommand,
    client::Api,
    output::{instant, say, show, table},
};
use crate::api::bodies::{SessionList, SessionView};

pub(super) async fn run(command: SessionCommand) -> anyhow::Result<ExitCode> {
    match command {
        SessionCommand::List { connection } => {
            let answer: SessionList = Api::new(&connection)?.get(&["sessions"], &()).await?;
            show(connection.json, &answer, |it| print(&it.sessions))
        }
        SessionCommand::Terminate { id, connection } => {
            let name = id.to_string();
            Api::new(&connection)?.call::<()>(Method::DELETE, &["sessions", &name]).await?;
            show(connection.json, &json!({ "terminated": id }), |_| say!("Session {id} is ended."))
        }
    }
}

fn print(sessions: &[SessionView]) {
    let row = |it: &SessionView| {
        vec![
            it.id.to_string(),
            it.principal.to_string(),
            format!("{}/{}", it.target, it.database),
            it.client.to_string(),
            it.application.clone(),
            it.state.clone(),
            it.statements.to_string(),
            instant(it.started_at),
            it.gateway.as_ref().map(ToString::to_string).unwrap_or_default(),
        ]
    };
    let head =
        ["ID", "PRINCIPAL", "PLACE", "CLIENT", "APPLICATION", "STATE", "STATEMENTS", "SINCE", "GATEWAY"];
    table(&head, sessions.iter().map(row).collect(), "There are no sessions.");
}
