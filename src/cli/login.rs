//! `tidegate login`

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use reqwest::Method;
use serde_json::json;

use super::{
    args::Connection,
    client::Api,
    output::{complain, instant, say, show},
    password,
};
use crate::{api::bodies::CreatedKey, model::ids::PrincipalName};

pub(super) async fn run(
    name: PrincipalName,
    password_stdin: bool,
    save: Option<PathBuf>,
    connection: Connection,
) -> anyhow::Result<ExitCode> {
    let api = Api::without_key(&connection)?;
    let password = password::ask_once(&name, password_stdin)?;
    let body = json!({ "principal": name, "password": password.expose() });
    let made: CreatedKey = api.send(Method::POST, &["login"], &body).await?;
    let until = made.key.ends_at.map(instant).unwrap_or_default();
    match save {
        Some(file) => {
            write(&file, &made.secret).with_context(|| format!("could not write {}", file.display()))?;
            complain!("You are {name} until {until}. Set TIDEGATE_KEY_FILE to {}.", file.display());
            Ok(ExitCode::SUCCESS)
        }
        None => show(connection.json, &made, |it| {
            // The key stands alone on standard output, so that a script can take it.
            complain!("You are {name} until {until}. Set TIDEGATE_KEY to this; it is not shown again.");
            say!("{}", it.secret);
        }),
    }
}

/// A file that nobody else could read before it was ours.
fn write(file: &Path, secret: &str) -> io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(made, "{secret}")
}
