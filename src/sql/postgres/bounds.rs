//! Bounds that a text must keep before the parser sees it.
//!
//! The parser, the decoding of its tree and our walk all recurse. So an upper bound of the tree's depth is worked out
//! from the tokens first, and the stack is made as large as that depth needs.

use crate::{model::facts::Unanalyzable, sql::limits::Limits};

use super::lexer::{Kind, Lexer, Token};

/// Depth of trees that are let through, in nodes; each takes [`STACK_BYTES_PER_LEVEL`] while it is decoded.
const MAX_LEVELS: usize = 1_000;

/// Measured on builds without optimisation: about 50 KiB.
const STACK_BYTES_PER_LEVEL: usize = 64 * 1024;

/// For the parser itself and for what does not recurse.
const STACK_BYTES_BASE: usize = 1024 * 1024;

/// What the text's tree may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// No tree of this text is deeper, in nodes.
    pub(super) levels: usize,
}

impl Shape {
    /// The stack to have left before parsing.
    pub(super) const fn stack_bytes(self) -> usize {
        STACK_BYTES_BASE + self.levels * STACK_BYTES_PER_LEVEL
    }
}

/// Checks `text` against `limits` and the bound of depth.
///
/// # Errors
/// `TooLarge` past a bound, `Never` for a NUL character.
pub(super) fn check(text: &str, limits: &Limits) -> Result<Shape, Unanalyzable> {
    if text.len() > limits.statement_bytes {
        return Err(Unanalyzable::TooLarge { what: "bytes", limit: limits.statement_bytes });
    }
    if memchr::memchr(0, text.as_bytes()).is_some() {
        return Err(Unanalyzable::Never {
            construct: "a NUL character".to_owned(),
            instead: "Send the statement without it.",
        });
    }
    if !is_read_in_one_go(text) {
        return Err(Unanalyzable::TooLarge {
            what: "comments opened in a row",
            limit: MAX_COMMENTS_IN_A_ROW,
        });
    }
    let mut depth = Depth::new(text);
    let mut statements = 1_usize;
    for (index, token) in Lexer::new(text).enumerate() {
        if index >= limits.tokens {
            return Err(Unanalyzable::TooLarge { what: "tokens", limit: limits.tokens });
        }
        if token.kind == Kind::Semicolon {
            statements += 1;
        }
        depth.take(token);
        if depth.open.len() > limits.nesting {
            return Err(Unanalyzable::TooLarge { what: "levels of nesting", limit: limits.nesting });
        }
    }
    if statements > limits.statements.saturating_add(1) {
        return Err(Unanalyzable::TooLarge { what: "statements", limit: limits.statements });
    }
    let levels = depth.finish();
    if levels > MAX_LEVELS {
        return Err(Unanalyzable::TooLarge { what: "operators in one chain", limit: MAX_LEVELS });
    }
    Ok(Shape { levels })
}

/// Whether PostgreSQL's scanner reads `text` in time that grows with its length alone.
///
/// At each opening of a comment it looks to the end of the operator characters behind it, and begins again after two of
/// them: openings that stand in a row, in one another, take the square of their number.
pub(super) fn is_read_in_one_go(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (mut in_a_row, mut last) = (0, 0);
    for at in memchr::memmem::find_iter(bytes, b"/*") {
        let between = bytes.get(last..at).unwrap_or_default();
        in_a_row =
            if between.iter().all(|byte| OPERATOR_CHARACTERS.contains(byte)) { in_a_row + 1 } else { 1 };
        if in_a_row > MAX_COMMENTS_IN_A_ROW {
            return false;
        }
        last = at;
    }
    true
}

/// Openings of comments without anything but operator characters between them.
const MAX_COMMENTS_IN_A_ROW: usize = 32;

/// Source: PostgreSQL, `op_chars` of scan.l.
const OPERATOR_CHARACTERS: &[u8] = b"~!@#^&|`?+-*/%<>=";

/// One bracket (or CASE, or the text itself) that is open.
///
/// Depth below it is at most its own nodes, plus one for each set operation and join in it, plus the longest chain
/// of operators between two separators together with the deepest bracket in that chain.
#[derive(Clone, Copy, Default)]
struct Level {
    case: bool,
    own: usize,
    query: bool,
    logic: bool,
    wraps: usize,
    chain: usize,
    chain_child: usize,
    best: usize,
    betweens: usize,
}

impl Level {
    fn cut(&mut self) {
        self.best = self.best.max(self.chain + self.chain_child);
        self.chain = 0;
        self.chain_child = 0;
        self.betweens = 0;
    }

    fn depth(mut self) -> usize {
        self.cut();
        let query = if self.query { QUERY } else { 0 };
        let logic = if self.logic { LOGIC } else { 0 };
        self.own + query + logic + self.wraps + self.best
    }
}

/// Nodes from a statement to an expression in it, at most.
const QUERY: usize = 6;
/// Nodes that a bracket behind a word brings, at most (`OVER (ORDER BY …`, `x AS (`, `json_object(a: …`).
const CALL: usize = 5;
/// Nodes that a bare bracket brings, at most (a row, an index).
const GROUP: usize = 2;
/// AND chains are one node, within OR chains that are one node.
const LOGIC: usize = 2;

struct Depth<'t> {
    text: &'t str,
    open: Vec<Level>,
    last: Option<Token>,
    top: Level,
}

impl<'t> Depth<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, open: Vec::new(), last: None, top: Level { own: CALL, query: true, ..Level::default() } }
    }

    fn level(&mut self) -> &mut Level {
        self.open.last_mut().unwrap_or(&mut self.top)
    }

    fn word(&self, token: Token) -> &'t str {
        self.text.get(token.start..token.end).unwrap_or_default()
    }

    fn take(&mut self, token: Token) {
        match token.kind {
            Kind::Open => {
                let call = self.last.is_some_and(|last| matches!(last.kind, Kind::Word | Kind::Operand));
                let bracket = self.word(token) == "[";
                let own = if call || bracket { CALL } else { GROUP };
                self.open.push(Level { own, ..Level::default() });
            }
            Kind::Close => {
                // A CASE without END inside brackets is a syntax error; count it all the same.
                while self.open.last().is_some_and(|level| level.case) {
                    self.close();
                }
                self.close();
            }
            Kind::Comma | Kind::Semicolon => self.level().cut(),
            Kind::Operator => {
                let run = self.word(token);
                // The scanner cuts runs of these alone into several operators.
                let several = run.bytes().all(|byte| b"+-*/<>=".contains(&byte));
                self.level().chain += if several { run.len() } else { 1 };
            }
            Kind::Other => self.level().chain += 1,
            Kind::Word => self.take_word(token),
            Kind::Operand | Kind::Dot => {}
        }
        self.last = Some(token);
    }

    fn close(&mut self) {
        if let Some(closed) = self.open.pop() {
            let depth = closed.depth();
            let level = self.level();
            level.chain_child = level.chain_child.max(depth);
        }
    }

    fn take_word(&mut self, token: Token) {
        let label = self.last.is_some_and(|last| {
            last.kind == Kind::Dot || last.kind == Kind::Word && self.word(last).eq_ignore_ascii_case("as")
        });
        let Some(word) = Word::of(self.word(token)) else { return };
        // A label or an attribute may be spelt like a keyword: it separates nothing.
        if label && !matches!(word, Word::Query | Word::Chain) {
            self.level().chain += 2;
            return;
        }
        match word {
            Word::And => {
                let level = self.level();
                if level.betweens > 0 {
                    level.betweens -= 1;
                } else {
                    level.cut();
                    level.logic = true;
                }
            }
            Word::Between => {
                let level = self.level();
                level.betweens += 1;
                level.chain += 2;
            }
            Word::Case => self.open.push(Level { case: true, own: 3, ..Level::default() }),
            Word::Chain => self.level().chain += 1,
            Word::End => {
                if self.open.last().is_some_and(|level| level.case) {
                    self.close();
                }
            }
            Word::Or => {
                let level = self.level();
                level.cut();
                level.logic = true;
            }
            Word::Query => self.level().query = true,
            Word::When => {
                let level = self.level();
                if level.case {
                    level.cut();
                }
            }
            Word::Wrap => {
                let level = self.level();
                level.cut();
                level.wraps += 1;
            }
        }
    }

    fn finish(mut self) -> usize {
        while !self.open.is_empty() {
            self.close();
        }
        self.top.depth()
    }
}

/// The words that depth depends on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    And,
    Between,
    Case,
    Chain,
    End,
    Or,
    Query,
    When,
    Wrap,
}

impl Word {
    fn of(word: &str) -> Option<Self> {
        const WORDS: &[(&str, Word)] = &[
            ("and", Word::And),
            ("or", Word::Or),
            ("between", Word::Between),
            ("case", Word::Case),
            ("end", Word::End),
            ("when", Word::When),
            ("then", Word::When),
            ("else", Word::When),
            ("select", Word::Query),
            ("values", Word::Query),
            ("with", Word::Query),
            ("table", Word::Query),
            ("insert", Word::Query),
            ("update", Word::Query),
            ("delete", Word::Query),
            ("merge", Word::Query),
            ("from", Word::Query),
            ("join", Word::Wrap),
            ("union", Word::Wrap),
            ("intersect", Word::Wrap),
            ("except", Word::Wrap),
            ("not", Word::Chain),
            ("is", Word::Chain),
            ("isnull", Word::Chain),
            ("notnull", Word::Chain),
            ("like", Word::Chain),
            ("ilike", Word::Chain),
            ("similar", Word::Chain),
            ("escape", Word::Chain),
            ("in", Word::Chain),
            ("collate", Word::Chain),
            ("at", Word::Chain),
            ("overlaps", Word::Chain),
            ("operator", Word::Chain),
        ];
        if word.len() > 9 {
            return None;
        }
        WORDS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, word)| *word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(text: &str) -> usize {
        check(text, &Limits { nesting: 2_000, ..Limits::default() }).map_or(usize::MAX, |shape| shape.levels)
    }

    /// The true depth in nodes, from the tree's printed form, each node being one `Some(`.
    fn true_levels(text: &str) -> usize {
        let tree = stacker::grow(256 << 20, || {
            let parsed = pg_query::parse(text, 0).unwrap_or_else(|error| panic!("{error}: {text}"));
            format!("{:?}", parsed.protobuf.stmts)
        });
        let (mut depth, mut deepest, mut open) = (0_usize, 0_usize, Vec::new());
        for (at, letter) in tree.char_indices() {
            match letter {
                '(' | '[' | '{' => {
                    let node = tree[..at].ends_with("Node ");
                    open.push(node);
                    depth += usize::from(node);
                    deepest = deepest.max(depth);
                }
                ')' | ']' | '}' if open.pop() == Some(true) => depth -= 1,
                _ => {}
            }
        }
        deepest
    }

    #[test]
    fn no_tree_is_deeper_than_the_bound_says() {
        let n = 60;
        let nested = |open: &str, middle: &str, close: &str| {
            format!("select {}{middle}{}", open.repeat(n), close.repeat(n))
        };
        for text in [
            nested("(", "1", ")"),
            nested("f(", "1", ")"),
            nested("array[", "1", "]"),
            nested("(array[1])[", "1", "]"),
            nested("case when true then ", "1", " end"),
            nested("case when x.end then ", "1", " end"),
            nested("case ", "1", " when 1 then 2 end"),
            nested("(select ", "1", ")"),
            nested("exists (select from (values (", "1", ")) v)"),
            nested("(with a as (select ", "1", ") table a)"),
            nested("sum(x) over (order by ", "1", ")"),
            nested("json_object('a': ", "1", ")"),
            nested("row(1, ", "1", ")"),
            nested("- ", "1", ""),
            nested("not ", "true", ""),
            nested("(f(", "1", ")).a"),
            nested("cast(", "1", " as int)"),
            nested("", "1", "+1"),
            nested("", "1", "+-1"),
            nested("", "a", " || b"),
            nested("", "a", "::int"),
            nested("", "a", " is null"),
            nested("", "a", " collate \"C\""),
            nested("", "a", " at time zone 'UTC'"),
            nested("", "a", " between 1 and 2 is true"),
            nested("", "a", " not between symmetric 1 and 2 is true"),
            nested("", "a", " and b = 1 or c"),
            nested("", "x.and", " + x.and"),
            nested("", "x.when", " + x.else"),
            nested("", "a", " operator(pg_catalog.+) 1"),
            nested("", "1", " union select 2"),
            nested("", "1 from t", " join t on a = b and c = d"),
            nested("1 from (select ", "1", ") x"),
            nested("1 from rows from (f((select ", "1", "))) x"),
            format!("with a as ({}) select 1", "select 1 union ".repeat(n) + "select 2"),
            format!("insert into t values (({})) returning (select 1)", "1+".repeat(n) + "1"),
            format!(
                "select * from json_table(j, '$' columns ({} a int {}",
                "nested '$' columns (".repeat(n),
                ")".repeat(n + 2)
            ),
            format!("explain create table a as {}", nested("(select ", "1", ")")),
            format!("merge into t using s on a when matched and {} true then do nothing", "not ".repeat(n)),
        ] {
            let (bound, truth) = (levels(&text), true_levels(&text));
            assert!(truth <= bound, "{truth} > {bound}: {text}");
        }
    }

    #[test]
    fn long_flat_texts_stay_shallow() {
        for text in [
            format!("select * from t where a in (1{})", ",1".repeat(10_000)),
            format!("insert into t values (1, 'a'){}", ",(1, 'a')".repeat(10_000)),
            format!("select 1 where a = 1{}", " and b = 1 or c = 2".repeat(5_000)),
            format!("select case when a = 1 then 2{} end", " when b = 2 then 1".repeat(5_000)),
            "select 1;".repeat(900),
        ] {
            assert!(levels(&text) < 60, "{}: {}", levels(&text), &text[..60]);
        }
    }

    #[test]
    fn comments_that_the_scanner_would_read_again_and_again_are_too_many() {
        let nested = |n: usize| format!("select {} x {}1", "/*".repeat(n), "*/ ".repeat(n));
        assert!(check(&nested(MAX_COMMENTS_IN_A_ROW), &Limits::default()).is_ok());
        for text in [nested(MAX_COMMENTS_IN_A_ROW + 1), format!("select 1 {}", "*/".repeat(100))] {
            assert!(matches!(check(&text, &Limits::default()), Err(Unanalyzable::TooLarge { .. })), "{text}");
            assert!(super::super::parse::tokens(&text).is_none());
        }
        let apart = [
            format!("select {}1", "/* /* x */ */".repeat(9_000)),
            format!("/{}/ select 1", "*".repeat(90_000)),
        ];
        apart.iter().for_each(|text| assert!(check(text, &Limits::default()).is_ok(), "{}", &text[..40]));
    }

    #[test]
    fn each_bound_refuses_past_it_and_not_at_it() {
        let limits = Limits { statement_bytes: 40, tokens: 12, nesting: 3, statements: 2 };
        for (text, refused) in [
            ("select 1", None),
            ("select 1234567890123456789012345678901234", Some("bytes")),
            ("select 1,1,1,1,1,1", None),
            ("select 1,1,1,1,1,1,1", Some("tokens")),
            ("select (((1)))", None),
            ("select ((((1))))", Some("levels of nesting")),
            ("select 1; select 1;", None),
            ("select 1; select 1; select 1; ", Some("statements")),
        ] {
            let what = match check(text, &limits) {
                Ok(_) => None,
                Err(Unanalyzable::TooLarge { what, .. }) => Some(what),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(what, refused, "{text}");
        }
        let long = format!("select 1{}", "+1".repeat(MAX_LEVELS));
        assert!(matches!(check(&long, &Limits::default()), Err(Unanalyzable::TooLarge { .. })));
        assert!(matches!(check("select '\0'", &Limits::default()), Err(Unanalyzable::Never { .. })));
    }
}
