//! One session: everything that is its own.

use std::{collections::BTreeSet, sync::Arc};

use super::{flight::Flight, held::Held, lanes::Lanes, long::Long, names::Names, settings::Settings};
use crate::{
    model::{
        ids::Ident,
        object::Object,
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    session::{
        cancelling::Cancelling,
        client::ClientSide,
        desk::Desk,
        judge::Refused,
        login::{Door, mysql::Lobby},
    },
    upstream::HomeState,
    wire::mysql::{
        capability::Capabilities,
        error::{ErrorCode, ServerError},
        greeting::Nonce,
        reply::{self, OkReply},
        status::Status,
    },
};

/// One session, between its login and its end.
pub(super) struct Session {
    pub(super) desk: Desk,
    pub(super) client: ClientSide,
    /// What is negotiated with the client.
    pub(super) capabilities: Capabilities,
    /// Where it came in, for COM_CHANGE_USER.
    pub(super) entrance: Entrance,
    /// The number of the client's collation, as of its login.
    pub(super) charset: u16,
    /// What the client's next proof is bound to.
    pub(super) nonce: Nonce,
    pub(super) names: Names,
    pub(super) held: Held,
    pub(super) settings: Settings,
    pub(super) lanes: Lanes,
    /// The command that is under way, if one is.
    pub(super) flight: Option<Flight>,
    /// A command that is thrown away as it comes.
    pub(super) long: Option<Long>,
    pub(super) state: State,
    pub(super) cancelling: Cancelling,
}

/// Where a session came in.
#[derive(Clone, Debug)]
pub(in crate::session) struct Entrance {
    /// What the listener lets in.
    pub(in crate::session) door: Arc<Door>,
    /// What all listeners of the protocol share.
    pub(in crate::session) lobby: Arc<Lobby>,
    /// Sessions that a principal may have.
    pub(in crate::session) per_principal: usize,
}

/// What is known of the session as the server holds it.
#[derive(Debug)]
pub(super) struct State {
    /// As the last OK or EOF said.
    pub(super) status: Status,
    /// One COM_QUERY may hold several statements.
    pub(super) multi_statements: bool,
    /// LOCK TABLES is in force.
    pub(super) locked: bool,
    /// SET TRANSACTION was said for the next transaction.
    pub(super) next_modes: bool,
    /// What the connection is set to must be asked before anything else is read.
    pub(super) unknown: bool,
    /// The last statement left something that may be asked for where it ran.
    pub(super) diagnostics: bool,
    /// The session has asked for diagnostics before.
    pub(super) asks_diagnostics: bool,
    /// As the last OK that had one said; 0 is none.
    pub(super) last_insert_id: u64,
    /// What the gateway answered last in the server's place, until the server has run something again.
    pub(super) told: Option<ServerError>,
    /// Relations whose plans were shown, or that errors and warnings were about: the server's notes show rows of them.
    pub(super) planned: BTreeSet<Object>,
    /// The transaction was rolled back because it lost its grant, and the client does not know yet.
    pub(super) lost: Option<Refusal>,
    /// The client has been told that the session ends.
    pub(super) said_fatal: bool,
}

impl State {
    /// That of a session that has just begun.
    pub(super) const fn new(capabilities: Capabilities) -> Self {
        Self {
            status: Status::AUTOCOMMIT,
            multi_statements: capabilities.has(Capabilities::MULTI_STATEMENTS),
            locked: false,
            next_modes: false,
            unknown: false,
            diagnostics: false,
            asks_diagnostics: false,
            last_insert_id: 0,
            told: None,
            planned: BTreeSet::new(),
            lost: None,
            said_fatal: false,
        }
    }
}

impl Session {
    /// Whether a transaction is open, as far as the server has said.
    pub(super) const fn in_transaction(&self) -> bool {
        self.state.status.has(Status::IN_TRANSACTION)
    }

    /// What the connection in use goes home with, if nothing is under way.
    pub(super) const fn home_state(&self) -> HomeState {
        if self.in_transaction() || self.state.locked { HomeState::InTransaction } else { HomeState::Idle }
    }

    /// Whether a statement that touches a table commits by itself.
    pub(super) const fn autocommits(&self) -> bool {
        self.state.status.has(Status::AUTOCOMMIT)
    }

    /// The transaction is over without the server having said so.
    pub(super) fn end_transaction(&mut self) {
        self.state.status = self.state.status.without(Status::IN_TRANSACTION);
        self.state.next_modes = false;
        self.state.locked = false;
        self.desk.deeds.forget();
    }

    /// The lane that everything runs on until the transaction, or LOCK TABLES, is over.
    pub(super) fn bound_lane(&self) -> Option<Lane> {
        let bound = self.in_transaction() || self.state.locked || self.state.next_modes;
        self.lanes.active().filter(|_| bound)
    }

    /// Answers OK in the session's present state.
    pub(super) fn say_ok(&mut self, mut sequence: u8) {
        let reply = OkReply { status: self.shown_status(), ..OkReply::default() };
        reply::ok(&mut self.client.outbound, &mut sequence, reply);
    }

    /// Answers with a refusal.
    pub(super) fn say_refusal(&mut self, sequence: u8, refusal: &Refusal) {
        self.say_error(sequence, &ServerError::refused(refusal));
    }

    /// Answers with the refusal of a statement, under the number that the server would give.
    pub(super) fn say_refused(&mut self, sequence: u8, refused: &Refused) {
        self.say_error(sequence, &ServerError::refused_as(code_of(refused), &refused.refusal));
    }

    /// Answers with an error of this code.
    pub(super) fn say(&mut self, sequence: u8, code: ErrorCode, message: &str) {
        self.say_error(sequence, &ServerError::new(code, message));
    }

    /// Answers with an error.
    pub(super) fn say_error(&mut self, mut sequence: u8, error: &ServerError) {
        reply::err(&mut self.client.outbound, &mut sequence, error);
        self.state.told = Some(error.clone());
    }

    /// The status flags of an answer of the gateway's own.
    pub(super) fn shown_status(&self) -> Status {
        let mut status = self.state.status;
        for flag in [Status::MORE_RESULTS, Status::CURSOR_EXISTS, Status::LAST_ROW_SENT] {
            status = status.without(flag);
        }
        status
    }

    /// The current database; empty is none.
    pub(super) fn use_database(&mut self, database: &Ident) {
        self.names.use_database(database);
        self.follow_database();
    }

    /// What is decided and recorded next is so in the current database.
    pub(super) fn follow_database(&mut self) {
        let database = &self.names.context().database;
        if self.desk.place.database != *database {
            self.desk.who.move_to(database);
            self.desk.place.database = database.clone();
        }
    }
}

/// The number under which MySQL itself would refuse: of a whole database, of a routine, of what only administrators may,
/// and else of a table.
fn code_of(refused: &Refused) -> ErrorCode {
    let only = |fits: fn(&Object) -> bool| {
        !refused.missing.is_empty() && refused.missing.iter().all(|missing| fits(&missing.object))
    };
    if refused.refusal.code != RefusalCode::InsufficientPrivilege {
        ErrorCode::of(refused.refusal.code)
    } else if only(|object| {
        matches!(object, Object::Database | Object::Schema { .. } | Object::OtherDatabase { .. })
    }) {
        ErrorCode::DATABASE_DENIED
    } else if only(|object| matches!(object, Object::Server { .. })) {
        ErrorCode::ADMIN_ONLY
    } else if only(|object| matches!(object, Object::Routine { .. })) {
        ErrorCode::new(1370, "42000")
    } else {
        ErrorCode::TABLE_DENIED
    }
}
