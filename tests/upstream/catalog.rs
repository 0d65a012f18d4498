//! The catalog of a database, and when it changes.

use tidegate::model::{catalog::Catalog, ids::Ident};

use super::{own::OwnServer, *};

fn schemas(catalog: &Catalog, name: &str) -> Vec<String> {
    catalog.relations.get(name).map(|it| it.iter().map(ToString::to_string).collect()).unwrap_or_default()
}

#[tokio::test]
async fn the_catalog_tells_what_the_database_holds() {
    let Some(own) = OwnServer::start() else { return };
    let pools = own.at.pools();
    let (target, database) = ("hr".into(), "postgres".into());
    let mut lease = own.at.lease(&pools, Lane::Admin).await;
    let empty = pools.catalog(&target, &database).await.unwrap();
    assert!(empty.relations.is_empty() && empty.routines.is_empty(), "{empty:?}");
    assert!(empty.operators.is_empty() && empty.code_types.is_empty(), "{empty:?}");
    for schema in ["pg_catalog", "information_schema", "public"] {
        assert!(empty.schemas.contains(schema), "{schema}");
    }

    for text in [
        "CREATE SCHEMA hr",
        "CREATE TABLE hr.employee (id int, name text)",
        "CREATE VIEW public.employee AS SELECT * FROM hr.employee",
        "CREATE SEQUENCE hr.numbers",
        "CREATE TYPE hr.mood AS ENUM ('good', 'bad')",
        "CREATE FUNCTION hr.full_name(e hr.employee) RETURNS text LANGUAGE sql AS 'SELECT e.name'",
        "CREATE FUNCTION hr.any_row(e anyelement, n int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION hr.spread(VARIADIC e anyarray) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION hr.plain(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true'",
        "CREATE FUNCTION hr.two(e hr.employee, n int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION pg_catalog.sneaky(n int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OPERATOR public.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)",
        "CREATE DOMAIN hr.harmless AS int CHECK (VALUE > 0)",
        "CREATE DOMAIN hr.checked AS int CHECK (hr.plain(VALUE))",
        "CREATE DOMAIN hr.over_checked AS hr.checked",
        "CREATE TYPE hr.pair AS (a hr.checked, b int)",
        "CREATE TYPE hr.cast_from AS (a int)",
        "CREATE FUNCTION hr.to_int(c hr.cast_from) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE CAST (hr.cast_from AS int) WITH FUNCTION hr.to_int(hr.cast_from)",
        "CREATE TEMP TABLE passing (a int)",
        // Hides the built-in operators and functions that the question uses from those that trust the path.
        "CREATE FUNCTION public.concat_ws(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS 'SELECT 1/0::text'",
    ] {
        let done = run(&mut lease, text).await;
        if !text.contains("concat_ws") {
            assert!(done.errors.is_empty(), "{text}: {done:?}");
        }
    }
    pools.catalog_changed(&target, &database);
    let full = pools.catalog(&target, &database).await.unwrap();
    assert!(full.version > empty.version);
    assert_eq!(schemas(&full, "employee"), ["hr", "public"]);
    for name in ["numbers", "mood", "harmless", "pair"] {
        assert_eq!(schemas(&full, name), ["hr"], "{name}");
    }
    assert!(!full.relations.contains_key("passing"));
    assert!(!full.relations.contains_key("pg_class"));
    assert!(full.routines[&Ident::from("sneaky")].contains("pg_catalog"));
    assert!(full.routines.contains_key("plain") && !full.routines.contains_key("lower"));
    let names =
        |set: &std::collections::BTreeSet<Ident>| set.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&full.row_routines), ["any_row", "full_name", "spread", "to_int"]);
    assert_eq!(names(&full.operators), ["==="]);
    let code = names(&full.code_types);
    for name in ["checked", "over_checked", "pair", "cast_from", "_checked", "_pair"] {
        assert!(code.contains(&name.to_owned()), "{name}: {code:?}");
    }
    for name in ["harmless", "mood", "employee", "int4"] {
        assert!(!code.contains(&name.to_owned()), "{name}: {code:?}");
    }
}

#[tokio::test]
async fn what_harmless_extensions_bring_is_told_from_what_others_bring_under_its_names() {
    let Some(own) = OwnServer::start() else { return };
    let pools = own.at.pools();
    let mut lease = own.at.lease(&pools, Lane::Admin).await;
    for text in [
        "CREATE EXTENSION citext",
        "CREATE EXTENSION pg_trgm",
        "CREATE EXTENSION pgcrypto",
        "CREATE FUNCTION public.min(text) RETURNS text LANGUAGE sql AS 'SELECT 1'",
        "CREATE OPERATOR public.>= (LEFTARG = text, RIGHTARG = int, FUNCTION = repeat)",
        "CREATE FUNCTION public.digest(int) RETURNS text LANGUAGE sql AS 'SELECT 1'",
        "CREATE OPERATOR public.%> (LEFTARG = text, RIGHTARG = int, FUNCTION = repeat)",
    ] {
        let done = run(&mut lease, text).await;
        assert!(done.errors.is_empty(), "{text}: {done:?}");
    }
    let catalog = pools.catalog(&"hr".into(), &"postgres".into()).await.unwrap();
    for name in ["max", "replace", "gen_random_uuid"] {
        assert!(!catalog.routines.contains_key(name), "{name}");
    }
    for name in ["=", "%", "~~"] {
        assert!(!catalog.operators.contains(name), "{name}");
    }
    // Their own names stay, and so do overloads by anybody else.
    for name in ["similarity", "digest", "citext", "min"] {
        assert!(catalog.routines.contains_key(name), "{name}");
    }
    for name in ["<%", ">="] {
        assert!(catalog.operators.contains(name), "{name}");
    }
    for name in ["similarity", "citext", "crypt"] {
        assert!(catalog.computing_routines.contains(name), "{name}");
    }
    for name in ["digest", "min", "set_limit", "lower"] {
        assert!(!catalog.computing_routines.contains(name), "{name}");
    }
    assert!(catalog.computing_operators.contains("<%"));
    for name in ["%>", ">=", "=", "%"] {
        assert!(!catalog.computing_operators.contains(name), "{name}");
    }
    assert!(!catalog.code_types.contains("citext"));
}

#[tokio::test]
async fn the_catalog_stays_the_same_value_while_nothing_changes() {
    let Some(own) = OwnServer::start() else { return };
    let pools = own.at.pools();
    let (target, database) = ("hr".into(), "postgres".into());
    let source = pools.catalog_source(&target, &database).unwrap();
    assert!(source.current().is_none());
    let first = source.fresh().await.unwrap();
    assert!(Arc::ptr_eq(&first, &source.current().unwrap()));
    pools.catalog_changed(&target, &database);
    assert!(source.current().is_none(), "a change is known, and the old reading was given");
    let second = source.fresh().await.unwrap();
    assert!(Arc::ptr_eq(&first, &second));

    let mut lease = own.at.lease(&pools, Lane::Write).await;
    run(&mut lease, "CREATE TABLE public.new (a int)").await;
    source.changed();
    let third = source.fresh().await.unwrap();
    assert!(third.version > second.version);
    assert!(third.relations.contains_key("new"));
}

#[tokio::test]
async fn a_catalog_in_use_is_renewed_by_itself() {
    let Some(own) = OwnServer::start() else { return };
    let mut settings = own.at.settings();
    settings.pool.catalog_refresh = Duration::from_millis(100);
    let pools = pools(settings);
    let source = pools.catalog_source(&"hr".into(), &"postgres".into()).unwrap();
    source.fresh().await.unwrap();
    let mut lease = own.at.lease(&pools, Lane::Write).await;
    run(&mut lease, "CREATE TABLE public.new (a int)").await;
    let started = std::time::Instant::now();
    while !source.fresh().await.unwrap().relations.contains_key("new") {
        assert!(started.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn without_a_server_there_is_no_catalog() {
    let Some(own) = OwnServer::start() else { return };
    let pools = own.at.pools();
    let source = pools.catalog_source(&"hr".into(), &"postgres".into()).unwrap();
    source.fresh().await.unwrap();
    source.changed();
    own.kill();
    let error = source.fresh().await.unwrap_err();
    assert!(matches!(error, UpstreamError::Catalog { .. } | UpstreamError::Unavailable { .. }));
    assert!(source.current().is_none());
    own.up();
    while source.fresh().await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
