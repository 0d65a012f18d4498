//! Many sessions over few connections: each sees what it would see alone, and nothing of another's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod pooling;
mod support;

use std::{
    collections::BTreeMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use pooling::{compare, mysql, postgres, postgres::ask, runtime, setting};
use serde_json::json;
use support::{Lab, Login, Server, eventually};
use tokio::sync::Semaphore;
use tokio_postgres::Client;

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

/// Many sessions of one person, and waits that are bounded by the test alone.
fn crowded(server: Server, pool: usize) -> Option<Lab> {
    Lab::with_gateway(
        server,
        &json!({ "plaintext": true, "pool": pool, "wait": 110_000,
            "limits": "limits: { sessions_per_principal: 2000, login_timeout_ms: 60000 }" }),
    )
}

/// Somebody who may do everything, and what the scripts write to.
fn prepared(lab: &Lab, table: &str) -> Login {
    lab.superuser(table);
    lab.add_full()
}

/// Different scripts; clients of one number do the same.
const SCRIPTS: usize = 100;

#[test]
fn a_thousand_clients_over_twenty_connections_see_what_they_would_see_alone() {
    // Three lanes of six: eighteen.
    let lab = lab!(crowded(Server::Postgres, 6));
    let (clients, steps) = (setting("TIDEGATE_POOLING_CLIENTS", 1000), setting("TIDEGATE_POOLING_STEPS", 30));
    let full = prepared(
        &lab,
        "CREATE TABLE public.pooled (client int, n int); CREATE SEQUENCE public.pooled_numbers; \
         GRANT ALL ON public.pooled TO PUBLIC; GRANT ALL ON public.pooled_numbers TO PUBLIC",
    );
    let begin = Instant::now();
    runtime().block_on(async {
        let alone = all_scripts(&lab.directly(), steps).await;
        eprintln!("alone: {:?}", begin.elapsed());
        let through = crowd(&full, clients, steps).await;
        eprintln!("{clients} clients, {steps} steps each: {:?}", begin.elapsed());
        let mut differs = BTreeMap::new();
        for (me, found) in through.iter().enumerate() {
            let script = postgres::script(me % SCRIPTS, steps);
            compare(&mut differs, me, &script, &alone[me % SCRIPTS], found);
        }
        assert!(differs.is_empty(), "{differs:#?}");
    });
    assert_multiplexed(&lab);
}

/// What each script gives on a connection of its own.
async fn all_scripts(login: &Login, steps: usize) -> Vec<Vec<String>> {
    let at_once = Arc::new(Semaphore::new(16));
    let running: Vec<_> = (0..SCRIPTS)
        .map(|number| {
            let (at_once, login) = (Arc::clone(&at_once), login.clone());
            tokio::spawn(async move {
                let _permit = at_once.acquire().await.unwrap();
                let client = login.connect().await.unwrap();
                postgres::play(&client, 100_000 + number, &postgres::script(number, steps)).await
            })
        })
        .collect();
    let mut said = Vec::new();
    for one in running {
        said.push(one.await.unwrap());
    }
    said
}

/// All connected before the first begins, and until the last has ended.
async fn crowd(login: &Login, clients: usize, steps: usize) -> Vec<Vec<String>> {
    let at_once = Arc::new(Semaphore::new(8));
    let logging_in: Vec<_> = (0..clients)
        .map(|_| {
            let (at_once, login) = (Arc::clone(&at_once), login.clone());
            tokio::spawn(async move {
                let _permit = at_once.acquire().await.unwrap();
                login.connect().await.unwrap()
            })
        })
        .collect();
    let mut there = Vec::new();
    for one in logging_in {
        there.push(one.await.unwrap());
    }
    let running: Vec<_> = there
        .into_iter()
        .enumerate()
        .map(|(me, client)| {
            tokio::spawn(async move {
                let said = postgres::play(&client, me, &postgres::script(me % SCRIPTS, steps)).await;
                (client, said)
            })
        })
        .collect();
    let mut over = Vec::new();
    for one in running {
        over.push(one.await.unwrap());
    }
    over.into_iter().map(|(_client, said)| said).collect()
}

/// Nothing is pinned any longer, every connection came back, and each was lent many times.
fn assert_multiplexed(lab: &Lab) {
    eventually("the connections are back and nothing is pinned", Duration::from_secs(10), || {
        !lab.metrics().lines().any(|line| {
            let leased = line.starts_with("tidegate_pool_connections") && line.contains("leased");
            let pinned = line.starts_with("tidegate_sessions_pinned");
            (leased || pinned) && !line.ends_with(" 0")
        })
    });
    let counts: BTreeMap<String, f64> = lab
        .metrics()
        .lines()
        .filter_map(|line| line.split_once("} "))
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect();
    let sum = |family: &str| -> f64 {
        counts.iter().filter(|(name, _)| name.starts_with(family)).map(|(_, value)| value).sum()
    };
    assert!(sum("tidegate_pins_total") > 100.0 && sum("tidegate_pool_leases_total") > 100.0, "{counts:#?}");
    let returns = sum("tidegate_pool_returns_total");
    assert!(returns > 0.0 && returns <= sum("tidegate_pool_leases_total"), "{counts:#?}");
}

#[test]
fn hundreds_of_mysql_clients_over_ten_connections_see_what_they_would_see_alone() {
    for server in [Server::Mariadb, Server::Mysql] {
        // Three lanes of three: nine.
        let Some(lab) = crowded(server, 3) else { continue };
        let (clients, steps) =
            (setting("TIDEGATE_POOLING_MYSQL_CLIENTS", 200), setting("TIDEGATE_POOLING_STEPS", 30));
        let full = prepared(
            &lab,
            "CREATE TABLE hr_prod.pooled (id int AUTO_INCREMENT PRIMARY KEY, client int, n int, KEY (client))",
        );
        let begin = Instant::now();
        let alone: Vec<Vec<String>> = (0..SCRIPTS.min(clients))
            .map(|number| {
                let script = mysql::script(number, steps);
                mysql::play(&mut mysql::connect(&lab.directly()), 100_000 + number, &script)
            })
            .collect();
        eprintln!("alone: {:?}", begin.elapsed());
        let there: Vec<_> = (0..clients).map(|_| mysql::connect(&full)).collect();
        let through: Vec<Vec<String>> = thread::scope(|scope| {
            let running: Vec<_> = there
                .into_iter()
                .enumerate()
                .map(|(me, mut wire)| {
                    scope.spawn(move || {
                        let said = mysql::play(&mut wire, me, &mysql::script(me % SCRIPTS, steps));
                        (wire, said)
                    })
                })
                .collect();
            let over: Vec<_> = running.into_iter().map(|one| one.join().unwrap()).collect();
            over.into_iter().map(|(_wire, said)| said).collect()
        });
        eprintln!("{clients} clients, {steps} steps each: {:?}", begin.elapsed());
        let mut differs = BTreeMap::new();
        for (me, found) in through.iter().enumerate() {
            let script = mysql::script(me % SCRIPTS, steps);
            compare(&mut differs, me, &script, &alone[me % SCRIPTS], found);
        }
        assert!(differs.is_empty(), "{server:?}: {differs:#?}");
        assert_multiplexed(&lab);
    }
}
