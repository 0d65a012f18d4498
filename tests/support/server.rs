//! The kinds of database servers that a laboratory can have.

use std::process::Command;

use super::root;

/// A database server that is started for a test.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Server {
    /// The newest PostgreSQL of the machine.
    Postgres,
    /// The machine's MariaDB.
    Mariadb,
    /// A MySQL 9 of the project's own: tests/support/mysql9.
    Mysql,
}

impl Server {
    /// What lab.py calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
            Self::Mysql => "mysql",
        }
    }

    /// What it is called as a target of the gateway.
    pub fn target(self) -> &'static str {
        match self {
            Self::Postgres => "hr",
            Self::Mariadb => "hr_mariadb",
            Self::Mysql => "hr_mysql",
        }
    }

    /// What is not installed of what it needs.
    pub fn missing(self) -> Option<&'static str> {
        let (name, test) = match self {
            Self::Postgres => ("PostgreSQL", "ls /usr/lib/postgresql/*/bin/initdb || command -v initdb"),
            Self::Mariadb => {
                ("MariaDB", "{ command -v mariadbd || ls /usr/sbin/mariadbd; } && command -v mariadb")
            }
            // It is not fetched in the middle of a test.
            Self::Mysql => ("MySQL 9", "ls \"${TIDEGATE_SID:-.cache/sid}/usr/sbin/mysqld\""),
        };
        let here = |test: &str| {
            let done = Command::new("sh").args(["-c", test]).current_dir(root()).output();
            done.is_ok_and(|done| done.status.success())
        };
        if !here("command -v python3") {
            return Some("python3");
        }
        (!here(test)).then_some(name)
    }
}

/// How the same thing is said and seen.
impl Server {
    /// A table as it is named in grants.
    pub fn table(self, name: &str) -> String {
        match self {
            Self::Postgres => format!("public.{name}"),
            Self::Mariadb | Self::Mysql => name.to_owned(),
        }
    }

    /// What the client prints of a refusal.
    pub fn refused(self) -> &'static str {
        match self {
            Self::Postgres => "ERROR:  42501: permission denied",
            Self::Mariadb | Self::Mysql => "ERROR 1142 (42000)",
        }
    }

    /// What it prints of an error of any kind.
    pub fn error(self) -> &'static str {
        "ERROR"
    }

    /// A statement of half a minute that reads employee.
    pub fn slow(self) -> &'static str {
        match self {
            Self::Postgres => "SELECT count(pg_sleep(0.01)) FROM employee;",
            // COUNT would not call what is never null.
            Self::Mariadb | Self::Mysql => "SELECT SUM(SLEEP(0.01)) FROM employee;",
        }
    }

    /// Statements that go to the server in one message.
    pub fn batch(self, statements: &[&str]) -> String {
        match self {
            Self::Postgres => format!("{};", statements.join(" \\; ")),
            Self::Mariadb | Self::Mysql => {
                format!("DELIMITER //\n{} //\nDELIMITER ;", statements.join("; "))
            }
        }
    }

    /// How many statements of the gateway's accounts run in the server.
    pub fn running(self) -> &'static str {
        match self {
            Self::Postgres => {
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND usename LIKE 'tidegate%'"
            }
            Self::Mariadb | Self::Mysql => {
                "SELECT COUNT(*) FROM information_schema.processlist \
                 WHERE command IN ('Query', 'Execute') AND user LIKE 'tidegate%'"
            }
        }
    }
}
