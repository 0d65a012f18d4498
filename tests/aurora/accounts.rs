//! The accounts of deploy/sql: what their lane needs, and no more; and those that hold more are told of.

use std::{fs, time::Duration};

use crate::{
    lab,
    support::{Lab, Login, Server, eventually, root},
};

/// Has the gateway log in with accounts made by the file of deploy/sql, whose names begin with "shipped_".
fn use_shipped(lab: &Lab) {
    let (file, settings) = match lab.server() {
        Server::Postgres => ("postgres.sql", "\\set owner tidegate_write\n\\set admin 1\n"),
        Server::Mariadb | Server::Mysql => ("mysql.sql", ""),
    };
    let sql = fs::read_to_string(root().join("deploy/sql").join(file)).unwrap();
    // The laboratory's own owner keeps its name.
    let sql = sql.replace("tidegate_", "shipped_");
    for _ in 0..2 {
        lab.superuser(&format!("{settings}{sql}"));
    }
    let config = lab.path("tidegate.yaml");
    let mut text = fs::read_to_string(&config).unwrap();
    for lane in ["read", "write", "admin"] {
        let file = lab.path(&format!("{}.{lane}.password", lab.server().name()));
        let password = fs::read_to_string(file).unwrap();
        match lab.server() {
            Server::Postgres => {
                drop(lab.superuser(&format!("ALTER ROLE shipped_{lane} PASSWORD '{password}'")))
            }
            Server::Mariadb | Server::Mysql if lane == "admin" => continue,
            Server::Mariadb | Server::Mysql => {
                drop(lab.superuser(&format!(
                    "ALTER USER shipped_{lane} IDENTIFIED BY '{password}' ACCOUNT UNLOCK"
                )))
            }
        }
        text = text.replace(&format!("user: tidegate_{lane}"), &format!("user: shipped_{lane}"));
    }
    // The database in which the accounts are looked at.
    fs::write(&config, text.replace("    tls: { mode", "    databases: [hr_prod]\n    tls: { mode")).unwrap();
}

fn restart(lab: &Lab) {
    lab.stop_gateway("SIGTERM");
    fs::write(lab.path("tidegate.log"), "").unwrap();
    lab.start_gateway();
}

/// What the log says of accounts that hold too much, once both lanes were looked at.
fn warnings(lab: &Lab) -> Vec<String> {
    eventually("both lanes were logged in to", Duration::from_secs(20), || {
        lab.metrics().contains("tidegate_target_up{target=") && {
            let log = fs::read_to_string(lab.path("tidegate.log")).unwrap();
            log.contains("ready")
        }
    });
    let log = fs::read_to_string(lab.path("tidegate.log")).unwrap();
    log.lines().filter(|line| line.contains("holds more than its lane needs")).map(str::to_owned).collect()
}

fn fails(login: &Login, sql: &str) -> bool {
    login.sql(sql).contains("ERROR")
}

#[test]
fn with_the_shipped_accounts_each_lane_does_its_work_and_holds_nothing_beyond() {
    for server in [Server::Postgres, Server::Mariadb, Server::Mysql] {
        let lab = lab!(Lab::of(server));
        let full = lab.add_full();
        use_shipped(&lab);
        restart(&lab);
        for sql in [
            "SELECT * FROM employee LIMIT 1;",
            "UPDATE employee SET email = email WHERE employee_no = 1;",
            "CREATE TABLE fresh (number int);",
            "INSERT INTO fresh VALUES (1);",
            "ALTER TABLE fresh ADD other int;",
            "SELECT COUNT(*) FROM fresh;",
            "DROP TABLE fresh;",
        ] {
            assert!(!fails(&full, sql), "{server:?}: {sql}: {}", full.sql(sql));
        }
        assert_eq!(warnings(&lab), [""; 0], "{server:?}");
        assert!(!lab.metrics().contains("tidegate_account_excess{lane=\"read\",target=\"hr\"} 1"));

        // Around the gateway, the reading account writes nothing.
        let read = Login { user: "shipped_read".to_owned(), password: password(&lab), ..lab.directly() };
        assert!(!fails(&read, "SELECT COUNT(*) FROM employee;"), "{server:?}: {}", read.sql("SELECT 1;"));
        let lifted = match server {
            Server::Postgres => "SET default_transaction_read_only = off;",
            Server::Mariadb | Server::Mysql => "",
        };
        for sql in [
            format!("{lifted} UPDATE employee SET email = email;").as_str(),
            "CREATE TABLE other (number int);",
            "DROP TABLE employee;",
        ] {
            assert!(fails(&read, sql), "{server:?}: {sql}");
        }
    }
}

fn password(lab: &Lab) -> String {
    fs::read_to_string(lab.path(&format!("{}.read.password", lab.server().name()))).unwrap()
}

#[test]
fn an_account_that_holds_more_than_its_lane_needs_is_told_of_in_log_metric_and_readiness() {
    for server in [Server::Postgres, Server::Mariadb, Server::Mysql] {
        let lab = lab!(Lab::of(server));
        use_shipped(&lab);
        let (more, write, read) = match server {
            Server::Postgres => (
                "GRANT INSERT ON department TO shipped_read; GRANT pg_read_server_files TO shipped_write",
                "pg_read_server_files",
                "writing public.department",
            ),
            Server::Mariadb | Server::Mysql => (
                "GRANT INSERT ON hr_prod.department TO shipped_read; GRANT FILE ON *.* TO shipped_write",
                "FILE",
                "writing `hr_prod`.`department`",
            ),
        };
        lab.superuser(more);
        restart(&lab);
        eventually("both are told of", Duration::from_secs(20), || warnings(&lab).len() == 2);
        let metrics = lab.metrics();
        let target = server.target();
        for lane in ["read", "write"] {
            let line = format!("tidegate_account_excess{{lane=\"{lane}\",target=\"{target}\"}} 1");
            assert!(metrics.contains(&line), "{server:?}: {lane}");
        }
        let ready = lab.get("/readyz");
        for words in [
            format!("the read account \\\"shipped_read\\\" holds {read}"),
            format!("the write account \\\"shipped_write\\\" holds {write}"),
        ] {
            assert!(ready.contains(&words), "{server:?}: {words}: {ready}");
        }
    }
}
