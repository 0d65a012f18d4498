//! Many sessions over few connections: each sees what it would see alone, and nothing of another's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::time::{Duration, Instant};

use serde_json::json;
use support::{Lab, Login, eventually};
use tokio_postgres::{Client, SimpleQueryMessage};

/// The first column of every row, and how often a statement of the text was done.
async fn ask(client: &Client, sql: &str) -> String {
    match client.simple_query(sql).await {
        Ok(messages) => messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("null").to_owned()),
                SimpleQueryMessage::CommandComplete(count) => Some(format!("/{count}")),
                _ => None,
            })
            .collect::<Vec<_>>()
            .join(" "),
        Err(error) => support::sqlstate(&error),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// What a session leaves, and how the next would see it.
const LEFT: [(&str, &str); 10] = [
    ("SET timezone = 'Pacific/Apia'", "SHOW timezone"),
    ("SET my.secret = 'x'", "SELECT current_setting('my.secret', true)"),
    ("SET search_path = pg_catalog", "SHOW search_path"),
    ("PREPARE left_there AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements"),
    ("CREATE TEMP TABLE left_there (a int)", "SELECT count(*) FROM pg_class WHERE relname = 'left_there'"),
    ("SELECT pg_advisory_lock(77)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
    ("LISTEN left_there", "SELECT count(*) FROM pg_listening_channels()"),
    ("DECLARE left_there CURSOR WITH HOLD FOR SELECT 1", "SELECT count(*) FROM pg_cursors"),
    ("SELECT set_config('timezone', 'Pacific/Apia', false)", "SHOW timezone"),
    ("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SHOW transaction_isolation"),
];

#[test]
fn nothing_that_a_session_leaves_is_seen_by_the_next() {
    let lab = lab!(Lab::gateway(&json!({ "plaintext": true, "pool": 1 })));
    let full = lab.add_full();
    runtime().block_on(async {
        for (leave, look) in LEFT {
            let alone = ask(&full.connect().await.unwrap(), look).await;
            let one = full.connect().await.unwrap();
            ask(&one, "SELECT count(*) FROM employee").await;
            let left = ask(&one, leave).await;
            assert!(left.contains('/'), "{leave}: {left}");
            drop(one);
            assert_eq!(ask(&full.connect().await.unwrap(), look).await, alone, "{leave}");
        }
    });
}

#[test]
fn what_code_in_a_view_leaves_is_taken_away() {
    let lab = lab!(Lab::gateway(&json!({ "plaintext": true, "pool": 1 })));
    lab.superuser(
        "CREATE FUNCTION public.hides() RETURNS text LANGUAGE sql AS \
         $$SELECT pg_catalog.set_config('timezone', 'Pacific/Apia', false)$$; \
         CREATE VIEW public.harmless_name AS SELECT public.hides() AS h; \
         CREATE TABLE public.guarded (a int); INSERT INTO public.guarded VALUES (1); \
         CREATE POLICY p ON public.guarded USING (public.hides() IS NOT NULL); \
         ALTER TABLE public.guarded ENABLE ROW LEVEL SECURITY; \
         GRANT SELECT ON public.harmless_name, public.guarded TO PUBLIC",
    );
    lab.grant("omar", "select", &[], 3600);
    let omar = lab.add("omar");
    runtime().block_on(async {
        let alone = ask(&omar.connect().await.unwrap(), "SHOW timezone").await;
        for hidden in ["SELECT * FROM harmless_name", "SELECT * FROM guarded"] {
            let one = omar.connect().await.unwrap();
            let ran = ask(&one, hidden).await;
            assert!(ran.ends_with("/1"), "{hidden}: {ran}");
            assert!(ask(&one, "SHOW timezone").await.contains("Apia"), "{hidden} has done nothing");
            drop(one);
            assert_eq!(ask(&omar.connect().await.unwrap(), "SHOW timezone").await, alone, "{hidden}");
        }
    });
}

#[test]
fn readers_share_a_connection_statement_by_statement() {
    let lab = lab!(Lab::gateway(&json!({ "plaintext": true, "pool": 1 })));
    lab.grant("omar", "select", &[], 3600);
    let omar = lab.add("omar");
    runtime().block_on(async {
        let clients = [omar.connect().await.unwrap(), omar.connect().await.unwrap()];
        let process = "SELECT pg_backend_pid()";
        let first = ask(&clients[0], process).await;
        let begin = Instant::now();
        for _ in 0..200 {
            let both = tokio::join!(ask(&clients[0], process), ask(&clients[1], process));
            assert_eq!(both, (first.clone(), first.clone()));
        }
        // With a turn of 20 ms each it would take eight seconds.
        assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
    });
}

/// A session's steps; what they give depends on its number and on nothing else.
async fn session(client: Client, number: usize, steps: usize) -> Vec<String> {
    let zone = ["UTC", "Europe/Berlin", "Asia/Tokyo", "America/Lima"][number % 4];
    let mut said = vec![ask(&client, &format!("SET timezone = '{zone}'")).await];
    let named = client.prepare("SELECT first_name FROM employee WHERE employee_no = $1").await.unwrap();
    let holds = number.is_multiple_of(16);
    if holds {
        said.push(ask(&client, "CREATE TEMP TABLE own (a int)").await);
        said.push(ask(&client, &format!("SELECT pg_advisory_lock({number})")).await);
    }
    for step in 0..steps {
        let key = (number * 31 + step * 7) % 50;
        said.push(match step % 8 {
            0 => ask(&client, "SHOW timezone").await,
            1 => {
                ask(
                    &client,
                    &format!(
                        "SELECT employee_no FROM employee WHERE employee_no >= {key} ORDER BY 1 LIMIT 2"
                    ),
                )
                .await
            }
            2 | 6 => {
                let key = i32::try_from(10_001 + key).unwrap();
                let rows = client.query(&named, &[&key]).await.unwrap();
                rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join(" ")
            }
            3 => {
                ask(
                    &client,
                    &format!(
                        "BEGIN; SET LOCAL my.step = '{step}'; SELECT current_setting('my.step'); COMMIT"
                    ),
                )
                .await
            }
            4 if holds => {
                ask(&client, &format!("INSERT INTO own VALUES ({step}); SELECT count(*) FROM own")).await
            }
            4 => ask(&client, "SELECT count(*) FROM department").await,
            5 => ask(&client, "SELECT to_char(timestamptz 'epoch', 'HH24')").await,
            _ => ask(&client, "SELECT 1/0").await,
        });
    }
    said
}

async fn all(login: &Login, sessions: usize, steps: usize) -> Vec<Vec<String>> {
    let mut clients = Vec::new();
    for _ in 0..sessions {
        // One after the other: logging in is slow in a build for tests.
        clients.push(login.connect().await.unwrap());
    }
    let running: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(number, client)| tokio::spawn(session(client, number, steps)))
        .collect();
    let mut said = Vec::new();
    for one in running {
        said.push(one.await.unwrap());
    }
    said
}

#[test]
fn many_sessions_over_few_connections_see_what_they_would_see_alone() {
    let lab = lab!(Lab::gateway(&json!({ "plaintext": true, "pool": 6 })));
    let full = lab.add_full();
    runtime().block_on(async {
        let directly = all(&lab.directly(), 24, 200).await;
        let begin = Instant::now();
        let through = all(&full, 24, 200).await;
        for (number, (one, other)) in directly.iter().zip(&through).enumerate() {
            assert_eq!(one, other, "session {number}");
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
    });
    eventually("the connections are back", Duration::from_secs(5), || {
        !lab.metrics().lines().any(|line| {
            line.starts_with("tidegate_pool_connections") && line.contains("leased") && !line.ends_with(" 0")
        })
    });
}
