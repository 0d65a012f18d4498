//! Real clients of MySQL's kind, told the same thing twice: to MariaDB or MySQL 9 itself, and through the gateway as
//! somebody who may do everything. What they see has to be the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;
mod transcripts;

use std::{path::Path, process::Command, time::Duration};

use serde_json::json;
use support::{Lab, Login, Server, login::mysql_client, root, run_within, text};
use transcripts::{plain_mysql, same};

const PYTHON: &str = ".cache/python/bin/python";
const JAVA: &str = "/usr/share/java/mariadb-java-client.jar";

#[test]
fn the_mariadb_command_line_sees_no_difference_on_mariadb() {
    command_line(Server::Mariadb, false, "");
}

#[test]
fn the_mariadb_command_line_sees_no_difference_on_mysql() {
    command_line(Server::Mysql, false, "");
}

#[test]
fn the_mysql_command_line_sees_no_difference_on_mariadb() {
    command_line(Server::Mariadb, true, "");
}

#[test]
fn the_mysql_command_line_sees_no_difference_on_mysql() {
    command_line(Server::Mysql, true, "");
}

#[test]
fn python_drivers_see_no_difference_on_mariadb() {
    programs(Server::Mariadb, PYTHON_DRIVERS, false);
}

#[test]
fn python_drivers_see_no_difference_on_mysql() {
    programs(Server::Mysql, PYTHON_DRIVERS, false);
}

#[test]
fn mysql2_and_connector_j_see_no_difference_on_mariadb() {
    programs(Server::Mariadb, OTHER_DRIVERS, false);
}

#[test]
fn mysql2_and_connector_j_see_no_difference_on_mysql() {
    programs(Server::Mysql, OTHER_DRIVERS, false);
}

#[test]
fn who_compresses_sees_no_difference_on_mariadb() {
    command_line(Server::Mariadb, false, "--compress");
    programs(Server::Mariadb, COMPRESSING_DRIVERS, true);
}

#[test]
fn who_compresses_sees_no_difference_on_mysql() {
    for algorithm in ["zlib", "zstd --zstd-compression-level=22"] {
        command_line(Server::Mysql, true, &format!("--compression-algorithms={algorithm}"));
    }
    programs(Server::Mysql, COMPRESSING_DRIVERS, true);
}

#[test]
fn mysqldump_writes_the_same_file_with_an_export_grant() {
    for server in [Server::Mariadb, Server::Mysql] {
        let Some(lab) = lab_of(server) else { return };
        let dana = lab.add("dana");
        lab.grant("dana", "export", &[], 600);
        for nine in [false, true] {
            // What locks tables, or asks for more than reading rights, is left out: it is not an export.
            let options =
                "--single-transaction --skip-lock-tables --no-tablespaces --skip-dump-date --skip-triggers";
            let (of_nine, statistics) = if nine && server == Server::Mysql {
                ("--set-gtid-purged=OFF --skip-masking-policies", "--column-statistics=0")
            } else if nine {
                ("--skip-masking-policies", "--column-statistics=0")
            } else {
                ("", "")
            };
            let script =
                format!("{} {options} {of_nine} {statistics} hr_prod 2>&1", mysql_client(nine, "mysqldump"));
            let tell = |login: &Login| text(&run_within(login.command("sh").args(["-c", &script]), PATIENCE));
            let direct = tell(&lab.directly());
            assert!(direct.contains("INSERT INTO `salary` VALUES"), "{server:?} {nine}: {}", head(&direct));
            let gate = tell(&dana);
            same(
                &format!("mysqldump of {server:?}, nine: {nine}"),
                &plain_mysql(&direct),
                &plain_mysql(&gate),
            );
        }
    }
}

fn command_line(server: Server, nine: bool, options: &str) {
    let Some(lab) = lab_of(server) else { return };
    let full = lab.add_full();
    let (mut directly, mut through) = (Vec::new(), Vec::new());
    for script in ["basics", "describe", "transactions", "definitions", "session", "errors"] {
        let warnings = if script == "errors" { "" } else { "--show-warnings" };
        let command = format!(
            "{} {options} --table -vv --force --unbuffered {warnings} --comments < tests/clients/mysql_cli/{script}.sql 2>&1",
            mysql_client(nine, "mysql")
        );
        let tell = |login: &Login| text(&run_within(login.command("sh").args(["-c", &command]), PATIENCE));
        let direct = tell(&lab.directly());
        assert!(direct.contains("| last |"), "{script} does not come to its end: {direct}");
        directly.extend(plain_mysql(&direct));
        through.extend(plain_mysql(&tell(&full)));
    }
    same("the command line", &directly, &through);
}

/// A client: how it is started, and without which file it is not installed.
type Program = (&'static str, &'static [&'static str], &'static str);

const PYTHON_DRIVERS: &[Program] = &[
    (PYTHON, &["tests/clients/pymysql_.py"], PYTHON),
    (PYTHON, &["tests/clients/mysqlclient_.py"], PYTHON),
    (PYTHON, &["tests/clients/mysql_connector.py", "pure"], PYTHON),
    (PYTHON, &["tests/clients/mysql_connector.py", "c"], PYTHON),
];

const OTHER_DRIVERS: &[Program] = &[MYSQL2, CONNECTOR_J];

/// Those of them that compress when they are told to.
const COMPRESSING_DRIVERS: &[Program] =
    &[(PYTHON, &["tests/clients/mysqlclient_.py"], PYTHON), MYSQL2, CONNECTOR_J];

const MYSQL2: Program =
    ("node", &["--no-deprecation", "tests/clients/mysql2_.js"], ".cache/node/node_modules/mysql2");

const CONNECTOR_J: Program = (
    "java",
    &["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", JAVA, "tests/clients/MariadbConnector.java"],
    JAVA,
);

fn programs(server: Server, programs: &[Program], compress: bool) {
    let Some(lab) = lab_of(server) else { return };
    let full = lab.add_full();
    let (mut directly, mut through) = (Vec::new(), Vec::new());
    for (program, arguments, needs) in programs {
        if !Path::new(needs).exists() && !root().join(needs).exists() {
            assert!(std::env::var_os("CI").is_none(), "{needs} is not here: run `make setup`");
            eprintln!("skipped: {needs} is not here; `make setup` installs it");
            continue;
        }
        let here = root().join(program);
        let program = if here.exists() { here.display().to_string() } else { (*program).to_owned() };
        let tell = |login: &Login| {
            let mut command: Command = login.command(&program);
            if compress {
                command.env("MYSQL_COMPRESS", "1");
            }
            let done = run_within(command.args(*arguments), PATIENCE);
            eprintln!("{}", String::from_utf8_lossy(&done.stderr));
            String::from_utf8_lossy(&done.stdout).into_owned()
        };
        let direct = tell(&lab.directly());
        assert!(!direct.contains("UNEXPECTED"), "the client fails without the gateway already:\n{direct}");
        for (told, transcript) in [(&mut directly, direct), (&mut through, tell(&full))] {
            told.push(format!("# {}", arguments.join(" ")));
            told.extend(plain_mysql(&transcript));
        }
    }
    if !directly.is_empty() {
        same("programs", &directly, &through);
    }
}

/// With limits that let packets of more than 16 MiB through.
fn lab_of(server: Server) -> Option<Lab> {
    Lab::with_gateway(server, &json!({ "limits": "limits: { statement_bytes: 67108864 }" }))
}

fn head(text: &str) -> &str {
    let end = text.char_indices().nth(2000).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

/// Longer than any client needs, shorter than somebody's patience.
const PATIENCE: Duration = Duration::from_secs(180);
