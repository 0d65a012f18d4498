//! What PostgreSQL statements mean, and what follows for those who send them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "corpus/case.rs"]
mod case;
#[path = "corpus/dana.rs"]
mod dana;
#[path = "corpus/expect.rs"]
mod expect;
#[path = "corpus/shared.rs"]
mod shared;
#[path = "corpus/world.rs"]
mod world;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use case::cases;
use dana::{Exceptions, Held, allowed, now, problems};
use tidegate::{
    model::{
        dialect::Dialect,
        facts::{Facts, Unanalyzable},
        name_context::NameContext,
        object::{Glob, Object, ObjectPattern},
        permission::Permission,
        window::Window,
    },
    policy::Snapshot,
    sql::{FactsCache, Limits},
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/postgres");

#[test]
fn every_statement_of_the_corpus_means_what_it_says() {
    let cases = cases(Path::new(FOLDER));
    let statements: usize = cases.iter().map(|case| case.wants.len()).sum();
    assert!(statements >= 600, "only {statements} statements");
    let problems: Vec<_> = cases
        .iter()
        .flat_map(|case| problems(case, &read(&case.sql, &world::changed(&case.context))))
        .collect();
    println!("{statements} statements, {} problems", problems.len());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn who_holds_exactly_what_is_asked_is_allowed_and_with_one_thing_less_is_not() {
    let mut judged = 0;
    for case in cases(Path::new(FOLDER)) {
        let Ok(statements) = read(&case.sql, &world::changed(&case.context)) else { continue };
        for facts in &statements {
            let needs = needs(facts);
            let told = format!("{}: {}", case.place, case.sql);
            assert!(allowed(&snapshot(&needs, Window::STANDING), facts), "{told}\n{needs:?}");
            let over = Window { ends_at: Some(now()), ..Window::STANDING };
            assert!(!allowed(&snapshot(&needs, over), facts), "{told}\nafter the end of {needs:?}");
            for (at, missing) in needs.iter().enumerate() {
                let mut fewer = needs.clone();
                fewer.remove(at);
                if !fewer.iter().any(|held| covers(held, missing)) {
                    assert!(
                        !allowed(&snapshot(&fewer, Window::STANDING), facts),
                        "{told}\nwithout {missing:?}"
                    );
                    judged += 1;
                }
            }
        }
    }
    println!("{judged} refusals for want of one thing");
    assert!(judged >= 600);
}

fn needs(facts: &Facts) -> Vec<Held> {
    let mut needs: Vec<Held> = facts
        .accesses
        .iter()
        .filter_map(|access| Some((access.mode.permission()?, None, narrowest(&access.object))))
        .chain(facts.calls.iter().map(|_| (Permission::Admin, None, ObjectPattern::All)))
        .collect();
    if needs.is_empty() {
        // Any grant will do, on whatever it is.
        needs.push((Permission::Explain, None, "nowhere.nothing".parse().unwrap()));
    }
    needs.dedup();
    needs
}

fn narrowest(object: &Object) -> ObjectPattern {
    match object {
        Object::Relation { schema, name } => {
            ObjectPattern::Relation { schema: Glob::new(schema), name: Glob::new(name) }
        }
        Object::Schema { name } => ObjectPattern::Relation { schema: Glob::new(name), name: Glob::new("*") },
        Object::Database
        | Object::Unresolved { .. }
        | Object::Routine { .. }
        | Object::OtherDatabase { .. }
        | Object::Server { .. } => ObjectPattern::All,
    }
}

fn covers(held: &Held, missing: &Held) -> bool {
    // Whoever changes rows anywhere may notify, and whoever defines anything may make what is temporary.
    let anywhere = match &missing.2 {
        ObjectPattern::All => missing.0 == Permission::Dml,
        ObjectPattern::Relation { schema, .. } => {
            missing.0 == Permission::Ddl && *schema == Glob::new("pg_temp")
        }
        ObjectPattern::Name(_) => false,
    };
    let reached = match (&held.2, &missing.2) {
        _ if anywhere => true,
        (ObjectPattern::All, _) => true,
        (
            ObjectPattern::Relation { schema, name },
            ObjectPattern::Relation { schema: other_schema, name: other },
        ) => schema == other_schema && (name == other || name.is_any()),
        (ObjectPattern::Name(_), _)
        | (_, ObjectPattern::Name(_))
        | (ObjectPattern::Relation { .. }, ObjectPattern::All) => false,
    };
    reached && held.0.implied().contains(missing.0)
}

#[test]
fn the_statements_of_the_regression_suite_are_understood() {
    let Some(lines) = shared::lines("pg_regress") else { return };
    let context = world::unknown();
    let (mut accepted, mut understood) = (0_u32, 0_u32);
    let mut failures: BTreeMap<String, (u32, String)> = BTreeMap::new();
    for line in lines.iter().filter(|line| line["accepted_18"] == true || line["accepted_15"] == true) {
        let sql = line["sql"].as_str().unwrap();
        accepted += 1;
        match read(sql, &context) {
            Ok(_) | Err(Unanalyzable::Never { .. }) => understood += 1,
            Err(
                error @ (Unanalyzable::Syntax { .. }
                | Unanalyzable::Unknown { .. }
                | Unanalyzable::NoDatabase
                | Unanalyzable::TooLarge { .. }),
            ) => {
                failures.entry(error.to_string()).or_insert((0, sql.to_owned())).0 += 1;
            }
        }
    }
    for (error, (count, example)) in failures.iter().filter(|(error, _)| !error.contains("syntax error")) {
        println!("{count} × {error}: {}", example.chars().take(100).collect::<String>().replace('\n', " "));
    }
    let coverage = f64::from(understood) / f64::from(accepted);
    println!("pg_regress: {understood} of {accepted} understood ({:.2} %)", coverage * 100.0);
    assert!(coverage >= 0.99);
}

#[test]
fn nothing_that_an_orm_sends_is_beyond_understanding() {
    let Some(lines) = shared::lines("orm_pg") else { return };
    let context = world::unknown();
    let sent = lines.iter().map(|line| line["sql"].as_str().unwrap());
    let failures: Vec<_> = sent
        .filter_map(|sql| Some((sql, read(sql, &context).err()?)))
        .filter(|(_, error)| matches!(error, Unanalyzable::Unknown { .. } | Unanalyzable::TooLarge { .. }))
        .map(|(sql, error)| format!("{error}: {sql}"))
        .collect();
    println!("orm_pg: {} statements, {} not understood", lines.len(), failures.len());
    assert!(failures.is_empty(), "{}", failures[..failures.len().min(40)].join("\n"));
}

#[test]
fn whoever_holds_all_but_admin_can_use_the_stock_clients() {
    let Some(lines) = shared::lines("clients_pg") else { return };
    let context = world::of_clients();
    let exceptions = Exceptions::read(include_str!("corpus/client_exceptions.tsv"));
    let permissions = [Permission::Select, Permission::Export, Permission::Dml, Permission::Ddl];
    let held = permissions.map(|permission| (permission, None, ObjectPattern::All));
    let snapshot = snapshot(&held, Window::STANDING);
    let mut refused = Vec::new();
    let mut excepted = BTreeMap::<&str, u32>::new();
    for line in lines.iter().filter(|line| line["via"] != "fastpath") {
        let (client, sql) = (line["client"].as_str().unwrap(), line["sql"].as_str().unwrap());
        // Names of channels were made anonymous.
        let sql = &sql.replace("<client>", "client");
        let problem = match read(sql, &context) {
            Err(error) => Some(error.to_string()),
            Ok(statements) => {
                statements.iter().find(|facts| !allowed(&snapshot, facts)).map(|facts| format!("{facts:?}"))
            }
        };
        match (problem, exceptions.reason(|part| sql.contains(part))) {
            (Some(_), Some(reason)) => *excepted.entry(reason).or_default() += 1,
            (Some(problem), None) => refused.push(format!("{client}: {sql}\n    {problem}")),
            (None, _) => {}
        }
    }
    println!("clients_pg: {} statements, refused as listed: {excepted:#?}", lines.len());
    assert!(refused.is_empty(), "{} refused\n{}", refused.len(), refused.join("\n"));
}

fn read(sql: &str, context: &NameContext) -> Result<Vec<Facts>, Unanalyzable> {
    dana::read(Dialect::Postgres, sql, context)
}

/// A world in which dana holds one grant for each need, on every database; the routines are what the stock clients'
/// database adds to the built-in set.
fn snapshot(needs: &[Held], window: Window) -> Snapshot {
    dana::snapshot(Dialect::Postgres, &["acc_add", "acc_notice"], needs, window)
}

/// The cache shares facts between texts that differ in whole numbers alone.
#[test]
fn a_cache_never_answers_otherwise_than_the_analysis() {
    let Some(lines) = shared::lines("pg_regress") else { return };
    let context = Arc::new(world::unknown());
    let cache = FactsCache::new(256 << 20);
    let mut wrong = Vec::new();
    for sql in lines.iter().map(|line| line["sql"].as_str().unwrap()) {
        let cached = cache.analyze(sql, Dialect::Postgres, &context, &Limits::default());
        let same = match (&cached, &read(sql, &context)) {
            (Ok(cached), Ok(alone)) => {
                cached.iter().map(|facts| but_print(facts)).eq(alone.iter().map(but_print))
            }
            (Err(cached), Err(alone)) => **cached == *alone,
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
        };
        if !same {
            wrong.push(sql);
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// The facts without the fingerprint, in which the precision of a type counts although it is a number, too.
fn but_print(facts: &Facts) -> Facts {
    Facts { fingerprint: 0, ..facts.clone() }
}
