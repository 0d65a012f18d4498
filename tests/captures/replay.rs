//! A capture held against the ledger: what the client said are debts, what the server said pays them.

use tidegate::wire::{
    WireError,
    postgres::ledger::{Ledger, Owed, Step},
};

use super::{Capture, readers::Heard};

/// When the debts are entered; the real moment lies between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// At once, but for COPY data and for a Query behind no Sync: what becomes of those only the next reply tells.
    Early,
    /// Up to the next Query, Sync or Flush, when a reply comes and nothing is owed.
    Late,
}

/// One connection after its login, under way.
pub(crate) struct Replay {
    pace: Pace,
    ledger: Ledger<usize>,
    /// Types of the client's messages; those that enter no debt are among them.
    said: Vec<u8>,
    at: usize,
    /// Messages that have entered a debt, and those whose debt was paid or dropped.
    pub(crate) entered: Vec<usize>,
    pub(crate) settled: Vec<usize>,
    ready: bool,
}

impl Replay {
    pub(crate) fn new(capture: &Capture, pace: Pace) -> Self {
        let said = capture.said.iter().filter_map(|said| Some(said.message()?.tag())).collect();
        let mut replay = Self {
            pace,
            ledger: Ledger::default(),
            said,
            at: 0,
            entered: Vec::new(),
            settled: Vec::new(),
            ready: false,
        };
        replay.enter_early();
        replay
    }

    /// Holds one message of the server against what is owed; those of the login are let by.
    pub(crate) fn hear(&mut self, heard: &Heard) -> Result<(), WireError> {
        if !self.ready {
            self.ready = heard.tag == b'Z';
            return Ok(());
        }
        while self.pace == Pace::Late
            && self.ledger.is_empty()
            && !matches!(heard.tag, b'A' | b'N' | b'S')
            && self.at < self.said.len()
        {
            self.enter_block();
        }
        match self.ledger.receive(heard.tag)? {
            Step::Done(owed) => self.settle(&owed),
            Step::Failed { shown: None, dropped } => {
                dropped.iter().for_each(|owed| self.settle(owed));
            }
            Step::Forward if heard.tag == b'G' => self.copy_in(),
            Step::Aside | Step::Forward | Step::QueryFailed { shown: None } | Step::Unsolicited => {}
            step @ (Step::Failed { shown: Some(_), .. }
            | Step::QueryFailed { shown: Some(_) }
            | Step::Swallow { .. }) => panic!("{step:?} without anything of the gateway's own"),
        }
        self.enter_early();
        Ok(())
    }

    /// The server asks for data: it takes what there is, and ignores every Sync up to its end.
    fn copy_in(&mut self) {
        let extended = matches!(self.ledger.front_mut(), Some(Owed::Execute(_)));
        if extended {
            let kept = self.ledger.take_all().into_iter().filter(|owed| !matches!(owed, Owed::Sync));
            kept.for_each(|owed| self.ledger.push(owed));
        }
        let end = self.said.iter().skip(self.at).position(|tag| matches!(tag, b'c' | b'f'));
        self.at = end.map_or(self.said.len(), |end| self.at + end + 1);
        if extended && self.pace == Pace::Late {
            self.enter_block();
        }
    }

    /// Whether everything is answered; what is left of the client asks for no answer.
    pub(crate) fn is_over(&self) -> bool {
        let left = self.said.get(self.at..).unwrap_or_default();
        self.ledger.is_empty() && left.iter().all(|tag| matches!(tag, b'X' | b'c' | b'd' | b'f'))
    }

    fn settle(&mut self, owed: &Owed<usize>) {
        match owed {
            Owed::Bind(at)
            | Owed::Close { of: at, .. }
            | Owed::Execute(at)
            | Owed::Parse { of: at, .. }
            | Owed::Query(at) => self.settled.push(*at),
            Owed::Describe { .. }
            | Owed::Local(_)
            | Owed::Quiet
            | Owed::Refused(_)
            | Owed::RefusedQuery(_)
            | Owed::Sync
            | Owed::Tag => {}
        }
    }

    fn enter_early(&mut self) {
        while self.pace == Pace::Early && self.may_enter() {
            self.enter();
        }
    }

    fn enter_block(&mut self) {
        while self.may_enter() {
            self.enter();
            if matches!(self.said[self.at - 1], b'H' | b'Q' | b'S') {
                break;
            }
        }
    }

    /// Whether there is more, and what becomes of it does not hang on the next reply.
    fn may_enter(&self) -> bool {
        match self.said.get(self.at) {
            None => false,
            // Somebody may be about to ask for the data.
            Some(b'c' | b'd' | b'f') => self.ledger.is_empty(),
            // If a message before it fails, and no Sync is between, the server ignores it. The session waits too.
            Some(b'Q') => {
                self.ledger.iter().last().is_none_or(|it| matches!(it, Owed::Query(_) | Owed::Sync))
            }
            Some(_) => true,
        }
    }

    fn enter(&mut self) {
        let (at, tag) = (self.at, self.said[self.at]);
        self.at += 1;
        if self.ledger.is_skipping() && tag != b'S' {
            return;
        }
        let owed = match tag {
            b'B' => Owed::Bind(at),
            b'C' => Owed::Close { silent: false, of: at },
            b'D' => Owed::Describe { silent: false, of: at },
            b'E' => Owed::Execute(at),
            b'P' => Owed::Parse { silent: false, of: at },
            b'Q' => Owed::Query(at),
            b'S' => Owed::Sync,
            b'H' | b'X' | b'c' | b'd' | b'f' | b'p' => return,
            other => panic!("a client that sends {:?}", char::from(other)),
        };
        if matches!(tag, b'B' | b'C' | b'E' | b'P' | b'Q') {
            self.entered.push(at);
        }
        self.ledger.push(owed);
    }
}
