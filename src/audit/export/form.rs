//! In which form records are given.

/// In which form records are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// A table, RFC 4180, with a head.
    Csv,
    /// The lines of the log as they are; behind each start of a statement its end.
    Jsonl,
    /// OCSF events of the class Datastore Activity, one a line; statements and logins alone.
    Ocsf,
    /// A table of typed columns, Apache Parquet.
    Parquet,
}

impl Export {
    /// The media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Jsonl | Self::Ocsf => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// Its word in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Ocsf => "ocsf",
            Self::Parquet => "parquet",
        }
    }

    /// How names of its files end.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Ocsf => "ocsf.jsonl",
            Self::Parquet => "parquet",
        }
    }
}
