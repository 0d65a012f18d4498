//! What the client says, command by command.

use super::{prepared::Execution, query::Form, session::Session};
use crate::{
    model::refusal::{Refusal, RefusalCode},
    session::{end::End, gate::OUTBOUND_HIGH_BYTES, judge::Refused, waiting::end_if_over},
    sql,
    wire::{
        WireError,
        mysql::{
            command::{Command, Query, RefusedCommand},
            error::{ErrorCode, ServerError},
            packet::{Packet, take_command},
            reply,
        },
    },
};

impl Session {
    /// Deals with what the client has sent, as far as it can be dealt with now: one command at a time.
    ///
    /// # Errors
    /// How the session ends.
    pub(super) async fn receive(&mut self) -> Result<(), End> {
        while self.takes_commands() {
            let packet = if self.pass_over_long().await? { self.next_packet()? } else { None };
            match packet {
                Some(packet) => self.handle(&packet).await?,
                None if self.client.open_more().map_err(|problem| self.broken(&problem))? => continue,
                None => return Ok(()),
            }
            // A statement that was answered at once may still have moved things.
            self.learn_state().await?;
        }
        Ok(())
    }

    /// Whether the next command can be dealt with.
    pub(super) fn takes_commands(&self) -> bool {
        self.flight.is_none() && self.client.outbound.len() < OUTBOUND_HIGH_BYTES
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, End> {
        let limit = self.desk.gate.limits.message_bytes;
        let numbers = self.client.numbers();
        take_command(&mut self.client.inbound, limit, numbers).map_err(|problem| self.broken(&problem))
    }

    /// Ends the session under the number that the server has for it.
    fn broken(&mut self, problem: &WireError) -> End {
        self.say_error(1, &ServerError::broken(problem));
        self.state.said_fatal = true;
        End::Fatal(problem.refusal())
    }

    async fn handle(&mut self, packet: &Packet) -> Result<(), End> {
        let next = packet.next_sequence();
        self.desk.reading = self.names.reading();
        match Command::read(packet.payload(), self.capabilities)? {
            Command::Quit => return Err(End::ClientClosed),
            Command::Ping => self.say_ok(next),
            Command::Query(Query { attributes, text }) => {
                if let Some(text) = self.text_of(without_end(text), next).await {
                    self.run_text(&text, Form::Query(attributes), next).await;
                }
            }
            Command::InitDb(name) => {
                if let Some(name) = self.text_of(name, next).await {
                    let text = format!("USE {}", quoted(&name));
                    self.run_text(&text, Form::Query(Default::default()), next).await;
                }
            }
            Command::FieldList { table, wildcard } => self.field_list(table, wildcard, next).await,
            Command::StmtPrepare(text) => {
                if let Some(text) = self.text_of(without_end(text), next).await {
                    self.prepare(&text, next).await;
                }
            }
            Command::StmtExecute(execute) => self.execute(Execution::One(execute), next).await?,
            Command::StmtBulkExecute(bulk) => self.execute(Execution::Bulk(bulk), next).await?,
            Command::StmtFetch { statement, rows } => self.fetch(statement, rows, next).await,
            Command::StmtClose(statement) => self.close_statement(statement),
            Command::StmtReset(statement) => self.reset_statement(statement, next),
            Command::StmtSendLongData { statement, parameter, data } => {
                self.long_data(statement, parameter, data);
            }
            Command::SetMultiStatements(on) => {
                self.state.multi_statements = on;
                let mut sequence = next;
                // EOF, also where it is not spoken elsewhere.
                let status = self.shown_status();
                reply::end(&mut self.client.outbound, &mut sequence, status, self.capabilities);
            }
            Command::Statistics => self.statistics(next),
            Command::ProcessInfo => {
                self.run_text("SHOW PROCESSLIST", Form::Query(Default::default()), next).await;
            }
            Command::ProcessKill(process) => {
                if !self.kill_process(process, next).await {
                    self.run_text(
                        &format!("KILL CONNECTION {process}"),
                        Form::Query(Default::default()),
                        next,
                    )
                    .await;
                }
            }
            Command::ResetConnection => self.reset_connection(next),
            Command::ChangeUser(asked) => self.change_user(asked, next).await?,
            Command::Refused(RefusedCommand { name, .. }) => {
                let message = format!("{name} is not let through by the gateway");
                self.say(next, ErrorCode::UNKNOWN_COMMAND, &message);
            }
            Command::Unknown(code) => {
                self.say(next, ErrorCode::UNKNOWN_COMMAND, &format!("unknown command 0x{code:02x}"));
            }
        }
        end_if_over(&mut self.desk, &mut self.client)
    }

    /// A text as it is read; answers it if it cannot be.
    async fn text_of(&mut self, bytes: &[u8], next: u8) -> Option<String> {
        match sql::readable(bytes, self.names.context()) {
            Ok(text) => Some(text.into_owned()),
            Err(reason) => {
                let text = shown(bytes);
                let refused: Refused = crate::session::judge::refusal_of(&reason).into();
                let recorded = self.desk.record_refusal(&text, &[], &refused).await;
                self.say_refusal(next, &recorded.err().unwrap_or(refused.refusal));
                None
            }
        }
    }

    /// COM_FIELD_LIST shows what SHOW COLUMNS shows.
    async fn field_list(&mut self, table: &[u8], wildcard: &[u8], next: u8) {
        let (Some(name), Some(pattern)) =
            (self.text_of(table, next).await, std::str::from_utf8(wildcard).ok())
        else {
            return;
        };
        if pattern.contains(['\'', '\\']) {
            return self.say_refusal(next, &odd_pattern());
        }
        let like = if pattern.is_empty() { String::new() } else { format!(" LIKE '{pattern}'") };
        let text = format!("SHOW COLUMNS FROM {}{like}", quoted(&name));
        self.run_text(&text, Form::FieldList { table, wildcard }, next).await;
    }

    /// COM_STATISTICS is about the whole server: the gateway speaks of this session alone.
    fn statistics(&mut self, next: u8) {
        let who = &self.desk.who;
        let uptime = self.desk.now().duration_since(who.since).as_secs();
        let text = format!("Uptime: {uptime}  Threads: 1  Questions: {}", who.statement_count());
        let mut sequence = next;
        crate::wire::mysql::packet::write_packet(&mut self.client.outbound, &mut sequence, |out| {
            out.extend_from_slice(text.as_bytes());
        });
    }
}

/// A text without the zero byte that some clients send behind it (mysqlslap): the servers take one for the end.
fn without_end(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\0").unwrap_or(text)
}

/// A name that came without quotes.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text that cannot be read, for its record: bytes that are no UTF-8 as `\xff`.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

fn odd_pattern() -> Refusal {
    Refusal::new(RefusalCode::NotSupported, "a pattern of columns with a quote or a backslash")
}
