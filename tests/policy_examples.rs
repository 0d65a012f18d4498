//! The shipped policy, its examples judged on what the analysis really says of their statements.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{path::Path, sync::Arc};

use tidegate::{
    model::{
        dialect::Dialect,
        name_context::{NameContext, SearchPath},
        target::Place,
    },
    policy::{PolicyFile, examples, parse},
    sql::{Limits, analyze},
};

fn file(name: &str) -> PolicyFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies").join(name);
    PolicyFile { path: name.to_owned(), text: std::fs::read_to_string(path).unwrap() }
}

fn context(place: &Place) -> NameContext {
    NameContext {
        database: place.database.clone(),
        server_version: 15,
        search_path: SearchPath::Known(Arc::from(["$user".into(), "public".into()])),
        accounts: Arc::from(["tidegate_read".into()]),
        temporary: Arc::default(),
        made: std::sync::Arc::default(),
        catalog: None,
        mysql: None,
    }
}

#[test]
fn the_shipped_examples_hold_for_the_real_analysis() {
    let policy = Arc::new(parse(&[file("people.yaml"), file("access.yaml"), file("requests.yaml")]).unwrap());
    let examples = [file("access.test.yaml"), file("requests.test.yaml")];
    let report = examples::run(&examples, &policy, &[], &mut |statement, place, _dialect| {
        analyze(statement, Dialect::Postgres, &context(place), &Limits::default())
    });
    let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert!(report.is_good(), "{failures:#?} {:#?}", report.problems);
    assert_eq!(report.passed, 18);
}
