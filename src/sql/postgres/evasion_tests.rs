//! Statements that try to do something out of the analysis's sight.

use super::tests::{check, check_in, context, read};
use crate::model::{facts::SessionEffect, name_context::NameContext};

#[test]
fn a_call_written_as_a_field_is_a_call() {
    check(&[
        ("select ('x'::text).pg_read_file", "administer routine pg_read_file"),
        ("select ('select 1'::text).ts_stat", "administer routine ts_stat"),
        ("select ('x'::text).full_name, ('x'::text).upper", "call full_name, call upper"),
        ("select ('x'::text).citext", "call citext"),
        ("select (select 'x'::text).upper, (array['x'])[1].upper", "call upper"),
        ("select t.upper from unnest(array['x']) as t", "call upper"),
        ("select unnest.upper from unnest(array['x'])", "call upper"),
        ("select text.upper from cast('x' as text)", "call upper"),
        ("select (select t.pg_read_file) from unnest(array['x']) as t", "administer routine pg_read_file"),
        ("update title set a = t.upper from unnest(array['x']) as t", "write public.title, call upper, !"),
        // A column of a table may be called like a routine, and a field like a harmless function.
        ("select t.upper from title t, unnest(array['x']) as u", "read public.title"),
        ("select (t.a).lower, (t.a).x, t.pg_read_file from title t", "read public.title"),
    ]);
    let blind = NameContext { catalog: None, ..context() };
    check_in(&blind, &[("select ('x'::text).peek, ('x'::text).length", "call peek")]);
}

#[test]
fn a_setting_named_by_a_column_is_known_in_the_list_behind_select_alone() {
    let refused = "use pg_catalog.pg_settings, administer routine set_config";
    let from = "from pg_settings where name = 'DateStyle'";
    for query in [
        format!(
            "select (select 1 from (values ('role')) v(name) where set_config(name, 'x', false) = '') {from}"
        ),
        format!(
            "select (select 1 from (values ('role')) v(name), lateral set_config(name, 'x', false)) {from}"
        ),
        format!("select (select set_config(name, 'x', false) from (values ('role')) v(name)) {from}"),
        format!("select 1 {from} order by set_config(name, 'x', false)"),
    ] {
        check(&[(query.as_str(), refused)]);
    }
    check(&[(&format!("select set_config(name, 'iso', false) {from}"), "use pg_catalog.pg_settings")]);
}

#[test]
fn what_may_go_away_unseen_hides_no_relation() {
    let hides = |text: &str| {
        let made = |effect: &SessionEffect| matches!(effect, SessionEffect::CreateTemporary(_));
        read(text, &context()).unwrap()[0].effects.iter().any(made)
    };
    for text in [
        "create type pg_temp.secret as enum ('a')",
        "create domain pg_temp.other as int",
        "create temp view secret as select 1",
        "create temp sequence secret",
        "create temp table secret () inherits (title)",
        "create temp table secret partition of title default",
        "create temp table secret (a mood) partition by list (a)",
        "create temp table secret of mood",
        "create temp table secret (a int) on commit drop",
        "alter table scratch rename to secret",
    ] {
        assert!(!hides(text), "{text}");
    }
    for text in [
        "create temp table secret (a int)",
        "create temp table secret as select 1",
        "select 1 as a into temp secret",
        "create temp view other as select 1",
        "create temp sequence other",
        "alter table scratch rename to other",
    ] {
        assert!(hides(text), "{text}");
    }
    for text in ["alter table scratch inherit title", "alter table title attach partition scratch default"] {
        let drops = SessionEffect::DropRelation("scratch".into());
        assert!(read(text, &context()).unwrap()[0].effects.contains(&drops), "{text}");
    }
}

#[test]
fn a_prepared_statement_does_not_move_names_out_of_sight() {
    let refused = "administer routine set_config";
    check(&[
        ("prepare p as select set_config('search_path', 'hr', false)", refused),
        ("prepare p (text) as select set_config('search_path', $1, false)", refused),
        ("prepare p as select set_config('default_transaction_read_only', 'off', false)", refused),
        ("prepare p as select set_config('work_mem', '1MB', false)", ""),
    ]);
}

#[test]
fn a_number_decides_nothing_that_texts_of_one_shape_share() {
    let effects = |text: &str| read(text, &context()).unwrap()[0].effects.clone();
    for number in ["0", "1"] {
        let text = format!("select set_config('search_path', 'hr', cast({number} as bool))");
        let unknown = [SessionEffect::ContextUnknown, SessionEffect::ShowsApplication];
        assert_eq!(effects(&text), unknown, "{text}");
    }
    assert_ne!(
        effects("select set_config('search_path', 'hr', 'on'::bool)"),
        effects("select set_config('search_path', 'hr', false::bool)")
    );
}

#[test]
fn a_name_looked_up_by_the_server_is_no_constant_text() {
    check(&[
        ("select set_config('search_path', '2200'::regnamespace::text, false)", ""),
        ("select query_to_xml('1'::regclass::text, true, true, '')", "administer routine query_to_xml"),
        ("select table_to_xml('title'::regclass, true, true, '')", "read public.title"),
        ("set role none", ""),
        ("set role dba", "administer role, !"),
    ]);
    let text = "select set_config('search_path', '2200'::regnamespace::text, false)";
    let effects = &read(text, &context()).unwrap()[0].effects;
    assert_eq!(effects[..], [SessionEffect::ContextUnknown, SessionEffect::ShowsApplication]);
}
