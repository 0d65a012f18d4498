//! Where a browser on this machine comes back to.
//!
//! Source: RFC 8252, sections 7.3 and 8.3.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use reqwest::Url;
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// What the browser brings.
#[derive(Serialize)]
pub(super) struct Brought {
    code: String,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
}

/// A port of this machine that waits for one browser.
pub(super) struct Loopback {
    listener: TcpListener,
    address: String,
}

impl Loopback {
    pub(super) async fn open() -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(("127.0.0.1", 0)).await.context("could not listen for the browser")?;
        let address = format!("http://{}{PATH}", listener.local_addr().context("could not listen")?);
        Ok(Self { listener, address })
    }

    /// Where the browser is to be sent.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Waits for the browser; other callers are told that there is nothing.
    pub(super) async fn returned(self, patience: Duration) -> anyhow::Result<Brought> {
        let wait = async {
            loop {
                let (stream, _) = self.listener.accept().await.context("could not listen for the browser")?;
                // Whoever says nothing must not keep the browser waiting.
                if let Ok(Ok(Some(brought))) = timeout(ONE_CALLER, serve(stream)).await {
                    return brought;
                }
            }
        };
        timeout(patience, wait).await.context("no browser came back in time: log in again")?
    }
}

/// Answers one request; what the browser brings, if it is it.
async fn serve(stream: TcpStream) -> anyhow::Result<Option<anyhow::Result<Brought>>> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    (&mut stream).take(MOST_BYTES).read_line(&mut line).await?;
    let target = line.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let brought = read(target);
    let (status, text) = match &brought {
        Some(Ok(_)) => ("200 OK", "You can close this window; the login goes on in the terminal."),
        Some(Err(_)) => ("200 OK", "The login failed; the terminal says why. You can close this window."),
        None => ("404 Not Found", "There is nothing here."),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(brought)
}

/// What a request for `target` brings; `None` if it is not the browser's.
fn read(target: &str) -> Option<anyhow::Result<Brought>> {
    let url = Url::parse("http://127.0.0.1").ok()?.join(target).ok().filter(|url| url.path() == PATH)?;
    let mut pairs: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let state = pairs.remove("state")?;
    if let Some(error) = pairs.remove("error") {
        return Some(declined(&error));
    }
    let code = pairs.remove("code")?;
    Some(Ok(Brought { code, state, iss: pairs.remove("iss") }))
}

fn declined(error: &str) -> anyhow::Result<Brought> {
    bail!("the identity provider says no: {}", super::output::clean(error))
}

const PATH: &str = "/callback";
const MOST_BYTES: u64 = 16 << 10;
const ONE_CALLER: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_brings_code_and_state_or_an_error() {
        let brought = read("/callback?code=a%2Bb&state=s&iss=https%3A%2F%2Fid").unwrap().unwrap();
        assert_eq!((brought.code.as_str(), brought.state.as_str()), ("a+b", "s"));
        assert_eq!(brought.iss.as_deref(), Some("https://id"));
        assert!(read("/callback?error=access_denied&state=s").unwrap().is_err());
        for other in ["/", "/favicon.ico", "/callback", "/callback?code=x", "/other?code=x&state=s", ""] {
            assert!(read(other).is_none(), "{other}");
        }
    }
}
