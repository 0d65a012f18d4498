//! Who gets the next connection of a lane.
//!
//! Principals take turns, and the sessions of one stand in line among themselves: whoever opens a hundred sessions
//! waits a hundred times as long in each, and others wait no longer for it.

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use foldhash::fast::RandomState;
use tokio::sync::oneshot;

use crate::model::ids::PrincipalName;

/// The lines before the connections of one lane.
#[derive(Debug)]
pub(crate) struct Lines(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Turns that nobody has; while there is one, nobody waits who may have it.
    free: usize,
    /// Turns that each principal has; none is 0.
    held: HashMap<PrincipalName, usize, RandomState>,
    /// Whose turn is next stands first. No line is empty.
    lines: VecDeque<Line>,
}

#[derive(Debug)]
struct Line {
    principal: PrincipalName,
    /// Turns that the principal may have at once, as whoever asked last knew.
    most: usize,
    asking: VecDeque<oneshot::Sender<Turn>>,
}

/// Leave to have one connection out. Dropped, the next in line has it.
#[must_use]
#[derive(Debug)]
pub(crate) struct Turn {
    principal: PrincipalName,
    /// `None` once it is handed over.
    lines: Option<Arc<Lines>>,
}

impl Turn {
    /// Whether somebody waits who could have it. Who has as many as they may is helped by their own alone.
    pub(crate) fn is_wanted(&self) -> bool {
        self.lines.as_ref().is_some_and(|lines| lines.state().helps(&self.principal))
    }
}

impl Lines {
    /// Lines before `turns` connections.
    pub(crate) fn new(turns: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { free: turns, held: HashMap::default(), lines: VecDeque::new() })))
    }

    /// A turn for `principal`, who may have `most` at once, if there is one that nobody waits for.
    pub(crate) fn free_turn(self: &Arc<Self>, principal: &PrincipalName, most: usize) -> Option<Turn> {
        self.state().take_free(principal, most).then(|| self.turn_of(principal))
    }

    /// Waits for a turn of `principal`, who may have `most` at once. Who stops waiting loses the place, and never a turn.
    pub(crate) async fn turn(self: &Arc<Self>, principal: &PrincipalName, most: usize) -> Turn {
        let answer = {
            let mut state = self.state();
            if state.take_free(principal, most) {
                return self.turn_of(principal);
            }
            state.stand_in_line(principal, most)
        };
        match answer.await {
            Ok(turn) => turn,
            // The lines hold whoever asks until they answer.
            Err(_) => std::future::pending().await,
        }
    }

    /// Somebody gave a turn back: the next in line has it.
    fn hand_on(self: Arc<Self>, principal: &PrincipalName) {
        self.state().give_back(principal);
        loop {
            let Some((principal, next)) = self.state().next() else { return };
            let turn = self.turn_of(&principal);
            let Err(mut unused) = next.send(turn) else { return };
            // It stopped waiting.
            unused.lines = None;
            self.state().give_back(&principal);
        }
    }

    fn turn_of(self: &Arc<Self>, principal: &PrincipalName) -> Turn {
        Turn { principal: principal.clone(), lines: Some(Arc::clone(self)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room_for(&self, principal: &PrincipalName, most: usize) -> bool {
        self.held.get(principal).is_none_or(|held| *held < most)
    }

    fn take_free(&mut self, principal: &PrincipalName, most: usize) -> bool {
        let taken = self.free > 0 && self.has_room_for(principal, most);
        if taken {
            self.take(principal);
        }
        taken
    }

    fn take(&mut self, principal: &PrincipalName) {
        self.free -= 1;
        match self.held.get_mut(principal) {
            Some(held) => *held += 1,
            None => drop(self.held.insert(principal.clone(), 1)),
        }
    }

    fn give_back(&mut self, principal: &PrincipalName) {
        self.free += 1;
        if let Some(held) = self.held.get_mut(principal) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(principal);
            }
        }
    }

    fn stand_in_line(&mut self, principal: &PrincipalName, most: usize) -> oneshot::Receiver<Turn> {
        let (ask, answer) = oneshot::channel();
        match self.lines.iter_mut().find(|line| line.principal == *principal) {
            Some(line) => {
                line.most = most;
                // Who stopped waiting.
                line.asking.retain(|ask| !ask.is_closed());
                line.asking.push_back(ask);
            }
            None => self.lines.push_back(Line {
                principal: principal.clone(),
                most,
                asking: VecDeque::from([ask]),
            }),
        }
        answer
    }

    /// Whether somebody waits who could go on if `principal` gave a turn back.
    fn helps(&self, principal: &PrincipalName) -> bool {
        self.lines.iter().any(|line| {
            (line.principal == *principal || self.has_room_for(&line.principal, line.most))
                && line.asking.iter().any(|ask| !ask.is_closed())
        })
    }

    /// The first who may have a free turn takes it; its line goes to the end.
    fn next(&mut self) -> Option<(PrincipalName, oneshot::Sender<Turn>)> {
        if self.free == 0 {
            return None;
        }
        let at = self.lines.iter().position(|line| self.has_room_for(&line.principal, line.most))?;
        let mut line = self.lines.remove(at)?;
        let principal = line.principal.clone();
        let next = line.asking.pop_front();
        if !line.asking.is_empty() {
            self.lines.push_back(line);
        }
        self.take(&principal);
        next.map(|next| (principal, next))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(lines) = mem::take(&mut self.lines) {
            lines.hand_on(&self.principal);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, pin::Pin, task::Poll};

    use super::*;

    type Waiting<'a> = Pin<Box<dyn Future<Output = Turn> + 'a>>;

    async fn poll_once(waiting: &mut Waiting<'_>) -> Option<Turn> {
        poll_fn(|cx| match waiting.as_mut().poll(cx) {
            Poll::Ready(turn) => Poll::Ready(Some(turn)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    async fn ask<'a>(lines: &'a Arc<Lines>, principal: &'a PrincipalName) -> Waiting<'a> {
        let mut waiting: Waiting<'a> = Box::pin(lines.turn(principal, 9));
        assert!(poll_once(&mut waiting).await.is_none());
        waiting
    }

    #[tokio::test]
    async fn principals_take_turns_however_many_sessions_each_has() {
        let (lines, many, one) = (Lines::new(1), PrincipalName::from("many"), PrincipalName::from("one"));
        let held = lines.turn(&many, 9).await;
        let mut first = ask(&lines, &many).await;
        let mut second = ask(&lines, &many).await;
        let mut other = ask(&lines, &one).await;
        drop(held);
        let turn = poll_once(&mut first).await.unwrap();
        assert!(poll_once(&mut second).await.is_none() && poll_once(&mut other).await.is_none());
        drop(turn);
        assert!(poll_once(&mut second).await.is_none());
        let turn = poll_once(&mut other).await.unwrap();
        drop(turn);
        drop(poll_once(&mut second).await.unwrap());
        drop(lines.turn(&one, 9).await);
    }

    #[tokio::test]
    async fn who_stops_waiting_loses_no_turn() {
        let (lines, name) = (Lines::new(1), PrincipalName::from("dana"));
        let held = lines.turn(&name, 9).await;
        let gone = ask(&lines, &name).await;
        let mut stays = ask(&lines, &name).await;
        drop(gone);
        drop(held);
        let turn = poll_once(&mut stays).await.unwrap();
        let told_and_gone = ask(&lines, &name).await;
        drop(turn);
        drop(told_and_gone);
        drop(lines.turn(&name, 9).await);
    }

    #[tokio::test]
    async fn who_has_as_many_turns_as_they_may_waits_and_others_do_not() {
        let (lines, many, one) = (Lines::new(3), PrincipalName::from("many"), PrincipalName::from("one"));
        let held = lines.free_turn(&many, 1).unwrap();
        assert!(lines.free_turn(&many, 1).is_none());
        let mut waits: Waiting<'_> = Box::pin(lines.turn(&many, 1));
        assert!(poll_once(&mut waits).await.is_none());
        let others = (lines.free_turn(&one, 3).unwrap(), lines.free_turn(&one, 3).unwrap());
        drop(others.0);
        assert!(poll_once(&mut waits).await.is_none(), "another's turn is none of its own");
        drop(held);
        let turn = poll_once(&mut waits).await.unwrap();
        drop(turn);
        drop(others.1);
        let (own, others) = (lines.free_turn(&many, 1).unwrap(), lines.free_turn(&one, 2).unwrap());
        let mut waits: Waiting<'_> = Box::pin(lines.turn(&many, 1));
        assert!(poll_once(&mut waits).await.is_none());
        assert!(own.is_wanted() && !others.is_wanted(), "one of another would not help");
        drop(waits);
        assert!(!own.is_wanted(), "nobody waits any more");
        drop((own, others));
        let all = [lines.free_turn(&one, 3), lines.free_turn(&one, 3), lines.free_turn(&one, 3)];
        assert!(all.iter().all(Option::is_some) && lines.free_turn(&one, 9).is_none());
    }
}
