//! Every statement that servers take can be read, and our spelling of it is stable; those that cannot are counted by
//! their reason.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
mod corpus;

use std::collections::BTreeMap;

use corpus::shared;
use serde_json::Value;
use tidegate::{
    model::name_context::{MysqlFlavor, MysqlReading},
    sql::{Limits, respell},
};

const MYSQL: MysqlReading =
    MysqlReading { flavor: MysqlFlavor::Mysql, version: 90_704, ..MysqlReading::USUAL };
const MARIADB: MysqlReading = MysqlReading { flavor: MysqlFlavor::Mariadb, version: 101_119, ..MYSQL };

/// Why a statement that the server takes is not read, and how often that may be.
const KNOWN: &[(&str, &str, usize)] = &[
    // The logs that they were taken from cut long statements off, and write "..." for a prepared text.
    ("clients_mysql", "a string does not end", 12),
    ("clients_mysql", "two points stand side by side", 6),
    // What the mysql client asks on connecting; the server answers with a syntax error, too.
    ("clients_mysql", "a string may begin in dollars", 1),
    // Bodies of routines in JavaScript.
    ("mysql_test", "a string may begin in dollars", 111),
    ("mysql_test", "a name has a character beyond U+FFFF", 33),
    ("mysql_test", "no name stands behind \"@\"", 4),
];

#[test]
fn statements_that_servers_take_are_read_and_their_spelling_is_stable() {
    let mut problems = Vec::new();
    for name in ["clients_mysql", "orm_mysql", "mysql_test"] {
        let Some(lines) = shared::lines(name) else { continue };
        let (mut read, mut reasons) = (0, BTreeMap::<String, Vec<String>>::new());
        for line in
            lines.iter().filter(|line| line.get("accepted_97").is_none_or(|it| it == &Value::Bool(true)))
        {
            let text = line["sql"].as_str().unwrap();
            let maria = line.get("via").or_else(|| line.get("client")).and_then(Value::as_str);
            let reading = if maria.is_some_and(|it| it.contains("maria")) { MARIADB } else { MYSQL };
            match respell(text, &reading, &Limits::default()) {
                Ok(spelled) => {
                    let again = respell(&spelled, &reading, &Limits::default());
                    assert_eq!(again.as_ref(), Ok(&spelled), "{text}");
                    read += 1;
                }
                Err(error) => reasons.entry(error.to_string()).or_default().push(text.to_owned()),
            }
        }
        println!("{name}: {read} of {} are read", lines.len());
        for (reason, texts) in &reasons {
            println!("  {} {reason}", texts.len());
            let known = KNOWN.iter().filter(|(corpus, words, _)| *corpus == name && reason.contains(words));
            let allowed = known.map(|(_, _, count)| *count).max().unwrap_or(0);
            if texts.len() > allowed {
                problems
                    .extend(texts.iter().take(12).map(|text| format!("{name}: {reason}: {}", short(text))));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn short(text: &str) -> String {
    let (start, end): (String, String) =
        (text.chars().take(150).collect(), text.chars().rev().take(40).collect());
    format!("{start:?} … {} bytes … {:?}", text.len(), end.chars().rev().collect::<String>())
}
