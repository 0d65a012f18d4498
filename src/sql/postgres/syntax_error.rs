//! Where in the text a syntax error stands.

use super::{
    lexer::{Lexer, Token},
    parse,
};

/// Character from 1 of the token that the parser's `message` is about, if it can be told.
///
/// The parser gives no place. It stops at the first token that cannot go on, so the place is the first one for which
/// the text cut off behind it fails with the same words.
pub(super) fn position(text: &str, message: &str) -> Option<usize> {
    if message.ends_with("at end of input") {
        return Some(text.chars().count() + 1);
    }
    let token = message.rsplit_once(" at or near \"")?.1.strip_suffix('"')?;
    if message.starts_with("unterminated") {
        return text.strip_suffix(token).map(|before| before.chars().count() + 1);
    }
    let fails_alike = |end: usize| {
        text.get(..end).is_some_and(|cut| matches!(parse::raw(cut), Ok(Err(said)) if said == message))
    };
    let is_token = |place: &Token| text.get(place.start..place.end) == Some(token);
    let places: Vec<Token> = Lexer::new(text).filter(is_token).collect();
    // Behind the first place that cannot go on none does: each step halves what is left, and costs a parse.
    let at = places.partition_point(|place| !fails_alike(place.end));
    let before = text.get(..places.get(at)?.start)?;
    Some(before.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use crate::model::facts::Unanalyzable;

    use super::super::parse::parse;

    #[test]
    fn a_syntax_error_says_where_it_stands_in_characters() {
        for (text, at) in [
            ("selec 1", Some(1)),
            ("select 'ä' frm t x", Some(16)),
            ("select 1 from", Some(14)),
            ("select 'ä', 'b", Some(13)),
            ("select x from x where x x", Some(25)),
            ("select a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s,, t", Some(64)),
        ] {
            match parse(text) {
                Err(Unanalyzable::Syntax { position, message }) => {
                    assert_eq!(position, at, "{text}: {message}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
