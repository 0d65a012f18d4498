//! What a session holds by number or name: prepared statements.

use std::{collections::HashMap, sync::Arc};

use bytes::{Bytes, BytesMut};
use foldhash::fast::RandomState;

use crate::{
    model::{
        name_context::NameContext,
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    policy::Claimed,
    session::{gate::HeldLimits, running::Does},
};

/// A statement that the client prepared by the protocol.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// Its text as the client wrote it.
    pub(super) text: Arc<str>,
    /// What its names meant when it was prepared: they go on meaning that.
    pub(super) context: Arc<NameContext>,
    /// How many parameters it has.
    pub(super) parameters: u16,
    /// Its number on each lane's connection.
    on: [Option<u32>; 3],
    /// The types of its parameters as the client bound them last.
    pub(super) types: Option<Bytes>,
    /// The same was told to the connection of each lane.
    typed: [bool; 3],
    /// Pieces of its parameters' values, as commands for any connection.
    pub(super) long_data: Vec<(u16, BytesMut)>,
    /// More of them came than are kept.
    pub(super) overflowed: bool,
    /// A cursor is open on this lane's connection.
    pub(super) cursor: Option<Lane>,
    /// The leave that was used up when it was executed last, if it was: a cursor goes on with it.
    pub(super) once: Option<Claimed>,
    /// What it was last found to do, and in which context.
    memo: Option<(Arc<NameContext>, Does)>,
}

impl Slot {
    /// Its number on the connection of `lane`.
    pub(super) fn on(&self, lane: Lane) -> Option<u32> {
        self.on.get(lane as usize).copied().flatten()
    }

    /// Notes its number on the connection of `lane`.
    pub(super) fn put_on(&mut self, lane: Lane, statement: Option<u32>) {
        if let Some(on) = self.on.get_mut(lane as usize) {
            *on = statement;
        }
        if let Some(typed) = self.typed.get_mut(lane as usize) {
            *typed = false;
        }
        if statement.is_none() && self.cursor == Some(lane) {
            self.cursor = None;
        }
    }

    /// The types that the connection of `lane` has to be told beside an execution that does not say them.
    pub(super) fn missing_types(&self, lane: Lane) -> Option<&Bytes> {
        let typed = self.typed.get(lane as usize).copied().unwrap_or_default();
        self.types.as_ref().filter(|_| !typed)
    }

    /// The connection of `lane` was told the types.
    pub(super) fn told_types(&mut self, lane: Lane, types: Option<&[u8]>) {
        if let Some(types) = types
            && self.types.as_deref() != Some(types)
        {
            self.types = Some(Bytes::copy_from_slice(types));
            self.typed = [false; 3];
        }
        if let Some(typed) = self.typed.get_mut(lane as usize) {
            *typed = true;
        }
    }

    /// What it does in `context`, if that was asked before.
    pub(super) fn recall(&self, context: &Arc<NameContext>) -> Option<Does> {
        let (known, does) = self.memo.as_ref()?;
        (Arc::ptr_eq(known, context) || known == context).then(|| Arc::clone(does))
    }

    /// Keeps what it does in `context`.
    pub(super) fn remember(&mut self, context: &Arc<NameContext>, does: &Does) {
        self.memo = Some((Arc::clone(context), Arc::clone(does)));
    }

    fn long_bytes(&self) -> usize {
        self.long_data.iter().map(|(_, data)| data.len()).sum()
    }
}

/// A statement of SQL's PREPARE: its text, and what its names meant then.
pub(super) type Named = (Arc<str>, Arc<NameContext>);

/// Everything that one session holds, bounded in number and bytes.
#[derive(Clone, Debug)]
pub(super) struct Held {
    slots: HashMap<u32, Slot, RandomState>,
    /// Statements of SQL's PREPARE, by name in lower case.
    named: HashMap<Box<str>, Named, RandomState>,
    last: Option<u32>,
    next: u32,
    /// Of texts.
    bytes: usize,
    /// Of pieces of parameters' values.
    long_bytes: usize,
    limits: HeldLimits,
    /// What pieces may have together: as much as a message, in which the same values could come.
    message_bytes: usize,
}

impl Held {
    /// Holds nothing yet.
    pub(super) fn new(limits: HeldLimits, message_bytes: usize) -> Self {
        Self {
            slots: HashMap::default(),
            named: HashMap::default(),
            last: None,
            next: 0,
            bytes: 0,
            long_bytes: 0,
            limits,
            message_bytes,
        }
    }

    /// Whether one more of `text_bytes` may be prepared.
    ///
    /// # Errors
    /// `ProgramLimitExceeded`.
    pub(super) fn room_for(&self, text_bytes: usize) -> Result<(), Refusal> {
        self.limits.check_prepared(self.slots.len() + self.named.len() + 1, self.bytes + text_bytes)
    }

    /// Holds a statement under a number of its own.
    pub(super) fn prepare(&mut self, text: &Arc<str>, context: &Arc<NameContext>, does: &Does) -> u32 {
        loop {
            self.next = self.next.wrapping_add(1);
            // 0 is no number, and the largest one means the statement prepared last.
            if self.next != 0 && self.next != u32::MAX && !self.slots.contains_key(&self.next) {
                break;
            }
        }
        self.bytes += text.len();
        let slot = Slot {
            text: Arc::clone(text),
            context: Arc::clone(context),
            parameters: 0,
            on: [None; 3],
            types: None,
            typed: [false; 3],
            long_data: Vec::new(),
            overflowed: false,
            cursor: None,
            once: None,
            memo: Some((Arc::clone(context), Arc::clone(does))),
        };
        self.slots.insert(self.next, slot);
        self.last = Some(self.next);
        self.next
    }

    /// The number of the statement prepared last, unless preparing it failed.
    pub(super) const fn last(&self) -> Option<u32> {
        self.last
    }

    /// A statement.
    pub(super) fn slot(&mut self, number: u32) -> Option<&mut Slot> {
        self.slots.get_mut(&number)
    }

    /// Lets a statement go; gives it back.
    pub(super) fn close(&mut self, number: u32) -> Option<Slot> {
        let slot = self.slots.remove(&number)?;
        self.bytes = self.bytes.saturating_sub(slot.text.len());
        self.long_bytes = self.long_bytes.saturating_sub(slot.long_bytes());
        if self.last == Some(number) {
            self.last = None;
        }
        Some(slot)
    }

    /// Keeps a piece of a parameter's value until the statement runs.
    pub(super) fn keep_long_data(&mut self, number: u32, parameter: u16, data: &[u8]) {
        let room = self.long_bytes + data.len() <= self.message_bytes;
        let Some(slot) = self.slots.get_mut(&number) else { return };
        if !room {
            slot.overflowed = true;
            return;
        }
        self.long_bytes += data.len();
        match slot.long_data.iter_mut().find(|(known, _)| *known == parameter) {
            Some((_, kept)) => kept.extend_from_slice(data),
            None => slot.long_data.push((parameter, BytesMut::from(data))),
        }
    }

    /// Takes the pieces that were kept.
    pub(super) fn take_long_data(&mut self, number: u32) -> Vec<(u16, BytesMut)> {
        let Some(slot) = self.slots.get_mut(&number) else { return Vec::new() };
        self.long_bytes = self.long_bytes.saturating_sub(slot.long_bytes());
        slot.overflowed = false;
        std::mem::take(&mut slot.long_data)
    }

    /// A statement of SQL's PREPARE.
    pub(super) fn named(&self, name: &str) -> Option<&Named> {
        self.named.get(name)
    }

    /// Whether there is one.
    pub(super) fn has_named(&self) -> bool {
        !self.named.is_empty()
    }

    /// Holds a statement of SQL's PREPARE.
    pub(super) fn name(&mut self, name: &str, text: &str, context: &Arc<NameContext>) {
        self.forget_name(name);
        self.bytes += text.len();
        self.named.insert(name.into(), (text.into(), Arc::clone(context)));
    }

    /// Lets a statement of SQL's PREPARE go.
    pub(super) fn forget_name(&mut self, name: &str) {
        if let Some((text, _)) = self.named.remove(name) {
            self.bytes = self.bytes.saturating_sub(text.len());
        }
    }

    /// Holds nothing any longer.
    pub(super) fn clear(&mut self) {
        *self = Self { next: self.next, ..Self::new(self.limits, self.message_bytes) };
    }

    /// Notes that the connection of `lane` has none of them.
    pub(super) fn forget_lane(&mut self, lane: Lane) {
        self.slots.values_mut().for_each(|slot| slot.put_on(lane, None));
    }

    /// Whether a cursor is open on the connection of `lane`.
    pub(super) fn has_cursor_on(&self, lane: Lane) -> bool {
        self.slots.values().any(|slot| slot.cursor == Some(lane))
    }
}

/// 1243, in the server's words; `to` is what it calls the command.
pub(super) fn no_statement(number: u32, to: &str) -> Refusal {
    let message = format!("Unknown prepared statement handler ({number}) given to {to}");
    Refusal::new(RefusalCode::InvalidStatementName, message)
}

/// What the server calls COM_STMT_EXECUTE.
pub(super) const EXECUTE: &str = "mysqld_stmt_execute";
