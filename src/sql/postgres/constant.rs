//! Constants in an expression, where what a function does depends on them.

use pg_query::{
    NodeEnum,
    protobuf::{Node, TypeName, a_const::Val},
};

use super::names::parts;

/// The text that a constant expression is for sure; `None` if it is anything else.
///
/// Sees through casts between types that keep a text as it is.
pub(super) fn text(node: &Node) -> Option<&str> {
    seen_through(node, &["text", "varchar", "cstring", "unknown"])
}

/// The text of a constant that is taken for the name of a relation or schema; sees through the types for those too.
///
/// Not for anything else: such a type answers with the name in its own way, and for a number with whatever it stands
/// for.
pub(super) fn name(node: &Node) -> Option<&str> {
    seen_through(node, &["text", "varchar", "cstring", "unknown", "regclass", "regnamespace"])
}

fn seen_through<'n>(node: &'n Node, types: &[&str]) -> Option<&'n str> {
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) if !constant.isnull => match constant.val.as_ref()? {
            Val::Sval(string) => Some(&string.sval),
            Val::Ival(_) | Val::Fval(_) | Val::Boolval(_) | Val::Bsval(_) => None,
        },
        NodeEnum::TypeCast(cast)
            if cast.type_name.as_ref().is_some_and(|written| is_one_of(written, types)) =>
        {
            seen_through(cast.arg.as_deref()?, types)
        }
        _ => None,
    }
}

/// Whether it is a literal or a parameter, cast or not.
pub(super) fn is_literal(node: &Node) -> bool {
    match node.node.as_ref() {
        Some(NodeEnum::AConst(_) | NodeEnum::ParamRef(_)) => true,
        Some(NodeEnum::TypeCast(cast)) => cast.arg.as_deref().is_some_and(is_literal),
        _ => false,
    }
}

/// The truth value that a constant expression is for sure.
pub(super) fn boolean(node: &Node) -> Option<bool> {
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) if !constant.isnull => match constant.val.as_ref()? {
            Val::Boolval(value) => Some(value.boolval),
            Val::Ival(value) => Some(value.ival != 0),
            Val::Sval(value) => boolean_word(&value.sval),
            Val::Fval(_) | Val::Bsval(_) => None,
        },
        NodeEnum::TypeCast(cast) => {
            let names = parts(&cast.type_name.as_ref()?.names)?;
            let boolean_type = matches!(*names, ["bool" | "boolean"] | ["pg_catalog", "bool"]);
            // Numbers are looked at only where the grammar itself writes truth as one: texts that differ in a number
            // share their facts.
            match cast.arg.as_deref()?.node.as_ref()? {
                NodeEnum::AConst(word) if boolean_type => match word.val.as_ref()? {
                    Val::Boolval(value) => Some(value.boolval),
                    Val::Sval(word) => boolean_word(&word.sval),
                    Val::Ival(_) | Val::Fval(_) | Val::Bsval(_) => None,
                },
                _ => None,
            }
        }
        NodeEnum::String(word) => boolean_word(&word.sval),
        NodeEnum::Integer(number) => Some(number.ival != 0),
        NodeEnum::Boolean(value) => Some(value.boolval),
        _ => None,
    }
}

/// A truth value in words, as the server reads them (any unique beginning).
pub(super) fn boolean_word(word: &str) -> Option<bool> {
    let word = word.trim().to_ascii_lowercase();
    match word.as_str() {
        "t" | "tr" | "tru" | "true" | "y" | "ye" | "yes" | "on" | "1" => Some(true),
        "f" | "fa" | "fal" | "fals" | "false" | "n" | "no" | "of" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn is_one_of(written: &TypeName, types: &[&str]) -> bool {
    let Some(names) = parts(&written.names) else { return false };
    let name = match *names {
        ["pg_catalog", name] | [name] => name,
        _ => return false,
    };
    let plain = written.typmods.is_empty() && written.array_bounds.is_empty() && !written.setof;
    plain && types.contains(&name)
}

/// The parts of a qualified name in a text, as the server reads them: folded unless quoted.
///
/// `None` for anything that it would not take, or would cut.
pub(super) fn qualified_name(text: &str) -> Option<Vec<String>> {
    let parts = split_identifiers(text, '.')?;
    // A number is an object's id, a dash is none.
    let plain = |part: &String| !part.is_empty() && part.len() < NAME_BYTES;
    let number = text.trim().bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    (!number && !parts.is_empty() && parts.iter().all(plain)).then_some(parts)
}

/// Identifiers with `separator` between them, folded unless quoted; an empty text has none.
///
/// `None` where the server would refuse the list.
pub(super) fn split_identifiers(text: &str, separator: char) -> Option<Vec<String>> {
    let mut rest = text.trim_matches(is_space);
    let mut found = Vec::new();
    if rest.is_empty() {
        return Some(found);
    }
    loop {
        let (part, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_part(quoted)?,
            None => {
                let end = rest.find(|letter| letter == separator || is_space(letter)).unwrap_or(rest.len());
                let (part, behind) = rest.split_at_checked(end)?;
                if part.is_empty() || part.contains('"') {
                    return None;
                }
                (part.to_ascii_lowercase(), behind)
            }
        };
        found.push(part);
        let behind = behind.trim_start_matches(is_space);
        if behind.is_empty() {
            return Some(found);
        }
        rest = behind.strip_prefix(separator)?.trim_start_matches(is_space);
    }
}

/// What stands before the closing quote, and the rest behind it.
fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let (before, behind) = rest.split_once('"')?;
        part.push_str(before);
        match behind.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return Some((part, behind)),
        }
    }
}

const fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

/// The server cuts longer identifiers.
const NAME_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_texts_are_read_as_the_server_reads_them() {
        let read = |text| qualified_name(text).map(|parts| parts.join("/"));
        for (text, expected) in [
            ("salary", Some("salary")),
            (" Public . Salary ", Some("public/salary")),
            ("\"Public\".\"sal\"\"ary\"", Some("Public/sal\"ary")),
            ("a.b.c", Some("a/b/c")),
            ("16384", None),
            ("-", None),
            ("", None),
            ("a b", None),
            ("a..b", None),
            ("a.", None),
            ("\"a", None),
        ] {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
        assert_eq!(qualified_name(&"x".repeat(64)), None);
    }
}
