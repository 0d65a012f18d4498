//! New databases on the PostgreSQL that the tests may play with.
#![allow(dead_code, unreachable_pub)]

use std::{env, thread};

use tokio_postgres::{Config, NoTls, config::Host};
use uuid::Uuid;

/// A database that nothing is kept in yet, and its superuser; gone when this is dropped.
#[derive(Debug)]
pub struct Fresh {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub database: String,
    server: Config,
}

impl Fresh {
    /// One on the server of `TIDEGATE_TEST_PG_URL`; `None` if there is no server, which is a failure where `CI` is set.
    pub async fn new() -> Option<Self> {
        let Ok(url) = env::var("TIDEGATE_TEST_PG_URL") else {
            assert!(env::var_os("CI").is_none(), "no PostgreSQL: run through tests/support/with_server");
            eprintln!("skipped: no PostgreSQL; run through tests/support/with_server");
            return None;
        };
        Some(Self::on(url.parse().unwrap()).await)
    }

    /// One on this server.
    pub async fn on(server: Config) -> Self {
        let database = format!("store_{}", Uuid::now_v7().simple());
        run(&server, &format!("CREATE DATABASE {database}")).await;
        let Some(Host::Tcp(host)) = server.get_hosts().first() else { panic!("a server by TCP") };
        Self {
            host: host.clone(),
            port: server.get_ports()[0],
            user: server.get_user().unwrap().to_owned(),
            password: String::from_utf8(server.get_password().unwrap_or_default().to_vec()).unwrap(),
            database,
            server,
        }
    }

    /// Runs SQL in it, as the superuser.
    pub async fn run(&self, sql: &str) {
        let mut server = self.server.clone();
        server.dbname(&self.database);
        run(&server, sql).await;
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let (server, sql) = (self.server.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.database));
        // Whoever drops it may be within a runtime already.
        let dropped = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                if let Ok((client, connection)) = server.connect(NoTls).await {
                    tokio::spawn(connection);
                    let _ = client.batch_execute(&sql).await;
                }
            });
        });
        let _ = dropped.join();
    }
}

async fn run(server: &Config, sql: &str) {
    let (client, connection) = server.connect(NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
}
