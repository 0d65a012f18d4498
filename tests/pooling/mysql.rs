//! What a client of MySQL does: habits of sessions that a pooler for transactions breaks.

use std::time::Duration;

use tidegate::wire::mysql::{capability::Capabilities, error::ServerError};

use super::Numbers;
use crate::support::{
    Login,
    mysql_wire::{MysqlWire, execute},
};

/// One step of a script; `{me}` in a text is the client's own number.
#[derive(Clone, Debug)]
pub enum Step {
    /// COM_QUERY.
    Ask(String),
    /// Executes the prepared statement of this place in [`PREPARED`].
    Run(usize, i64),
    /// COM_RESET_CONNECTION; they are all prepared again.
    Reset,
}

/// What every client prepares at its beginning.
const PREPARED: [&str; 3] = [
    "SELECT COUNT(*) FROM employee WHERE employee_no > ?",
    "SELECT CONCAT(@@time_zone, ?)",
    "SELECT first_name FROM hr_prod.employee WHERE employee_no = ?",
];

/// The script of a number: at least so many steps, nothing held at its end.
pub fn script(number: usize, steps: usize) -> Vec<Step> {
    let mut numbers = Numbers::of(number);
    let mut script = Vec::new();
    // Whoever asks what the statement before left keeps its connection: that is for a few of them.
    let acts = if number.is_multiple_of(16) { ACTS } else { ACTS - ASKING };
    while script.len() < steps {
        let act = numbers.below(acts);
        script.extend(one_act(act, &mut numbers));
        for _ in 0..numbers.below(3) {
            let key = 10_000 + i64::try_from(numbers.below(60)).unwrap();
            script.push(Step::Run(numbers.below(PREPARED.len()), key));
        }
    }
    script
}

/// A client in plain text that may send several statements at once.
pub fn connect(login: &Login) -> MysqlWire {
    let wire = MysqlWire::connect(login, Capabilities::MULTI_STATEMENTS | Capabilities::MULTI_RESULTS);
    wire.be_patient(Duration::from_secs(110));
    wire
}

/// Does the steps of a script; gives what came of each.
pub fn play(wire: &mut MysqlWire, me: usize, script: &[Step]) -> Vec<String> {
    let mut prepared = prepare(wire);
    let mut said = Vec::with_capacity(script.len());
    for step in script {
        said.push(match step {
            Step::Ask(text) => ask(wire, &text.replace("{me}", &me.to_string())),
            Step::Run(which, key) => {
                // One parameter: not NULL, bound anew, a LONGLONG.
                let parameters = [&[0, 1, 8, 0][..], &key.to_le_bytes()].concat();
                wire.command(0x17, &execute(prepared[*which], false, &parameters));
                results(wire)
            }
            Step::Reset => {
                wire.command(0x1f, &[]);
                let said = results(wire);
                prepared = prepare(wire);
                said
            }
        });
    }
    said
}

fn prepare(wire: &mut MysqlWire) -> Vec<u32> {
    PREPARED.iter().map(|text| wire.prepare(text).unwrap()).collect()
}

/// Runs a text; gives everything that it gave.
pub fn ask(wire: &mut MysqlWire, sql: &str) -> String {
    wire.command(0x03, sql.as_bytes());
    results(wire)
}

/// Rows as they came, numbers of errors and of changed rows, of all results.
fn results(wire: &mut MysqlWire) -> String {
    let mut all = Vec::new();
    loop {
        let first = wire.payload();
        let status = match first[0] {
            0xff => {
                all.push(format!("error {}", ServerError::read(&first).unwrap().errno));
                return all.join("; ");
            }
            // Affected rows and insert identifier are small numbers here, of one byte each.
            0 => {
                all.push(format!("ok {}", first[1]));
                let behind = match first[2] {
                    0xfc => 5,
                    0xfd => 6,
                    _ => 3,
                };
                u16::from_le_bytes([first[behind], first[behind + 1]])
            }
            columns => {
                (0..=columns).for_each(|_| drop(wire.payload()));
                match wire.rows_only() {
                    Ok((rows, status)) => {
                        all.extend(rows.iter().map(|row| row.escape_ascii().to_string()));
                        status
                    }
                    Err(errno) => {
                        all.push(format!("error {errno}"));
                        return all.join("; ");
                    }
                }
            }
        };
        if status & MORE_RESULTS == 0 {
            return all.join("; ");
        }
    }
}

const MORE_RESULTS: u16 = 8;
const ACTS: usize = 16;
/// The last of them.
const ASKING: usize = 2;
const ZONES: [&str; 4] = ["+00:00", "+05:30", "-03:00", "+09:00"];

fn one_act(act: usize, numbers: &mut Numbers) -> Vec<Step> {
    let zone = *numbers.one(&ZONES);
    let key = numbers.below(50);
    let mut steps: Vec<Step> = texts(act, zone, key).into_iter().map(Step::Ask).collect();
    if act == 4 {
        steps.extend([Step::Reset, Step::Ask("SELECT @own".to_owned())]);
    }
    steps
}

fn texts(act: usize, zone: &str, key: usize) -> Vec<String> {
    let add = format!("INSERT INTO pooled (client, n) VALUES ({{me}}, {key})");
    let rows = "SELECT COUNT(*), SUM(n) FROM pooled WHERE client = {me}".to_owned();
    match act {
        0 => vec![
            format!("SET time_zone = '{zone}'"),
            "SELECT @@time_zone, FROM_UNIXTIME(0)".to_owned(),
            "SET time_zone = DEFAULT".to_owned(),
        ],
        1 => vec![
            "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'".to_owned(),
            "SELECT '\\', \"first_name\" FROM employee ORDER BY employee_no LIMIT 1".to_owned(),
            "SET sql_mode = DEFAULT".to_owned(),
            "SELECT \"text\", '\\\\'".to_owned(),
        ],
        2 => vec![
            "CREATE TEMPORARY TABLE own (a int)".to_owned(),
            format!("INSERT INTO own VALUES ({key}), (2)"),
            "SELECT SUM(a) FROM own".to_owned(),
            "DROP TEMPORARY TABLE own".to_owned(),
            "SELECT * FROM own".to_owned(),
        ],
        3 => vec![
            format!("SELECT GET_LOCK('own {{me}} {key}', 5)"),
            format!("SELECT IS_USED_LOCK('own {{me}} {key}') = CONNECTION_ID()"),
            format!("SELECT RELEASE_LOCK('own {{me}} {key}')"),
            format!("SELECT IS_FREE_LOCK('own {{me}} {key}')"),
        ],
        4 => vec![format!("SET @own = {key}"), "SELECT @own + 1".to_owned()],
        5 => vec![
            "BEGIN".to_owned(),
            add,
            "SAVEPOINT a".to_owned(),
            "SELECT nowhere FROM employee".to_owned(),
            rows.clone(),
            "ROLLBACK TO a".to_owned(),
            rows.clone(),
            "ROLLBACK".to_owned(),
            rows,
        ],
        6 => vec![
            "START TRANSACTION".to_owned(),
            add.clone(),
            add,
            "COMMIT".to_owned(),
            rows.clone(),
            "DELETE FROM pooled WHERE client = {me}".to_owned(),
            rows,
        ],
        7 => vec![
            format!("PREPARE own FROM 'SELECT 1 + {key}'"),
            "EXECUTE own".to_owned(),
            "DEALLOCATE PREPARE own".to_owned(),
            "EXECUTE own".to_owned(),
        ],
        8 => vec![
            "LOCK TABLES employee READ".to_owned(),
            "SELECT COUNT(*) FROM employee".to_owned(),
            "SELECT COUNT(*) FROM department".to_owned(),
            "UNLOCK TABLES".to_owned(),
            "SELECT COUNT(*) FROM department".to_owned(),
        ],
        9 => vec![
            "SET NAMES latin1".to_owned(),
            "SELECT @@character_set_client, @@character_set_results".to_owned(),
            "SET NAMES utf8mb4".to_owned(),
            "SELECT @@character_set_client".to_owned(),
        ],
        10 => vec![
            "SET autocommit = 0".to_owned(),
            add,
            rows.clone(),
            "ROLLBACK".to_owned(),
            "SET autocommit = 1".to_owned(),
            rows,
        ],
        11 => vec![format!("SELECT {key}; SELECT 2"), format!("SELECT {key}; SELECT nowhere; SELECT 3")],
        12 => vec!["SELECT nothing(1)".to_owned(), format!("SELECT {key} + 1")],
        13 => vec![
            format!("SELECT employee_no FROM employee ORDER BY 1 LIMIT {key}, 2"),
            "SELECT name FROM department ORDER BY 1 LIMIT 1".to_owned(),
        ],
        14 => vec![
            add,
            "SELECT LAST_INSERT_ID() = (SELECT MAX(id) FROM pooled WHERE client = {me})".to_owned(),
            "DELETE FROM pooled WHERE client = {me}".to_owned(),
        ],
        _ => vec![
            "SELECT FOUND_ROWS() >= 0".to_owned(),
            "SELECT employee_no FROM employee ORDER BY 1 LIMIT 3".to_owned(),
            "SELECT FOUND_ROWS()".to_owned(),
        ],
    }
}
