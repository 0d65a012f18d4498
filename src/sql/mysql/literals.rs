//! A text without its literals, by the tokens of our own lexer.

use std::borrow::Cow;

use crate::{model::name_context::MysqlReading, sql::limits::Limits};

use super::{
    fingerprint::is_literal,
    lexer,
    render::render,
    token::{Kind, Token},
};

/// See [`crate::sql::without_literals`].
pub(in crate::sql) fn without_literals(
    text: &str,
    reading: &MysqlReading,
    limits: &Limits,
    name: &mut dyn FnMut(&str) -> String,
) -> Option<String> {
    let tokens = lexer::tokens(text, reading, limits).ok()?;
    // Anything may be written in a hint.
    let tokens: Vec<Token<'_>> =
        tokens.into_iter().filter(|token| token.kind != Kind::Hint).map(|token| hide(token, name)).collect();
    Some(render(&tokens, reading))
}

fn hide<'t>(token: Token<'t>, name: &mut dyn FnMut(&str) -> String) -> Token<'t> {
    let text = match token.kind {
        Kind::Placeholder => return token,
        Kind::Hex | Kind::Bits => name(&token.text.to_ascii_lowercase()),
        kind if is_literal(kind) => name(&token.text),
        _ => return token,
    };
    Token { kind: Kind::String, text: Cow::Owned(text), ..token }
}
