//! The cursor of the grammar: it looks at tokens and takes them, one after the other.

use crate::{
    model::{
        facts::Unanalyzable,
        name_context::{MysqlReading, NameContext},
    },
    sql::limits::Limits,
};

use super::{
    found::Found,
    token::{Kind, Token},
};

/// What every rule of the grammar answers.
pub(super) type Parsed<T> = Result<T, Unanalyzable>;

/// Reads one statement and collects what it does.
pub(super) struct Parser<'t> {
    tokens: &'t [Token<'t>],
    at: usize,
    /// What names mean here.
    pub(super) context: &'t NameContext,
    /// How the server reads.
    pub(super) reading: MysqlReading,
    pub(super) limits: &'t Limits,
    pub(super) found: Found,
    /// Names of the common table expressions in scope, the innermost last.
    pub(super) ctes: Vec<&'t str>,
    /// Where the column that was taken last ends.
    pub(super) column_end: usize,
    /// Rules that are open at once.
    depth: usize,
}

impl<'t> Parser<'t> {
    /// Stands before the first of `tokens`, which are those of one statement.
    pub(super) fn new(
        tokens: &'t [Token<'t>],
        context: &'t NameContext,
        reading: MysqlReading,
        limits: &'t Limits,
    ) -> Self {
        Self {
            tokens,
            at: 0,
            context,
            reading,
            limits,
            found: Found::default(),
            ctes: Vec::new(),
            column_end: 0,
            depth: 0,
        }
    }

    /// The token in hand.
    pub(super) fn peek(&self) -> Option<&'t Token<'t>> {
        self.tokens.get(self.at)
    }

    /// The token `ahead` places behind the one in hand.
    pub(super) fn peek_at(&self, ahead: usize) -> Option<&'t Token<'t>> {
        self.tokens.get(self.at + ahead)
    }

    /// Takes the token in hand.
    pub(super) fn next(&mut self) -> Option<&'t Token<'t>> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        Some(token)
    }

    /// Takes as many tokens, which were looked at before.
    pub(super) const fn skip(&mut self, tokens: usize) {
        self.at += tokens;
    }

    /// Whether every token was taken.
    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// Whether the word in hand is `word` (upper case).
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.peek().is_some_and(|token| token.is_word(word))
    }

    /// Whether these words stand in hand, one after the other.
    pub(super) fn are_words(&self, words: &[&str]) -> bool {
        words
            .iter()
            .enumerate()
            .all(|(ahead, word)| self.peek_at(ahead).is_some_and(|token| token.is_word(word)))
    }

    /// Takes the word if it is in hand.
    pub(super) fn accept_word(&mut self, word: &str) -> bool {
        let is_it = self.is_word(word);
        self.at += usize::from(is_it);
        is_it
    }

    /// Takes these words if they are in hand, one after the other.
    pub(super) fn accept_words(&mut self, words: &[&str]) -> bool {
        let are_they = self.are_words(words);
        self.at += if are_they { words.len() } else { 0 };
        are_they
    }

    /// Takes whichever of these words is in hand.
    pub(super) fn accept_any(&mut self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().copied().find(|word| self.accept_word(word))
    }

    /// Takes the word.
    ///
    /// # Errors
    /// `Syntax` if another token is in hand.
    pub(super) fn expect_word(&mut self, word: &str) -> Parsed<()> {
        if self.accept_word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Whether the symbol is in hand.
    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.peek().is_some_and(|token| token.is_symbol(symbol))
    }

    /// Takes the symbol if it is in hand.
    pub(super) fn accept_symbol(&mut self, symbol: &str) -> bool {
        let is_it = self.is_symbol(symbol);
        self.at += usize::from(is_it);
        is_it
    }

    /// Takes the symbol.
    ///
    /// # Errors
    /// `Syntax` if another token is in hand.
    pub(super) fn expect_symbol(&mut self, symbol: &str) -> Parsed<()> {
        if self.accept_symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Takes a token of this kind if it is in hand.
    pub(super) fn accept_kind(&mut self, kind: Kind) -> Option<&'t Token<'t>> {
        let token = self.peek().filter(|token| token.kind == kind)?;
        self.at += 1;
        Some(token)
    }

    /// Where it stands, to come back with [`Self::go_back`].
    pub(super) const fn position(&self) -> usize {
        self.at
    }

    /// The tokens that were taken since it stood at `position`.
    pub(super) fn since(&self, position: usize) -> &'t [Token<'t>] {
        self.tokens.get(position..self.at).unwrap_or_default()
    }

    /// The tokens of the statement, taken or not.
    pub(super) const fn all(&self) -> &'t [Token<'t>] {
        self.tokens
    }

    /// The tokens of the statement that are not taken yet.
    pub(super) fn rest(&self) -> &'t [Token<'t>] {
        self.tokens.get(self.at..).unwrap_or_default()
    }

    /// Takes all that is left.
    pub(super) const fn skip_rest(&mut self) {
        self.at = self.tokens.len();
    }

    /// Stands where it stood before. What was found since stays found.
    pub(super) const fn go_back(&mut self, position: usize) {
        self.at = position;
    }

    /// Runs a rule that may contain itself.
    ///
    /// # Errors
    /// `TooLarge` beyond the limit of nesting, and those of the rule.
    pub(super) fn nested<T>(&mut self, rule: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= self.limits.nesting {
            return Err(Unanalyzable::TooLarge { what: "levels of nesting", limit: self.limits.nesting });
        }
        self.depth += 1;
        let parsed = stacker::maybe_grow(STACK_BYTES_LEFT, STACK_BYTES_MORE, || rule(self));
        self.depth -= 1;
        parsed
    }

    /// The token in hand has no place here.
    pub(super) fn unexpected(&self) -> Unanalyzable {
        match self.peek() {
            Some(token) => Unanalyzable::Syntax {
                message: format!("the gateway does not understand the statement at \"{}\"", token.text),
                position: Some(token.span.start + 1),
            },
            None => Unanalyzable::Syntax {
                message: "the gateway does not understand the statement: it ends too early".to_owned(),
                position: None,
            },
        }
    }
}

/// Stack that must be left where a rule begins; many times what it takes to the next one that may contain itself.
const STACK_BYTES_LEFT: usize = 128 << 10;

/// Stack that is added where less is left.
const STACK_BYTES_MORE: usize = 1 << 20;

/// Something of the manual that the gateway knows by name and does not judge.
pub(super) fn unknown(construct: impl Into<String>) -> Unanalyzable {
    Unanalyzable::Unknown { construct: construct.into() }
}
