#![allow(missing_docs, clippy::all, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
use std::{collections::*, io::*, sync::Arc};
use tidegate::{
    model::{catalog::Catalog, dialect::Dialect, facts::*, name_context::*},
    sql::{Limits, analyze},
};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let mut catalog = Catalog::default();
    for s in ["public", "hr", "pg_catalog", "information_schema"] {
        catalog.schemas.insert(s.into());
    }
    for (n, s) in [
        ("employee", "public"),
        ("salary", "public"),
        ("salary", "hr"),
        ("title", "public"),
        ("mood", "public"),
    ] {
        catalog.relations.entry(n.into()).or_insert_with(BTreeSet::new).insert(s.into());
    }
    catalog.routines.entry("hr_full_name".into()).or_insert_with(BTreeSet::new).insert("public".into());
    catalog.row_routines.insert("leak".into());
    let context = NameContext {
        database: "hr_prod".into(),
        server_version: 15,
        search_path: SearchPath::Known(["$user".into(), "public".into()].into()),
        accounts: ["tidegate_read".into()].into(),
        temporary: Arc::new(BTreeSet::new()),
        catalog: if a.iter().any(|x| x == "--nocat") { None } else { Some(Arc::new(catalog)) },
    };
    let show = |t: &str| match analyze(t, Dialect::Postgres, &context, &Limits::default()) {
        Ok(v) => v
            .iter()
            .map(|f| {
                let mut s = format!("{:?}/{}", f.kind, f.command);
                for x in &f.accesses {
                    s += &format!(" {:?}:{}", x.mode, x.object);
                }
                for c in &f.calls {
                    s += &format!(" CALL:{}", c.name);
                }
                for e in &f.effects {
                    s += &format!(" !{:?}", e);
                }
                if f.transaction != TransactionEffect::None {
                    s += &format!(" tx:{:?}", f.transaction);
                }
                if let Some(r) = &f.runs {
                    s += &format!(" runs:{:?}", r);
                }
                if f.read_only {
                    s += " RO";
                }
                s
            })
            .collect::<Vec<_>>()
            .join("\n    "),
        Err(e) => format!("ERR {e:?}"),
    };
    if a[1] == "-" {
        let mut t = String::new();
        stdin().read_to_string(&mut t).unwrap();
        let start = std::time::Instant::now();
        let mut n = 0;
        for l in t.lines() {
            let sql: serde_json::Value = serde_json::from_str(l).unwrap();
            let sql = sql["sql"].as_str().unwrap();
            n += 1;
            println!("{}\n    {}", sql.replace('\n', " ").chars().take(300).collect::<String>(), show(sql));
        }
        eprintln!("{n} in {:?}", start.elapsed());
    } else {
        for t in &a[1..] {
            if t != "--nocat" {
                println!("{t}\n    {}", show(t));
            }
        }
    }
}
