//! The tables that a statement touches, as the server's own privilege check sees them, against our facts.
//!
//! Each statement goes to a live server twice: from an account that has no right on any table, and again from one that
//! holds exactly what our facts ask for. Whatever the server names when it denies the first must be among the facts,
//! and to the second it may deny nothing. `TIDEGATE_TEST_MYSQL_URL` and `TIDEGATE_TEST_MARIADB_URL` name superusers on
//! servers that may be played with; `TIDEGATE_TEST_PRIVILEGE_CASES` says how many statements.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "corpus/case.rs"]
#[allow(dead_code)]
mod case;
#[path = "corpus/expect.rs"]
#[allow(dead_code)]
mod expect;
mod mysql_live;
#[path = "privileges_live_mysql/queries.rs"]
mod queries;
#[path = "corpus/shared.rs"]
mod shared;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use mysql_live::{Answer, Client, servers};
use tidegate::{
    model::{
        dialect::Dialect,
        facts::{Access, AccessMode, Facts, StatementKind},
        ids::DatabaseName,
        name_context::{MysqlReading, NameContext, SearchPath},
        object::Object,
    },
    sql::{Limits, analyze},
};

const SCRATCH: &str = "tidegate_privileges";
/// Has no right but on a table that nobody reads.
const NOBODY: &str = "tidegate_nobody";
/// Is given what the facts ask for.
const HOLDER: &str = "tidegate_holder";
const SYSTEM: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

/// First words of the statements that are tried.
const HEADS: &[&str] = &[
    "DELETE", "DESC", "DESCRIBE", "DO", "EXPLAIN", "INSERT", "REPLACE", "SELECT", "SHOW", "TABLE", "UPDATE",
    "VALUES", "WITH",
];

/// What waits, or takes its time.
const SLOW: &[&str] = &[
    "sleep",
    "benchmark",
    "get_lock",
    "wait_for",
    "master_",
    "source_pos",
    "repeat",
    "space(",
    "pad(",
    "9223372036854775807 f",
];

struct Lab {
    keeper: Client,
    nobody: Client,
    holder: Client,
    reading: MysqlReading,
    database: String,
    suffix: &'static str,
    /// Databases that were made for statements which name them.
    made: BTreeSet<String>,
    /// Tables that are there.
    tables: BTreeSet<String>,
}

impl Lab {
    fn new(url: &str, suffix: &'static str) -> Self {
        let mut keeper = Client::connect(url, None);
        let database = format!("{SCRATCH}_{suffix}");
        let [nobody, holder] = [NOBODY, HOLDER].map(|user| format!("{user}_{suffix}"));
        keeper.run("SET sql_mode = ''");
        for text in [
            format!("DROP DATABASE IF EXISTS {database}"),
            format!("CREATE DATABASE {database}"),
            format!("USE {database}"),
            "CREATE TABLE tidegate_anchor (id INT)".to_owned(),
        ] {
            keeper.run(&text);
        }
        for user in [&nobody, &holder] {
            keeper.run(&format!("DROP USER IF EXISTS {user}@'%'"));
            keeper.run(&format!("CREATE USER {user}@'%' IDENTIFIED BY ''"));
            keeper.run(&format!("GRANT SELECT ON {database}.tidegate_anchor TO {user}@'%'"));
        }
        let [nobody, holder] = [nobody, holder].map(|user| {
            let mut client = Client::connect(url, Some(&user));
            client.run(&format!("USE {database}"));
            client.run("SET sql_mode = ''");
            // Nothing needs to come to its end.
            client.run("SET sql_select_limit = 100");
            client.query("SET max_statement_time = 1, max_recursive_iterations = 100");
            client.query("SET max_execution_time = 1000");
            client
        });
        let reading = keeper.reading();
        let (made, tables) = (BTreeSet::new(), BTreeSet::new());
        Self { keeper, nobody, holder, reading, database, suffix, made, tables }
    }

    fn analyze(&self, text: &str) -> Option<Facts> {
        let context = NameContext {
            database: DatabaseName::from(self.database.as_str()),
            server_version: self.reading.version / 10_000,
            search_path: SearchPath::Known(Arc::from([])),
            accounts: Arc::from([]),
            temporary: Arc::default(),
            catalog: None,
            mysql: Some(self.reading),
        };
        let facts = analyze(text, Dialect::Mysql, &context, &Limits::default()).ok()?;
        <[Facts; 1]>::try_from(facts).ok().map(|[facts]| facts)
    }

    /// Empty tables for the names that have none.
    fn stand_in(&mut self, accesses: &[Access]) {
        for access in accesses {
            let Object::Relation { schema, name } = &access.object else { continue };
            if SYSTEM.contains(&schema.as_str()) || !self.tables.insert(format!("{schema}.{name}")) {
                continue;
            }
            // The sample data is there already, and for others, too.
            let own = schema.as_str() != self.database && schema.as_str() != "hr_prod";
            if own && self.made.insert(schema.to_string()) {
                self.keeper.query(format!("CREATE DATABASE {}", quoted(schema)));
            }
            let columns = "a INT, b INT, c INT, id INT, f1 INT, c1 INT, pk INT, i INT, v INT, pw TEXT";
            self.keeper.query(format!("CREATE TABLE {}.{} ({columns})", quoted(schema), quoted(name)));
        }
    }

    /// Gives the holder what the facts ask for, and nothing else.
    fn grant(&mut self, facts: &Facts) {
        let user = format!("{HOLDER}_{}@'%'", self.suffix);
        self.keeper.run(&format!("REVOKE ALL PRIVILEGES, GRANT OPTION FROM {user}"));
        self.keeper.run(&format!("GRANT SELECT ON {}.tidegate_anchor TO {user}", self.database));
        for access in &facts.accesses {
            let (schema, name) = match &access.object {
                Object::Relation { schema, name } => (schema, name),
                Object::Schema { name } => {
                    // Rights that read no table; without one the server denies that the database is there.
                    self.keeper.query(format!("GRANT EVENT, CREATE VIEW ON {}.* TO {user}", quoted(name)));
                    continue;
                }
                _ => continue,
            };
            let rights = match access.mode {
                // The server wants for a plan what the statement wants.
                _ if facts.kind == StatementKind::Explain => "SELECT, INSERT, UPDATE, DELETE",
                AccessMode::Use | AccessMode::Read | AccessMode::Export | AccessMode::Explain => "SELECT",
                AccessMode::Write => "SELECT, INSERT, UPDATE, DELETE",
                AccessMode::Define | AccessMode::Administer => continue,
            };
            // With CREATE it may be a table that is not there.
            self.keeper.query(format!(
                "GRANT CREATE, {rights} ON {}.{} TO {user}",
                quoted(schema),
                quoted(name)
            ));
        }
    }

    fn as_nobody(&mut self, text: &str) -> Answer {
        undone(&mut self.nobody, text)
    }

    fn as_holder(&mut self, text: &str) -> Answer {
        // What it may do in its current database is looked up here only.
        self.holder.run(&format!("USE {}", self.database));
        undone(&mut self.holder, text)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.keeper.query("SET foreign_key_checks = 0");
        for database in self.made.iter().chain([&self.database]) {
            self.keeper.query(format!("DROP DATABASE {}", quoted(database)));
        }
        for user in [NOBODY, HOLDER] {
            self.keeper.query(format!("DROP USER {user}_{}@'%'", self.suffix));
        }
    }
}

fn undone(client: &mut Client, text: &str) -> Answer {
    client.run("START TRANSACTION");
    let answer = client.query(text);
    client.query("ROLLBACK");
    answer
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// What the server says may not be touched, or is not there.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    Table(Option<String>, String),
    Routine(String),
    Database(String),
    /// A right of the server's.
    Server,
}

fn named(answer: &Answer) -> Option<Named> {
    let Answer::Error(code, message) = answer else { return None };
    let behind = |words: &str| message.rsplit_once(words).map(|(_, rest)| plain(rest));
    match code {
        1142 => behind("for table ").map(table),
        1143 => behind("in table ").map(table),
        1146 => message
            .strip_prefix("Table ")
            .and_then(|rest| rest.strip_suffix(" doesn't exist"))
            .map(plain)
            .map(table),
        1370 => behind("for routine ").map(Named::Routine),
        1044 => behind("to database ").map(Named::Database),
        1049 => behind("Unknown database ").map(Named::Database),
        1227 | 1045 => Some(Named::Server),
        _ => None,
    }
}

fn plain(text: &str) -> String {
    text.trim_matches(['\'', '`', ' ']).replace("`.`", ".")
}

fn table(text: String) -> Named {
    match text.split_once('.') {
        Some((database, name)) => Named::Table(Some(database.to_owned()), name.to_owned()),
        None => Named::Table(None, text),
    }
}

/// Whether the facts hold what the server names.
fn holds(facts: &Facts, named: &Named, open: &BTreeSet<&str>) -> bool {
    let same = |ours: &str, theirs: &str| ours.eq_ignore_ascii_case(theirs);
    let mut objects = facts.accesses.iter().map(|access| &access.object);
    match named {
        Named::Table(database, table) => {
            let is_it = |object: &Object| match object {
                Object::Relation { schema, name } if name.contains('.') || name.chars().count() > 32 => {
                    // The server cuts the name, and we cannot tell where the database's ends.
                    let whole = database
                        .iter()
                        .map(String::as_str)
                        .chain([table.as_str()])
                        .collect::<Vec<_>>()
                        .join(".");
                    name.starts_with(whole.strip_prefix(&format!("{schema}.")).unwrap_or(&whole))
                }
                Object::Relation { schema, name } => {
                    same(name, table) && database.as_ref().is_none_or(|database| same(schema, database))
                }
                _ => false,
            };
            // Tables of the system that everybody may read are not named by the facts.
            let system =
                database.as_ref().is_none_or(|database| SYSTEM.iter().any(|name| same(name, database)));
            let account = same(table, "user") && administers(facts);
            objects.any(is_it) || account || system && open.contains(table.to_ascii_lowercase().as_str())
        }
        Named::Routine(routine) => {
            let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
            facts.calls.iter().any(|call| last(&call.name) == last(routine))
        }
        Named::Database(database) => objects.any(|object| match object {
            Object::Relation { schema, .. } => same(schema, database),
            Object::Schema { name } => same(name, database),
            _ => SYSTEM.iter().any(|name| same(name, database)),
        }),
        Named::Server => administers(facts) || !facts.calls.is_empty(),
    }
}

fn administers(facts: &Facts) -> bool {
    facts.accesses.iter().any(|access| access.mode == AccessMode::Administer)
}

#[derive(Default)]
struct Summary {
    tried: usize,
    denied: usize,
    granted: usize,
    ended: usize,
    problems: Vec<String>,
}

/// Tries one statement both ways.
fn try_one(lab: &mut Lab, text: &str, facts: &Facts, open: &BTreeSet<&str>, summary: &mut Summary) {
    summary.tried += 1;
    let answer = lab.as_nobody(text);
    if let Some(named) = named(&answer) {
        summary.denied += 1;
        if !holds(facts, &named, open) && !is_expected(text) {
            summary
                .problems
                .push(format!("{text}\n    {answer:?}\n    {:?} {:?}", facts.accesses, facts.calls));
        }
    }
    let grantable = facts.calls.is_empty()
        && facts
            .accesses
            .iter()
            .all(|access| !matches!(access.mode, AccessMode::Define | AccessMode::Administer));
    if !grantable {
        return;
    }
    lab.stand_in(&facts.accesses);
    lab.grant(facts);
    let answer = lab.as_holder(text);
    summary.granted += 1;
    summary.ended += usize::from(!matches!(answer, Answer::Error(..)));
    if let Some(named) = named(&answer) {
        let known = matches!(answer, Answer::Error(1146 | 1049, _)) && holds(facts, &named, open);
        // Definitions of the system, for which we ask for any grant.
        let open = match &named {
            Named::Table(_, table) => open.contains(table.to_ascii_lowercase().as_str()),
            Named::Database(database) => SYSTEM.contains(&database.as_str()),
            Named::Routine(_) | Named::Server => false,
        };
        if !(known || open || is_expected(text)) {
            summary
                .problems
                .push(format!("{text}\n    with its rights: {answer:?}\n    {:?}", facts.accesses));
        }
    }
}

fn is_expected(text: &str) -> bool {
    EXPECTED.iter().any(|expected| text.to_ascii_lowercase().contains(expected))
}

/// What asks for a right that grants of Tidegate do not speak of, by a part of its text in lower case.
const EXPECTED: &[&str] = &[
    // PROCESS; every dump asks for it, and it lists the server's own files.
    "information_schema.files",
];

#[test]
fn what_the_server_denies_is_among_our_facts() {
    let Some(statements) = statements() else { return };
    let open: BTreeSet<_> = include_str!("../policies/mysql/relations.tsv")
        .lines()
        .filter_map(|line| line.split('\t').nth(1))
        .collect();
    for url in servers() {
        let mut lab = Lab::new(&url, "corpus");
        let (mut summary, mut refused, mut seen) = (Summary::default(), 0, BTreeSet::new());
        for text in &statements {
            let Some(facts) = lab.analyze(text) else {
                refused += 1;
                continue;
            };
            if seen.insert(facts.fingerprint) {
                try_one(&mut lab, text, &facts, &open, &mut summary);
            }
        }
        println!(
            "{url}: {} statements tried, {refused} not understood; {} denied to an account without rights; {} tried with the \
             rights of their facts, {} of them ran; {} problems",
            summary.tried,
            summary.denied,
            summary.granted,
            summary.ended,
            summary.problems.len()
        );
        assert!(summary.problems.is_empty(), "{}", summary.problems.join("\n"));
        assert!(
            summary.denied * 2 > summary.tried,
            "only {} of {} are denied",
            summary.denied,
            summary.tried
        );
    }
}

/// Those of the corpora, each text once; at most as many as are asked for, from all over them.
fn statements() -> Option<Vec<String>> {
    let most = std::env::var("TIDEGATE_TEST_PRIVILEGE_CASES").map_or(4_000, |cases| cases.parse().unwrap());
    let lines = shared::lines("mysql_test")?;
    let theirs: BTreeSet<String> = lines
        .iter()
        .filter(|line| line["accepted_97"] == true)
        .map(|line| line["sql"].as_str().unwrap().to_owned())
        .filter(|sql| is_tried(sql))
        .collect();
    let step = theirs.len().div_ceil(most).max(1);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/mysql");
    let own = case::cases(Path::new(folder))
        .into_iter()
        .filter(|case| case.context.is_empty())
        .map(|case| case.sql);
    Some(own.filter(|sql| is_tried(sql)).chain(theirs.into_iter().step_by(step)).collect())
}

fn is_tried(sql: &str) -> bool {
    let lower = sql.to_ascii_lowercase();
    let head =
        lower.trim_start_matches(['(', ' ']).split(|letter: char| !letter.is_ascii_alphabetic()).next();
    head.is_some_and(|head| HEADS.iter().any(|known| known.eq_ignore_ascii_case(head)))
        && sql.len() < 4_000
        && !SLOW.iter().any(|slow| lower.contains(slow))
}

#[test]
fn whatever_hides_a_table_hides_it_from_the_server_too() {
    let cases: usize =
        std::env::var("TIDEGATE_TEST_NAME_CASES").map_or(6_000, |cases| cases.parse().unwrap());
    for url in servers() {
        let mut lab = Lab::new(&url, "names");
        let user = format!("{NOBODY}_names@'%'");
        for name in ["open", "secret", "hidden"] {
            lab.keeper.run(&format!("CREATE TABLE {name} (id INT PRIMARY KEY, v INT)"));
        }
        lab.keeper.run(&format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {}.open TO {user}", lab.database));
        let (mut seed, mut count, mut problems) =
            (0x9e37_79b9_7f4a_7c15_u64, BTreeMap::<_, usize>::new(), Vec::new());
        for _ in 0..cases {
            let text = queries::random_query(&mut seed, &lab.database, lab.reading.flavor);
            let Some(facts) = lab.analyze(&text) else {
                *count.entry("not understood").or_default() += 1;
                continue;
            };
            let answer = lab.as_nobody(&text);
            let asks = facts.accesses.iter().any(|access| match &access.object {
                Object::Relation { name, .. } => name.as_str() != "open",
                _ => false,
            });
            let what = match (named(&answer), asks) {
                (Some(named), _) if holds(&facts, &named, &BTreeSet::new()) => "denied, and among ours",
                (Some(_), _) => {
                    problems.push(format!("{text}\n    {answer:?}\n    {:?}", facts.accesses));
                    continue;
                }
                (None, true) if matches!(answer, Answer::Error(..)) => "another error",
                (None, true) => "we ask for more",
                (None, false) => "not denied, and none of ours",
            };
            *count.entry(what).or_default() += 1;
        }
        println!("{url}: {count:?}");
        assert!(problems.is_empty(), "{} problems\n{}", problems.len(), problems.join("\n"));
        assert!(
            count["denied, and among ours"] > cases / 20
                && count["not denied, and none of ours"] > cases / 50,
            "{count:?}"
        );
    }
}
