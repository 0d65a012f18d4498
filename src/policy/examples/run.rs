//! Judging the examples of a policy.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::Timestamp;
use serde_saphyr::Spanned;
use uuid::Uuid;

use crate::model::{
    dialect::Dialect,
    facts::{Facts, Unanalyzable},
    flow::Risk,
    grant::{Grant, GrantName, Holder},
    ids::GrantId,
    object::{Glob, ObjectPattern},
    principal::{Credentials, Principal},
    target::{Place, Target},
    window::Window,
};
use crate::policy::{
    Decision, Policy, PolicyFile, PolicyProblem, ProblemKind, Snapshot, SnapshotParts, decide_all,
    document::{locate, nearest, permissions, read},
    missing_in_words,
};

use super::format::{ExampleEntry, Expect, Given, GrantEntry, Text};

/// What came of the examples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExampleReport {
    /// How many were as expected.
    pub passed: usize,
    /// Those that were not.
    pub failures: Vec<ExampleFailure>,
    /// What is wrong with the files themselves; an example with a problem is not judged.
    pub problems: Vec<PolicyProblem>,
}

impl ExampleReport {
    /// Whether every example was judged and as expected.
    pub fn is_good(&self) -> bool {
        self.failures.is_empty() && self.problems.is_empty()
    }
}

/// An example that was not as expected.
///
/// Prints as `access.test.yaml:3:3: dana reads: expected allow, got deny (select on public.salary)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExampleFailure {
    /// The file, as the caller named it.
    pub path: String,
    /// Line of the example, from 1.
    pub line: u32,
    /// Column of the example, from 1.
    pub column: u32,
    /// Its name, or its statement if it has none.
    pub name: String,
    /// What was expected.
    pub expected: String,
    /// What was decided.
    pub got: String,
}

impl fmt::Display for ExampleFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, name, expected, got } = self;
        write!(f, "{path}:{line}:{column}: {name}: expected {expected}, got {got}")
    }
}

/// Turns the text of a statement, at a place where a dialect is spoken, into facts.
type Analyze<'a> = dyn FnMut(&str, &Place, Dialect) -> Result<Vec<Facts>, Unanalyzable> + 'a;

/// Judges every example of `files` on `policy`.
///
/// `targets` are those of the configuration, if it is at hand; an example may name its environment itself.
pub fn run(
    files: &[PolicyFile],
    policy: &Arc<Policy>,
    targets: &[Target],
    analyze: &mut Analyze<'_>,
) -> ExampleReport {
    let mut report = ExampleReport::default();
    for file in files {
        let entries = match read::<Vec<Spanned<ExampleEntry>>>(file) {
            Ok(entries) => entries,
            Err(problem) => {
                report.problems.push(problem);
                continue;
            }
        };
        for entry in &entries {
            let scene = match Scene::set(file, &entry.value.given, policy, targets) {
                Ok(scene) => scene,
                Err(problems) => {
                    report.problems.extend(problems);
                    continue;
                }
            };
            let got = match scene.judge_entry(file, entry, policy, analyze) {
                Ok(got) => got,
                Err(problems) => {
                    report.problems.extend(problems);
                    continue;
                }
            };
            if is_expected(&entry.value.expect, &got) {
                report.passed += 1;
            } else {
                report.failures.push(failure(file, entry, &got));
            }
        }
    }
    report
}

/// What was decided on an example.
pub(super) enum Got {
    /// A request is taken.
    Flow {
        flow: String,
        risk: Risk,
    },
    Allow {
        by: Vec<String>,
    },
    Deny {
        missing: Vec<(String, String)>,
        message: String,
    },
    Refuse {
        why: String,
    },
}

/// Somebody, somewhere, with grants, at an instant.
pub(super) struct Scene {
    pub(super) snapshot: Snapshot,
    pub(super) principal: Arc<Principal>,
    pub(super) place: Place,
    dialect: Dialect,
    pub(super) now: Timestamp,
}

impl Scene {
    fn set(
        file: &PolicyFile,
        given: &Given,
        policy: &Arc<Policy>,
        targets: &[Target],
    ) -> Result<Self, Vec<PolicyProblem>> {
        let mut problems = Vec::new();
        let place =
            Place { target: given.target.value.as_str().into(), database: given.database.as_str().into() };
        let now = instant(file, given.now.as_ref(), &mut problems).unwrap_or(USUAL_NOW);
        let target = target(file, given, policy, targets, &mut problems);
        let local = local(file, given, policy, &mut problems);
        let grants: Vec<_> = given
            .grants
            .iter()
            .enumerate()
            .map(|(number, entry)| grant(file, number, entry, given, policy, &mut problems))
            .collect();
        let (Some(target), true) = (target, problems.is_empty()) else { return Err(problems) };
        let dialect = target.dialect;
        let snapshot = Snapshot::build(SnapshotParts {
            version: 1,
            policy: Arc::clone(policy),
            principals: local.into_iter().collect(),
            grants,
            targets: vec![target],
        });
        let Some(principal) = snapshot.principal(&given.principal.value).map(Arc::clone) else {
            return Err(vec![locate(file, &given.principal).problem(unknown(given, policy))]);
        };
        Ok(Self { snapshot, principal, place, dialect, now })
    }

    /// The statement, or the request, whichever it is.
    fn judge_entry(
        &self,
        file: &PolicyFile,
        entry: &Spanned<ExampleEntry>,
        policy: &Policy,
        analyze: &mut Analyze<'_>,
    ) -> Result<Got, Vec<PolicyProblem>> {
        match (&entry.value.statement, &entry.value.request) {
            (Some(statement), None) => Ok(self.judge(statement, analyze)),
            (statement, Some(request)) => {
                let facts =
                    statement.as_ref().map(|sql| (sql.as_str(), analyze(sql, &self.place, self.dialect)));
                self.judge_request(file, request, facts, policy)
            }
            (None, None) => {
                let problem = "there is nothing to judge: write a statement, or a request";
                Err(vec![locate(file, entry).problem(ProblemKind::Conflict { problem })])
            }
        }
    }

    fn judge(&self, statement: &str, analyze: &mut Analyze<'_>) -> Got {
        let facts = match analyze(statement, &self.place, self.dialect) {
            Ok(facts) => facts,
            Err(why) => return Got::Refuse { why: why.to_string() },
        };
        if facts.iter().any(|facts| facts.runs.is_some()) {
            return Got::Refuse { why: "what it runs is known only inside a session".to_owned() };
        }
        let all: Vec<_> = facts.iter().collect();
        match decide_all(&self.snapshot, &self.principal, &self.place, &all, self.now) {
            Decision::Allow(permit) => {
                Got::Allow { by: permit.grants().iter().map(ToString::to_string).collect() }
            }
            Decision::Deny(denial) => Got::Deny {
                missing: denial
                    .missing()
                    .iter()
                    .map(|missing| {
                        let permission = missing.permission.map_or("any", |permission| permission.as_str());
                        (permission.to_owned(), missing.object.to_string())
                    })
                    .collect(),
                message: match denial.missing() {
                    [] => denial.refusal(&self.principal, &self.place).message,
                    missing => missing.iter().map(missing_in_words).collect::<Vec<_>>().join(", "),
                },
            },
        }
    }
}

fn is_expected(expect: &Expect, got: &Got) -> bool {
    match (expect, got) {
        (Expect::Allow, Got::Allow { .. })
        | (Expect::Deny, Got::Deny { .. })
        | (Expect::Refuse, Got::Refuse { .. }) => true,
        (Expect::DenyFor(wanted), Got::Deny { missing, .. }) => {
            let mut wanted: Vec<_> =
                wanted.iter().map(|entry| (entry.permission.clone(), entry.object.clone())).collect();
            let mut missing = missing.clone();
            wanted.sort();
            missing.sort();
            wanted == missing
        }
        (Expect::Flow { flow: wanted, risk: level }, Got::Flow { flow, risk }) => {
            wanted.as_ref().is_none_or(|wanted| wanted == flow) && level.is_none_or(|level| level == *risk)
        }
        (Expect::Allow, Got::Deny { .. } | Got::Refuse { .. } | Got::Flow { .. })
        | (Expect::Deny | Expect::DenyFor(_), Got::Allow { .. } | Got::Refuse { .. } | Got::Flow { .. })
        | (Expect::Flow { .. }, Got::Allow { .. } | Got::Deny { .. } | Got::Refuse { .. })
        | (Expect::Refuse, Got::Allow { .. } | Got::Deny { .. } | Got::Flow { .. }) => false,
    }
}

fn failure(file: &PolicyFile, entry: &Spanned<ExampleEntry>, got: &Got) -> ExampleFailure {
    let at = locate(file, entry);
    let ExampleEntry { name, statement, expect, .. } = &entry.value;
    let statement = statement.as_deref().unwrap_or("a request");
    ExampleFailure {
        path: at.path.to_owned(),
        line: at.line,
        column: at.column,
        name: if name.is_empty() { statement.trim().chars().take(80).collect() } else { name.clone() },
        expected: match expect {
            Expect::Allow => "allow".to_owned(),
            Expect::Deny => "deny".to_owned(),
            Expect::Refuse => "refuse".to_owned(),
            Expect::Flow { flow, risk } => {
                let flow = flow.as_deref().unwrap_or("any");
                format!("flow {flow} at risk {}", risk.map_or("any", Risk::as_str))
            }
            Expect::DenyFor(wanted) => {
                let wanted: Vec<_> =
                    wanted.iter().map(|entry| format!("{} on {}", entry.permission, entry.object)).collect();
                format!("deny ({})", wanted.join(", "))
            }
        },
        got: match got {
            Got::Allow { by } => format!("allow (by {})", by.join(", ")),
            Got::Deny { message, .. } => format!("deny ({message})"),
            Got::Refuse { why } => format!("refuse ({why})"),
            Got::Flow { flow, risk } => format!("flow {flow} at risk {risk}"),
        },
    }
}

fn target(
    file: &PolicyFile,
    given: &Given,
    policy: &Policy,
    targets: &[Target],
    problems: &mut Vec<PolicyProblem>,
) -> Option<Target> {
    let known = targets.iter().find(|target| *target.name == *given.target.value);
    let environment = match (&given.environment, known) {
        (Some(environment), _) => environment.as_str().into(),
        (None, Some(known)) => known.environment.clone(),
        (None, None) if policy.ceilings.is_empty() => "".into(),
        (None, None) => {
            let key = "environment".to_owned();
            problems.push(locate(file, &given.target).problem(ProblemKind::MissingKey { key }));
            return None;
        }
    };
    let mut labels = known.map(|known| known.labels.clone()).unwrap_or_default();
    labels.extend(given.labels.clone());
    Some(Target {
        name: given.target.value.as_str().into(),
        dialect: given.dialect.or(known.map(|known| known.dialect)).unwrap_or(Dialect::Postgres),
        environment,
        labels,
    })
}

/// The principal as the store would hold it; one that neither policy nor example knows is a slip.
fn local(
    file: &PolicyFile,
    given: &Given,
    policy: &Policy,
    problems: &mut Vec<PolicyProblem>,
) -> Option<Principal> {
    let name = &given.principal.value;
    if given.groups.is_none() {
        if !policy.principals.contains_key(name.as_str()) {
            problems.push(locate(file, &given.principal).problem(unknown(given, policy)));
        }
        return None;
    }
    Some(Principal {
        name: name.as_str().into(),
        groups: given.groups.iter().flatten().map(|group| group.as_str().into()).collect(),
        attributes: BTreeMap::new(),
        disabled: false,
        credentials: Arc::new(Credentials::default()),
    })
}

fn unknown(given: &Given, policy: &Policy) -> ProblemKind {
    let known = || policy.principals.keys().map(|name| name.as_str());
    ProblemKind::UnknownName {
        what: "principal",
        name: given.principal.value.clone(),
        nearest: nearest(&given.principal.value, known()),
        known: known().take(MOST_SHOWN).map(str::to_owned).collect(),
    }
}

fn grant(
    file: &PolicyFile,
    number: usize,
    entry: &GrantEntry,
    given: &Given,
    policy: &Policy,
    problems: &mut Vec<PolicyProblem>,
) -> Grant {
    let mut objects: Vec<ObjectPattern> = Vec::new();
    for pattern in &entry.objects {
        match pattern.value.parse() {
            Ok(object) => objects.push(object),
            Err(_) => problems.push(locate(file, pattern).problem(ProblemKind::BadText {
                what: "object pattern",
                text: pattern.value.clone(),
                instead: "\"*\" or \"schema.table\"",
            })),
        }
    }
    Grant {
        id: GrantName::Granted(GrantId::new(Uuid::from_u128(number as u128 + 1))),
        holder: Holder::Principal(given.principal.value.as_str().into()),
        target: Glob::new(&given.target.value),
        database: Glob::new(&given.database),
        objects,
        permissions: permissions(file, &entry.permissions, &policy.roles, problems),
        window: Window {
            starts_at: instant(file, entry.starts_at.as_ref(), problems).unwrap_or(Timestamp::MIN),
            ends_at: instant(file, entry.ends_at.as_ref(), problems),
        },
        reason: "example".to_owned(),
        revoked_at: instant(file, entry.revoked_at.as_ref(), problems),
    }
}

pub(super) fn instant(
    file: &PolicyFile,
    text: Option<&Text>,
    problems: &mut Vec<PolicyProblem>,
) -> Option<Timestamp> {
    let text = text?;
    let parsed = text.value.parse().ok();
    if parsed.is_none() {
        problems.push(locate(file, text).problem(ProblemKind::BadText {
            what: "instant",
            text: text.value.clone(),
            instead: "an instant in UTC, for example \"2026-01-31T14:00:00Z\"",
        }));
    }
    parsed
}

/// Noon of the first day of 2026, where an example names no instant.
const USUAL_NOW: Timestamp = Timestamp::constant(1_767_268_800, 0);
const MOST_SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{facts::AccessMode, object::Object},
        policy::fixture::{facts, file, reads, relation, shipped, target as hr_target},
    };

    const SHIPPED: &str = include_str!("../../../policies/access.test.yaml");

    /// What the statements of these tests do.
    fn analyze(statement: &str, _place: &Place, _dialect: Dialect) -> Result<Vec<Facts>, Unanalyzable> {
        let role = Object::Server { what: "role".into() };
        Ok(vec![match statement.trim() {
            "EXPLAIN SELECT * FROM public.salary" => {
                facts(&[(AccessMode::Explain, relation("public.salary"))], &[], true)
            }
            "SELECT * FROM public.salary" => reads(&["public.salary"]),
            "SELECT * FROM public.employee" => reads(&["public.employee"]),
            "SELECT * FROM public.employee JOIN public.salary USING (id)" => {
                reads(&["public.employee", "public.salary"])
            }
            "DELETE FROM public.employee" => {
                facts(&[(AccessMode::Write, relation("public.employee"))], &[], false)
            }
            "CREATE ROLE intruder" | "CREATE ROLE helper" => {
                facts(&[(AccessMode::Administer, role)], &[], false)
            }
            "SELECT public.hr_full_name(first_name, last_name) FROM public.employee" => {
                facts(&[(AccessMode::Read, relation("public.employee"))], &["public.hr_full_name"], true)
            }
            other => {
                return Err(Unanalyzable::Syntax {
                    message: format!("no such test: {other}"),
                    position: None,
                });
            }
        }])
    }

    fn report(text: &str) -> ExampleReport {
        run(&[file("t.test.yaml", text)], &shipped(), &[], &mut analyze)
    }

    #[test]
    fn the_shipped_examples_hold() {
        let report = report(SHIPPED);
        assert_eq!(report, ExampleReport { passed: 9, ..ExampleReport::default() });
        assert!(report.is_good());
    }

    #[test]
    fn the_examples_of_the_reference_hold() {
        let reference = include_str!("../../../docs/policy.md");
        let block = reference.split("```yaml test\n").nth(1).unwrap();
        assert_eq!(report(block.split("```").next().unwrap()).passed, 2);
    }

    #[test]
    fn a_failure_says_where_what_was_expected_and_what_came() {
        let text = "\
- given: { principal: dana, target: hr, database: hr_prod, environment: prod }
  statement: SELECT * FROM public.salary
  expect: allow
- name: too little
  given: { principal: ada, target: hr, database: hr_prod, environment: prod }
  statement: SELECT * FROM public.salary
  expect: { deny: [ { permission: select, object: public.salary } ] }
- name: another table
  given: { principal: dana, target: hr, database: hr_prod, environment: prod }
  statement: SELECT * FROM public.salary
  expect: { deny: [ { permission: select, object: public.employee } ] }
- name: not SQL
  given: { principal: dana, target: hr, database: hr_prod, environment: prod }
  statement: SELEC
  expect: deny
";
        let failures: Vec<_> = report(text).failures.iter().map(ToString::to_string).collect();
        assert_eq!(
            failures,
            [
                "t.test.yaml:1:3: SELECT * FROM public.salary: expected allow, got deny (select on public.salary)",
                "t.test.yaml:4:3: too little: expected deny (select on public.salary), got allow (by standing:admins/0)",
                "t.test.yaml:8:3: another table: expected deny (select on public.employee), got deny (select on public.salary)",
                "t.test.yaml:12:3: not SQL: expected deny, got refuse (no such test: SELEC)",
            ]
        );
    }

    #[test]
    fn a_slip_in_an_example_is_a_problem_and_no_pass() {
        let given = |given: &str, expect: &str| {
            let text = format!("- {{ given: {{ {given} }}, statement: SELEC, expect: {expect} }}");
            let report = report(&text);
            assert_eq!((report.passed, report.failures.len(), report.is_good()), (0, 0, false));
            report.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        let place = "target: hr, database: hr_prod, environment: prod";
        for (given, words) in [
            (
                given(&format!("principal: dan, {place}"), "deny"),
                "t.test.yaml:1:25: unknown principal \"dan\": write \"dana\"",
            ),
            (given("principal: dana, target: hr, database: d", "deny"), "key \"environment\" is missing"),
            (
                given(
                    &format!(
                        "principal: dana, {place}, now: noon, grants: [ {{ permissions: [selct], objects: [a] }} ]"
                    ),
                    "deny",
                ),
                "bad instant \"noon\"",
            ),
            (
                given(&format!("principal: dana, {place}"), "denied"),
                "unknown word \"denied\": write one of allow, deny, refuse",
            ),
        ] {
            assert!(given.contains(words), "{given}");
        }
    }

    #[test]
    fn the_configuration_brings_the_environment() {
        let text = "- { given: { principal: dana, target: hr, database: hr_prod }, statement: SELEC, expect: refuse }";
        let targets = [hr_target("hr", "prod")];
        let report = run(&[file("t.test.yaml", text)], &shipped(), &targets, &mut analyze);
        assert!(report.is_good() && report.passed == 1);
    }
}
