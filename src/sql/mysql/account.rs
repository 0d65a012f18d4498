//! The accounts by which the gateway logs in. Whoever changes one takes its password, or locks the gateway out.

use crate::{model::facts::StatementKind, sql::account::spared};

use super::{
    parser::{Parsed, Parser},
    token::{Kind, Token},
};

impl Parser<'_> {
    /// Refuses a statement that changes, renames or drops one of the gateway's own accounts. Whatever stands at its
    /// host counts as the account, and so does its name anywhere in such a statement.
    ///
    /// # Errors
    /// `Never` where it does, or may.
    pub(super) fn spare_accounts(&self, kind: StatementKind) -> Parsed<()> {
        let tokens = self.all();
        let behind: Vec<&Token<'_>> = passwords_set(tokens).collect();
        if behind.iter().any(|next| !next.is_word("FOR")) {
            // Of whom the session works as.
            return Err(spared("CURRENT_USER"));
        }
        if behind.is_empty() && !(kind == StatementKind::Administer && changes_account(tokens)) {
            return Ok(());
        }
        let accounts = &self.context.accounts;
        let own = tokens.iter().enumerate().find(|(at, token)| {
            is_current(token, tokens.get(at + 1))
                || may_be_name(token.kind) && accounts.iter().any(|account| account.as_str() == token.text)
        });
        own.map_or(Ok(()), |(_, token)| Err(spared(&token.text)))
    }
}

/// What stands behind each PASSWORD that a SET sets; MariaDB takes it among other assignments, too.
fn passwords_set<'t>(tokens: &'t [Token<'t>]) -> impl Iterator<Item = &'t Token<'t>> {
    let of_variables = tokens.first().is_some_and(|first| first.is_word("SET"))
        && !tokens.get(1).is_some_and(|second| second.is_word("STATEMENT"));
    let pairs = tokens.windows(2).filter(move |_| of_variables);
    pairs.filter_map(|pair| match pair {
        [word, next] if word.is_word("PASSWORD") => {
            let sets = ["=", ":="].iter().any(|symbol| next.is_symbol(symbol))
                || ["FOR", "TO"].iter().any(|word| next.is_word(word));
            sets.then_some(next)
        }
        _ => None,
    })
}

/// Whether a statement of administration is about an account itself, or holds one that is (in the body of a program).
fn changes_account(tokens: &[Token<'_>]) -> bool {
    let has = |words: &[&str]| {
        tokens.windows(words.len()).any(|run| run.iter().zip(words).all(|(token, word)| token.is_word(word)))
    };
    let limits = |token: &Token<'_>| {
        ["IDENTIFIED", "REQUIRE"].iter().any(|word| token.is_word(word))
            || token.kind == Kind::Word
                && token.text.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("MAX_"))
    };
    CHANGES.iter().any(|words| has(words)) || has(&["GRANT"]) && tokens.iter().any(limits)
}

/// CURRENT_USER and USER(): whom the session works as.
fn is_current(token: &Token<'_>, next: Option<&Token<'_>>) -> bool {
    token.is_word("CURRENT_USER") || token.is_word("USER") && next.is_some_and(|next| next.is_symbol("("))
}

const fn may_be_name(kind: Kind) -> bool {
    matches!(kind, Kind::National | Kind::Quoted | Kind::String | Kind::Word)
}

/// How statements about accounts begin.
const CHANGES: &[&[&str]] = &[
    &["ALTER", "USER"],
    &["DROP", "ROLE"],
    &["DROP", "USER"],
    &["OR", "REPLACE", "ROLE"],
    &["OR", "REPLACE", "USER"],
    &["RENAME", "USER"],
    &["SET", "DEFAULT", "ROLE"],
    &["SET", "PASSWORD"],
];
