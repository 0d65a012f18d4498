//! What a session holds by name: prepared statements, and the cursors and portals that run them.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;

use crate::model::{
    facts::Facts,
    name_context::NameContext,
    refusal::{Refusal, RefusalCode},
    target::Lane,
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
    /// Survives the transaction (WITH HOLD).
    pub(super) hold: bool,
}

/// Everything that one session holds by name, bounded in number and bytes.
#[derive(Clone, Debug)]
pub(super) struct Held {
    prepared: HashMap<Box<str>, Slot>,
    portals: HashMap<Box<str>, Portal>,
    bytes: usize,
    limits: HeldLimits,
}

/// What a statement does, and what it runs by name.
pub(super) type Does = Arc<[Arc<Facts>]>;

/// Bounds of `Held`.
#[derive(Clone, Copy, Debug)]
pub struct HeldLimits {
    /// Prepared statements, and again portals, at one time.
    pub count: usize,
    /// Bytes of the prepared statements' texts.
    pub bytes: usize,
}

impl Held {
    /// Holds nothing yet.
    pub(super) fn new(limits: HeldLimits) -> Self {
        Self { prepared: HashMap::new(), portals: HashMap::new(), bytes: 0, limits }
    }

    /// Whether one more of `text_bytes` may be prepared.
    ///
    /// # Errors
    /// `ProgramLimitExceeded`.
    pub(super) fn room_for(&self, text_bytes: usize) -> Result<(), Refusal> {
        let over = if self.prepared.len() >= self.limits.count {
            format!("{} prepared statements", self.limits.count)
        } else if self.bytes + 2 * text_bytes > self.limits.bytes {
            format!("{} bytes of prepared statements", self.limits.bytes)
        } else {
            return Ok(());
        };
        Err(Refusal::new(RefusalCode::ProgramLimitExceeded, format!("a session may hold {over}"))
            .with_hint("Close (DEALLOCATE) the ones that are no longer needed."))
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

    /// Opens a portal, in place of one of that name.
    pub(super) fn open(&mut self, name: &str, portal: Portal) {
        self.portals.insert(name.into(), portal);
    }

    /// A portal.
    pub(super) fn portal(&self, name: &str) -> Option<&Portal> {
        self.portals.get(name)
    }

    /// Closes a portal.
    pub(super) fn close(&mut self, name: &str) {
        self.portals.remove(name);
    }

    /// Closes all portals.
    pub(super) fn close_all(&mut self) {
        self.portals.clear();
    }

    /// A transaction ended: portals that do not outlive it are gone.
    pub(super) fn end_transaction(&mut self) {
        if !self.portals.is_empty() {
            self.portals.retain(|_, portal| portal.hold);
        }
    }

    /// Whether some cursor outlives its transaction.
    pub(super) fn has_holding(&self) -> bool {
        self.portals.values().any(|portal| portal.hold)
    }
}
