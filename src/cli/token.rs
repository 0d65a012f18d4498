//! `tidegate token`

use std::process::ExitCode;

use reqwest::Method;
use serde_json::json;

use super::{
    args_people::TokenCommand,
    client::Api,
    output::{complain, instant, say, show, table},
};
use crate::api::bodies::{CreatedToken, NewToken, TokenList, TokenQuery};

pub(super) async fn run(command: TokenCommand) -> anyhow::Result<ExitCode> {
    match command {
        TokenCommand::Create { principal, ttl, name, connection } => {
            let new = NewToken { principal, name, lifetime: ttl };
            let made: CreatedToken = Api::new(&connection)?.send(Method::POST, &["tokens"], &new).await?;
            show(connection.json, &made, |it| {
                // The token stands alone on standard output, so that a script can take it.
                complain!(
                    "A token for {} until {} (id {}). Give it as the password; it is not shown again.",
                    it.token.principal,
                    instant(it.token.ends_at),
                    it.token.id
                );
                say!("{}", it.secret);
            })
        }
        TokenCommand::List { principal, connection } => {
            let answer: TokenList =
                Api::new(&connection)?.get(&["tokens"], &TokenQuery { principal }).await?;
            show(connection.json, &answer, |it| {
                let row = |it: &crate::api::bodies::TokenView| {
                    let (id, principal) = (it.id.to_string(), it.principal.to_string());
                    vec![id, principal, it.name.clone(), it.state.as_str().to_owned(), instant(it.ends_at)]
                };
                let rows = it.tokens.iter().map(row).collect();
                table(&["ID", "PRINCIPAL", "NAME", "STATE", "ENDS AT"], rows, "There are no tokens.");
            })
        }
        TokenCommand::Revoke { id, connection } => {
            let name = id.to_string();
            Api::new(&connection)?.call::<()>(Method::DELETE, &["tokens", &name]).await?;
            show(connection.json, &json!({ "revoked": id }), |_| say!("Token {id} is revoked."))
        }
    }
}
