//! What a session holds by name: prepared statements, and the cursors and portals that run them.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Instant,
};

use bytes::Bytes;
use foldhash::fast::RandomState;

use super::reading::Reading;
use crate::{
    model::{
        name_context::NameContext,
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    session::{gate::HeldLimits, running::Does},
    upstream::postgres::StatementName,
    wire::postgres::shape::Shape,
};

/// A prepared statement; protocol and SQL share one set of names.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Text of the statement itself, as judged.
    pub(super) text: Arc<str>,
    /// How it was prepared.
    pub(super) made: Made,
    /// What it returns, once its client was told: a client reads rows by that.
    pub(super) shape: OnceLock<Shape>,
}

/// How a statement was prepared, and what makes it again elsewhere: the text and types of its Parse, as sent.
#[derive(Debug)]
pub(super) enum Made {
    /// By SQL's PREPARE: it stands on the session's connection under its own name, and ties the session to it.
    BySql,
    /// By a Parse with a name: it stands on connections under a name of the gateway's.
    Named(Bytes),
    /// By a Parse without one.
    Unnamed(Bytes),
}

impl Prepared {
    pub(super) const fn new(text: Arc<str>, made: Made) -> Self {
        Self { text, made, shape: OnceLock::new() }
    }

    /// Text and types of its Parse.
    pub(super) const fn parse(&self) -> Option<&Bytes> {
        match &self.made {
            Made::BySql => None,
            Made::Named(parse) | Made::Unnamed(parse) => Some(parse),
        }
    }

    fn bytes(&self) -> usize {
        self.text.len() + self.parse().map_or(0, Bytes::len)
    }
}

/// A prepared statement in its place among the others.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// The statement.
    pub(super) prepared: Arc<Prepared>,
    /// When its client prepared it.
    pub(super) prepared_at: Instant,
    /// What each lane's connection has under the statement's own name.
    on: [Own; 3],
    /// What it was last found to do, and in which context.
    memo: Option<(Arc<NameContext>, Does)>,
    /// What it is called on connections where texts are read so.
    called: Option<(Reading, StatementName)>,
}

/// What stands on a connection under the own name of a prepared statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// Nothing.
    Nothing,
    /// Something else, so that it can be deallocated.
    Placeholder,
    /// The statement.
    Statement,
}

impl Slot {
    fn new(prepared: Arc<Prepared>) -> Self {
        Self { prepared, prepared_at: Instant::now(), on: [Own::Nothing; 3], memo: None, called: None }
    }

    /// What the connection of `lane` has under its own name.
    pub(super) fn own_on(&self, lane: Lane) -> Own {
        self.on.get(lane as usize).copied().unwrap_or(Own::Nothing)
    }

    /// Notes what the connection of `lane` has under its own name.
    pub(super) fn put_on(&mut self, lane: Lane, own: Own) {
        if let Some(on) = self.on.get_mut(lane as usize) {
            *on = own;
        }
    }

    /// What it is called on connections where texts are read as in `reading`; `None` if it stands under its own name.
    pub(super) fn called_in(&mut self, reading: &Reading) -> Option<StatementName> {
        let Made::Named(parse) = &self.prepared.made else { return None };
        if let Some((known, name)) = &self.called
            && known.is(reading)
        {
            return Some(name.clone());
        }
        let name = reading.name_of(parse);
        self.called = Some((reading.clone(), name.clone()));
        Some(name)
    }

    /// What it was called last.
    pub(super) fn called(&self) -> Option<&StatementName> {
        self.called.as_ref().map(|(_, name)| name)
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
    /// The statement with a name that it runs.
    pub(super) prepared: Option<Arc<Prepared>>,
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
    prepared: HashMap<Box<str>, Slot, RandomState>,
    portals: HashMap<Box<str>, (u64, Portal), RandomState>,
    /// Portals opened so far.
    opened: u64,
    bytes: usize,
    limits: HeldLimits,
}

impl Held {
    /// Holds nothing yet.
    pub(super) fn new(limits: HeldLimits) -> Self {
        Self { prepared: HashMap::default(), portals: HashMap::default(), opened: 0, bytes: 0, limits }
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
        self.prepared.entry(name.into()).or_insert_with(|| Slot::new(prepared))
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
        slot.put_on(lane, Own::Nothing);
        if own && slot.on == [Own::Nothing; 3] {
            self.deallocate(name);
        }
    }

    /// Every name, for those who have to look at all of them.
    pub(super) fn names(&self) -> Vec<Box<str>> {
        self.prepared.keys().filter(|name| !name.is_empty()).cloned().collect()
    }

    /// The statement whose name on connections stands in a message, and its own name.
    pub(super) fn called_in(&self, message: &[u8]) -> Option<(&str, &StatementName)> {
        let mut called = self.prepared.iter().filter_map(|(name, slot)| Some((&**name, slot.called()?)));
        called.find(|(_, called)| memchr::memmem::find(message, called.as_str().as_bytes()).is_some())
    }

    /// The prepared statements that the connection of `lane` has under their own names.
    pub(super) fn names_on(&self, lane: Lane) -> Vec<Box<str>> {
        let is_on = |slot: &Slot| slot.own_on(lane) != Own::Nothing;
        let on = self.prepared.iter().filter(|(name, slot)| !name.is_empty() && is_on(slot));
        on.map(|(name, _)| name.clone()).collect()
    }

    /// Lets all prepared statements go.
    pub(super) fn deallocate_all(&mut self) {
        self.prepared.clear();
        self.bytes = 0;
    }

    /// Notes that the connection of `lane` has lost its unnamed statement: a Query of the gateway's own ended it.
    pub(super) fn forget_unnamed(&mut self, lane: Lane) {
        if let Some(slot) = self.prepared.get_mut("") {
            slot.put_on(lane, Own::Nothing);
        }
    }

    /// Notes that the connection of `lane` has none of them under their own names.
    pub(super) fn forget_lane(&mut self, lane: Lane) {
        self.prepared.values_mut().for_each(|slot| slot.put_on(lane, Own::Nothing));
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
