//! Texts that other parsers misread: each has a table in it that must not be overlooked.

use crate::model::name_context::MysqlFlavor::{Mariadb, Mysql};

use super::probe::{both_refuse, check, check_both, context, does_in, reading, refuses};

#[test]
fn a_table_behind_what_looks_like_the_end_is_read() {
    check_both(&[
        ("select 1 end union select pw from secret", "read d.secret"),
        ("select 1,2 union table secret", "read d.secret"),
        ("select 1 union (select pw from secret)", "read d.secret"),
        ("(select 1) union (table secret)", "read d.secret"),
        ("select 1 except select pw from secret", "read d.secret"),
        ("select 1 intersect all select pw from secret", "read d.secret"),
        ("select 1 as `end` union all select pw from secret", "read d.secret"),
        ("select 1 'from dual' from secret", "read d.secret"),
    ]);
}

#[test]
fn a_number_ends_where_the_server_ends_it() {
    check_both(&[
        ("select pw, 1.from secret", "read d.secret"),
        ("select pw, .1from secret", "read d.secret"),
        ("select pw, 1.5from secret", "read d.secret"),
        ("select pw, 1.5e3from secret", "read d.secret"),
        ("select pw, 0x1 from secret", "read d.secret"),
    ]);
}

#[test]
fn what_is_no_comment_hides_no_table() {
    check_both(&[
        ("select pw, 1 --1 from secret", "read d.secret"),
        ("select pw, 1 -- 1\n from secret", "read d.secret"),
    ]);
    both_refuse(&["select pw, 1 --\u{a0}.id from secret as \u{a0}, t where"]);
    // The blank that is none is a name here.
    check_both(&[("select pw, 1 --\u{a0}.id from secret as \u{a0}", "read d.secret")]);
}

#[test]
fn executable_comments_are_read_as_the_version_runs_them() {
    check(
        Mysql,
        &[
            ("select pw from /*!99999 t as */ secret", "read d.secret"),
            ("select pw from /*!80000 t as */ secret", "read d.t"),
            ("select 1 /*! union select pw from secret */", "read d.secret"),
            ("select 1 /*M! union select pw from secret */", "use"),
        ],
    );
    check(
        Mariadb,
        &[
            ("select 1 /*M! union select pw from secret */", "read d.secret"),
            ("select 1 /*M!100100 union select pw from secret */", "read d.secret"),
        ],
    );
}

#[test]
fn a_backslash_is_what_the_sql_mode_says() {
    let text = r"select 'a\' union select pw from secret where 'x'='x'";
    let mut plain = context(Mysql);
    assert!(does_in(text, &plain).is_err());
    plain.mysql =
        Some(crate::model::name_context::MysqlReading { no_backslash_escapes: true, ..reading(Mysql) });
    assert_eq!(does_in(text, &plain).as_deref(), Ok("read d.secret"));
}

#[test]
fn double_quotes_are_what_the_sql_mode_says() {
    let text = "select pw from \"secret\"";
    let mut context = context(Mysql);
    assert!(does_in(text, &context).is_err());
    context.mysql = Some(crate::model::name_context::MysqlReading { ansi_quotes: true, ..reading(Mysql) });
    assert_eq!(does_in(text, &context).as_deref(), Ok("read d.secret"));
}

#[test]
fn words_of_the_grammar_are_no_names_of_tables() {
    check_both(&[
        ("update ignore t set v=9", "write d.t, read-write"),
        ("update low_priority ignore t set v=9", "write d.t, read-write"),
        ("insert ignore into t values (1)", "write d.t, read-write"),
        ("insert high_priority t values (1)", "write d.t, read-write"),
        ("delete quick from t", "write d.t, read-write"),
        ("replace delayed into t values (1)", "write d.t, read-write"),
        ("select sql_no_cache pw from t", "read d.t"),
        ("select * from a full join b", "read d.a, read d.b"),
        ("select * from a straight_join b", "read d.a, read d.b"),
        ("select nth_value(a, 1) over () from first", "read d.first"),
    ]);
    both_refuse(&["select * from select", "select * from t where", "select from t", "update t where a = 1"]);
}

#[test]
fn a_reserved_word_is_a_name_behind_a_point_and_in_quotes_only() {
    check_both(&[
        ("select * from d.select", "read d.select"),
        ("select * from `select`", "read d.select"),
        ("select t.from from t", "read d.t"),
        ("select * from t where t.union = 1", "read d.t"),
    ]);
    both_refuse(&["select * from d . select", "select a from from"]);
}

#[test]
fn a_call_that_is_not_built_in_is_named() {
    check_both(&[
        ("select f()", "use, call d.f"),
        ("select other.f(1)", "use, call other.f"),
        ("select d.count(1)", "use, call d.count"),
        ("select `count`(1)", "use, call d.count"),
        ("select max (a) from t", "read d.t, call d.max"),
        ("select max(a) from t", "read d.t"),
        ("select concat (a) from t", "read d.t"),
        ("select if (a, 1, 2) from t", "read d.t"),
        ("select a from t where f((select pw from secret))", "read d.secret, read d.t, call d.f"),
    ]);
    both_refuse(&["select `a.b`.f()"]);
}

#[test]
fn a_built_in_function_apart_from_its_bracket_is_one_under_ignore_space() {
    let mut context = context(Mysql);
    context.mysql = Some(crate::model::name_context::MysqlReading { ignore_space: true, ..reading(Mysql) });
    assert_eq!(does_in("select max (a) from t", &context).as_deref(), Ok("read d.t"));
}

#[test]
fn names_that_the_server_changes_are_refused() {
    both_refuse(&[
        "select * from `#mysql50#secret`",
        "select * from `#MYSQL50#d`.t",
        "select * from ``",
        "select * from `a `",
        "select * from a.b.c",
        "insert into a.b.c values (1)",
    ]);
    check_both(&[("select `a `, `#mysql50#x` from `#mysql`", "read d.#mysql")]);
}

#[test]
fn nothing_that_is_left_over_passes() {
    both_refuse(&[
        "select 1 from t limit 1 procedure analyse()",
        "select 1 from t x y",
        "select 1 2",
        "select 1 into x",
        "select 1 from t limit x",
        "update t set a = 1 from u",
        "delete from t, u",
        "select (1",
        "select * from t where a = any (1, 2)",
        "select exists (1)",
        "with x as (1) select 1",
        "select 1 from t for",
        "select case when 1 then 2",
    ]);
    refuses(
        Mysql,
        &[
            "delete from t returning a",
            "insert into t values (1) returning a",
            "select * from t for system_time all",
            "select 1 limit 1 rows examined 5 with ties",
        ],
    );
}
