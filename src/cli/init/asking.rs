//! Asking on a terminal.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context, bail};

use crate::{cli::output::complain, model::secret::Secret};

/// Asks, or takes the defaults where nobody can be asked.
pub(super) struct Asking {
    asks: bool,
}

impl Asking {
    pub(super) fn new(no_input: bool) -> Self {
        Self { asks: !no_input && io::stdin().is_terminal() }
    }

    pub(super) const fn asks(&self) -> bool {
        self.asks
    }

    /// What is said already, else the answer; an empty one is `default`.
    ///
    /// # Errors
    /// When nobody can be asked and there is no default: `flag` says it.
    pub(super) fn text(
        &self,
        said: Option<String>,
        question: &str,
        default: Option<&str>,
        flag: &str,
    ) -> anyhow::Result<String> {
        if let Some(said) = said {
            return Ok(said);
        }
        match (self.asks, default) {
            (false, Some(default)) => Ok(default.to_owned()),
            (false, None) => bail!("there is nobody to ask: say it with {flag}"),
            (true, default) => loop {
                let answer = read_line(question, default)?;
                match (answer.as_str(), default) {
                    ("", Some(default)) => return Ok(default.to_owned()),
                    ("", None) => complain!("This one is needed."),
                    (answer, _) => return Ok(answer.to_owned()),
                }
            },
        }
    }

    /// The same for what may be left out: "-" and, without a default, nothing leave it out.
    pub(super) fn optional(
        &self,
        said: Option<String>,
        question: &str,
        default: Option<&str>,
    ) -> anyhow::Result<Option<String>> {
        if said.is_some() || !self.asks {
            return Ok(said);
        }
        let answer = read_line(&format!("{question} (- for none)"), default)?;
        Ok(match (answer.as_str(), default) {
            ("-", _) | ("", None) => None,
            ("", Some(default)) => Some(default.to_owned()),
            (answer, _) => Some(answer.to_owned()),
        })
    }

    /// A password, which is not shown.
    pub(super) fn password(&self, of: &str) -> anyhow::Result<Secret<String>> {
        let answer = rpassword::prompt_password(format!("Password of {of}: ")).map(Secret::new);
        let answer = answer.context("no password")?;
        if answer.expose().is_empty() {
            bail!("the password of {of} is empty: nothing was written");
        }
        Ok(answer)
    }
}

fn read_line(question: &str, default: Option<&str>) -> anyhow::Result<String> {
    let shown = default.map(|default| format!(" [{default}]")).unwrap_or_default();
    let mut output = io::stderr().lock();
    write!(output, "{question}{shown}: ").and_then(|()| output.flush()).context("could not ask")?;
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line).context("could not read the answer")? == 0 {
        bail!("the input ended: nothing was written");
    }
    Ok(line.trim().to_owned())
}
