//! The extended query protocol: Parse, Bind, Describe, Execute, Close, Flush, Sync, in pipelines of any length.

use std::{borrow::Cow, sync::Arc, time::Instant};

use bytes::{Bytes, BytesMut};

use super::{
    held::{Portal, Prepared},
    judge::{no_portal, several_statements},
    names::Names,
    receive::Flow,
    session::Session,
    task::{Closing, Task},
};
use crate::{
    model::{
        facts::Facts,
        refusal::{Refusal, RefusalCode},
    },
    session::{
        judge::Verdict,
        running::{Does, Run},
    },
    upstream::ProtocolMessage,
    wire::postgres::{
        backend::{self, TransactionStatus},
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
        if !name.is_empty() {
            self.lanes.note_left();
        }
        self.note_left(&does, query);
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
        self.note_left(&does, &text);
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
        self.note_left(&bound.does, &bound.text);
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
