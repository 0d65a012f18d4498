//! What passes a lease of PostgreSQL.

use std::{sync::Arc, time::Duration};

use bytes::BytesMut;

use super::{
    message::{self, Proof, ProtocolMessage},
    protocol::{Postgres, Settings},
    setup::Setup,
    statements::Statements,
};
use crate::{
    audit::Receipt,
    metrics::StatementCounts,
    model::ids::DatabaseName,
    policy::{Leave, Permit},
    upstream::{error::UpstreamError, lease::Lease},
    wire::postgres::upstream::set_parameter,
};

impl Lease<Postgres> {
    /// Appends a Query or an Execute: it runs.
    ///
    /// # Errors
    /// `WrongLane` if the permit is for a higher lane, `Misuse` if `message` is not exactly one such message;
    /// nothing is appended then.
    pub fn send_statement(
        &mut self,
        message: &[u8],
        permit: &Permit,
        _stored: &Receipt,
    ) -> Result<(), UpstreamError> {
        self.check_lane(permit)?;
        self.append(message, Proof::PermitAndReceipt)?;
        self.note_running();
        Ok(())
    }

    /// Appends a Parse: its text is parsed, and does not run yet.
    ///
    /// # Errors
    /// As [`Lease::send_statement`].
    pub fn send_prepare(&mut self, message: &[u8], leave: &impl Leave) -> Result<(), UpstreamError> {
        self.check_lane(leave)?;
        self.append(message, Proof::Permit)
    }

    /// Appends a message that carries no SQL and starts nothing.
    ///
    /// # Errors
    /// `Misuse` for every other message, or when a CopyData that was begun is not complete; nothing is appended then.
    pub fn send_protocol(&mut self, message: ProtocolMessage<'_>) -> Result<(), UpstreamError> {
        match message {
            ProtocolMessage::Framed(framed) => self.append(framed, Proof::None),
            ProtocolMessage::Flush => self.append(b"H\0\0\0\x04", Proof::None),
            ProtocolMessage::Sync => self.append(b"S\0\0\0\x04", Proof::None),
            ProtocolMessage::CopyDataStart(start) => {
                self.check_whole()?;
                self.connection.session.copy_data_owed = message::copy_data_owed(start)?;
                self.connection.output.extend_from_slice(start);
                Ok(())
            }
            ProtocolMessage::CopyDataRest(rest) => {
                let Some(owed) = self.connection.session.copy_data_owed.checked_sub(rest.len()) else {
                    return Err(UpstreamError::Misuse { what: "a CopyData goes beyond its length" });
                };
                self.connection.session.copy_data_owed = owed;
                self.connection.output.extend_from_slice(rest);
                Ok(())
            }
        }
    }

    /// Appends a statement of the gateway's own; its replies are the caller's to read.
    ///
    /// # Errors
    /// `Misuse` if a value cannot be quoted, or if it would let the read lane write; nothing is appended then.
    pub fn send_setup(&mut self, setup: Setup<'_>) -> Result<(), UpstreamError> {
        self.check_whole()?;
        setup.on_lane(self.slot.lane())?.encode(&mut self.connection.output)
    }

    /// Runs statements of the gateway's own, one after the other, and waits for their answers. Only while nothing
    /// else is under way; what the upstream reports of its parameters is kept.
    ///
    /// # Errors
    /// `Misuse`, `Refused`, `Timeout`, `Lost`, `Unexpected`; the lease is of no further use then.
    pub async fn run_setup(&mut self, setups: &[Setup<'_>], limit: Duration) -> Result<(), UpstreamError> {
        for setup in setups {
            self.send_setup(*setup)?;
        }
        match tokio::time::timeout(limit, self.connection.collect(setups.len())).await {
            Ok(answers) => answers.map(|_| ()),
            Err(_) => Err(self.late()),
        }
    }

    /// Takes the NotificationResponses that came while [`Lease::run_setup`] waited.
    pub fn take_notifications(&mut self) -> BytesMut {
        self.connection.session.notifications.split()
    }

    /// ParameterStatus as of the login or the last reset, in the order of arrival.
    pub fn parameters(&self) -> &[(String, String)] {
        &self.connection.session.logged_in.parameters
    }

    /// Keeps a ParameterStatus that arrived during the lease, so that the next one knows it.
    pub fn record_parameter(&mut self, name: &str, value: &str) {
        set_parameter(&mut self.connection.session.logged_in.parameters, name, value);
    }

    /// The settings that the connection has beside those of its login.
    pub fn settings(&self) -> &Settings {
        &self.connection.session.settings
    }

    /// Notes the settings that were made on the connection, all of them and nothing else.
    pub fn keep_settings(&mut self, settings: &Arc<Settings>) {
        self.connection.session.settings = Arc::clone(settings);
    }

    /// What the gateway had the connection call itself last, as far as that still holds.
    pub const fn tag(&self) -> Option<&Arc<str>> {
        self.connection.session.tag.as_ref()
    }

    /// Notes what the connection calls itself; `None` is not known.
    pub fn keep_tag(&mut self, tag: Option<Arc<str>>) {
        self.connection.session.tag = tag;
    }

    /// The prepared statements that stand there under names of the gateway's.
    pub const fn statements_mut(&mut self) -> &mut Statements {
        &mut self.connection.session.statements
    }

    /// How many of them there may be.
    pub fn statement_limit(&self) -> usize {
        self.slot.target().pool.prepared_statements
    }

    /// What is counted of them.
    pub fn statement_counts(&self) -> &StatementCounts {
        self.slot.statements()
    }

    /// The `search_path` of the connection after login and after every reset, as `current_setting` shows it.
    pub fn search_path(&self) -> &str {
        &self.connection.session.search_path
    }

    /// The process of the upstream's session; `None` if it did not say.
    pub fn process_id(&self) -> Option<i32> {
        self.connection.session.logged_in.key.as_ref().map(|key| key.process_id)
    }

    /// The database.
    pub const fn database(&self) -> &DatabaseName {
        &self.connection.home
    }

    fn check_whole(&self) -> Result<(), UpstreamError> {
        if self.connection.session.copy_data_owed > 0 {
            return Err(UpstreamError::Misuse { what: "a CopyData that was begun is not complete" });
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8], held: Proof) -> Result<(), UpstreamError> {
        self.check_whole()?;
        message::check(bytes, held)?;
        self.connection.output.extend_from_slice(bytes);
        Ok(())
    }
}
