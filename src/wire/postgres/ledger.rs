//! Which replies a client is owed, in order, and whose they are.
//!
//! Every message that asks the upstream for a reply enters its debt here when it is sent; every message of the
//! upstream is held against the oldest debt. What the gateway says itself waits its turn in the same queue, so
//! that a refusal stands exactly where the reply would have stood.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::wire::WireError;

/// One debt. `T` is what the session wants to know again when it is paid.
#[derive(Debug, PartialEq, Eq)]
pub enum Owed<T> {
    /// BindComplete.
    Bind(T),
    /// CloseComplete; not shown when the client did not ask for it (`silent`).
    Close {
        /// Closed on the gateway's own account.
        silent: bool,
        /// What the session wants to know again.
        of: T,
    },
    /// NoData or RowDescription, behind ParameterDescription if it is about a statement; not shown when the client did
    /// not ask for it (`silent`).
    Describe {
        /// Asked for on the gateway's own account.
        silent: bool,
        /// What the session wants to know again.
        of: T,
    },
    /// Rows and CommandComplete, PortalSuspended or EmptyQueryResponse.
    Execute(T),
    /// Bytes of the gateway's own, due as soon as everything before them is paid.
    Local(Bytes),
    /// ParseComplete; not shown when the client did not ask for it (`silent`).
    Parse {
        /// Prepared again on the gateway's own account.
        silent: bool,
        /// What the session wants to know again.
        of: T,
    },
    /// Replies of any number of statements, to ReadyForQuery.
    Query(T),
    /// Replies to a text of the gateway's own, to ReadyForQuery; none is shown.
    Quiet,
    /// The upstream is made to fail; its ErrorResponse is replaced by these bytes.
    Refused(Bytes),
    /// The same, with ReadyForQuery behind it.
    RefusedQuery(Bytes),
    /// ReadyForQuery.
    Sync,
    /// As [`Self::Quiet`], for a text that changes nothing on which what is behind it could depend.
    Tag,
}

/// What becomes of one message of the upstream.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// Belongs to no debt (notice, parameter, notification).
    Aside,
    /// It is shown; this debt is paid with it.
    Done(Owed<T>),
    /// ErrorResponse that fails the oldest debt and all behind it up to Sync. Shown as `shown`, or as it is.
    Failed {
        /// What stands in its place.
        shown: Option<Bytes>,
        /// The debts that nobody will pay, oldest first.
        dropped: Vec<Owed<T>>,
    },
    /// It is shown; the oldest debt stays.
    Forward,
    /// ErrorResponse within a Query; its ReadyForQuery is still to come. Shown as `shown`, or as it is.
    QueryFailed {
        /// What stands in its place.
        shown: Option<Bytes>,
    },
    /// It is not shown. `paid` if a debt is paid with it.
    Swallow {
        /// The debt.
        paid: Option<Owed<T>>,
    },
    /// ErrorResponse that nobody asked for: the upstream is about to close.
    Unsolicited,
}

/// The debts of one session, oldest first.
#[derive(Debug)]
pub struct Ledger<T> {
    owed: VecDeque<Owed<T>>,
    skipping: bool,
    /// ReadyForQuery asked for, and arrived.
    asked: u64,
    ready: u64,
}

impl<T> Owed<T> {
    /// Whether ReadyForQuery is its last reply.
    const fn ends_block(&self) -> bool {
        matches!(self, Self::Query(_) | Self::Quiet | Self::RefusedQuery(_) | Self::Sync | Self::Tag)
    }
}

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self { owed: VecDeque::new(), skipping: false, asked: 0, ready: 0 }
    }
}

impl<T> Ledger<T> {
    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.owed.is_empty()
    }

    /// How many debts there are.
    pub fn len(&self) -> usize {
        self.owed.len()
    }

    /// Whether an extended message failed and everything up to the client's next Sync is to be ignored.
    pub const fn is_skipping(&self) -> bool {
        self.skipping
    }

    /// Enters a debt.
    pub fn push(&mut self, owed: Owed<T>) {
        match owed {
            Owed::Sync | Owed::Query(_) | Owed::RefusedQuery(_) => self.skipping = false,
            Owed::Refused(_) => self.skipping = true,
            _ => {}
        }
        self.asked += u64::from(owed.ends_block());
        self.owed.push_back(owed);
    }

    /// The number of the block that what is sent now belongs to; a block ends with its ReadyForQuery.
    pub const fn block(&self) -> u64 {
        self.asked
    }

    /// The number of the block whose replies are coming; all before it are over.
    pub const fn block_in_reply(&self) -> u64 {
        self.ready
    }

    /// Enters an error of the gateway's own within extended messages, with nothing sent to the upstream.
    pub fn push_local_failure(&mut self, error: Bytes) {
        self.owed.push_back(Owed::Local(error));
        self.skipping = true;
    }

    /// Takes back the debts behind the first `count`: another that is entered now stands for them.
    pub fn truncate(&mut self, count: usize) {
        self.owed.truncate(count);
    }

    /// Ends ignoring without a debt: the Sync is answered by the gateway itself.
    pub const fn stop_skipping(&mut self) {
        self.skipping = false;
    }

    /// The oldest debt.
    pub fn front_mut(&mut self) -> Option<&mut Owed<T>> {
        self.owed.front_mut()
    }

    /// All debts, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Owed<T>> {
        self.owed.iter()
    }

    /// All debts, oldest first, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Owed<T>> {
        self.owed.iter_mut()
    }

    /// Takes the gateway's own bytes, if their turn has come.
    pub fn take_local(&mut self) -> Option<Bytes> {
        match self.owed.pop_front_if(|owed| matches!(owed, Owed::Local(_))) {
            Some(Owed::Local(bytes)) => Some(bytes),
            Some(_) | None => None,
        }
    }

    /// Whether the upstream owes something.
    pub fn is_upstream_owing(&self) -> bool {
        self.owed.iter().any(|owed| !matches!(owed, Owed::Local(_)))
    }

    /// Takes everything that is owed: the upstream is gone.
    pub fn take_all(&mut self) -> Vec<Owed<T>> {
        self.owed.drain(..).collect()
    }

    /// Holds one message of the upstream, by its type, against the oldest debt.
    ///
    /// # Errors
    /// `Unexpected` when the oldest debt has no such reply: what the upstream says can no longer be told apart.
    pub fn receive(&mut self, tag: u8) -> Result<Step<T>, WireError> {
        if matches!(tag, b'A' | b'N' | b'S') {
            return Ok(Step::Aside);
        }
        self.ready += u64::from(tag == b'Z');
        let Some(front) = self.owed.front() else {
            return if tag == b'E' { Ok(Step::Unsolicited) } else { Err(WireError::Unexpected { tag }) };
        };
        match (front, tag) {
            (Owed::Quiet | Owed::Tag, b'Z') => Ok(Step::Swallow { paid: self.owed.pop_front() }),
            (Owed::Quiet | Owed::Tag, _) => Ok(Step::Swallow { paid: None }),
            (Owed::Parse { silent: true, .. }, b'1')
            | (Owed::Close { silent: true, .. }, b'3')
            | (Owed::Describe { silent: true, .. }, b'T' | b'n') => {
                Ok(Step::Swallow { paid: self.owed.pop_front() })
            }
            (Owed::Describe { silent: true, .. }, b't') => Ok(Step::Swallow { paid: None }),
            (Owed::Parse { .. }, b'1')
            | (Owed::Bind(_), b'2')
            | (Owed::Close { .. }, b'3')
            | (Owed::Describe { .. }, b'T' | b'n')
            | (Owed::Execute(_), b'C' | b'I' | b's')
            | (Owed::Query(_) | Owed::RefusedQuery(_) | Owed::Sync, b'Z') => {
                Ok(self.owed.pop_front().map_or(Step::Forward, Step::Done))
            }
            (Owed::Describe { .. }, b't')
            | (Owed::Execute(_), b'D' | b'G' | b'H' | b'c' | b'd')
            | (Owed::Query(_), b'C' | b'D' | b'G' | b'H' | b'I' | b'T' | b'c' | b'd') => Ok(Step::Forward),
            (Owed::Query(_) | Owed::Sync, b'E') => Ok(Step::QueryFailed { shown: None }),
            (Owed::RefusedQuery(error), b'E') => Ok(Step::QueryFailed { shown: Some(error.clone()) }),
            (
                Owed::Parse { .. }
                | Owed::Bind(_)
                | Owed::Close { .. }
                | Owed::Describe { .. }
                | Owed::Execute(_)
                | Owed::Refused(_),
                b'E',
            ) => Ok(self.fail()),
            _ => Err(WireError::Unexpected { tag }),
        }
    }

    fn fail(&mut self) -> Step<T> {
        let shown = match self.owed.front() {
            Some(Owed::Refused(error)) => Some(error.clone()),
            _ => None,
        };
        let end = self.owed.iter().position(Owed::ends_block);
        // The client has not sent its Sync yet: what it sends until then is ignored, as the upstream does.
        self.skipping |= end.is_none();
        let dropped = self.owed.drain(..end.unwrap_or(self.owed.len())).collect();
        Step::Failed { shown, dropped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paid(ledger: &mut Ledger<u32>, tags: &[u8]) -> Vec<Step<u32>> {
        tags.iter().map(|tag| ledger.receive(*tag).unwrap()).collect()
    }

    #[test]
    fn an_error_drops_every_debt_up_to_sync() {
        let mut ledger = Ledger::default();
        for owed in
            [Owed::Parse { silent: false, of: 1 }, Owed::Bind(9), Owed::Execute(2), Owed::Sync, Owed::Bind(9)]
        {
            ledger.push(owed);
        }
        let steps = paid(&mut ledger, b"1EZ");
        assert_eq!(
            steps,
            [
                Step::Done(Owed::Parse { silent: false, of: 1 }),
                Step::Failed { shown: None, dropped: vec![Owed::Bind(9), Owed::Execute(2)] },
                Step::Done(Owed::Sync),
            ]
        );
        assert!(!ledger.is_skipping());
        assert_eq!(ledger.len(), 1);
    }

    #[test]
    fn without_a_sync_everything_is_skipped_until_it_comes() {
        let mut ledger = Ledger::<u32>::default();
        ledger.push(Owed::Bind(9));
        paid(&mut ledger, b"E");
        assert!(ledger.is_skipping());
        ledger.push(Owed::Sync);
        assert!(!ledger.is_skipping());
    }

    #[test]
    fn what_the_gateway_asks_for_itself_is_not_shown() {
        let mut ledger = Ledger::default();
        ledger.push(Owed::Close { silent: true, of: 1 });
        ledger.push(Owed::Parse { silent: true, of: 2 });
        ledger.push(Owed::Describe { silent: true, of: 3 });
        ledger.push(Owed::Describe { silent: false, of: 4 });
        let steps = paid(&mut ledger, b"31tTtn");
        assert!(steps[..4].iter().all(|step| matches!(step, Step::Swallow { .. })), "{steps:?}");
        assert_eq!(steps[3], Step::Swallow { paid: Some(Owed::Describe { silent: true, of: 3 }) });
        assert_eq!(steps[4..], [Step::Forward, Step::Done(Owed::Describe { silent: false, of: 4 })]);
    }

    #[test]
    fn a_refusal_stands_in_its_place() {
        let mut ledger = Ledger::<u32>::default();
        ledger.push(Owed::Execute(1));
        ledger.push(Owed::Refused(Bytes::from_static(b"no")));
        ledger.push(Owed::Sync);
        assert_eq!(ledger.receive(b'C').unwrap(), Step::Done(Owed::Execute(1)));
        let Step::Failed { shown, dropped } = ledger.receive(b'E').unwrap() else { panic!() };
        assert_eq!(shown.unwrap(), "no");
        assert_eq!(dropped.len(), 1);
        assert_eq!(ledger.receive(b'Z').unwrap(), Step::Done(Owed::Sync));
    }

    #[test]
    fn blocks_are_counted_by_their_ends() {
        let mut ledger = Ledger::<u32>::default();
        ledger.push(Owed::Bind(1));
        assert_eq!((ledger.block(), ledger.block_in_reply()), (0, 0));
        ledger.push(Owed::Sync);
        ledger.push(Owed::Bind(2));
        assert_eq!((ledger.block(), ledger.block_in_reply()), (1, 0));
        paid(&mut ledger, b"EZ");
        assert_eq!((ledger.block(), ledger.block_in_reply()), (1, 1));
    }

    #[test]
    fn local_bytes_wait_for_their_turn() {
        let mut ledger = Ledger::<u32>::default();
        ledger.push(Owed::Query(1));
        ledger.push(Owed::Local(Bytes::from_static(b"mine")));
        assert_eq!(ledger.take_local(), None);
        paid(&mut ledger, b"CZ");
        assert_eq!(ledger.take_local().unwrap(), "mine");
    }

    #[test]
    fn a_reply_that_nobody_asked_for_is_fatal() {
        let mut ledger = Ledger::<u32>::default();
        assert!(ledger.receive(b'D').is_err());
        assert_eq!(ledger.receive(b'E').unwrap(), Step::Unsolicited);
        ledger.push(Owed::Bind(9));
        assert!(ledger.receive(b'D').is_err());
        assert!(ledger.receive(b'W').is_err());
    }
}
