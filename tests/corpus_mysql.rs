//! What MySQL and MariaDB statements mean, and what follows for those who send them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "corpus/case.rs"]
mod case;
#[path = "corpus/dana.rs"]
mod dana;
#[path = "corpus/expect.rs"]
mod expect;
#[path = "corpus/shared.rs"]
mod shared;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use case::cases;
use dana::{Exceptions, Held, allowed, now, problems};
use serde_json::Value;
use tidegate::{
    model::{
        dialect::Dialect,
        facts::{Facts, Unanalyzable},
        ids::{DatabaseName, Ident},
        name_context::{MysqlCharset, MysqlFlavor, MysqlReading, NameContext, SearchPath},
        object::{Glob, Object, ObjectPattern},
        permission::Permission,
        window::Window,
    },
    policy::Snapshot,
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/mysql");

#[test]
fn every_statement_of_the_corpus_means_what_it_says() {
    let cases = cases(Path::new(FOLDER));
    let statements: usize = cases.iter().map(|case| case.wants.len()).sum();
    assert!(statements >= 500, "only {statements} statements");
    let problems: Vec<_> =
        cases.iter().flat_map(|case| problems(case, &read(&case.sql, &changed(&case.context)))).collect();
    println!("{statements} statements, {} problems", problems.len());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn who_holds_exactly_what_is_asked_is_allowed_and_with_one_thing_less_is_not() {
    let mut judged = 0;
    for case in cases(Path::new(FOLDER)) {
        let Ok(statements) = read(&case.sql, &changed(&case.context)) else { continue };
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
                    let allowed = allowed(&snapshot(&fewer, Window::STANDING), facts);
                    assert!(!allowed, "{told}\nwithout {missing:?}");
                    judged += 1;
                }
            }
        }
    }
    println!("{judged} refusals for want of one thing");
    assert!(judged >= 400);
}

fn needs(facts: &Facts) -> Vec<Held> {
    let mut needs: Vec<Held> = facts
        .accesses
        .iter()
        .filter_map(|access| {
            let (database, pattern) = narrowest(&access.object);
            match access.mode.permission() {
                Some(permission) => Some((permission, database, pattern)),
                // Any grant on that database will do.
                None => database.map(|database| (Permission::Explain, Some(database), nothing())),
            }
        })
        .chain(facts.calls.iter().map(|call| {
            let database = call.name.split_once('.').map(|(database, _)| database.to_owned());
            (Permission::Admin, database, ObjectPattern::All)
        }))
        .collect();
    if needs.is_empty() {
        // Any grant on the server will do, on whatever it is.
        needs.push((Permission::Explain, None, nothing()));
    }
    let mut seen = BTreeSet::new();
    needs.retain(|need| seen.insert(format!("{need:?}")));
    needs
}

/// A pattern that reaches no relation of the corpus.
fn nothing() -> ObjectPattern {
    ObjectPattern::Name(Glob::new("nothing"))
}

fn narrowest(object: &Object) -> (Option<String>, ObjectPattern) {
    match object {
        Object::Relation { schema, name } => (Some(schema.to_string()), ObjectPattern::Name(Glob::new(name))),
        Object::Schema { name } => (Some(name.to_string()), ObjectPattern::All),
        Object::Routine { name } => {
            (name.split_once('.').map(|(database, _)| database.to_owned()), ObjectPattern::All)
        }
        Object::Database
        | Object::Unresolved { .. }
        | Object::OtherDatabase { .. }
        | Object::Server { .. } => (None, ObjectPattern::All),
    }
}

fn covers(held: &Held, missing: &Held) -> bool {
    let database = |need: &Held| need.1.clone().unwrap_or_else(|| "hr_prod".to_owned());
    let reached =
        database(held) == database(missing) && (held.2 == ObjectPattern::All || held.2 == missing.2);
    // The explain that any grant gives stands for presence.
    let presence = missing.2 == nothing() && database(held) == database(missing);
    presence || reached && held.0.implied().contains(missing.0)
}

#[test]
fn what_orms_send_is_understood() {
    coverage("orm_mysql", 0.995, |line| line["accepted_97"] == true, MYSQL);
}

#[test]
fn what_the_server_s_own_tests_ask_and_change_is_understood() {
    coverage("mysql_test", 0.99, |line| line["accepted_97"] == true && is_about_data(line), MYSQL);
}

#[test]
fn what_else_the_server_s_own_tests_send_is_understood() {
    coverage("mysql_test", 0.98, |line| line["accepted_97"] == true && !is_about_data(line), MYSQL);
}

fn is_about_data(line: &Value) -> bool {
    const HEADS: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE", "EXPLAIN", "SHOW"];
    let sql = line["sql"].as_str().unwrap();
    let word = sql.split(|letter: char| !letter.is_ascii_alphabetic()).find(|word| !word.is_empty());
    word.is_some_and(|word| HEADS.contains(&word.to_uppercase().as_str()))
}

/// The share of a corpus that is understood; what is refused by name counts as understood.
fn coverage(name: &str, least: f64, counted: impl Fn(&Value) -> bool, reading: MysqlReading) {
    let Some(lines) = shared::lines(name) else { return };
    let context = NameContext { mysql: Some(reading), ..context() };
    let (mut all, mut understood) = (0_u32, 0_u32);
    let mut failures: BTreeMap<String, (u32, String)> = BTreeMap::new();
    for line in lines.iter().filter(|line| counted(line)) {
        let sql = line["sql"].as_str().unwrap();
        all += 1;
        match read(sql, &context) {
            Ok(_) | Err(Unanalyzable::Never { .. }) => understood += 1,
            Err(error) => {
                failures.entry(error.to_string()).or_insert((0, sql.to_owned())).0 += 1;
            }
        }
    }
    let mut failures: Vec<_> = failures.into_iter().collect();
    failures.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    for (error, (count, example)) in failures.iter().take(60) {
        println!("{count} × {error}: {}", example.chars().take(160).collect::<String>().replace('\n', " "));
    }
    let share = f64::from(understood) / f64::from(all);
    println!("{name}: {understood} of {all} understood ({:.2} %)", share * 100.0);
    assert!(share >= least);
}

#[test]
fn whoever_holds_all_but_admin_can_use_the_stock_clients() {
    let Some(lines) = shared::lines("clients_mysql") else { return };
    let exceptions = Exceptions::read(include_str!("corpus/mysql/client_exceptions.tsv"));
    let permissions = [Permission::Select, Permission::Export, Permission::Dml, Permission::Ddl];
    let needs = permissions.map(|permission| (permission, None, ObjectPattern::All));
    let snapshot = snapshot(&needs, Window::STANDING);
    let mut refused = Vec::new();
    let mut excepted = BTreeMap::<&str, u32>::new();
    let statements = lines.iter().filter(|line| line["via"] == "simple" || line["via"] == "prepare");
    for line in statements {
        let (client, sql) = (line["client"].as_str().unwrap(), line["sql"].as_str().unwrap());
        // The battery ran against both servers; whose the statement was is not recorded.
        let problem = [MYSQL, MARIADB].into_iter().map(|reading| {
            let context = NameContext { mysql: Some(reading), database: "accdb".into(), ..context() };
            match read(sql, &context) {
                Err(error) => Some(error.to_string()),
                Ok(statements) => statements
                    .iter()
                    .find(|facts| !allowed(&snapshot, facts))
                    .map(|facts| format!("{facts:?}")),
            }
        });
        let problem: Option<Vec<_>> = problem.collect();
        match (problem, exceptions.reason(|part| begins_with(sql, part))) {
            (Some(_), Some(reason)) => *excepted.entry(reason).or_default() += 1,
            (Some(problem), None) => refused.push(format!("{client}: {sql}\n    {}", problem[0])),
            (None, _) => {}
        }
    }
    println!("clients_mysql: {} statements, refused as listed: {excepted:#?}", lines.len());
    assert!(refused.is_empty(), "{} refused\n{}", refused.len(), refused.join("\n"));
}

fn begins_with(sql: &str, part: &str) -> bool {
    sql.get(..part.len()).is_some_and(|head| head.eq_ignore_ascii_case(part))
}

/// A text that says twice what it is, once judged and once as sent, says the same.
#[test]
fn what_is_sent_is_judged_as_what_was_written() {
    for case in cases(Path::new(FOLDER)) {
        let context = changed(&case.context);
        let Ok(statements) = read(&case.sql, &context) else { continue };
        let [facts] = statements.as_slice() else { continue };
        let sent = facts.sent.as_deref().unwrap();
        let again = read(sent, &context).unwrap_or_else(|error| panic!("{}: {sent}: {error}", case.place));
        let [again] = again.as_slice() else { panic!("{}: {sent}", case.place) };
        assert_eq!(again.sent.as_deref(), Some(sent), "{}", case.place);
        assert_eq!(
            (&again.accesses, &again.calls),
            (&facts.accesses, &facts.calls),
            "{}: {sent}",
            case.place
        );
        assert_eq!(again.effects, facts.effects, "{}: {sent}", case.place);
    }
}

fn read(sql: &str, context: &NameContext) -> Result<Vec<Facts>, Unanalyzable> {
    dana::read(Dialect::Mysql, sql, context)
}

/// A world in which dana holds one grant for each need; the routine is what the stock clients' database adds to the
/// built-in set.
fn snapshot(needs: &[Held], window: Window) -> Snapshot {
    dana::snapshot(Dialect::Mysql, &["accdb.acc_add"], needs, window)
}

const MYSQL: MysqlReading =
    MysqlReading { flavor: MysqlFlavor::Mysql, version: 90_700, ..MysqlReading::USUAL };

const MARIADB: MysqlReading = MysqlReading { flavor: MysqlFlavor::Mariadb, version: 101_119, ..MYSQL };

/// The context of a case that changes nothing.
fn context() -> NameContext {
    NameContext {
        database: DatabaseName::from("hr_prod"),
        server_version: 9,
        search_path: SearchPath::Known([].into()),
        accounts: ["tidegate_read", "tidegate_write", "tidegate_admin"].map(Ident::from).into(),
        temporary: Arc::default(),
        made: std::sync::Arc::default(),
        catalog: None,
        mysql: Some(MYSQL),
    }
}

/// The same with the changes of a case.
fn changed(changes: &[(String, String)]) -> NameContext {
    let mut context = context();
    let mut reading = MYSQL;
    for (key, value) in changes {
        match (key.as_str(), value.as_str()) {
            ("server", "mariadb") => reading = MysqlReading { folds_names: reading.folds_names, ..MARIADB },
            ("server", version) => reading.version = version.parse().unwrap(),
            ("database", "none") => context.database = "".into(),
            ("database", name) => context.database = name.into(),
            ("temporary", list) => context.temporary = Arc::new(list.split(',').map(Ident::from).collect()),
            ("folds", "yes") => reading.folds_names = true,
            ("charset", "latin1") => reading.charset = MysqlCharset::SingleByte,
            ("mode", list) => {
                for flag in list.split(',') {
                    match flag {
                        "ANSI_QUOTES" => reading.ansi_quotes = true,
                        "NO_BACKSLASH_ESCAPES" => reading.no_backslash_escapes = true,
                        "PIPES_AS_CONCAT" => reading.pipes_as_concat = true,
                        "IGNORE_SPACE" => reading.ignore_space = true,
                        _ => panic!("@ mode={flag} means nothing"),
                    }
                }
            }
            _ => panic!("@ {key}={value} means nothing"),
        }
    }
    context.mysql = Some(reading);
    context
}
