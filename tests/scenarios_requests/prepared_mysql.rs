//! Statements that were approved to run once, by COM_STMT_PREPARE and COM_STMT_EXECUTE: as drivers send them.

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, MySqlConnection,
    mysql::{MySqlConnectOptions, MySqlSslMode},
};
use tidegate::wire::mysql::capability::Capabilities;

use super::{
    approving::{Approving, email},
    lab, lab_of,
    support::{
        self, Login, Server,
        mysql_wire::{MysqlWire, execute},
    },
};

const SQL: &str = "UPDATE employee SET email = 'new@example.com' WHERE employee_no = 7";

#[test]
fn what_was_approved_is_prepared_and_runs_once_on_mariadb() {
    runs_once(Server::Mariadb);
}

#[test]
fn what_was_approved_is_prepared_and_runs_once_on_mysql() {
    runs_once(Server::Mysql);
}

fn runs_once(server: Server) {
    let lab = lab!(lab_of(server));
    let approving = Approving::new(&lab);
    let sam = lab.add("sam");
    lab.grant("sam", "explain", &[], 600);
    let mut wire = MysqlWire::connect(&approving.login, Capabilities::NONE);
    assert_eq!(wire.prepare(SQL), Err(1142), "not approved yet");
    let grant = approving.approve(SQL);
    for other in [SQL.replace('7', "8"), SQL.replace("new@", "old@"), SQL.replace('7', "?")] {
        assert_eq!(wire.prepare(&other), Err(1142), "{other}");
    }
    assert_eq!(MysqlWire::connect(&sam, Capabilities::NONE).prepare(SQL), Err(1142), "another person");
    assert_eq!(wire.run("BEGIN"), 0);
    assert_eq!(wire.prepare(SQL), Err(1142), "in a transaction");
    assert_eq!(wire.run("ROLLBACK"), 0);
    let statement = wire.prepare(SQL).unwrap();
    assert_eq!(wire.run("BEGIN"), 0);
    let runs = |wire: &mut MysqlWire, statement| {
        wire.command(0x17, &execute(statement, false, &[]));
        wire.outcome()
    };
    assert_eq!(runs(&mut wire, statement), 1142, "in a transaction");
    assert_eq!(wire.run("ROLLBACK"), 0);
    assert_eq!(approving.used(), 0, "preparing runs nothing");
    assert_eq!(runs(&mut wire, statement), 0);
    assert!(email(&lab).contains("new@example.com"));
    assert_eq!(runs(&mut wire, statement), 1142, "once");
    assert_eq!(wire.prepare(SQL), Err(1142), "once");
    assert_eq!((approving.used(), approving.run_on(&grant).len()), (1, 1));

    let grant = approving.approve(SQL);
    let statement = wire.prepare(SQL).unwrap();
    lab.revoke(&grant);
    assert_eq!(runs(&mut wire, statement), 1142, "revoked");
    let mut other = MysqlWire::connect(&approving.login, Capabilities::NONE);
    approving.approve(SQL);
    let (first, second) = (wire.prepare(SQL).unwrap(), other.prepare(SQL).unwrap());
    wire.command(0x17, &execute(first, false, &[]));
    other.command(0x17, &execute(second, false, &[]));
    let mut outcomes = [wire.outcome(), other.outcome()];
    outcomes.sort_unstable();
    assert_eq!(outcomes, [0, 1142], "of two at the same instant one runs");
}

#[test]
fn rows_of_a_cursor_are_one_run_on_mariadb() {
    fetches_in_pieces(Server::Mariadb);
}

#[test]
fn rows_of_a_cursor_are_one_run_on_mysql() {
    fetches_in_pieces(Server::Mysql);
}

fn fetches_in_pieces(server: Server) {
    let lab = lab!(lab_of(server));
    let approving = Approving::new(&lab);
    let mut wire = MysqlWire::connect(&approving.login, Capabilities::NONE);
    let reads = "SELECT employee_no FROM salary ORDER BY employee_no LIMIT 5";
    let opens = |wire: &mut MysqlWire, statement| {
        wire.command(0x17, &execute(statement, true, &[]));
        assert_eq!(wire.payload(), [1], "one column");
        (0..2).for_each(|_| drop(wire.payload()));
    };
    let fetch = |wire: &mut MysqlWire, statement: u32| {
        wire.command(0x1c, &[statement.to_le_bytes(), 2_u32.to_le_bytes()].concat());
        wire.rows_only().map(|(rows, _)| rows.len())
    };
    approving.approve(reads);
    let statement = wire.prepare(reads).unwrap();
    opens(&mut wire, statement);
    assert_eq!([0; 3].map(|_| fetch(&mut wire, statement)), [Ok(2), Ok(2), Ok(1)]);
    assert_eq!(approving.used(), 1);
    wire.command(0x17, &execute(statement, true, &[]));
    assert_eq!(wire.outcome(), 1142, "once");

    let grant = approving.approve(reads);
    opens(&mut wire, statement);
    assert_eq!(fetch(&mut wire, statement), Ok(2));
    lab.revoke(&grant);
    assert_eq!(fetch(&mut wire, statement), Err(1142), "revoked in between");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlx_runs_an_approved_statement_once() {
    for server in [Server::Mariadb, Server::Mysql] {
        let Some(lab) = lab_of(server) else { continue };
        let approving = Approving::new(&lab);
        let mut dana = connect(&approving.login).await;
        let refused = sqlx::query(AssertSqlSafe(SQL)).execute(&mut dana).await;
        assert!(refused.is_err(), "not approved yet");
        approving.approve(SQL);
        let changed = sqlx::query(AssertSqlSafe(SQL)).execute(&mut dana).await.unwrap();
        assert_eq!(changed.rows_affected(), 1, "{server:?}");
        assert!(sqlx::query(AssertSqlSafe(SQL)).execute(&mut dana).await.is_err(), "{server:?}: once");
        assert_eq!(approving.used(), 1, "{server:?}");
    }
}

async fn connect(login: &Login) -> MySqlConnection {
    let options = MySqlConnectOptions::new()
        .host("127.0.0.1")
        .port(login.port)
        .username(&login.user)
        .password(&login.password)
        .database(support::DATABASE)
        .ssl_mode(MySqlSslMode::VerifyCa)
        .ssl_ca(&login.ca);
    options.connect().await.unwrap()
}
