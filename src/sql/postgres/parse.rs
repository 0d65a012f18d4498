//! Text to the parser's tree.

use std::{
    panic::catch_unwind,
    sync::{Mutex, PoisonError},
};

use pg_query::{
    FingerprintOptions,
    protobuf::{RawStmt, ScanToken},
};

use crate::model::facts::Unanalyzable;

use super::{bounds, syntax_error};

/// The statements of `text`.
///
/// The caller has checked [`super::bounds`] and has the stack that they ask for.
///
/// # Errors
/// `Syntax` where the grammar says no, `TooLarge` where the parser gives up, `Unknown` if it fails otherwise.
pub(super) fn parse(text: &str) -> Result<Vec<RawStmt>, Unanalyzable> {
    match raw(text)? {
        Ok(statements) => Ok(statements),
        Err(message) if TOO_DEEP.iter().any(|words| message.contains(words)) => {
            Err(Unanalyzable::TooLarge { what: "levels of nesting that the parser can read", limit: 1_000 })
        }
        Err(message) => {
            let position = syntax_error::position(text, &message);
            Err(Unanalyzable::Syntax { message, position })
        }
    }
}

/// The same number for texts that differ in literals and white space only; 0 if the parser cannot tell.
pub(super) fn fingerprint(text: &str) -> u64 {
    locked(|| pg_query::fingerprint(text, 0, WHOLE_NAMES).map_or(0, |print| print.value))
}

/// The tokens of `text`, comments among them; `None` where the scanner says no, or would take too long.
pub(super) fn tokens(text: &str) -> Option<Vec<ScanToken>> {
    if !bounds::is_read_in_one_go(text) {
        return None;
    }
    locked(|| pg_query::scan(text).ok()).map(|scanned| scanned.tokens)
}

/// The tree, or the parser's words against it.
pub(super) fn raw(text: &str) -> Result<Result<Vec<RawStmt>, String>, Unanalyzable> {
    let unreadable = || Unanalyzable::Unknown { construct: "the parser's answer".to_owned() };
    // The library's own summary of the tree, made on the way, may panic on trees that it does not expect.
    match locked(|| catch_unwind(|| pg_query::parse(text, 0))).map_err(|_| unreadable())? {
        Ok(parsed) => Ok(Ok(parsed.protobuf.stmts)),
        Err(pg_query::Error::Parse(message)) => Ok(Err(message)),
        Err(_) => Err(unreadable()),
    }
}

/// The parser points the process's standard error elsewhere while it runs: two at once could lose it for good.
fn locked<T>(work: impl FnOnce() -> T) -> T {
    static PARSER: Mutex<()> = Mutex::new(());
    let _one_at_a_time = PARSER.lock().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// Statements on different relations are different, whatever alias they go by.
const WHOLE_NAMES: FingerprintOptions = FingerprintOptions::RANGEVAR_PG17_COMPAT;

const TOO_DEEP: [&str; 3] = ["stack depth limit exceeded", "memory exhausted", "nested too deeply"];
