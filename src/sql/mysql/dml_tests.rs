//! Queries and changes of rows, and what they touch.

use crate::model::{
    facts::Unanalyzable,
    name_context::MysqlFlavor::{Mariadb, Mysql},
};

use super::probe::{both_refuse, check, check_both, context, does, does_in, reading};

#[test]
fn every_table_of_a_query_is_read_wherever_it_stands() {
    check_both(&[
        ("select 1", "use"),
        ("select 1 from dual where 1", "use"),
        ("select * from t", "read d.t"),
        ("select * from other.t x, u as y", "read d.u, read other.t"),
        ("select (select a from b) + ((select 2 from c))", "read d.b, read d.c"),
        ("select ((select a from b), 1) = (2, 3)", "read d.b"),
        (
            "select * from t where a in (select b from u where exists (select 1 from v))",
            "read d.t, read d.u, read d.v",
        ),
        ("select * from t where a > all (select b from u)", "read d.t, read d.u"),
        (
            "select * from t group by (select a from u) having (select 1 from v) order by (select 2 from w)",
            "read d.t, read d.u, read d.v, read d.w",
        ),
        (
            "select * from t a left outer join (u b cross join v) on a.i = (select 1 from w)",
            "read d.t, read d.u, read d.v, read d.w",
        ),
        ("select * from a natural left join b join c using (x, y)", "read d.a, read d.b, read d.c"),
        ("select * from a join b join c on 1 on 2", "read d.a, read d.b, read d.c"),
        ("select * from {oj a left join b on 1}", "read d.a, read d.b"),
        ("select * from (a, b), ((c))", "read d.a, read d.b, read d.c"),
        ("select * from (select * from a) x, ((select 1) union (select * from b)) y", "read d.a, read d.b"),
        ("select * from ((select 1) x join secret)", "read d.secret"),
        (
            "select * from t partition (p0, p1) x use index for join (primary, i), ignore key (j) where 1",
            "read d.t",
        ),
        ("select * from t use index (), u", "read d.t, read d.u"),
        (
            "select sum(a) over (partition by (select 1 from u) rows between 1 preceding and current row) from t",
            "read d.t, read d.u",
        ),
        ("select rank() over w from t window w as (order by a)", "read d.t"),
        (
            "select group_concat(distinct a order by (select 1 from u) desc separator ';') from t",
            "read d.t, read d.u",
        ),
        (
            "select * from json_table((select a from t), '$[*]' columns (n for ordinality, a int path '$.a' default '1' on empty)) j",
            "read d.t",
        ),
        ("table t order by 1 limit 2", "read d.t"),
        ("select 1 from t limit 5 offset 2", "read d.t"),
        ("select * from t where match (a, b) against ('x' in boolean mode)", "read d.t"),
        (
            "select date '2020-01-01' + interval 1 day, {d '2020-01-01'}, _utf8mb4'x' collate utf8mb4_bin, x'00', b'1', n'x' 'y'",
            "use",
        ),
        (
            "select cast(a as char(3) character set utf8mb4), convert(a using latin1), extract(year from a), trim(both ' ' from a), position('a' in b), substring(a from 1 for 2), char(1 using utf8mb4) from t",
            "read d.t",
        ),
        (
            "select c member of ('[]'), d sounds like 'x', e not like 'a' escape '|', f regexp 'x' from t",
            "read d.t",
        ),
        ("select case a when 1 then 2 else (select 3 from u) end from t", "read d.t, read d.u"),
    ]);
    check(
        Mysql,
        &[
            ("select a->'$.x', b->>'$.y' from t", "read d.t"),
            ("values row(1, (select a from b)), row(2, 3)", "read d.b"),
            ("select * from t, lateral (select * from u) x", "read d.t, read d.u"),
            ("select * from t tablesample system (10)", "read d.t"),
            ("select * from t qualify row_number() over () = 1", "read d.t"),
        ],
    );
    check(
        Mariadb,
        &[
            ("values (1, (select a from b)), (2, 3)", "read d.b"),
            ("select * from (values (1), (2)) v join t", "read d.t"),
            ("select * from t for system_time as of timestamp '2020-01-01' x", "read d.t"),
            ("select * from t for system_time between (select 1 from u) and now()", "read d.t, read d.u"),
            ("select * from t order by 1 offset 2 rows fetch first 3 rows only", "read d.t"),
            ("select * from t limit rows examined 10", "read d.t"),
            ("select percentile_cont(0.5) within group (order by a) over () from t", "read d.t"),
        ],
    );
}

#[test]
fn a_common_table_expression_hides_a_table_in_its_scope_only() {
    check_both(&[
        ("with t as (select 1) select * from t", "use"),
        ("with t as (select * from t) select * from t", "read d.t"),
        ("with t as (select 1) select * from d.t", "read d.t"),
        ("with recursive t as (select 1 union all select * from t) select * from t", "use"),
        ("with a as (select * from b), b as (select 1) select * from a, b", "read d.b"),
        ("with recursive a as (select * from b), b as (select 1) select * from a, b", "read d.b"),
        ("with a as (select 1), b as (select * from a) select * from b", "use"),
        ("select * from (with x as (select 1) select * from x) y, x", "read d.x"),
        ("(with x as (select 1) select * from x) union select * from x", "read d.x"),
        ("with x as (select 1) (select * from x) union select * from x", "use"),
        ("with x as (select 1) select * from X", "read d.X"),
        ("with x (a) as (select 1) select (select max(a) from x) from x order by (select 1 from x)", "use"),
        ("with t as (select 1) delete from t", "write d.t, read-write"),
        ("with x as (select 1) update t, x set t.a = 1", "write d.t, read-write"),
        ("insert into x with x as (select 1) select * from x", "write d.x, read-write"),
    ]);
    both_refuse(&["with x as (select 1) update x set a = 1", "with x as (select 1) delete x from x"]);
}

#[test]
fn locks_ask_for_writing_what_from_lists() {
    check_both(&[
        ("select * from t for update", "read d.t, write d.t, read-write"),
        ("select * from t lock in share mode", "read d.t, write d.t, read-write"),
        (
            "select * from t where a in (select a from u) for update",
            "read d.t, write d.t, read d.u, read-write",
        ),
        ("select * from (select * from t) x, u for update", "read d.t, read d.u, write d.u, read-write"),
        (
            "with x as (select * from t) select * from x, u for update",
            "read d.t, read d.u, write d.u, read-write",
        ),
        ("select 1 union select a from t for update", "read d.t, write d.t, read-write"),
    ]);
    check(
        Mysql,
        &[
            ("select * from t join u x for update of x nowait", "read d.t, read d.u, write d.u, read-write"),
            (
                "select * from t join u x for share of t, x skip locked",
                "read d.t, write d.t, read d.u, write d.u, read-write",
            ),
            (
                "select * from t join u x for update of nobody",
                "read d.t, write d.t, read d.u, write d.u, read-write",
            ),
            (
                "select * from t, u for update of t for share of u",
                "read d.t, write d.t, read d.u, write d.u, read-write",
            ),
        ],
    );
}

#[test]
fn insert_writes_its_target_and_reads_its_sources() {
    check_both(&[
        ("insert into t values (1, default), (now(), (select a from u))", "write d.t, read d.u, read-write"),
        ("insert t () values ()", "write d.t, read-write"),
        ("insert into t (a, t.b) value (1, 2)", "write d.t, read-write"),
        ("insert into other.t partition (p0) (a) select a from u", "read d.u, write other.t, read-write"),
        ("insert into t (select a from u)", "write d.t, read d.u, read-write"),
        ("insert into t (a) ((select a from u) union (select 1))", "write d.t, read d.u, read-write"),
        ("insert into t table u", "write d.t, read d.u, read-write"),
        ("insert into t set a = 1, b = default", "write d.t, read-write"),
        (
            "insert into t (a) values (1) on duplicate key update a = values(a) + (select 1 from u)",
            "write d.t, read d.u, read-write",
        ),
        (
            "insert into t select * from u join v on duplicate key update a = 1",
            "write d.t, read d.u, read d.v, read-write",
        ),
        ("insert into t select * from t", "read d.t, write d.t, read-write"),
        ("replace into t values (1)", "write d.t, read-write"),
        ("replace t select * from u", "write d.t, read d.u, read-write"),
    ]);
    check(
        Mysql,
        &[(
            "insert into t values row(1, 2), row(3, 4) as new (a, b) on duplicate key update a = new.a",
            "write d.t, read-write",
        )],
    );
    check(
        Mariadb,
        &[
            (
                "insert into t values (1) returning id, (select 1 from u)",
                "read d.t, write d.t, read d.u, read-write",
            ),
            ("replace into t values (1) returning *", "read d.t, write d.t, read-write"),
            ("insert into t select * from u returning id", "read d.t, write d.t, read d.u, read-write"),
        ],
    );
}

#[test]
fn update_writes_the_tables_whose_columns_it_sets() {
    check_both(&[
        (
            "update t set a = 1 where b = (select c from u) order by a limit 3",
            "write d.t, read d.u, read-write",
        ),
        ("update t x set x.a = default", "write d.t, read-write"),
        ("update t, u set t.a = u.a", "write d.t, read d.u, read-write"),
        ("update t x join u y on x.i = y.i set y.a = x.a", "read d.t, write d.u, read-write"),
        ("update t join u set a = 1", "read d.t, write d.t, read d.u, write d.u, read-write"),
        ("update other.t join u set other.t.a = 1", "read d.u, write other.t, read-write"),
        ("update t x join u X set x.a = 1", "read d.t, write d.t, read d.u, write d.u, read-write"),
        ("update t join (select * from u) x set t.a = x.a", "write d.t, read d.u, read-write"),
        ("update t join (select * from u) x set x.a = 1", "write d.t, read d.u, read-write"),
        ("update t join t x set x.a = 1", "read d.t, write d.t, read-write"),
    ]);
    check(Mariadb, &[("update t for portion of p from '2020' to '2021' set a = 1", "write d.t, read-write")]);
    both_refuse(&["update (select * from t) x set a = 1"]);
}

#[test]
fn delete_writes_the_tables_it_deletes_from() {
    check_both(&[
        ("delete from t where a = (select b from u) order by a limit 1", "write d.t, read d.u, read-write"),
        ("delete low_priority quick ignore from other.t", "write other.t, read-write"),
        ("delete t from t join u", "write d.t, read d.u, read-write"),
        ("delete x.*, u from t x, u, v", "write d.t, write d.u, read d.v, read-write"),
        ("delete from x, v using t x join u join v", "write d.t, read d.u, write d.v, read-write"),
        ("delete other.t from other.t join u", "read d.u, write other.t, read-write"),
        ("delete nobody from t join u", "write d.t, write d.u, read-write"),
    ]);
    check(Mysql, &[("delete from t as x partition (p0) where x.a = 1", "write d.t, read-write")]);
    check(
        Mariadb,
        &[
            (
                "delete from t where a = 1 returning b, (select 1 from u)",
                "read d.t, write d.t, read d.u, read-write",
            ),
            ("delete from t for portion of p from 1 to 2", "write d.t, read-write"),
        ],
    );
}

#[test]
fn what_belongs_to_the_connection_is_noted() {
    check_both(&[
        ("select @a", "use"),
        ("select @a := 1, @b := @a + 1", "use, pin"),
        ("select a from t into @x, @y", "read d.t, pin"),
        ("select a into @x from t", "read d.t, pin"),
        ("select get_lock('a', 1)", "use, pin"),
        ("select last_insert_id()", "use, diagnostics"),
        ("select found_rows(), row_count()", "use, diagnostics"),
        ("select @@identity, @@session.warning_count", "use, diagnostics"),
        ("select @@version, @@global.max_connections, @@`sql_mode`", "use"),
        ("insert into t values (last_insert_id(5))", "write d.t, diagnostics, read-write"),
    ]);
}

#[test]
fn files_and_system_databases_need_their_own() {
    check_both(&[
        ("select * from information_schema.tables", "use"),
        ("select * from INFORMATION_SCHEMA.columns", "use"),
        (
            "select * from information_schema.processlist",
            "administer information_schema.processlist, read-write",
        ),
        ("select * from mysql.user", "administer mysql.user, read-write"),
        ("delete from mysql.db", "administer mysql.db, read-write"),
        ("select * from performance_schema.threads", "administer performance_schema.threads, read-write"),
        (
            "select * into outfile '/x' character set utf8mb4 fields terminated by ',' lines terminated by '\\n' from t",
            "read d.t, administer server file, read-write",
        ),
        ("select a from t into dumpfile '/x'", "read d.t, administer server file, read-write"),
        ("select load_file('/etc/passwd')", "administer server file, read-write"),
        ("select sleep(1), benchmark(1, 1)", "use"),
        (
            "load data infile '/x' ignore into table t fields terminated by ',' ignore 1 lines (a, @b) set c = (select 1 from u)",
            "write d.t, read d.u, administer server file, pin, read-write",
        ),
    ]);
    for flavor in [Mysql, Mariadb] {
        let local = does("load data local infile '/x' into table t", flavor);
        assert!(matches!(local, Err(Unanalyzable::Never { .. })), "{local:?}");
    }
}

#[test]
fn sequences_are_written() {
    check(
        Mariadb,
        &[
            ("select next value for other.s", "write other.s, read-write"),
            ("select nextval(s)", "write d.s, read-write"),
            ("select setval(s, 5)", "write d.s, read-write"),
            ("select lastval(s), previous value for s", "read d.s, diagnostics"),
            ("select s.nextval, other.s.currval", "write d.s, write other.s, read-write"),
        ],
    );
    check(Mysql, &[("select nextval(s)", "use, call d.nextval"), ("select s.nextval from t s", "read d.t")]);
}

#[test]
fn a_temporary_table_is_the_sessions_own() {
    check_both(&[
        ("select * from tmp, d.tmp", "use"),
        ("select * from other.tmp", "read other.tmp"),
        ("insert into tmp select * from t", "use, read d.t, read-write"),
    ]);
    let mut dotted = context(Mysql);
    dotted.temporary = std::iter::once("d.a.b".into()).collect::<std::collections::BTreeSet<_>>().into();
    assert_eq!(does_in("select * from `d.a`.b", &dotted).as_deref(), Ok("read d.a.b"));
    assert_eq!(does_in("select * from `a.b`", &dotted).as_deref(), Ok("read d.a.b"));
}

#[test]
fn a_name_without_a_database_needs_one() {
    let mut nowhere = context(Mysql);
    nowhere.database = "".into();
    assert_eq!(does_in("select * from t", &nowhere), Err(Unanalyzable::NoDatabase));
    assert_eq!(does_in("select * from d.t", &nowhere).as_deref(), Ok("read d.t"));
    assert_eq!(does_in("with t as (select 1) select * from t", &nowhere).as_deref(), Ok("use"));
}

#[test]
fn names_are_folded_where_the_server_folds_them() {
    let mut folding = context(Mysql);
    folding.mysql = Some(crate::model::name_context::MysqlReading { folds_names: true, ..reading(Mysql) });
    assert_eq!(does_in("select * from Other.T", &folding).as_deref(), Ok("read other.t"));
    assert_eq!(does_in("with X as (select 1) select * from x", &folding).as_deref(), Ok("read d.x"));
    assert!(does_in("select * from `t\u{130}`", &folding).is_err());
    assert_eq!(does("select * from Other.T", Mysql).as_deref(), Ok("read Other.T"));
}

#[test]
fn what_is_compared_with_each_other_has_a_bound() {
    let commons = |count: usize| format!("with {} select 1", vec!["x as (select 1)"; count].join(", "));
    let tables = |count: usize| format!("select * from {}", vec!["t"; count].join(", "));
    for (text, fits) in
        [(commons(1_000), true), (commons(1_001), false), (tables(1_000), true), (tables(1_001), false)]
    {
        let done = does(&text, Mysql);
        assert_eq!(done.is_ok(), fits);
        assert!(fits || matches!(done, Err(Unanalyzable::TooLarge { .. })));
    }
}

#[test]
fn nesting_has_a_bound() {
    let deep = |levels: usize| format!("select {}1{}", "(".repeat(levels), ")".repeat(levels));
    assert!(does(&deep(150), Mysql).is_ok());
    let too_deep = does(&deep(300), Mysql);
    assert!(matches!(too_deep, Err(Unanalyzable::TooLarge { .. })), "{too_deep:?}");
    let from = format!("select * from {}t{}", "(".repeat(300), ")".repeat(300));
    assert!(matches!(does(&from, Mysql), Err(Unanalyzable::TooLarge { .. })));
}

#[test]
fn nesting_to_the_bound_needs_little_stack() {
    let wraps =
        [("(", "", ")"), ("concat(", "", ")"), ("case when ", " then 1 end", ""), ("(select ", "", ")")];
    for (open, middle, close) in wraps {
        let text = format!("select {}1{}", open.repeat(95), format!("{middle}{close}").repeat(95));
        let small = std::thread::Builder::new().stack_size(256 << 10);
        let done = small.spawn(move || does(&text, Mysql).is_ok()).unwrap().join();
        assert!(done.unwrap(), "{open}");
    }
}
