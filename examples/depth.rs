#![allow(missing_docs, clippy::all, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
use std::thread;
fn try_parse(text: String, stack: usize) -> String {
    thread::Builder::new()
        .stack_size(stack)
        .spawn(move || {
            let t = std::time::Instant::now();
            let r = pg_query::parse(&text, 0);
            let e = t.elapsed();
            match r {
                Ok(r) => {
                    let s = format!("ok {:?}", e);
                    drop(r);
                    s
                }
                Err(e) => e.to_string(),
            }
        })
        .unwrap()
        .join()
        .unwrap()
}
fn main() {
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let kind = std::env::args().nth(2).unwrap();
    let stack: usize = std::env::args().nth(3).unwrap().parse().unwrap();
    let text = match kind.as_str() {
        "paren" => format!("select {}1{}", "(".repeat(n), ")".repeat(n)),
        "sub" => format!("{}select 1{}", "select (".repeat(n), ")".repeat(n)),
        "plus" => format!("select 1{}", "+1".repeat(n)),
        "and" => format!("select 1 where a{}", " and b=1 or c=2".repeat(n)),
        "union" => format!("select 1{}", " union all select 1".repeat(n)),
        "join" => format!("select 1 from t{}", " join t on a=b".repeat(n)),
        "not" => format!("select {} true", "not ".repeat(n)),
        "case" => format!("select {} 1 {}", "case when true then ".repeat(n), " end ".repeat(n)),
        "func" => format!("select {}1{}", "f(".repeat(n), ")".repeat(n)),
        "array" => format!("select array {}1{}", "[".repeat(n), "]".repeat(n)),
        "in" => format!("select 1 where a in (1{})", ",1".repeat(n)),
        "values" => format!("insert into t values (1,2,3){}", ",(1,2,3)".repeat(n)),
        _ => panic!(),
    };
    println!("{kind} {n} {}", try_parse(text, stack));
}
