//! Who gets the next connection of a lane.
//!
//! Principals take turns, and the sessions of one stand in line among themselves: whoever opens a hundred sessions
//! waits a hundred times as long in each, and others wait no longer for it.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::model::ids::PrincipalName;

/// The lines before the connections of one lane.
#[derive(Debug)]
pub(crate) struct Lines(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Turns that nobody has; there is none while somebody waits.
    free: usize,
    /// Whose turn is next stands first. No line is empty.
    lines: VecDeque<Line>,
}

#[derive(Debug)]
struct Line {
    principal: PrincipalName,
    asking: VecDeque<oneshot::Sender<Turn>>,
}

/// Leave to have one connection out. Dropped, the next in line has it.
#[must_use]
#[derive(Debug)]
pub(crate) struct Turn {
    /// `None` once it is handed over.
    lines: Option<Arc<Lines>>,
}

impl Lines {
    /// Lines before `turns` connections.
    pub(crate) fn new(turns: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { free: turns, lines: VecDeque::new() })))
    }

    /// Whether there is a turn that nobody waits for.
    pub(crate) fn has_free(&self) -> bool {
        self.state().free > 0
    }

    /// A turn, if there is one that nobody waits for.
    pub(crate) fn free_turn(self: &Arc<Self>) -> Option<Turn> {
        let mut state = self.state();
        state.free = state.free.checked_sub(1)?;
        Some(Turn { lines: Some(Arc::clone(self)) })
    }

    /// Waits for a turn of `principal`. Who stops waiting loses the place, and never a turn.
    pub(crate) async fn turn(self: &Arc<Self>, principal: &PrincipalName) -> Turn {
        let answer = {
            let mut state = self.state();
            if let Some(left) = state.free.checked_sub(1) {
                state.free = left;
                return Turn { lines: Some(Arc::clone(self)) };
            }
            let (ask, answer) = oneshot::channel();
            match state.lines.iter_mut().find(|line| line.principal == *principal) {
                Some(line) => line.asking.push_back(ask),
                None => state
                    .lines
                    .push_back(Line { principal: principal.clone(), asking: VecDeque::from([ask]) }),
            }
            answer
        };
        match answer.await {
            Ok(turn) => turn,
            // The lines hold whoever asks until they answer.
            Err(_) => std::future::pending().await,
        }
    }

    /// Gives a turn that came back to the next in line.
    fn hand_on(self: Arc<Self>) {
        let mut turn = Turn { lines: Some(Arc::clone(&self)) };
        loop {
            let Some(next) = self.next() else { break };
            match next.send(turn) {
                Ok(()) => return,
                // It stopped waiting.
                Err(unused) => turn = unused,
            }
        }
        turn.lines = None;
    }

    /// The next in line; without any, the turn is free.
    fn next(&self) -> Option<oneshot::Sender<Turn>> {
        let mut state = self.state();
        let Some(mut line) = state.lines.pop_front() else {
            state.free += 1;
            return None;
        };
        let next = line.asking.pop_front();
        if !line.asking.is_empty() {
            state.lines.push_back(line);
        }
        next
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(lines) = mem::take(&mut self.lines) {
            lines.hand_on();
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
        let mut waiting: Waiting<'a> = Box::pin(lines.turn(principal));
        assert!(poll_once(&mut waiting).await.is_none());
        waiting
    }

    #[tokio::test]
    async fn principals_take_turns_however_many_sessions_each_has() {
        let (lines, many, one) = (Lines::new(1), PrincipalName::from("many"), PrincipalName::from("one"));
        let held = lines.turn(&many).await;
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
        drop(lines.turn(&one).await);
    }

    #[tokio::test]
    async fn who_stops_waiting_loses_no_turn() {
        let (lines, name) = (Lines::new(1), PrincipalName::from("dana"));
        let held = lines.turn(&name).await;
        let gone = ask(&lines, &name).await;
        let mut stays = ask(&lines, &name).await;
        drop(gone);
        drop(held);
        let turn = poll_once(&mut stays).await.unwrap();
        let told_and_gone = ask(&lines, &name).await;
        drop(turn);
        drop(told_and_gone);
        drop(lines.turn(&name).await);
    }
}
