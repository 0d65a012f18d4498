//! Nothing of one session is left for the next, and the read lane stays read-only.

use super::*;

/// Runs `text`, gives the connection back, takes it again, and gives the answer to `look` there.
async fn left_behind(server: &MyServer, home: &Home, lane: Lane, text: &str, look: &str) -> Answer {
    let pools = server.single();
    let mut lease = lend(&pools, home, lane).await;
    let before = lease.thread_id();
    for text in text.split(";; ") {
        let done = run(&mut lease, text).await;
        assert!(done.errors.is_empty(), "{text}: {done:?}");
    }
    lease.go_home(HomeState::InTransaction);
    let mut lease = lend(&pools, home, lane).await;
    assert_eq!(lease.thread_id(), before, "{text}: the connection was not used again");
    run(&mut lease, look).await
}

#[tokio::test]
async fn nothing_leaks_from_one_session_to_the_next() {
    for server in servers() {
        let table = unique("left");
        server
            .sql(&[
                &format!("CREATE TABLE {table} (id INT AUTO_INCREMENT PRIMARY KEY, note TEXT)"),
                &format!("INSERT INTO {table} (note) VALUES ('a'), ('b'), ('c')"),
            ])
            .await;
        let prefix = if server.is_mysql() { "transaction" } else { "tx" };
        let insert = format!("INSERT INTO {table} (note) VALUES ('kept')");
        let lose = format!("START TRANSACTION;; INSERT INTO {table} (note) VALUES ('lost')");
        let lost = format!("SELECT COUNT(*) FROM {table} WHERE note = 'lost'");
        let cases = [
            ("SET @mine = 'dana'", "SELECT @mine", "NULL"),
            ("SET SESSION sql_mode = 'ANSI_QUOTES'", "SELECT @@sql_mode LIKE '%ANSI_QUOTES%'", "0"),
            ("SET NAMES latin1", "SELECT @@character_set_client", "utf8mb4"),
            ("SET NAMES latin1", "SELECT @@character_set_results", "utf8mb4"),
            ("SET character_set_results = NULL", "SELECT @@character_set_results", "utf8mb4"),
            ("SET autocommit = 0", "SELECT @@autocommit", "1"),
            ("SET SESSION sql_select_limit = 0", "SELECT @@sql_select_limit > 0", "1"),
            ("SET SESSION time_zone = '+09:00'", "SELECT @@session.time_zone", "SYSTEM"),
            ("SET timestamp = 1", "SELECT NOW() > '2000-01-01'", "1"),
            (&*format!("{insert};; SELECT LAST_INSERT_ID()"), "SELECT LAST_INSERT_ID()", "0"),
            (&*format!("SELECT * FROM {table}"), "SELECT FOUND_ROWS() < 3", "1"),
            ("SELECT 1/0, CAST('x' AS SIGNED)", "SELECT @@warning_count", "0"),
            ("SELECT GET_LOCK('mine', 0)", "SELECT IS_USED_LOCK('mine')", "NULL"),
            (&lose, &lost, "0"),
            (
                "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
                &*format!("SELECT @@{prefix}_isolation"),
                "REPEATABLE-READ",
            ),
        ];
        for shape in [modern(), OLD] {
            let home = Home { shape, ..home(&server.at.database) };
            for (text, look, left) in &cases {
                let answer = left_behind(&server, &home, Lane::Write, text, look).await;
                assert_eq!(answer.rows, [*left], "{:?} {text}: {answer:?}", server.flavor);
            }
            for (text, look, errno) in [
                ("CREATE TEMPORARY TABLE mine_only (x INT)", "SELECT * FROM mine_only", 1146),
                ("PREPARE mine FROM 'SELECT 1'", "EXECUTE mine", 1243),
                (&*format!("HANDLER {table} OPEN AS h"), "HANDLER h READ FIRST", 1109),
            ] {
                let answer = left_behind(&server, &home, Lane::Write, text, look).await;
                assert_eq!(answer.errors, [errno], "{:?} {text}: {answer:?}", server.flavor);
            }
            // A lock that stayed would keep the next statement waiting.
            let text = format!("LOCK TABLES {table} WRITE");
            let pools = server.single();
            let mut lease = lend(&pools, &home, Lane::Write).await;
            run(&mut lease, &text).await;
            lease.go_home(HomeState::Idle);
            let held = lend(&pools, &home, Lane::Write).await;
            server.sql(&["SET SESSION lock_wait_timeout = 2", &insert]).await;
            drop(held);
        }
        server.sql(&[&format!("DROP TABLE {table}")]).await;
    }
}

#[tokio::test]
async fn the_seed_of_random_numbers_is_not_left() {
    for server in servers() {
        let seed = "SET rand_seed1 = 11, rand_seed2 = 22";
        let home = home(&server.at.database);
        let mut lease = lend(&server.single(), &home, Lane::Read).await;
        run(&mut lease, seed).await;
        let known = one(&mut lease, "SELECT RAND()").await;
        let after = left_behind(&server, &home, Lane::Read, seed, "SELECT RAND()").await;
        assert_ne!(after.rows, [known]);
    }
}

#[tokio::test]
async fn the_read_lane_is_read_only_before_and_after_a_reset() {
    for server in servers() {
        let table = unique("ro");
        server.sql(&[&format!("CREATE TABLE {table} (x INT)")]).await;
        for shape in [modern(), OLD] {
            let home = Home { shape, ..home(&server.at.database) };
            let pools = server.single();
            for text in ["SELECT 1", "SET SESSION TRANSACTION READ WRITE", "START TRANSACTION READ WRITE"] {
                let mut lease = lend(&pools, &home, Lane::Read).await;
                assert!(lease.state().read_only);
                for write in [format!("INSERT INTO {table} VALUES (1)"), format!("DROP TABLE {table}")] {
                    assert_eq!(run(&mut lease, &write).await.errors, [1792], "{:?} {write}", server.flavor);
                }
                run(&mut lease, text).await;
                lease.go_home(HomeState::InTransaction);
            }
            let mut lease = lend(&pools, &home, Lane::Write).await;
            let written = run(&mut lease, &format!("INSERT INTO {table} VALUES (1)")).await;
            assert!(written.errors.is_empty(), "{written:?}");
        }
        server.sql(&[&format!("DROP TABLE {table}")]).await;
    }
}

#[tokio::test]
async fn nobody_sees_the_database_of_somebody_else() {
    for server in servers() {
        let (first, second) = (unique("db_a"), unique("db_b"));
        server.sql(&[&format!("CREATE DATABASE {first}"), &format!("CREATE DATABASE {second}")]).await;
        let pools = server.single();
        let mut lease = lend(&pools, &home(&first), Lane::Read).await;
        let thread = lease.thread_id();
        assert_eq!(one(&mut lease, "SELECT DATABASE()").await, first);
        assert_eq!(lease.database().unwrap().as_ref(), first);
        // A switch inside the session, out of our sight.
        run(&mut lease, &format!("USE {second}")).await;
        lease.go_home(HomeState::Idle);
        let mut lease = lend(&pools, &home(&first), Lane::Read).await;
        assert_eq!(one(&mut lease, "SELECT DATABASE()").await, first);
        assert_eq!(lease.thread_id(), thread, "the connection was not moved");
        lease.go_home(HomeState::Idle);
        // No database is a state that a connection does not go back to.
        let mut lease = lend(&pools, &home(""), Lane::Read).await;
        assert_eq!(one(&mut lease, "SELECT DATABASE()").await, "NULL");
        assert_ne!(lease.thread_id(), thread);
        let thread = lease.thread_id();
        let next = lease.send_use(&second.as_str().into(), &permit(Lane::Read)).unwrap();
        answer(&mut lease, Expect::Simple, next).await;
        assert_eq!(one(&mut lease, "SELECT DATABASE()").await, second);
        lease.go_home(HomeState::Idle);
        let mut lease = lend(&pools, &home(""), Lane::Read).await;
        assert_eq!(one(&mut lease, "SELECT DATABASE()").await, "NULL");
        assert_ne!(lease.thread_id(), thread);
        // Dropped while it lies idle: whoever asks for it is told as at a login.
        run(&mut lease, &format!("USE {second}")).await;
        lease.go_home(HomeState::Idle);
        server.sql(&[&format!("DROP DATABASE {first}"), &format!("DROP DATABASE {second}")]).await;
        for database in [&first, &second] {
            let gone = pools.lease_mysql(&"hr".into(), &home(database), Lane::Read, &"dana".into()).await;
            if let Ok(mut lease) = gone {
                // It lay idle in the database that is gone; the server itself says so.
                let told = run(&mut lease, "SELECT * FROM t").await.errors;
                assert!(told == [1049] || told == [1146], "{told:?}");
            }
        }
        let mut lease = lend(&pools, &home(""), Lane::Read).await;
        assert_eq!(one(&mut lease, "SELECT DATABASE()").await, "NULL");
    }
}

#[tokio::test]
async fn several_statements_in_one_command_stay_as_they_were_negotiated() {
    for server in servers() {
        let pools = server.single();
        let home = home(&server.at.database);
        let mut lease = lend(&pools, &home, Lane::Read).await;
        assert_eq!(run(&mut lease, "SELECT 1; SELECT 2").await.rows, ["1", "2"]);
        let off = tidegate::upstream::MysqlMessage::SetMultiStatements(false);
        let next = lease.send_protocol(off).unwrap();
        assert!(answer(&mut lease, Expect::Simple, next).await.errors.is_empty());
        assert_eq!(run(&mut lease, "SELECT 1; SELECT 2").await.errors, [1064]);
        let thread = lease.thread_id();
        lease.go_home(HomeState::Idle);
        let mut lease = lend(&pools, &home, Lane::Read).await;
        assert_eq!(lease.thread_id(), thread);
        assert_eq!(run(&mut lease, "SELECT 1; SELECT 2").await.rows, ["1", "2"]);
    }
}

#[tokio::test]
async fn a_role_that_was_taken_is_not_left() {
    for server in servers() {
        let role = unique("role");
        let pools = server.single();
        let mut lease = server.lease(&pools, Lane::Admin).await;
        let me = one(&mut lease, r#"SELECT REPLACE(CURRENT_USER(), '@', "'@'")"#).await;
        server.sql(&[&format!("CREATE ROLE {role}"), &format!("GRANT {role} TO '{me}'")]).await;
        let before = one(&mut lease, "SELECT CURRENT_ROLE()").await;
        assert!(run(&mut lease, &format!("SET ROLE {role}")).await.errors.is_empty());
        assert_ne!(one(&mut lease, "SELECT CURRENT_ROLE()").await, before);
        lease.go_home(HomeState::Idle);
        let mut lease = server.lease(&pools, Lane::Admin).await;
        assert_eq!(one(&mut lease, "SELECT CURRENT_ROLE()").await, before);
        server.sql(&[&format!("DROP ROLE {role}")]).await;
    }
}

#[tokio::test]
async fn locks_of_the_whole_server_are_not_left() {
    for server in servers() {
        let lock = if server.is_mysql() { "LOCK INSTANCE FOR BACKUP" } else { "BACKUP STAGE START" };
        let table = unique("locked");
        let pools = server.single();
        for (text, then) in [
            (lock, format!("CREATE TABLE {table} (x INT)")),
            ("FLUSH TABLES WITH READ LOCK", format!("INSERT INTO {table} VALUES (1)")),
        ] {
            let mut lease = server.lease(&pools, Lane::Admin).await;
            assert!(run(&mut lease, text).await.errors.is_empty(), "{text}");
            lease.go_home(HomeState::Idle);
            // Waits until the reset is over, and holds the connection.
            let held = server.lease(&pools, Lane::Admin).await;
            server.sql(&["SET SESSION lock_wait_timeout = 2", &then]).await;
            held.go_home(HomeState::Idle);
        }
        server.sql(&[&format!("DROP TABLE {table}")]).await;
    }
}
