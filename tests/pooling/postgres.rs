//! What a client of PostgreSQL does: habits of sessions that a pooler for transactions breaks.

use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt};
use tokio_postgres::{Client, SimpleQueryMessage, Statement};

use super::Numbers;
use crate::support;

/// One step of a script; `{me}` in a text is the client's own number.
#[derive(Clone, Debug)]
pub enum Step {
    /// A Query.
    Ask(String),
    /// Binds and executes the named statement of this place in [`NAMED`].
    Run(usize, i32),
    /// Prepares them all again: DISCARD ALL took them away.
    PrepareAgain,
    /// COPY … FROM STDIN of two lines.
    CopyIn(String),
    /// COPY … TO STDOUT.
    CopyOut(String),
}

/// What every client prepares by name at its beginning.
const NAMED: [&str; 4] = [
    "SELECT count(*)::text FROM employee WHERE employee_no > $1::int",
    "SELECT current_setting('timezone') || $1::int",
    "SELECT first_name FROM public.employee WHERE employee_no = $1::int",
    "SELECT (count(*) + $1::int)::text FROM department",
];

/// The script of a number: at least so many steps, nothing held at its end.
pub fn script(number: usize, steps: usize) -> Vec<Step> {
    let mut numbers = Numbers::of(number);
    let mut script = Vec::new();
    while script.len() < steps {
        let act = numbers.below(ACTS);
        script.extend(one_act(act, &mut numbers));
        for _ in 0..numbers.below(4) {
            let key = 10_000 + i32::try_from(numbers.below(60)).unwrap();
            script.push(Step::Run(numbers.below(NAMED.len()), key));
        }
    }
    script
}

/// Does the steps of a script; gives what came of each.
pub async fn play(client: &Client, me: usize, script: &[Step]) -> Vec<String> {
    let mut named = prepare(client, me).await;
    let mut said = Vec::with_capacity(script.len());
    for step in script {
        said.push(match step {
            Step::Ask(text) => ask(client, &text.replace("{me}", &me.to_string())).await,
            Step::Run(which, key) => run(client, named[*which].as_ref(), *key).await,
            Step::PrepareAgain => {
                named = prepare(client, me).await;
                named.iter().filter(|statement| statement.is_some()).count().to_string()
            }
            Step::CopyIn(text) => copy_in(client, &text.replace("{me}", &me.to_string())).await,
            Step::CopyOut(text) => copy_out(client, &text.replace("{me}", &me.to_string())).await,
        });
    }
    said
}

/// Each client in an order of its own: what is called the same is not the same in all of them.
async fn prepare(client: &Client, me: usize) -> Vec<Option<Statement>> {
    let mut named = vec![None; NAMED.len()];
    for at in 0..NAMED.len() {
        let which = (at + me) % NAMED.len();
        named[which] = client.prepare(NAMED[which]).await.ok();
    }
    named
}

/// The first column of every row, and how often a statement of the text was done.
pub async fn ask(client: &Client, sql: &str) -> String {
    match client.simple_query(sql).await {
        Ok(messages) => messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("null").to_owned()),
                SimpleQueryMessage::CommandComplete(count) => Some(format!("/{count}")),
                _ => None,
            })
            .collect::<Vec<_>>()
            .join(" "),
        Err(error) => support::sqlstate(&error),
    }
}

async fn run(client: &Client, statement: Option<&Statement>, key: i32) -> String {
    let Some(statement) = statement else { return "not prepared".to_owned() };
    match client.query(statement, &[&key]).await {
        Ok(rows) => rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join(" "),
        Err(error) => support::sqlstate(&error),
    }
}

async fn copy_in(client: &Client, sql: &str) -> String {
    let sink = match client.copy_in::<_, Bytes>(sql).await {
        Ok(sink) => sink,
        Err(error) => return support::sqlstate(&error),
    };
    let mut sink = Box::pin(sink);
    for line in [&b"1\n"[..], b"2\n"] {
        if let Err(error) = sink.send(Bytes::from_static(line)).await {
            return support::sqlstate(&error);
        }
    }
    match sink.as_mut().finish().await {
        Ok(rows) => format!("/{rows}"),
        Err(error) => support::sqlstate(&error),
    }
}

async fn copy_out(client: &Client, sql: &str) -> String {
    let stream = match client.copy_out(sql).await {
        Ok(stream) => stream,
        Err(error) => return support::sqlstate(&error),
    };
    match stream.try_collect::<Vec<Bytes>>().await {
        Ok(parts) => String::from_utf8(parts.concat()).unwrap(),
        Err(error) => support::sqlstate(&error),
    }
}

const ACTS: usize = 30;
const ZONES: [&str; 5] = ["UTC", "Europe/Berlin", "Asia/Tokyo", "America/Lima", "Pacific/Apia"];

fn one_act(act: usize, numbers: &mut Numbers) -> Vec<Step> {
    let zone = *numbers.one(&ZONES);
    let key = numbers.below(50);
    let texts: Vec<String> = match act {
        0..=4 => of_settings(act, zone, key),
        5..=10 => of_transactions(act, zone, key),
        11..=16 => of_temporary_tables(act, key),
        17..=23 => of_what_ties(act, key),
        24 => {
            let copy = "COPY own FROM STDIN".to_owned();
            return vec![
                Step::Ask("CREATE TEMP TABLE own (a int)".to_owned()),
                Step::CopyIn(copy),
                Step::CopyOut("COPY (SELECT a * 10 FROM own ORDER BY a) TO STDOUT".to_owned()),
                Step::Ask("DROP TABLE own".to_owned()),
            ];
        }
        25 => {
            return vec![
                Step::Ask(format!("SET timezone = '{zone}'")),
                Step::Ask("DISCARD ALL".to_owned()),
                Step::Run(1, 7),
                Step::PrepareAgain,
                Step::Ask("SHOW timezone".to_owned()),
            ];
        }
        _ => of_reads(act, key),
    };
    texts.into_iter().map(Step::Ask).collect()
}

fn of_settings(act: usize, zone: &str, key: usize) -> Vec<String> {
    match act {
        0 => vec![
            format!("SET timezone = '{zone}'"),
            "SHOW timezone".to_owned(),
            "SELECT timestamptz '2026-01-01 00:00:00+00'".to_owned(),
        ],
        1 => vec![
            "SET search_path = pg_catalog".to_owned(),
            "SHOW search_path".to_owned(),
            "SELECT count(*) FROM employee".to_owned(),
            "SELECT count(*) FROM pg_class WHERE relname = 'employee'".to_owned(),
            "RESET search_path".to_owned(),
            "SELECT count(*) FROM department".to_owned(),
        ],
        2 => vec![
            format!("SET my.own = 'x{key}'"),
            "SELECT current_setting('my.own')".to_owned(),
            "RESET my.own".to_owned(),
            "SELECT current_setting('my.own', true)".to_owned(),
        ],
        3 => vec![
            format!("SELECT set_config('timezone', '{zone}', false)"),
            "SELECT to_char(timestamptz 'epoch', 'HH24')".to_owned(),
            "SET datestyle = 'German, DMY'".to_owned(),
            "SELECT date '2026-03-04'".to_owned(),
            "RESET datestyle".to_owned(),
        ],
        _ => vec![
            format!("BEGIN; SET LOCAL timezone = '{zone}'; SHOW timezone; COMMIT"),
            "SHOW timezone".to_owned(),
            "RESET ALL".to_owned(),
            "SHOW timezone".to_owned(),
        ],
    }
}

fn of_transactions(act: usize, zone: &str, key: usize) -> Vec<String> {
    let rows = "SELECT count(*), sum(n) FROM pooled WHERE client = {me}".to_owned();
    let add = format!("INSERT INTO pooled VALUES ({{me}}, {key})");
    match act {
        5 => vec![
            "BEGIN".to_owned(),
            add,
            "SAVEPOINT a".to_owned(),
            "SELECT 1/0".to_owned(),
            "SELECT 1".to_owned(),
            "ROLLBACK TO a".to_owned(),
            rows.clone(),
            "ROLLBACK".to_owned(),
            rows,
        ],
        6 => vec![
            "BEGIN".to_owned(),
            add.clone(),
            add,
            "COMMIT".to_owned(),
            rows.clone(),
            "DELETE FROM pooled WHERE client = {me}".to_owned(),
            rows,
        ],
        7 => vec![
            "BEGIN".to_owned(),
            format!("SET timezone = '{zone}'"),
            "SHOW timezone".to_owned(),
            "ROLLBACK".to_owned(),
            "SHOW timezone".to_owned(),
        ],
        8 => vec![
            "BEGIN".to_owned(),
            "SELECT nextval('pooled_numbers') > 0".to_owned(),
            "SELECT currval('pooled_numbers') = lastval()".to_owned(),
            "DECLARE c CURSOR FOR SELECT employee_no FROM employee ORDER BY 1".to_owned(),
            "FETCH 2 FROM c".to_owned(),
            "FETCH 1 FROM c".to_owned(),
            "COMMIT".to_owned(),
            "FETCH 1 FROM c".to_owned(),
        ],
        9 => vec![
            "BEGIN ISOLATION LEVEL REPEATABLE READ".to_owned(),
            "SHOW transaction_isolation".to_owned(),
            "SELECT 1/0".to_owned(),
            "COMMIT".to_owned(),
            "SHOW transaction_isolation".to_owned(),
        ],
        _ => {
            vec![format!("SELECT {key}; SELECT 2; SELECT 1/0; SELECT 3"), format!("{add}; SELECT 1/0"), rows]
        }
    }
}

fn of_temporary_tables(act: usize, key: usize) -> Vec<String> {
    let fill = format!("INSERT INTO own SELECT generate_series(1, {key} + 1)");
    let look = "SELECT count(*), sum(a) FROM own".to_owned();
    let make = "CREATE TEMP TABLE own (a int)".to_owned();
    match act {
        11 => vec![make, fill, look.clone(), "DROP TABLE own".to_owned(), look],
        12 => vec![
            "BEGIN".to_owned(),
            "CREATE TEMP TABLE own (a int) ON COMMIT DROP".to_owned(),
            fill,
            look.clone(),
            "COMMIT".to_owned(),
            look,
        ],
        13 => vec![
            format!("CREATE TEMP TABLE own AS SELECT {key} AS a"),
            look.clone(),
            "DISCARD TEMP".to_owned(),
            look,
        ],
        14 => vec!["BEGIN".to_owned(), make, fill, look.clone(), "ROLLBACK".to_owned(), look],
        15 => vec![
            "CREATE TEMP TABLE department (a int)".to_owned(),
            "SELECT count(*) FROM department".to_owned(),
            "DROP TABLE department".to_owned(),
            "SELECT count(*) FROM department".to_owned(),
        ],
        _ => vec![
            "CREATE TEMP SEQUENCE numbers START 5".to_owned(),
            "SELECT nextval('numbers'), currval('numbers')".to_owned(),
            "SELECT lastval()".to_owned(),
            "DROP SEQUENCE numbers".to_owned(),
        ],
    }
}

fn of_what_ties(act: usize, key: usize) -> Vec<String> {
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
    match act {
        17 => vec![
            format!("SELECT pg_advisory_lock({{me}}, {key})"),
            locks.to_owned(),
            format!("SELECT pg_advisory_unlock({{me}}, {key})"),
            format!("SELECT pg_advisory_unlock({{me}}, {key})"),
            locks.to_owned(),
        ],
        18 => vec![
            format!("SELECT pg_try_advisory_lock({{me}}, {key}), pg_advisory_lock_shared({{me}}, {key})"),
            format!("SELECT pg_advisory_unlock({{me}}, {key})"),
            locks.to_owned(),
            "SELECT pg_advisory_unlock_all()".to_owned(),
            locks.to_owned(),
        ],
        19 => vec![
            "BEGIN".to_owned(),
            format!("SELECT pg_advisory_xact_lock({{me}}, {key})"),
            locks.to_owned(),
            "COMMIT".to_owned(),
            locks.to_owned(),
        ],
        20 => vec![
            format!("DECLARE c CURSOR WITH HOLD FOR SELECT generate_series({key}, 60)"),
            "FETCH 2 FROM c".to_owned(),
            "MOVE 1 IN c".to_owned(),
            "FETCH 1 FROM c".to_owned(),
            "CLOSE c".to_owned(),
            "FETCH 1 FROM c".to_owned(),
        ],
        21 => vec![
            "LISTEN pooled".to_owned(),
            "SELECT pg_listening_channels()".to_owned(),
            "UNLISTEN *".to_owned(),
            "SELECT pg_listening_channels()".to_owned(),
        ],
        22 => vec![
            format!("PREPARE own (int) AS SELECT $1 + {key}"),
            "EXECUTE own(1)".to_owned(),
            "EXECUTE own(2)".to_owned(),
            "DEALLOCATE own".to_owned(),
            "EXECUTE own(3)".to_owned(),
        ],
        _ => vec![
            format!("SELECT pg_advisory_lock({{me}}, {key}), 1/0"),
            locks.to_owned(),
            format!("SELECT pg_advisory_unlock({{me}}, {key})"),
            locks.to_owned(),
        ],
    }
}

fn of_reads(act: usize, key: usize) -> Vec<String> {
    match act {
        26 => vec![
            format!("SELECT employee_no FROM employee WHERE employee_no >= {key} ORDER BY 1 LIMIT 2"),
            "SELECT count(*) FROM pg_prepared_statements WHERE from_sql".to_owned(),
        ],
        27 => vec!["SELECT count(*) FROM department".to_owned(), "SELECT nowhere FROM employee".to_owned()],
        28 => vec!["EXPLAIN (COSTS OFF) SELECT 1".to_owned(), format!("VALUES ({key}), (2)")],
        _ => vec![
            format!("SELECT d.name FROM department d ORDER BY 1 OFFSET {key} % 9 LIMIT 1"),
            "SELECT count(*) FROM pg_cursors".to_owned(),
        ],
    }
}
