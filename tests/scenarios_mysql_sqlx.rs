//! sqlx, told the same thing twice: by MariaDB or MySQL 9 itself, and through the gateway.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;
mod transcripts;

use futures_util::TryStreamExt as _;
use serde_json::json;
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Executor as _, MySqlConnection,
    Row as _, TypeInfo as _,
    mysql::{MySqlConnectOptions, MySqlRow, MySqlSslMode},
};
use support::{Lab, Login, Server};
use transcripts::{plain_mysql, same};

#[tokio::test(flavor = "multi_thread")]
async fn sqlx_sees_no_difference_on_mariadb() {
    compare(Server::Mariadb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlx_sees_no_difference_on_mysql() {
    compare(Server::Mysql).await;
}

async fn compare(server: Server) {
    let lab = Lab::with_gateway(server, &json!({ "limits": "limits: { statement_bytes: 67108864 }" }));
    let lab = lab!(lab);
    let full = lab.add_full();
    let direct = tell(&lab.directly()).await.expect("without the gateway it works");
    let gate = tell(&full).await.unwrap_or_else(|error| format!("through the gateway: {error}"));
    same("sqlx", &plain_mysql(&direct), &plain_mysql(&gate));
}

async fn tell(login: &Login) -> Result<String, sqlx::Error> {
    let mut said = Vec::new();
    let mut connection = connect(login).await?;
    values(&mut connection, &mut said).await?;
    transactions(&mut connection, &mut said).await?;
    changes_behind_a_lock(&mut connection, &mut said).await?;
    several_statements(&mut connection, &mut said).await?;
    errors(&mut connection, &mut said).await;
    long_ones(&mut connection, &mut said).await?;
    connection.ping().await?;
    connection.close().await?;
    Ok(said.join("\n"))
}

async fn connect(login: &Login) -> Result<MySqlConnection, sqlx::Error> {
    MySqlConnectOptions::new()
        .host("127.0.0.1")
        .port(login.port)
        .username(&login.user)
        .password(&login.password)
        .database(support::DATABASE)
        .ssl_mode(MySqlSslMode::VerifyCa)
        .ssl_ca(&login.ca)
        .connect()
        .await
}

/// Prepared statements, kept by the driver and run again, in the binary protocol.
async fn values(connection: &mut MySqlConnection, said: &mut Vec<String>) -> Result<(), sqlx::Error> {
    for number in 1..8 {
        let row = sqlx::query("SELECT employee_no, first_name, email FROM employee WHERE employee_no = ?")
            .bind(number)
            .fetch_one(&mut *connection)
            .await?;
        let who: (i32, String, String) = (row.get(0), row.get(1), row.get(2));
        said.push(format!("{who:?} {}", columns(&row)));
    }
    let row = sqlx::query("SELECT ?, ?, ?, ?")
        .bind(1.5_f64)
        .bind("Zoë")
        .bind(vec![0_u8, 255])
        .bind(None::<i64>)
        .fetch_one(&mut *connection)
        .await?;
    let back: (f64, String, Vec<u8>, Option<i64>) = (row.get(0), row.get(1), row.get(2), row.get(3));
    said.push(format!("{back:?} {}", columns(&row)));
    Ok(())
}

async fn transactions(connection: &mut MySqlConnection, said: &mut Vec<String>) -> Result<(), sqlx::Error> {
    let count = "SELECT COUNT(*) FROM department";
    for keep in [false, true] {
        let mut transaction = connection.begin().await?;
        let insert = "INSERT INTO department VALUES (?, ?)";
        let done = sqlx::query(insert).bind("r001").bind("Rust").execute(&mut *transaction).await?;
        said.push(format!("{} {}", done.rows_affected(), done.last_insert_id()));
        if keep {
            transaction.commit().await?
        } else {
            transaction.rollback().await?
        }
        let rows: i64 = sqlx::query_scalar(count).fetch_one(&mut *connection).await?;
        said.push(format!("kept: {keep}, rows: {rows}"));
    }
    let done = connection.execute("DELETE FROM department WHERE department_no = 'r001'").await?;
    said.push(format!("{} deleted", done.rows_affected()));
    Ok(())
}

/// As migrations do it: a lock ties the session, a definition ends the transaction, and reads come before a change is
/// prepared.
async fn changes_behind_a_lock(
    connection: &mut MySqlConnection,
    said: &mut Vec<String>,
) -> Result<(), sqlx::Error> {
    let locked: i64 =
        sqlx::query_scalar("SELECT GET_LOCK(?, 5)").bind("steps").fetch_one(&mut *connection).await?;
    said.push(format!("locked: {locked}"));
    sqlx::query("CREATE TABLE step (number INT PRIMARY KEY, done INT)").execute(&mut *connection).await?;
    let mut transaction = connection.begin().await?;
    sqlx::query("INSERT INTO step VALUES (?, 0)").bind(1).execute(&mut *transaction).await?;
    transaction.execute("ALTER TABLE step ADD COLUMN more INT").await?;
    transaction.commit().await?;
    for change in ["UPDATE step SET done = ? WHERE number = 1", "DELETE FROM step WHERE number = ?"] {
        let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM step").fetch_one(&mut *connection).await?;
        let done = sqlx::query(change).bind(1).execute(&mut *connection).await?;
        said.push(format!("{rows} rows, {} changed", done.rows_affected()));
    }
    let freed: i64 =
        sqlx::query_scalar("SELECT RELEASE_LOCK(?)").bind("steps").fetch_one(&mut *connection).await?;
    connection.execute("DROP TABLE step").await?;
    said.push(format!("freed: {freed}"));
    Ok(())
}

async fn several_statements(
    connection: &mut MySqlConnection,
    said: &mut Vec<String>,
) -> Result<(), sqlx::Error> {
    let mut all =
        sqlx::raw_sql("SELECT 1; SET @x = 2; SELECT @x, 'three'; SELECT 'four' FROM department LIMIT 2")
            .fetch_many(&mut *connection);
    while let Some(step) = all.try_next().await? {
        said.push(
            step.map_left(|done| done.rows_affected()).map_right(|row| columns(&row)).either_into_text(),
        );
    }
    Ok(())
}

async fn errors(connection: &mut MySqlConnection, said: &mut Vec<String>) {
    for sql in ["SELEC 1", "SELECT * FROM nowhere", "INSERT INTO department VALUES ('d001', 'again')"] {
        for prepared in [false, true] {
            let outcome = if prepared {
                sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await
            } else {
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await
            };
            said.push(format!("{sql}, prepared: {prepared}: {}", outcome.unwrap_err()));
        }
    }
}

async fn long_ones(connection: &mut MySqlConnection, said: &mut Vec<String>) -> Result<(), sqlx::Error> {
    let mut sum = 0_i64;
    let mut rows = sqlx::query("SELECT e.employee_no FROM employee e, department d").fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        sum += i64::from(row.get::<i32, _>(0));
    }
    drop(rows);
    said.push(format!("sum: {sum}"));
    // More than one packet of 16 MiB, there and back.
    let long = "y".repeat((1 << 24) + 7);
    let back: String =
        sqlx::query_scalar("SELECT CONCAT(?, 'z')").bind(&long).fetch_one(&mut *connection).await?;
    said.push(format!("length: {}", back.len()));
    Ok(())
}

fn columns(row: &MySqlRow) -> String {
    let column =
        |column: &sqlx::mysql::MySqlColumn| format!("{}: {}", column.name(), column.type_info().name());
    row.columns().iter().map(column).collect::<Vec<_>>().join(", ")
}

/// One line, whichever side it is.
trait EitherIntoText {
    fn either_into_text(self) -> String;
}

impl EitherIntoText for sqlx::Either<u64, String> {
    fn either_into_text(self) -> String {
        match self {
            Self::Left(rows) => format!("{rows} rows affected"),
            Self::Right(row) => row,
        }
    }
}
