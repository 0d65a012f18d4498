//! Where a statement ends: at the semicolon, but for those inside of a stored program.

use super::token::Token;

/// How many of `tokens` belong to the first statement.
///
/// A program with blocks takes all that is left of the text. Where its body ends would be a guess, and nothing hangs
/// on it: whoever may define a program may run whatever statement stands behind it, too.
pub(super) fn length(tokens: &[Token<'_>]) -> usize {
    let semicolon = || tokens.iter().position(|token| token.is_symbol(";")).unwrap_or(tokens.len());
    if !(holds_program(tokens) && tokens.iter().any(is_block)) {
        return semicolon();
    }
    let trailing = tokens.iter().rev().take_while(|token| token.is_symbol(";")).count();
    tokens.len() - trailing
}

/// Whether the statement is a definition with a body, or MariaDB's BEGIN NOT ATOMIC.
fn holds_program(tokens: &[Token<'_>]) -> bool {
    let word = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is_word(word));
    if word(0, "BEGIN") {
        return word(1, "NOT") && word(2, "ATOMIC");
    }
    if !word(0, "CREATE") && !word(0, "ALTER") {
        return false;
    }
    let is_one_of = |token: &&Token<'_>, words: &[&str]| words.iter().any(|word| token.is_word(word));
    let kind = tokens.iter().find(|token| is_one_of(token, PROGRAMS) || is_one_of(token, OTHERS));
    kind.is_some_and(|token| is_one_of(&token, PROGRAMS))
}

fn is_block(token: &Token<'_>) -> bool {
    ["BEGIN", "CASE", "FOR", "IF", "LOOP", "PACKAGE", "REPEAT", "WHILE"]
        .iter()
        .any(|word| token.is_word(word))
}

const PROGRAMS: &[&str] = &["EVENT", "FUNCTION", "PACKAGE", "PROCEDURE", "TRIGGER"];

/// Kinds of objects without a body.
const OTHERS: &[&str] = &[
    "DATABASE",
    "INDEX",
    "KEY",
    "ROLE",
    "SCHEMA",
    "SEQUENCE",
    "SERVER",
    "TABLE",
    "TABLESPACE",
    "USER",
    "VIEW",
];

#[cfg(test)]
mod tests {
    use crate::{model::name_context::MysqlReading, sql::limits::Limits};

    use super::super::lexer;
    use super::*;

    fn rest_of(text: &str) -> String {
        let reading = MysqlReading::USUAL;
        let tokens = lexer::tokens(text, &reading, &Limits::default()).unwrap();
        let at = tokens.get(length(&tokens)).map_or(text.len(), |token| token.span.end);
        text[at..].trim().to_owned()
    }

    #[test]
    fn a_statement_ends_at_its_semicolon() {
        assert_eq!(rest_of("select 1; select 2"), "select 2");
        assert_eq!(rest_of("begin; select 2"), "select 2");
        assert_eq!(rest_of("create table event (a int); begin; select 2"), "begin; select 2");
        assert_eq!(rest_of("create procedure p() select 1; drop table t"), "drop table t");
    }

    #[test]
    fn a_program_with_blocks_takes_the_rest() {
        assert_eq!(rest_of("create procedure p() begin select 1; end; select 2"), "");
        assert_eq!(rest_of("begin not atomic select 1; end"), "");
        assert_eq!(rest_of("create trigger t before insert on x for each row begin set @a = 1; end"), "");
    }
}
