//! Which optimizer hints are let through.

/// Hints that only choose between plans, or bound how long a statement runs.
///
/// Source: MySQL manual, "Optimizer Hints". SET_VAR (settings, sql_mode among them) and RESOURCE_GROUP (threads) are
/// not among them.
const KEPT: &[&str] = &[
    "BKA",
    "BNL",
    "DERIVED_CONDITION_PUSHDOWN",
    "DERIVED_MERGE",
    "DUPSWEEDOUT",
    "FIRSTMATCH",
    "GROUP_INDEX",
    "HASH_JOIN",
    "INDEX",
    "INDEX_MERGE",
    "INTOEXISTS",
    "JOIN_FIXED_ORDER",
    "JOIN_INDEX",
    "JOIN_ORDER",
    "JOIN_PREFIX",
    "JOIN_SUFFIX",
    "LOOSESCAN",
    "MATERIALIZATION",
    "MAX_EXECUTION_TIME",
    "MERGE",
    "MRR",
    "NO_BKA",
    "NO_BNL",
    "NO_DERIVED_CONDITION_PUSHDOWN",
    "NO_GROUP_INDEX",
    "NO_HASH_JOIN",
    "NO_ICP",
    "NO_INDEX",
    "NO_INDEX_MERGE",
    "NO_JOIN_INDEX",
    "NO_MERGE",
    "NO_MRR",
    "NO_ORDER_INDEX",
    "NO_RANGE_OPTIMIZATION",
    "NO_SEMIJOIN",
    "NO_SKIP_SCAN",
    "ORDER_INDEX",
    "QB_NAME",
    "SEMIJOIN",
    "SKIP_SCAN",
    "SUBQUERY",
];

/// The hints of one hint comment that are kept, spelled anew; `None` if none is. Behind what is not understood
/// none is kept.
pub(super) fn kept(text: &str) -> Option<String> {
    let mut kept = String::new();
    let mut rest = text.trim_start_matches(is_blank);
    while let Some((name, arguments, behind)) = next(rest) {
        if is_plain(arguments) && KEPT.iter().any(|word| word.eq_ignore_ascii_case(name)) {
            let arguments: Vec<_> = arguments.split(is_blank).filter(|word| !word.is_empty()).collect();
            kept = format!("{kept} {}({})", name.to_ascii_uppercase(), arguments.join(" "));
        }
        rest = behind.trim_start_matches(|letter| is_blank(letter) || letter == ',');
    }
    if kept.is_empty() { None } else { Some(kept) }
}

/// `NAME(arguments)` and what is behind it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let end = text.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))?;
    let (name, rest) = text.split_at(end);
    let inside = rest.trim_start_matches(is_blank).strip_prefix('(')?;
    let (arguments, behind) = inside.split_once(')')?;
    // A bracket within quotes closes nothing: what is behind it is not understood.
    let closes = ['\'', '"', '`'].iter().all(|quote| arguments.matches(*quote).count() % 2 == 0);
    (!name.is_empty() && closes).then_some((name, arguments, behind))
}

/// Names of tables, indexes and query blocks, or a number.
fn is_plain(arguments: &str) -> bool {
    arguments.chars().all(|letter| {
        letter.is_ascii_alphanumeric()
            || is_blank(letter)
            || matches!(letter, '_' | '$' | '@' | ',' | '.' | '`')
    })
}

const fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_that_only_choose_plans_are_kept_and_the_others_are_not() {
        for (text, expected) in [
            (" MAX_EXECUTION_TIME(1000) ", Some(" MAX_EXECUTION_TIME(1000)")),
            ("qb_name(a) no_index( t1  i1,\n i2 )", Some(" QB_NAME(a) NO_INDEX(t1 i1, i2)")),
            ("JOIN_ORDER(@a `t 1`, t2@b)", Some(" JOIN_ORDER(@a `t 1`, t2@b)")),
            ("SET_VAR(sql_mode=ansi_quotes)", None),
            ("RESOURCE_GROUP(r) BKA(t)", Some(" BKA(t)")),
            ("BKA(t) SET_VAR(a = 1) MRR(t)", Some(" BKA(t) MRR(t)")),
            ("SET_VAR(a = 'b') MRR(t)", Some(" MRR(t)")),
            ("SET_VAR(a = 'b) MRR(t)'", None),
            ("", None),
            ("nonsense", None),
        ] {
            assert_eq!(kept(text).as_deref(), expected, "{text}");
        }
    }
}
