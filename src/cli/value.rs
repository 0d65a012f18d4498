//! How values on the command line are read.

use std::str::FromStr;

use jiff::Timestamp;

use crate::model::{dialect::Dialect, object::Glob, request::RequestState};

pub(super) fn glob(text: &str) -> Result<Glob, &'static str> {
    if text.is_empty() { Err("it is empty: write a name, or * for all") } else { Ok(Glob::new(text)) }
}

pub(super) fn id<I: FromStr>(text: &str) -> Result<I, &'static str> {
    text.parse().map_err(
        |_| "it is no identifier: copy one from the first column of the list command beside this one",
    )
}

pub(super) fn state(text: &str) -> Result<RequestState, &'static str> {
    let found = RequestState::ALL.into_iter().find(|known| known.as_str() == text);
    found.ok_or("it is no state: write pending, approved, denied, cancelled or expired")
}

pub(super) fn instant(text: &str) -> Result<Timestamp, &'static str> {
    text.parse().map_err(|_| "it is no instant: write it with its offset, for example 2026-11-21T18:00:00Z")
}

pub(super) fn dialect(word: &str) -> Result<Dialect, String> {
    match word {
        "mysql" => Ok(Dialect::Mysql),
        "postgres" => Ok(Dialect::Postgres),
        _ => Err("write postgres or mysql".to_owned()),
    }
}
