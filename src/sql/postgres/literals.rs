//! A text without its literals, by the tokens of the server's own scanner.

use std::borrow::Cow;

use pg_query::{
    NodeEnum,
    protobuf::{Token, a_const::Val},
};

use super::parse;

/// See [`crate::sql::without_literals`].
pub(in crate::sql) fn without_literals(text: &str, name: &mut dyn FnMut(&str) -> String) -> Option<String> {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    let mut at = 0;
    for token in parse::tokens(text)? {
        let (start, end) = (usize::try_from(token.start).ok()?, usize::try_from(token.end).ok()?);
        out.push_str(blank(text.get(at..start)?)?);
        let written = text.get(start..end)?;
        match Token::try_from(token.token).ok()? {
            Token::SqlComment | Token::CComment => out.push(' '),
            kind @ (Token::Iconst
            | Token::Fconst
            | Token::Sconst
            | Token::Usconst
            | Token::Bconst
            | Token::Xconst) => {
                out.push('\'');
                out.push_str(&name(&value(kind, written)));
                out.push('\'');
            }
            _ => out.push_str(written),
        }
        at = end;
    }
    out.push_str(blank(text.get(at..)?)?);
    Some(out)
}

/// What stands between two tokens. closed: if that is no white space, the tokens are not what they seem.
fn blank(between: &str) -> Option<&str> {
    let is_blank = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c);
    between.bytes().all(is_blank).then_some(between)
}

/// The value of a literal; its text where it has no other.
fn value(kind: Token, written: &str) -> Cow<'_, str> {
    match kind {
        Token::Sconst => match plain(written) {
            Some(value) => value,
            None => Cow::Owned(read(written).unwrap_or_else(|| written.to_owned())),
        },
        Token::Usconst => Cow::Owned(read(written).unwrap_or_else(|| written.to_owned())),
        Token::Bconst | Token::Xconst => Cow::Owned(written.to_ascii_lowercase()),
        _ => Cow::Borrowed(written),
    }
}

/// The value of `'…'` and `$tag$…$tag$`; `None` for other spellings, and where a string goes on in another line.
fn plain(written: &str) -> Option<Cow<'_, str>> {
    if let Some(inside) = written.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        let value = inside.replace("''", "\u{0}");
        if value.contains('\'') {
            return None;
        }
        return Some(if value.contains('\u{0}') {
            Cow::Owned(value.replace('\u{0}', "'"))
        } else {
            Cow::Borrowed(inside)
        });
    }
    let rest = written.strip_prefix('$')?;
    let tag = written.get(..rest.find('$')? + 2)?;
    Some(Cow::Borrowed(written.strip_prefix(tag)?.strip_suffix(tag)?))
}

/// The value of a string in any spelling, as the parser reads it.
fn read(written: &str) -> Option<String> {
    let statements = parse::parse(&format!("SELECT {written}")).ok()?;
    let Some(NodeEnum::SelectStmt(select)) = statements.first()?.stmt.as_ref()?.node.as_ref() else {
        return None;
    };
    let Some(NodeEnum::ResTarget(target)) = select.target_list.first()?.node.as_ref() else { return None };
    match target.val.as_ref()?.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            Val::Sval(value) => Some(value.sval.clone()),
            _ => None,
        },
        _ => None,
    }
}
