//! Asking for a password.

use std::io::{self, IsTerminal, Read};

use anyhow::{Context, bail};

use crate::model::secret::Secret;

/// Asks twice on the terminal, or reads one line of standard input.
pub(super) fn ask(of: &str, from_stdin: bool) -> anyhow::Result<Secret<String>> {
    if from_stdin {
        return first_line(io::stdin().lock());
    }
    if !io::stdin().is_terminal() {
        bail!("there is no terminal to ask for the password on: pass --password-stdin and give it there");
    }
    let once = Secret::new(rpassword::prompt_password(format!("Password of {of}: ")).context("no password")?);
    let again = Secret::new(rpassword::prompt_password("Again: ").context("no password")?);
    if once != again {
        bail!("the two are not the same: nothing was changed");
    }
    Ok(once)
}

/// Asks once on the terminal, or reads one line of standard input: to show a password, not to set one.
pub(super) fn ask_once(of: &str, from_stdin: bool) -> anyhow::Result<Secret<String>> {
    if from_stdin || !io::stdin().is_terminal() {
        return first_line(io::stdin().lock());
    }
    rpassword::prompt_password(format!("Password of {of}: ")).map(Secret::new).context("no password")
}

fn first_line(input: impl Read) -> anyhow::Result<Secret<String>> {
    let mut text = String::new();
    let read = input.take(MAX_BYTES).read_to_string(&mut text);
    // Hidden before anything is made of what went wrong.
    let text = Secret::new(text);
    read.context("could not read the password from standard input")?;
    let line = text.expose().split('\n').next().unwrap_or_default();
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        bail!("standard input holds no password: nothing was changed");
    }
    Ok(Secret::new(line.to_owned()))
}

const MAX_BYTES: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_password_and_blanks_belong_to_it() {
        for (input, password) in
            [("pass word ", "pass word "), ("secret\nmore\n", "secret"), ("secret\r\n", "secret")]
        {
            assert_eq!(first_line(input.as_bytes()).unwrap().expose(), password);
        }
        assert!(first_line("\n".as_bytes()).is_err());
        assert!(first_line("".as_bytes()).is_err());
    }
}
