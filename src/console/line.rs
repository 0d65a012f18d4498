//! What a page is told of a running statement: lines of JSON, one after the other.

use serde::Serialize;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// A result begins.
    Columns(Vec<Column>),
    /// A statement is over.
    Complete(Complete),
    /// Everything is over; always the last line.
    End(End),
    /// A statement failed.
    Error(Report),
    /// The database has something to say.
    Notice(Report),
    /// Rows of the result.
    Rows(Vec<Row>),
}

/// A row, as text; `None` is NULL.
pub(super) type Row = Vec<Option<String>>;

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Column {
    pub(super) name: String,
    /// The database's word for what is in it; empty where it is none of the usual.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

/// How a statement ended well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Complete {
    /// What it was, in the database's words.
    pub(super) command: String,
    /// Rows that it gave or changed.
    pub(super) rows: Option<u64>,
    /// Rows that were sent to the page; the others were left out.
    pub(super) shown: u64,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct End {
    pub(super) transaction: Transaction,
    /// How long it took.
    pub(super) ms: u64,
    /// The connection is gone, and with it what was open in it.
    pub(super) closed: bool,
}

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Transaction {
    Failed,
    Idle,
    Open,
}

/// An error or a notice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    pub(super) severity: String,
    /// SQLSTATE.
    pub(super) code: String,
    /// MySQL's own number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) number: Option<u16>,
    pub(super) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<String>,
    /// Character of the statement, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) position: Option<u32>,
    /// The refusal that can be asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) denial: Option<String>,
}

impl Report {
    /// One of the gateway's own.
    pub(super) fn of(code: &str, message: impl Into<String>) -> Self {
        Self {
            severity: "ERROR".to_owned(),
            code: code.to_owned(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// Notes which refusal `text` names, as hints do.
    pub(super) fn with_denial_of(mut self, text: &str) -> Self {
        let digits = text.split("--denial ").nth(1).and_then(|rest| rest.get(..8));
        let is_name = |digits: &&str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.denial = digits.filter(is_name).map(str::to_owned);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_known_by_its_hint() {
        let denial = |hint: &str| Report::of("42501", "no").with_denial_of(hint).denial;
        let hint = "Ask for it: tidegate request create --denial 0a1b2c3d";
        assert_eq!(denial(hint).as_deref(), Some("0a1b2c3d"));
        assert_eq!(denial("--denial 0a1b2c3"), None);
        assert_eq!(denial("--denial 0a1b2c3x"), None);
        assert_eq!(denial("ask somebody"), None);
    }

    #[test]
    fn a_line_is_named_by_what_it_is() {
        let rows = Line::Rows(vec![vec![Some("1".to_owned()), None]]);
        assert_eq!(serde_json::to_string(&rows).unwrap(), r#"{"rows":[["1",null]]}"#);
        let end = Line::End(End { transaction: Transaction::Idle, ms: 3, closed: false });
        assert_eq!(
            serde_json::to_string(&end).unwrap(),
            r#"{"end":{"transaction":"idle","ms":3,"closed":false}}"#
        );
    }
}
