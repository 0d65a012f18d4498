//! The extended query protocol: Parse, Bind, Describe, Execute, Close, Flush, Sync, in pipelines of any length.

use std::{borrow::Cow, sync::Arc, time::Instant};

use bytes::{Bytes, BytesMut};

use super::{
    held::{Portal, Prepared},
    judge::{no_portal, several_statements},
    names::Names,
    receive::Flow,
    session::Session,
    simple::{opens_or_ties, shows_by_rights},
    task::{Closing, Task},
};
use crate::{
    model::{
        facts::Facts,
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    policy::Permit,
    session::{
        judge::{Refused, Verdict},
        running::{Does, Run},
    },
    upstream::{ProtocolMessage, Setup},
    wire::postgres::{
        backend::{self, Severity, TransactionStatus},
        frame::Frame,
        frontend::Named,
        ledger::Owed,
    },
};

impl Session {
    /// One Parse: judged at once, so that a refusal comes where the client reads what the statement returns.
    pub(super) async fn parse(&mut self, frame: &Frame, name: &str, query: &str, types: &[u8]) -> Flow {
        if self.ledger.is_skipping() {
            return Flow::Done;
        }
        if self.must_wait() {
            return self.wait_for_replies();
        }
        // Whether a name that is being made will be there is known when its replies have come.
        if !name.is_empty() && self.held.prepared(name).is_some() && !self.is_settled() {
            return self.wait_for_replies();
        }
        self.renew_catalog().await;
        let (does, verdict) = self.judge_parse(name, query);
        if runs_by_name(&does) && !self.is_settled() {
            return self.wait_for_replies();
        }
        let permit = match verdict {
            Ok(permit) => permit,
            Err(refused) => {
                self.refuse_statement(query, &does, refused).await;
                return Flow::Done;
            }
        };
        let lane = match self.enter_block(permit.lane(), &does).await {
            Ok(Some(lane)) => lane,
            Ok(None) => return self.wait_for_replies(),
            Err(refusal) => return self.refuse(refusal),
        };
        let message = match self.written_for(lane, query, does.first().into_iter()) {
            Ok(Cow::Borrowed(_)) => Bytes::copy_from_slice(frame.bytes()),
            Ok(Cow::Owned(written)) => parse_message(name, &written, types),
            Err(refusal) => return self.refuse(refusal),
        };
        let prepared = Arc::new(Prepared { text: query.into(), message: Some(message.clone()) });
        let context = Arc::clone(self.names.context());
        let slot = self.held.prepare(name, Arc::clone(&prepared));
        slot.put_on(lane);
        if does.iter().all(|facts| facts.runs.is_none()) {
            slot.remember(&context, &does);
        }
        self.send_prepare(&message, &permit);
        let of = Task::Prepare { name: name.into(), prepared, lane, own: true };
        self.ledger.push(Owed::Parse { silent: false, of });
        Flow::Done
    }

    fn judge_parse(&mut self, name: &str, query: &str) -> (Does, Verdict) {
        let nothing = || -> Does { Arc::from([]) };
        if !name.is_empty() && self.held.prepared(name).is_some() {
            let message = format!("prepared statement \"{name}\" already exists");
            return (nothing(), Err(Refusal::new(RefusalCode::DuplicateStatement, message).into()));
        }
        if let Err(refusal) = self.held.room_for(query.len()) {
            return (nothing(), Err(refusal.into()));
        }
        let analysis = match self.analyze(query) {
            Ok(analysis) => analysis,
            Err(refused) => return (nothing(), Err(refused)),
        };
        let does = match &*analysis {
            [] => analysis,
            [facts] => match self.with_what_it_runs(&Arc::clone(facts)) {
                Ok(does) => does,
                Err(refusal) => return (analysis, Err(refusal.into())),
            },
            _ => return (analysis, Err(several_statements().into())),
        };
        let verdict = self.desk.judge(query, &does);
        (does, verdict)
    }

    /// One Bind: judged again, because the statement may have been prepared long ago, and binding plans it.
    pub(super) async fn bind(&mut self, frame: &Frame, portal: &str, statement: &str) -> Flow {
        if self.ledger.is_skipping() {
            return Flow::Done;
        }
        if self.must_wait() || self.is_in_doubt(Named::Statement(statement)) {
            return self.wait_for_replies();
        }
        self.renew_catalog().await;
        if !portal.is_empty() && self.held.portal(portal).is_some() {
            if !self.is_settled() {
                return self.wait_for_replies();
            }
            let message = format!("cursor \"{portal}\" already exists");
            return self.refuse(Refusal::new(RefusalCode::DuplicateCursor, message));
        }
        if let Err(refusal) = self.held.room_for_portal() {
            return self.refuse(refusal);
        }
        let does = match self.prepared_does(statement) {
            Ok(does) => does,
            Err(refusal) => return self.refuse(refusal),
        };
        if runs_by_name(&does) && !self.is_settled() {
            return self.wait_for_replies();
        }
        let text =
            self.held.prepared(statement).map(|slot| Arc::clone(&slot.prepared.text)).unwrap_or_default();
        let permit = match self.desk.judge(&text, &does) {
            Ok(permit) => permit,
            Err(refused) => {
                self.refuse_statement(&text, &does, refused).await;
                return Flow::Done;
            }
        };
        let lane = match self.enter_block(permit.lane(), &does).await {
            Ok(Some(lane)) => lane,
            Ok(None) => return self.wait_for_replies(),
            Err(refusal) => return self.refuse(refusal),
        };
        self.remake(lane, statement, &permit);
        let block = self.ledger.block();
        let number = self.held.open(portal, Portal { does, text, lane, block, hold: false });
        self.send_protocol(ProtocolMessage::Framed(frame.bytes()));
        self.ledger.push(Owed::Bind(Task::Bind(portal.into(), number)));
        Flow::Done
    }

    /// One Execute: decided now, written down, and only then sent.
    pub(super) async fn execute(&mut self, frame: &Frame, portal: &str) -> Flow {
        if self.ledger.is_skipping() {
            return Flow::Done;
        }
        if self.must_wait() || self.is_in_doubt(Named::Portal(portal)) {
            return self.wait_for_replies();
        }
        let received = Instant::now();
        let Some(mut bound) = self.held.portal(portal).cloned() else {
            return self.refuse(no_portal(portal));
        };
        if let Some(facts) = bound.does.first().filter(|facts| facts.runs.is_some()).cloned() {
            // The server looks the name up when the portal runs, and so do we.
            if !self.is_settled() {
                return self.wait_for_replies();
            }
            bound.does = match self.with_what_it_runs(&facts) {
                Ok(does) => does,
                Err(refusal) => return self.refuse(refusal),
            };
        }
        let permit = match self.desk.judge(&bound.text, &bound.does) {
            Ok(permit) => permit,
            Err(refused) => {
                self.refuse_statement(&bound.text, &bound.does, refused).await;
                return Flow::Done;
            }
        };
        // A portal lives where it was bound: on another connection the server does not know it.
        if self.lanes.active() != Some(bound.lane) || permit.lane() > bound.lane {
            return self.refuse(no_portal(portal));
        }
        let mut started = match self.desk.record_start(&[(&bound.text, &bound.does, &permit)]).await {
            Ok(started) => started,
            Err(refusal) => return self.refuse(refusal),
        };
        let Some((receipt, running)) = started.pop() else { return Flow::Done };
        self.desk.deeds.note(&bound.does, &permit, self.ledger.block());
        if let Some(lease) = self.lanes.active_lease_mut() {
            let sent = lease.send_statement(frame.bytes(), &permit, &receipt);
            debug_assert!(sent.is_ok(), "{sent:?}");
        }
        self.desk.metrics.gate_seconds.observe(received.elapsed().as_secs_f64());
        self.note_sent();
        self.ledger.push(Owed::Execute(Task::Run(Run::one(running))));
        Flow::Done
    }

    /// One Describe.
    pub(super) async fn describe(&mut self, frame: &Frame, named: Named<'_>) -> Flow {
        if self.ledger.is_skipping() {
            return Flow::Done;
        }
        if self.must_wait() || self.is_in_doubt(named) {
            return self.wait_for_replies();
        }
        let (does, statement) = match named {
            Named::Portal(name) => match self.held.portal(name) {
                Some(portal) => (Arc::clone(&portal.does), None),
                None => return self.refuse(no_portal(name)),
            },
            Named::Statement(name) => match self.prepared_does(name) {
                Ok(does) => (does, Some(name)),
                Err(refusal) => return self.refuse(refusal),
            },
        };
        let permit = match self.desk.decide(&does) {
            Ok(permit) => permit,
            Err(refused) => return self.refuse(refused.refusal),
        };
        let lane = match self.enter_block(permit.lane(), &does).await {
            Ok(Some(lane)) => lane,
            Ok(None) => return self.wait_for_replies(),
            Err(refusal) => return self.refuse(refusal),
        };
        if let Some(name) = statement {
            self.remake(lane, name, &permit);
        }
        self.send_protocol(ProtocolMessage::Framed(frame.bytes()));
        self.ledger.push(Owed::Describe);
        Flow::Done
    }

    /// One Close: of what does not exist it is no error.
    pub(super) fn close(&mut self, frame: &Frame, named: Named<'_>) -> Flow {
        if self.ledger.is_skipping() {
            return Flow::Done;
        }
        if self.must_wait() {
            return self.wait_for_replies();
        }
        if !self.is_upstream_involved() {
            match named {
                Named::Portal(name) => self.held.close(name),
                Named::Statement(name) => self.let_go_but(name, None),
            }
            self.ledger.push(Owed::Local(Bytes::from_static(CLOSE_COMPLETE)));
            return Flow::Done;
        }
        let closing = match named {
            Named::Portal(name) => self.held.portal_number(name).map(|it| Closing::Portal(name.into(), it)),
            Named::Statement(name) => self
                .held
                .prepared(name)
                .map(|slot| Closing::Statement(name.into(), Arc::clone(&slot.prepared))),
        };
        self.send_protocol(ProtocolMessage::Framed(frame.bytes()));
        self.ledger.push(Owed::Close(Task::Close(closing.unwrap_or(Closing::Nothing))));
        Flow::Done
    }

    /// Whether it will be known only with replies to come what a name stands for: what made or closed it last is in
    /// a block before this one, and is skipped there if something in front of it fails.
    fn is_in_doubt(&self, named: Named<'_>) -> bool {
        let (mut touched, mut doubtful) = (false, false);
        for owed in self.ledger.iter() {
            let touches = match (owed, named) {
                (
                    Owed::Parse { of: Task::Prepare { name, .. }, .. }
                    | Owed::Close(Task::Close(Closing::Statement(name, _))),
                    Named::Statement(wanted),
                )
                | (
                    Owed::Bind(Task::Bind(name, _)) | Owed::Close(Task::Close(Closing::Portal(name, _))),
                    Named::Portal(wanted),
                ) => **name == *wanted,
                _ => false,
            };
            if touches {
                (touched, doubtful) = (true, false);
            } else if matches!(owed, Owed::Sync) {
                doubtful |= touched;
            }
        }
        doubtful
    }

    /// One Sync.
    pub(super) async fn sync(&mut self) -> Flow {
        if self.block.sent && !self.in_transaction() && !self.ledger.is_skipping() {
            // It is the COMMIT of everything since the last one.
            if let Err(lost) = self.desk.decide_what_was_done() {
                let (done, refused) = *lost;
                self.refuse_statement(done.command, &[Arc::clone(&done)], refused).await;
            }
        }
        if self.is_upstream_involved() {
            self.send_protocol(ProtocolMessage::Sync);
            self.ledger.push(Owed::Sync);
        } else {
            self.ledger.stop_skipping();
            let mut ready = BytesMut::new();
            backend::ready_for_query(&mut ready, TransactionStatus::Idle);
            self.ledger.push(Owed::Local(ready.freeze()));
        }
        self.block.sent = false;
        self.block.flushed = false;
        Flow::Done
    }

    /// One Flush.
    pub(super) fn flush_upstream(&mut self) {
        if self.block.sent && !self.ledger.is_skipping() {
            self.block.flushed = true;
            self.send_protocol(ProtocolMessage::Flush);
        }
    }

    /// Writes down a refused statement and refuses it in its place.
    async fn refuse_statement(&mut self, text: &str, does: &[Arc<Facts>], refused: Refused) {
        let recorded = self.desk.record_refusal(text, does, &refused).await;
        self.refuse(recorded.err().unwrap_or(refused.refusal));
    }

    /// Refuses a message in its place among the replies; everything up to Sync is ignored from here on, and
    /// the database's transaction fails with it.
    pub(super) fn refuse(&mut self, refusal: Refusal) -> Flow {
        let mut error = BytesMut::new();
        backend::error_response(&mut error, Severity::Error, &refusal);
        let error = error.freeze();
        if self.is_upstream_involved() {
            if let Some(lease) = self.lanes.active_lease_mut() {
                let sent = lease.send_setup(Setup::Poison);
                debug_assert!(sent.is_ok(), "{sent:?}");
            }
            self.note_sent();
            self.ledger.push(Owed::Refused(error));
        } else {
            self.ledger.push_local_failure(error);
        }
        Flow::Done
    }

    /// Whether something before this message can change what it means, or where it has to run.
    fn must_wait(&self) -> bool {
        self.ledger.iter().any(|owed| match owed {
            Owed::Query(_) | Owed::RefusedQuery(_) | Owed::Quiet => true,
            Owed::Execute(Task::Run(run)) => {
                let moves = |facts: &Arc<Facts>| Names::is_moved_by(facts) || super::task::pins(facts);
                run.open().iter().any(|running| running.does.iter().any(moves))
            }
            Owed::Execute(Task::Bind(..) | Task::Close(_) | Task::Prepare { .. })
            | Owed::Bind(_)
            | Owed::Close(_)
            | Owed::Describe
            | Owed::Local(_)
            | Owed::Parse { .. }
            | Owed::Refused(_)
            | Owed::Sync => false,
        })
    }

    /// Goes onto the lane of this block: the one in use, or the one that its first message needs.
    /// `None` has to wait until nothing is owed.
    ///
    /// # Errors
    /// When the lane in use is too weak, or no connection is to be had.
    async fn enter_block(&mut self, needed: Lane, does: &[Arc<Facts>]) -> Result<Option<Lane>, Refusal> {
        if let Some(lane) = self.bound_lane() {
            return self.choose_lane(needed, false).map(|_| Some(lane));
        }
        let ties = does.iter().any(|facts| opens_or_ties(facts));
        let alone = self.is_alone_in_block();
        let by_rights = does.iter().any(|facts| shows_by_rights(facts));
        let lane = self.choose_lane(needed, ties || !alone || by_rights)?;
        let read_only = alone && !ties && does.iter().all(|facts| facts.read_only);
        if !self.is_settled() {
            return Ok(self.lanes.is_ready(lane, read_only, self.settings.version()).then_some(lane));
        }
        self.take_lane(lane, read_only).await?;
        Ok(Some(lane))
    }

    /// Makes a prepared statement on a connection that lacks it.
    fn remake(&mut self, lane: Lane, name: &str, permit: &Permit) {
        let Some(message) = self.missing_on(lane, name) else { return };
        let Some(slot) = self.held.prepared(name) else { return };
        let prepared = Arc::clone(&slot.prepared);
        self.send_prepare(&message, permit);
        let of = Task::Prepare { name: name.into(), prepared, lane, own: false };
        self.ledger.push(Owed::Parse { silent: true, of });
    }

    /// The Parse that makes a prepared statement on the connection of `lane`, if that lacks it; from now on it
    /// counts as having it.
    pub(super) fn missing_on(&mut self, lane: Lane, name: &str) -> Option<Bytes> {
        let slot = self.held.prepared(name).filter(|slot| !slot.is_on(lane))?;
        let message = slot.prepared.message.clone()?;
        slot.put_on(lane);
        Some(message)
    }

    pub(super) fn send_prepare(&mut self, message: &[u8], permit: &Permit) {
        if let Some(lease) = self.lanes.active_lease_mut() {
            let sent = lease.send_prepare(message, permit);
            debug_assert!(sent.is_ok(), "{sent:?}");
        }
        self.note_sent();
    }

    pub(super) fn send_protocol(&mut self, message: ProtocolMessage<'_>) {
        let sent_something = matches!(message, ProtocolMessage::Framed(_));
        if let Some(lease) = self.lanes.active_lease_mut() {
            let sent = lease.send_protocol(message);
            debug_assert!(sent.is_ok(), "{sent:?}");
        }
        if sent_something {
            self.note_sent();
        }
    }

    fn note_sent(&mut self) {
        self.block.sent = true;
        self.block.flushed = false;
    }

    /// No longer holds a prepared statement.
    pub(super) fn let_go(&mut self, name: &str) {
        let here = self.lanes.active();
        self.let_go_but(name, here);
    }

    /// No longer holds a prepared statement; the connection of `told` is told so, or has told us.
    fn let_go_but(&mut self, name: &str, told: Option<Lane>) {
        for lane in Lane::ALL {
            let is_on = self.held.prepared(name).is_some_and(|slot| slot.is_on(lane));
            if is_on && Some(lane) != told && !name.is_empty() {
                self.lanes.note_stale(lane, name);
            }
        }
        self.held.deallocate(name);
    }
}

/// Whether a statement runs another by its name, which the server looks up when it comes to it.
fn runs_by_name(does: &[Arc<Facts>]) -> bool {
    does.iter().any(|facts| facts.runs.is_some())
}

fn parse_message(name: &str, query: &str, types: &[u8]) -> Bytes {
    let mut message = BytesMut::new();
    backend::message(&mut message, b'P', |out| {
        for text in [name, query] {
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(&[0]);
        }
        out.extend_from_slice(types);
    });
    message.freeze()
}

const CLOSE_COMPLETE: &[u8] = b"3\0\0\0\x04";
