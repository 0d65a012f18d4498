//! Texts of any shape are read, or refused, on the small stack that a worker thread has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{collections::BTreeSet, sync::Arc, thread};

use tidegate::{
    model::{
        dialect::Dialect,
        facts::{Facts, Unanalyzable},
        name_context::{NameContext, SearchPath},
    },
    sql::{Limits, analyze},
};

/// Facts of `text`, worked out on a thread of 2 MiB.
fn read(text: String) -> Result<Vec<Facts>, Unanalyzable> {
    let context = NameContext {
        database: "hr_prod".into(),
        server_version: 15,
        search_path: SearchPath::Known(["public".into()].into()),
        accounts: [].into(),
        temporary: Arc::new(BTreeSet::new()),
        made: std::sync::Arc::default(),
        catalog: None,
        mysql: None,
    };
    let work = move || analyze(&text, Dialect::Postgres, &context, &Limits::default());
    thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap()
}

#[test]
fn long_statements_are_read() {
    for text in [
        format!("select '' {}", "|| name ".repeat(300)) + "from employee",
        format!("table employee {}", "union all table employee ".repeat(300)),
        format!("select {}1{} from employee", "(".repeat(200), ")".repeat(200)),
        format!("select from employee where id in (1{})", ", 2".repeat(20_000)),
        format!("select from employee where true{}", " and id <> 1 or id = 2".repeat(500)),
    ] {
        let start = text[..20].to_owned();
        let facts = read(text).unwrap();
        assert_eq!(facts[0].accesses.len(), 1, "{start}");
        assert_eq!(facts[0].accesses[0].object.to_string(), "public.employee", "{start}");
    }
}

#[test]
fn deep_statements_are_refused() {
    for text in [
        format!("select {}1{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("select 1{}", "+1".repeat(10_000)),
        format!("select {}1", "not ".repeat(10_000)),
        format!("select {}1{}", "(select ".repeat(200), ")".repeat(200)),
        format!("select {}1", "case when true then ".repeat(10_000)),
    ] {
        let start = text[..20].to_owned();
        assert!(matches!(read(text), Err(Unanalyzable::TooLarge { .. })), "{start}");
    }
}
