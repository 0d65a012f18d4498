//! A text without its literals: in the place of each stands what it is called by somebody who may not know it.

use crate::model::name_context::Reading;

use super::{limits::Limits, mysql, postgres};

/// `text` with `'name'` in the place of each literal (strings, numbers, bits, bytes, whatever their spelling), `name` being
/// what `name` gives for its value: the same for strings of the same value, however they are quoted.
///
/// Comments and optimizer hints are left out: anything may be written in them. Names stay, also those that were quoted, and
/// words do, also where they stand for a value (`SET x TO word`). `None` for a text that cannot be cut into the tokens that
/// the server would cut it into.
pub fn without_literals(
    text: &str,
    reading: Reading,
    limits: &Limits,
    name: &mut dyn FnMut(&str) -> String,
) -> Option<String> {
    if text.len() > limits.statement_bytes {
        return None;
    }
    match reading {
        Reading::Mysql(reading) => mysql::without_literals(text, &reading, limits, name),
        Reading::Postgres => postgres::without_literals(text, name),
        Reading::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::name_context::MysqlReading;

    const MYSQL: Reading = Reading::Mysql(MysqlReading::USUAL);

    fn hidden(text: &str, reading: Reading) -> Option<(String, Vec<String>)> {
        let mut values = Vec::new();
        let text = without_literals(text, reading, &Limits::default(), &mut |value| {
            values.push(value.to_owned());
            format!("#{}", values.len())
        })?;
        Some((text, values))
    }

    fn check(reading: Reading, cases: &[(&str, &str, &[&str])]) {
        for (text, expected, values) in cases {
            let (hidden, found) = hidden(text, reading).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(hidden, *expected, "{text}");
            assert_eq!(found, *values, "{text}");
        }
    }

    #[test]
    fn each_literal_of_postgres_is_given_by_its_value() {
        check(
            Reading::Postgres,
            &[
                (
                    "select a from t where b = 'it''s' and c=42",
                    "select a from t where b = '#1' and c='#2'",
                    &["it's", "42"],
                ),
                ("select 1.5e3, .5, 0x1F", "select '#1', '#2', '#3'", &["1.5e3", ".5", "0x1F"]),
                (r"select e'it\'s', E'\x41'", "select '#1', '#2'", &["it's", "A"]),
                ("select 'a'\n  'b', u&'\\0041'", "select '#1', '#2'", &["ab", "A"]),
                ("select $$it's$$, $x$a$$b$x$", "select '#1', '#2'", &["it's", "a$$b"]),
                ("select b'101', x'FF', n'a'", "select '#1', '#2', n'#3'", &["b'101'", "x'ff'", "a"]),
                ("select $1, \"Name\", a.\"x'y\" from t", "select $1, \"Name\", a.\"x'y\" from t", &[]),
                ("select/* 'secret' */1--'secret'", "select '#1' ", &["1"]),
                ("alter role a password 'pw'", "alter role a password '#1'", &["pw"]),
                ("do $$ begin x('secret'); end $$", "do '#1'", &[" begin x('secret'); end "]),
                ("select interval '1 day' wher e", "select interval '#1' wher e", &["1 day"]),
                ("", "", &[]),
            ],
        );
    }

    #[test]
    fn each_literal_of_mysql_is_given_by_its_value() {
        check(
            MYSQL,
            &[
                (
                    "select a from t where b = 'it\\'s' and c=42 and d=\"it's\"",
                    "select a from t where b = '#1' and c='#2' and d='#3'",
                    &["it's", "42", "it's"],
                ),
                (
                    "select 1.5, 1e3, 0x1F, x'FF', b'101', N'a'",
                    "select '#1', '#2', '#3', '#4', '#5', '#6'",
                    &["1.5", "1e3", "0x1f", "x'ff'", "b'101'", "a"],
                ),
                ("select ?, `x'y`, @v from t", "select ?, `x'y`, @v from t", &[]),
                ("select /* 'secret' */ 1 -- 'secret'\n", "select '#1'", &["1"]),
                ("select /*+ SET_VAR(x='secret') */ 1", "select '#1'", &["1"]),
                ("create user u@'h' identified by 'pw'", "create user u@h identified by '#1'", &["pw"]),
            ],
        );
        let ansi = Reading::Mysql(MysqlReading { ansi_quotes: true, ..MysqlReading::USUAL });
        check(ansi, &[("select \"a\", 'b'", "select `a`, '#1'", &["b"])]);
    }

    #[test]
    fn what_cannot_be_cut_into_tokens_is_not_given_at_all() {
        for text in [
            "select 'secret",
            "select $$secret",
            "select /* secret",
            "select \"secret",
            "select 1secret",
            "a\0b",
        ] {
            assert_eq!(hidden(text, Reading::Postgres), None, "{text}");
        }
        for text in ["select 'secret", "select \"secret", "select `secret", "select /*! 'secret"] {
            assert_eq!(hidden(text, MYSQL), None, "{text}");
        }
        assert_eq!(hidden("select 1", Reading::Unknown), None);
        let long = format!("select '{}'", "x".repeat(Limits::default().statement_bytes));
        assert_eq!(hidden(&long, Reading::Postgres), None);
    }

    /// A literal of `secret`, in one of its spellings for the server.
    fn literal(secret: &str, spelling: usize, reading: Reading) -> String {
        let quoted = secret.replace('\'', "''");
        match (reading, spelling % 5) {
            (Reading::Postgres, 0) => format!("$q${secret}$q$"),
            (Reading::Postgres, 1) => format!("E'{}'", secret.replace('\\', "\\\\").replace('\'', "\\'")),
            (Reading::Postgres, 2) => format!("U&'{quoted}'"),
            (Reading::Postgres, _) => format!("'{quoted}'"),
            (_, 0) => format!("\"{}\"", secret.replace('\\', "\\\\").replace('"', "\"\"")),
            (_, 1) => format!("N'{}'", quoted.replace('\\', "\\\\")),
            (_, 2) => format!("_utf8mb4'{}'", quoted.replace('\\', "\\\\")),
            (_, _) => format!("'{}'", quoted.replace('\\', "\\\\")),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn no_literal_is_left_in_a_text(
            secret in "[a-z]{0,3}['\"/*# -]{0,3}zq[0-9]{6}[\"'`;-]{0,2}[a-z]{0,3}",
            number in 100_000_000_u64..u64::MAX,
            spelling in 0_usize..20,
            form in 0_usize..6,
            comment in "zq[a-z]{5}",
        ) {
            for reading in [Reading::Postgres, MYSQL] {
                let literal = literal(&secret, spelling, reading);
                let text = match form {
                    0 => format!("select a from t where b = {literal} and c > {number} /* {comment} */"),
                    1 => format!("insert into t values ({literal}, {number}), ({number}.5, {literal})"),
                    2 => format!("update t set a={literal} -- {comment}\n where b in ({number},{number}e1)"),
                    3 => format!("alter user someone identified by {literal} {number}"),
                    4 => format!("selec {literal},,( {number} from"),
                    _ => format!("select {literal}from t limit {number}"),
                };
                if let Some((hidden, _)) = hidden(&text, reading) {
                    prop_assert!(!hidden.contains("zq"), "{text} -> {hidden}");
                    prop_assert!(!hidden.contains(&number.to_string()), "{text} -> {hidden}");
                } else {
                    prop_assert!(matches!(form, 4 | 5), "{text}");
                }
            }
        }
    }
}
