//! Conditions of risk rules and flows, in CEL.
//!
//! What a condition may name is checked when policy is read, so that a slip is a problem of the file and not of the
//! first request that meets it. Work is bounded by the length of the text, by allowing no comprehension inside
//! another, and by the bounds on what a request may hold.

use std::{collections::BTreeMap, fmt, sync::Arc};

use cel::{Context, Env, IdedExpr, Program, Value, common::ast::Expr};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::circumstances::{Circumstances, DAYS, History};

/// A condition that was read and checked.
#[derive(Clone)]
pub struct Condition {
    source: Arc<str>,
    zone: Zone,
    program: Arc<Program>,
}

/// A named time zone, in which a condition tells weekday and hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The zone of this name ("Europe/Berlin"), by the database inside the gateway.
    pub fn named(name: &str) -> Option<Self> {
        jiff::tz::TimeZoneDatabase::bundled().get(name).ok().map(Self)
    }

    pub(super) const fn time_zone(&self) -> &TimeZone {
        &self.0
    }
}

/// What is wrong with a condition's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadCondition {
    #[error("{0}")]
    Syntax(String),
    #[error("it is over the limit of {limit} {what}")]
    TooLarge { what: &'static str, limit: usize },
    #[error("there is no {0}")]
    UnknownName(String),
    #[error("{0}")]
    Never(&'static str),
}

/// A condition gave no yes and no no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(pub String);

impl Condition {
    /// Reads `source`; `with_risk` says whether the risk is known where it stands.
    pub(super) fn compile(source: &str, zone: Zone, with_risk: bool) -> Result<Self, BadCondition> {
        if source.len() > MOST_BYTES {
            return Err(BadCondition::TooLarge { what: "bytes", limit: MOST_BYTES });
        }
        if nesting(source) > MOST_NESTING {
            return Err(BadCondition::TooLarge { what: "levels of brackets", limit: MOST_NESTING });
        }
        let program = Program::compile(source).map_err(|errors| {
            let first = errors.errors.first();
            BadCondition::Syntax(
                first.map_or_else(|| "it is no expression".to_owned(), |error| error.msg.clone()),
            )
        })?;
        check(program.expression(), &mut Names { with_risk, own: None })?;
        Ok(Self { source: source.into(), zone, program: Arc::new(program) })
    }

    /// As written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it may depend on who is on call.
    pub(super) fn asks_who_is_on_call(&self) -> bool {
        self.source.contains("on_call")
    }

    /// Whether it holds.
    ///
    /// # Errors
    /// When it could not be worked out, or is neither true nor false. Whoever asked has to take the closed side.
    pub(super) fn holds(&self, circumstances: &Circumstances<'_>) -> Result<bool, Unanswered> {
        let context = context(circumstances, &self.zone).map_err(Unanswered)?;
        match self.program.execute(&context) {
            Ok(Value::Bool(answer)) => Ok(answer),
            Ok(other) => {
                Err(Unanswered(format!("it is {}, which is neither true nor false", other.type_of())))
            }
            Err(error) => Err(Unanswered(error.to_string().chars().take(MOST_TOLD).collect())),
        }
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({:?})", self.source)
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.zone == other.zone
    }
}

impl Eq for Condition {}

fn context(circumstances: &Circumstances<'_>, zone: &Zone) -> Result<Context<'static, 'static>, String> {
    fn put(context: &mut Context<'_, '_>, name: &str, value: impl Serialize) -> Result<(), String> {
        let value = cel::to_value(value).map_err(|error| error.to_string())?;
        context.add_variable_from_value(name, value);
        Ok(())
    }
    let mut context = Context::with_env(Arc::new(Env::stdlib()));
    put(&mut context, "request", circumstances.request())?;
    put(&mut context, "principal", circumstances.principal())?;
    put(&mut context, "now", circumstances.now(zone))?;
    put(&mut context, "risk", circumstances.risk.map_or("", crate::model::flow::Risk::as_str))?;
    for (name, count) in HISTORIES {
        let (history, now) = (circumstances.history.clone(), circumstances.at);
        let counted = move |days: i64| count(&history, days, now);
        context.add_function(name, counted).map_err(|error| error.to_string())?;
    }
    Ok(context)
}

/// What may be named at one place of a condition.
struct Names {
    with_risk: bool,
    /// Names that the comprehension around has brought along.
    own: Option<Vec<String>>,
}

fn check(node: &IdedExpr, names: &mut Names) -> Result<(), BadCondition> {
    match &node.expr {
        Expr::Unspecified => Err(BadCondition::Syntax("it is empty".to_owned())),
        Expr::Literal(_) => Ok(()),
        Expr::Ident(name) => check_ident(name, names),
        Expr::Select(select) => {
            if let Expr::Ident(root) = &select.operand.expr
                && let Some((_, fields)) = ROOTS.iter().find(|(known, _)| known == root)
                && !is_own(root, names)
            {
                if fields.contains(&select.field.as_str()) {
                    return Ok(());
                }
                return Err(BadCondition::UnknownName(format!("{root}.{}", select.field)));
            }
            check(&select.operand, names)
        }
        Expr::Call(call) => {
            let name = call.func_name.as_str();
            if !FUNCTIONS.contains(&name) {
                return Err(BadCondition::UnknownName(format!("function {name}")));
            }
            if name == "matches" && !matches!(call.args.last().map(|it| &it.expr), Some(Expr::Literal(_))) {
                return Err(BadCondition::Never(
                    "write the pattern of matches() between quotes, not as a value",
                ));
            }
            call.target.iter().map(|it| &**it).chain(&call.args).try_for_each(|it| check(it, names))
        }
        Expr::List(list) => list.elements.iter().try_for_each(|it| check(it, names)),
        Expr::Comprehension(each) => {
            check(&each.iter_range, names)?;
            if names.own.is_some() {
                return Err(BadCondition::Never("write no exists, all, map or filter inside another"));
            }
            let mut own = vec![each.iter_var.clone(), each.accu_var.clone()];
            own.extend(each.iter_var2.clone());
            names.own = Some(own);
            let parts = [&each.accu_init, &each.loop_cond, &each.loop_step, &each.result];
            let checked = parts.into_iter().try_for_each(|it| check(it, names));
            names.own = None;
            checked
        }
        Expr::Map(_) | Expr::Struct(_) => {
            Err(BadCondition::Never("write no maps and structures in a condition"))
        }
    }
}

fn check_ident(name: &str, names: &Names) -> Result<(), BadCondition> {
    if is_own(name, names) || (name == "risk" && names.with_risk) {
        return Ok(());
    }
    if name == "risk" {
        return Err(BadCondition::Never("the risk is known in flows only, not in the rules that give it"));
    }
    if ROOTS.iter().any(|(root, _)| *root == name) {
        return Err(BadCondition::Never("write request, principal and now with a field: request.target"));
    }
    Err(BadCondition::UnknownName(format!("\"{name}\"")))
}

fn is_own(name: &str, names: &Names) -> bool {
    names.own.as_ref().is_some_and(|own| own.iter().any(|it| it == name))
}

/// The deepest nesting of brackets, and of signs that nest like them.
fn nesting(source: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let mut signs = 0_usize;
    for letter in source.chars() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '!' | '-' | '?' | '.' => signs += 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest.max(signs / SIGNS_PER_LEVEL)
}

pub(super) type Count = fn(&History, i64, jiff::Timestamp) -> i64;

pub(super) const HISTORIES: [(&str, Count); 3] =
    [("granted", History::granted), ("denied", History::denied), ("requested", History::requested)];

/// What a condition may name, and which fields that has.
pub(super) const ROOTS: [(&str, &[&str]); 3] = [
    (
        "request",
        &[
            "break_glass",
            "command",
            "database",
            "duration_minutes",
            "environment",
            "extends",
            "kind",
            "labels",
            "objects",
            "permissions",
            "read_only",
            "reason",
            "role",
            "starts_in_minutes",
            "target",
            "ticket",
            "whole_database",
        ],
    ),
    ("principal", &["attributes", "groups", "name", "on_call"]),
    ("now", &["date", "hour", "minute", "weekday"]),
];

pub(super) const FUNCTIONS: [&str; 27] = [
    "_?_:_",
    "_&&_",
    "_||_",
    "!_",
    "_-_",
    "_+_",
    "_*_",
    "_/_",
    "_%_",
    "_==_",
    "_!=_",
    "_>=_",
    "_<=_",
    "_>_",
    "_<_",
    "-_",
    "_[_]",
    "@not_strictly_false",
    "@in",
    "size",
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "granted",
    "denied",
    "requested",
];

/// Most bytes of one condition.
const MOST_BYTES: usize = 2000;
const MOST_NESTING: usize = 24;
const SIGNS_PER_LEVEL: usize = 8;
/// Most letters of an error that a person is told.
const MOST_TOLD: usize = 200;

/// The longest look back, told in the documentation.
const _: () = assert!(DAYS == 90);

/// Names and values, as conditions see them.
pub(super) type Labels = BTreeMap<String, String>;

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(source: &str) -> String {
        Condition::compile(source, Zone::UTC, true).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_known_is_a_problem_of_the_file() {
        for (source, words) in [
            ("request.tabel == 'x'", "there is no request.tabel"),
            ("requests.target == 'x'", "there is no \"requests\""),
            ("request == 'x'", "with a field"),
            ("env('HOME') == 'x'", "there is no function env"),
            ("request.objects.exists(o, request.objects.exists(p, p == o))", "inside another"),
            ("request.reason.matches(request.ticket)", "between quotes"),
            ("{'a': 1}.a == 1", "no maps"),
            ("request.target ==", ""),
            ("", ""),
        ] {
            let told = problem(source);
            assert!(told.contains(words), "{source}: {told}");
        }
        assert!(Condition::compile("risk == 'low'", Zone::UTC, false).is_err());
        assert!(problem(&"(".repeat(25)).contains("levels of brackets"));
        assert!(problem(&format!("'{}' == ''", "x".repeat(2000))).contains("2000 bytes"));
        for good in [
            "true",
            "risk == 'low' && 'oncall' in principal.groups",
            "request.permissions.all(p, p in ['select', 'explain'])",
            "has(request.labels.tier) && request.labels.tier == '1'",
            "request.labels['tier'] == '1' || principal.attributes.team == 'payroll'",
            "now.weekday in ['saturday', 'sunday'] ? false : now.hour >= 8",
            "granted(30) < 5 && denied(7) == 0 && requested(1) < 20",
            "request.ticket.matches('^INC-[0-9]+$')",
            "'primary' in principal.on_call || principal.on_call.size() > 1",
        ] {
            Condition::compile(good, Zone::UTC, true).unwrap_or_else(|problem| panic!("{good}: {problem}"));
        }
    }

    const PIECES: [&str; 40] = [
        "request",
        "principal",
        "now",
        "risk",
        ".target",
        ".objects",
        ".labels",
        ".groups",
        ".hour",
        "granted",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "?",
        "!",
        "-",
        "+",
        "==",
        "in",
        "&&",
        "||",
        ".exists",
        ".all",
        ".map",
        ".matches",
        "x",
        "'x'",
        "\"",
        "r'",
        "1",
        "1.5e9",
        "9999999999999999999",
        "true",
        "null",
        "\u{1F600}",
    ];

    proptest::proptest! {
        #[test]
        fn whatever_is_written_is_read_or_refused(
            pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..40),
            letters in "\\PC{0,60}",
        ) {
            for source in [pieces.join(" "), pieces.concat(), letters] {
                if let Ok(condition) = Condition::compile(&source, Zone::UTC, true) {
                    proptest::prop_assert_eq!(condition.source(), source);
                }
            }
        }
    }

    #[test]
    fn what_is_deep_or_long_is_refused_before_it_is_read() {
        for source in ["!".repeat(1999), "-".repeat(1999), format!("{}1", "1+".repeat(999)), "1?".repeat(900)]
        {
            let _ = Condition::compile(&source, Zone::UTC, true);
        }
        assert!(problem(&"[".repeat(30)).contains("levels of brackets"));
        assert!(problem(&"!".repeat(300)).contains("levels of brackets"));
    }

    #[test]
    fn a_zone_is_known_by_its_name() {
        assert!(Zone::named("Europe/Berlin").is_some());
        assert!(Zone::named("Europe/Atlantis").is_none());
    }
}
