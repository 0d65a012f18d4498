//! The signal to stop, and how long there is to do it in.

use std::{sync::Arc, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
    time::Instant,
};

use super::error::NetError;

/// A signal that the process is to stop; cheap to clone, every clone sees it.
///
/// It has three moments: it is *given* (others are to send nothing new here), it *begins* (nothing new is taken in), and
/// its drain time is *over* (what is left is cut).
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<watch::Sender<Option<Moments>>>);

/// When a signal begins and is over.
#[derive(Clone, Copy, Debug)]
struct Moments {
    begins_at: Instant,
    over_at: Instant,
}

impl Shutdown {
    /// A signal that has not been given.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Gives the signal: it begins after `delay`, and what runs then may run on for `drain`. Given again, it can only
    /// bring both nearer.
    pub fn give(&self, delay: Duration, drain: Duration) {
        let begins_at = Instant::now() + delay;
        let next = Moments { begins_at, over_at: begins_at + drain };
        self.0.send_modify(|moments| {
            *moments = Some(moments.map_or(next, |given| Moments {
                begins_at: given.begins_at.min(next.begins_at),
                over_at: given.over_at.min(next.over_at),
            }));
        });
    }

    /// Waits for the signal.
    pub async fn given(&self) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }

    /// Waits for the signal and then until it begins, also when that is brought nearer meanwhile.
    pub async fn begun(&self) {
        self.moment(|moments| moments.begins_at).await;
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.0.borrow().is_some_and(|moments| moments.begins_at <= Instant::now())
    }

    /// Waits for the signal and then for the end of the drain time, also when that is brought nearer meanwhile.
    pub async fn over(&self) {
        self.moment(|moments| moments.over_at).await;
    }

    async fn moment(&self, which: impl Fn(Moments) -> Instant) {
        let mut moments = self.0.subscribe();
        loop {
            let Some(at) = moments.borrow_and_update().map(&which) else {
                let _ = moments.changed().await;
                continue;
            };
            tokio::select! {
                () = tokio::time::sleep_until(at) => return,
                _ = moments.changed() => {}
            }
        }
    }

    /// From now on SIGTERM and SIGINT give the signal with this delay and this drain time; a second one ends both.
    ///
    /// # Errors
    /// `Signals` when the process cannot listen to them.
    pub fn on_signals(&self, delay: Duration, drain: Duration) -> Result<JoinHandle<()>, NetError> {
        let mut terminate = signal(SignalKind::terminate()).map_err(|source| NetError::Signals { source })?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|source| NetError::Signals { source })?;
        let shutdown = self.clone();
        Ok(tokio::spawn(async move {
            let mut left = (delay, drain);
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                shutdown.give(left.0, left.1);
                left = (Duration::ZERO, Duration::ZERO);
            }
        }))
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    async fn pending(future: std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
        let mut future = Some(future);
        std::future::poll_fn(|cx| Poll::Ready(future.take().is_none_or(|it| it.poll(cx).is_pending()))).await
    }

    #[tokio::test]
    async fn the_second_signal_cuts_the_drain_short() {
        let shutdown = Shutdown::new();
        let over = shutdown.over();
        tokio::pin!(over);
        assert!(pending(over.as_mut()).await);
        shutdown.give(Duration::ZERO, HOUR);
        shutdown.begun().await;
        assert!(pending(over.as_mut()).await);
        shutdown.give(Duration::ZERO, Duration::ZERO);
        over.await;
    }

    #[tokio::test]
    async fn a_later_signal_does_not_give_more_time() {
        let shutdown = Shutdown::new();
        shutdown.give(Duration::ZERO, Duration::ZERO);
        shutdown.give(HOUR, HOUR);
        shutdown.over().await;
    }

    #[tokio::test]
    async fn what_is_given_begins_after_the_delay_and_is_over_after_the_drain() {
        let shutdown = Shutdown::new();
        let step = Duration::from_millis(20);
        let given_at = Instant::now();
        shutdown.give(step, 2 * step);
        shutdown.given().await;
        shutdown.begun().await;
        assert!(given_at.elapsed() >= step);
        shutdown.over().await;
        assert!(given_at.elapsed() >= 3 * step);
    }

    #[tokio::test]
    async fn the_second_signal_ends_the_delay_too() {
        let shutdown = Shutdown::new();
        shutdown.give(HOUR, HOUR);
        let begun = shutdown.begun();
        tokio::pin!(begun);
        assert!(pending(begun.as_mut()).await);
        shutdown.give(Duration::ZERO, Duration::ZERO);
        begun.await;
    }

    const HOUR: Duration = Duration::from_secs(3600);
}
