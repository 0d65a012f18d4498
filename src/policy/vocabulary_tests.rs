//! docs/conditions.md is made of what conditions are really shown; `TIDEGATE_WRITE_DOCS=1 cargo test vocabulary` writes it.

use serde::Serialize;
use serde_json::Value;

use super::{
    circumstances::{Circumstances, DAYS, History},
    condition::{FUNCTIONS, HISTORIES, Labels, ROOTS, Zone},
    fixture::{at, principal, target},
    submit::Ask,
};
use crate::model::{
    facts::{AccessMode, StatementKind},
    ids::RoleName,
    object::ObjectPattern,
    permission::{Permission, PermissionSet},
    request::{Asked, ExactStatement, Term},
};

/// What each name means; what it looks like is asked of the code.
const MEANINGS: [(&str, &str); 28] = [
    ("request.break_glass", "the requester cannot wait"),
    ("request.command", "the command of a statement, in capitals; empty for access"),
    ("request.database", "the database"),
    ("request.duration_minutes", "how long the grant would last, rounded up"),
    ("request.environment", "the target's environment"),
    ("request.extends", "it is to follow on a grant"),
    ("request.kind", "what is asked for"),
    ("request.labels", "the target's labels; ask `has(request.labels.tier)` before one that may be missing"),
    ("request.objects", "what it is on: patterns for access, the objects themselves for a statement"),
    ("request.permissions", "the permissions, of a statement those that it needs"),
    (
        "request.read_only",
        "no dml, ddl or admin is asked for; of a statement: the database would take it in a READ ONLY transaction",
    ),
    ("request.reason", "why, in the requester's words"),
    ("request.role", "the role by which the permissions were named; empty where they were named one by one"),
    ("request.starts_in_minutes", "how far ahead it begins; 0 is at its approval"),
    ("request.target", "the target"),
    ("request.ticket", "the ticket; empty where there is none"),
    ("request.whole_database", "`*` is among the objects; never for a statement"),
    ("principal.attributes", "the attributes that policy gives them"),
    ("principal.groups", "their groups"),
    ("principal.name", "who asks"),
    (
        "principal.on_call",
        "the schedules on which they are on call now ([webhooks.md](webhooks.md#on-call)); empty where that is not known",
    ),
    ("now.date", "the day, in the time zone of the policy"),
    ("now.hour", "0 to 23, in that zone"),
    ("now.minute", "0 to 59"),
    ("now.weekday", "the day of the week, in that zone"),
    ("granted(days)", "how many of the requester's requests became grants in the last days"),
    ("denied(days)", "how many of them were denied"),
    ("requested(days)", "how many they made"),
];

fn ask(what: Asked) -> Ask {
    Ask {
        requester: "dana".into(),
        target: "hr".into(),
        database: "hr_prod".into(),
        role: matches!(what, Asked::Access { .. }).then(|| RoleName::from("maintainer")),
        what,
        term: Term { seconds: Some(2 * 3600), until: None },
        starts_at: None,
        reason: "wrong salary after the import".to_owned(),
        ticket: Some("INC-42".to_owned()),
        break_glass: false,
        extends: None,
    }
}

fn for_access() -> Ask {
    let patterns = ["public.employee", "public.salary"].map(|it| it.parse::<ObjectPattern>().unwrap());
    let permissions = PermissionSet::from_iter([Permission::Select, Permission::Dml]);
    ask(Asked::Access { objects: patterns.into(), permissions })
}

fn for_a_statement() -> Ask {
    let facts = super::fixture::facts(
        &[
            (AccessMode::Read, super::fixture::relation("public.salary")),
            (AccessMode::Write, super::fixture::relation("public.salary")),
        ],
        &[],
        false,
    );
    ask(Asked::Statement(ExactStatement {
        sql: "update salary set amount = 1 where id = 7".into(),
        fingerprint: 1,
        kind: StatementKind::Update,
        command: "UPDATE".to_owned(),
        read_only: false,
        accesses: facts.accesses,
        calls: Vec::new(),
    }))
}

fn shown(ask: &Ask) -> Value {
    let mut dana = principal("dana", &["developers"]);
    dana.attributes = Labels::from([("team".to_owned(), "payroll".to_owned())]);
    let mut hr = target("hr", "prod");
    hr.labels = Labels::from([("tier".to_owned(), "1".to_owned())]);
    let history = History::default().on_call(vec!["primary".to_owned()]);
    let there =
        Circumstances { ask, principal: &dana, target: &hr, risk: None, history: &history, at: at(0) };
    serde_json::json!({
        "request": value(&there.request()), "principal": value(&there.principal()), "now": value(&there.now(&Zone::UTC)),
    })
}

fn value(shown: &impl Serialize) -> Value {
    serde_json::to_value(shown).unwrap()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "bool",
        Value::Number(_) => "int",
        Value::String(_) => "string",
        Value::Array(_) => "list(string)",
        Value::Object(_) => "map(string, string)",
        Value::Null => panic!("nothing is null"),
    }
}

fn page() -> String {
    let meaning = |name: &str| {
        let found = MEANINGS.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("{name} has no meaning in this test")).1
    };
    let (access, statement) = (shown(&for_access()), shown(&for_a_statement()));
    let mut page = PAGE.to_owned();
    let mut told = 0;
    for (root, fields) in ROOTS {
        let there: Vec<&str> = access[root].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(there, fields, "what is shown of {root} is what a condition may name");
        page.push_str(&format!("\n## `{root}`\n\n"));
        let differs = access[root] != statement[root];
        page.push_str(if differs {
            "| name | type | for access | for a statement | |\n| --- | --- | --- | --- | --- |\n"
        } else {
            "| name | type | for instance | |\n| --- | --- | --- | --- |\n"
        });
        for field in fields {
            let (one, other) = (&access[root][field], &statement[root][field]);
            assert_eq!(kind(one), kind(other), "{root}.{field}");
            let name = format!("{root}.{field}");
            let second = if differs { format!(" `{other}` |") } else { String::new() };
            let line = format!("| `{name}` | {} | `{one}` |{second} {} |\n", kind(one), meaning(&name));
            page.push_str(&line);
            told += 1;
        }
    }
    page.push_str("\n## Functions\n\n| name | |\n| --- | --- |\n");
    for (name, _) in HISTORIES {
        let name = format!("{name}(days)");
        page.push_str(&format!("| `{name}` | int: {}, 1 to {DAYS} |\n", meaning(&name)));
        told += 1;
    }
    assert_eq!(told, MEANINGS.len(), "a meaning is of something that is not there");
    let of_cel: Vec<String> = FUNCTIONS
        .iter()
        .filter(|name| name.chars().all(char::is_alphanumeric))
        .filter(|name| HISTORIES.iter().all(|(known, _)| known != *name))
        .map(|name| format!("`{name}`"))
        .collect();
    page.push_str(&format!(
        "\nOf CEL's own: {}, the macros `has`, `all`, `exists`, `exists_one`, `map` and `filter` (none inside another), \
         arithmetic, comparisons, `&&`, `||`, `!`, `? :`, `in` and indexing.\n",
        of_cel.join(", ")
    ));
    page
}

const PAGE: &str = "# What conditions know

Made by a test in `src/policy`, of what the gateway shows to a condition. Conditions stand in risk rules and flows
([policy.md](policy.md#conditions)); they are [CEL](https://cel.dev). Every name is there for every request. A request is
for *access* (permissions on objects, for a while) or for one *statement* as it stands.

`risk` (`\"low\"`, `\"moderate\"` or `\"high\"`) is there in flows, and not in the rules that give it.
";

#[test]
fn the_page_of_the_vocabulary_says_what_conditions_are_shown() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/conditions.md");
    let page = page();
    if std::env::var_os("TIDEGATE_WRITE_DOCS").is_some() {
        std::fs::write(file, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(file).unwrap_or_default(), page, "write docs/conditions.md anew");
}
