//! Describe: what a prepared statement or a portal returns.

use std::sync::Arc;

use super::{judge::no_portal, messages, receive::Flow, session::Session, task::Task};
use crate::{
    policy::Leave,
    session::running::Does,
    upstream::ProtocolMessage,
    wire::postgres::{frame::Frame, frontend::Named, ledger::Owed},
};

impl Session {
    /// One Describe.
    pub(super) async fn describe(&mut self, frame: &Frame, named: Named<'_>) -> Flow {
        if self.ledger.is_skipping() {
            return Flow::Done;
        }
        if self.must_wait() || self.is_in_doubt(named) {
            return self.wait_for_replies();
        }
        let does = match named {
            Named::Portal(name) => match self.held.portal(name) {
                Some(portal) => Arc::clone(&portal.does),
                None => return self.refuse(no_portal(name)),
            },
            Named::Statement(name) => match self.prepared_does(name) {
                Ok(does) => does,
                Err(refusal) => return self.refuse(refusal),
            },
        };
        match (self.desk.decide(&does), named) {
            (Ok(permit), _) => self.show(frame, named, &does, &permit).await,
            (Err(refused), Named::Portal(name)) => match self.leaves_alone(self.held.portal_number(name)) {
                Ok(Some(claimed)) => match self.desk.goes_on(claimed) {
                    Ok(permit) => self.show(frame, named, &does, &permit).await,
                    Err(refusal) => self.refuse(refusal),
                },
                Ok(None) | Err(_) => self.refuse(refused.refusal),
            },
            (Err(refused), Named::Statement(name)) => {
                let text = self.held.prepared(name).map(|slot| Arc::clone(&slot.prepared.text));
                match self.approved_in_block(&text.unwrap_or_default(), &does) {
                    Some(once) => self.show(frame, named, &does, &once).await,
                    None => self.refuse(refused.refusal),
                }
            }
        }
    }

    async fn show(&mut self, frame: &Frame, named: Named<'_>, does: &Does, leave: &impl Leave) -> Flow {
        let lane = match self.enter_block(leave.lane(), does).await {
            Ok(Some(lane)) => lane,
            Ok(None) => return self.wait_for_replies(),
            Err(refusal) => return self.refuse(refusal),
        };
        let mut told = None;
        let mut message = None;
        match named {
            Named::Portal(name) => {
                told = self.held.portal(name).and_then(|portal| portal.prepared.clone());
            }
            Named::Statement(name) => {
                match self.remake(lane, name, leave) {
                    Ok(true) => {}
                    Ok(false) => return self.wait_for_replies(),
                    Err(refusal) => return self.refuse(refusal),
                }
                if let Some(called) = self.called(name) {
                    told = self.held.prepared(name).map(|slot| Arc::clone(&slot.prepared));
                    message = Some(messages::describe(called.as_str()));
                }
            }
        }
        self.send_protocol(ProtocolMessage::Framed(message.as_deref().unwrap_or(frame.bytes())));
        let made = told.as_ref().and_then(|told| self.made_of(lane, told));
        let of = Task::Describe { told, made };
        self.ledger.push(Owed::Describe { silent: false, of });
        Flow::Done
    }
}
