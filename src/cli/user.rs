//! `tidegate user`

use std::process::ExitCode;

use anyhow::Context;
use reqwest::Method;
use serde_json::json;

use super::{
    args::Connection,
    args_people::UserCommand,
    client::Api,
    output::{list, say, show, table},
    password,
};
use crate::{
    api::bodies::{NewPrincipal, PrincipalList, PrincipalPatch, PrincipalView, Removed},
    model::{ids::PrincipalName, secret::Secret},
};

pub(super) async fn run(command: UserCommand) -> anyhow::Result<ExitCode> {
    match command {
        UserCommand::Add { name, groups, no_password, password_stdin, connection } => {
            let api = Api::new(&connection)?;
            // Asked for first: whoever gives up here leaves no half of a principal behind.
            let password = if no_password { None } else { Some(password::ask(&name, password_stdin)?) };
            add(&api, &connection, NewPrincipal { name, groups }, password).await
        }
        UserCommand::Passwd { name, password_stdin, mysql_native, connection } => {
            let api = Api::new(&connection)?;
            set_password(&api, &name, &password::ask(&name, password_stdin)?, mysql_native).await?;
            show(connection.json, &json!({ "password_set": name }), |_| say!("{name} has a new password."))
        }
        UserCommand::Groups { name, groups, connection } => {
            let patch = PrincipalPatch { groups: Some(groups), disabled: None };
            let changed = change(&connection, &name, patch).await?;
            show(connection.json, &changed, |it| {
                let groups = if it.groups.is_empty() { "no group".to_owned() } else { list(&it.groups) };
                say!("{} is in {groups}.", it.name);
            })
        }
        UserCommand::List { connection } => {
            let answer: PrincipalList = Api::new(&connection)?.get(&["principals"], &()).await?;
            show(connection.json, &answer, |it| print(&it.principals))
        }
        UserCommand::Disable { name, connection } => {
            let patch = PrincipalPatch { groups: None, disabled: Some(true) };
            let changed = change(&connection, &name, patch).await?;
            show(connection.json, &changed, |it| {
                say!("{} can no longer log in; open sessions of it end.", it.name);
            })
        }
        UserCommand::Enable { name, connection } => {
            let patch = PrincipalPatch { groups: None, disabled: Some(false) };
            let changed = change(&connection, &name, patch).await?;
            show(connection.json, &changed, |it| match it.disabled {
                false => say!("{} can log in again.", it.name),
                true => say!("{} is enabled here, but policy or a directory still keeps it out.", it.name),
            })
        }
        UserCommand::Remove { name, connection } => {
            let removed: Removed =
                Api::new(&connection)?.call(Method::DELETE, &["principals", &name]).await?;
            show(connection.json, &removed, |it| {
                say!("{name} is removed; {} of its grants were revoked.", it.revoked_grants.len());
                if it.in_policy {
                    say!("Policy still names it: take it out there, too.");
                }
            })
        }
    }
}

async fn add(
    api: &Api,
    connection: &Connection,
    new: NewPrincipal,
    password: Option<Secret<String>>,
) -> anyhow::Result<ExitCode> {
    let mut added: PrincipalView = api.send(Method::POST, &["principals"], &new).await?;
    if let Some(password) = &password {
        set_password(api, &new.name, password, false).await.with_context(|| {
            format!("{0} was added but has no password yet: run `tidegate user passwd {0}`", new.name)
        })?;
        added.password = true;
    }
    show(connection.json, &added, |it| {
        say!("{} is added (groups: {}).", it.name, list(&it.groups));
        if !it.password {
            say!("It has no password: `tidegate token create --for {} --ttl 8h` lets it in.", it.name);
        }
    })
}

async fn set_password(
    api: &Api,
    name: &PrincipalName,
    password: &Secret<String>,
    mysql_native: bool,
) -> anyhow::Result<()> {
    let body = json!({ "password": password.expose(), "mysql_native": mysql_native });
    api.send(Method::PUT, &["principals", name, "password"], &body).await
}

async fn change(
    connection: &Connection,
    name: &PrincipalName,
    patch: PrincipalPatch,
) -> anyhow::Result<PrincipalView> {
    Api::new(connection)?.send(Method::PATCH, &["principals", name], &patch).await
}

fn print(principals: &[PrincipalView]) {
    let row = |it: &PrincipalView| {
        let from = match (it.local, it.in_policy) {
            (true, true) => "policy, here",
            (true, false) => "here",
            (false, _) => "policy",
        };
        let mut proofs = Vec::new();
        if it.password {
            proofs.push("password".to_owned());
        }
        for (count, what) in [(it.tokens, "token"), (it.certificates, "certificate")] {
            if count > 0 {
                proofs.push(format!("{count} {what}{}", if count > 1 { "s" } else { "" }));
            }
        }
        let state = if it.disabled { "disabled" } else { "enabled" };
        vec![it.name.to_string(), list(&it.groups), state.to_owned(), list(proofs), from.to_owned()]
    };
    let rows = principals.iter().map(row).collect();
    table(&["NAME", "GROUPS", "STATE", "LOGS IN BY", "FROM"], rows, "There are no principals.");
}
