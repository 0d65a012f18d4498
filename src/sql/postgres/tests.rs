//! Statements and what they mean, in one line each.
//!
//! A line of facts names each access as `mode object`, then calls, effects and what runs; `!` stands for "writes".

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    model::{
        catalog::Catalog,
        dialect::Dialect,
        facts::{Facts, SessionEffect, Tie, TransactionEffect, Unanalyzable},
        ids::Ident,
        name_context::{NameContext, SearchPath},
    },
    sql::{Limits, analyze},
};

fn set(names: &[&str]) -> BTreeSet<Ident> {
    names.iter().map(|name| Ident::from(*name)).collect()
}

fn held(names: &[(&str, &[&str])]) -> BTreeMap<Ident, BTreeSet<Ident>> {
    names.iter().map(|(name, schemas)| (Ident::from(*name), set(schemas))).collect()
}

pub(super) fn context() -> NameContext {
    let catalog = Catalog {
        version: 1,
        is_utf8: true,
        schemas: set(&["public", "hr", "pg_catalog", "information_schema"]),
        relations: held(&[
            ("employee", &["public"]),
            ("salary", &["public", "hr"]),
            ("title", &["public"]),
            ("secret", &["hr"]),
            ("mood", &["public"]),
        ]),
        plain: BTreeMap::new(),
        routines: held(&[
            ("full_name", &["public"]),
            ("lower", &["hr"]),
            ("similarity", &["public"]),
            ("upper", &["public"]),
        ]),
        row_routines: set(&["full_name"]),
        computing_routines: set(&["similarity"]),
        operators: set(&["<->", "@@@", "@>", "<<%"]),
        computing_operators: set(&["<<%"]),
        code_types: set(&["citext"]),
    };
    NameContext {
        database: "hr_prod".into(),
        server_version: 15,
        search_path: SearchPath::Known(["$user".into(), "public".into()].into()),
        accounts: ["tidegate_read".into()].into(),
        temporary: Arc::new(set(&["scratch"])),
        made: Arc::default(),
        catalog: Some(Arc::new(catalog)),
        mysql: None,
    }
}

pub(super) fn read(text: &str, context: &NameContext) -> Result<Vec<Facts>, Unanalyzable> {
    analyze(text, Dialect::Postgres, context, &Limits::default())
}

fn line(facts: &Facts) -> String {
    let mut words: Vec<String> = facts
        .accesses
        .iter()
        .map(|access| format!("{:?} {}", access.mode, access.object).to_lowercase())
        .filter(|words| words != "use the database")
        .collect();
    words.extend(facts.calls.iter().map(|call| format!("call {}", call.name)));
    words.extend(facts.runs.iter().map(|runs| format!("{runs:?}")));
    if !facts.read_only {
        words.push("!".to_owned());
    }
    words.join(", ")
}

fn lines(text: &str, context: &NameContext) -> String {
    match read(text, context) {
        Ok(facts) => facts.iter().map(line).collect::<Vec<_>>().join("; "),
        Err(error) => format!("refused: {error}"),
    }
}

pub(super) fn check_in(context: &NameContext, rows: &[(&str, &str)]) {
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(text, expected)| {
            let found = lines(text, context);
            (found != *expected).then(|| format!("{text}\n  expected {expected}\n  found    {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

pub(super) fn check(rows: &[(&str, &str)]) {
    check_in(&context(), rows);
}

#[test]
fn every_relation_counts_wherever_it_stands() {
    const READS: &str = "read public.employee";
    check(&[
        ("select * from employee", READS),
        ("table employee", READS),
        ("values ((select 1 from employee))", READS),
        ("select 1 limit (select count(*) from employee)", READS),
        ("select 1 order by (select 1 from employee)", READS),
        ("select exists (select from only employee)", READS),
        ("select count(*) filter (where exists (table employee))", READS),
        ("select sum(1) over (rows between (select 1 from employee) preceding and current row)", READS),
        ("select * from (values (1)) v, lateral (select * from employee) x", READS),
        ("select * from generate_series(1, (select 1 from employee))", READS),
        ("select * from rows from (generate_series(1, (select 1 from employee)), now())", READS),
        (
            "select * from title tablesample bernoulli ((select 1 from employee))",
            "read public.employee, read public.title",
        ),
        ("select array(select id from employee), (select row(e) from employee e)", READS),
        ("select case when 1 in (select id from employee) then 1 end", READS),
        ("select * from xmltable('/a' passing (select x from employee) columns a int)", READS),
        ("select a[(select 1 from employee)] from (select array[1] a) x", READS),
        ("select 1 union all select 2 except (select id from employee)", READS),
        ("select 1 group by grouping sets ((), ((select 1 from employee)))", READS),
        ("select (select id from employee)::text collate \"C\" is null", READS),
        ("select * from hr_prod.public.employee", READS),
        ("select * from elsewhere.public.employee", "administer database elsewhere"),
    ]);
}

#[test]
fn a_cte_hides_a_relation_in_its_scope_and_nowhere_else() {
    check(&[
        ("with employee as (select 1) select * from employee", ""),
        ("with employee as (select 1) select * from public.employee", "read public.employee"),
        ("with employee as (select * from employee) table employee", "read public.employee"),
        ("with recursive employee as (select * from employee) table employee", ""),
        ("with a as (table title), title as (select 1) table a", "read public.title"),
        ("with recursive a as (table title), title as (select 1) table a", ""),
        ("(with employee as (select 1) table employee) union table employee", "read public.employee"),
        ("select (with employee as (select 1) table employee), (table employee)", "read public.employee"),
        ("with employee as (select 1) select (with title as (table employee) table title)", ""),
        ("with employee as (select 1) delete from employee", "write public.employee, !"),
        ("with x as (delete from employee returning 1) table x", "write public.employee, !"),
        (
            "with x as (update employee set a = 1 returning *) table x",
            "read public.employee, write public.employee, !",
        ),
        (
            "with x as (merge into employee using title on true when matched then delete) select 1",
            "write public.employee, read public.title, !",
        ),
    ]);
}

#[test]
fn changes_write_their_target_and_read_the_rest() {
    check(&[
        ("insert into employee values (1)", "write public.employee, !"),
        ("insert into employee table title", "write public.employee, read public.title, !"),
        ("insert into employee values (1) returning id", "read public.employee, write public.employee, !"),
        ("insert into employee values (1) returning 1", "write public.employee, !"),
        (
            "insert into employee values (1) on conflict (id) do update set a = (select 1 from title)",
            "write public.employee, read public.title, !",
        ),
        ("update employee e set a = 1 from title where true", "write public.employee, read public.title, !"),
        (
            "update employee set (a, b) = (select 1, 2 from title)",
            "write public.employee, read public.title, !",
        ),
        ("delete from employee where current of c", "write public.employee, !"),
        (
            "merge into employee e using title t on true when matched and exists (table hr.secret) then delete",
            "read hr.secret, write public.employee, read public.title, !",
        ),
        ("copy employee from stdin", "write public.employee, !"),
        ("copy employee to stdout", "export public.employee"),
        ("copy (table employee) to stdout", "export public.employee"),
        (
            "copy (delete from employee returning *) to stdout",
            "export public.employee, write public.employee, !",
        ),
        ("copy employee to '/tmp/x'", "export public.employee, administer server file, !"),
        ("copy employee from program 'x'", "write public.employee, administer server program, !"),
    ]);
}

#[test]
fn locking_rows_writes_the_relations_that_are_locked() {
    check(&[
        ("select * from employee for update", "read public.employee, write public.employee, !"),
        (
            "select * from employee e, title t for share of e",
            "read public.employee, write public.employee, read public.title, !",
        ),
        (
            "select * from (select * from employee) x for update of x",
            "read public.employee, write public.employee, !",
        ),
        ("with x as (select 1) select * from x for update", "!"),
        ("select * from pg_class for update", "use pg_catalog.pg_class, administer pg_catalog.pg_class, !"),
        ("lock table employee in access share mode", "read public.employee"),
        ("lock table employee", "read public.employee, write public.employee, !"),
    ]);
}

#[test]
fn explain_asks_for_explain_and_analyze_for_the_statement_itself() {
    check(&[
        ("explain select * from employee", "explain public.employee"),
        ("explain (analyze off, costs) table employee", "explain public.employee"),
        ("explain delete from employee using title", "explain public.employee, explain public.title"),
        ("explain create table fresh as table employee", "explain public.employee, explain public.fresh"),
        ("explain analyze table employee", "read public.employee"),
        ("explain (analyze) delete from employee", "write public.employee, !"),
        ("explain (analyze 1) table employee", "read public.employee"),
        ("explain (analyze true, analyze false) table employee", "read public.employee"),
        ("explain (analyze whatever) table employee", "read public.employee"),
        ("explain select table_to_xml('employee', true, true, '')", "read public.employee"),
        ("explain select full_name(1)", "call full_name"),
        ("explain execute p", "Prepared { name: \"p\", explain: true }"),
        ("explain analyze execute p", "Prepared { name: \"p\", explain: false }"),
    ]);
}

#[test]
fn names_are_looked_up_as_the_server_would() {
    check(&[
        ("table secret", "read public.secret"),
        ("table scratch", ""),
        ("table public.scratch", "read public.scratch"),
        ("table pg_temp.anything", ""),
        ("table pg_temp_3.anything", "administer pg_temp_3.anything"),
        ("table pg_class", "use pg_catalog.pg_class"),
        ("table pg_authid", "administer pg_catalog.pg_authid"),
        ("delete from pg_class", "administer pg_catalog.pg_class, !"),
        ("table pg_toast.pg_toast_1", "administer pg_toast.pg_toast_1"),
        ("table information_schema.tables", "use information_schema.tables"),
        ("table tables", "read public.tables"),
        ("create table fresh ()", "define public.fresh, !"),
        ("create temp table fresh ()", "define pg_temp.fresh, !"),
    ]);
    let path = |entries: &[&str]| NameContext {
        search_path: SearchPath::Known(entries.iter().map(|entry| Ident::from(*entry)).collect()),
        ..context()
    };
    check_in(
        &path(&["hr", "public"]),
        &[
            ("table salary", "read hr.salary, read public.salary"),
            ("table secret", "read hr.secret"),
            ("table unheard_of", "read hr.unheard_of, read public.unheard_of"),
            ("create table fresh ()", "define hr.fresh, !"),
            ("select lower('X')", "call lower"),
        ],
    );
    check_in(&path(&["nowhere", "hr"]), &[("table secret", "read hr.secret"), ("table new", "read hr.new")]);
    check_in(&path(&["public", "pg_catalog"]), &[("table pg_class", "use pg_catalog.pg_class")]);
    check_in(&path(&["public", "pg_temp"]), &[("table scratch", "read public.scratch")]);
    check_in(&path(&["information_schema"]), &[("table tables", "use information_schema.tables")]);
    let unknown = NameContext { search_path: SearchPath::Unknown, ..context() };
    check_in(
        &unknown,
        &[
            ("table employee", "read employee (schema unknown)"),
            ("table scratch", "read scratch (schema unknown)"),
            ("table public.employee", "read public.employee"),
            ("select lower('X')", "call lower"),
        ],
    );
    let blind = NameContext { catalog: None, ..context() };
    check_in(&blind, &[("table employee", "read public.employee, read tidegate_read.employee")]);
}

#[test]
fn functions_are_what_their_class_says() {
    check(&[
        ("select lower('X'), count(*), pg_catalog.now()", ""),
        ("select upper('X')", "call upper"),
        (
            "select full_name(1), public.full_name(1), pg_catalog.unheard_of()",
            "call full_name, call pg_catalog.unheard_of, call public.full_name",
        ),
        ("select e.full_name, (e).full_name from employee e", "read public.employee, call full_name"),
        ("select e.name from employee e", "read public.employee"),
        ("select nextval('hr.s'), setval('S'::regclass, 1)", "write hr.s, write public.s, !"),
        ("select setval(pg_get_serial_sequence('title', 'id'), 1)", "write public.title, !"),
        ("select currval('s'), lastval()", ""),
        ("select pg_notify('a', 'b')", "write the database, !"),
        (
            "select query_to_xml('select * from employee, lateral (table title) t', true, true, '')",
            "read public.employee, read public.title",
        ),
        ("select query_to_xml('delete from employee', true, true, '')", "administer routine query_to_xml"),
        ("select query_to_xml('select 1; select 2', true, true, '')", "administer routine query_to_xml"),
        (
            "select query_to_xml(name, true, true, '') from employee",
            "read public.employee, administer routine query_to_xml",
        ),
        (
            "select query_to_xml(query => 'select 1', nulls => true, tableforest => true, targetns => '')",
            "administer routine query_to_xml",
        ),
        ("copy (select table_to_xml('employee', true, true, '')) to stdout", "export public.employee"),
        ("select pg_read_file('x')", "administer routine pg_read_file"),
        ("select pg_relation_size('employee'), 'employee'::regclass, regclass('employee')", ""),
        ("select json_value(a, '$') from title", "read public.title, call json_value"),
        (
            "select 1 <-> 2, 1 operator(public.+) 2, 1 operator(pg_catalog.+) 2",
            "call operator <->, call operator public.+",
        ),
        (
            "select 'a'::mood, 'a'::citext, 'a'::unheard_of, 'a'::int",
            "call type citext, call type unheard_of",
        ),
    ]);
    let newer = NameContext { server_version: 17, ..context() };
    check_in(&newer, &[("select json_value(a, '$') from title", "read public.title")]);
}

#[test]
fn definitions_define_what_they_name() {
    check(&[
        ("create table fresh as table employee", "read public.employee, define public.fresh, !"),
        ("select * into fresh from employee", "read public.employee, define public.fresh, !"),
        ("create view v as table employee", "read public.employee, define public.v, !"),
        (
            "create table fresh (like employee, a int references title)",
            "read public.employee, define public.fresh, define public.title, !",
        ),
        (
            "create table fresh (a int default full_name(1) check ((select true)))",
            "define public.fresh, call full_name, !",
        ),
        (
            "create table fresh partition of employee for values in (full_name(1))",
            "define public.employee, define public.fresh, call full_name, !",
        ),
        (
            "create index on employee (lower(name)) where upper(name) = ''",
            "define public.employee, call upper, !",
        ),
        ("alter table employee rename to staff", "define public.employee, define public.staff, !"),
        ("alter table employee set schema hr", "define hr.employee, define public.employee, !"),
        (
            "alter table employee owner to bob",
            "define public.employee, administer owners, triggers, rules and row security, !",
        ),
        (
            "alter table employee alter a type int using full_name(a)",
            "define public.employee, call full_name, !",
        ),
        ("drop table employee, hr.secret cascade", "define hr.secret, define public.employee, !"),
        ("drop schema hr", "define schema hr, !"),
        (
            "create schema x create table t () create view v as table employee",
            "read public.employee, define x.t, define x.v, define schema x, !",
        ),
        ("truncate employee", "define public.employee, !"),
        ("vacuum", "define the database, !"),
        ("comment on column employee.name is ''", "define public.employee, !"),
        ("comment on function f() is ''", "administer comment, !"),
        ("create trigger t before insert on employee execute function f()", "administer trigger, !"),
        ("grant select on employee to bob", "administer privileges, !"),
        ("do 'begin end'", "administer anonymous code, !"),
        ("create function f() returns int language sql as 'select 1'", "administer routine, !"),
    ]);
}

#[test]
fn settings_that_change_how_text_is_read_are_never_let_through() {
    for text in [
        "set client_encoding = 'LATIN1'",
        "set names 'SJIS'",
        "set standard_conforming_strings = off",
        "select set_config('standard_conforming_strings', 'off', false)",
        "select set_config('client_encoding', 'LATIN1', false) from employee",
        "select set_config('client_encoding', $1, false)",
        "set backslash_quote = on",
    ] {
        assert!(matches!(read(text, &context()), Err(Unanalyzable::Never { .. })), "{text}");
    }
    let elsewhere = Catalog { is_utf8: false, ..Catalog::default() };
    for catalog in [Some(Arc::new(elsewhere)), None] {
        let context = NameContext { catalog, ..context() };
        let found = read("set client_encoding to sql_ascii", &context);
        assert!(matches!(found, Err(Unanalyzable::Never { .. })), "{found:?}");
    }
    check(&[
        ("set client_encoding = 'utf-8'", ""),
        // Nothing is converted: in a database in UTF-8 that is UTF8 by another name.
        ("set client_encoding to sql_ascii", ""),
        ("set standard_conforming_strings = on", ""),
        ("set timezone = 'UTC'", ""),
        ("select set_config('TimeZone', $1, false)", ""),
        ("set app.tenant = 'x'", "administer setting app.tenant, !"),
        ("set session_replication_role = replica", "administer setting session_replication_role, !"),
        (
            "select set_config(name, 'x', false) from title",
            "read public.title, administer routine set_config",
        ),
        (
            "select set_config(name, 'view', false) from pg_settings where name = 'DateStyle'",
            "use pg_catalog.pg_settings",
        ),
        ("set role admin", "administer role, !"),
        ("reset role", ""),
    ]);
}

#[test]
fn what_a_batch_changes_counts_for_the_rest_of_it() {
    check(&[
        ("set search_path = hr; table salary", "; read hr.salary"),
        ("select set_config('search_path', 'hr', false); table salary", "; read hr.salary"),
        (
            "select set_config('search_path', 'hr', false) where false; table salary",
            "; read salary (schema unknown)",
        ),
        (
            "create table x as select set_config('search_path', 'hr', false) with no data; table salary",
            "define public.x, !; read salary (schema unknown)",
        ),
        ("set search_path = hr; rollback; table salary", "; ; read salary (schema unknown)"),
        ("reset all; table salary", "; read salary (schema unknown)"),
        ("execute p; table salary", "Prepared { name: \"p\", explain: false }; read salary (schema unknown)"),
        ("create temp table salary (); table salary", "define pg_temp.salary, !; "),
        (
            "create temp table salary () on commit drop; table salary",
            "define pg_temp.salary, !; read public.salary",
        ),
        ("drop table scratch; table scratch", "!; read public.scratch"),
        ("discard temp; table scratch", "; read public.scratch"),
        (
            "rollback to a; table public.scratch; table scratch",
            "; read public.scratch; read scratch (schema unknown)",
        ),
        ("create type t as enum ('a'); create table x (a t)", "define public.t, !; define public.x, !"),
    ]);
    let both = "select set_config('search_path', 'hr', false), query_to_xml('table salary', true, true, '')";
    assert!(
        lines(both, &context()).contains("administer setting search_path"),
        "{}",
        lines(both, &context())
    );
}

#[test]
fn what_a_statement_leaves_is_told() {
    let set = |name: &str, value: &str, local| SessionEffect::Set {
        name: name.into(),
        value: Some(value.to_owned()),
        local,
    };
    let vacates = |database: &str| vec![SessionEffect::Define, SessionEffect::Vacates(database.into())];
    let rows = [
        ("set search_path to a, \"B\"\"c\", $$d$$", vec![set("search_path", "a, \"B\"\"c\", d", false)]),
        (
            "set search_path to \"select\", \"$user\"",
            vec![set("search_path", "\"select\", \"$user\"", false)],
        ),
        ("set local DateStyle to ISO, DMY", vec![set("datestyle", "iso, dmy", true)]),
        (
            "reset search_path",
            vec![SessionEffect::Set { name: "search_path".into(), value: None, local: false }],
        ),
        (
            "prepare p (int) as  select 1 ;",
            vec![SessionEffect::Prepare { name: "p".into(), text: "select 1".into() }],
        ),
        (
            "declare c cursor with hold for select 1",
            vec![SessionEffect::DeclareCursor { name: "c".into(), hold: true }],
        ),
        ("close all", vec![SessionEffect::CloseCursor(None)]),
        ("deallocate p", vec![SessionEffect::Deallocate(Some("p".into()))]),
        ("select currval('s'), lastval()", vec![SessionEffect::ReadsDiagnostics]),
        ("select nextval('s')", vec![]),
        ("select pg_advisory_lock(1)", vec![SessionEffect::Ties(Tie::AdvisoryLock)]),
        ("select pg_advisory_unlock(1)", vec![SessionEffect::Releases(Tie::AdvisoryLock)]),
        ("select setseed(0.5)", vec![SessionEffect::Pin]),
        ("listen c", vec![SessionEffect::Ties(Tie::Channel)]),
        ("unlisten c", vec![SessionEffect::Releases(Tie::Channel)]),
        (
            "create temp table t (a int) on commit drop",
            vec![SessionEffect::Define, SessionEffect::Ties(Tie::Temporary)],
        ),
        ("explain select pg_advisory_lock(1)", vec![]),
        // What shows any setting may show the name that the gateway gave the connection.
        ("explain select set_config('search_path', 'hr', false)", vec![SessionEffect::ShowsApplication]),
        ("call p()", vec![SessionEffect::ContextUnknown]),
        ("drop database d", vacates("d")),
        ("alter database d rename to e", vacates("d")),
        ("alter database d set tablespace t", vacates("d")),
        ("alter database d connection limit 7", vec![SessionEffect::Define]),
        ("create database e template d", vacates("d")),
        ("create database e", vacates("template1")),
    ];
    for (text, effects) in rows {
        assert_eq!(read(text, &context()).unwrap()[0].effects, effects, "{text}");
    }
}

#[test]
fn a_path_is_split_and_folded_as_the_server_does() {
    let known = |names: &[&str]| SearchPath::Known(names.iter().map(|name| Ident::from(*name)).collect());
    for (list, names) in [
        ("\"$user\", Public", &["$user", "public"] as &[&str]),
        ("\"a\", \"B\"\"c\" ,D", &["a", "B\"c", "d"]),
        ("\"A,b\",c", &["A,b", "c"]),
        ("", &[]),
    ] {
        assert_eq!(super::search_path(list), known(names), "{list}");
    }
    for broken in ["a b", "a,", ",a", "\"a", "é", "\"\"", "a\"b", "a\u{b},b", &"x".repeat(64)] {
        assert_eq!(super::search_path(broken), SearchPath::Unknown, "{broken}");
    }
}

#[test]
fn transactions_say_what_they_ask_for() {
    use TransactionEffect as T;
    for (text, effect) in [
        ("begin", T::Begin { read_write: false }),
        ("start transaction isolation level serializable, read write", T::Begin { read_write: true }),
        ("begin read only", T::Begin { read_write: false }),
        ("end and chain", T::Commit { chain: true }),
        ("abort", T::Rollback { chain: false }),
        ("savepoint a", T::Savepoint("a".into())),
        ("rollback to a", T::RollbackTo("a".into())),
        ("set transaction read write", T::SetModes { read_write: true, session: false }),
        (
            "set session characteristics as transaction read only",
            T::SetModes { read_write: false, session: true },
        ),
        ("set transaction_read_only = off", T::SetModes { read_write: true, session: false }),
        ("reset default_transaction_read_only", T::SetModes { read_write: true, session: true }),
        (
            "select set_config('transaction_read_only', 'off', true)",
            T::SetModes { read_write: true, session: false },
        ),
    ] {
        assert_eq!(read(text, &context()).unwrap()[0].transaction, effect, "{text}");
    }
}

#[test]
fn spans_are_from_the_first_token_to_the_last() {
    let text = " /* a */ select 'ä' -- b\n ;; select 2 /* c */ ; ";
    let spans: Vec<&str> =
        read(text, &context()).unwrap().into_iter().map(|facts| &text[facts.span]).collect();
    assert_eq!(spans, ["select 'ä'", "select 2"]);
    assert_eq!(read(" ; -- nothing", &context()), Ok(Vec::new()));
}

#[test]
fn what_does_nothing_but_compute_is_no_call() {
    let calls = |text: &str| -> Vec<String> {
        let facts = read(text, &context()).unwrap();
        facts[0].calls.iter().map(|call| call.name.to_string()).collect()
    };
    for text in [
        "SELECT similarity('a', 'b'), public.similarity('a', 'b'), ('a'::text).similarity",
        "SELECT 'a' <<% 'b', 'a' OPERATOR(public.<<%) 'b'",
    ] {
        assert_eq!(calls(text), Vec::<String>::new(), "{text}");
    }
    assert_eq!(calls("SELECT full_name('a'), hr.similar('b')"), ["full_name", "hr.similar"]);
    assert_eq!(calls("SELECT 'a' @@@ 'b'"), ["operator @@@"]);
    // Without a catalog nobody tells.
    let blind = NameContext { catalog: None, ..context() };
    assert_eq!(read("SELECT similarity('a', 'b')", &blind).unwrap()[0].calls.len(), 1);
}
