//! What the upstream says: rows go through untouched, the rest tells how statements end.

use bytes::BytesMut;

use super::{
    flight::{Flight, Task},
    session::Session,
};
use crate::{
    model::{record::Outcome, refusal::Refusal},
    session::{
        conversation::Conversation,
        end::End,
        running::{Does, Run, Running, stopped_by},
    },
    upstream::mysql::MysqlMessage,
    wire::{
        WireError,
        mysql::{
            error::ServerError,
            packet::header,
            response::{Completion, Event, Prepared, Step},
        },
    },
};

/// What becomes of a packet that was read.
enum Shown {
    /// It passes.
    AsItIs,
    /// The client gets an error in its place, and nothing more of this reply.
    Instead(Refusal),
    /// The client gets an error of the server's in other words.
    Reworded(ServerError),
    /// The client gets nothing.
    Nothing,
}

impl Session {
    /// Passes on what has arrived from the upstream, and settles what it settles.
    ///
    /// # Errors
    /// `Upstream` when it does not keep to the protocol, or says what nobody asked for.
    pub(super) fn relay(&mut self) -> Result<(), End> {
        let Some(mut flight) = self.flight.take() else {
            let unasked = self.lanes.active_lease_mut().is_some_and(|lease| !lease.buffer_mut().is_empty());
            return if unasked { self.on_upstream_closed("it said what nobody asked for") } else { Ok(()) };
        };
        let Some(lease) = self.lanes.active_lease_mut() else {
            self.flight = Some(flight);
            return Ok(());
        };
        // Taken out so that the session can be changed while it is read; its capacity comes back with it.
        let mut input = std::mem::take(lease.buffer_mut());
        let outcome = self.relay_all(&mut flight, &mut input);
        if let Some(lease) = self.lanes.active_lease_mut() {
            *lease.buffer_mut() = input;
        }
        let over = matches!(outcome, Ok(true));
        if !over {
            self.flight = Some(flight);
        } else if let Some(run) = flight.run_mut() {
            // Statements that the server has not come to.
            let left: Vec<Running> = run.open_mut().iter_mut().map(Running::take).collect();
            self.note_not_run(&left);
        }
        outcome.map(drop).map_err(|error| End::Upstream(error.to_string()))
    }

    /// True when the reply is over.
    fn relay_all(&mut self, flight: &mut Flight, input: &mut BytesMut) -> Result<bool, WireError> {
        loop {
            match flight.response.step(input)? {
                Step::Wait => return Ok(false),
                Step::Over => return Ok(true),
                Step::Pass(bytes) => self.client.outbound.extend_from_slice(&input.split_to(bytes)),
                Step::Packet { bytes, event } => {
                    let mut packet = input.split_to(bytes);
                    match self.on_event(flight, event, &mut packet) {
                        Shown::AsItIs => self.client.outbound.extend_from_slice(&packet),
                        Shown::Nothing => {}
                        Shown::Reworded(error) => {
                            let sequence = header(&packet).map_or(1, |header| header.sequence);
                            self.say_error(sequence, &error);
                        }
                        Shown::Instead(refusal) => {
                            let sequence = header(&packet).map_or(1, |header| header.sequence);
                            self.say_refusal(sequence, &refusal);
                            if !flight.response.is_over() {
                                // What is behind it was stopped, too: the connection goes with it.
                                self.drop_lane(flight.lane);
                                self.end_transaction();
                                input.clear();
                            }
                            return Ok(true);
                        }
                    }
                }
            }
        }
    }

    fn on_event(&mut self, flight: &mut Flight, event: Event, packet: &mut BytesMut) -> Shown {
        match event {
            Event::ResultSet { .. } | Event::Statistics => Shown::AsItIs,
            Event::LocalInfile { answer } => {
                if let Some(lease) = self.lanes.active_lease_mut() {
                    let sent = lease.send_protocol(MysqlMessage::NoFile { answer });
                    debug_assert!(sent.is_ok(), "{sent:?}");
                }
                Shown::Nothing
            }
            Event::Prepared(prepared) => {
                self.on_prepared(flight, prepared, packet);
                Shown::AsItIs
            }
            Event::Complete(completion) => self.on_complete(flight, &completion),
            Event::Failed(error) => self.on_failed(flight, &error),
        }
    }

    /// The client gets the number that is ours.
    fn on_prepared(&mut self, flight: &Flight, prepared: Prepared, packet: &mut BytesMut) {
        let Task::Prepare(number) = flight.task else { return };
        if let Some(slot) = self.held.slot(number) {
            slot.parameters = prepared.parameters;
            slot.put_on(flight.lane, Some(prepared.statement));
        }
        if let Some(place) = packet.get_mut(Prepared::STATEMENT_AT) {
            place.copy_from_slice(&number.to_le_bytes());
        }
    }

    fn on_complete(&mut self, flight: &mut Flight, completion: &Completion) -> Shown {
        self.on_status(completion);
        let lane = flight.lane;
        match &mut flight.task {
            Task::Prepare(_) => Shown::AsItIs,
            Task::Reset(number) => {
                if let Some(slot) = self.held.slot(*number) {
                    slot.cursor = None;
                }
                Shown::AsItIs
            }
            Task::Run { run, prepared } => {
                if let Some(number) = *prepared {
                    self.note_cursor(number, lane, completion);
                }
                self.on_result(run, completion)
            }
        }
    }

    fn note_cursor(&mut self, number: u32, lane: crate::model::target::Lane, completion: &Completion) {
        use crate::wire::mysql::status::Status;
        let Some(slot) = self.held.slot(number) else { return };
        let open = completion.cursor() && !completion.status.has(Status::LAST_ROW_SENT);
        slot.cursor = open.then_some(lane);
    }

    /// A result is over, and mostly the statement with it.
    fn on_result(&mut self, run: &mut Run, completion: &Completion) -> Shown {
        let Some(current) = run.current() else { return Shown::AsItIs };
        current.bytes += completion.row_bytes;
        // A procedure gives any number of results, and then an OK.
        if completion.more() && completion.rows.is_some() && gives_many(&current.does) {
            return Shown::AsItIs;
        }
        let running = current.take();
        run.over += 1;
        let stopped = running.revoked.clone().filter(|_| only_reads(&running.does));
        // What was told to stop and goes on with the next statement is stopped with its connection.
        let goes_on = completion.more().then(|| run.open().iter().find_map(|it| it.revoked.clone()));
        match stopped.or(goes_on.flatten()) {
            Some(refusal) => {
                let code = self.sqlstate(&refusal);
                self.end(&running, stopped_by(&refusal), None, Some(&code));
                // It was done all the same.
                self.apply_effects(&running.does);
                Shown::Instead(refusal)
            }
            None => {
                let rows = completion.rows.or(Some(completion.affected_rows));
                self.end(&running, Outcome::Completed, rows, None);
                self.apply_effects(&running.does);
                if completion.warnings > 0 {
                    self.note_shown_by_errors(&running.does);
                }
                Shown::AsItIs
            }
        }
    }

    fn on_failed(&mut self, flight: &mut Flight, error: &ServerError) -> Shown {
        if !self.autocommits() {
            // An error says nothing of the transaction, and a statement may have opened one before it failed.
            self.state.status = self.state.status.with(crate::wire::mysql::status::Status::IN_TRANSACTION);
        }
        if !self.in_transaction() {
            self.desk.deeds.forget();
        }
        self.state.diagnostics = true;
        self.lanes.note_used(0);
        if READ_ONLY.contains(&error.errno) {
            self.lanes.note_read_only();
        }
        match &mut flight.task {
            Task::Prepare(number) => {
                self.held.close(*number);
                Shown::AsItIs
            }
            Task::Reset(_) => Shown::AsItIs,
            Task::Run { run, prepared } => {
                if let Some(slot) = prepared.and_then(|number| self.held.slot(number)) {
                    slot.cursor = None;
                }
                let Some(running) = run.current().map(Running::take) else { return Shown::AsItIs };
                run.over += 1;
                self.apply_failure(&running.does, error.errno);
                match running.revoked.clone().filter(|_| INTERRUPTED.contains(&error.errno)) {
                    Some(refusal) => {
                        let code = self.sqlstate(&refusal);
                        self.end(&running, stopped_by(&refusal), None, Some(&code));
                        Shown::Instead(refusal)
                    }
                    None => {
                        self.end(&running, Outcome::Failed, None, Some(&error.sqlstate));
                        self.unshown(&running.does, error).map_or(Shown::AsItIs, Shown::Reworded)
                    }
                }
            }
        }
    }

    fn sqlstate(&self, refusal: &Refusal) -> String {
        refusal.code.sqlstate().to_owned()
    }

    fn end(&mut self, running: &Running, outcome: Outcome, rows: Option<u64>, sqlstate: Option<&str>) {
        let upstream_pid = self.upstream_pid();
        self.desk.note_end(running, outcome, rows, sqlstate, upstream_pid);
    }

    fn note_not_run(&mut self, left: &[Running]) {
        for running in left {
            self.end(running, Outcome::NotRun, None, None);
        }
    }
}

/// Whether a statement gives results of its own number.
fn gives_many(does: &Does) -> bool {
    does.iter().any(|facts| facts.command == "CALL")
}

fn only_reads(does: &Does) -> bool {
    does.iter().all(|facts| facts.read_only)
}

/// ER_OPTION_PREVENTS_STATEMENT (`--read-only`), ER_READ_ONLY_MODE.
const READ_ONLY: [u16; 2] = [1290, 1836];
/// ER_QUERY_INTERRUPTED, ER_QUERY_TIMEOUT, MariaDB's ER_STATEMENT_TIMEOUT, ER_CONNECTION_KILLED.
const INTERRUPTED: [u16; 4] = [1317, 3024, 1969, 1927];
