//! What a session holds by name: prepared statements, and the cursors and portals that run them.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;

use crate::{
    model::{
        name_context::NameContext,
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    session::{gate::HeldLimits, running::Does},
};

/// A prepared statement; protocol and SQL share one set of names.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Text of the statement itself, as judged and as sent.
    pub(super) text: Arc<str>,
    /// The Parse message that makes it again on another connection; one of SQL's PREPARE has none, and ties the
    /// session to its connection.
    pub(super) message: Option<Bytes>,
}

impl Prepared {
    fn bytes(&self) -> usize {
        self.text.len() + self.message.as_ref().map_or(0, Bytes::len)
    }
}

/// A prepared statement in its place among the others.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// The statement.
    pub(super) prepared: Arc<Prepared>,
    /// Which lanes' connections have it.
    on: [bool; 3],
    /// What it was last found to do, and in which context.
    memo: Option<(Arc<NameContext>, Does)>,
}

impl Slot {
    /// Whether the connection of `lane` has it.
    pub(super) fn is_on(&self, lane: Lane) -> bool {
        self.on.get(lane as usize).copied().unwrap_or_default()
    }

    /// Notes that the connection of `lane` has it.
    pub(super) fn put_on(&mut self, lane: Lane) {
        if let Some(on) = self.on.get_mut(lane as usize) {
            *on = true;
        }
    }

    /// What it does in `context`, if that was asked before.
    pub(super) fn recall(&self, context: &Arc<NameContext>) -> Option<Does> {
        let (known, does) = self.memo.as_ref()?;
        Arc::ptr_eq(known, context).then(|| Arc::clone(does))
    }

    /// Keeps what it does in `context`.
    pub(super) fn remember(&mut self, context: &Arc<NameContext>, does: &Does) {
        self.memo = Some((Arc::clone(context), Arc::clone(does)));
    }
}

/// A portal of the protocol or a cursor of SQL; they share one set of names.
#[derive(Clone, Debug)]
pub(super) struct Portal {
    /// What it runs, as found when it was made: the plan is of that moment.
    pub(super) does: Does,
    /// Its text, for the audit log.
    pub(super) text: Arc<str>,
    /// Where it lives.
    pub(super) lane: Lane,
    /// The block of messages in which it was made; it ends with it, or with the transaction of that block.
    pub(super) block: u64,
    /// Survives the transaction (WITH HOLD).
    pub(super) hold: bool,
}

/// Everything that one session holds by name, bounded in number and bytes.
#[derive(Clone, Debug)]
pub(super) struct Held {
    prepared: HashMap<Box<str>, Slot>,
    portals: HashMap<Box<str>, (u64, Portal)>,
    /// Portals opened so far.
    opened: u64,
    bytes: usize,
    limits: HeldLimits,
}

impl Held {
    /// Holds nothing yet.
    pub(super) fn new(limits: HeldLimits) -> Self {
        Self { prepared: HashMap::new(), portals: HashMap::new(), opened: 0, bytes: 0, limits }
    }

    /// Whether one more of `text_bytes` may be prepared.
    ///
    /// # Errors
    /// `ProgramLimitExceeded`.
    pub(super) fn room_for(&self, text_bytes: usize) -> Result<(), Refusal> {
        self.limits.check_prepared(self.prepared.len() + 1, self.bytes + 2 * text_bytes)
    }

    /// Whether one more portal may be made.
    ///
    /// # Errors
    /// `ProgramLimitExceeded`.
    pub(super) fn room_for_portal(&self) -> Result<(), Refusal> {
        if self.portals.len() < self.limits.count {
            return Ok(());
        }
        let message = format!("a session may hold {} cursors", self.limits.count);
        Err(Refusal::new(RefusalCode::ProgramLimitExceeded, message).with_hint("Close some of them."))
    }

    /// Holds a prepared statement, in place of one of that name.
    pub(super) fn prepare(&mut self, name: &str, prepared: Arc<Prepared>) -> &mut Slot {
        self.deallocate(name);
        self.bytes += prepared.bytes();
        self.prepared.entry(name.into()).or_insert(Slot { prepared, on: [false; 3], memo: None })
    }

    /// A prepared statement.
    pub(super) fn prepared(&mut self, name: &str) -> Option<&mut Slot> {
        self.prepared.get_mut(name)
    }

    /// Lets a prepared statement go.
    pub(super) fn deallocate(&mut self, name: &str) {
        if let Some(slot) = self.prepared.remove(name) {
            self.bytes -= slot.prepared.bytes();
        }
    }

    /// Its Parse failed on the connection of `lane`. If it was the client's own and no connection has it, it is
    /// let go, unless another statement has taken its name since.
    pub(super) fn failed(&mut self, name: &str, prepared: &Arc<Prepared>, lane: Lane, own: bool) {
        let Some(slot) = self.prepared.get_mut(name).filter(|slot| Arc::ptr_eq(&slot.prepared, prepared))
        else {
            return;
        };
        if let Some(on) = slot.on.get_mut(lane as usize) {
            *on = false;
        }
        if own && slot.on == [false; 3] {
            self.deallocate(name);
        }
    }

    /// The named prepared statements that the connection of `lane` has.
    pub(super) fn names_on(&self, lane: Lane) -> Vec<Box<str>> {
        let on = self.prepared.iter().filter(|(name, slot)| !name.is_empty() && slot.is_on(lane));
        on.map(|(name, _)| name.clone()).collect()
    }

    /// Lets all prepared statements go.
    pub(super) fn deallocate_all(&mut self) {
        self.prepared.clear();
        self.bytes = 0;
    }

    /// Notes that the connection of `lane` has lost its unnamed statement: a Query of the gateway's own ended it.
    pub(super) fn forget_unnamed(&mut self, lane: Lane) {
        if let Some(on) = self.prepared.get_mut("").and_then(|slot| slot.on.get_mut(lane as usize)) {
            *on = false;
        }
    }

    /// Notes that the connection of `lane` has none of them.
    pub(super) fn forget_lane(&mut self, lane: Lane) {
        for slot in self.prepared.values_mut() {
            if let Some(on) = slot.on.get_mut(lane as usize) {
                *on = false;
            }
        }
    }

    /// Opens a portal, in place of one of that name; gives its number, which no other ever has.
    pub(super) fn open(&mut self, name: &str, portal: Portal) -> u64 {
        self.opened += 1;
        self.portals.insert(name.into(), (self.opened, portal));
        self.opened
    }

    /// A portal.
    pub(super) fn portal(&self, name: &str) -> Option<&Portal> {
        self.portals.get(name).map(|(_, portal)| portal)
    }

    /// The number of a portal.
    pub(super) fn portal_number(&self, name: &str) -> Option<u64> {
        self.portals.get(name).map(|(number, _)| *number)
    }

    /// Closes the portal of this number, if it still has the name.
    pub(super) fn close_number(&mut self, name: &str, number: u64) {
        if self.portal_number(name) == Some(number) {
            self.close(name);
        }
    }

    /// Closes a portal.
    pub(super) fn close(&mut self, name: &str) {
        self.portals.remove(name);
    }

    /// Closes all portals.
    pub(super) fn close_all(&mut self) {
        self.portals.clear();
    }

    /// A transaction ended with the blocks before `block`: portals that do not outlive it are gone.
    pub(super) fn end_transaction(&mut self, block: u64) {
        if !self.portals.is_empty() {
            self.portals.retain(|_, (_, portal)| portal.hold || portal.block >= block);
        }
    }

    /// None of the cursors that outlive their transaction is there any longer.
    pub(super) fn close_holding(&mut self) {
        self.portals.retain(|_, (_, portal)| !portal.hold);
    }

    /// Whether some cursor outlives its transaction.
    pub(super) fn has_holding(&self) -> bool {
        self.portals.values().any(|(_, portal)| portal.hold)
    }
}
