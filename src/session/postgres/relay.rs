//! What the upstream says: rows go through untouched, everything else is held against the ledger.

use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::{
    held::Slot,
    read_only,
    session::Session,
    task::{Closing, Task},
    unshown::Moment,
};
use crate::{
    model::{
        facts::{Facts, SessionEffect, StatementKind, Tie, TransactionEffect},
        record::Outcome,
    },
    session::{
        end::End,
        gate::REPLY_LIMIT_BYTES,
        judge::what_happens,
        running::{Running, stopped_by},
        ties::Reason,
    },
    wire::{
        WireError,
        postgres::{
            backend::{self, Severity, TransactionStatus},
            frame::{HEADER_BYTES, header},
            ledger::{Owed, Step},
        },
    },
};

impl Session {
    /// Passes on what has arrived from the upstream, and settles what it settles.
    ///
    /// # Errors
    /// `Upstream` when it says what nobody asked for.
    pub(super) fn relay(&mut self) -> Result<(), End> {
        let Some(lease) = self.lanes.active_lease_mut() else { return Ok(()) };
        // Taken out so that the session can be changed while it is read; its capacity comes back with it.
        let mut input = std::mem::take(lease.buffer_mut());
        let outcome = self.relay_all(&mut input);
        if let Some(lease) = self.lanes.active_lease_mut() {
            *lease.buffer_mut() = input;
        }
        self.show_local();
        outcome.map_err(|error| End::Upstream(error.to_string()))
    }

    fn relay_all(&mut self, input: &mut bytes::BytesMut) -> Result<(), WireError> {
        loop {
            if self.block.passing > 0 {
                let some = self.block.passing.min(input.len());
                self.client.outbound.extend_from_slice(input.get(..some).unwrap_or_default());
                input.advance(some);
                self.block.passing -= some;
                if self.block.passing > 0 {
                    return Ok(());
                }
            }
            let Some(next) = header(input, usize::MAX)? else { return Ok(()) };
            if matches!(next.tag, b'D' | b'd') {
                if read_only::may_be(next.total_bytes) && input.len() < next.total_bytes {
                    return Ok(());
                }
                // Rows: any size, never read whole.
                match self.ledger.receive(next.tag)? {
                    Step::Forward => {
                        self.count_bytes(next.total_bytes);
                        if read_only::may_be(next.total_bytes)
                            && let Some(own) =
                                self.own_answer(input.get(..next.total_bytes).unwrap_or_default())
                        {
                            self.client.outbound.extend_from_slice(own);
                            input.advance(next.total_bytes);
                            continue;
                        }
                        self.block.passing = next.total_bytes;
                        continue;
                    }
                    Step::Swallow { .. } => {}
                    _ => return Err(WireError::Unexpected { tag: next.tag }),
                }
            } else if next.total_bytes > REPLY_LIMIT_BYTES {
                return Err(WireError::TooLarge {
                    tag: next.tag,
                    length_bytes: next.total_bytes,
                    limit_bytes: REPLY_LIMIT_BYTES,
                });
            }
            if input.len() < next.total_bytes {
                return Ok(());
            }
            if !matches!(next.tag, b'D' | b'd') {
                self.relay_one(next.tag, input.get(..next.total_bytes).unwrap_or_default())?;
            }
            input.advance(next.total_bytes);
        }
    }

    fn relay_one(&mut self, tag: u8, message: &[u8]) -> Result<(), WireError> {
        let body = message.get(HEADER_BYTES..).unwrap_or_default();
        if tag == b'E'
            && matches!(self.ledger.front_mut(), Some(Owed::Tag))
            && let Some(lease) = self.lanes.active_lease_mut()
        {
            // It does not call itself so.
            lease.keep_tag(None);
        }
        match self.ledger.receive(tag)? {
            Step::Aside => {
                if tag == b'S' {
                    let (name, value) = backend::read_parameter_status(body)?;
                    self.show_parameter(name, value);
                } else {
                    self.client.outbound.extend_from_slice(message);
                }
            }
            Step::Forward => {
                self.on_forward(tag, body);
                self.client.outbound.extend_from_slice(message);
            }
            Step::Done(owed) => {
                let status = (tag == b'Z').then(|| TransactionStatus::read(body)).transpose()?;
                self.on_done(owed, tag, body);
                if let Some(status) = status {
                    self.on_ready(status);
                }
                self.client.outbound.extend_from_slice(message);
                self.show_local();
            }
            Step::Swallow { paid } => {
                match paid {
                    Some(Owed::Quiet) if tag == b'Z' => self.on_ready(TransactionStatus::read(body)?),
                    Some(Owed::Describe { of, .. }) => self.on_described(of, tag, body),
                    Some(_) | None => {}
                }
                self.show_local();
            }
            Step::QueryFailed { shown } => {
                let shown = self.on_query_failed(body, shown)?;
                self.client.outbound.extend_from_slice(shown.as_deref().unwrap_or(message));
            }
            Step::Failed { shown, dropped } => {
                let shown = self.on_failed(body, shown, dropped)?;
                self.client.outbound.extend_from_slice(shown.as_deref().unwrap_or(message));
                self.show_local();
            }
            Step::Unsolicited => self.last_words = Some(Bytes::copy_from_slice(message)),
        }
        Ok(())
    }

    /// Reports a parameter as the client's own session would.
    fn show_parameter(&mut self, name: &str, value: &str) {
        if let Some(lease) = self.lanes.active_lease_mut() {
            lease.record_parameter(name, value);
        }
        let own;
        let shown = match name {
            // The gateway's own doing, unless the statement is about it.
            "default_transaction_read_only" if !self.sets_modes_now() => return,
            "application_name" => match self.own_application(value) {
                Some(value) => {
                    own = value;
                    &own
                }
                None => return,
            },
            _ => value,
        };
        backend::parameter_status(&mut self.client.outbound, name, shown);
    }

    fn sets_modes_now(&mut self) -> bool {
        let Some(Owed::Query(Task::Run(run)) | Owed::Execute(Task::Run(run))) = self.ledger.front_mut()
        else {
            return false;
        };
        let current = run.current().and_then(|running| running.facts());
        current.is_some_and(|facts| {
            matches!(facts.transaction, TransactionEffect::SetModes { session: true, .. })
        })
    }

    /// Shows what the gateway itself has to say, as far as its turn has come; whether there was anything.
    pub(super) fn show_local(&mut self) -> bool {
        let mut shown = false;
        while let Some(bytes) = self.ledger.take_local() {
            self.client.outbound.extend_from_slice(&bytes);
            shown = true;
        }
        shown
    }

    fn count_bytes(&mut self, bytes: usize) {
        if let Some(Owed::Query(Task::Run(run)) | Owed::Execute(Task::Run(run))) = self.ledger.front_mut()
            && let Some(running) = run.current()
        {
            running.bytes += bytes as u64;
        }
    }

    /// A message of a Query that is not its last, or of a COPY.
    fn on_forward(&mut self, tag: u8, body: &[u8]) {
        match tag {
            b'G' => {
                self.block.copying_in = true;
            }
            b'C' | b'I' => {
                let over = match self.ledger.front_mut() {
                    Some(Owed::Query(Task::Run(run))) => {
                        run.over += 1;
                        run.statements.get_mut(run.over - 1).map(Running::take)
                    }
                    _ => None,
                };
                if let Some(running) = over {
                    self.on_completed(&running, tag, body);
                }
            }
            _ => {}
        }
    }

    fn on_done(&mut self, owed: Owed<Task>, tag: u8, body: &[u8]) {
        match owed {
            Owed::Execute(Task::Run(run)) => {
                // Suspended or not: what it has set or locked so far is set and locked. It goes on with the next
                // Execute, which is a statement of its own.
                for running in &run.statements {
                    self.on_completed(running, tag, body);
                }
            }
            Owed::Query(Task::Run(run)) => {
                for running in run.open() {
                    self.note_end(running, Outcome::NotRun, None, None);
                }
            }
            Owed::Close { of: Task::Close(closing), .. } => self.on_closed(closing),
            Owed::Describe { of, .. } => self.on_described(of, tag, body),
            Owed::Execute(_)
            | Owed::Query(_)
            | Owed::Bind(_)
            | Owed::Close { .. }
            | Owed::Local(_)
            | Owed::Parse { .. }
            | Owed::Quiet
            | Owed::Refused(_)
            | Owed::RefusedQuery(_)
            | Owed::Sync
            | Owed::Tag => {}
        }
    }

    fn on_closed(&mut self, closing: Closing) {
        match closing {
            Closing::Portal(name, number) => self.held.close_number(&name, number),
            Closing::Statement(name, prepared) => {
                let is_it = |slot: &mut Slot| Arc::ptr_eq(&slot.prepared, &prepared);
                if self.held.prepared(&name).is_some_and(is_it) {
                    self.let_go(&name);
                }
            }
            Closing::Nothing | Closing::Shared { .. } => {}
        }
    }

    /// A statement succeeded: what it leaves in the session is true from here on.
    fn on_completed(&mut self, running: &Running, tag: u8, body: &[u8]) {
        let rows = if tag == b'C' { backend::command_rows(body) } else { None };
        self.note_end(running, Outcome::Completed, rows, None);
        for facts in what_happens(&running.does) {
            if facts.kind == StatementKind::CopyFrom {
                self.block.copying_in = false;
            }
            if matches!(facts.transaction, TransactionEffect::None) && facts.effects.is_empty() {
                continue;
            }
            // COMMIT of a failed transaction succeeds as a ROLLBACK.
            let commits = matches!(facts.transaction, TransactionEffect::Commit { .. });
            if commits && body.starts_with(b"ROLLBACK") {
                self.end_names(false);
            } else {
                self.apply_effects(facts, running);
            }
        }
    }

    fn apply_effects(&mut self, facts: &Arc<Facts>, running: &Running) {
        if super::names::Names::is_moved_by(facts) && !facts.effects.is_empty() {
            self.names.begin();
        }
        self.names.apply(facts);
        self.apply_to_held(facts, &running.does, &running.text);
        self.note_none_prepared(facts);
        self.note_application(facts);
        let before = self.settings.version();
        self.settings.apply(facts);
        match facts.transaction {
            TransactionEffect::Commit { .. } => self.end_settings(true),
            TransactionEffect::Rollback { .. } => self.end_settings(false),
            TransactionEffect::None
            | TransactionEffect::Begin { .. }
            | TransactionEffect::Savepoint(_)
            | TransactionEffect::Release(_)
            | TransactionEffect::RollbackTo(_)
            | TransactionEffect::SetModes { .. } => {}
        }
        // After a RESET the connection has its own defaults, not what this client started with.
        let resets = facts.effects.iter().any(|effect| {
            matches!(
                effect,
                SessionEffect::ResetAll | SessionEffect::DiscardAll | SessionEffect::Set { value: None, .. }
            )
        });
        if !(resets && self.settings.has_initial()) {
            self.lanes.note_settings(before, self.settings.version());
        }
        self.note_ties(facts, &running.text);
        if facts.effects.iter().any(|effect| matches!(effect, SessionEffect::Define)) {
            self.transaction.defined = true;
            self.note_definitions();
        }
    }

    /// Has the catalog read again before the next statement is judged.
    fn note_definitions(&self) {
        self.desk.gate.pools.catalog_changed(&self.desk.place.target, &self.desk.place.database);
    }

    /// The upstream is ready: what the transaction did is kept or gone.
    fn on_ready(&mut self, status: TransactionStatus) {
        let failed = std::mem::take(&mut self.transaction.failed);
        self.transaction.status = status;
        self.desk.deeds.failed = status == TransactionStatus::Failed;
        if failed {
            // What was rolled back ties nothing.
            self.lanes.doubt_ties();
        }
        if status == TransactionStatus::Idle {
            if std::mem::take(&mut self.transaction.defined) {
                // Only now can a catalog that is read by others show it.
                self.note_definitions();
            }
            self.end_names(!failed);
            self.names.settle();
            self.block.copying_in = false;
        }
        self.lanes.note_used();
    }

    fn end_names(&mut self, committed: bool) {
        if self.names.in_transaction() {
            self.names.end(committed);
        }
        self.end_settings(committed);
        let block = self.ledger.block_in_reply();
        self.held.end_transaction(block);
        self.desk.deeds.forget_before(block);
    }

    fn end_settings(&mut self, committed: bool) {
        let before = self.settings.version();
        self.settings.end(committed);
        self.lanes.note_settings(before, self.settings.version());
    }

    /// ErrorResponse within a Query, or at a Sync. Gives what is shown in its place.
    fn on_query_failed(
        &mut self,
        body: &[u8],
        shown: Option<bytes::Bytes>,
    ) -> Result<Option<bytes::Bytes>, WireError> {
        self.transaction.failed = true;
        self.block.copying_in = false;
        self.said_fatal |= matches!(backend::error_field(body, b'V')?, Some("FATAL" | "PANIC"));
        let code = backend::error_code(body)?.unwrap_or_default().to_owned();
        let (failed, moment) = match self.ledger.front_mut() {
            Some(Owed::Query(Task::Run(run))) => {
                let failed: Vec<Running> = run.open_mut().iter_mut().map(Running::take).collect();
                run.over = run.statements.len();
                let moment = Moment::of_text(run, &failed);
                (failed, moment)
            }
            // A Sync is the COMMIT of what was sent before it.
            _ => (Vec::new(), Moment::Deferred),
        };
        let shown = self.note_failures(&failed, &code).or(shown);
        if shown.is_some() { Ok(shown) } else { self.unshown(failed.first(), moment, body) }
    }

    /// ErrorResponse within extended messages. Gives what is shown in its place.
    fn on_failed(
        &mut self,
        body: &[u8],
        shown: Option<bytes::Bytes>,
        dropped: Vec<Owed<Task>>,
    ) -> Result<Option<bytes::Bytes>, WireError> {
        self.transaction.failed = true;
        self.block.copying_in = false;
        self.said_fatal |= matches!(backend::error_field(body, b'V')?, Some("FATAL" | "PANIC"));
        let code = backend::error_code(body)?.unwrap_or_default().to_owned();
        let shown = shown.or_else(|| self.in_own_words(body, &code));
        let mut running = Vec::new();
        let mut first = true;
        for owed in dropped {
            match owed {
                Owed::Execute(Task::Run(mut run)) => {
                    let taken = run.open_mut().iter_mut().map(Running::take);
                    if first {
                        running.extend(taken);
                    } else {
                        taken.for_each(|it| self.note_end(&it, Outcome::NotRun, None, None));
                    }
                }
                Owed::Bind(Task::Bind(name, number)) => self.held.close_number(&name, number),
                Owed::Parse { of: Task::Prepare { name, prepared, lane, own, made }, .. } => {
                    self.held.failed(&name, &prepared, lane, own);
                    self.on_not_made(lane, made, first);
                }
                Owed::Close { of: Task::Close(closing), .. } => self.on_not_closed(closing),
                Owed::Execute(_)
                | Owed::Bind(_)
                | Owed::Close { .. }
                | Owed::Describe { .. }
                | Owed::Local(_)
                | Owed::Parse { .. }
                | Owed::Query(_)
                | Owed::Quiet
                | Owed::Refused(_)
                | Owed::RefusedQuery(_)
                | Owed::Sync
                | Owed::Tag => {}
            }
            first = false;
        }
        let shown = self.note_failures(&running, &code).or(shown);
        if shown.is_some() {
            return Ok(shown);
        }
        let moment = running.first().map_or(Moment::Running, Moment::of_statement);
        self.unshown(running.first(), moment, body)
    }

    /// Notes statements that failed: the first with `code`, the others as not run. A statement that was told to
    /// stop is shown as refused.
    fn note_failures(&mut self, failed: &[Running], code: &str) -> Option<bytes::Bytes> {
        if code == READ_ONLY_SQL_TRANSACTION {
            self.lanes.note_read_only();
        }
        let mut shown = None;
        if failed.iter().flat_map(|running| running.does.iter()).any(|facts| takes_lock(facts)) {
            // An advisory lock outlives the error behind it.
            self.lanes.stick(Reason::Lock, &self.desk.metrics);
            self.lanes.doubt_ties();
        }
        for (index, running) in failed.iter().enumerate() {
            let revoked = running.revoked.as_ref().filter(|_| code == QUERY_CANCELED);
            match revoked {
                Some(refusal) if index == 0 => {
                    let mut error = bytes::BytesMut::new();
                    backend::error_response(&mut error, Severity::Error, refusal);
                    shown = Some(error.freeze());
                    self.note_end(running, stopped_by(refusal), None, Some(refusal.code.sqlstate()));
                }
                _ if index == 0 => self.note_end(running, Outcome::Failed, None, Some(code)),
                _ => self.note_end(running, Outcome::NotRun, None, None),
            }
        }
        shown
    }

    /// Whether a COPY FROM STDIN is owed.
    pub(super) fn is_copy_awaited(&self) -> bool {
        self.ledger.iter().any(|owed| match owed {
            Owed::Query(Task::Run(run)) | Owed::Execute(Task::Run(run)) => {
                let copies = |running: &Running| {
                    running.does.iter().any(|facts| facts.kind == StatementKind::CopyFrom)
                };
                run.open().iter().any(copies)
            }
            _ => false,
        })
    }
}

fn takes_lock(facts: &Facts) -> bool {
    facts.effects.contains(&SessionEffect::Ties(Tie::AdvisoryLock))
}

/// SQLSTATE of a statement that was cancelled.
const QUERY_CANCELED: &str = "57014";
/// SQLSTATE of a standby, and of a session that is read-only.
const READ_ONLY_SQL_TRANSACTION: &str = "25006";
