//! What the lexer makes of texts, and that its tokens survive being spelled and read again.

use std::sync::Arc;

use proptest::prelude::*;

use crate::{
    model::{
        ids::DatabaseName,
        name_context::{MysqlCharset, MysqlFlavor, MysqlReading, NameContext, SearchPath},
    },
    sql::limits::Limits,
};

use super::{
    fingerprint::fingerprint,
    lexer::tokens,
    render::render,
    token::{Kind, Token},
};

pub(super) const MYSQL: MysqlReading =
    MysqlReading { flavor: MysqlFlavor::Mysql, version: 90_704, ..MysqlReading::USUAL };
const MARIADB: MysqlReading = MysqlReading { flavor: MysqlFlavor::Mariadb, version: 101_119, ..MYSQL };

pub(super) fn context() -> NameContext {
    NameContext {
        database: DatabaseName::from("hr_prod"),
        server_version: 9,
        search_path: SearchPath::Known(Arc::from([])),
        accounts: Arc::from([]),
        temporary: Arc::default(),
        made: Arc::default(),
        catalog: None,
        mysql: Some(MYSQL),
    }
}

fn lex<'t>(text: &'t str, reading: &MysqlReading) -> Option<Vec<Token<'t>>> {
    tokens(text, reading, &Limits::default()).ok()
}

/// What is sent for `text`, or "refused".
fn sent(text: &str, reading: &MysqlReading) -> String {
    lex(text, reading).map_or_else(|| "refused".to_owned(), |tokens| render(&tokens, reading))
}

fn kinds(text: &str) -> Vec<(Kind, String)> {
    let tokens = lex(text, &MYSQL).unwrap_or_else(|| panic!("{text} is refused"));
    tokens.into_iter().map(|token| (token.kind, token.text.into_owned())).collect()
}

#[test]
fn a_run_of_digits_ends_where_the_server_ends_it() {
    for (text, expected) in [
        ("1.from", "1. from"),
        (".1from", ".1 from"),
        ("1.5from", "1.5 from"),
        ("1e5from", "1e5 from"),
        ("1e+5 1E-5a", "1e+5 1E-5 a"),
        ("1a 1e 1_0 0x 0xZZ 0X1 0b2 0B1", "1a 1e 1_0 0x 0xZZ 0X1 0b2 0B1"),
        ("a.1from", "a.`1from`"),
        ("a .1from", "a .1 from"),
        ("`a`.1from", "`a` .1 from"),
        ("a.1.b", "a.`1`.b"),
        ("1a.2", "1a.`2`"),
        ("1.5.a", "1.5.a"),
        ("0x1F.a b'01'.a", "0x1F.a b'01'.a"),
        ("x'4d' X'4D' x''", "x'4d' X'4D' x''"),
        ("1.e 2", "refused"),
        ("1.5e+", "refused"),
        ("x'4'", "refused"),
        ("x'4g'", "refused"),
        ("b'2'", "refused"),
        ("1..2", "refused"),
    ] {
        assert_eq!(sent(text, &MYSQL), expected, "{text}");
    }
}

#[test]
fn dashes_begin_a_comment_only_before_white_space_or_a_control_character() {
    for (text, expected) in [
        ("1 -- x", "1"),
        ("1 --", "1"),
        ("1 --\u{1}x", "1"),
        ("1 --\tx\n2", "1 2"),
        ("1 --x\r\n2", "1 - -x\r\n2"),
        ("1 --\u{a0}.id from secret as \u{a0}", "1 - -\u{a0}.id from secret as \u{a0}"),
        ("1 # x\r2\n3", "1 3"),
        ("1 -- \0\n2", "refused"),
        ("1 /* \0 */", "refused"),
    ] {
        assert_eq!(sent(text, &MYSQL), expected, "{text}");
    }
}

#[test]
fn executable_comments_are_read_as_this_server_reads_them() {
    for (text, mysql, mariadb) in [
        ("1 /*! +1 */", "1 +1", "1 +1"),
        ("1 /*!+1*/", "1 +1", "1 +1"),
        ("1 /*!50699 +1 */", "1 +1", "1 +1"),
        ("1 /*!50700 +1 */", "1 +1", "1"),
        ("1 /*!99999 +1 */", "1", "1"),
        ("1 /*!90705 +1 */", "1", "1"),
        ("1 /*!100000 +1 */", "1", "1 +1"),
        ("1 /*!101119 +1 */", "1", "1 +1"),
        ("1 /*!101120 +1 */", "1", "1"),
        ("1 /*!090704 +1 */", "1 +1", "1"),
        ("1 /*!090704+1 */", "1 4+1", "1"),
        ("1 /*!500001+1 */", "1 1+1", "1"),
        ("1 /*!1234 +1 */", "1 1234 +1", "1 1234 +1"),
        ("1 /*M! +1 */", "1", "1 +1"),
        ("1 /*M!50700 +1 */", "1", "1 +1"),
        ("1 /*M!999999 +1 */", "1", "1"),
        ("1 /*m! +1 */", "1", "1"),
        ("1 /*!99999 /* x */ 2 */ + 3", "1 + 3", "1 + 3"),
        ("1 /*!99999 /* /* */ 2 */ + 3", "1 + 3", "1 + 3"),
        ("1 /*! + /* x */ 2 */ + 3", "1 + 2 + 3", "1 + 2 + 3"),
        ("1 /*! + /*! 2 */ + 3", "1 + 2 + 3", "1 + 2 + 3"),
        ("1 /*! + /*! 2 */ + 3 */ 4", "1 + 2 + 3 * / 4", "1 + 2 + 3 * / 4"),
        ("1 /*! -- */\n + 2 */", "1 + 2", "1 + 2"),
        ("1 /*! '*/' */", "1 '*/'", "1 '*/'"),
        ("select pw from /*!99999 t as */ secret", "select pw from secret", "select pw from secret"),
        ("1 /*! +1", "refused", "refused"),
        ("1 /*!99999 +1", "refused", "refused"),
        ("1 /*!99999 /* */", "refused", "refused"),
        ("1 /*/", "refused", "refused"),
        ("1 /* /* */ */", "1 * /", "1 * /"),
        ("2 */* x */ 3", "2 * 3", "2 * 3"),
    ] {
        assert_eq!(sent(text, &MYSQL), mysql, "MySQL: {text}");
        assert_eq!(sent(text, &MARIADB), mariadb, "MariaDB: {text}");
    }
    let older = MysqlReading { version: 80_036, ..MYSQL };
    assert_eq!(sent("1 /*!080036 +1 */", &older), "refused");
    assert_eq!(sent("1 /*!80036 +1 */", &older), "1 +1");
}

#[test]
fn strings_end_where_the_server_ends_them() {
    let bare = MysqlReading { no_backslash_escapes: true, ..MYSQL };
    let ansi = MysqlReading { ansi_quotes: true, ..MYSQL };
    for (text, reading, expected) in [
        (r"'a\' union'", &MYSQL, "'a'' union'"),
        (r"'a\' union", &bare, r"'a\' union"),
        (r#""a'b" "c""d""#, &MYSQL, r#"'a''b' 'c"d'"#),
        (r#""a'b" "c""d""#, &ansi, r#"`a'b` `c"d`"#),
        (r"'\%\_\a\é\Z\0\b'", &MYSQL, "'\\\\%\\\\_aé\\Z\\0\u{8}'"),
        ("'a' 'b'", &MYSQL, "'a' 'b'"),
        ("'a''b'", &MYSQL, "'a''b'"),
        ("'a'\"b\"", &MYSQL, "'a' 'b'"),
        ("'\n'", &MYSQL, r"'\n'"),
        ("'\n'", &bare, "'\n'"),
        ("`a``b`", &MYSQL, "`a``b`"),
        (r"`a\`b", &MYSQL, r"`a\` b"),
        ("N'a' n'b' N 'c'", &MYSQL, "N'a' N'b' N 'c'"),
        ("_utf8mb4'a' _LATIN1 x'00' _nix'a'", &MYSQL, "_utf8mb4'a' _latin1 x'00' _nix 'a'"),
        ("'a", &MYSQL, "refused"),
        (r"'a\'", &MYSQL, "refused"),
        ("`a", &MYSQL, "refused"),
        ("\"a", &MYSQL, "refused"),
        ("`a\0`", &MYSQL, "refused"),
    ] {
        assert_eq!(sent(text, reading), expected, "{text}");
    }
    assert_eq!(kinds("_gb18030'a'")[0].0, Kind::Introducer);
    assert_eq!(lex("_gb18030'a'", &MARIADB).unwrap()[0].kind, Kind::Word);
    assert_eq!(kinds("a._utf8'b'")[2].0, Kind::Quoted);
}

#[test]
fn keywords_beside_a_point_are_names() {
    for (text, expected) in [
        ("t.select", "t.`select`"),
        ("select.t", "`select`.t"),
        ("select.5t", "`select`.`5t`"),
        ("t. select", "t. select"),
        ("select .t", "select .t"),
        ("select.`t`", "select.`t`"),
        ("_utf8.1 a._utf8", "`_utf8`.`1` a.`_utf8`"),
        ("t.name.date", "t.name.date"),
        ("count (1) count(1) count/**/(1)", "count (1) count(1) count (1)"),
        ("t.*", "t.*"),
    ] {
        assert_eq!(sent(text, &MYSQL), expected, "{text}");
    }
    assert_eq!(kinds("t.select")[2].0, Kind::Quoted);
    assert_eq!(kinds("t. select")[2].0, Kind::Word);
}

#[test]
fn variables_and_hosts_are_one_token() {
    for (text, expected) in [
        ("@a @a.b$c @`a``b` @'a''b' @\"a\"", "@a @a.b$c @`a``b` @`a'b` @a"),
        ("@@a @@global.b @@`a` @@x.5", "@@a @@global.b @@`a` @@x.`5`"),
        ("root@localhost 'u'@'%' u@10.0.0.1 `u`@''", "root@localhost 'u'@`%` u@10.0.0.1 `u`@''"),
        ("@`a`.b", "@`a`.b"),
        ("@a:=1", "@a:=1"),
        ("@ a", "refused"),
        ("@", "refused"),
        ("@é", "refused"),
        ("@@ a", "refused"),
        ("@@\"a\"", "refused"),
        ("@'\\0'", "refused"),
    ] {
        assert_eq!(sent(text, &MYSQL), expected, "{text}");
    }
}

#[test]
fn operators_are_the_longest_that_the_server_knows() {
    for (text, mysql, mariadb) in [
        ("a<=>b<>c!=d<=e>=f<<g>>h", "a<=>b<>c!=d<=e>=f<<g>>h", ""),
        ("a||b&&c|d&e|||f", "a||b&&c|d&e|| |f", ""),
        ("a->'$.b' a->>'$.b'", "a->'$.b' a->>'$.b'", "a- >'$.b' a- >>'$.b'"),
        ("!!1", "refused", "! !1"),
        ("1=!0", "refused", "1= !0"),
        ("1<>!0", "refused", "1<> !0"),
        ("1=-1", "1=-1", ""),
        ("\\N", "refused", "NULL"),
        ("\\N.a", "refused", "NULL .a"),
        ("? ?,?", "? ?,?", ""),
        ("?a", "refused", "refused"),
        ("{d '2020-01-01'}", "{d '2020-01-01'}", ""),
        ("[a]", "refused", "refused"),
        ("a\\b", "refused", "refused"),
        ("a\u{1}b", "refused", "refused"),
        ("a\0b", "refused", "refused"),
    ] {
        assert_eq!(sent(text, &MYSQL), mysql, "MySQL: {text}");
        assert_eq!(sent(text, &MARIADB), if mariadb.is_empty() { mysql } else { mariadb }, "MariaDB: {text}");
    }
}

#[test]
fn letters_beyond_ascii_are_names_and_never_white_space() {
    assert_eq!(
        kinds("é\u{a0}b \u{3000}"),
        [(Kind::Word, "é\u{a0}b".to_owned()), (Kind::Word, "\u{3000}".to_owned())]
    );
    let single = MysqlReading { charset: MysqlCharset::SingleByte, ..MYSQL };
    for text in ["a\u{a0}b", "`é`", "@'é'", "é"] {
        assert_eq!(sent(text, &single), "refused", "{text}");
    }
    assert_eq!(sent("'é' /* é */", &single), "'é'");
    for text in ["😀", "`😀`", "@`😀`"] {
        assert_eq!(sent(text, &MYSQL), "refused", "{text}");
    }
    assert_eq!(sent("'😀' $a a$b$", &MYSQL), "'😀' $a a$b$");
    assert_eq!(sent("$a$", &MYSQL), "refused");
    assert_eq!(sent("$a$", &MARIADB), "$a$");
}

#[test]
fn hints_are_hints_only_behind_their_keywords() {
    for (text, expected) in [
        ("select /*+ BKA(t) */ 1", "select /*+ BKA(t) */ 1"),
        ("select/*+ SET_VAR(a=1) */1", "select 1"),
        ("select /* x */ /*+ BKA(t) */ 1", "select 1"),
        ("t.select /*+ BKA(t) */", "t.`select`"),
        ("1 /*+ BKA(t) */", "1"),
        ("select /*+ SET_VAR(a='b') BKA(t) */ 1", "select /*+ BKA(t) */ 1"),
        ("select /*+ x('\"') */ 1 \"", "refused"),
        ("select /*+ x('*/') */ 1", "refused"),
        ("select /*+ `*/` */ 1", "refused"),
        ("select /*+ x", "refused"),
    ] {
        assert_eq!(sent(text, &MYSQL), expected, "{text}");
    }
    assert_eq!(sent("select /*+ BKA(t) */ 1", &MARIADB), "select 1");
}

#[test]
fn texts_over_a_limit_are_refused_and_at_it_they_pass() {
    let limits = Limits { statement_bytes: 7, tokens: 3, ..Limits::default() };
    assert!(tokens("a  b  c", &MYSQL, &limits).is_ok());
    assert!(tokens("a  b  c ", &MYSQL, &limits).is_err());
    assert!(tokens("a b c d", &MYSQL, &limits).is_err());
}

#[test]
fn fingerprints_ignore_literals_and_white_space_and_nothing_else() {
    let print = |text| fingerprint(&lex(text, &MYSQL).unwrap());
    let one = print("select a from t where b = 1 and c in (1, 2)");
    for text in
        ["SELECT  a FROM t WHERE b = 'x' AND c IN (?, ?, ?) -- x", "select a from t where b=0x1 and c in(1)"]
    {
        assert_eq!(print(text), one, "{text}");
    }
    for text in [
        "select a from u where b = 1 and c in (1, 2)",
        "select a from t where b = d and c in (1, 2)",
        "select a from t where b = 1 and c in (1, d)",
        "select a from t where b = 1 and c in (1 2)",
    ] {
        assert_ne!(print(text), one, "{text}");
    }
}

/// Kinds and texts, and where it means something whether a token is glued.
fn meaning(tokens: &[Token<'_>]) -> Vec<(Kind, String, bool)> {
    let mut before = None;
    let mut list = Vec::new();
    for token in tokens.iter().filter(|token| token.kind != Kind::Hint) {
        let counts = token.is_symbol("(") && matches!(before, Some(Kind::Word | Kind::Quoted));
        list.push((token.kind, token.text.to_string(), counts && token.glued));
        before = Some(token.kind);
    }
    list
}

fn readings() -> impl Strategy<Value = MysqlReading> {
    (any::<[bool; 4]>(), any::<bool>()).prop_map(|([mariadb, ansi, bare, single], ignore_space)| {
        MysqlReading {
            ansi_quotes: ansi,
            no_backslash_escapes: bare,
            ignore_space,
            charset: if single { MysqlCharset::SingleByte } else { MysqlCharset::Utf8 },
            ..if mariadb { MARIADB } else { MYSQL }
        }
    })
}

/// Texts in which whatever means something comes often.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "select", "from", "a", "e5", "x", "b", "n", "N", "_utf8", "1", "0", "0x", "0b", ".", "..", "'", "\"", "`", "\\",
            "@", "@@", "$", "-", "--", "#", "/*", "*/", "/*!", "/*!50000", "/*!99999", "/*!100000 ", "/*M!", "/*+", "!", "<", ">",
            "=", "|", "&", ":", "(", ")", ",", ";", "*", "/", "+", "e", "E", "\n", " ", " ", "\t", "\u{a0}", "é", "😀", "?", "\\N", "%",
            "{", "}", "BKA(t)", "\0", "\u{1a}", "''", "count(", "t.", "::",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_spelled_is_read_as_the_same_tokens(text in texts(), reading in readings()) {
        if let Some(first) = lex(&text, &reading) {
            let spelled = render(&first, &reading);
            let second = lex(&spelled, &reading);
            prop_assert!(second.is_some(), "{:?} is refused, from {:?}", spelled, text);
            let second = second.unwrap_or_default();
            prop_assert_eq!(meaning(&first), meaning(&second), "{}", spelled);
            prop_assert_eq!(render(&second, &reading), spelled);
        }
    }

    #[test]
    fn strings_of_any_content_are_read_back(content in any::<String>(), reading in readings()) {
        let mut text = String::new();
        super::render::quote_string(&mut text, &content, &reading);
        let read = lex(&text, &reading).unwrap();
        prop_assert_eq!(read.len(), 1);
        prop_assert_eq!(&read[0].text, &content);
    }
}
