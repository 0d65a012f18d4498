//! Where a statement or a request stands in a trace that somebody else began.
//!
//! Source: W3C Trace Context, "traceparent Header"; sqlcommenter, "SQL commenter specification".

use std::fmt;

use serde::{Serialize, Serializer};

/// A trace, sixteen bytes; not all zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceId([u8; 16]);

/// A span of a trace, eight bytes; not all zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SpanId([u8; 8]);

/// The span that something was caused by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// Its trace.
    pub trace: TraceId,
    /// The span itself.
    pub span: SpanId,
    /// Whether whoever began the trace keeps it.
    pub sampled: bool,
}

impl TraceId {
    /// Of sixteen bytes; `None` if all are zero.
    pub fn new(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then_some(Self(bytes))
    }

    /// Its last eight bytes as a number, by which ratios are sampled: they are random in every trace.
    pub fn tail(self) -> u64 {
        let [.., a, b, c, d, e, f, g, h] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

impl SpanId {
    /// Of eight bytes; `None` if all are zero.
    pub fn new(bytes: [u8; 8]) -> Option<Self> {
        (bytes != [0; 8]).then_some(Self(bytes))
    }

    /// The one that is so many after it.
    #[must_use]
    pub fn next(self, number: u64) -> Self {
        let next = u64::from_be_bytes(self.0).wrapping_add(number);
        // 0 is none.
        Self(if next == 0 { 1 } else { next }.to_be_bytes())
    }
}

/// Lower case hexadecimal digits, as everything that speaks of traces writes them.
impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for SpanId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl TraceParent {
    /// Reads the value of a `traceparent`; `None` for what is none. Of a version to come, what version 00 has is read.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let [version] = bytes::<1>(parts.next()?)?;
        let trace = TraceId::new(bytes(parts.next()?)?)?;
        let span = SpanId::new(bytes(parts.next()?)?)?;
        let [flags] = bytes::<1>(parts.next()?)?;
        let ends = version != 0 || parts.next().is_none();
        (version != 0xff && ends).then_some(Self { trace, span, sampled: flags & 1 == 1 })
    }

    /// The one in the comment that a text begins or ends with, as in `select 1 /*traceparent='00-…-…-01'*/`.
    pub fn of_sql(text: &str) -> Option<Self> {
        let leading = || {
            let inside = text.trim_ascii_start().strip_prefix("/*")?;
            inside.split_once("*/").map(|(comment, _)| comment)
        };
        let trailing = || {
            let rest = text.trim_end_matches(|letter: char| letter.is_ascii_whitespace() || letter == ';');
            rest.strip_suffix("*/")?.rsplit_once("/*").map(|(_, comment)| comment)
        };
        trailing().and_then(of_comment).or_else(|| leading().and_then(of_comment))
    }
}

fn of_comment(comment: &str) -> Option<TraceParent> {
    let mut pairs = comment.split(',').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| key.trim_ascii() == "traceparent")?;
    TraceParent::parse(value.trim_ascii().strip_prefix('\'')?.strip_suffix('\'')?)
}

/// Exactly so many bytes of lower case hexadecimal digits.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 2 * N || !text.bytes().all(is_digit) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "5bd66ef5095369c7b0d1f8f4bd33716a";
    const SPAN: &str = "c532cb4098ac3dd2";

    fn written(version: &str, flags: &str) -> String {
        format!("{version}-{TRACE}-{SPAN}-{flags}")
    }

    #[test]
    fn a_traceparent_is_read_and_its_flag_says_whether_it_is_kept() {
        let parent = TraceParent::parse(&written("00", "01")).unwrap();
        assert_eq!((parent.trace.to_string().as_str(), parent.span.to_string().as_str()), (TRACE, SPAN));
        assert!(parent.sampled && !TraceParent::parse(&written("00", "00")).unwrap().sampled);
        assert!(TraceParent::parse(&format!("{}-more", written("42", "03"))).unwrap().sampled);
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        let zero = format!("00-{}-{SPAN}-01", "0".repeat(32));
        let upper = written("00", "01").to_uppercase();
        for text in
            ["", "00", &written("ff", "01"), &format!("{}-x", written("00", "01")), &zero, &upper, "00-é-é-é"]
        {
            assert_eq!(TraceParent::parse(text), None, "{text}");
        }
    }

    #[test]
    fn it_is_found_in_the_comment_in_front_of_or_behind_a_statement_and_nowhere_else() {
        let parent = written("00", "01");
        for text in [
            format!("select 1 /*traceparent='{parent}'*/"),
            format!("select 1 /*application='shop',traceparent='{parent}',tracestate='a%3D1'*/ ; \n"),
            format!(" \n/* traceparent='{parent}' */ select 1 /* other */"),
        ] {
            assert_eq!(TraceParent::of_sql(&text), TraceParent::parse(&parent), "{text}");
        }
        for text in [
            format!("select '/*traceparent=''{parent}''*/'"),
            format!("select 1 /*traceparent='{parent}'*/ + 2"),
            format!("select 1 /*other='traceparent={parent}'*/"),
            format!("select 1 -- traceparent='{parent}'"),
            "/*".to_owned(),
            "*/".to_owned(),
            "/*/".to_owned(),
        ] {
            assert_eq!(TraceParent::of_sql(&text), None, "{text}");
        }
    }
}
