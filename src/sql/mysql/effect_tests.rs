//! What statements leave behind in the session and do to the transaction.

use crate::{
    model::{
        facts::{AccessMode, Facts, SessionEffect, StatementKind, Tie, TransactionEffect, Unanalyzable},
        name_context::{MysqlFlavor, MysqlReading, NameContext, SearchPath},
    },
    sql::limits::Limits,
};

use super::analyze;

fn context(flavor: MysqlFlavor) -> NameContext {
    NameContext {
        database: "hr_prod".into(),
        server_version: 9,
        search_path: SearchPath::Known([].into()),
        accounts: [].into(),
        temporary: std::sync::Arc::default(),
        made: std::sync::Arc::default(),
        catalog: None,
        mysql: Some(MysqlReading {
            flavor,
            version: if flavor == MysqlFlavor::Mysql { 90_700 } else { 101_119 },
            ..MysqlReading::USUAL
        }),
    }
}

fn facts_on(flavor: MysqlFlavor, text: &str) -> Facts {
    let mut all = analyze(text, &context(flavor), &Limits::default()).unwrap();
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0)
}

fn facts(text: &str) -> Facts {
    facts_on(MysqlFlavor::Mysql, text)
}

fn effects(text: &str) -> Vec<SessionEffect> {
    facts(text).effects
}

fn set(name: &str, value: &str) -> SessionEffect {
    SessionEffect::Set { name: name.into(), value: Some(value.to_owned()), local: false }
}

fn to_default(name: &str) -> SessionEffect {
    SessionEffect::Set { name: name.into(), value: None, local: false }
}

#[test]
fn lists_that_depend_on_who_asks_say_so() {
    let shows = |text: &str| effects(text).contains(&SessionEffect::ShowsPrivileges);
    for text in [
        "SHOW FULL COLUMNS FROM t",
        "show full fields from t like 'a%'",
        "SHOW EVENTS",
        "SHOW TRIGGERS LIKE 't'",
    ] {
        assert!(shows(text), "{text}");
    }
    for text in [
        "SHOW COLUMNS FROM t",
        "SHOW FULL TABLES",
        "SHOW TABLES LIKE 'events'",
        "SHOW COLUMNS FROM events",
        "SHOW FULL COLUMNS FROM t WHERE Field = (SELECT a FROM u)",
        "SHOW EVENTS WHERE GET_LOCK('a', 1)",
        // Which account its person may use there is not asked.
        "SHOW FULL COLUMNS FROM t FROM other",
        "SHOW FULL COLUMNS IN other.t",
        "SHOW TRIGGERS FROM other",
        "SHOW EVENTS IN other",
    ] {
        assert!(!shows(text), "{text}");
    }
}

#[test]
fn a_setting_is_carried_as_it_can_be_set_again() {
    assert_eq!(effects("SET time_zone = \"+00:00\""), [set("time_zone", "'+00:00'")]);
    assert_eq!(effects("set @@session.WAIT_TIMEOUT = 5"), [set("wait_timeout", "5")]);
    assert_eq!(
        effects("SET sql_notes = OFF, sql_select_limit = DEFAULT"),
        [set("sql_notes", "OFF"), to_default("sql_select_limit")]
    );
    assert_eq!(effects("SET SESSION sql_mode = ' ANSI_QUOTES '"), [set("sql_mode", "'ANSI_QUOTES'")]);
    assert_eq!(effects("SET innodb_lock_wait_timeout = -1"), [set("innodb_lock_wait_timeout", "-1")]);
}

#[test]
fn a_named_lock_is_known_by_its_name_where_the_text_says_it() {
    let lock = |name: Option<&str>| SessionEffect::Ties(Tie::NamedLock(name.map(Into::into)));
    assert_eq!(effects("SELECT GET_LOCK('Job', 5)"), [lock(Some("Job"))]);
    for text in
        ["SELECT get_lock('a' 'b', 5)", "SELECT GET_LOCK(CONCAT('a', 'b'), 5)", "SELECT GET_LOCK(?, 5)"]
    {
        assert_eq!(effects(text), [lock(None)], "{text}");
    }
    for text in ["SELECT RELEASE_LOCK('Job')", "DO RELEASE_ALL_LOCKS()"] {
        assert_eq!(effects(text), [SessionEffect::Releases(Tie::NamedLock(None))], "{text}");
    }
}

#[test]
fn what_cannot_be_set_again_elsewhere_holds_the_connection() {
    assert_eq!(effects("SET @a = 1"), [SessionEffect::Ties(Tie::UserVariable)]);
    for text in [
        "SET time_zone = @a",
        "SET time_zone = CONCAT('a', 'b')",
        "SET lc_messages = 'a''b'",
        "SET insert_id = 5",
    ] {
        assert_eq!(effects(text), [SessionEffect::Pin], "{text}");
    }
}

#[test]
fn a_mode_that_only_the_server_knows_is_asked_for_and_holds_nothing() {
    for text in ["SET sql_mode = concat(@@sql_mode, ',STRICT_TRANS_TABLES')", "SET sql_mode = DEFAULT"] {
        assert_eq!(effects(text), [SessionEffect::ContextUnknown], "{text}");
    }
}

#[test]
fn names_set_all_that_they_are_about() {
    let cs = |name: &str| set(name, "utf8mb4");
    let charsets = || ["character_set_client", "character_set_connection", "character_set_results"].map(cs);
    let mut plain = charsets().to_vec();
    plain.push(to_default("collation_connection"));
    assert_eq!(effects("SET NAMES UTF8MB4"), plain);
    let mut collated = charsets().to_vec();
    collated.push(set("collation_connection", "utf8mb4_bin"));
    assert_eq!(effects("SET NAMES 'utf8mb4' COLLATE utf8mb4_bin"), collated);
}

#[test]
fn lifting_the_lock_of_reads_is_told() {
    let modes = |read_write, session| TransactionEffect::SetModes { read_write, session };
    for (text, wanted) in [
        ("SET SESSION TRANSACTION READ WRITE", modes(true, true)),
        ("SET TRANSACTION READ WRITE", modes(true, false)),
        ("SET SESSION TRANSACTION READ ONLY", modes(false, true)),
        ("SET transaction_read_only = 0", modes(true, true)),
        ("SET @@transaction_read_only = OFF", modes(true, false)),
        ("SET transaction_read_only = DEFAULT", modes(true, true)),
        ("SET transaction_read_only = ON", modes(false, true)),
        ("SET transaction_read_only = ON, tx_read_only = 0", modes(true, true)),
        ("START TRANSACTION READ WRITE", TransactionEffect::Begin { read_write: true }),
        ("START TRANSACTION READ ONLY", TransactionEffect::Begin { read_write: false }),
    ] {
        assert_eq!(facts(text).transaction, wanted, "{text}");
    }
}

#[test]
fn the_mode_of_a_session_s_transactions_is_carried_under_the_server_s_own_name() {
    for (text, wanted) in [
        ("SET SESSION TRANSACTION READ ONLY", vec![set("transaction_read_only", "1")]),
        ("SET SESSION TRANSACTION READ WRITE", vec![set("transaction_read_only", "0")]),
        ("SET transaction_read_only = ON", vec![set("transaction_read_only", "1")]),
        ("SET SESSION tx_read_only = 'off'", vec![set("transaction_read_only", "0")]),
        ("SET transaction_read_only = DEFAULT", vec![to_default("transaction_read_only")]),
        ("SET @@transaction_read_only = 1", vec![]),
        ("SET TRANSACTION READ ONLY", vec![]),
        (
            "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            vec![set("transaction_isolation", "'SERIALIZABLE'")],
        ),
        ("SELECT @@session.transaction_read_only", vec![SessionEffect::ShowsReadOnly]),
    ] {
        assert_eq!(effects(text), wanted, "{text}");
    }
    let on_mariadb = |text: &str| facts_on(MysqlFlavor::Mariadb, text).effects;
    assert_eq!(on_mariadb("SET SESSION TRANSACTION READ ONLY"), [set("tx_read_only", "1")]);
    assert_eq!(on_mariadb("SELECT @@tx_read_only"), [SessionEffect::ShowsReadOnly]);
    let unseen = "SET SESSION transaction_read_only = @a";
    assert!(analyze(unseen, &context(MysqlFlavor::Mysql), &Limits::default()).is_err());
}

#[test]
fn what_only_an_administrator_may_set_ties_the_session_to_the_connection_that_has_it() {
    for text in ["SET SESSION sql_log_bin = 0", "SET profiling = 1"] {
        assert_eq!(effects(text), [SessionEffect::Pin], "{text}");
    }
}

#[test]
fn the_level_of_isolation_is_carried_under_the_server_s_own_name() {
    let text = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
    assert_eq!(effects(text), [set("transaction_isolation", "'READ-COMMITTED'")]);
    assert_eq!(facts_on(MysqlFlavor::Mariadb, text).effects, [set("tx_isolation", "'READ-COMMITTED'")]);
    assert_eq!(effects("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"), []);
}

#[test]
fn definitions_locks_and_autocommit_end_the_transaction() {
    let ends = |text: &str| facts(text).transaction == TransactionEffect::Commit { chain: false };
    for text in [
        "CREATE TABLE t (a INT)",
        "ALTER TABLE t ADD b INT",
        "DROP TABLE t",
        "TRUNCATE t",
        "CREATE VIEW v AS SELECT 1",
        "RENAME TABLE t TO u",
        "GRANT SELECT ON hr_prod.* TO u",
        "LOCK TABLES t READ",
        "UNLOCK TABLES",
        "SET autocommit = 1",
        "ANALYZE TABLE t",
    ] {
        assert!(ends(text), "{text}");
    }
    for text in [
        "CREATE TEMPORARY TABLE t (a INT)",
        "DROP TEMPORARY TABLE t",
        "SET autocommit = 0",
        "INSERT INTO t VALUES (1)",
        "CHECKSUM TABLE t",
        "SET time_zone = 'SYSTEM'",
    ] {
        assert!(!ends(text), "{text}");
    }
    assert_eq!(facts("COMMIT AND CHAIN").transaction, TransactionEffect::Commit { chain: true });
}

#[test]
fn temporary_tables_come_and_go_under_their_full_name() {
    let made = |name: &str| SessionEffect::CreateTemporary(name.into());
    let gone = |name: &str| SessionEffect::DropRelation(name.into());
    assert!(effects("CREATE TEMPORARY TABLE t (a INT)").contains(&made("hr_prod.t")));
    assert!(effects("CREATE TEMPORARY TABLE archive.t SELECT 1").contains(&made("archive.t")));
    assert!(effects("DROP TEMPORARY TABLE t").contains(&gone("hr_prod.t")));
    assert!(effects("DROP TABLE t, archive.u").contains(&gone("archive.u")));
    assert!(!effects("CREATE TABLE t (a INT)").contains(&made("hr_prod.t")));
    assert!(!effects("DROP VIEW t").contains(&gone("hr_prod.t")));
}

#[test]
fn a_prepared_statement_keeps_the_one_spelling_and_leaves_nothing_else() {
    let facts = facts("PREPARE S FROM \"select /*!50000 1, */ 'a''b' # x\"");
    let text = "select 1, 'a''b'".to_owned();
    assert_eq!(facts.effects, [SessionEffect::Prepare { name: "s".into(), text }]);
    assert_eq!(facts.sent.as_deref(), Some("PREPARE S FROM 'select 1, ''a''''b'''"));
    assert_eq!(facts.kind, StatementKind::Prepare);
}

#[test]
fn what_was_prepared_unseen_is_judged_as_what_nobody_has_seen() {
    for flavor in [MysqlFlavor::Mariadb, MysqlFlavor::Mysql] {
        let prepared = facts_on(flavor, "PREPARE s FROM @text");
        let run = prepared.effects.iter().find_map(|effect| match effect {
            SessionEffect::Prepare { name, text } if name.as_str() == "s" => Some(text.as_str()),
            _ => None,
        });
        let run = facts_on(flavor, run.unwrap());
        assert!(run.accesses.iter().any(|access| access.mode == AccessMode::Administer));
        assert!(
            run.effects.contains(&SessionEffect::ContextUnknown) && run.effects.contains(&SessionEffect::Pin)
        );
    }
}

#[test]
fn a_constant_that_is_executed_at_once_is_sent_as_the_statement_it_is() {
    let facts = facts_on(MysqlFlavor::Mariadb, "EXECUTE IMMEDIATE 'USE archive'");
    assert_eq!(facts.kind, StatementKind::Use);
    assert_eq!(facts.effects, [SessionEffect::UseDatabase("archive".into())]);
    assert_eq!(facts.sent.as_deref(), Some("USE archive"));
}

#[test]
fn code_that_is_out_of_sight_leaves_the_context_unknown() {
    for text in ["CALL p()", "CREATE PROCEDURE p() BEGIN SELECT 1; END; USE archive"] {
        assert!(effects(text).contains(&SessionEffect::ContextUnknown), "{text}");
    }
    assert!(!effects("CREATE PROCEDURE p() SELECT 1").contains(&SessionEffect::ContextUnknown));
}

#[test]
fn a_plan_without_a_format_is_the_table_that_it_was_judged_as() {
    let sent = |version, text: &str| {
        let mut context = context(MysqlFlavor::Mysql);
        if let Some(reading) = &mut context.mysql {
            reading.version = version;
        }
        let facts = analyze(text, &context, &Limits::default()).unwrap();
        facts[0].sent.as_deref().unwrap().to_owned()
    };
    for (text, expected) in [
        ("EXPLAIN SELECT 1", "EXPLAIN FORMAT=TRADITIONAL SELECT 1"),
        ("desc /*! update */ t set a = 1", "EXPLAIN FORMAT=TRADITIONAL update t set a = 1"),
        ("EXPLAIN FOR SCHEMA hr_prod TABLE t", "EXPLAIN FORMAT=TRADITIONAL FOR SCHEMA hr_prod TABLE t"),
        ("PREPARE s FROM 'DESCRIBE SELECT 1'", "PREPARE s FROM 'EXPLAIN FORMAT=TRADITIONAL SELECT 1'"),
        ("EXPLAIN FORMAT=TREE SELECT 1", "EXPLAIN FORMAT=TREE SELECT 1"),
        ("EXPLAIN ANALYZE SELECT 1", "EXPLAIN ANALYZE SELECT 1"),
        ("DESCRIBE t", "DESCRIBE t"),
    ] {
        assert_eq!(sent(90_700, text), expected);
    }
    assert_eq!(sent(80_031, "EXPLAIN SELECT 1"), "EXPLAIN SELECT 1");
}

#[test]
fn the_plan_of_a_change_is_not_made_in_a_transaction_of_reads() {
    assert!(facts("EXPLAIN SELECT * FROM t").read_only);
    assert!(!facts("EXPLAIN DELETE FROM t").read_only);
    assert!(!facts("EXPLAIN SELECT f(1)").read_only);
}

#[test]
fn a_text_of_nothing_has_no_statements_and_an_empty_one_between_semicolons_is_told() {
    let kinds = |text: &str| -> Vec<_> {
        let all = analyze(text, &context(MysqlFlavor::Mysql), &Limits::default()).unwrap();
        all.iter().map(|facts| facts.kind).collect()
    };
    assert_eq!(kinds(""), []);
    assert_eq!(kinds(" -- x\n/* y */"), []);
    assert_eq!(kinds("select 1;"), [StatementKind::Select]);
    assert_eq!(kinds(";select 1"), [StatementKind::Empty, StatementKind::Select]);
}

#[test]
fn a_text_over_a_limit_is_refused_and_one_at_it_is_not() {
    let limits = Limits { statement_bytes: 18, statements: 2, ..Limits::default() };
    let ask = |text: &str| analyze(text, &context(MysqlFlavor::Mysql), &limits);
    assert_eq!(ask("select 1; select 2").unwrap().len(), 2);
    let told = |text: &str| matches!(ask(text), Err(Unanalyzable::TooLarge { .. }));
    assert!(told("select 1; select 22"));
    assert!(told("do 1; do 2; do 3"));
}

#[test]
fn a_function_that_the_server_no_longer_has_is_a_stored_one() {
    let calls = |version| {
        let mut context = context(MysqlFlavor::Mysql);
        if let Some(reading) = &mut context.mysql {
            reading.version = version;
        }
        let facts = analyze("SELECT md5('a')", &context, &Limits::default()).unwrap();
        facts[0].calls.iter().map(|call| call.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(calls(80_036), Vec::<String>::new());
    assert_eq!(calls(90_700), ["hr_prod.md5"]);
}
