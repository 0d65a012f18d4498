//! Reads the outbox for one consumer: in order, from where it stopped, at one gateway of several.

use std::{future::Future, time::Duration};

use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, warn};

use super::{
    backoff::{Backoff, chance},
    error::NotifyError,
};
use crate::{control::Control, model::event::ToldEvent};

/// Takes events over.
pub trait Consumer: Send + Sync {
    /// Names its place in the outbox; stable, because the place is kept under it.
    fn name(&self) -> &str;

    /// Takes one event over: when it is done, the event is the consumer's own and is not given to it again.
    ///
    /// It may be given the same event again when the gateway was stopped before that was noted. It has to end by itself;
    /// while it runs, the events behind wait.
    ///
    /// # Errors
    /// Why it could not; the event is tried again, and those behind it wait for it.
    fn take(&self, event: &ToldEvent) -> impl Future<Output = Result<(), NotifyError>> + Send;

    /// Is told how many events wait to be taken over: up to a page, and 0 when another gateway does the work.
    fn waiting(&self, _events: usize) {}
}

/// How often things are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two looks when nothing happened here: another gateway of the store may have told of something.
    pub idle: Duration,
    /// Between two looks whether another gateway still does the work.
    pub elsewhere: Duration,
    /// Before what failed is tried again.
    pub retry: Backoff,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(1),
            elsewhere: Duration::from_secs(3),
            retry: Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) },
        }
    }
}

/// Gives all events to `consumer`, at least once and in order, until `stop` is done; then it leaves the work to another
/// gateway. What fails is tried again for as long as it takes.
pub async fn consume(
    control: &Control,
    consumer: &impl Consumer,
    pace: &Pace,
    stop: impl Future<Output = ()>,
) {
    tokio::select! {
        () = work(control, consumer, pace) => {}
        () = stop => {}
    }
    let left = timeout(LAST_WORD, control.leave_events(consumer.name())).await;
    if !matches!(left, Ok(Ok(()))) {
        debug!(consumer = consumer.name(), "the work could not be left to another gateway");
    }
}

async fn work(control: &Control, consumer: &impl Consumer, pace: &Pace) {
    let mut stirred = control.stirred();
    let mut failed = 0_u32;
    loop {
        stirred.mark_unchanged();
        match page(control, consumer).await {
            Ok(Page::More) => failed = 0,
            Ok(Page::Nothing) => {
                failed = 0;
                // Whichever comes first; which it was makes no difference.
                drop(timeout(pace.idle, stirred.changed()).await);
            }
            Ok(Page::Elsewhere) => {
                consumer.waiting(0);
                sleep(pace.elsewhere).await;
            }
            Err(error) => {
                failed = failed.saturating_add(1);
                let wait = error.retry_after().map_or(pace.retry.after(failed, chance()), |asked| {
                    asked.clamp(pace.retry.first, pace.retry.most.max(LONGEST_ASKED))
                });
                let consumer = consumer.name();
                warn!(consumer, error = error.in_words(), ?wait, "an event waits to be passed on");
                sleep(wait).await;
            }
        }
    }
}

/// What a look into the outbox came to.
enum Page {
    /// Another gateway does the work.
    Elsewhere,
    /// Some events were taken over; there may be more.
    More,
    /// There is nothing new.
    Nothing,
}

async fn page(control: &Control, consumer: &impl Consumer) -> Result<Page, NotifyError> {
    let name = consumer.name();
    let Some(mut seen) = control.take_up_events(name).await? else { return Ok(Page::Elsewhere) };
    let events = control.events_to_pass_on(seen).await?;
    if let Some(first) = events.first().filter(|first| seen > 0 && first.seq > seen + 1) {
        warn!(
            consumer = name,
            lost = first.seq - seen - 1,
            "events were forgotten before they were passed on"
        );
    }
    consumer.waiting(events.len());
    let Some(last) = events.last().map(|event| event.seq) else { return Ok(Page::Nothing) };
    for (taken, event) in events.iter().enumerate() {
        match keeping(control, name, consumer.take(event)).await {
            Some(done) => done?,
            None => return Ok(Page::Elsewhere),
        }
        if !control.events_passed_on(name, seen, event.seq).await? {
            return Ok(Page::Elsewhere);
        }
        seen = event.seq;
        consumer.waiting(events.len() - taken - 1);
    }
    debug!(consumer = name, seq = last, "events passed on");
    Ok(Page::More)
}

/// Does `work` and keeps it this gateway's meanwhile; `None` when another one has taken it over.
async fn keeping<T>(control: &Control, name: &str, work: impl Future<Output = T>) -> Option<T> {
    let mut work = std::pin::pin!(work);
    let mut ticks = interval(KEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    loop {
        tokio::select! {
            done = &mut work => return Some(done),
            _ = ticks.tick() => {
                if let Ok(None) = control.take_up_events(name).await {
                    return None;
                }
            }
        }
    }
}

/// A third of how long the work is this gateway's without asking again.
const KEEP_EVERY: Duration = Duration::from_secs(5);
const LAST_WORD: Duration = Duration::from_secs(2);
/// However long the other side asks to be left alone.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);
