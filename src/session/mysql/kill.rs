//! KILL of a session of one's own: the number is the gateway's, and so is the answer.

use super::session::Session;
use crate::{
    model::{
        facts::{Access, AccessMode, Facts},
        object::Object,
    },
    session::{judge::Judged, running::Does},
    wire::mysql::error::ErrorCode,
};

/// What KILL asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kill {
    /// The number, as the client was told it.
    pub(super) process: i32,
    /// The whole session, and not only what it runs.
    pub(super) connection: bool,
}

impl Kill {
    /// Reads KILL in its one spelling; `None` if it kills something else, or by something else than a number.
    fn read(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        if !words.next()?.eq_ignore_ascii_case("KILL") {
            return None;
        }
        let mut word = words.next()?;
        let mut connection = true;
        if word.eq_ignore_ascii_case("QUERY") || word.eq_ignore_ascii_case("CONNECTION") {
            connection = word.eq_ignore_ascii_case("CONNECTION");
            word = words.next()?;
        }
        let process = word.parse().ok()?;
        words.next().is_none().then_some(Self { process, connection })
    }
}

impl Session {
    /// Answers KILL of a session of the same principal; false if the text is anything else, or there is no such
    /// session: then it is judged like any other statement.
    pub(super) async fn kills(&mut self, judged: &[Judged], next: u8) -> bool {
        let [Judged { text, does, .. }] = judged else { return false };
        let Some(facts) = does.first().filter(|facts| facts.command == "KILL") else { return false };
        let Some(kill) = Kill::read(facts.sent.as_ref().unwrap_or(text)) else { return false };
        self.kill_own(kill, text, facts, next).await
    }

    /// COM_PROCESS_KILL.
    pub(super) async fn kill_process(&mut self, process: u32, next: u8) -> bool {
        let kill = Kill { process: i32::try_from(process).unwrap_or_default(), connection: true };
        let text = format!("KILL CONNECTION {process}");
        match self.analyze(&text).ok().and_then(|analysis| analysis.first().cloned()) {
            Some(facts) => self.kill_own(kill, &text.as_str().into(), &facts, next).await,
            None => false,
        }
    }

    async fn kill_own(&mut self, kill: Kill, text: &std::sync::Arc<str>, facts: &Facts, next: u8) -> bool {
        let principal = self.desk.who.principal.name.clone();
        if !self.desk.gate.is_of(kill.process, &principal).await {
            return false;
        }
        // One's own affair: any live grant is enough.
        let own = Access { object: Object::Database, mode: AccessMode::Use };
        let does: Does =
            [std::sync::Arc::new(Facts { accesses: vec![own], read_only: true, ..facts.clone() })].into();
        let answer = self.record_answered(text, &does, None).await;
        match answer {
            Ok(()) if self.desk.gate.kill(kill.process, &principal, kill.connection).await => {
                self.say_ok(next);
            }
            Ok(()) => {
                let message = format!("Unknown thread id: {}", kill.process);
                self.say(next, ErrorCode::NO_SUCH_THREAD, &message);
            }
            Err(refusal) => self.say_refusal(next, &refusal),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_is_read_only_where_it_names_one_session_by_number() {
        let kill = |process, connection| Some(Kill { process, connection });
        assert_eq!(Kill::read("KILL 7"), kill(7, true));
        assert_eq!(Kill::read("kill connection 7"), kill(7, true));
        assert_eq!(Kill::read("KILL QUERY 7"), kill(7, false));
        for other in
            ["KILL", "KILL QUERY", "KILL QUERY 7 8", "KILL USER 7", "KILL @a", "KILL QUERY ID 7", "SKILL 7"]
        {
            assert_eq!(Kill::read(other), None, "{other}");
        }
    }
}
