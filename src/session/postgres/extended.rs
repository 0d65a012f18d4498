//! The extended query protocol: Parse, Bind, Describe, Execute, Close, Flush, Sync, in pipelines of any length.

use std::{borrow::Cow, sync::Arc, time::Instant};

use bytes::{Bytes, BytesMut};

use super::{
    held::{Made, Portal, Prepared},
    judge::{no_portal, several_statements},
    messages,
    names::Names,
    once::Bind,
    own_names::{check_name, shows_any},
    reading,
    receive::Flow,
    session::Session,
    task::{Closing, Task},
};
use crate::{
    model::{
        dialect::Dialect,
        facts::Facts,
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    policy::{Claimed, Leave, Permit},
    session::{judge::Verdict, running::Does, ties},
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
        self.desk.watch(query, Dialect::Postgres);
        self.renew_catalog().await;
        let (does, verdict) = self.judge_parse(name, query);
        if runs_by_name(&does) && !self.is_settled() {
            return self.wait_for_replies();
        }
        let message = Parse { frame, name, query, types };
        match verdict {
            Ok(permit) => self.prepare(message, &does, &permit).await,
            Err(refused) => match self.approved_in_block(query, &does) {
                Some(once) => self.prepare(message, &does, &once).await,
                None => {
                    self.refuse_statement(query, &does, refused).await;
                    Flow::Done
                }
            },
        }
    }

    async fn prepare(&mut self, parse: Parse<'_>, does: &Does, leave: &impl Leave) -> Flow {
        let Parse { frame, name, query, types } = parse;
        let lane = match self.enter_block(leave.lane(), does).await {
            Ok(Some(lane)) => lane,
            Ok(None) => return self.wait_for_replies(),
            Err(refusal) => return self.refuse(refusal),
        };
        if !self.make_names_ready(lane, does, leave) {
            return self.wait_for_replies();
        }
        let sent = match self.written_for(lane, query, does.first().into_iter()) {
            Ok(Cow::Borrowed(_)) => {
                Bytes::copy_from_slice(frame.body().get(name.len() + 1..).unwrap_or_default())
            }
            Ok(Cow::Owned(written)) => messages::text_and_types(&written, types),
            Err(refusal) => return self.refuse(refusal),
        };
        let made = if name.is_empty() { Made::Unnamed(sent) } else { Made::Named(sent) };
        let prepared = Arc::new(Prepared::new(query.into(), made));
        let context = Arc::clone(self.names.context());
        let slot = self.held.prepare(name, Arc::clone(&prepared));
        if does.iter().all(|facts| facts.runs.is_none()) {
            slot.remember(&context, does);
        }
        self.note_left(does, query);
        self.make(lane, name, &prepared, leave, true);
        Flow::Done
    }

    fn judge_parse(&mut self, name: &str, query: &str) -> (Does, Verdict) {
        let nothing = || -> Does { Arc::from([]) };
        if let Err(refusal) = check_name(name) {
            return (nothing(), Err(refusal.into()));
        }
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
        let verdict = self.judge(query, &does);
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
        let bind = Bind { frame, portal, statement };
        // Again if grants changed while a connection was waited for.
        loop {
            if let Some(flow) = self.judge_and_bind(bind).await {
                return flow;
            }
        }
    }

    /// Judges a Bind and sends it or answers it; `None` if what was judged no longer holds.
    async fn judge_and_bind(&mut self, bind: Bind<'_>) -> Option<Flow> {
        let Bind { portal, statement, .. } = bind;
        self.renew_catalog().await;
        if !portal.is_empty() && self.held.portal(portal).is_some() {
            if !self.is_settled() {
                return Some(self.wait_for_replies());
            }
            let message = format!("cursor \"{portal}\" already exists");
            return Some(self.refuse(Refusal::new(RefusalCode::DuplicateCursor, message)));
        }
        if let Err(refusal) = self.held.room_for_portal() {
            return Some(self.refuse(refusal));
        }
        let does = match self.prepared_does(statement) {
            Ok(does) => does,
            Err(refusal) => return Some(self.refuse(refusal)),
        };
        if runs_by_name(&does) && !self.is_settled() {
            return Some(self.wait_for_replies());
        }
        let text =
            self.held.prepared(statement).map(|slot| Arc::clone(&slot.prepared.text)).unwrap_or_default();
        let permit = match self.judge(&text, &does) {
            Ok(permit) => permit,
            Err(refused) => return self.bind_once(bind, (text, does), refused).await,
        };
        let lane = match self.enter_block(permit.lane(), &does).await {
            Ok(Some(lane)) => lane,
            Ok(None) => return Some(self.wait_for_replies()),
            Err(refusal) => return Some(self.refuse(refusal)),
        };
        match self.make_ready(lane, statement, &does, &permit) {
            Ok(true) => {}
            Ok(false) => return Some(self.wait_for_replies()),
            Err(refusal) => return Some(self.refuse(refusal)),
        }
        self.send_bind(bind, lane, text, does);
        Some(Flow::Done)
    }

    /// Sends a Bind; gives the number of the portal that it makes.
    pub(super) fn send_bind(&mut self, bind: Bind<'_>, lane: Lane, text: Arc<str>, does: Does) -> u64 {
        let Bind { frame, portal, statement } = bind;
        let block = self.ledger.block();
        self.note_left(&does, &text);
        // What shows the statements' own names has them there.
        let called = self.called(statement).filter(|_| !shows_any(&does));
        let message = called.map(|called| messages::bind(frame.body(), portal, statement, called.as_str()));
        let named = self.held.prepared(statement).map(|slot| Arc::clone(&slot.prepared));
        let prepared = named.filter(|prepared| matches!(prepared.made, Made::Named(_)));
        let number = self.held.open(portal, Portal { does, prepared, text, lane, block, hold: false });
        self.send_protocol(ProtocolMessage::Framed(message.as_deref().unwrap_or(frame.bytes())));
        self.ledger.push(Owed::Bind(Task::Bind(portal.into(), number)));
        number
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
        self.desk.watch(&bound.text, Dialect::Postgres);
        match self.leaves_alone(self.held.portal_number(portal)) {
            Ok(None) => {}
            Ok(Some(claimed)) => {
                self.execute_once(frame, portal, &bound, claimed, received).await;
                return Flow::Done;
            }
            Err(refusal) => {
                self.refuse_statement(&bound.text, &bound.does, refusal.into()).await;
                return Flow::Done;
            }
        }
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
        let permit = match self.judge(&bound.text, &bound.does) {
            Ok(permit) => permit,
            Err(refused) => {
                self.refuse_statement(&bound.text, &bound.does, refused).await;
                return Flow::Done;
            }
        };
        if self.lanes.active() == Some(bound.lane) && !self.make_names_ready(bound.lane, &bound.does, &permit)
        {
            return self.wait_for_replies();
        }
        self.run_portal(frame, portal, &bound, (permit, None), received).await;
        Flow::Done
    }

    /// Sends an Execute that may run; `once` is the leave that was used up for it.
    pub(super) async fn run_portal(
        &mut self,
        frame: &Frame,
        portal: &str,
        bound: &Portal,
        (permit, once): (Permit, Option<Claimed>),
        received: Instant,
    ) {
        // A portal lives where it was bound: on another connection the server does not know it.
        if self.lanes.active() != Some(bound.lane) || permit.lane() > bound.lane {
            self.refuse(no_portal(portal));
            return;
        }
        let started = self.desk.record_start(&[(&bound.text, &bound.does, &permit)], once).await;
        let (receipt, run) = match started {
            Ok((Some(receipt), run)) => (receipt, run),
            Ok((None, _)) => return,
            Err(refusal) => {
                self.refuse(refusal);
                return;
            }
        };
        self.note_left(&bound.does, &bound.text);
        self.make_way(&bound.does);
        if once.is_none() {
            self.desk.deeds.note(&bound.does, &permit, self.ledger.block());
        }
        if let Some(lease) = self.lanes.active_lease_mut() {
            let sent = lease.send_statement(frame.bytes(), &permit, &receipt);
            debug_assert!(sent.is_ok(), "{sent:?}");
        }
        self.desk.metrics.gate_seconds.observe(received.elapsed().as_secs_f64());
        self.note_sent();
        self.block.executed = true;
        self.ledger.push(Owed::Execute(Task::Run(run)));
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
        // What stands there under another name goes on to stand there. Of what does not exist it is no error.
        let nothing = matches!(named, Named::Statement(name) if check_name(name).is_err());
        let message = nothing.then(|| messages::close(NO_STATEMENT));
        self.send_protocol(ProtocolMessage::Framed(message.as_deref().unwrap_or(frame.bytes())));
        let of = Task::Close(closing.unwrap_or(Closing::Nothing));
        self.ledger.push(Owed::Close { silent: false, of });
        Flow::Done
    }

    /// Whether it will be known only with replies to come what a name stands for: what made or closed it last is in
    /// a block before this one, and is skipped there if something in front of it fails.
    pub(super) fn is_in_doubt(&self, named: Named<'_>) -> bool {
        self.is_touched_in_doubt(|owed| match (owed, named) {
            (
                Owed::Parse { of: Task::Prepare { name, .. }, .. }
                | Owed::Close { of: Task::Close(Closing::Statement(name, _)), .. },
                Named::Statement(wanted),
            )
            | (
                Owed::Bind(Task::Bind(name, _))
                | Owed::Close { of: Task::Close(Closing::Portal(name, _)), .. },
                Named::Portal(wanted),
            ) => **name == *wanted,
            _ => false,
        })
    }

    /// Whether what `touches` something last is in a block before this one.
    pub(super) fn is_touched_in_doubt(&self, touches: impl Fn(&Owed<Task>) -> bool) -> bool {
        let (mut touched, mut doubtful) = (false, false);
        for owed in self.ledger.iter() {
            if touches(owed) {
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
            } else if let Err(refusal) = self.lasts_once() {
                self.refuse_statement("COMMIT", &[], refusal.into()).await;
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
        self.block.end();
        self.desk.unwatch();
        Flow::Done
    }

    /// Whether something before this message can change what it means, or where it has to run.
    pub(super) fn must_wait(&self) -> bool {
        self.ledger.iter().any(|owed| match owed {
            Owed::Query(_) | Owed::RefusedQuery(_) | Owed::Quiet => true,
            Owed::Execute(Task::Run(run)) => {
                let moves = |facts: &Arc<Facts>| {
                    Names::is_moved_by(facts) || ties::pins(facts) || reading::is_moved_by(facts)
                };
                run.open().iter().any(|running| running.does.iter().any(moves))
            }
            Owed::Execute(Task::Bind(..) | Task::Close(_) | Task::Describe { .. } | Task::Prepare { .. })
            | Owed::Bind(_)
            | Owed::Close { .. }
            | Owed::Describe { .. }
            | Owed::Local(_)
            | Owed::Parse { .. }
            | Owed::Refused(_)
            | Owed::Sync
            | Owed::Tag => false,
        })
    }
}

/// Whether a statement runs another by its name, which the server looks up when it comes to it.
fn runs_by_name(does: &[Arc<Facts>]) -> bool {
    does.iter().any(|facts| facts.runs.is_some())
}

/// A Parse on its way to the upstream.
struct Parse<'a> {
    frame: &'a Frame,
    name: &'a str,
    query: &'a str,
    types: &'a [u8],
}

/// A name that no statement ever has, on any connection.
const NO_STATEMENT: &str = "tidegate:";
const CLOSE_COMPLETE: &[u8] = b"3\0\0\0\x04";
