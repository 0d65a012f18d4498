#![allow(missing_docs, clippy::all, clippy::unwrap_used)]
fn main() {
    for a in std::env::args().skip(1) {
        match pg_query::parse(&a, 0) {
            Ok(r) => println!("{a}\n  {}", {
                let s = format!("{:?}", r.protobuf.stmts);
                s.replace("Node { node: Some(", "N(").replace("None", "-")
            }),
            Err(e) => println!("{a}\n  ERR {e}"),
        }
    }
}
