//! Facts of a statement of which only the plan is shown.

use crate::model::{
    facts::{Access, AccessMode, Facts, StatementKind, TransactionEffect},
    object::Object,
};

/// `facts` as they are when the statement is explained and not run (EXPLAIN EXECUTE without ANALYZE).
///
/// Reading and changing a relation becomes showing its plan. What was `Administer` stays so, because the plan
/// can show values; calls stay, because planning runs what it can fold to a constant.
pub fn plan_only(facts: &Facts) -> Facts {
    let mut accesses: Vec<Access> = facts
        .accesses
        .iter()
        .map(|access| Access { object: access.object.clone(), mode: mode(access) })
        .collect();
    accesses.sort();
    accesses.dedup();
    let planned = accesses.iter().filter(|access| access.mode == AccessMode::Explain);
    let shown_by_errors = planned.map(|access| access.object.clone()).collect();
    Facts {
        kind: StatementKind::Explain,
        command: "EXPLAIN",
        span: facts.span.clone(),
        accesses,
        shown_by_errors,
        calls: facts.calls.clone(),
        transaction: TransactionEffect::None,
        effects: Vec::new(),
        runs: facts.runs.clone(),
        read_only: true,
        fingerprint: facts.fingerprint,
        sent: None,
    }
}

/// Facts of reading `objects`, for what shows their rows without being a query on them.
pub fn reading<'o>(objects: impl IntoIterator<Item = &'o Object>) -> Facts {
    let read = |object: &Object| Access { object: object.clone(), mode: AccessMode::Read };
    Facts {
        kind: StatementKind::Show,
        command: "SHOW",
        span: 0..0,
        accesses: objects.into_iter().map(read).collect(),
        shown_by_errors: Vec::new(),
        calls: Vec::new(),
        transaction: TransactionEffect::None,
        effects: Vec::new(),
        runs: None,
        read_only: true,
        fingerprint: 0,
        sent: None,
    }
}

fn mode(access: &Access) -> AccessMode {
    match (&access.object, access.mode) {
        (
            Object::Relation { .. } | Object::Unresolved { .. },
            AccessMode::Read | AccessMode::Export | AccessMode::Write | AccessMode::Define,
        ) => AccessMode::Explain,
        (_, mode @ (AccessMode::Use | AccessMode::Explain | AccessMode::Administer)) => mode,
        (
            Object::Database
            | Object::Schema { .. }
            | Object::Routine { .. }
            | Object::OtherDatabase { .. }
            | Object::Server { .. },
            mode @ (AccessMode::Read | AccessMode::Export | AccessMode::Write | AccessMode::Define),
        ) => mode,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixture::{facts, relation};

    #[test]
    fn the_plan_of_a_write_asks_for_explain_and_changes_nothing() {
        let insert = facts(
            &[(AccessMode::Write, relation("a.b")), (AccessMode::Read, relation("a.b"))],
            &["f"],
            false,
        );
        let plan = plan_only(&insert);
        assert_eq!(plan.accesses, [Access { object: relation("a.b"), mode: AccessMode::Explain }]);
        assert!(plan.read_only && plan.kind == StatementKind::Explain);
        assert_eq!(plan.calls, insert.calls, "planning runs what it can fold");
    }

    #[test]
    fn what_needs_admin_needs_it_for_its_plan_too() {
        let secret = facts(&[(AccessMode::Administer, relation("pg_catalog.pg_authid"))], &[], true);
        assert_eq!(plan_only(&secret).accesses, secret.accesses);
    }
}
