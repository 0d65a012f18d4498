//! Texts that differ in whole numbers alone do the same, and share their facts.

use super::lexer::{Kind, Lexer, Token};

/// `text` with zeros in place of the digits of its whole numbers, so that every offset stays where it is.
///
/// `None` when there is no such number, or when a number might mean more than its value: for statements other than
/// queries and changes of rows, for several statements in one text, and for numbers that touch anything but white
/// space and plain punctuation (`1.5`, `0x1f`, `1_000`, `t1`, `$1`). Numbers of ten digits and more stay: they may be
/// of another type.
pub(in crate::sql) fn shape(text: &str) -> Option<String> {
    if !may_hold_number(text.as_bytes()) {
        return None;
    }
    let mut tokens = Lexer::new(text).peekable();
    let first = tokens.peek().filter(|token| token.kind == Kind::Word)?;
    let head = text.get(first.start..first.end)?;
    if !HEADS.iter().any(|known| head.eq_ignore_ascii_case(known)) {
        return None;
    }
    let mut shape: Option<String> = None;
    let mut is_over = false;
    for token in tokens {
        if is_over {
            return None;
        }
        is_over = token.kind == Kind::Semicolon;
        if is_whole_number(text.as_bytes(), token) {
            let shape = shape.get_or_insert_with(|| String::with_capacity(text.len()));
            shape.push_str(text.get(shape.len()..token.start)?);
            shape.push_str(ZEROS.get(..token.end - token.start)?);
        }
    }
    let mut shape = shape?;
    shape.push_str(text.get(shape.len()..)?);
    Some(shape)
}

/// Whether a digit stands where a whole number could begin: a look at the bytes, much cheaper than tokens.
fn may_hold_number(text: &[u8]) -> bool {
    text.windows(2)
        .any(|pair| matches!(pair, [before, digit] if digit.is_ascii_digit() && ALONE.contains(before)))
}

fn is_whole_number(text: &[u8], token: Token) -> bool {
    let stands_alone = |neighbour: Option<&u8>| neighbour.is_none_or(|byte| ALONE.contains(byte));
    let digits = text.get(token.start..token.end).unwrap_or_default();
    token.kind == Kind::Operand
        && digits.len() <= MAX_DIGITS
        && digits.iter().all(u8::is_ascii_digit)
        && stands_alone(token.start.checked_sub(1).and_then(|before| text.get(before)))
        && stands_alone(text.get(token.end))
}

/// Statements in which a whole number is a value and nothing else.
const HEADS: [&str; 6] = ["delete", "insert", "select", "update", "values", "with"];
/// What may touch a number.
const ALONE: &[u8] = b" \t\r\n(),;=<>+-*";
/// All numbers of as many digits are of one type.
const MAX_DIGITS: usize = ZEROS.len();
const ZEROS: &str = "000000000";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_become_zeros_of_their_length() {
        assert_eq!(
            shape("SELECT a FROM t WHERE b = 123 AND c IN (4,56) LIMIT 7;").unwrap(),
            "SELECT a FROM t WHERE b = 000 AND c IN (0,00) LIMIT 0;"
        );
        assert_eq!(shape("select 5-3 -- 77").unwrap(), "select 0-0 -- 77");
    }

    #[test]
    fn what_only_looks_like_a_whole_number_stays() {
        for text in [
            "select 1.5",
            "select .5",
            "select 5.",
            "select 1e5",
            "select 0x1f",
            "select 1_000",
            "select 1a",
            "select $1",
            "select t1 from t2",
            "select '12', \"34\", $$56$$, $7$89$7$, e'\\'1', /* 2 */ b'1'",
            "select a[1:2]",
            "select 1::oid",
            "select 1234567890",
        ] {
            assert_eq!(shape(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_that_may_mean_more_stay() {
        for text in [
            "set statement_timeout = 5",
            "explain (analyze 1) select 1",
            "fetch 5 from c",
            "select 1; set work_mem = 5",
            "select 1;; select 2",
            "prepare p as select 1",
            "",
            ";",
        ] {
            assert_eq!(shape(text), None, "{text}");
        }
    }
}
