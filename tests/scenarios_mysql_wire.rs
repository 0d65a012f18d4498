//! MySQL's protocol, command by command, as no client library would let itself be told to speak it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "mysql_wire/compressed.rs"]
mod compressed;
mod support;

use bytes::BytesMut;
use serde_json::json;
use support::{
    Lab, Server,
    mysql_wire::{MysqlWire, execute, framed},
};
use tidegate::wire::mysql::{capability::Capabilities, error::ServerError, packet::write_packet};

const BOTH: [Server; 2] = [Server::Mariadb, Server::Mysql];
const FETCH: u8 = 0x1c;
const EXECUTE: u8 = 0x17;
const LONG_DATA: u8 = 0x18;
const PROCESS_INFO: u8 = 0x0a;
const RESET_CONNECTION: u8 = 0x1f;

/// Tells a story to each server, as somebody who may read all tables.
fn reader(tell: impl Fn(&Lab, MysqlWire)) {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let dana = lab.add("dana");
        lab.grant("dana", "select", &[], 600);
        tell(&lab, MysqlWire::connect(&dana, Capabilities::NONE));
    }
}

#[test]
fn a_cursor_is_fetched_from_between_other_statements_and_ends_with_its_rows() {
    reader(|_, mut wire| {
        let statement = wire.prepare("SELECT 1 UNION SELECT 2 UNION SELECT 3").unwrap();
        wire.command(EXECUTE, &execute(statement, true, &[]));
        assert_eq!(wire.payload(), [1]);
        wire.payload();
        let eof = wire.payload();
        assert_eq!(eof[3] & 0x40, 0x40, "no cursor: {eof:?}");
        let two = [&statement.to_le_bytes()[..], &2_u32.to_le_bytes()].concat();
        wire.command(FETCH, &two);
        let (rows, status) = wire.rows_only().unwrap();
        assert_eq!((rows.len(), status & 0x80), (2, 0));
        assert_eq!(wire.query("SELECT 7").unwrap(), [b"\x017"]);
        wire.command(FETCH, &two);
        let (rows, status) = wire.rows_only().unwrap();
        assert_eq!((rows.len(), status & 0x80), (1, 0x80));
        wire.command(FETCH, &two);
        assert_eq!(wire.outcome(), 1421);
    });
}

#[test]
fn a_fetch_is_decided_like_an_execution() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let dana = lab.add("dana");
        let grant = lab.grant("dana", "select", &[], 600);
        let mut wire = MysqlWire::connect(&dana, Capabilities::NONE);
        let statement = wire.prepare("SELECT 1 FROM employee").unwrap();
        wire.command(EXECUTE, &execute(statement, true, &[]));
        (0..3).for_each(|_| drop(wire.payload()));
        let one = [&statement.to_le_bytes()[..], &1_u32.to_le_bytes()].concat();
        wire.command(FETCH, &one);
        assert_eq!(wire.rows_only().unwrap().0.len(), 1);
        lab.revoke(&grant);
        wire.command(FETCH, &one);
        assert_eq!(wire.rows_only(), Err(1142));
        assert_eq!(wire.query("SELECT 1").unwrap().len(), 1, "the session goes on");
    }
}

#[test]
fn parameters_come_in_pieces_and_their_types_only_once() {
    reader(|_, mut wire| {
        let statement = wire.prepare("SELECT LENGTH(?), ?").unwrap();
        for piece in [b"abc".as_slice(), b"de"] {
            wire.command(LONG_DATA, &[&statement.to_le_bytes()[..], &[0, 0], piece].concat());
        }
        wire.command(EXECUTE, &execute(statement, false, b"\0\x01\xfc\0\xfd\0\x02hi"));
        let row = wire.rows().unwrap().remove(0);
        assert!(row[2] == 5 && row.ends_with(b"\x02hi"), "{row:?}");
        wire.command(EXECUTE, &execute(statement, false, b"\0\0\x01x\x02yo"));
        let row = wire.rows().unwrap().remove(0);
        assert!(row[2] == 1 && row.ends_with(b"\x02yo"), "{row:?}");
    });
}

#[test]
fn a_value_in_pieces_may_be_as_large_as_one_in_a_message() {
    reader(|_, mut wire| {
        let statement = wire.prepare("SELECT LENGTH(?)").unwrap();
        let piece = vec![b'x'; 1 << 20];
        let head = [&statement.to_le_bytes()[..], &0_u16.to_le_bytes()].concat();
        for _ in 0..20 {
            wire.command(LONG_DATA, &[head.as_slice(), piece.as_slice()].concat());
        }
        // No NULLs, the types are given: a blob.
        wire.command(EXECUTE, &execute(statement, false, &[0, 1, 252, 0]));
        let rows = wire.rows().unwrap();
        assert_eq!(rows[0][2..6], (20_i32 << 20).to_le_bytes());
    });
}

#[test]
fn a_prepared_statement_follows_onto_the_connection_of_a_transaction() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let full = lab.add_full();
        let mut wire = MysqlWire::connect(&full, Capabilities::NONE);
        let statement = wire.prepare("SELECT ?").unwrap();
        wire.command(EXECUTE, &execute(statement, false, b"\0\x01\xfd\0\x01a"));
        assert!(wire.rows().unwrap()[0].ends_with(b"\x01a"));
        assert_eq!(wire.run("BEGIN"), 0);
        // The types are known to the other connection only.
        wire.command(EXECUTE, &execute(statement, false, b"\0\0\x01b"));
        assert!(wire.rows().unwrap()[0].ends_with(b"\x01b"));
        assert_eq!(wire.run("ROLLBACK"), 0);
        wire.command(0x19, &statement.to_le_bytes());
        wire.command(EXECUTE, &execute(statement, false, b"\0\0\x01b"));
        assert_eq!(wire.outcome(), 1243);
    }
}

#[test]
fn a_statement_prepared_in_one_database_does_not_move_with_use() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let full = lab.add_full();
        lab.admin(&[
            "grant",
            "create",
            "--to",
            "full",
            "--target",
            server.target(),
            "--database",
            "information_schema",
            "--all-tables",
            "--permission",
            "select",
            "--for",
            "10m",
            "--reason",
            "another database",
        ]);
        let mut wire = MysqlWire::connect(&full, Capabilities::NONE);
        let statement = wire.prepare("SELECT COUNT(*) FROM salary").unwrap();
        assert_eq!(wire.run("USE information_schema"), 0);
        // On another connection, too, which has never seen the first database.
        assert_eq!(wire.run("BEGIN"), 0);
        wire.command(EXECUTE, &execute(statement, false, &[]));
        assert_eq!(wire.rows().unwrap().len(), 1);
        assert_eq!(wire.query("SELECT DATABASE()").unwrap(), [b"\x12information_schema"]);
    }
}

#[test]
fn a_comment_alone_is_done_and_nothing_at_all_is_an_error() {
    reader(|_, mut wire| {
        for comment in ["-- nothing", "/* nothing */", "/*!99999 SELECT 1 */", "# nothing"] {
            assert_eq!(wire.run(comment), 0, "{comment}");
        }
        for nothing in ["", " ", ";", "\n;\t"] {
            assert_eq!(wire.run(nothing), 1065, "{nothing:?}");
        }
    });
}

#[test]
fn one_zero_byte_behind_a_text_is_its_end() {
    reader(|_, mut wire| {
        assert_eq!(wire.query("SELECT 7\0").unwrap(), [b"\x017"]);
        assert!(wire.prepare("SELECT 7\0").is_ok());
        assert_eq!(wire.query("SELECT 7\0\0"), Err(1064));
        assert_eq!(wire.run("\0"), 1065);
    });
}

#[test]
fn commands_that_are_sent_ahead_are_answered_in_their_order() {
    reader(|_, mut wire| {
        let ahead: Vec<u8> = [b"\x03SELECT 1".as_slice(), b"\x03SELEC 2", b"\x0e", b"\x03SELECT 3"]
            .iter()
            .flat_map(|payload| framed(0, payload))
            .collect();
        wire.send(&ahead);
        assert_eq!(wire.rows().unwrap(), [b"\x011"]);
        assert_eq!(wire.outcome(), 1064);
        assert_eq!(wire.outcome(), 0);
        assert_eq!(wire.rows().unwrap(), [b"\x013"]);
    });
}

#[test]
fn a_text_far_over_the_limit_is_refused_and_never_kept() {
    for server in BOTH {
        let settings = json!({ "plaintext": true, "limits": "limits: { statement_bytes: 10000 }" });
        let Some(lab) = Lab::with_gateway(server, &settings) else { return };
        let mut wire = MysqlWire::connect(&lab.add_full(), Capabilities::NONE);
        let memory = || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", lab.gateway_pid())).unwrap();
            let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap().to_owned();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        let before = memory();
        for (command, bytes) in
            [(0x03, 60_000_000), (0x16, 60_000_000), (0x03, 20_000), (0x03, 0xff_ff_ff - 1)]
        {
            let head: &[u8] = if command == 0x03 { b"\x03SELECT 'tell-tale', '" } else { b"\x16SELECT ?, '" };
            let mut payload = head.to_vec();
            payload.resize(bytes, b'x');
            let (mut framed, mut sequence) = (BytesMut::new(), 0);
            write_packet(&mut framed, &mut sequence, |out| out.extend_from_slice(&payload));
            // What is sent ahead is answered behind it.
            framed.extend_from_slice(b"\x01\0\0\0\x0e");
            wire.send(&framed);
            let refused = wire.packet().unwrap();
            assert_eq!(refused.sequence(), sequence, "{server:?} {command} {bytes}");
            let error = ServerError::read(refused.payload()).unwrap();
            assert!(error.message.contains("10000"), "{server:?}: {error:?}");
            assert_eq!(wire.outcome(), 0);
        }
        assert_eq!(wire.query("SELECT 7").unwrap(), [b"\x017"]);
        let grown = memory().saturating_sub(before);
        assert!(grown < 30_000, "{server:?}: {grown} KiB");
        let begins = |record: &&serde_json::Value| {
            record["sql"]
                .as_str()
                .is_some_and(|sql| sql.starts_with("SELECT 'tell-tale'") && sql.len() <= 1024)
        };
        assert_eq!(lab.audit().iter().filter(begins).count(), 3, "{server:?}");
    }
}

#[test]
fn commands_that_read_everything_or_end_the_server_are_refused() {
    reader(|_, mut wire| {
        // Replication, shutdown, clone, refresh, and one that does not exist.
        for code in [0x12, 0x1e, 0x15, 0x08, 0x20, 0x07, 0x0d, 0x77] {
            wire.command(code, &[0; 4]);
            assert_eq!(wire.outcome(), 1047, "{code:#x}");
        }
        wire.command(PROCESS_INFO, &[]);
        assert_eq!(wire.outcome(), 1227, "who works is an administrator's to see");
        assert_eq!(wire.query("SELECT 1").unwrap().len(), 1, "the session goes on");
        wire.command(0x0e, &[]);
        assert_eq!(wire.outcome(), 0);
    });
}

#[test]
fn several_statements_need_leave_and_a_refused_one_stops_all_of_them() {
    reader(|_, mut wire| {
        wire.command(0x03, b"SELECT 1; SELECT 2");
        assert_eq!(wire.rows(), Err(1064));
        wire.command(0x1b, &[0, 0]);
        assert_eq!(wire.payload()[0], 0xfe);
        wire.command(0x03, b"SELECT 1; SELECT 2");
        assert_eq!((wire.rows().unwrap().len(), wire.rows().unwrap().len()), (1, 1));
        wire.command(0x03, b"SELECT 1; DELETE FROM employee");
        assert_eq!(wire.rows(), Err(1142));
        wire.command(0x03, b"SELECT 1; SELECT no_such_column FROM employee; SELECT 2");
        assert_eq!(wire.rows().unwrap().len(), 1);
        assert_eq!(wire.rows(), Err(1054));
        assert_eq!(wire.query("SELECT 3").unwrap(), [b"\x013"]);
    });
}

#[test]
fn a_text_that_changes_how_the_rest_of_it_is_read_is_refused() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let dana = lab.add("dana");
        lab.grant("dana", "select", &["employee"], 600);
        let mut wire =
            MysqlWire::connect(&dana, Capabilities::MULTI_STATEMENTS | Capabilities::MULTI_RESULTS);
        wire.command(
            0x03,
            b"SET sql_mode = 'NO_BACKSLASH_ESCAPES'; SELECT 'a\\'; SELECT * FROM salary; -- '",
        );
        assert_eq!(wire.outcome(), 1235);
        assert_eq!(wire.run("SET sql_mode = 'NO_BACKSLASH_ESCAPES'"), 0);
        assert_eq!(wire.query("SELECT 'a\\'").unwrap(), [b"\x02a\\"]);
        wire.command(0x03, b"SELECT 'a\\'; SELECT * FROM salary; -- '");
        assert_eq!(wire.rows(), Err(1142));
    }
}

#[test]
fn a_temporary_table_is_looked_up_where_it_is_or_not_at_all() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let full = lab.add_full();
        let mut wire = MysqlWire::connect(&full, Capabilities::NONE);
        assert_eq!(wire.run("CREATE TEMPORARY TABLE salary (a INT)"), 0);
        assert_eq!(wire.query("SELECT * FROM salary").unwrap().len(), 0);
        assert_eq!(wire.run("INSERT INTO salary VALUES (1)"), 0);
        assert_eq!(wire.query("SELECT * FROM salary").unwrap().len(), 1);
        assert_eq!(wire.run("DROP TEMPORARY TABLE salary"), 0);
        assert!(wire.query("SELECT * FROM salary").unwrap().len() > 1);
    }
}

#[test]
fn one_s_own_sessions_can_be_killed_and_nobody_else_s() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let (dana, omar) = (lab.add("dana"), lab.add("omar"));
        lab.grant("omar", "select", &[], 600);
        let mut first = MysqlWire::connect(&dana, Capabilities::NONE);
        let mut second = MysqlWire::connect(&dana, Capabilities::NONE);
        let mut other = MysqlWire::connect(&omar, Capabilities::NONE);
        assert_eq!(first.run(&format!("KILL {}", other.number)), 1227);
        assert_eq!(other.query("SELECT 1").unwrap().len(), 1);
        second.command(0x03, b"SELECT SLEEP(20)");
        support::eventually("it sleeps", std::time::Duration::from_secs(10), || {
            lab.admin(&["session", "list"]).contains("active")
        });
        assert_eq!(first.run(&format!("KILL QUERY {}", second.number)), 0);
        let _interrupted = second.rows();
        assert_eq!(second.query("SELECT 2").unwrap().len(), 1, "only the query was killed");
        assert_eq!(first.run(&format!("KILL CONNECTION {}", second.number)), 0);
        while second.packet().is_some() {}
    }
}

#[test]
fn a_reset_connection_has_nothing_of_what_it_had() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let full = lab.add_full();
        let mut wire = MysqlWire::connect(&full, Capabilities::NONE);
        let statement = wire.prepare("SELECT 1").unwrap();
        assert_eq!(wire.run("SET @a = 1"), 0);
        assert_eq!(wire.run("BEGIN"), 0);
        assert_eq!(wire.run("DELETE FROM salary"), 0);
        wire.command(0x1f, &[]);
        assert_eq!(wire.outcome(), 0);
        assert_eq!(wire.query("SELECT @a").unwrap(), [b"\xfb"]);
        assert!(wire.query("SELECT * FROM salary").unwrap().len() > 1, "what was open is rolled back");
        wire.command(EXECUTE, &execute(statement, false, &[]));
        assert_eq!(wire.outcome(), 1243);
    }
}

#[test]
fn a_packet_out_of_order_ends_the_session() {
    reader(|_, mut wire| {
        wire.send(&framed(3, b"\x03SELECT 1"));
        assert_eq!(wire.outcome(), 1156);
        assert!(wire.packet().is_none());
    });
}

/// The message of the one row that SHOW WARNINGS gives.
fn shown(wire: &mut MysqlWire, sql: &str) -> String {
    let rows = wire.query(sql).unwrap();
    assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
    String::from_utf8_lossy(&rows[0]).into_owned()
}

#[test]
fn the_note_behind_a_plan_needs_leave_to_read_what_was_explained() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let dana = lab.add("dana");
        lab.grant("dana", "explain", &[], 600);
        let open = || MysqlWire::connect(&dana, Capabilities::MULTI_STATEMENTS);
        let plan = "EXPLAIN SELECT * FROM salary WHERE employee_no = 1";
        let asks = "SHOW WARNINGS";
        assert!(open().query(asks).is_ok(), "without a plan there is nothing to hide");
        let mut by_query = open();
        assert!(!by_query.query(plan).unwrap().is_empty());
        assert_eq!(by_query.query(asks), Err(1142));
        assert_eq!(by_query.run("GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT"), 1142);
        let mut together = open();
        assert_eq!(together.query(&format!("{plan}; {asks}")), Err(1142));
        let mut executed = open();
        let statement = executed.prepare(plan).unwrap();
        executed.command(EXECUTE, &execute(statement, false, &[]));
        assert!(!executed.rows().unwrap().is_empty());
        assert_eq!(executed.query(asks), Err(1142), "behind a statement of the protocol");
        let mut named = open();
        assert_eq!(named.run(&format!("PREPARE p FROM '{plan}'")), 0);
        assert!(!named.query("EXECUTE p").unwrap().is_empty());
        assert_eq!(named.query(asks), Err(1142), "behind a statement of SQL's");
        lab.grant("dana", "select", &["salary"], 600);
        assert!(named.query(plan).is_ok());
        assert!(named.query(asks).is_ok(), "who may read it sees the note");
    }
}

#[test]
fn an_error_shows_no_rows_to_whoever_may_not_read_them() {
    const ROW: &str = "employee1@";
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let (dana, sam) = (lab.add("dana"), lab.add("sam"));
        lab.grant("dana", "explain", &[], 600);
        lab.grant("sam", "dml", &["employee"], 600);
        let open = |login| MysqlWire::connect(login, Capabilities::MULTI_STATEMENTS);
        let plan = "EXPLAIN INSERT INTO department SELECT 'd100', 'x' FROM employee WHERE employee_no = 1 AND email + 0";
        let change = "UPDATE employee SET employee_no = email WHERE employee_no = 1";
        for (login, sql) in [(&dana, plan), (&sam, change)] {
            let mut wire = open(login);
            let said = words(&mut wire, sql);
            assert!(said.contains("not shown") && !said.contains(ROW), "{sql}: {said}");
            assert!(shown(&mut wire, "SHOW WARNINGS").contains("not shown"), "{sql}");
            assert_eq!(wire.run("GET DIAGNOSTICS CONDITION 1 @m = MESSAGE_TEXT"), 1142, "{sql}");
            assert_eq!(open(login).query(&format!("{sql}; SHOW WARNINGS")), Err(1142), "{sql}");
        }
        assert!(words(&mut open(&sam), "INSERT INTO employee (nope) VALUES (1)").contains("nope"));
        assert!(words(&mut open(&dana), "EXPLAIN SELECT nope FROM employee").contains("nope"));
        let own = "INSERT INTO employee VALUES (1, 'a', 'b', '2000-01-01', '2000-01-01', 'c')";
        assert!(words(&mut open(&sam), own).contains("Duplicate entry"), "what one inserts is one's own");
        lab.grant("dana", "select", &["employee", "department"], 600);
        lab.grant("sam", "select", &["employee"], 600);
        for (login, sql) in [(&dana, plan), (&sam, change)] {
            assert!(words(&mut open(login), sql).contains(ROW), "who may read it is told: {sql}");
        }
    }
}

#[test]
fn what_was_prepared_from_a_variable_runs_for_as_long_as_admin_is_held() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let full = lab.add("full");
        lab.grant("full", "select", &["employee"], 600);
        let admin = lab.grant("full", "admin", &[], 600);
        let mut wire = MysqlWire::connect(&full, Capabilities::NONE);
        for sql in ["PREPARE p FROM 'SELECT 1'", "SET @q = 'SELECT 1 FROM department'", "PREPARE p FROM @q"] {
            assert_eq!(wire.run(sql), 0, "{sql}");
        }
        assert_eq!(wire.query("EXECUTE p").unwrap().len(), 9);
        lab.revoke(&admin);
        assert_eq!(wire.query("EXECUTE p"), Err(1227), "the name means what was prepared last");
        assert_eq!(wire.run("PREPARE p FROM 'SELECT 1'"), 0);
        assert_eq!(wire.query("EXECUTE p").unwrap().len(), 1);
    }
}

#[test]
fn a_login_to_a_database_that_is_not_there_is_told_so() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let (dana, omar) = (lab.add("dana"), lab.add("omar"));
        lab.grant("omar", "select", &["employee"], 600);
        let turned_away = |login| {
            let error = MysqlWire::log_in(login, Capabilities::NONE, 45, "nothere").err().unwrap();
            (error.errno, error.message)
        };
        let (errno, said) = turned_away(&dana);
        assert_eq!(errno, 1044, "the account may not look: {said}");
        assert!(said.contains("no such database"), "{said}");
        assert_eq!(turned_away(&omar).0, 1044, "who holds nothing there does not learn of it");
        lab.superuser("GRANT SELECT ON *.* TO tidegate_read");
        let (errno, said) = turned_away(&dana);
        assert_eq!(errno, 1049, "{said}");
        assert_eq!(turned_away(&omar).0, 1044);
    }
}

#[test]
fn nobody_changes_the_accounts_of_the_gateway() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        lab.superuser("GRANT ALL ON *.* TO tidegate_admin WITH GRANT OPTION");
        let mut wire = MysqlWire::connect(&lab.add_full(), Capabilities::NONE);
        for sql in [
            "ALTER USER tidegate_read IDENTIFIED BY 'x'",
            "ALTER USER CURRENT_USER() IDENTIFIED BY 'x'",
            "SET PASSWORD = 'x'",
            "RENAME USER tidegate_write TO other",
            "DROP USER tidegate_admin",
        ] {
            let said = words(&mut wire, sql);
            assert!(
                said.contains("gateway's own account") && said.contains("beside the gateway"),
                "{sql}: {said}"
            );
        }
        assert_eq!(wire.run("CREATE USER other IDENTIFIED BY 'One-2-three'"), 0);
        assert_eq!(wire.run("ALTER USER other IDENTIFIED BY 'Four-5-six'"), 0);
        assert_eq!(wire.run("DROP USER other"), 0);
    }
}

/// What the error says with which a text fails. MariaDB sends the columns of a plan before it looks at the statement.
fn words(wire: &mut MysqlWire, sql: &str) -> String {
    wire.command(0x03, sql.as_bytes());
    let mut payload = wire.payload();
    if !matches!(payload[0], 0 | 0xff) {
        (0..=payload[0]).for_each(|_| drop(wire.payload()));
        payload = wire.payload();
    }
    assert_eq!(payload[0], 0xff, "{sql}");
    String::from_utf8_lossy(&payload).into_owned()
}

#[test]
fn what_the_gateway_refused_is_what_show_warnings_shows() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let dana = lab.add("dana");
        lab.grant("dana", "select", &["employee"], 600);
        let mut wire = MysqlWire::connect(&dana, Capabilities::NONE);
        assert_eq!(wire.query("SELECT CAST('x' AS SIGNED)").unwrap().len(), 1);
        assert!(shown(&mut wire, "SHOW WARNINGS").contains("Truncated"), "the server's own");
        let statement = wire.prepare("SHOW WARNINGS");
        assert_eq!(statement.is_ok(), server == Server::Mariadb, "MySQL does not prepare it");
        assert_eq!(wire.query("SELECT * FROM salary"), Err(1142));
        for asks in ["SHOW WARNINGS", "show errors limit 1", "SHOW WARNINGS LIMIT 0, 5"] {
            let row = shown(&mut wire, asks);
            assert!(
                row.starts_with("\u{5}Error\u{4}1142") && row.contains("permission denied: select"),
                "{row}"
            );
        }
        assert_eq!(wire.query("SHOW WARNINGS LIMIT 1, 5").unwrap().len(), 0);
        assert_eq!(wire.query("SHOW COUNT(*) WARNINGS").unwrap(), [b"\x011"]);
        assert_eq!(wire.query("SELECT @@error_count").unwrap(), [b"\x011"]);
        if let Ok(statement) = statement {
            wire.command(EXECUTE, &execute(statement, false, &[]));
            let row = wire.rows().unwrap().remove(0);
            assert!(row.starts_with(b"\0\0\x05Error\x76\x04\0\0"), "{row:?}");
        }
        assert_eq!(wire.query("SELECT COUNT(*) FROM employee").unwrap().len(), 1);
        assert_eq!(wire.query("SHOW WARNINGS").unwrap().len(), 0, "the server has run something since");
        let told = lab
            .audit()
            .iter()
            .filter(|record| record.to_string().contains("SHOW WARNINGS LIMIT 0, 5"))
            .count();
        assert_eq!(told, 1, "what the gateway answers is on record, too");
    }
}

#[test]
fn a_drop_that_fails_half_way_hides_nothing_that_is_gone() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let full = lab.add("full");
        lab.grant("full", "select", &["scratch_*"], 600);
        let mut wire = MysqlWire::connect(&full, Capabilities::NONE);
        let denied = Err(1142);
        assert_eq!(wire.query("SELECT * FROM salary"), denied);
        assert_eq!(wire.run("CREATE TEMPORARY TABLE salary (a INT)"), 1142, "a definition takes ddl");
        lab.grant("full", "ddl", &["salary", "title"], 600);
        assert_eq!(wire.run("CREATE TEMPORARY TABLE salary (a INT)"), 0);
        assert_eq!(wire.query("SELECT * FROM salary"), Ok(vec![]));
        assert_eq!(wire.run("DROP TEMPORARY TABLE salary, missing"), 1051);
        // MariaDB has dropped it, MySQL has not: in neither is the real table read.
        match server {
            Server::Mysql => assert_eq!(wire.query("SELECT * FROM salary"), Ok(vec![])),
            Server::Mariadb | Server::Postgres => assert_eq!(wire.query("SELECT * FROM salary"), denied),
        }
        assert_eq!(wire.run("CREATE TEMPORARY TABLE IF NOT EXISTS salary (a INT)"), 0);
        assert_eq!(wire.run("CREATE TEMPORARY TABLE title (a INT)"), 0);
        assert_ne!(wire.run("DROP TABLE salary, salary"), 0, "the second one would be the real table");
        assert_eq!(wire.run("DROP TEMPORARY TABLE salary, title"), 0);
        assert_eq!(wire.query("SELECT * FROM title"), denied);
    }
}

#[test]
fn what_a_procedure_may_have_dropped_is_not_taken_for_a_temporary_table() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let full = lab.add("full");
        let reads = lab.grant("full", "select", &[], 600);
        for permission in ["ddl", "admin"] {
            lab.grant("full", permission, &[], 600);
        }
        let mut wire = MysqlWire::connect(&full, Capabilities::NONE);
        assert_eq!(wire.run("CREATE PROCEDURE drops() DROP TEMPORARY TABLE salary"), 0);
        assert_eq!(wire.run("CREATE TEMPORARY TABLE salary (a INT)"), 0);
        assert_eq!(wire.query("SELECT * FROM salary"), Ok(vec![]));
        lab.revoke(&reads);
        assert_eq!(wire.query("SELECT * FROM salary"), Ok(vec![]));
        assert_eq!(wire.run("CALL drops()"), 0);
        assert_eq!(wire.query("SELECT * FROM salary"), Err(1142));
    }
}

#[test]
fn bytes_in_a_string_reach_the_table_as_they_are() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let full = lab.add_full();
        let mut wire = MysqlWire::connect(&full, Capabilities::NONE);
        assert_eq!(wire.run("CREATE TABLE pictures (id INT, bytes BLOB)"), 0);
        let bytes: Vec<u8> = (0..=255).filter(|byte| !matches!(byte, b'\'' | b'\\')).collect();
        let text = [b"INSERT INTO pictures VALUES (1, '", bytes.as_slice(), b"\\\\\\'''')"].concat();
        wire.command(0x03, &text);
        assert_eq!(wire.outcome(), 0);
        let kept = wire.query("SELECT bytes FROM pictures").unwrap().remove(0);
        assert_eq!(&kept[3..], [bytes.as_slice(), b"\\''"].concat());
        wire.command(0x03, b"SELECT id FROM pictures WHERE bytes LIKE '%\xfe\xff%'");
        assert_eq!(wire.rows().unwrap(), [b"\x011"]);
        wire.command(0x16, b"SELECT id FROM pictures WHERE bytes LIKE '%\xff\\\\%'");
        assert_eq!(wire.outcome(), 0);
        let record = lab.audit().iter().map(ToString::to_string).find(|it| it.contains("fdfeff")).unwrap();
        assert!(record.contains("VALUES (1, _raw x'0001"), "{record}");
        drop(wire);
        let mut wire = MysqlWire::connect(&full, Capabilities::NONE);
        for elsewhere in [&b"SELECT 1 AS `\xff`"[..], b"SELECT 1 /* \xff */", b"SELECT @'\xff'"] {
            wire.command(0x03, elsewhere);
            assert_eq!(wire.outcome(), 1064, "{}", elsewhere.escape_ascii());
        }
    }
}

#[test]
fn the_collation_of_a_login_is_that_of_the_session() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let dana = lab.add("dana");
        lab.grant("dana", "select", &[], 600);
        let asks = "SELECT @@character_set_client, @@collation_connection, @@character_set_results";
        for number in [8, 33, 45, 46, 63, 83, 224, 246] {
            let tell = |login| MysqlWire::connect_in(login, Capabilities::NONE, number).query(asks).unwrap();
            assert_eq!(tell(&dana), tell(&lab.directly()), "{server:?}: {number}");
        }
    }
}

#[test]
fn out_parameters_of_a_prepared_call_come_as_a_result_and_the_session_goes_on() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let full = lab.add_full();
        let shape = Capabilities::MULTI_RESULTS | Capabilities::PS_MULTI_RESULTS;
        let mut wire = MysqlWire::connect(&full, shape);
        let made = "CREATE PROCEDURE twice(IN a INT, OUT b INT) BEGIN SELECT a; SET b = 2 * a; END";
        assert_eq!(wire.run(made), 0);
        let statement = wire.prepare("CALL twice(?, ?)").unwrap();
        // No NULLs, types given: two integers of four bytes.
        let values = [&[0_u8, 1, 3, 0, 3, 0][..], &21_i32.to_le_bytes(), &0_i32.to_le_bytes()].concat();
        wire.command(EXECUTE, &execute(statement, false, &values));
        assert_eq!(wire.rows().unwrap(), [[&[0_u8, 0][..], &21_i32.to_le_bytes()].concat()], "{server:?}");
        assert_eq!(wire.rows().unwrap(), [[&[0_u8, 0][..], &42_i32.to_le_bytes()].concat()], "{server:?}");
        assert_eq!(wire.outcome(), 0);
        assert_eq!(wire.query("SELECT 7").unwrap(), [b"\x017"]);
    }
}

#[test]
fn a_session_that_said_read_only_changes_nothing_and_reads_its_own_word() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let full = lab.add_full();
        let mut wire = MysqlWire::connect(&full, Capabilities::NONE);
        let asks = match server {
            Server::Mariadb => "SELECT @@session.tx_read_only",
            _ => "SELECT @@session.transaction_read_only",
        };
        let (off, on): (&[u8], &[u8]) = (b"\x010", b"\x011");
        let inserts = "INSERT INTO department VALUES ('x001', 'Extra')";
        assert_eq!(wire.query(asks).unwrap(), [off]);
        assert_eq!(wire.run("SET SESSION TRANSACTION READ ONLY"), 0);
        assert_eq!(wire.query("SELECT COUNT(*) FROM department").unwrap(), [b"\x019"]);
        assert_eq!(wire.run(inserts), 1792, "{server:?}");
        assert_eq!(wire.run("BEGIN"), 0);
        assert_eq!(wire.run(inserts), 1792, "{server:?}");
        assert_eq!(wire.run("ROLLBACK"), 0);
        assert_eq!(wire.query(asks).unwrap(), [on]);
        assert_eq!(wire.run("START TRANSACTION READ WRITE"), 0);
        assert_eq!(wire.run(inserts), 0);
        assert_eq!(wire.run("ROLLBACK"), 0);
        assert_eq!(wire.run("SET SESSION TRANSACTION READ WRITE"), 0);
        assert_eq!(wire.run(inserts), 0);
        assert_eq!(wire.query(asks).unwrap(), [off]);
        let set = asks.replace("SELECT @@", "SET @@") + " = ON";
        assert_eq!(wire.run(&set), 0);
        assert_eq!(wire.run(&inserts.replace("x001", "x002")), 1792);
        wire.command(RESET_CONNECTION, &[]);
        assert_eq!(wire.outcome(), 0);
        assert_eq!(wire.run("DELETE FROM department WHERE department_no = 'x001'"), 0);
    }
}

#[test]
fn who_may_only_read_is_told_what_is_missing_and_not_that_the_session_is_read_only() {
    reader(|lab, mut wire| {
        let asks = if lab.server() == Server::Mariadb { "@@tx_read_only" } else { "@@transaction_read_only" };
        assert_eq!(wire.query(&format!("SELECT {asks}")).unwrap(), [b"\x010"]);
        assert_eq!(wire.run("DELETE FROM department"), 1142);
    });
}

#[test]
fn a_session_in_a_database_that_was_dropped_is_in_none() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let full = lab.add("full");
        lab.superuser("GRANT ALL ON gone.* TO tidegate_admin; GRANT SELECT ON gone.* TO tidegate_read");
        let target = format!("hr_{}", server.name());
        lab.admin(&[
            "grant",
            "create",
            "--to",
            "full",
            "--target",
            &target,
            "--database",
            "*",
            "--all-tables",
            "--permission",
            "select,ddl,admin",
            "--for",
            "600s",
            "--reason",
            "scenario",
        ]);
        let mut wire = MysqlWire::connect(&full, Capabilities::NONE);
        assert_eq!(wire.run("CREATE DATABASE gone"), 0);
        assert_eq!(wire.run("USE gone"), 0);
        assert_eq!(wire.query("SELECT DATABASE()").unwrap(), [b"\x04gone"]);
        assert_eq!(wire.run("DROP DATABASE gone"), 0);
        assert_eq!(wire.query("SELECT DATABASE()").unwrap(), [b"\xfb"], "{server:?}");
        assert_eq!(wire.query("SELECT * FROM salary"), Err(1046));
    }
}

#[test]
fn a_connection_that_was_reset_knows_the_collation_of_its_database() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let dana = lab.add("dana");
        lab.grant("dana", "select", &[], 600);
        let asks = "SELECT @@collation_database";
        let direct = MysqlWire::connect(&lab.directly(), Capabilities::NONE).query(asks).unwrap();
        for turn in 0..3 {
            // What the session leaves has its connection reset before the next one gets it.
            let mut wire = MysqlWire::connect(&dana, Capabilities::NONE);
            assert_eq!(wire.query(asks).unwrap(), direct, "{server:?}, turn {turn}");
            assert_eq!(wire.query("SELECT @left := 1").unwrap().len(), 1);
        }
    }
}

#[test]
fn after_what_only_an_administrator_may_set_the_session_goes_on() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let full = lab.add_full();
        let privilege = if server == Server::Mariadb { "BINLOG ADMIN" } else { "SESSION_VARIABLES_ADMIN" };
        lab.superuser(&format!("GRANT {privilege} ON *.* TO tidegate_admin"));
        let mut wire = MysqlWire::connect(&full, Capabilities::NONE);
        assert_eq!(wire.query("SELECT COUNT(*) FROM department").unwrap(), [b"\x019"]);
        assert_eq!(wire.run("SET SESSION sql_log_bin = 0"), 0);
        assert_eq!(wire.query("SELECT @@sql_log_bin").unwrap(), [b"\x010"]);
        assert_eq!(wire.query("SELECT COUNT(*) FROM department").unwrap(), [b"\x019"]);
        assert_eq!(wire.run("DELETE FROM department WHERE department_no = 'none'"), 0);
    }
}
