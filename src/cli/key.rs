//! `tidegate key`

use std::process::ExitCode;

use reqwest::Method;
use serde_json::json;

use super::{
    args_people::KeyCommand,
    client::Api,
    output::{complain, instant, list, say, show, table},
};
use crate::api::bodies::{CreatedKey, KeyList, KeyView, NewKey};

pub(super) async fn run(command: KeyCommand) -> anyhow::Result<ExitCode> {
    match command {
        KeyCommand::Create { name, principal, scopes, ttl, connection } => {
            let new = NewKey { name, principal, scopes, lifetime: ttl };
            let made: CreatedKey = Api::new(&connection)?.send(Method::POST, &["keys"], &new).await?;
            show(connection.json, &made, |it| {
                // The key stands alone on standard output, so that a script can take it.
                complain!(
                    "Service key \"{}\" (id {}, scopes {}). Set TIDEGATE_KEY to it; it is not shown again.",
                    it.key.name,
                    it.key.id,
                    list(&it.key.scopes)
                );
                say!("{}", it.secret);
            })
        }
        KeyCommand::List { connection } => {
            let answer: KeyList = Api::new(&connection)?.get(&["keys"], &()).await?;
            show(connection.json, &answer, |it| print(&it.keys))
        }
        KeyCommand::Revoke { id, connection } => {
            let name = id.to_string();
            Api::new(&connection)?.call::<()>(Method::DELETE, &["keys", &name]).await?;
            show(connection.json, &json!({ "revoked": id }), |_| say!("Service key {id} is revoked."))
        }
    }
}

fn print(keys: &[KeyView]) {
    let row = |it: &KeyView| {
        let ends = it.ends_at.map_or_else(|| "never".to_owned(), instant);
        let whose = it.principal.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        vec![it.id.to_string(), it.name.clone(), whose, list(&it.scopes), it.state.as_str().to_owned(), ends]
    };
    let rows = keys.iter().map(row).collect();
    table(&["ID", "NAME", "FOR", "SCOPES", "STATE", "ENDS AT"], rows, "There are no service keys.");
}
