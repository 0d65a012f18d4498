//! COM_RESET_CONNECTION and COM_CHANGE_USER: the session begins anew.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    greet,
    names::Names,
    session::{Entrance, Session, State},
};
use crate::{
    model::{
        ids::SessionId,
        refusal::{Refusal, RefusalCode},
    },
    session::{
        end::End,
        judge::Refused,
        login::mysql::{Caller, Changed, change_user},
        who::Who,
    },
    wire::mysql::handshake::ChangeUser,
};

impl Session {
    /// COM_RESET_CONNECTION.
    pub(super) fn reset_connection(&mut self, next: u8) {
        self.forget();
        self.settings.reset();
        self.names.reset();
        self.say_ok(next);
    }

    /// What was open is rolled back, what was held is gone, and the connections go home to be reset.
    fn forget(&mut self) {
        self.lanes.close(Some(self.home_state()));
        self.held.clear();
        self.end_transaction();
        self.state = State::new(self.capabilities);
    }

    /// COM_CHANGE_USER: a login anew, on the same connection and under the same number.
    ///
    /// # Errors
    /// When it fails: the session is over, as it is on the server.
    pub(super) async fn change_user(&mut self, asked: ChangeUser, next: u8) -> Result<(), End> {
        if self.client.has_unread() {
            let message = "a command behind COM_CHANGE_USER, before that was answered";
            return Err(End::Fatal(Refusal::new(RefusalCode::ProtocolViolation, message)));
        }
        self.forget();
        self.cancelling.arrived().await;
        // The exchange writes to the connection itself: what waits goes first, when its records are written.
        self.desk.record_ends().await?;
        self.client.say_all().await.map_err(|_| End::ClientClosed)?;
        let peer = self.client.stream.peer();
        let session = SessionId::new(Uuid::now_v7());
        let caller = Caller { session, peer, nonce: self.nonce, sequence: next };
        let Entrance { door, lobby, .. } = &self.entrance;
        let (stream, framing) = self.client.line();
        let changed = change_user(stream, framing, caller, asked, door, lobby).await;
        let changed = changed.map_err(|error| {
            tracing::debug!(%peer, %error, "change of user failed");
            // It has been told.
            self.state.said_fatal = true;
            End::ClientClosed
        })?;
        self.become_another(session, changed).await
    }

    async fn become_another(&mut self, session: SessionId, changed: Changed) -> Result<(), End> {
        let Changed { sequence, principal, place, charset, nonce, application, .. } = changed;
        let here = &self.desk.who;
        if *principal.name != *here.principal.name || place.target != here.place.target {
            let room = self.desk.gate.room_for(&principal.name, &place.target, self.entrance.per_principal);
            room.map_err(|refusal| self.turn_out(sequence, refusal.into()))?;
        }
        self.desk.record_session_end(&End::ClientClosed).await;
        let (client, now) = (self.client.stream.peer(), self.desk.now());
        self.desk.change(Arc::new(Who::new(session, principal, place, client, application, now)));
        self.nonce = nonce;
        self.charset = charset.unwrap_or(self.charset);
        let opened = greet::open(&self.desk.gate, &self.desk.place, self.capabilities, self.charset).await;
        let entered = match opened {
            Ok(opened) => {
                self.names = Names::new(opened.context);
                self.settings = opened.settings;
                self.enter_database().await
            }
            Err(refusal) => Err(refusal.into()),
        };
        match entered {
            Ok(()) => {
                self.say_ok(sequence);
                Ok(())
            }
            Err(refused) => Err(self.turn_out(sequence, refused)),
        }
    }

    /// Ends the session with the answer to the login.
    fn turn_out(&mut self, sequence: u8, refused: Refused) -> End {
        self.say_refused(sequence, &refused);
        self.state.said_fatal = true;
        End::Fatal(refused.refusal)
    }
}
