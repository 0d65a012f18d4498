//! Prepared statements of the protocol: numbers of our own, made again on whichever connection they run.

use std::{sync::Arc, time::Instant};

use bytes::BytesMut;

use super::{
    effects::asks_diagnostics_only,
    flight::Task,
    held::{EXECUTE, no_statement},
    names::reading_of,
    once::sent,
    send::Recorded,
    session::Session,
};
use crate::{
    model::{
        dialect::Dialect,
        facts::Facts,
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    policy::{Claimed, Leave, Permit},
    session::{allowed::Allowed, end::End, judge::Refused, lanes::refusal_of, running::Does},
    upstream::mysql::MysqlMessage,
    wire::{
        WireError,
        mysql::{
            command::{LAST_PREPARED, write},
            execute::{BulkExecute, Execute},
            response::Expect,
        },
    },
};

/// How a prepared statement is run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Execution<'a> {
    /// COM_STMT_BULK_EXECUTE.
    Bulk(BulkExecute<'a>),
    /// COM_STMT_EXECUTE.
    One(Execute<'a>),
}

/// How far an execution has come.
pub(super) enum Step {
    /// What was judged no longer holds.
    Again,
    /// It was answered.
    Answered,
    /// It may run.
    Runs(Ready),
}

/// An execution that may run.
pub(super) struct Ready {
    /// That it may.
    pub(super) allowed: Allowed,
    /// On the connection of which lane.
    pub(super) lane: Lane,
    /// What the statement is called there.
    pub(super) upstream: u32,
    /// The leave that was used up for it.
    pub(super) once: Option<Claimed>,
}

impl Session {
    /// COM_STMT_PREPARE: judged at once, so that a refusal comes where the client expects the columns.
    pub(super) async fn prepare(&mut self, text: &str, next: u8) {
        self.desk.watch_anew(text, Dialect::Mysql);
        while !self.judge_and_prepare(text, next).await {}
    }

    async fn judge_and_prepare(&mut self, text: &str, next: u8) -> bool {
        let (does, verdict) = self.judge_prepare(text);
        match verdict {
            Ok(permit) => self.prepare_with(text, &does, &permit, next).await,
            Err(refused) => match self.approved_once(text, &does) {
                Some(once) => self.prepare_with(text, &does, &once, next).await,
                None => {
                    self.refuse_judged(text, &does, refused, next).await;
                    true
                }
            },
        }
    }

    async fn prepare_with(&mut self, text: &str, does: &Does, leave: &impl Leave, next: u8) -> bool {
        if let Some(refusal) = self.state.lost.take() {
            self.say_refusal(next, &refusal);
            return true;
        }
        // Nothing of it runs yet: no transaction opens. A server that is held read-only prepares no change, though.
        let changes = does.iter().any(|facts| !facts.read_only);
        let lane = match self.choose_lane(leave.lane(), false) {
            Ok(lane) => self.take_lane(lane, changes.then_some(false)).await.map(|()| lane),
            Err(refusal) => Err(refusal),
        };
        let sent = match lane {
            Err(refusal) => Err(refusal),
            Ok(_) if !self.desk.still_holds(leave) => return false,
            Ok(lane) => self.send_prepare(lane, does, &text.into(), leave).map(|sent| (lane, sent)),
        };
        match sent {
            Ok((lane, sent)) => {
                if !does.iter().all(|facts| asks_diagnostics_only(facts)) {
                    self.state.told = None;
                }
                let context = Arc::clone(self.names.context());
                let number = self.held.prepare(&text.into(), &context, does);
                self.take_off(lane, Expect::Prepare, sent, next, Task::Prepare(number));
            }
            Err(refusal) => self.say_refusal(next, &refusal),
        }
        true
    }

    fn judge_prepare(&mut self, text: &str) -> (Does, Result<Permit, Refused>) {
        let nothing = || -> Does { Arc::from([]) };
        if let Err(refusal) = self.held.room_for(text.len()) {
            return (nothing(), Err(refusal.into()));
        }
        match self.analyze(text) {
            Err(refused) => (nothing(), Err(refused)),
            Ok(does) if does.len() != 1 => {
                let message = "one statement at a time can be prepared";
                (does, Err(Refusal::new(RefusalCode::SyntaxError, message).into()))
            }
            Ok(does) => {
                let verdict = self.judge(text, &does);
                (does, verdict)
            }
        }
    }

    fn send_prepare(
        &mut self,
        lane: Lane,
        does: &Does,
        text: &Arc<str>,
        leave: &impl Leave,
    ) -> Result<u8, Refusal> {
        let Some(facts) = does.first() else { return Err(no_statement(0, EXECUTE)) };
        let written = self.written_for(lane, facts, text)?;
        let mut command = BytesMut::new();
        let mut text = Vec::new();
        self.sign(&mut text);
        text.extend_from_slice(&self.bytes_of(&written)?);
        write::prepare(&mut command, &text);
        let Some(lease) = self.lanes.active_lease_mut() else { return Err(no_statement(0, EXECUTE)) };
        lease.send_prepare(&command, leave).map_err(|error| refusal_of(&error))
    }

    /// The number that a client means.
    pub(super) fn number(&self, number: u32) -> u32 {
        if number == LAST_PREPARED { self.held.last().unwrap_or(number) } else { number }
    }

    /// COM_STMT_EXECUTE and COM_STMT_BULK_EXECUTE: decided now, written down, and only then sent.
    ///
    /// # Errors
    /// When the command is not laid out as the statement wants it.
    pub(super) async fn execute(&mut self, execution: Execution<'_>, next: u8) -> Result<(), End> {
        let received = Instant::now();
        let asked = match execution {
            Execution::One(execute) => execute.statement,
            Execution::Bulk(bulk) => bulk.statement,
        };
        let number = self.number(asked);
        self.desk.watch_anew(self.held.slot(number).map_or("", |slot| &slot.text), Dialect::Mysql);
        let problem = match self.held.slot(number) {
            None => Some(no_statement(asked, EXECUTE)),
            Some(slot) if slot.overflowed => Some(too_long()),
            Some(slot) => {
                // Its text was written when the session may have read otherwise.
                self.desk.reading = reading_of(&slot.context);
                None
            }
        };
        if let Some(refusal) = problem.or_else(|| self.state.lost.take()) {
            self.held.take_long_data(number);
            self.say_refusal(next, &refusal);
            return Ok(());
        }
        if self.tells_prepared_again(number, next).await {
            return Ok(());
        }
        // Again if grants changed while a connection was waited for.
        let ready = loop {
            match self.make_ready(number, execution, next).await {
                Step::Again => {}
                Step::Answered => return Ok(()),
                Step::Runs(ready) => break ready,
            }
        };
        let Ready { allowed, lane, upstream, once } = ready;
        let recorded = match self.record(vec![allowed], once).await {
            Ok(Some(recorded)) => recorded,
            Ok(None) => return Ok(()),
            Err(refusal) => {
                self.say_refusal(next, &refusal);
                return Ok(());
            }
        };
        if let Some(slot) = self.held.slot(number) {
            slot.once = once;
        }
        self.send_execution(number, upstream, lane, execution, recorded, next)?;
        self.note_gate_time(received);
        Ok(())
    }

    /// Decides an execution and makes ready what it needs, or answers it.
    async fn make_ready(&mut self, number: u32, execution: Execution<'_>, next: u8) -> Step {
        let (text, does) = match self.prepared(number) {
            Ok(prepared) => prepared,
            Err(refusal) => {
                self.say_refusal(next, &refusal);
                return Step::Answered;
            }
        };
        let refused = match self.judge(&text, &does) {
            Ok(permit) => {
                self.note_plans(&does);
                let allowed = Allowed { text: sent(&does, text), does, permit };
                return self.ready_allowed(number, allowed, next).await;
            }
            Err(refused) => refused,
        };
        // Several sets of values are several runs.
        let is_one = matches!(execution, Execution::One(_));
        match self.approved_once(&text, &does).filter(|_| is_one) {
            Some(once) => self.ready_once(number, (text, does), once, refused, next).await,
            None => {
                self.held.take_long_data(number);
                self.refuse_judged(&text, &does, refused, next).await;
                Step::Answered
            }
        }
    }

    async fn ready_allowed(&mut self, number: u32, allowed: Allowed, next: u8) -> Step {
        let does = Arc::clone(&allowed.does);
        match self.enter_prepared(number, &allowed.permit, &does).await {
            Err(refusal) => {
                self.refuse_allowed(next, vec![allowed], refusal).await;
                Step::Answered
            }
            Ok(_) if !self.desk.still_holds(&allowed.permit) => Step::Again,
            Ok((lane, upstream)) => Step::Runs(Ready { allowed, lane, upstream, once: None }),
        }
    }

    /// The text of a prepared statement, and what it does now.
    pub(super) fn prepared(&mut self, number: u32) -> Result<(Arc<str>, Does), Refusal> {
        let text = self.held.slot(number).map(|slot| Arc::clone(&slot.text)).unwrap_or_default();
        Ok((text, self.prepared_does(number)?))
    }

    /// Makes ready the lane that a prepared statement runs on, and the statement on it; gives the lane and the
    /// upstream's number.
    pub(super) async fn enter_prepared(
        &mut self,
        number: u32,
        leave: &impl Leave,
        does: &Does,
    ) -> Result<(Lane, u32), Refusal> {
        let facts: Vec<&Facts> = does.iter().map(|facts| &**facts).collect();
        let lane = self.enter_lane(leave.lane(), &facts).await?;
        self.close_cursor_elsewhere(number, lane);
        let slot = self.held.slot(number).ok_or_else(|| no_statement(number, EXECUTE))?;
        if let Some(upstream) = slot.on(lane) {
            return Ok((lane, upstream));
        }
        let (text, context) = (Arc::clone(&slot.text), Arc::clone(&slot.context));
        let now = self.names.context();
        if now.mysql != context.mysql {
            return Err(prepare_again());
        }
        let database = now.database.clone();
        self.visit_database(&context.database).await?;
        let sent = self.send_prepare(lane, does, &text, leave)?;
        let prepared = self.await_own(Expect::Prepare, sent).await;
        self.visit_database(&database).await?;
        let upstream = prepared?.ok_or_else(prepare_again)?.statement;
        if let Some(slot) = self.held.slot(number) {
            slot.put_on(lane, Some(upstream));
        }
        Ok((lane, upstream))
    }

    fn send_execution(
        &mut self,
        number: u32,
        upstream: u32,
        lane: Lane,
        execution: Execution<'_>,
        recorded: Recorded,
        next: u8,
    ) -> Result<(), End> {
        let pieces = self.held.take_long_data(number);
        let client = self.capabilities;
        let (Some(slot), Some(lease)) = (self.held.slot(number), self.lanes.active_lease_mut()) else {
            return Ok(());
        };
        for (parameter, data) in pieces {
            let mut piece = BytesMut::with_capacity(data.len() + 16);
            write::long_data(&mut piece, upstream, parameter, &data);
            let sent = lease.send_protocol(MysqlMessage::LongData(&piece));
            debug_assert!(sent.is_ok(), "{sent:?}");
        }
        let mut command = BytesMut::new();
        let types = match execution {
            Execution::One(execute) => {
                let parameters = execute.parameters(slot.parameters, client).map_err(broken)?;
                let missing = slot.missing_types(lane).map(|types| &**types);
                execute.write(&mut command, upstream, &parameters, missing);
                parameters.types
            }
            Execution::Bulk(bulk) => {
                let types = bulk.types(slot.parameters).map_err(broken)?;
                bulk.write(&mut command, upstream, slot.missing_types(lane).map(|types| &**types));
                types
            }
        };
        slot.told_types(lane, types);
        let sent = lease.send_statement(&command, &recorded.permit, &recorded.receipt);
        debug_assert!(sent.is_ok(), "{sent:?}");
        let task = Task::Run { run: recorded.run, prepared: Some(number) };
        self.take_off(lane, Expect::Execute, sent.unwrap_or(1), next, task);
        Ok(())
    }

    /// COM_STMT_CLOSE; has no reply.
    pub(super) fn close_statement(&mut self, asked: u32) {
        let number = self.number(asked);
        let Some(slot) = self.held.close(number) else { return };
        for lane in Lane::ALL {
            if let Some(upstream) = slot.on(lane) {
                self.lanes.note_stale(lane, upstream);
            }
        }
    }

    /// COM_STMT_SEND_LONG_DATA; has no reply.
    pub(super) fn long_data(&mut self, asked: u32, parameter: u16, data: &[u8]) {
        let number = self.number(asked);
        self.held.keep_long_data(number, parameter, data);
    }
}

fn broken(error: WireError) -> End {
    error.into()
}

fn too_long() -> Refusal {
    Refusal::new(
        RefusalCode::ProgramLimitExceeded,
        "the parameters sent in pieces are over the gateway's limit",
    )
    .with_hint("Send less at a time.")
}

fn prepare_again() -> Refusal {
    Refusal::new(RefusalCode::InvalidStatementName, "the statement must be prepared again")
        .with_detail("What the session is set to has changed how it would be read.")
}
