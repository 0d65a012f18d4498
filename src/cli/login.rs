//! `tidegate login`

use std::{
    fs::OpenOptions,
    io::{self, BufRead, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;
use zeroize::Zeroizing;

use super::{
    args::{Connection, LoginArgs},
    client::Api,
    loopback::Loopback,
    output::{clean, complain, instant, say, show},
    password,
};
use crate::{
    api::bodies::{BegunBrowserLogin, CreatedKey, DeviceLogin},
    model::ids::PrincipalName,
};

pub(super) async fn run(arguments: LoginArgs) -> anyhow::Result<ExitCode> {
    let LoginArgs { name, password_stdin, browser, token_stdin, save, connection } = arguments;
    let api = Api::without_key(&connection)?;
    let made = match name {
        Some(name) => by_password(&api, &name, password_stdin).await?,
        None if browser => in_browser(&api).await?,
        None if token_stdin => by_token(&api).await?,
        None => on_another_device(&api).await?,
    };
    tell(&made, save, &connection)
}

async fn by_password(api: &Api, name: &PrincipalName, password_stdin: bool) -> anyhow::Result<CreatedKey> {
    let password = password::ask_once(name, password_stdin)?;
    let body = json!({ "principal": name, "password": password.expose() });
    api.send(Method::POST, &["login"], &body).await
}

async fn by_token(api: &Api) -> anyhow::Result<CreatedKey> {
    let mut line = Zeroizing::new(String::new());
    io::stdin().lock().read_line(&mut line).context("could not read standard input")?;
    api.send(Method::POST, &["login", "token"], &json!({ "token": line.trim() })).await
}

/// Shows a code, and asks until the person has typed it in somewhere.
async fn on_another_device(api: &Api) -> anyhow::Result<CreatedKey> {
    let begun: DeviceLogin = api.call(Method::POST, &["login", "device"]).await?;
    let (place, code) = (clean(&begun.verification_uri), clean(&begun.user_code));
    complain!("Open {place} on any device and type in the code {code}");
    if let Some(place) = &begun.verification_uri_complete {
        complain!("or open {}", clean(place));
    }
    let seconds = u64::try_from(begun.expires_in).unwrap_or_default();
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut pause = Duration::from_secs(u64::try_from(begun.interval).unwrap_or(5).clamp(1, 60));
    loop {
        sleep(pause).await;
        let answer: Value =
            api.send(Method::POST, &["login", "device", "finish"], &json!({ "login": begun.login })).await?;
        if answer.get("pending").is_none() {
            return serde_json::from_value(answer).context("the gateway's answer is not understood");
        }
        if answer.get("slow_down") == Some(&Value::Bool(true)) {
            // RFC 8628, section 3.5.
            pause += Duration::from_secs(5);
        }
        if Instant::now() >= end {
            bail!("nobody has typed in the code in {seconds} seconds: log in again");
        }
    }
}

/// Sends a browser to the provider, and waits for it to come back to this program.
async fn in_browser(api: &Api) -> anyhow::Result<CreatedKey> {
    let loopback = Loopback::open().await?;
    let body = json!({ "redirect_uri": loopback.address() });
    let (begun, cookie): (BegunBrowserLogin, _) =
        api.send_with_cookie(&["login", "browser"], &body, None).await?;
    let cookie = cookie.context("the gateway's answer lacks its cookie: look at TIDEGATE_API")?;
    complain!("Open this in a browser on this machine:\n{}", clean(&begun.authorization_url));
    let seconds = u64::try_from(begun.expires_in).unwrap_or_default();
    let returned = loopback.returned(Duration::from_secs(seconds)).await?;
    let path = ["login", "browser", "finish"];
    let (made, _) = api.send_with_cookie(&path, &returned, Some(&cookie)).await?;
    Ok(made)
}

fn tell(made: &CreatedKey, save: Option<PathBuf>, connection: &Connection) -> anyhow::Result<ExitCode> {
    let until = made.key.ends_at.map(instant).unwrap_or_default();
    let name = made.key.principal.as_ref().map(ToString::to_string).unwrap_or_default();
    match save {
        Some(file) => {
            write(&file, &made.secret).with_context(|| format!("could not write {}", file.display()))?;
            complain!("You are {name} until {until}. Set TIDEGATE_KEY_FILE to {}.", file.display());
            Ok(ExitCode::SUCCESS)
        }
        None => show(connection.json, made, |it| {
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
