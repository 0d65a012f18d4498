//! What facts cost: cold, for a short and a longer text, and from the cache.
#![allow(missing_docs, clippy::expect_used)]

use std::{collections::BTreeSet, fmt::Write as _, hint::black_box, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use tidegate::{
    model::{
        dialect::Dialect,
        name_context::{NameContext, SearchPath},
    },
    sql::{FactsCache, Limits, analyze},
};

const POINT_SELECT: &str = "SELECT id, name FROM employee WHERE id = $1";

fn context() -> Arc<NameContext> {
    Arc::new(NameContext {
        database: "hr_prod".into(),
        server_version: 15,
        search_path: SearchPath::Known(["public".into()].into()),
        accounts: [].into(),
        temporary: Arc::new(BTreeSet::new()),
        made: std::sync::Arc::default(),
        catalog: None,
        mysql: None,
    })
}

/// About a kilobyte.
fn longer_select() -> String {
    let mut text =
        "SELECT e.id, e.name, sum(s.amount) FROM employee e JOIN salary s ON s.employee_id = e.id".to_owned();
    for number in 0..16 {
        let word = if number == 0 { "WHERE" } else { "AND" };
        write!(text, " {word} (e.column_{number} > {number} OR lower(e.name) LIKE 'x{number}%')")
            .expect("writing to a string does not fail");
    }
    text.push_str(" GROUP BY e.id, e.name ORDER BY 3 DESC LIMIT 10");
    text
}

fn facts(criterion: &mut Criterion) {
    let (context, limits, longer) = (context(), Limits::default(), longer_select());
    let mut group = criterion.benchmark_group("facts");
    group.bench_function("cold, point select", |bench| {
        bench.iter(|| analyze(black_box(POINT_SELECT), Dialect::Postgres, &context, &limits));
    });
    group.bench_function("cold, select of a kilobyte", |bench| {
        bench.iter(|| analyze(black_box(&longer), Dialect::Postgres, &context, &limits));
    });
    let cache = FactsCache::new(1 << 20);
    group.bench_function("cached, point select", |bench| {
        bench.iter(|| cache.analyze(black_box(POINT_SELECT), Dialect::Postgres, &context, &limits));
    });
    group.bench_function("cached, select of a kilobyte", |bench| {
        bench.iter(|| cache.analyze(black_box(&longer), Dialect::Postgres, &context, &limits));
    });
    group.finish();
}

criterion_group!(benches, facts);
criterion_main!(benches);
