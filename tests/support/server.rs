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
