//! COM_QUERY and the commands that stand for a statement: judged all or nothing, sent as one text.

use std::{sync::Arc, time::Instant};

use bytes::BytesMut;

use super::{flight::Task, send::is_empty, session::Session};
use crate::{
    model::{
        dialect::Dialect,
        facts::{Facts, TransactionEffect},
        refusal::Refusal,
        target::Lane,
    },
    policy::Claimed,
    session::{
        allowed::Allowed,
        judge::{Judged, Refused, nothing_known},
        lanes::refusal_of,
    },
    upstream::mysql::MysqlMessage,
    wire::mysql::{
        capability::Capabilities, command::write, error::ErrorCode, execute::Attributes, response::Expect,
    },
};

/// What stands for a statement's text on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form<'a> {
    /// COM_QUERY.
    Query(Attributes<'a>),
    /// COM_FIELD_LIST.
    FieldList {
        /// The table.
        table: &'a [u8],
        /// A pattern of LIKE.
        wildcard: &'a [u8],
    },
}

impl Session {
    /// Runs a text; `next` is the number that the answer begins with.
    pub(super) async fn run_text(&mut self, text: &str, form: Form<'_>, next: u8) {
        let received = Instant::now();
        self.desk.watch_anew(text, Dialect::Mysql);
        if self.tells_again(text, next).await {
            return;
        }
        // Again if grants changed while a connection was waited for.
        while !self.judge_and_run(text, form, next, received).await {}
    }

    /// Judges a text and sends it or answers it; false if what was judged no longer holds.
    async fn judge_and_run(&mut self, text: &str, form: Form<'_>, next: u8, received: Instant) -> bool {
        let mut judged = match self.judge_batch(text) {
            Ok(judged) => judged,
            Err(refused) => {
                let recorded = self.desk.record_refusal(text, &[], &refused).await;
                self.say_refusal(next, &recorded.err().unwrap_or(refused.refusal));
                return true;
            }
        };
        judged.retain(|judged| !is_empty(judged));
        if judged.is_empty() {
            self.answer_nothing(text, next);
            return true;
        }
        if self.tells_of_loss(&judged, next) || self.kills(&judged, next).await {
            return true;
        }
        if let [Judged { text, does, verdict: Err(_) }] = judged.as_slice()
            && let Some(once) = self.approved_once(text, does)
        {
            return self.run_once(judged, once, form, next, received).await;
        }
        for judged in &mut judged {
            if let (Ok(_), Err(full)) =
                (&judged.verdict, super::judge::room_for_names(&self.held, &judged.does))
            {
                judged.verdict = Err(full.into());
            }
        }
        if judged.iter().any(|judged| judged.verdict.is_err()) {
            let recorded = self.desk.record_refusals(&judged).await;
            let first = judged.into_iter().find_map(|judged| judged.verdict.err());
            let refused = recorded.err().map(Refused::from).or(first);
            self.say_refused(next, &refused.unwrap_or_else(|| nothing_known().into()));
            return true;
        }
        let allowed: Vec<Allowed> = judged.into_iter().filter_map(Judged::allowed).collect();
        let needed = allowed.iter().map(|it| it.permit.lane()).max().unwrap_or(Lane::Read);
        let facts: Vec<Arc<Facts>> = allowed.iter().flat_map(|it| it.does.iter().cloned()).collect();
        let facts: Vec<&Facts> = facts.iter().map(|facts| &**facts).collect();
        match self.enter_lane(needed, &facts).await {
            Err(refusal) => self.refuse_allowed(next, allowed, refusal).await,
            Ok(_) if !self.desk.all_hold(&allowed) => return false,
            Ok(lane) => self.send_text(lane, allowed, form, next, None, received).await,
        }
        true
    }

    /// Answers a text without a statement, as the server does: a comment is done, and nothing at all is an error.
    fn answer_nothing(&mut self, text: &str, next: u8) {
        if text.trim_matches(|letter: char| letter.is_ascii_whitespace() || letter == ';').is_empty() {
            self.say(next, ErrorCode::new(1065, "42000"), "Query was empty");
        } else {
            self.say_ok(next);
        }
    }

    /// Sends a text that may run; `once` is the leave that was used up for its one statement.
    pub(super) async fn send_text(
        &mut self,
        lane: Lane,
        mut allowed: Vec<Allowed>,
        form: Form<'_>,
        next: u8,
        once: Option<Claimed>,
        received: Instant,
    ) {
        match self.write_text(lane, &mut allowed) {
            Ok(text) => {
                if allowed.len() > 1
                    && let Err(refusal) = self.take_several().await
                {
                    return self.refuse_allowed(next, allowed, refusal).await;
                }
                let recorded = match self.record(allowed, once).await {
                    Ok(Some(recorded)) => recorded,
                    Ok(None) => return self.say_refusal(next, &nothing_known()),
                    Err(refusal) => return self.say_refusal(next, &refusal),
                };
                let Some(lease) = self.lanes.active_lease_mut() else { return };
                let mut command = BytesMut::with_capacity(text.len() + 8);
                let expect = match form {
                    Form::Query(attributes) => {
                        write::query(&mut command, &text, attributes, lease.capabilities());
                        Expect::Query
                    }
                    Form::FieldList { table, wildcard } => {
                        write::field_list(&mut command, table, wildcard);
                        Expect::FieldList
                    }
                };
                // Cannot fail: the lane is the strongest that is needed, and this is one command.
                let sent = lease.send_statement(&command, &recorded.permit, &recorded.receipt);
                debug_assert!(sent.is_ok(), "{sent:?}");
                self.note_gate_time(received);
                let task = Task::Run { run: recorded.run, prepared: None };
                self.take_off(lane, expect, sent.unwrap_or(1), next, task);
            }
            Err(refusal) => self.refuse_allowed(next, allowed, refusal).await,
        }
    }

    /// The text as it goes out; each statement takes its part of it for its record.
    fn write_text(&self, lane: Lane, allowed: &mut [Allowed]) -> Result<Vec<u8>, Refusal> {
        let mut text = Vec::new();
        for it in allowed.iter_mut() {
            if let Some(facts) = it.does.first() {
                it.text = self.written_for(lane, facts, &it.text)?;
            }
            if !text.is_empty() {
                text.push(b';');
            }
            self.sign(&mut text);
            text.extend_from_slice(&self.bytes_of(&it.text)?);
        }
        Ok(text)
    }

    /// Has the connection in use take several statements in one command.
    async fn take_several(&mut self) -> Result<(), Refusal> {
        let Some(lease) = self.lanes.active_lease_mut() else { return Ok(()) };
        if lease.capabilities().has(Capabilities::MULTI_STATEMENTS) {
            return Ok(());
        }
        let sent = lease.send_protocol(MysqlMessage::SetMultiStatements(true));
        let next = sent.map_err(|error| refusal_of(&error))?;
        self.await_own(Expect::Simple, next).await.map(drop)
    }

    /// Tells the client, with its next statement, that its transaction was rolled back; true if that is the answer.
    fn tells_of_loss(&mut self, judged: &[Judged], next: u8) -> bool {
        let Some(refusal) = self.state.lost.take() else { return false };
        let rolls_back = judged
            .iter()
            .flat_map(|judged| judged.does.iter())
            .any(|facts| matches!(facts.transaction, TransactionEffect::Rollback { chain: false }));
        if !rolls_back {
            self.say_refusal(next, &refusal);
        }
        !rolls_back
    }
}
