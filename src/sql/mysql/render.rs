//! Tokens to the one spelling that is sent.

use crate::model::name_context::MysqlReading;

use super::{
    hint,
    lexer::is_bare_variable,
    token::{Kind, Token},
};

/// The tokens of one statement as text: read under `reading`, it gives the same tokens again.
///
/// White space as written, because the server names columns by their text; a blank for every comment and wherever two
/// tokens that touch could be read as something else. Names that were quoted in backticks, strings in single quotes,
/// no comments.
pub(super) fn render(tokens: &[Token<'_>], reading: &MysqlReading) -> String {
    let mut text = String::with_capacity(tokens.iter().map(|token| token.text.len() + 2).sum());
    let mut before: Option<&Token<'_>> = None;
    for (at, token) in tokens.iter().enumerate() {
        if token.kind == Kind::Hint && hint::kept(&token.text).is_none() {
            continue;
        }
        if let Some(before) = before {
            text.push_str(gap(before, token));
        }
        let behind = tokens.get(at + 1);
        spell(&mut text, token, behind.is_some_and(|behind| behind.glued && behind.is_symbol(".")), reading);
        before = Some(token);
    }
    text
}

/// What stands between the two.
fn gap<'t>(before: &Token<'_>, token: &Token<'t>) -> &'t str {
    match (token.glued, is_joined(before, token) || may_touch(before, token)) {
        (true, true) => "",
        (true, false) => " ",
        (false, _) => token.gap,
    }
}

/// Whether two tokens that stood side by side may do so again: nothing that they are spelled as runs together, and no
/// comment begins or ends.
fn may_touch(before: &Token<'_>, token: &Token<'_>) -> bool {
    match (before.kind, token.kind) {
        (Kind::Symbol, Kind::Symbol) => {
            let bracket = |token: &Token<'_>| matches!(&*token.text, "(" | ")" | "," | ";");
            let signed = matches!(&*token.text, "-" | "+")
                && matches!(
                    &*before.text,
                    "=" | "<" | ">" | "<=" | ">=" | "<>" | "!=" | ":=" | "*" | "/" | "%"
                );
            bracket(before) || bracket(token) || signed
        }
        (Kind::Introducer, Kind::String) => true,
        (Kind::Symbol, Kind::Hint) | (Kind::Hint | Kind::Introducer, _) => false,
        (Kind::Symbol, _) => TOUCHABLE.contains(&&*before.text),
        (_, Kind::Symbol) => TOUCHABLE.contains(&&*token.text),
        _ => false,
    }
}

/// Symbols that names, numbers and strings may touch.
const TOUCHABLE: &[&str] = &[
    "(", ")", "{", "}", ",", ";", "=", "<", ">", "<=", ">=", "<>", "!=", "<=>", ":=", "+", "-", "*", "/",
    "%", "~", "!", "||", "&&", "&", "|", "^", "<<", ">>", "->", "->>",
];

/// Whether the two stand side by side and that means something.
fn is_joined(before: &Token<'_>, token: &Token<'_>) -> bool {
    if !token.glued {
        return false;
    }
    let name = matches!(before.kind, Kind::Word | Kind::Quoted);
    match token.kind {
        // Before a point, NULL is the value (`\N`): as a name it is no word. Side by side they would be read as a name.
        Kind::Symbol if token.text == "." => !before.is_word("NULL"),
        Kind::Symbol if token.text == "(" => name || before.is_symbol("."),
        Kind::UserVariable => name || before.kind == Kind::String,
        Kind::Word | Kind::Quoted | Kind::Symbol => {
            before.kind == Kind::SystemVariable || before.is_symbol(".")
        }
        _ => false,
    }
}

fn spell(text: &mut String, token: &Token<'_>, is_point_behind: bool, reading: &MysqlReading) {
    match token.kind {
        Kind::Word
        | Kind::Hex
        | Kind::Bits
        | Kind::Integer
        | Kind::Decimal
        | Kind::Float
        | Kind::Placeholder
        | Kind::Symbol => text.push_str(&token.text),
        Kind::SystemVariable => text.push_str("@@"),
        Kind::Quoted => quote_name(text, &token.text),
        Kind::String => quote_string(text, &token.text, reading),
        Kind::National => {
            text.push('N');
            quote_string(text, &token.text, reading);
        }
        Kind::Introducer => {
            text.push('_');
            text.push_str(&token.text);
        }
        Kind::UserVariable => {
            text.push('@');
            if token.text.is_empty() {
                text.push_str("''");
            } else if is_point_behind || !token.text.bytes().all(is_bare_variable) {
                quote_name(text, &token.text);
            } else {
                text.push_str(&token.text);
            }
        }
        Kind::Hint => {
            if let Some(kept) = hint::kept(&token.text) {
                text.push_str("/*+");
                text.push_str(&kept);
                text.push_str(" */");
            }
        }
    }
}

/// `` `name` ``.
pub(super) fn quote_name(text: &mut String, name: &str) {
    text.push('`');
    for piece in name.split_inclusive('`') {
        text.push_str(piece);
        if piece.ends_with('`') {
            text.push('`');
        }
    }
    text.push('`');
}

/// `'string'`, with escapes where `reading` has them.
pub(super) fn quote_string(text: &mut String, content: &str, reading: &MysqlReading) {
    text.push('\'');
    let mut rest = content;
    while let Some(found) = rest.find(['\'', '\\', '\0', '\n', '\r', '\u{1a}']) {
        let (plain, special) = rest.split_at(found);
        text.push_str(plain);
        let mut letters = special.chars();
        match letters.next() {
            Some('\'') => text.push_str("''"),
            Some(letter) if reading.no_backslash_escapes => text.push(letter),
            Some('\0') => text.push_str("\\0"),
            Some('\n') => text.push_str("\\n"),
            Some('\r') => text.push_str("\\r"),
            Some('\u{1a}') => text.push_str("\\Z"),
            Some(letter) => {
                text.push('\\');
                text.push(letter);
            }
            None => {}
        }
        rest = letters.as_str();
    }
    text.push_str(rest);
    text.push('\'');
}
