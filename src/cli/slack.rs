//! `tidegate slack`

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use anyhow::bail;
use reqwest::Method;
use serde_json::json;

use super::{
    args_people::SlackCommand,
    client::Api,
    output::{complain, instant, say, show, table},
};
use crate::api::bodies::{LinkSlack, SlackLinkAnswer, SlackLinkList, SlackLinkView};

pub(super) async fn run(command: SlackCommand) -> anyhow::Result<ExitCode> {
    match command {
        SlackCommand::Link { code, yes, connection } => {
            let api = Api::new(&connection)?;
            let code = LinkSlack { code, user: None };
            let found: SlackLinkAnswer = api.send(Method::POST, LINKS, &code).await?;
            if !yes {
                confirm(&found)?;
            }
            let code = LinkSlack { user: Some(found.user), ..code };
            let linked: SlackLinkAnswer = api.send(Method::POST, LINKS, &code).await?;
            show(connection.json, &linked, |it| {
                say!("Slack user {} of workspace {} is {} from now on.", it.user, it.team, it.principal);
            })
        }
        SlackCommand::List { connection } => {
            let answer: SlackLinkList = Api::new(&connection)?.get(LINKS, &()).await?;
            show(connection.json, &answer, |it| print(&it.links))
        }
        SlackCommand::Unlink { name, connection } => {
            Api::new(&connection)?.call::<()>(Method::DELETE, &["slack", "links", name.as_str()]).await?;
            show(connection.json, &json!({ "unlinked": name }), |_| {
                say!("{name} is nobody in Slack any more.")
            })
        }
    }
}

/// A code of somebody else would let them act as whoever confirms it.
fn confirm(found: &SlackLinkAnswer) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() {
        bail!("nobody is there to say that the account is theirs: look at it, then give --yes");
    }
    // What Slack calls somebody may hold anything, also what moves a terminal's cursor.
    complain!(
        "The code is of Slack user {} (\"{}\") of workspace {}. Whoever uses that account acts as {} from then on.",
        found.user.escape_debug(),
        found.name.escape_debug(),
        found.team.escape_debug(),
        found.principal
    );
    complain!("Is it yours? Type yes:");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if answer.trim() != "yes" {
        bail!("nothing is linked");
    }
    Ok(())
}

fn print(links: &[SlackLinkView]) {
    let row = |it: &SlackLinkView| {
        vec![
            it.principal.to_string(),
            it.team.clone(),
            it.user.clone(),
            it.linked_by.clone(),
            instant(it.linked_at),
        ]
    };
    let rows = links.iter().map(row).collect();
    table(&["PRINCIPAL", "WORKSPACE", "USER", "LINKED BY", "SINCE"], rows, "Nobody is linked to Slack.");
}

const LINKS: &[&str] = &["slack", "links"];
