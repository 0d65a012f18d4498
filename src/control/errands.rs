//! What clients ask of sessions at other gateways goes through the store, and comes from there.
//!
//! PostgreSQL's cancel requests, and MySQL's KILL of one's own sessions, may come to any gateway behind a balancer; the
//! session's number says whose it is.

use std::{
    future::Future,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{
        mpsc::{Receiver, Sender, channel},
        oneshot,
    },
    time::{Instant, sleep, timeout},
};
use tracing::debug;
use uuid::Uuid;

use super::{door::Control, error::ControlError, ports::Sessions};
use crate::{
    model::{
        errand::{Errand, SendErrands},
        replica::{Replica, replica_of},
    },
    net::Published,
    store::Look,
};

/// This gateway's number, and what waits to be passed on to others.
#[derive(Debug)]
pub(super) struct Replicas {
    pub(super) own: Published<Option<Replica>>,
    outbox: Sender<Outgoing>,
    to_send: Mutex<Option<Receiver<Outgoing>>>,
}

/// An errand on its way to the store.
#[derive(Debug)]
struct Outgoing {
    id: Uuid,
    replica: Replica,
    errand: Errand,
    /// Told whether there is such a gateway, once the store has it.
    sent: oneshot::Sender<bool>,
}

impl Replicas {
    pub(super) fn new() -> Self {
        let (outbox, to_send) = channel(MOST_WAITING);
        Self { own: Published::new(None), outbox, to_send: Mutex::new(Some(to_send)) }
    }
}

impl SendErrands for Control {
    fn send(&self, errand: Errand) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move {
            let found = timeout(PATIENCE, self.send_and_wait(errand)).await;
            found.unwrap_or(false)
        })
    }
}

impl Control {
    async fn send_and_wait(&self, errand: Errand) -> bool {
        let Some(replica) =
            replica_of(errand.session).filter(|it| self.store().is_shared() && !self.is_own(*it))
        else {
            return false;
        };
        let (id, wants_answer) = (Uuid::new_v4(), errand.wants_answer());
        let (sent, is_sent) = oneshot::channel();
        let outgoing = Outgoing { id, replica, errand, sent };
        // closed: what finds no place is not done, as if there were no such session.
        if self.replicas().outbox.try_send(outgoing).is_err() {
            self.parts().metrics.errands_lost.inc();
            return false;
        }
        if !is_sent.await.unwrap_or(false) || !wants_answer {
            return false;
        }
        loop {
            sleep(LOOK_EVERY).await;
            match self.store().errand_answer(id).await {
                Ok(Some(found)) => return found,
                Ok(None) => {}
                Err(error) => {
                    debug!(%error, "what another gateway answered is not known");
                    return false;
                }
            }
        }
    }

    fn is_own(&self, replica: Replica) -> bool {
        *self.replica().peek().as_ref() == Some(replica)
    }

    /// Passes errands on to the store as they come, for as long as it is waited for; only the first call does.
    ///
    /// Anybody who reaches a listener can have one sent, so that what a gateway writes is bounded by the clock.
    pub async fn send_errands(&self) {
        let taken = self.replicas().to_send.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut to_send) = taken else { return };
        let mut batch = Vec::with_capacity(BATCH);
        while to_send.recv_many(&mut batch, BATCH).await > 0 {
            let began_at = Instant::now();
            let count = batch.len();
            match self.write_errands(&mut batch).await {
                Ok(()) => self.parts().metrics.errands_sent.inc_by(count as u64),
                Err(error) => {
                    debug!(%error, "requests to sessions at other gateways are lost");
                    self.parts().metrics.errands_lost.inc_by(count as u64);
                }
            }
            batch.clear();
            if count == BATCH {
                sleep(FULL_BATCH_EVERY.saturating_sub(began_at.elapsed())).await;
            }
        }
    }

    async fn write_errands(&self, batch: &mut Vec<Outgoing>) -> Result<(), ControlError> {
        let mut change = self.store().change().await?;
        change.tidy_errands().await?;
        let mut sent = Vec::with_capacity(batch.len());
        for Outgoing { id, replica, errand, sent: tell } in batch.drain(..) {
            sent.push((tell, change.ask_errand(id, replica, &errand).await?));
        }
        change.commit().await?;
        for (tell, is_sent) in sent {
            // Whoever asked may have stopped waiting.
            let _ = tell.send(is_sent);
        }
        Ok(())
    }

    /// Does what other gateways ask of the sessions here, as soon as it is heard of, for as long as it is waited for.
    /// Returns at once where there are no others.
    pub async fn do_errands(&self, sessions: &dyn Sessions) {
        let Some(mut follower) = self.store().follow_errands() else { return };
        loop {
            let look = follower.next().await;
            match self.do_waiting(sessions).await {
                Ok(true) if look == Look::Routine => follower.missed(),
                Ok(_) => {}
                Err(error) => debug!(%error, "what other gateways ask is not known"),
            }
        }
    }

    /// Does what waits; gives whether there was something.
    async fn do_waiting(&self, sessions: &dyn Sessions) -> Result<bool, ControlError> {
        let Some(replica) = *self.replica().load() else { return Ok(false) };
        let mut answers = Vec::new();
        let taken = self.store().take_errands(replica).await?;
        let found_some = !taken.is_empty();
        for (id, errand) in taken {
            let found = sessions.run(&errand);
            if errand.wants_answer() {
                answers.push((id, found));
            }
        }
        if !answers.is_empty() {
            let mut change = self.store().change().await?;
            for (id, found) in answers {
                change.answer_errand(id, found).await?;
            }
            change.commit().await?;
        }
        Ok(found_some)
    }
}

/// How long an errand may take, there and back.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// So many wait to be passed on; more are lost.
const MOST_WAITING: usize = 256;
const BATCH: usize = 64;
/// A flood is written so much at a time.
const FULL_BATCH_EVERY: Duration = Duration::from_millis(100);
