//! The columns: what they are called, what they hold, where it comes from.

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) from: Source,
}

/// What a cell holds, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Flag,
    /// An instant, UTC, to the microsecond.
    Instant,
    Number,
    /// A list of mode and name.
    Objects,
    Text,
    /// A list of texts.
    Texts,
}

/// Where a cell comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A field of the record.
    Own(&'static str),
    /// A field of the statement's end.
    End(&'static str),
    /// A field of the record, or else of the statement's end.
    Either(&'static str),
    /// Whether the lines have their hashes.
    Intact,
    /// All that no other column has, as JSON.
    More,
}

impl Column {
    /// Its description in the schema.
    pub(super) fn schema(&self) -> String {
        let name = self.name;
        match self.kind {
            Kind::Flag => format!("optional boolean {name};"),
            Kind::Instant => format!("optional int64 {name} (TIMESTAMP(MICROS,true));"),
            Kind::Number => format!("optional int64 {name};"),
            Kind::Objects => format!(
                "optional group {name} (LIST) {{ repeated group list {{ required group element {{ \
                 required binary name (STRING); required binary mode (STRING); }} }} }}"
            ),
            Kind::Text => format!("optional binary {name} (STRING);"),
            Kind::Texts => format!(
                "optional group {name} (LIST) {{ repeated group list {{ required binary element (STRING); }} }}"
            ),
        }
    }
}

const fn own(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, from: Source::Own(name) }
}

const fn end(name: &'static str, kind: Kind, field: &'static str) -> Column {
    Column { name, kind, from: Source::End(field) }
}

/// All columns in order.
pub(super) const COLUMNS: [Column; 36] = [
    own("seq", Kind::Number),
    // Not `at`: that is a word of SQL's own where tables travel in time.
    Column { name: "recorded_at", kind: Kind::Instant, from: Source::Own("at") },
    own("event", Kind::Text),
    own("gateway", Kind::Text),
    own("principal", Kind::Text),
    own("actor", Kind::Text),
    own("client", Kind::Text),
    own("application", Kind::Text),
    own("target", Kind::Text),
    own("database", Kind::Text),
    own("decision", Kind::Text),
    own("kind", Kind::Text),
    own("objects", Kind::Objects),
    own("sql", Kind::Text),
    own("fingerprint", Kind::Text),
    own("lane", Kind::Text),
    own("grants", Kind::Texts),
    own("missing", Kind::Texts),
    own("message", Kind::Text),
    own("reason", Kind::Text),
    own("method", Kind::Text),
    own("request", Kind::Text),
    own("session", Kind::Text),
    own("statement", Kind::Text),
    end("outcome", Kind::Text, "outcome"),
    end("rows", Kind::Number, "rows"),
    end("bytes", Kind::Number, "bytes"),
    end("duration_us", Kind::Number, "duration_us"),
    Column { name: "sqlstate", kind: Kind::Text, from: Source::Either("sqlstate") },
    end("upstream_pid", Kind::Number, "upstream_pid"),
    end("ended_at", Kind::Instant, "at"),
    end("end_seq", Kind::Number, "seq"),
    own("hash", Kind::Text),
    end("end_hash", Kind::Text, "hash"),
    Column { name: "intact", kind: Kind::Flag, from: Source::Intact },
    Column { name: "more", kind: Kind::Text, from: Source::More },
];

/// Fields that are in no column: what chains a line to the one before is of use with the exact lines alone.
pub(super) const LEFT_OUT: &str = "prev";
/// Fields of a statement's end that say again what its start says.
pub(super) const SAID_AGAIN: [&str; 3] = ["gateway", "session", "statement"];
