//! What the gateway answered itself: questions about the conditions of the statement before are about that.

use std::sync::Arc;

use super::session::Session;
use crate::{
    model::{
        dialect::Dialect,
        facts::{Facts, StatementKind},
        record::Outcome,
        refusal::Refusal,
    },
    session::running::Does,
    wire::mysql::{
        error::ServerError,
        table::{Column, ColumnKind, Layout, Value, table},
    },
};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// SHOW COUNT(*) WARNINGS and its kin; what the answer's column is called.
    Count(&'static str),
    /// SHOW WARNINGS, SHOW ERRORS; whether its LIMIT leaves the one row.
    List(bool),
}

impl Question {
    /// Reads a statement in its one spelling; `None` if it asks anything else.
    fn read(text: &str) -> Option<Self> {
        let words: String = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
        Some(match words.as_str() {
            "SHOW COUNT(*) WARNINGS" => Self::Count("@@session.warning_count"),
            "SHOW COUNT(*) ERRORS" => Self::Count("@@session.error_count"),
            "SELECT @@WARNING_COUNT" => Self::Count("@@warning_count"),
            "SELECT @@ERROR_COUNT" => Self::Count("@@error_count"),
            "SELECT @@SESSION.WARNING_COUNT" => Self::Count("@@session.warning_count"),
            "SELECT @@SESSION.ERROR_COUNT" => Self::Count("@@session.error_count"),
            "SHOW WARNINGS" | "SHOW ERRORS" => Self::List(true),
            words => {
                let list =
                    words.strip_prefix("SHOW WARNINGS").or_else(|| words.strip_prefix("SHOW ERRORS"))?;
                let limit = list.strip_prefix(" LIMIT ")?;
                let (offset, count) = limit
                    .split_once(',')
                    .or_else(|| limit.split_once(" OFFSET ").map(|(count, offset)| (offset, count)))
                    .unwrap_or(("0", limit));
                let number = |text: &str| text.trim().parse::<u64>().ok();
                Self::List(number(offset)? == 0 && number(count)? > 0)
            }
        })
    }
}

impl Session {
    /// Answers a text that asks for the conditions of the statement before, if the gateway answered that with an error;
    /// false if it is anything else, and the server is asked.
    pub(super) async fn tells_again(&mut self, text: &str, next: u8) -> bool {
        if self.state.told.is_none() {
            return false;
        }
        let Ok(does) = self.analyze(text) else { return false };
        self.tell_again(text, &does, Layout::Text, next).await
    }

    /// The same for a statement that was prepared.
    pub(super) async fn tells_prepared_again(&mut self, number: u32, next: u8) -> bool {
        if self.state.told.is_none() {
            return false;
        }
        let Some(slot) = self.held.slot(number) else { return false };
        let (text, context) = (Arc::clone(&slot.text), Arc::clone(&slot.context));
        let Ok(does) = self.desk.analyze(&text, Dialect::Mysql, &context) else { return false };
        self.tell_again(&text, &does, Layout::Binary, next).await
    }

    async fn tell_again(&mut self, text: &str, does: &Does, layout: Layout, next: u8) -> bool {
        let (Some(told), [facts]) = (self.state.told.clone(), &**does) else { return false };
        let Some(question) = asked(facts, text) else { return false };
        let rows: Vec<Vec<Value<'_>>> = match question {
            Question::Count(_) => vec![vec![Value::Number(1)]],
            Question::List(false) => Vec::new(),
            Question::List(true) => vec![row(&told)],
        };
        if let Err(refusal) = self.record_answered(&text.into(), does, Some(rows.len() as u64)).await {
            self.say_refusal(next, &refusal);
            return true;
        }
        let (mut sequence, status, client) = (next, self.shown_status(), self.capabilities);
        let count;
        let columns: &[Column] = match question {
            Question::Count(name) => {
                count = [Column { name, kind: ColumnKind::Large }];
                &count
            }
            Question::List(_) => &CONDITIONS,
        };
        table(&mut self.client.outbound, &mut sequence, (columns, &rows), layout, status, client);
        true
    }

    /// Decides on a statement that the gateway answers itself, and writes it down as over.
    ///
    /// # Errors
    /// When it may not be asked, or the log cannot be written.
    pub(super) async fn record_answered(
        &mut self,
        text: &Arc<str>,
        does: &Does,
        rows: Option<u64>,
    ) -> Result<(), Refusal> {
        match self.decide(does) {
            Ok(permit) => {
                let (_receipt, answered) = self.desk.record_start(&[(text, does, &permit)], None).await?;
                for running in &answered.statements {
                    self.desk.note_end(running, Outcome::Completed, rows, None, None);
                }
                Ok(())
            }
            Err(refused) => {
                self.desk.record_refusal(text, does, &refused).await?;
                Err(refused.refusal)
            }
        }
    }
}

fn asked(facts: &Facts, text: &str) -> Option<Question> {
    let may_ask = matches!(facts.kind, StatementKind::Show | StatementKind::Select);
    may_ask.then(|| Question::read(facts.sent.as_deref().unwrap_or(text))).flatten()
}

fn row(told: &ServerError) -> Vec<Value<'_>> {
    vec![Value::Text("Error"), Value::Number(told.errno.into()), Value::Text(&told.message)]
}

/// The columns of SHOW WARNINGS.
const CONDITIONS: [Column; 3] = [
    Column { name: "Level", kind: ColumnKind::Text(7) },
    Column { name: "Code", kind: ColumnKind::Number },
    Column { name: "Message", kind: ColumnKind::Text(512) },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_questions_about_all_conditions_are_answered() {
        assert_eq!(Question::read("show  warnings"), Some(Question::List(true)));
        assert_eq!(Question::read("SHOW ERRORS LIMIT 5"), Some(Question::List(true)));
        assert_eq!(Question::read("SHOW WARNINGS LIMIT 0, 64"), Some(Question::List(true)));
        assert_eq!(Question::read("SHOW WARNINGS LIMIT 1, 64"), Some(Question::List(false)));
        assert_eq!(Question::read("SHOW WARNINGS LIMIT 1 OFFSET 1"), Some(Question::List(false)));
        assert_eq!(Question::read("SHOW WARNINGS LIMIT 0"), Some(Question::List(false)));
        let count = Some(Question::Count("@@session.error_count"));
        assert_eq!(Question::read("SHOW COUNT(*) ERRORS"), count);
        for other in ["SHOW WARNINGS LIMIT ?", "SHOW WARNINGSX", "SELECT @@warning_count + 1", "SHOW TABLES"]
        {
            assert_eq!(Question::read(other), None, "{other}");
        }
    }
}
