//! SQL that tries to get past the gate, and SQL of ordinary people and tools that must get through it.
//!
//! The accounts on the server are superusers here: only the gate protects.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "attacks/constraints.rs"]
mod constraints;
mod support;

use support::{Lab, Login, sqlstate, wire};
use tokio_postgres::SimpleQueryMessage;

/// What nobody of this file may see.
const SECRET: &str = "TOPSECRET";

const SETUP: &str = "
    CREATE EXTENSION citext; CREATE EXTENSION pg_trgm; CREATE EXTENSION pgcrypto; CREATE EXTENSION tablefunc;
    ALTER ROLE tidegate_read SUPERUSER; ALTER ROLE tidegate_write SUPERUSER; ALTER ROLE tidegate_admin SUPERUSER;
    CREATE SCHEMA aux;
    CREATE TABLE aux.employee (secret text); INSERT INTO aux.employee VALUES ('TOPSECRET aux');
    CREATE TABLE public.vault (secret text NOT NULL); INSERT INTO public.vault VALUES ('TOPSECRET vault');
    CREATE FUNCTION public.peek(text) RETURNS text LANGUAGE sql AS $$ SELECT 'TOPSECRET routine'::text $$;
    CREATE FUNCTION public.peek(public.employee) RETURNS text LANGUAGE sql AS $$ SELECT 'TOPSECRET routine'::text $$;";

/// Runs statements in one session; gives all that it saw, and how the last one ended.
async fn session(login: &Login, statements: &[&str]) -> (String, Result<(), String>) {
    let client = login.connect().await.unwrap();
    let (mut seen, mut end) = (String::new(), Ok(()));
    for statement in statements {
        end = match client.simple_query(statement).await {
            Ok(messages) => {
                for message in messages {
                    if let SimpleQueryMessage::Row(row) = message {
                        (0..row.len()).for_each(|at| seen.push_str(row.get(at).unwrap_or_default()));
                    }
                }
                Ok(())
            }
            Err(error) => {
                seen.push_str(&format!("{error:?}"));
                Err(sqlstate(&error))
            }
        };
    }
    (seen, end)
}

/// Every script ends in a refusal by the gate and shows no secret on its way.
async fn refused(login: &Login, scripts: &[&[&str]]) {
    let mut through = Vec::new();
    for script in scripts {
        let (seen, end) = session(login, script).await;
        let shut = matches!(end.as_ref().map_err(String::as_str), Err("42501" | "0A000" | "26000" | "34000"));
        if !shut || seen.contains(SECRET) {
            through.push(format!("{script:?} ended with {end:?}: {seen}"));
        }
    }
    assert!(through.is_empty(), "{} got through:\n{}", through.len(), through.join("\n"));
}

/// Every script runs to its end.
async fn passes(login: &Login, scripts: &[&[&str]]) {
    let mut stopped = Vec::new();
    for script in scripts {
        let (seen, end) = session(login, script).await;
        if end.is_err() {
            stopped.push(format!("{script:?}: {seen}"));
        }
    }
    assert!(stopped.is_empty(), "{} were refused:\n{}", stopped.len(), stopped.join("\n"));
}

fn open_lab() -> Option<Lab> {
    let lab = Lab::usual()?;
    lab.superuser(SETUP);
    Some(lab)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_explain_learns_nothing_of_rows() {
    let lab = lab!(open_lab());
    let dana = lab.add("dana");
    refused(&dana, PLANS).await;
    refused(&dana, SYSTEM).await;
    refused(&dana, FIELDS).await;
    refused(&dana, COMMANDS).await;
    passes(&dana, EVERYDAY).await;
    passes(&dana, TOOLS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_read_one_table_reads_no_other() {
    let lab = lab!(open_lab());
    let omar = lab.add("omar");
    lab.grant("omar", "select", &["public.employee"], 600);
    refused(&omar, PLACES).await;
    refused(&omar, SCOPES).await;
    refused(&omar, TEXTS).await;
    refused(&omar, PATHS).await;
    passes(&omar, PATHS_BACK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_write_one_table_sees_and_changes_no_other() {
    let lab = lab!(open_lab());
    let wanda = lab.add("wanda");
    lab.grant("wanda", "dml", &["public.title"], 600);
    refused(&wanda, WRITES).await;
    passes(
        &wanda,
        &[&["BEGIN", "UPDATE title SET title = 'x' WHERE employee_no = -1 RETURNING 1", "ROLLBACK"]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_define_everything_still_reads_only_what_is_granted() {
    let lab = lab!(open_lab());
    let full = lab.add("full");
    lab.grant("full", "ddl", &[], 600);
    lab.grant("full", "select", &["public.employee"], 600);
    refused(&full, TEMPORARIES).await;
    refused(&full, DEFINITIONS).await;
    passes(
        &full,
        &[
            &["CREATE TEMP TABLE vault (a int)", "SELECT a FROM vault", "INSERT INTO vault VALUES (1)"],
            &["CREATE TEMP VIEW mine AS SELECT * FROM employee", "SELECT * FROM mine LIMIT 1"],
            &[
                "CREATE TEMP TABLE vault (a int)",
                "BEGIN",
                "DROP TABLE vault",
                "ROLLBACK",
                "SELECT a FROM vault",
            ],
        ],
    )
    .await;
}

/// Casts, broken rows and keys: the database tells of them in its own words.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_shows_no_rows_to_whoever_may_not_read_them() {
    let lab = lab!(open_lab());
    let wanda = lab.add("wanda");
    let full = lab.add("full");
    lab.grant("wanda", "dml", &["public.vault"], 600);
    lab.grant("full", "ddl", &["public.vault"], 600);
    for (login, scripts) in [(&wanda, ERRORS_OF_CHANGES), (&full, ERRORS_OF_DEFINITIONS)] {
        for sql in scripts {
            let (seen, end) = session(login, &[*sql]).await;
            assert!(end.is_err() && seen.contains("not shown") && !seen.contains(SECRET), "{sql}: {seen}");
        }
    }
    for (login, sql, told) in [
        (&wanda, "UPDATE vault SET nope = 1", "nope"),
        (&wanda, "UPDATE vault SET secret = 'x'::int", "\\\"x\\\""),
        (&wanda, "INSERT INTO vault VALUES (NULL)", "secret"),
        (&full, "ALTER TABLE vault ADD COLUMN secret int", "secret"),
        (&full, "ALTER TABLE vault DROP COLUMN nope", "nope"),
        (&full, "ALTER TABLE vault DROP CONSTRAINT nope", "nope"),
    ] {
        let (seen, end) = session(login, &[sql]).await;
        assert!(end.is_err() && seen.contains(told) && !seen.contains("not shown"), "{sql}: {seen}");
    }
    lab.grant("wanda", "select", &["public.vault"], 600);
    let (seen, _) = session(&wanda, &[ERRORS_OF_CHANGES[0]]).await;
    assert!(seen.contains(SECRET), "who may read it is told: {seen}");
}

/// XML functions warn of a name space in the words of the row.
#[tokio::test(flavor = "multi_thread")]
async fn a_warning_shows_no_rows_to_whoever_may_not_read_them() {
    let lab = lab!(open_lab());
    let (wanda, full) = (lab.add("wanda"), lab.add("full"));
    lab.grant("wanda", "dml", &["public.vault"], 600);
    lab.grant("full", "ddl", &["public.vault", "public.nope"], 600);
    let changes = WARNINGS.iter().map(|sql| (&wanda, *sql));
    let defines = WARNINGS_OF_DEFINITIONS.iter().map(|sql| (&full, *sql));
    for (login, sql) in changes.chain(defines) {
        let mut raw = wire::Raw::login(login);
        for messages in [
            wire::query(sql),
            [wire::parse("", sql), wire::bind("", "", &[]), wire::execute("", 0), wire::sync()].concat(),
        ] {
            raw.send(&[wire::query("BEGIN"), messages, wire::query("ROLLBACK")].concat());
            let told: Vec<_> = (0..3).flat_map(|_| raw.until_ready()).collect();
            let warnings = told.iter().filter(|message| message.tag == 'N').count();
            let seen = told.iter().map(|message| String::from_utf8_lossy(&message.body)).collect::<String>();
            assert!(warnings > 0 && seen.contains("not shown") && !seen.contains(SECRET), "{sql}: {seen}");
        }
    }
    let told = notices(&full, "DROP TABLE IF EXISTS nope");
    assert!(told.contains("table \"nope\" does not exist, skipping"), "{told}");
    lab.grant("wanda", "select", &["public.vault"], 600);
    let told = notices(&wanda, WARNINGS[0]);
    assert!(told.contains(SECRET), "who may read it is told: {told}");
}

/// What the database says beside its answer to a statement.
fn notices(login: &Login, sql: &str) -> String {
    let mut raw = wire::Raw::login(login);
    raw.send(&wire::query(sql));
    let told = raw.until_ready();
    let notices = told.iter().filter(|message| message.tag == 'N');
    notices.map(|notice| String::from_utf8_lossy(&notice.body).into_owned()).collect()
}

/// Names are judged before it is known which connection they go to.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_a_path_of_its_own_serves_no_names_that_were_judged_by_another() {
    let lab = lab!(open_lab());
    let omar = lab.add("omar");
    lab.grant("omar", "select", &["public.employee"], 600);
    lab.grant("omar", "dml", &["public.employee"], 600);
    const DELETE: &[&str] = &["DELETE FROM employee WHERE first_name IS NULL"];
    passes(&omar, &[DELETE, &["SELECT 1 FROM employee LIMIT 1"]]).await;

    lab.superuser("ALTER ROLE tidegate_write SET search_path = aux");
    lab.superuser(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'tidegate_write'",
    );
    let (seen, end) = session(&omar, &["DELETE FROM employee"]).await;
    assert_eq!(end, Err("08006".to_owned()), "{seen}");
    passes(&omar, &[&["SELECT 1 FROM employee LIMIT 1"]]).await;
    lab.superuser("ALTER ROLE tidegate_write RESET search_path");
    passes(&omar, &[DELETE]).await;

    let open = omar.connect().await.unwrap();
    lab.superuser("ALTER ROLE tidegate_read SET search_path = aux");
    lab.superuser(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'tidegate_read'",
    );
    assert_eq!(sqlstate(&open.simple_query("SELECT * FROM employee").await.unwrap_err()), "08006");
    refused(&omar, &[&["SELECT * FROM employee"]]).await;
}

/// A server that has given as many rows as it was asked for says that the portal is suspended, although it has run.
#[test]
fn what_a_suspended_portal_has_set_is_set() {
    let lab = lab!(open_lab());
    let omar = lab.add("omar");
    lab.grant("omar", "select", &["public.employee"], 600);
    let mut raw = wire::Raw::login(&omar);
    for portal in ["", "p"] {
        let sql = "SELECT set_config('search_path', 'aux', false)";
        let messages =
            [wire::parse("", sql), wire::bind(portal, "", &[]), wire::execute(portal, 1), wire::sync()];
        raw.send(&messages.concat());
        assert_eq!(wire::tags(&raw.until_ready()), "12DsZ");
        raw.send(&wire::query("SELECT * FROM employee"));
        let answer = raw.until_ready();
        assert_eq!(wire::error(&answer).field('C').unwrap(), "42501");
        raw.send(&wire::query("SET search_path = public"));
        raw.until_ready();
        raw.send(&wire::query("SELECT 1 FROM employee LIMIT 1"));
        assert!(wire::tags(&raw.until_ready()).contains('D'));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_read_everything_reads_in_every_form() {
    let lab = lab!(open_lab());
    let wilma = lab.add("wilma");
    lab.grant("wilma", "select", &["public.*"], 600);
    passes(&wilma, QUERIES).await;
    refused(
        &wilma,
        &[
            &["SELECT * FROM aux.employee"],
            &["COPY salary TO STDOUT"],
            &["SELECT * FROM salary FOR UPDATE"],
            &["SELECT nextval('ticket_no')"],
            &["CREATE TEMP TABLE mine (a int)"],
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_changes_the_accounts_of_the_gateway() {
    let lab = lab!(open_lab());
    let full = lab.add_full();
    refused(&full, ACCOUNTS).await;
    passes(
        &full,
        &[&[
            "CREATE ROLE other LOGIN",
            "ALTER ROLE other PASSWORD 'x'",
            "GRANT other TO tidegate_read",
            "DROP ROLE other",
        ]],
    )
    .await;
    let (seen, _) = session(&full, &["ALTER USER tidegate_admin PASSWORD 'x'"]).await;
    assert!(seen.contains("gateway's own account") && seen.contains("beside the gateway"), "{seen}");
}

/// What psql's `\password` sends, and other ways to take an account or to lock it out.
const ACCOUNTS: &[&[&str]] = &[
    &["ALTER USER tidegate_admin PASSWORD 'SCRAM-SHA-256$4096:a$b:c'"],
    &["ALTER ROLE CURRENT_USER PASSWORD 'x'"],
    &["ALTER ROLE SESSION_USER NOLOGIN"],
    &["ALTER ROLE tidegate_read IN DATABASE hr_prod SET search_path = aux"],
    &["ALTER ROLE ALL SET search_path = aux"],
    &["ALTER ROLE tidegate_write RENAME TO other"],
    &["BEGIN", "DROP ROLE tidegate_read"],
    &["REASSIGN OWNED BY tidegate_write TO CURRENT_USER"],
    &["DROP OWNED BY tidegate_write CASCADE"],
    &["SELECT 1; ALTER GROUP tidegate_admin ADD USER tidegate_read"],
];

const PLANS: &[&[&str]] = &[
    &["EXPLAIN (ANALYZE 1) SELECT * FROM vault"],
    &["EXPLAIN (ANALYZE 'on', ANALYZE off) SELECT * FROM vault"],
    &["EXPLAIN (ANALYSE) SELECT * FROM vault"],
    &["EXPLAIN (\"ANALYZE\" true) SELECT * FROM vault"],
    &["EXPLAIN SELECT query_to_xml('select secret from vault', true, true, '')"],
    &[
        "EXPLAIN VERBOSE SELECT 1 FROM employee WHERE first_name = query_to_xml('table vault', true, true, '')::text",
    ],
    &["EXPLAIN ANALYZE DECLARE c CURSOR FOR SELECT * FROM vault"],
    &["EXPLAIN SELECT public.peek('x')"],
    &["EXPLAIN SELECT ('x'::text).peek"],
    &["PREPARE p AS SELECT * FROM vault"],
    &["DECLARE c CURSOR WITH HOLD FOR SELECT * FROM vault"],
    &["LOCK TABLE vault"],
];

const SYSTEM: &[&[&str]] = &[
    &["SELECT * FROM pg_stats"],
    &["SELECT most_common_vals FROM \"pg_catalog\".\"pg_stats\""],
    &["SELECT stavalues1 FROM pg_statistic"],
    &["SELECT * FROM pg_catalog.pg_stats_ext_exprs"],
    &["SELECT * FROM pg_stat_activity"],
    &["SELECT (pg_stat_get_activity(NULL)).query"],
    &["SELECT pg_stat_get_backend_activity(1)"],
    &["SELECT rolpassword FROM pg_authid"],
    &["SELECT passwd FROM pg_shadow"],
    &["COPY pg_authid TO STDOUT"],
    &["SELECT * FROM pg_toast.pg_toast_2619"],
    &["SELECT * FROM pg_temp_3.x"],
    &["SELECT pg_read_file('/etc/hostname')"],
    &["SELECT pg_catalog.pg_ls_dir('.')"],
    &["SELECT lo_import('/etc/hostname')"],
    &["SELECT lo_get(1)"],
    &["SELECT currtid2('vault', '(0,1)')"],
    &["SELECT cursor_to_xml('c', 1, true, true, '')"],
    &["SELECT pg_cancel_backend(1)"],
    &["SELECT pg_logical_emit_message(true, 'a', 'b')"],
    &["SELECT nextval('ticket_no')"],
    &["SELECT pg_notify('a', 'b')"],
];

const FIELDS: &[&[&str]] = &[
    &["SELECT ('/etc/hostname'::text).pg_read_file"],
    &["SELECT t.pg_read_file FROM unnest(ARRAY['/etc/hostname'::text]) AS t"],
    &["SELECT (('select to_tsvector(secret) from vault'::text).ts_stat).*"],
    &["SELECT ('x'::text).peek"],
    &["SELECT (('select secret,secret,secret from vault'::text).crosstab2).*"],
    &["SELECT * FROM crosstab('select 1, secret, secret from vault') AS c (a text, b text)"],
    &["SELECT (SELECT 'x'::text).peek"],
    &["SELECT (ARRAY['x'])[1].peek"],
    &["SELECT (NULL::employee).peek"],
    &["SELECT t.peek FROM unnest(ARRAY['x'::text]) t"],
    &["SELECT upper.peek FROM upper('x')"],
    &["SELECT text.peek FROM CAST('x' AS text)"],
    &["SELECT \"current_user\".peek FROM current_user"],
    &["SELECT t.peek FROM ROWS FROM (unnest(ARRAY['x'::text])) AS t"],
    &["SELECT (SELECT t.peek) FROM unnest(ARRAY['x'::text]) AS t"],
    &["SELECT 1 FROM unnest(ARRAY['x'::text]) AS t ORDER BY t.peek"],
    &["SELECT t.nextval FROM unnest(ARRAY['ticket_no'::regclass]) t"],
];

const COMMANDS: &[&[&str]] = &[
    &["SET log_statement = 'none'"],
    &["SET session_replication_role = replica"],
    &["SET standard_conforming_strings = off"],
    &["SET client_encoding = latin1"],
    &["SET tidegate.anything = 1"],
    &["SET ROLE postgres"],
    &["SELECT set_config('role', 'postgres', false)"],
    &["SET SESSION AUTHORIZATION postgres"],
    &["SELECT set_config(n, 'off', false) FROM (VALUES ('default_transaction_read_only')) v(n)"],
    &["SELECT (SELECT 1 FROM (VALUES ('log_min_messages')) v(name) WHERE set_config(name, 'debug5', false) = 'debug5')
       FROM pg_settings WHERE name = 'application_name'"],
    &["SELECT (SELECT 1 FROM (VALUES ('role')) v(name), LATERAL set_config(name, 'x', false))
       FROM pg_settings WHERE name = 'application_name'"],
    &["UPDATE pg_settings SET setting = 'x' WHERE name = 'search_path'"],
    &["ALTER SYSTEM SET work_mem = 1"],
    &["ALTER ROLE tidegate_read SET search_path = aux"],
    &["DO $$ BEGIN END $$"],
    &["CALL x()"],
    &["NOTIFY a"],
    &["CREATE TEMP TABLE t (a int)"],
    &["TRUNCATE vault"],
    &["COPY (SELECT 1) TO PROGRAM 'id'"],
    &["COPY (SELECT 1) TO '/tmp/x'"],
    &["VACUUM"],
    &["ANALYZE salary"],
    &["CHECKPOINT"],
    &["PREPARE TRANSACTION 'x'"],
];

const PLACES: &[&[&str]] = &[
    &["TABLE vault"],
    &["SELECT * FROM ONLY (vault)"],
    &["SELECT * FROM vault*"],
    &["SELECT * FROM hr_prod.public.vault"],
    &["SELECT * FROM U&\"\\0076ault\""],
    &["SELECT * FROM VaUlT"],
    &["SELECT/**/*/* /* */ */FROM--x\nvault"],
    &["SELECT\u{c}*\u{b}FROM\rvault"],
    &["SELECT 1 FROM employee LIMIT (SELECT length(secret) FROM vault)"],
    &["SELECT 1 FROM employee OFFSET (SELECT count(*) FROM vault)"],
    &["SELECT 1 FROM employee FETCH FIRST (SELECT count(*) FROM vault) ROWS ONLY"],
    &["SELECT * FROM employee TABLESAMPLE bernoulli((SELECT length(secret) FROM vault))"],
    &["SELECT count(*) FILTER (WHERE EXISTS (SELECT FROM vault)) FROM employee"],
    &[
        "SELECT sum(1) OVER (ORDER BY employee_no ROWS (SELECT length(secret) FROM vault) PRECEDING) FROM employee",
    ],
    &["SELECT sum(1) OVER w FROM employee WINDOW w AS (ORDER BY (SELECT secret FROM vault))"],
    &["SELECT 1 FROM employee GROUP BY GROUPING SETS ((), ((SELECT secret FROM vault)))"],
    &["SELECT DISTINCT ON ((SELECT secret FROM vault)) 1 FROM employee"],
    &["SELECT array_agg(1 ORDER BY (SELECT secret FROM vault)) FROM employee"],
    &["SELECT concat(VARIADIC ARRAY(SELECT secret FROM vault))"],
    &["SELECT make_interval(days => (SELECT length(secret) FROM vault))"],
    &["SELECT ('{a}'::text[])[(SELECT length(secret) FROM vault)]"],
    &["SELECT xmlelement(name a, xmlattributes((SELECT secret FROM vault) AS b))"],
    &[
        "SELECT * FROM xmltable('/a' PASSING '<a/>' COLUMNS x text PATH '.' DEFAULT (SELECT secret FROM vault))",
    ],
    &["SELECT * FROM employee, ROWS FROM (unnest((SELECT array_agg(secret) FROM vault))) x"],
    &["SELECT * FROM employee JOIN LATERAL (SELECT * FROM vault) v ON true"],
    &["SELECT * FROM employee WHERE employee_no IN (TABLE salary)"],
    &["VALUES ((SELECT secret FROM vault))"],
    &["SELECT ROW(v.*) FROM vault v"],
    &["SELECT 1 OPERATOR(public.=) 1"],
    &["SELECT peek(first_name) FROM employee"],
    &["SELECT 1 FROM employee FOR SHARE"],
    &["SELECT 1; SELECT * FROM vault"],
];

const SCOPES: &[&[&str]] = &[
    &["WITH vault AS (SELECT 1) SELECT * FROM vault, public.vault v2"],
    &["SELECT * FROM (WITH vault AS (SELECT 1) SELECT * FROM vault) a, vault"],
    &["WITH a AS (SELECT * FROM vault), vault AS (SELECT 1) SELECT * FROM a"],
    &["(WITH vault AS (SELECT 'a'::text) SELECT * FROM vault) UNION ALL SELECT * FROM vault"],
    &["SELECT * FROM vault UNION ALL (WITH vault AS (SELECT 'a'::text) SELECT * FROM vault)"],
    &["WITH x AS (WITH vault AS (SELECT 1) SELECT 2) SELECT * FROM vault"],
    &["WITH vault AS (SELECT 1) SELECT query_to_xml('select * from vault', true, true, '')"],
];

const TEXTS: &[&[&str]] = &[
    &["SELECT query_to_xml('select secret from '||'vault', true, true, '')"],
    &["SELECT query_to_xml(E'select secret from \\x76ault', true, true, '')"],
    &["SELECT query_to_xml(U&'select secret from \\0076ault', true, true, '')"],
    &["SELECT query_to_xml(query => 'table vault', nulls => true, tableforest => true, targetns => '')"],
    &["SELECT query_to_xml($$select query_to_xml('table vault',true,true,'')$$, true, true, '')"],
    &["SELECT query_to_xml_and_xmlschema('table vault'::text, true, true, '')"],
    &["SELECT table_to_xml('vault'::regclass, true, true, '')"],
    &["SELECT table_to_xml(oid, true, true, '') FROM pg_class WHERE relname = 'vault'"],
    &["SELECT schema_to_xml('public', true, true, '')"],
    &["SELECT database_to_xml(true, true, '')"],
    &["SELECT * FROM ts_stat('select to_tsvector(secret) from vault')"],
    &["SELECT ts_rewrite('a'::tsquery, 'select secret::tsquery, secret::tsquery from vault')"],
    &["SELECT ts_rewrite('a'::tsquery, 'a'::tsquery, (SELECT secret FROM vault)::tsquery)"],
];

const PATHS: &[&[&str]] = &[
    &["SET search_path = aux", "SELECT * FROM employee"],
    &["SET search_path = aux, public", "SELECT secret FROM employee"],
    &["SET SCHEMA 'aux'", "SELECT * FROM employee"],
    &["SET U&\"search\\005fpath\" TO aux", "SELECT * FROM employee"],
    &["SELECT set_config('Search_Path', 'aux', false)", "SELECT * FROM employee"],
    &["SELECT set_config('search_path', 'aux', false) UNION ALL SELECT 'x'", "SELECT * FROM employee"],
    &["SELECT set_config('search_path', 'au'||'x', false)", "SELECT * FROM employee"],
    &["SELECT set_config('search_path', 'AUX'::regnamespace::text, false)", "SELECT * FROM employee"],
    &["SELECT set_config('search_path', 'aux', false), query_to_xml('table employee', true, true, '')"],
    &[
        "PREPARE p AS SELECT set_config('search_path', 'aux', false)",
        "EXECUTE p",
        "SELECT secret FROM employee",
        "EXECUTE p",
    ],
    &[
        "PREPARE p (text) AS SELECT set_config('search_path', $1, false)",
        "EXECUTE p ('aux')",
        "SELECT secret FROM employee",
        "EXECUTE p ('aux')",
    ],
    &[
        "DECLARE c CURSOR WITH HOLD FOR SELECT set_config('search_path', 'aux', false)",
        "FETCH c",
        "SELECT secret FROM employee",
        "FETCH c",
    ],
    &["PREPARE p AS SELECT * FROM employee LIMIT 1", "EXECUTE p", "SET search_path = aux", "EXECUTE p"],
    &["BEGIN; SET LOCAL search_path = aux; SELECT * FROM employee; COMMIT"],
    &["BEGIN; SET search_path = aux; COMMIT; SELECT * FROM employee"],
    &[
        "BEGIN",
        "SET search_path = aux",
        "SAVEPOINT s",
        "SET search_path = public",
        "ROLLBACK TO s",
        "SELECT * FROM employee",
    ],
    &["SET search_path = aux; SET LOCAL search_path = public; SELECT 1", "SELECT * FROM employee"],
    &[
        "SET search_path = aux",
        "SELECT set_config('search_path', 'public', cast(0 as bool))",
        "SET search_path = aux",
        "SELECT set_config('search_path', 'public', cast(1 as bool))",
        "SELECT * FROM employee",
    ],
    &[
        "SELECT (SELECT 1 FROM (VALUES ('search_path')) v(name) WHERE set_config(name, 'aux', false) = 'aux')
       FROM pg_settings WHERE name = 'application_name'",
        "SELECT secret FROM employee",
        "SELECT * FROM aux.employee",
    ],
];

const PATHS_BACK: &[&[&str]] = &[
    &["SET LOCAL search_path = aux", "SELECT 1 FROM employee LIMIT 1"],
    &["BEGIN; SET search_path = aux; ROLLBACK; SELECT 1 FROM employee LIMIT 1"],
    &[
        "BEGIN",
        "SET LOCAL search_path = aux",
        "COMMIT AND CHAIN",
        "SELECT 1 FROM employee LIMIT 1",
        "ROLLBACK",
    ],
    &["SELECT set_config('search_path', 'aux', true), (SELECT count(*) FROM employee)"],
    &["SET SESSION search_path TO DEFAULT", "SELECT 1 FROM employee LIMIT 1"],
];

const WRITES: &[&[&str]] = &[
    &["UPDATE title SET title = title RETURNING *"],
    &["UPDATE title SET title = title RETURNING 1, title.*"],
    &["UPDATE title SET title = (SELECT secret FROM vault)"],
    &["UPDATE title SET (title, to_date) = (SELECT secret, now() FROM vault)"],
    &["UPDATE title SET title = secret FROM vault"],
    &["UPDATE title SET title = t.pg_read_file FROM unnest(ARRAY['/etc/hostname'::text]) t WHERE false"],
    &["DELETE FROM title USING vault"],
    &["DELETE FROM title WHERE title = (SELECT secret FROM vault)"],
    &["INSERT INTO title SELECT 1, secret, now(), now() FROM vault"],
    &["INSERT INTO title TABLE title"],
    &["INSERT INTO title VALUES (1, 'a', now(), now()) ON CONFLICT (employee_no, title, from_date)
       DO UPDATE SET title = (SELECT secret FROM vault)"],
    &["MERGE INTO title t USING vault v ON true WHEN MATCHED THEN DO NOTHING"],
    &["MERGE INTO title t USING (VALUES (1)) v ON EXISTS (SELECT FROM vault) WHEN MATCHED THEN DELETE"],
    &["WITH x AS (DELETE FROM title RETURNING title) SELECT * FROM x"],
    &["WITH x AS (DELETE FROM vault) SELECT 1"],
    &["INSERT INTO vault VALUES ('x')"],
    &["SELECT 1 FROM title"],
    &["COPY title TO STDOUT"],
    &["COPY title FROM '/etc/passwd'"],
    &["SELECT nextval('ticket_no')"],
    &["SELECT setval('ticket_no', 5)"],
    &["LISTEN c", "UPDATE title SET title = title WHERE pg_notify('c', title) IS NULL"],
    &["UPDATE title SET title = title WHERE set_config('application_name', title, false) = ''"],
    &["DELETE FROM title WHERE pg_try_advisory_lock(employee_no)"],
];

const ERRORS_OF_CHANGES: &[&str] = &[
    "UPDATE vault SET secret = secret::int",
    "DELETE FROM vault WHERE secret::date < now()",
    "UPDATE vault SET secret = NULL",
    "UPDATE vault SET secret = 'x' WHERE current_setting(secret) = ''",
    "UPDATE vault SET secret = 'x' WHERE to_tsquery(secret) IS NULL",
    "UPDATE vault SET secret = 'x' WHERE replace(secret, ' ', '_')::regclass IS NULL",
    "UPDATE vault SET secret = 'x' WHERE replace(secret, ' ', '.a.')::regclass IS NULL",
    "UPDATE vault SET secret = 'x' WHERE secret::regproc IS NULL",
    "UPDATE vault SET secret = 'x' WHERE secret::regoper IS NULL",
    "UPDATE vault SET secret = 'x' WHERE secret::regtype IS NULL",
    "UPDATE vault SET secret = 'x' WHERE replace(secret, ' ', '_')::regnamespace IS NULL",
    "DELETE FROM vault WHERE has_table_privilege(secret, 'select')",
    "DELETE FROM vault WHERE has_schema_privilege(secret, 'usage')",
    "DELETE FROM vault WHERE has_database_privilege(secret, 'connect')",
    "DELETE FROM vault WHERE has_column_privilege('vault', secret, 'select')",
    "DELETE FROM vault WHERE pg_get_serial_sequence(quote_ident(secret), 'a') IS NULL",
    "MERGE INTO vault v USING (VALUES (1)) s ON true WHEN MATCHED THEN UPDATE SET secret = secret::int",
    "WITH changed AS (UPDATE vault SET secret = secret::int RETURNING 1) SELECT 1 FROM changed",
];

const WARNINGS: &[&str] = &[
    "DELETE FROM vault WHERE xpath('/*', ('<a xmlns=\"' || replace(secret, ' ', '') || '\"/>')::xml) IS NULL",
    "UPDATE vault SET secret = 'x' WHERE xpath_exists('/a', ('<a xmlns=\"' || replace(secret, ' ', '') || '\"/>')::xml)",
    "DELETE FROM vault WHERE to_regtype(replace(secret, ' ', '_') || repeat('x', 70)) IS NULL",
];

const WARNINGS_OF_DEFINITIONS: &[&str] = &[
    "ALTER TABLE vault ADD CHECK (xpath('/*', ('<a xmlns=\"' || replace(secret, ' ', '') || '\"/>')::xml) IS NOT NULL)",
];

const ERRORS_OF_DEFINITIONS: &[&str] = &[
    "CREATE INDEX ON vault ((secret::int))",
    "ALTER TABLE vault ALTER secret TYPE date USING secret::date",
    "ALTER TABLE vault ADD CHECK (secret::int > 0)",
    "ALTER TABLE vault ADD CHECK (quote_ident(secret)::regclass IS NOT NULL)",
    "ALTER TABLE vault ADD COLUMN n int GENERATED ALWAYS AS (secret::int) STORED",
];

const TEMPORARIES: &[&[&str]] = &[
    &["CREATE TYPE pg_temp.vault AS ENUM ('a')", "SELECT * FROM vault"],
    &["CREATE DOMAIN pg_temp.vault AS int", "SELECT * FROM vault"],
    &[
        "CREATE TEMP TABLE tt (a int)",
        "CREATE TEMP VIEW vault AS SELECT a FROM tt",
        "DROP TABLE tt CASCADE",
        "SELECT * FROM vault",
    ],
    &[
        "CREATE TEMP TABLE tt (a int)",
        "CREATE TEMP SEQUENCE vault OWNED BY tt.a",
        "DROP TABLE tt",
        "SELECT * FROM vault",
    ],
    &[
        "CREATE TEMP TABLE tt (a int)",
        "CREATE TEMP TABLE vault () INHERITS (tt)",
        "DROP TABLE tt CASCADE",
        "SELECT * FROM vault",
    ],
    &[
        "CREATE TEMP TABLE tt (a int) PARTITION BY LIST (a)",
        "CREATE TEMP TABLE vault PARTITION OF tt DEFAULT",
        "DROP TABLE tt",
        "SELECT * FROM vault",
    ],
    &[
        "CREATE TEMP TABLE tt (a int)",
        "CREATE TEMP TABLE vault (a int)",
        "ALTER TABLE vault INHERIT tt",
        "DROP TABLE tt CASCADE",
        "SELECT * FROM vault",
    ],
    &[
        "CREATE TYPE public.mytt AS (a int)",
        "CREATE TEMP TABLE vault OF mytt",
        "DROP TYPE mytt CASCADE",
        "SELECT * FROM vault",
    ],
    &[
        "CREATE TEMP VIEW uniq AS SELECT 1 AS a",
        "ALTER VIEW uniq RENAME TO vault",
        "DROP VIEW vault",
        "SELECT * FROM vault",
    ],
    &["CREATE TEMP TABLE vault (a int) ON COMMIT DROP", "SELECT * FROM vault"],
    &["BEGIN", "CREATE TEMP TABLE vault (a int) ON COMMIT DROP", "COMMIT", "SELECT * FROM vault"],
    &[
        "BEGIN",
        "SAVEPOINT a",
        "SAVEPOINT a",
        "CREATE TEMP TABLE vault (x int)",
        "RELEASE a",
        "ROLLBACK TO a",
        "SELECT * FROM vault",
    ],
    &["CREATE TEMP TABLE vault (x int)", "DISCARD TEMP", "SELECT * FROM vault"],
    &["CREATE TEMP TABLE vault (x int)", "DISCARD ALL", "SELECT * FROM vault"],
    &["CREATE TEMP TABLE vault (x int)", "DROP TABLE pg_temp.vault", "SELECT * FROM vault"],
    &[
        "CREATE TEMP TABLE x (a int)",
        "ALTER TABLE x RENAME TO vault",
        "ALTER TABLE vault RENAME TO y",
        "SELECT * FROM vault",
    ],
    &["CREATE TEMP TABLE x (a int)", "CREATE INDEX vault ON x (a)", "SELECT * FROM vault"],
    &["CREATE TEMP TABLE vault (a int)", "SET search_path = public, pg_temp", "SELECT * FROM vault"],
    &["CREATE TEMP TABLE vault (a int); SELECT 1/0", "SELECT * FROM vault"],
];

const DEFINITIONS: &[&[&str]] = &[
    &["CREATE VIEW v AS SELECT * FROM vault"],
    &["CREATE VIEW v AS SELECT query_to_xml('select * from vault', true, true, '')"],
    &["CREATE MATERIALIZED VIEW v AS TABLE vault WITH NO DATA"],
    &["CREATE TABLE c AS TABLE vault"],
    &["SELECT * INTO c FROM vault"],
    &["CREATE TABLE c (LIKE vault INCLUDING ALL)"],
    &["CREATE TABLE c (a text DEFAULT public.peek('a'))"],
    &["CREATE SCHEMA s CREATE VIEW v AS SELECT * FROM public.vault"],
    &["ALTER TABLE employee ADD COLUMN z text DEFAULT (SELECT secret FROM vault)"],
    &["ALTER TABLE title ALTER COLUMN title TYPE text USING (SELECT secret FROM vault)"],
    &["CREATE INDEX ON vault (public.peek(secret))"],
    &["CREATE DOMAIN d AS text CHECK (public.peek(VALUE) IS NOT NULL)"],
    &["CREATE RULE r AS ON UPDATE TO title DO ALSO SELECT * FROM vault"],
    &["CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1'"],
    &["CREATE POLICY p ON vault"],
    &["CREATE EXTENSION hstore"],
    &["ALTER TABLE vault ADD COLUMN employee_no int", "ALTER TABLE vault INHERIT employee"],
    &[
        "CREATE TABLE parts (secret text) PARTITION BY LIST (secret)",
        "ALTER TABLE parts ATTACH PARTITION vault DEFAULT",
    ],
    &["ALTER FOREIGN TABLE vault OPTIONS (SET filename '/etc/passwd')"],
    &["ALTER TABLE employee OWNER TO postgres"],
    &["GRANT SELECT ON vault TO public"],
    &["DROP SCHEMA pg_temp CASCADE"],
];

const EVERYDAY: &[&[&str]] = &[
    &["SELECT 1"],
    &["SELECT version()"],
    &["SHOW search_path"],
    &["SHOW ALL"],
    &["SELECT current_database(), current_user, session_user, current_schema, pg_backend_pid()"],
    &["SELECT g.g, g FROM generate_series(1, 3) g"],
    &["SELECT t.a, t.b FROM jsonb_to_record('{\"a\":1}') AS t (a int, b text)"],
    &["SELECT k.key, k.value FROM jsonb_each('{\"a\":1}') k"],
    &["SELECT k.word FROM pg_get_keywords() k LIMIT 1"],
    &["SELECT (jsonb_each('{\"a\":1}')).key, (ARRAY['a', 'b'])[1]"],
    &["SELECT 7 % 2, 'a' LIKE 'b', 'a' SIMILAR TO 'b', 'a' ~ 'b', 1 BETWEEN 0 AND 2, 1 IN (1, 2)"],
    &[
        "SELECT extract(year FROM now()), now() AT TIME ZONE 'UTC', overlay('abc' placing 'x' from 1), trim(' a ')",
    ],
    &["SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM generate_series(1, 5) x"],
    &["SELECT to_tsvector('english', 'a fat cat') @@ to_tsquery('cat'), gen_random_uuid(), md5('a')"],
    &["SELECT has_table_privilege('salary', 'SELECT'), to_regclass('salary')"],
    &["EXPLAIN SELECT * FROM salary"],
    &["EXPLAIN (VERBOSE, COSTS off, FORMAT json) UPDATE salary SET amount = 1"],
    &["BEGIN; SELECT 1; COMMIT"],
    &["SET statement_timeout = '5s'", "SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE", "RESET ALL"],
    &["SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED"],
    &["SET ROLE NONE", "RESET ROLE", "SET SESSION AUTHORIZATION DEFAULT"],
    &["PREPARE q (int) AS SELECT $1", "EXECUTE q (1)", "DEALLOCATE q"],
    &["DECLARE c CURSOR WITH HOLD FOR SELECT 1", "FETCH c", "CLOSE c"],
    &["LISTEN a", "UNLISTEN *"],
    &["DISCARD ALL"],
];

const TOOLS: &[&[&str]] = &[
    &["SELECT set_config(name, 'view', false) FROM pg_settings WHERE name = 'application_name'"],
    &["SELECT pg_catalog.set_config('search_path', '', false)"],
    &["SELECT db.oid, db.* FROM pg_catalog.pg_database db WHERE datallowconn AND NOT datistemplate"],
    &["SELECT rolname FROM pg_catalog.pg_roles WHERE rolname = current_user"],
    &[
        "SELECT CASE WHEN usesuper THEN pg_is_in_recovery() ELSE false END FROM pg_user WHERE usename = current_user",
    ],
    &["SELECT gss_authenticated, encrypted FROM pg_catalog.pg_stat_gssapi WHERE pid = pg_backend_pid()"],
    &["SELECT string_agg(word, ',') FROM pg_catalog.pg_get_keywords() WHERE word <> ALL ('{a,abs}'::text[])"],
    &["SELECT (pg_catalog.txid_current()::varchar::bigint % 4294967296::bigint)::varchar::bigint"],
    &["SELECT obj_description('salary'::regclass), col_description('salary'::regclass, 1)"],
    &["SELECT pg_get_viewdef('current_salary'::regclass, true), pg_get_functiondef('hr_full_name'::regproc)"],
    &["SELECT pg_size_pretty(pg_total_relation_size('salary'))"],
    &["SELECT count(*) FROM information_schema.columns"],
    &["SELECT subname FROM pg_subscription"],
    &[
        "SELECT * FROM pg_stat_user_tables",
        "SELECT * FROM pg_indexes",
        "SELECT * FROM pg_timezone_names LIMIT 1",
    ],
];

const QUERIES: &[&[&str]] = &[
    &["SELECT salary FROM salary LIMIT 1"],
    &["SELECT (s).amount, (s.*)::text, to_jsonb(s) FROM salary s LIMIT 1"],
    &["SELECT DISTINCT ON (employee_no) * FROM salary ORDER BY employee_no, amount DESC LIMIT 1"],
    &["SELECT sum(amount) OVER (PARTITION BY employee_no ORDER BY from_date ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
       FROM salary LIMIT 1"],
    &["SELECT * FROM salary s, LATERAL (SELECT first_name FROM employee e WHERE e.employee_no = s.employee_no) x LIMIT 1"],
    &["SELECT employee_no, array_agg(amount) FILTER (WHERE amount > 1) FROM salary GROUP BY ROLLUP (employee_no) LIMIT 1"],
    &["SELECT * FROM salary TABLESAMPLE system (10) REPEATABLE (1) LIMIT 1"],
    &["SELECT * FROM employee JOIN salary USING (employee_no) NATURAL JOIN title LIMIT 1"],
    &["WITH RECURSIVE t (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT * FROM t"],
    &["SELECT u.u FROM employee e, unnest(ARRAY[e.first_name]) u LIMIT 1"],
    &["SELECT t.title, d.name FROM title t, department d, generate_series(1, 2) g LIMIT 1"],
    &["SELECT ctid, xmin, tableoid::regclass FROM salary LIMIT 1"],
    &["EXPLAIN (ANALYZE, BUFFERS, TIMING off) SELECT count(*) FROM salary"],
    &["SELECT query_to_xml('select * from salary limit 1', true, false, '')"],
    &["SELECT table_to_xml('department'::regclass, true, false, '')"],
    &["BEGIN", "DECLARE c CURSOR FOR SELECT * FROM salary", "FETCH 2 FROM c", "MOVE c", "CLOSE c", "COMMIT"],
    &["PREPARE p (int) AS SELECT * FROM salary WHERE employee_no = $1", "EXECUTE p (1)"],
    &["SELECT * FROM current_salary LIMIT 1", "TABLE department", "SELECT last_value FROM ticket_no"],
    &["SELECT similarity(first_name, 'Ada'), first_name <% 'Ada', digest(first_name, 'sha256') FROM employee LIMIT 1"],
    &["SELECT first_name::citext = 'ADA', crypt('a', gen_salt('md5')) FROM employee LIMIT 1"],
];
