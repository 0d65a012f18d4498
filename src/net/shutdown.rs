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
/// It has two moments: it *begins* (nothing new is taken in), and its drain time is *over* (what is left is cut).
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<watch::Sender<Option<Instant>>>);

impl Shutdown {
    /// A signal that has not been given.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Gives the signal; what runs may run on for `drain`. Given again, it can only bring the end nearer.
    pub fn begin(&self, drain: Duration) {
        let end = Instant::now() + drain;
        self.0.send_modify(|deadline| *deadline = Some(deadline.map_or(end, |given| given.min(end))));
    }

    /// Whether the signal was given.
    pub fn has_begun(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits for the signal.
    pub async fn begun(&self) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }

    /// Waits for the signal and then for the end of the drain time, also when that is brought nearer meanwhile.
    pub async fn over(&self) {
        let mut deadline = self.0.subscribe();
        loop {
            let Some(end) = *deadline.borrow_and_update() else {
                let _ = deadline.changed().await;
                continue;
            };
            tokio::select! {
                () = tokio::time::sleep_until(end) => return,
                _ = deadline.changed() => {}
            }
        }
    }

    /// From now on SIGTERM and SIGINT give the signal with this drain time; a second one ends the drain time.
    ///
    /// # Errors
    /// `Signals` when the process cannot listen to them.
    pub fn on_signals(&self, drain: Duration) -> Result<JoinHandle<()>, NetError> {
        let mut terminate = signal(SignalKind::terminate()).map_err(|source| NetError::Signals { source })?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|source| NetError::Signals { source })?;
        let shutdown = self.clone();
        Ok(tokio::spawn(async move {
            let mut left = drain;
            loop {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                shutdown.begin(left);
                left = Duration::ZERO;
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
        assert!(!shutdown.has_begun());
        shutdown.begin(Duration::from_secs(3600));
        shutdown.begun().await;
        assert!(pending(over.as_mut()).await);
        shutdown.begin(Duration::ZERO);
        over.await;
    }

    #[tokio::test]
    async fn a_later_signal_does_not_give_more_time() {
        let shutdown = Shutdown::new();
        shutdown.begin(Duration::ZERO);
        shutdown.begin(Duration::from_secs(3600));
        shutdown.over().await;
    }
}
