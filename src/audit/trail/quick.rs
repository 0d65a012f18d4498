//! Entries of lines as the gateway writes them, read without a parser for all of JSON: it is done for each record.
//!
//! What is written in another way is left to the parser, and so is what is no JSON: a test holds the two together.

use std::borrow::Cow;

use jiff::Timestamp;
use memchr::memchr2;
use serde::{
    Deserialize,
    de::value::{Error, StrDeserializer},
};
use uuid::Uuid;

use super::entry::{Entry, Object, Text};
use crate::model::facts::AccessMode;

/// The entry of a line; `None` where the parser is to be asked.
pub(super) fn read(line: &[u8]) -> Option<Entry<'_>> {
    // Such bytes stand in no text of JSON. Without a way out of the loop, which goes over many bytes at a time.
    if line.iter().fold(false, |any, byte| any | (*byte < b' ')) {
        return None;
    }
    let mut rest = Rest(std::str::from_utf8(line).ok()?);
    let mut draft = Draft::default();
    rest.take("{")?;
    loop {
        let key = rest.plain()?;
        rest.take(":")?;
        draft.member(key, &mut rest)?;
        if rest.take(",").is_none() {
            break;
        }
    }
    rest.take("}")?;
    if !rest.0.is_empty() {
        return None;
    }
    draft.entry()
}

/// What was read of an entry so far: a member is there once.
#[derive(Default)]
struct Draft<'l> {
    at: Option<Timestamp>,
    event: Option<Text<'l>>,
    principal: Option<Option<Text<'l>>>,
    actor: Option<Option<Text<'l>>>,
    target: Option<Option<Text<'l>>>,
    database: Option<Option<Text<'l>>>,
    kind: Option<Option<Text<'l>>>,
    decision: Option<Option<Text<'l>>>,
    sql: Option<Option<Text<'l>>>,
    statement: Option<Option<Uuid>>,
    session: Option<Option<Uuid>>,
    objects: Option<Vec<Object<'l>>>,
    grants: Option<Vec<Text<'l>>>,
}

impl<'l> Draft<'l> {
    fn member(&mut self, key: &str, rest: &mut Rest<'l>) -> Option<()> {
        match key {
            "at" => put(&mut self.at, rest.plain()?.parse().ok()?),
            "event" => put(&mut self.event, rest.text()?),
            "principal" => put(&mut self.principal, rest.maybe(Rest::text)?),
            "actor" => put(&mut self.actor, rest.maybe(Rest::text)?),
            "target" => put(&mut self.target, rest.maybe(Rest::text)?),
            "database" => put(&mut self.database, rest.maybe(Rest::text)?),
            "kind" => put(&mut self.kind, rest.maybe(Rest::text)?),
            "decision" => put(&mut self.decision, rest.maybe(Rest::text)?),
            "sql" => put(&mut self.sql, rest.maybe(Rest::text)?),
            "statement" => put(&mut self.statement, rest.maybe(Rest::uuid)?),
            "session" => put(&mut self.session, rest.maybe(Rest::uuid)?),
            "objects" => put(&mut self.objects, rest.list(Rest::object)?),
            "grants" => put(&mut self.grants, rest.list(Rest::text)?),
            // What may be an object is rare.
            "grant" | "request" => None,
            _ => rest.skip(),
        }
    }

    fn entry(self) -> Option<Entry<'l>> {
        Some(Entry {
            at: self.at?,
            event: self.event?,
            principal: self.principal.flatten(),
            actor: self.actor.flatten(),
            target: self.target.flatten(),
            database: self.database.flatten(),
            kind: self.kind.flatten(),
            decision: self.decision.flatten(),
            sql: self.sql.flatten(),
            statement: self.statement.flatten(),
            session: self.session.flatten(),
            objects: self.objects.unwrap_or_default(),
            grants: self.grants.unwrap_or_default(),
            grant: None,
            request: None,
        })
    }
}

/// Fills a place that is empty.
fn put<T>(place: &mut Option<T>, value: T) -> Option<()> {
    match place {
        Some(_) => None,
        None => {
            *place = Some(value);
            Some(())
        }
    }
}

/// What of a line is still to be read. Each part of it that is read gives `None` where it is written in another way.
struct Rest<'l>(&'l str);

impl<'l> Rest<'l> {
    fn take(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// A text in which nothing is escaped.
    fn plain(&mut self) -> Option<&'l str> {
        let inside = self.0.strip_prefix('"')?;
        let (text, behind) = inside.split_at_checked(memchr2(b'"', b'\\', inside.as_bytes())?)?;
        self.0 = behind.strip_prefix('"')?;
        Some(text)
    }

    fn text(&mut self) -> Option<Text<'l>> {
        match self.plain() {
            Some(text) => Some(Text::of(Cow::Borrowed(text))),
            None => self.escaped().map(|text| Text::of(Cow::Owned(text))),
        }
    }

    /// A text in which something is escaped: what that stands for is the parser's.
    fn escaped(&mut self) -> Option<String> {
        let bytes = self.0.as_bytes();
        let mut at = 1;
        loop {
            at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
            if bytes.get(at) == Some(&b'"') {
                break;
            }
            // Whatever comes behind the backslash is part of the text.
            at += 2;
        }
        let (text, behind) = self.0.split_at_checked(at + 1)?;
        self.0 = behind;
        serde_json::from_str(text).ok()
    }

    fn uuid(&mut self) -> Option<Uuid> {
        Uuid::try_parse(self.plain()?).ok()
    }

    fn object(&mut self) -> Option<Object<'l>> {
        self.take("{\"name\":")?;
        let name = self.text()?;
        self.take(",\"mode\":")?;
        let mode = StrDeserializer::<Error>::new(self.plain()?);
        let mode = AccessMode::deserialize(mode).ok()?;
        self.take("}")?;
        Some(Object { name, mode })
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.take("[")?;
        let mut items = Vec::new();
        if self.take("]").is_some() {
            return Some(items);
        }
        loop {
            items.push(item(self)?);
            if self.take(",").is_none() {
                break;
            }
        }
        self.take("]")?;
        Some(items)
    }

    /// `null`, or what `value` reads.
    fn maybe<T>(&mut self, value: impl Fn(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.take("null") {
            Some(()) => Some(None),
            None => value(self).map(Some),
        }
    }

    /// A value that nobody goes by: no object, and no list in a list, so that nothing is nested.
    fn skip(&mut self) -> Option<()> {
        match self.0.as_bytes().first()? {
            b'"' => self.text().map(|_| ()),
            b'[' => self.list(Self::text).map(|_| ()),
            b'n' => self.take("null"),
            b't' => self.take("true"),
            b'f' => self.take("false"),
            b'0' => self.take("0"),
            _ => self.number(),
        }
    }

    /// Digits, the first of which is no zero.
    fn number(&mut self) -> Option<()> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        self.0 = self.0.get(digits..)?;
        (digits > 0).then_some(())
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    /// Lines as the gateway writes them: with nothing escaped, with what is, and of other records.
    const LINES: [&str; 5] = [
        r#"{"seq":2,"at":"2026-11-21T12:00:00.000001Z","prev":"00","clock_back_us":10,"gateway":"one","event":"statement_start","statement":"80000000-0000-7001-8000-000000000002","session":"01935f2e-0000-7000-8000-000000000001","principal":"dana","client":"10.1.2.3:40404","application":"","target":"hr","database":"hr_prod","sql":"SELECT ä FROM salary","fingerprint":"123456789abcdef0","kind":"select","objects":[{"name":"public.salary","mode":"read"},{"name":"x","mode":"use"}],"decision":"allow","lane":"read","grants":["standing:developers/0"],"hash":"00"}"#,
        r#"{"seq":3,"at":"2026-11-21T12:00:00Z","prev":"00","event":"statement_start","statement":"80000000-0000-7001-8000-000000000002","session":"01935f2e-0000-7000-8000-000000000001","principal":"da\"na\\","sql":"SELECT\n\"a\\b\" ä","fingerprint":null,"kind":null,"objects":[],"decision":"deny","sqlstate":"42501","message":"no","missing":["select on \"x\""],"hash":"00"}"#,
        r#"{"seq":4,"at":"2026-11-21T12:00:00.5Z","prev":"00","event":"statement_end","statement":"80000000-0000-7001-8000-000000000002","session":"01935f2e-0000-7000-8000-000000000001","outcome":"completed","rows":3,"bytes":0,"duration_us":1500,"sqlstate":null,"upstream_pid":4711,"hash":"00"}"#,
        r#"{"seq":5,"at":"2026-11-21T12:00:00.5Z","prev":"00","event":"grant_created","actor":"carol","grant":{"id":"g","target":"hr","objects":[[]]},"hash":"00"}"#,
        r#"{"seq":6,"at":"2026-11-21T12:00:00.5Z","prev":"00","event":"login","principal":"dana","tls":null,"x":-1.5e3,"y":[1],"z":true,"hash":"00"}"#,
    ];

    /// What is read at all is what the parser reads.
    fn is_of_the_parser(line: &[u8]) -> bool {
        let parsed = serde_json::from_slice::<Entry<'_>>(line).ok();
        let quick = read(line);
        if quick.is_some() {
            assert_eq!(quick, parsed, "{}", String::from_utf8_lossy(line));
        }
        quick.is_some()
    }

    #[test]
    fn statements_are_read_and_what_else_there_is_is_left_to_the_parser() {
        assert_eq!(LINES.map(|line| is_of_the_parser(line.as_bytes())), [true, true, true, false, false]);
        assert!(LINES.iter().all(|line| Entry::read(line.as_bytes()).is_ok()));
    }

    #[test]
    fn a_line_that_was_changed_is_read_as_the_parser_reads_it_or_not() {
        let mut read = 0;
        for line in LINES.map(str::as_bytes) {
            for at in 0..line.len() {
                let (head, tail) = line.split_at(at);
                // A byte is gone, another stands there, or one more.
                read += usize::from(is_of_the_parser(&[head, &tail[1..]].concat()));
                for byte in b"\"\\,:{}[]0-9. nua\x00\x1f\x7f\xc3\xff" {
                    read += usize::from(is_of_the_parser(&[head, &[*byte], &tail[1..]].concat()));
                    read += usize::from(is_of_the_parser(&[head, &[*byte], tail].concat()));
                }
                is_of_the_parser(head);
            }
        }
        assert!(read > 10_000, "{read}");
    }

    #[test]
    fn members_that_are_there_twice_are_the_parsers_to_refuse() {
        for (from, to) in [
            ("\"kind\":null", "\"kind\":null,\"kind\":\"select\""),
            ("\"event\":", "\"event\":\"login\",\"event\":"),
            ("\"objects\":[]", "\"objects\":[],\"objects\":[]"),
        ] {
            let line = LINES[1].replace(from, to);
            assert!(!is_of_the_parser(line.as_bytes()) && Entry::read(line.as_bytes()).is_err(), "{line}");
        }
    }
}
