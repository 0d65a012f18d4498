//! Judging the requests among the examples.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::{
    model::{
        facts::{Facts, Unanalyzable},
        lifetime::Lifetime,
        object::ObjectPattern,
        request::{Asked, ExactStatement, Term},
    },
    policy::{
        Ask, History, Past, Policy, PolicyFile, PolicyProblem, ProblemKind,
        document::{locate, permissions},
        submit,
    },
};

use super::{
    format::{HistoryEntry, RequestEntry, Text},
    run::{Got, Scene, instant},
};

impl Scene {
    /// What policy says of a request; with a statement it is for that one alone.
    pub(super) fn judge_request(
        &self,
        file: &PolicyFile,
        entry: &RequestEntry,
        statement: Option<(&str, Result<Vec<Facts>, Unanalyzable>)>,
        policy: &Policy,
    ) -> Result<Got, Vec<PolicyProblem>> {
        let mut problems = Vec::new();
        let access = Asked::Access {
            objects: entry.objects.iter().filter_map(|it| pattern(file, it, &mut problems)).collect(),
            permissions: permissions(file, &entry.permissions, &policy.roles, &mut problems),
        };
        let seconds = entry.lifetime.as_ref().and_then(|it| lifetime(file, it, &mut problems));
        let until = instant(file, entry.until.as_ref(), &mut problems);
        let starts_at = instant(file, entry.starts_at.as_ref(), &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let what = match statement {
            None => access,
            Some((sql, Ok(facts))) => match facts.as_slice() {
                [facts] => Asked::Statement(exact(sql, facts)),
                _ => return Ok(Got::Refuse { why: "it is not one statement".to_owned() }),
            },
            Some((_, Err(why))) => return Ok(Got::Refuse { why: why.to_string() }),
        };
        let term = Term { seconds: seconds.or_else(|| until.is_none().then_some(USUAL_SECONDS)), until };
        let ask = Ask {
            requester: self.principal.name.clone(),
            target: self.place.target.clone(),
            database: self.place.database.clone(),
            what,
            role: None,
            term,
            starts_at,
            reason: entry.reason.clone().unwrap_or_else(|| "example".to_owned()),
            ticket: entry.ticket.clone(),
            break_glass: entry.break_glass,
            extends: None,
        };
        let history = self.history(&entry.history).on_call(entry.on_call.clone());
        Ok(match submit(&self.snapshot, &ask, &history, self.now) {
            Ok(taken) => Got::Flow { flow: taken.plan.flow, risk: taken.plan.risk },
            Err(why) => Got::Refuse { why: why.to_string() },
        })
    }

    fn history(&self, entry: &HistoryEntry) -> History {
        let before = self.now.checked_sub(SignedDuration::from_hours(1)).unwrap_or(self.now);
        let times = [
            (Past::Granted, entry.granted),
            (Past::Denied, entry.denied),
            (Past::Requested, entry.requested),
        ];
        History::new(times.into_iter().flat_map(|(past, count)| (0..count).map(move |_| (before, past))))
    }
}

fn exact(sql: &str, facts: &Facts) -> ExactStatement {
    ExactStatement {
        sql: Arc::from(sql.trim()),
        fingerprint: facts.fingerprint,
        kind: facts.kind,
        command: facts.command.to_owned(),
        read_only: facts.read_only,
        accesses: facts.accesses.clone(),
        calls: facts.calls.iter().map(|call| call.name.clone()).collect(),
    }
}

fn pattern(file: &PolicyFile, text: &Text, problems: &mut Vec<PolicyProblem>) -> Option<ObjectPattern> {
    let pattern = text.value.parse().ok();
    if pattern.is_none() {
        problems.push(bad(file, text, "object pattern", "\"*\" or \"schema.table\""));
    }
    pattern
}

fn lifetime(file: &PolicyFile, text: &Text, problems: &mut Vec<PolicyProblem>) -> Option<i64> {
    let lifetime = text.value.parse::<Lifetime>().ok();
    if lifetime.is_none() {
        problems.push(bad(file, text, "for", "a time, for example 30m, 8h or 1d; at most 90d"));
    }
    lifetime.map(Lifetime::seconds)
}

fn bad(file: &PolicyFile, text: &Text, what: &'static str, instead: &'static str) -> PolicyProblem {
    locate(file, text).problem(ProblemKind::BadText { what, text: text.value.clone(), instead })
}

/// How long an example asks for that does not say.
const USUAL_SECONDS: i64 = 3600;

#[cfg(test)]
mod tests {
    use crate::policy::{
        examples::run,
        fixture::{file, policy, reads},
    };

    const RULES: &str = "
principals: { dana: {} }
risk: [ { name: reads, level: low, when: request.read_only } ]
flows:
  - { name: tier one, when: \"'tier' in request.labels && request.labels.tier == '1'\", automatic: true, longest: { any: 1m } }
  - { name: few, when: \"risk == 'low' && granted(7) < 2\", automatic: true }
";

    #[test]
    fn requests_are_judged_like_statements() {
        let given = "given: { principal: dana, target: hr, database: d }";
        let text = format!(
            "
- {{ {given}, request: {{ objects: [a.b], permissions: [select] }}, expect: {{ flow: few, risk: low }} }}
- {{ {given}, request: {{ objects: [a.b], permissions: [dml] }}, expect: refuse }}
- {{ {given}, request: {{ objects: [a.b], permissions: [select], history: {{ granted: 2 }} }}, expect: refuse }}
- {{ {given}, statement: SELECT, request: {{ for: 2h }}, expect: {{ risk: low }} }}
- given: {{ principal: dana, target: hr, database: d, labels: {{ tier: '1' }} }}
  request: {{ objects: [a.b], permissions: [select], for: 1m }}
  expect: {{ flow: tier one }}
- {{ {given}, request: {{ objects: [a.b], permissions: [select] }}, expect: {{ flow: tier one }} }}
- {{ {given}, request: {{ objects: [a.b], permissions: [selct], for: soon }}, expect: refuse }}
- {{ {given}, expect: refuse }}"
        );
        let report =
            run(&[file("t.test.yaml", &text)], &policy(RULES), &[], &mut |_, _, _| Ok(vec![reads(&["a.b"])]));
        assert_eq!(report.passed, 5, "{report:?}");
        let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
        assert!(
            failures[0].ends_with("a request: expected flow tier one at risk any, got flow few at risk low"),
            "{failures:?}"
        );
        let problems: Vec<_> = report.problems.iter().map(ToString::to_string).collect();
        assert!(problems[0].contains("write \"select\"") && problems[1].contains("bad for"), "{problems:?}");
        assert!(problems[2].contains("nothing to judge"), "{problems:?}");
    }

    #[test]
    fn who_is_on_call_is_part_of_the_example() {
        let rules = "
principals: { dana: {} }
flows: [ { name: on call, when: \"'primary' in principal.on_call\", automatic: true, longest: { any: 1h } } ]
";
        let given = "given: { principal: dana, target: hr, database: d }";
        let asks = "objects: [a.b], permissions: [select]";
        let text = format!(
            "
- {{ {given}, request: {{ {asks}, on_call: [second, primary] }}, expect: {{ flow: on call }} }}
- {{ {given}, request: {{ {asks}, on_call: [second] }}, expect: refuse }}
- {{ {given}, request: {{ {asks} }}, expect: refuse }}"
        );
        let rules = policy(rules);
        assert!(rules.asks_who_is_on_call() && !policy(RULES).asks_who_is_on_call());
        let report = run(&[file("t.test.yaml", &text)], &rules, &[], &mut |_, _, _| Ok(Vec::new()));
        assert_eq!((report.passed, report.is_good()), (3, true), "{report:?}");
    }

    #[test]
    fn the_request_of_the_reference_holds_under_its_rules() {
        let reference = include_str!("../../../docs/policy.md");
        let block = |tag: &str, has: &str| {
            let blocks = reference.split(tag).skip(1).filter_map(|rest| rest.split("```").next());
            blocks.into_iter().find(|block| block.contains(has)).unwrap().to_owned()
        };
        let people = "principals: { dana: { groups: [developers] } }";
        let rules = policy(&format!("{}\n{people}", block("```yaml\n", "\nflows:")));
        let examples = [file("reference.md", &block("```yaml request\n", "request:"))];
        let report = run(&examples, &rules, &[], &mut |_, _, _| Ok(Vec::new()));
        assert_eq!((report.passed, report.is_good()), (1, true), "{report:?}");
    }
}
