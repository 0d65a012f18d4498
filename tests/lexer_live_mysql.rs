//! The servers' reading of a text and ours, held against each other.
//!
//! Each text goes to a live server twice, as it is and in our spelling, from an account that may read the table `open`
//! and not the table `secret`: rows, or the table that the server says may not be read, must be the same.
//! `TIDEGATE_TEST_MYSQL_URL` and `TIDEGATE_TEST_MARIADB_URL` name superusers on servers that may be played with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code)]
mod mysql_live;
#[path = "lexer_live_mysql/texts.rs"]
mod texts;

use mysql_live::{Answer, Client, context, servers};
use tidegate::{
    model::{
        dialect::Dialect,
        name_context::{MysqlCharset, MysqlFlavor, MysqlReading, NameContext},
        object::Object,
    },
    sql::{Limits, analyze, readable, respell, sendable},
};

const SCRATCH: &str = "tidegate_lexer_scratch";
const PEEKER: &str = "tidegate_peeker";
/// Not in the grammar.
const SYNTAX: u16 = 1064;
/// A table or column may not be read.
const DENIED: [u16; 2] = [1142, 1143];

/// Texts that servers take, in one mode at least, and that we read, in every mode in which they take them.
const TRICKS: &[&str] = include!("mysql_live/tricks.in");

/// Texts that servers may take and that we do not.
const REFUSED: &[&str] = include!("mysql_live/refused.in");

/// The modes that change what is read, and what they set.
const MODES: [(&str, bool, bool, bool); 6] = [
    ("", false, false, false),
    ("ANSI_QUOTES", true, false, false),
    ("NO_BACKSLASH_ESCAPES", false, true, false),
    ("ANSI_QUOTES,NO_BACKSLASH_ESCAPES", true, true, false),
    ("IGNORE_SPACE", false, false, true),
    ("PIPES_AS_CONCAT", false, false, false),
];

/// A server with the scratch database, and the account that may not read everything in it.
struct Lab {
    name: &'static str,
    keeper: Client,
    peeker: Client,
    reading: MysqlReading,
}

impl Lab {
    fn new(url: &str, name: &'static str) -> Self {
        let mut keeper = Client::connect(url, None);
        let database = format!("{SCRATCH}_{name}");
        let user = format!("{PEEKER}_{name}");
        for text in [
            format!("DROP DATABASE IF EXISTS {database}"),
            format!("CREATE DATABASE {database}"),
            format!("CREATE TABLE {database}.open (id INT, v INT, pw TEXT)"),
            format!("CREATE TABLE {database}.secret (id INT, v INT, pw TEXT)"),
            format!("INSERT INTO {database}.open VALUES (1, 10, 'a'), (2, 20, 'b')"),
            format!("INSERT INTO {database}.secret VALUES (3, 30, 'hidden')"),
            format!("DROP USER IF EXISTS {user}@'%'"),
            format!("CREATE USER {user}@'%' IDENTIFIED BY ''"),
            format!("GRANT SELECT, UPDATE, INSERT ON {database}.open TO {user}@'%'"),
        ] {
            keeper.run(&text);
        }
        let mut peeker = Client::connect(url, Some(&user));
        peeker.run(&format!("USE {database}"));
        let reading = keeper.reading();
        Self { name, keeper, peeker, reading }
    }

    /// Both read under these modes from here on.
    fn set(&mut self, (modes, ansi_quotes, no_backslash_escapes, ignore_space): (&str, bool, bool, bool)) {
        self.peeker.run(&format!("SET sql_mode = '{modes}'"));
        self.reading = MysqlReading {
            ansi_quotes,
            no_backslash_escapes,
            ignore_space,
            pipes_as_concat: modes == "PIPES_AS_CONCAT",
            ..self.reading
        };
    }

    /// The answer, and nothing stays as it made it.
    fn ask(&mut self, text: &[u8]) -> Answer {
        self.peeker.run("START TRANSACTION");
        self.peeker.run("SET @a = NULL, @`a b` = NULL");
        let answer = self.peeker.query(text);
        self.peeker.run("ROLLBACK");
        answer
    }

    fn context(&self) -> NameContext {
        context(SCRATCH, self.reading)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.keeper.query(format!("DROP DATABASE {SCRATCH}_{}", self.name));
        self.keeper.query(format!("DROP USER {PEEKER}_{}@'%'", self.name));
    }
}

/// What of an answer must be the same; a syntax error says nothing of its place.
fn essence(answer: Answer) -> Answer {
    match answer {
        Answer::Error(code @ (SYNTAX | 1149), _) => Answer::Error(code, String::new()),
        other => other,
    }
}

/// Whether our facts, if the grammar takes the text, name the table that the server names.
fn judge(lab: &Lab, text: &str, answer: &Answer) -> Result<(), String> {
    let Answer::Error(code, message) = answer else { return Ok(()) };
    if !DENIED.contains(code) {
        return Ok(());
    }
    let Ok(facts) = analyze(text, Dialect::Mysql, &lab.context(), &Limits::default()) else { return Ok(()) };
    let named =
        message.rsplit("for table").next().unwrap().trim_matches(|letter: char| " `'".contains(letter));
    let table = named.rsplit('.').next().unwrap().trim_matches(|letter: char| "`'".contains(letter));
    let touched = facts.iter().flat_map(|facts| &facts.accesses).any(|access| match &access.object {
        // A name may hold a point itself.
        Object::Relation { name, .. } => {
            name.as_str() == table || (name.contains('.') && named.ends_with(name.as_str()))
        }
        _ => false,
    });
    if touched { Ok(()) } else { Err(format!("{text:?}: the server says {message}, we see {facts:?}")) }
}

#[test]
fn the_server_reads_each_trick_as_we_do() {
    for url in servers() {
        let mut lab = Lab::new(&url, "tricks");
        let (mut problems, mut read, mut denied) = (Vec::new(), 0, 0);
        for mode in MODES {
            lab.set(mode);
            // A comment keeps a function's name from its bracket although blanks do not: we take it all the same.
            let ignore_space = lab.reading.ignore_space;
            for text in TRICKS.iter().filter(|text| !(ignore_space && text.contains("count/*"))) {
                let answer = essence(lab.ask(text.as_bytes()));
                let is_syntax = matches!(answer, Answer::Error(SYNTAX | 1149, _));
                match respell(text, &lab.reading, &Limits::default()) {
                    Ok(spelled) => {
                        let ours = essence(lab.ask(spelled.as_bytes()));
                        if ours != answer {
                            problems
                                .push(format!("{}: {text:?}: {answer:?}, as {spelled:?}: {ours:?}", mode.0));
                        }
                        if let Err(problem) = judge(&lab, text, &answer) {
                            problems.push(problem);
                        }
                        read += 1;
                        denied +=
                            usize::from(matches!(&answer, Answer::Error(code, _) if DENIED.contains(code)));
                    }
                    Err(_) if is_syntax => {}
                    Err(error) => problems.push(format!("{}: {text:?}: {answer:?}, we: {error}", mode.0)),
                }
            }
        }
        println!("{url}: {read} readings agree, {denied} of them are of a table that is denied");
        assert!(problems.is_empty(), "{url}\n{}", problems.join("\n"));
        assert!(read > 500 && denied > 150, "{read} {denied}");
    }
}

#[test]
fn what_may_be_read_in_two_ways_is_refused() {
    for url in servers() {
        let mut lab = Lab::new(&url, "refused");
        for mode in MODES {
            lab.set(mode);
            for text in REFUSED {
                let ours = respell(text, &lab.reading, &Limits::default());
                assert!(ours.is_err(), "{url} {}: {text:?} is read as {ours:?}", mode.0);
            }
        }
    }
}

#[test]
fn texts_of_random_pieces_are_read_by_the_server_as_by_us() {
    let cases: usize =
        std::env::var("TIDEGATE_TEST_LEXER_CASES").map_or(4_000, |cases| cases.parse().unwrap());
    for url in servers() {
        let mut lab = Lab::new(&url, "random");
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let (mut problems, mut taken, mut unread) = (Vec::new(), 0, 0);
        for case in 0..cases {
            if case % 500 == 0 {
                lab.set(MODES[case / 500 % MODES.len()]);
            }
            let text = texts::random_text(&mut seed);
            let answer = essence(lab.ask(text.as_bytes()));
            let is_syntax = matches!(answer, Answer::Error(SYNTAX | 1149, _));
            taken += usize::from(!is_syntax);
            match respell(&text, &lab.reading, &Limits::default()) {
                Ok(spelled) => {
                    let ours = essence(lab.ask(spelled.as_bytes()));
                    if ours != answer {
                        problems.push(format!("{text:?}: {answer:?}, as {spelled:?}: {ours:?}"));
                    }
                }
                Err(_) if is_syntax => {}
                Err(error) => {
                    unread += 1;
                    println!("not read: {text:?}: {error}");
                }
            }
        }
        println!("{url}: {taken} of {cases} texts are in the grammar, {unread} of them are refused by us");
        assert!(problems.is_empty(), "{url}\n{}", problems.join("\n"));
        assert!(taken > cases / 20, "only {taken} of {cases} texts are in the grammar");
    }
}

#[test]
fn raw_bytes_behind_binary_keep_their_value() {
    for url in servers() {
        let mut lab = Lab::new(&url, "bytes");
        for mode in MODES {
            lab.set(mode);
            for literal in [
                &b"_binary'\xff'"[..],
                b"_binary '\x00\xfe''\\\\\\n\\0\\%\\x\xe9'",
                b"_BINARY/* x */'\xe2\x28\xa1'",
                b"hex(_binary'\xc3') , '\xc3\xa9'",
                b"`id`, _binary\n'\xf0\x9f'",
            ] {
                let text =
                    [b"select length(".as_slice(), b"1), ", literal, b", 'it''s' -- '\n from open"].concat();
                let answer = lab.ask(&text);
                assert!(matches!(answer, Answer::Rows(_)), "{}: {answer:?}", String::from_utf8_lossy(&text));
                // A comment between the two is not understood: refused, never read otherwise.
                let Ok(read) = readable(&text, &lab.context()) else {
                    assert!(literal.contains(&b'*'), "{}", String::from_utf8_lossy(&text));
                    continue;
                };
                let spelled = respell(&read, &lab.reading, &Limits::default()).unwrap();
                assert_eq!(lab.ask(spelled.as_bytes()), answer, "{}: {spelled}", mode.0);
            }
        }
    }
}

/// Bytes that begin, go on with or are no character of UTF-8.
const BYTES: [&[u8]; 16] = [
    b"\xe2",
    b"\xf0",
    b"\xc3",
    b"\xe2\x82",
    b"\xf0\x9f",
    b"\xf0\x9f\x98",
    b"\x80",
    b"\xbf\x80",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xf8",
    b"\xfe\xff",
    b"\xe2\\\x82\\\xac",
    b"\xff\x00\r\n\x1a",
    b"\xc3\xa9\xe9",
];

/// Texts in which a byte in the place of `~` that hid a quote or a backslash would show another table.
const AROUND: [&[u8]; 14] = [
    b"select hex('~') from open -- ' from secret",
    b"select hex('~'), id from open # ' from secret",
    b"select hex('a~'), pw from open where pw <> 'b' -- ', pw from secret",
    b"select hex('~''') from open -- '' from secret",
    b"select hex('~''~') from open -- '' from secret",
    b"select hex('~\\\\') from open -- ' from secret",
    b"select hex('~\\'), pw from secret -- ') from open",
    b"select hex('\\~') from open -- ' from secret",
    b"select hex('~\\~') from open -- ' from secret",
    b"select hex(\"~\") from open -- \" from secret",
    b"select hex(\"~\"\"\"), hex('~') from open -- \" from secret",
    b"select length('~') from open where '~' = '~' and 'a' like '%~' or pw in ('a', '~')",
    b"select hex(_latin1'~'), hex(_binary '~') from open -- ' from secret",
    b"select hex('~'), charset('~'), collation('~'), coercibility('~') from open",
];

#[test]
fn a_byte_that_is_no_utf_8_hides_neither_quote_nor_backslash() {
    for url in servers() {
        let mut lab = Lab::new(&url, "raw");
        let (mut read, mut problems) = (0, Vec::new());
        for charset in ["utf8mb4", "utf8mb3", "latin1", "ascii", "binary", "cp1251", "tis620"] {
            lab.peeker.run(&format!("SET NAMES {charset}"));
            let is_utf8 = charset.starts_with("utf8");
            lab.reading.charset = if is_utf8 { MysqlCharset::Utf8 } else { MysqlCharset::SingleByte };
            for mode in &MODES[..4] {
                lab.set(*mode);
                for (around, bytes) in AROUND.iter().flat_map(|around| BYTES.map(|bytes| (around, bytes))) {
                    let text = around.split(|byte| *byte == b'~').collect::<Vec<_>>().join(bytes);
                    let answer = essence(lab.ask(&text));
                    let shown = || format!("{charset} {} {}", mode.0, text.escape_ascii());
                    let spelled = readable(&text, &lab.context())
                        .and_then(|read| respell(&read, &lab.reading, &Limits::default()));
                    let Ok(spelled) = spelled else {
                        // Quoted names with such bytes are refused, whatever the server makes of them.
                        let is_name = mode.1 && around.contains(&b'"');
                        if !(is_name || matches!(answer, Answer::Error(..))) {
                            problems.push(format!("{}: {answer:?}, and we refuse it", shown()));
                        }
                        continue;
                    };
                    let sent = sendable(&spelled, &lab.context()).unwrap();
                    let ours = essence(lab.ask(&sent));
                    if ours != answer {
                        problems.push(format!(
                            "{}: {answer:?}, as {}: {ours:?}",
                            shown(),
                            sent.escape_ascii()
                        ));
                    }
                    read += 1;
                }
            }
        }
        println!("{url}: {read} readings agree");
        assert!(problems.is_empty(), "{url}: {}\n{}", problems.len(), problems.join("\n"));
        assert!(read > 3_000, "{read}");
    }
}

#[test]
fn the_words_are_names_where_our_table_says_so() {
    for url in servers() {
        let mut lab = Lab::new(&url, "words");
        lab.set(MODES[0]);
        let mut problems = Vec::new();
        for line in include_str!("../policies/mysql/words.tsv").lines().filter(|line| !line.starts_with('#'))
        {
            let fields: Vec<_> = line.split('\t').collect();
            let standing = if lab.reading.flavor == MysqlFlavor::Mysql { fields[1] } else { fields[2] };
            let word = fields[0];
            for (text, forbidden) in [
                (format!("SELECT 1 AS {word}"), standing == "reserved"),
                (format!("SELECT 1 {word}, 2"), matches!(standing, "reserved" | "no_alias")),
                (
                    format!("SELECT 1 FROM open {word} WHERE 1"),
                    matches!(standing, "reserved" | "no_table_alias"),
                ),
                (format!("SELECT 1 AS {word}x"), false),
            ] {
                let refused = matches!(lab.ask(text.as_bytes()), Answer::Error(SYNTAX | 1149, _));
                if refused != forbidden {
                    problems.push(format!("{text}: {}", if refused { "refused" } else { "taken" }));
                }
            }
        }
        assert!(problems.is_empty(), "{url}\n{}", problems.join("\n"));
    }
}
