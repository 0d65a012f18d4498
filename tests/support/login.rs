//! Somebody who logs in, and the clients that do it for them.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use super::{DATABASE, Server, root, text};

/// Where a client connects to, as whom.
#[derive(Clone, Debug)]
pub struct Login {
    pub server: Server,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub ca: PathBuf,
}

impl Login {
    /// What clients, and those of the tests, read from the environment.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut all = match self.server {
            Server::Postgres => self.for_libpq(),
            Server::Mariadb | Server::Mysql => self.for_mysql(),
        };
        all.push(("NODE_PATH", root().join(".cache/node/node_modules").display().to_string()));
        all.push(("PYTHONDONTWRITEBYTECODE", "1".to_owned()));
        all
    }

    fn for_mysql(&self) -> Vec<(&'static str, String)> {
        vec![
            ("MYSQL_HOST", "127.0.0.1".to_owned()),
            ("MYSQL_TCP_PORT", self.port.to_string()),
            ("MYSQL_USER", self.user.clone()),
            ("MYSQL_PWD", self.password.clone()),
            ("MYSQL_CA", self.ca.display().to_string()),
        ]
    }

    fn for_libpq(&self) -> Vec<(&'static str, String)> {
        vec![
            ("PGHOST", "localhost".to_owned()),
            ("PGPORT", self.port.to_string()),
            ("PGDATABASE", DATABASE.to_owned()),
            ("PGUSER", self.user.clone()),
            ("PGPASSWORD", self.password.clone()),
            ("PGSSLMODE", "verify-full".to_owned()),
            ("PGSSLROOTCERT", self.ca.display().to_string()),
            ("PGCONNECT_TIMEOUT", "10".to_owned()),
        ]
    }

    /// A client program with this login in its environment.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.envs(self.environment()).stdin(Stdio::null()).current_dir(root());
        command
    }

    /// Runs SQL with the client that belongs to the server; gives what it printed, errors in their place.
    pub fn sql(&self, sql: &str) -> String {
        if self.server == Server::Postgres {
            return self.psql(sql);
        }
        let script = format!("{} -N -f 2>&1 <<'SQL'\n{sql}\nSQL\n", self.mysql_client());
        text(&self.command("sh").args(["-c", &script]).output().unwrap())
    }

    /// The beginning of a shell command that runs the server's own `mysql`; TLS, certificates checked.
    pub fn mysql_client(&self) -> String {
        mysql_client(self.server == Server::Mysql, "mysql")
    }

    /// Runs SQL with psql; gives what it printed, errors in their place.
    pub fn psql(&self, sql: &str) -> String {
        let script = format!("psql -X -q -A -t -v VERBOSITY=verbose -f - 2>&1 <<'SQL'\n{sql}\nSQL\n");
        text(&self.command("sh").args(["-c", &script]).output().unwrap())
    }

    /// A connection in plain text; its task ends with it.
    pub async fn connect(&self) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let (client, connection) = tokio_postgres::Config::new()
            .host("127.0.0.1")
            .port(self.port)
            .user(&self.user)
            .password(&self.password)
            .dbname(DATABASE)
            .connect(tokio_postgres::NoTls)
            .await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

/// The beginning of a shell command for a client program of MySQL 9 (`nine`) or MariaDB: `mysql`, `mysqldump`.
///
/// The login is in the environment: see `Login::environment`.
pub fn mysql_client(nine: bool, program: &str) -> String {
    let (path, tls) = match (nine, program) {
        (true, program) => (format!("tests/support/mysql9 run {program}"), "--ssl-mode=VERIFY_CA"),
        (false, "mysql") => ("mariadb".to_owned(), "--ssl"),
        (false, _) => ("mariadb-dump".to_owned(), "--ssl"),
    };
    // What `mysqldump` dumps is named by its caller.
    let database = if program == "mysql" { format!("--database={DATABASE}") } else { String::new() };
    format!(
        "{path} --no-defaults {tls} --ssl-ca=\"$MYSQL_CA\" --host=127.0.0.1 --port=\"$MYSQL_TCP_PORT\" \
         --user=\"$MYSQL_USER\" --default-character-set=utf8mb4 {database}"
    )
}
