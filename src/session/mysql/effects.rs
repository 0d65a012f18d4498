//! What a statement that succeeded leaves in the session.

use super::{names::Names, session::Session, settings::can_be_made_again};
use crate::{
    model::{
        facts::{Facts, SessionEffect, StatementKind, Tie, TransactionEffect},
        object::Object,
    },
    session::{
        judge::what_happens,
        modes::opens,
        running::Does,
        ties::{self, Reason},
    },
    wire::mysql::{response::Completion, status::Status, track::StateChange},
};

impl Session {
    /// The server is done with a statement, or with one result of it: what it says of the session is true now.
    pub(super) fn on_status(&mut self, completion: &Completion) {
        self.state.status = completion.status.without(Status::MORE_RESULTS);
        if completion.last_insert_id != 0 {
            self.state.last_insert_id = completion.last_insert_id;
        }
        for change in &completion.changes {
            if let StateChange::Schema(database) = change {
                self.use_database(&database.as_str().into());
                self.note_database();
            }
        }
        if completion.status.has(Status::DATABASE_DROPPED) {
            self.state.unknown = true;
        }
        if !self.in_transaction() {
            self.desk.deeds.forget();
        }
        self.state.diagnostics = self.state.asks_diagnostics
            || completion.warnings > 0
            || completion.affected_rows > 0
            || completion.last_insert_id != 0;
        self.lanes.note_used(completion.last_insert_id);
    }

    /// A statement succeeded.
    pub(super) fn apply_effects(&mut self, does: &Does) {
        let next_modes = std::mem::take(&mut self.state.next_modes);
        for facts in what_happens(does) {
            self.state.next_modes |= match facts.transaction {
                TransactionEffect::SetModes { session, .. } => !session,
                _ => next_modes && matches!(facts.kind, StatementKind::Set | StatementKind::Show),
            };
            if facts.effects.is_empty() && facts.transaction == TransactionEffect::None {
                continue;
            }
            self.apply_to_held(facts);
            self.state.unknown |= !self.names.apply(facts);
            self.follow_database();
            let before = self.settings.version();
            self.settings.apply(facts);
            self.lanes.note_settings(before, self.settings.version());
            self.note_ties(facts);
            for effect in &facts.effects {
                match effect {
                    SessionEffect::UseDatabase(_) => self.note_database(),
                    SessionEffect::LockTables => self.state.locked = true,
                    SessionEffect::UnlockTables => self.state.locked = false,
                    SessionEffect::ReadsDiagnostics => self.state.asks_diagnostics = true,
                    SessionEffect::Set { .. }
                    | SessionEffect::ResetAll
                    | SessionEffect::DiscardAll
                    | SessionEffect::DiscardTemporary
                    | SessionEffect::CreateTemporary(_)
                    | SessionEffect::DropRelation(_)
                    | SessionEffect::Prepare { .. }
                    | SessionEffect::Deallocate(_)
                    | SessionEffect::DeclareCursor { .. }
                    | SessionEffect::CloseCursor(_)
                    | SessionEffect::Pin
                    | SessionEffect::Ties(_)
                    | SessionEffect::Releases(_)
                    | SessionEffect::Vacates(_)
                    | SessionEffect::Define
                    | SessionEffect::ShowsApplication
                    | SessionEffect::ShowsPrivileges
                    | SessionEffect::ShowsReadOnly
                    | SessionEffect::ContextUnknown => {}
                }
            }
        }
        self.check_reading();
    }

    /// A statement failed: what it did before that is not undone everywhere.
    pub(super) fn apply_failure(&mut self, does: &Does, errno: u16) {
        for facts in what_happens(does) {
            let known = self.names.context().temporary.len();
            self.names.apply_failure(facts, errno);
            if self.names.context().temporary.len() < known {
                // Some of them may still be there.
                self.lanes.stick(Reason::Unknown, &self.desk.metrics);
            }
            if self.note_locks(facts) {
                // It may have them for all that.
                self.lanes.stick(Reason::Lock, &self.desk.metrics);
                self.lanes.doubt_ties();
            }
            self.state.unknown |= facts.effects.iter().any(Names::may_change_reading);
        }
    }

    /// What the server's flags say of its reading is held against ours.
    fn check_reading(&mut self) {
        let Some(reading) = self.names.context().mysql else { return };
        if self.state.status.has(Status::NO_BACKSLASH_ESCAPES) != reading.no_backslash_escapes {
            self.state.unknown = true;
        }
    }

    fn note_database(&mut self) {
        let database = self.names.context().database.clone();
        self.lanes.note_database(&database);
    }

    /// Notes the locks that a statement takes; whether there are any.
    fn note_locks(&mut self, facts: &Facts) -> bool {
        let mut any = false;
        for effect in &facts.effects {
            if let SessionEffect::Ties(Tie::NamedLock(name)) = effect {
                self.lanes.note_lock(name.as_ref());
                any = true;
            }
        }
        any
    }

    /// What a statement leaves on its connection may tie the session to it.
    fn note_ties(&mut self, facts: &Facts) {
        let untold = facts.effects.iter().any(|effect| match effect {
            SessionEffect::Set { value, .. } => !can_be_made_again(value.as_deref()),
            _ => false,
        });
        let untold = untold.then_some(Reason::Unknown);
        for reason in reasons(facts).chain(untold) {
            self.lanes.stick(reason, &self.desk.metrics);
        }
        let _locks = self.note_locks(facts);
        if ties::may_release(facts) {
            self.lanes.doubt_ties();
        }
        if matches!(facts.transaction, TransactionEffect::SetModes { session: true, .. }) {
            self.lanes.forget_read_only();
        }
    }

    /// Asks the server what the session is set to, where a statement may have changed that out of sight.
    ///
    /// # Errors
    /// Why the session cannot go on.
    pub(super) async fn learn_state(&mut self) -> Result<(), crate::session::end::End> {
        use crate::session::{end::End, gate::SETUP_TIMEOUT};
        if !std::mem::take(&mut self.state.unknown) {
            return Ok(());
        }
        let Some(lease) = self.lanes.active_lease_mut() else { return Ok(()) };
        let read = lease.read_state(SETUP_TIMEOUT).await;
        let state = read.map_err(|error| End::Upstream(error.to_string()))?.clone();
        let database = state.database.as_deref().unwrap_or_default().to_owned();
        self.use_database(&database.as_str().into());
        self.note_database();
        let before = self.settings.version();
        for (name, value) in [
            ("sql_mode", format!("'{}'", state.sql_mode)),
            ("character_set_client", state.character_set_client.clone()),
            ("character_set_connection", state.character_set_connection.clone()),
            ("collation_connection", state.collation_connection.clone()),
            (
                "character_set_results",
                state.character_set_results.clone().unwrap_or_else(|| "NULL".to_owned()),
            ),
        ] {
            self.settings.set(&name.into(), Some(value));
        }
        self.lanes.note_settings(before, self.settings.version());
        self.names.learn(&state.sql_mode, &state.character_set_client).map_err(|_| End::Fatal(unreadable()))
    }
}

/// Why a session stays with the connection on which `facts` have run. Modes that were set as settings can be set again,
/// and the server is asked for what a statement set out of sight.
fn reasons(facts: &Facts) -> impl Iterator<Item = Reason> {
    let sets = facts.effects.iter().any(|effect| matches!(effect, SessionEffect::Set { .. }));
    let pins = facts.effects.contains(&SessionEffect::Pin);
    ties::reasons(facts).filter(move |reason| match reason {
        Reason::TransactionModes => !sets,
        Reason::Unknown => pins,
        Reason::Cursor
        | Reason::Listen
        | Reason::Lock
        | Reason::Prepared
        | Reason::SearchPath
        | Reason::Temporary
        | Reason::UserVariable => true,
    })
}

/// Whether a statement opens a transaction, or ties the session to its connection: then the strongest lane is
/// taken at once, because neither can be moved later.
pub(super) fn opens_or_ties(facts: &Facts) -> bool {
    opens(facts)
        || reasons(facts).next().is_some()
        || facts.effects.iter().any(|effect| matches!(effect, SessionEffect::LockTables))
}

/// Whether a statement shows what the account that asks may do.
pub(super) fn shows_privileges(facts: &Facts) -> bool {
    facts.effects.contains(&SessionEffect::ShowsPrivileges)
}

/// Whether a statement only asks what the one before it left, and nothing of any table.
pub(super) fn asks_diagnostics_only(facts: &Facts) -> bool {
    facts.read_only
        && facts.calls.is_empty()
        && facts.effects.iter().any(|effect| matches!(effect, SessionEffect::ReadsDiagnostics))
        && !facts.accesses.iter().any(|access| matches!(access.object, Object::Relation { .. }))
}

fn unreadable() -> crate::model::refusal::Refusal {
    use crate::model::refusal::{Refusal, RefusalCode};
    Refusal::new(
        RefusalCode::NotSupported,
        "the session was set to a mode or character set that is not let through",
    )
    .with_hint("Use utf8mb4 and no sql_mode of another grammar.")
}
