//! Prepared statements of the protocol: numbers of our own, made again on whichever connection they run.

use std::{sync::Arc, time::Instant};

use bytes::BytesMut;

use super::{
    effects::asks_diagnostics_only,
    flight::Task,
    held::{EXECUTE, no_statement},
    send::Recorded,
    session::Session,
};
use crate::{
    model::{
        facts::Facts,
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    policy::Permit,
    session::{allowed::Allowed, end::End, judge::Refused, lanes::refusal_of, running::Does},
    upstream::mysql::MysqlMessage,
    wire::{
        WireError,
        mysql::{
            command::{LAST_PREPARED, write},
            error::ErrorCode,
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

impl Session {
    /// COM_STMT_PREPARE: judged at once, so that a refusal comes where the client expects the columns.
    pub(super) async fn prepare(&mut self, text: &str, next: u8) {
        while !self.judge_and_prepare(text, next).await {}
    }

    async fn judge_and_prepare(&mut self, text: &str, next: u8) -> bool {
        let (does, permit) = match self.judge_prepare(text) {
            (does, Ok(permit)) => (does, permit),
            (does, Err(refused)) => {
                let recorded = self.desk.record_refusal(text, &does, &refused).await;
                self.say_refused(next, &recorded.err().map_or(refused, Refused::from));
                return true;
            }
        };
        if let Some(refusal) = self.state.lost.take() {
            self.say_refusal(next, &refusal);
            return true;
        }
        // Nothing of it runs yet: no transaction opens.
        let lane = match self.choose_lane(permit.lane(), false) {
            Ok(lane) => self.take_lane(lane, None).await.map(|()| lane),
            Err(refusal) => Err(refusal),
        };
        let sent = match lane {
            Err(refusal) => Err(refusal),
            Ok(_) if !self.desk.still_holds(&permit) => return false,
            Ok(lane) => self.send_prepare(lane, &does, &text.into(), &permit).map(|sent| (lane, sent)),
        };
        match sent {
            Ok((lane, sent)) => {
                if !does.iter().all(|facts| asks_diagnostics_only(facts)) {
                    self.state.told = None;
                }
                let context = Arc::clone(self.names.context());
                let number = self.held.prepare(&text.into(), &context, &does);
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
        permit: &Permit,
    ) -> Result<u8, Refusal> {
        let Some(facts) = does.first() else { return Err(no_statement(0, EXECUTE)) };
        let written = self.written_for(lane, facts, text)?;
        let mut command = BytesMut::new();
        write::prepare(&mut command, &self.bytes_of(&written)?);
        let Some(lease) = self.lanes.active_lease_mut() else { return Err(no_statement(0, EXECUTE)) };
        lease.send_prepare(&command, permit).map_err(|error| refusal_of(&error))
    }

    /// The number that a client means.
    fn number(&self, number: u32) -> u32 {
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
        let problem = match self.held.slot(number) {
            None => Some(no_statement(asked, EXECUTE)),
            Some(slot) if slot.overflowed => Some(too_long()),
            Some(_) => None,
        };
        if let Some(refusal) = problem.or_else(|| self.state.lost.take()) {
            self.held.take_long_data(number);
            self.say_refusal(next, &refusal);
            return Ok(());
        }
        if self.tells_prepared_again(number, next).await {
            return Ok(());
        }
        loop {
            let Some((allowed, does)) = self.judge_execution(number, next).await else { return Ok(()) };
            match self.enter_prepared(number, &allowed, &does).await {
                Err(refusal) => {
                    self.refuse_allowed(next, vec![allowed], refusal).await;
                    return Ok(());
                }
                Ok(_) if !self.desk.still_holds(&allowed.permit) => {}
                Ok((lane, upstream)) => {
                    let recorded = match self.record(vec![allowed], None).await {
                        Ok(Some(recorded)) => recorded,
                        Ok(None) => return Ok(()),
                        Err(refusal) => {
                            self.say_refusal(next, &refusal);
                            return Ok(());
                        }
                    };
                    self.send_execution(number, upstream, lane, execution, recorded, next)?;
                    self.note_gate_time(received);
                    return Ok(());
                }
            }
        }
    }

    /// Decides an execution; answers it if it may not run.
    async fn judge_execution(&mut self, number: u32, next: u8) -> Option<(Allowed, Does)> {
        let text = self.held.slot(number).map(|slot| Arc::clone(&slot.text)).unwrap_or_default();
        let does = match self.prepared_does(number) {
            Ok(does) => does,
            Err(refusal) => {
                self.say_refusal(next, &refusal);
                return None;
            }
        };
        match self.judge(&text, &does) {
            Ok(permit) => {
                self.note_plans(&does);
                let sent = does.first().and_then(|facts| facts.sent.clone()).unwrap_or(text);
                Some((Allowed { text: sent, does: Arc::clone(&does), permit }, does))
            }
            Err(refused) => {
                let recorded = self.desk.record_refusal(&text, &does, &refused).await;
                self.held.take_long_data(number);
                self.say_refused(next, &recorded.err().map_or(refused, Refused::from));
                None
            }
        }
    }

    /// Makes ready the lane that a prepared statement runs on, and the statement on it; gives the lane and the
    /// upstream's number.
    async fn enter_prepared(
        &mut self,
        number: u32,
        allowed: &Allowed,
        does: &Does,
    ) -> Result<(Lane, u32), Refusal> {
        let facts: Vec<&Facts> = does.iter().map(|facts| &**facts).collect();
        let lane = self.enter_lane(allowed.permit.lane(), &facts).await?;
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
        let sent = self.send_prepare(lane, does, &text, &allowed.permit)?;
        let prepared = self.await_own(Expect::Prepare, sent).await;
        self.visit_database(&database).await?;
        let upstream = prepared?.ok_or_else(prepare_again)?.statement;
        if let Some(slot) = self.held.slot(number) {
            slot.put_on(lane, Some(upstream));
        }
        Ok((lane, upstream))
    }

    /// A cursor that is open on another connection is closed with the statement there.
    fn close_cursor_elsewhere(&mut self, number: u32, lane: Lane) {
        let Some(slot) = self.held.slot(number) else { return };
        let Some(elsewhere) = slot.cursor.filter(|cursor| *cursor != lane) else { return };
        if let Some(upstream) = slot.on(elsewhere) {
            slot.put_on(elsewhere, None);
            self.lanes.note_stale(elsewhere, upstream);
        }
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

    /// COM_STMT_FETCH: rows of a cursor, decided like an execution and on record as one.
    pub(super) async fn fetch(&mut self, asked: u32, rows: u32, next: u8) {
        let number = self.number(asked);
        let open = self.held.slot(number).and_then(|slot| Some((slot.cursor?, slot.on(slot.cursor?)?)));
        let Some((lane, upstream)) = open else {
            return self.say(next, ErrorCode::new(1421, "HY000"), "The statement has no open cursor.");
        };
        let Some((allowed, _)) = self.judge_execution(number, next).await else { return };
        let there = match self.bound_lane() {
            Some(bound) if bound != lane => Err(elsewhere()),
            Some(_) | None => self.take_lane(lane, None).await,
        };
        // Getting there may have lost it.
        let lost = self.held.slot(number).is_none_or(|slot| slot.cursor != Some(lane));
        if let Err(refusal) = there.and_then(|()| if lost { Err(elsewhere()) } else { Ok(()) }) {
            return self.refuse_allowed(next, vec![allowed], refusal).await;
        }
        let recorded = match self.record(vec![allowed], None).await {
            Ok(Some(recorded)) => recorded,
            Ok(None) => return,
            Err(refusal) => return self.say_refusal(next, &refusal),
        };
        let mut command = BytesMut::new();
        write::fetch(&mut command, upstream, rows);
        let Some(lease) = self.lanes.active_lease_mut() else { return };
        let sent = lease.send_fetch(&command, &recorded.permit);
        debug_assert!(sent.is_ok(), "{sent:?}");
        let task = Task::Run { run: recorded.run, prepared: Some(number) };
        self.take_off(lane, Expect::Fetch, sent.unwrap_or(1), next, task);
    }

    /// COM_STMT_RESET.
    pub(super) fn reset_statement(&mut self, asked: u32, next: u8) {
        let number = self.number(asked);
        self.held.take_long_data(number);
        let Some(slot) = self.held.slot(number) else {
            return self.say_refusal(next, &no_statement(asked, "mysqld_stmt_reset"));
        };
        let cursor = slot.cursor.and_then(|lane| Some((lane, slot.on(lane)?)));
        match cursor {
            None => self.say_ok(next),
            Some((lane, upstream)) if self.lanes.active() == Some(lane) => {
                let Some(lease) = self.lanes.active_lease_mut() else { return };
                let sent = lease.send_protocol(MysqlMessage::StmtReset(upstream)).unwrap_or(1);
                self.take_off(lane, Expect::Simple, sent, next, Task::Reset(number));
            }
            Some((lane, upstream)) => {
                slot.put_on(lane, None);
                self.lanes.note_stale(lane, upstream);
                self.say_ok(next);
            }
        }
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

fn elsewhere() -> Refusal {
    Refusal::new(RefusalCode::InvalidCursorName, "the cursor is on a connection that is not in use now")
        .with_hint("End the transaction, or execute the statement again.")
}

fn prepare_again() -> Refusal {
    Refusal::new(RefusalCode::InvalidStatementName, "the statement must be prepared again")
        .with_detail("What the session is set to has changed how it would be read.")
}
