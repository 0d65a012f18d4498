//! A value that one side replaces and many sides read.

use std::{fmt, sync::Arc};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

/// An immutable value behind a pointer that is swapped as a whole; cheap to clone, all clones see the same value.
///
/// Readers never wait for the publisher. A subscriber told of generation n loads that value or a later one.
pub struct Published<T>(Arc<Inner<T>>);

struct Inner<T> {
    value: ArcSwap<T>,
    generation: watch::Sender<u64>,
}

impl<T> Published<T> {
    /// Publishes the first value, generation 0.
    pub fn new(value: T) -> Self {
        Self(Arc::new(Inner { value: ArcSwap::from_pointee(value), generation: watch::Sender::new(0) }))
    }

    /// The present value, to keep.
    pub fn load(&self) -> Arc<T> {
        self.0.value.load_full()
    }

    /// The present value, to look at and let go soon: cheaper than [`Self::load`], must not be held across a wait.
    pub fn peek(&self) -> Guard<Arc<T>> {
        self.0.value.load()
    }

    /// Replaces the value, then tells the subscribers; gives the new generation.
    ///
    /// Two publishers at once end in either order; whoever must be last is the caller's to arrange.
    pub fn publish(&self, value: impl Into<Arc<T>>) -> u64 {
        let mut published = 0;
        let value = value.into();
        self.0.generation.send_modify(|generation| {
            // INVARIANT: the value is in place before its generation is seen.
            self.0.value.store(value);
            *generation += 1;
            published = *generation;
        });
        published
    }

    /// How often the value was replaced.
    pub fn generation(&self) -> u64 {
        *self.0.generation.borrow()
    }

    /// Tells of every replacement from now on; replacements in quick succession may be told once.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.generation.subscribe()
    }
}

impl<T> Clone for Published<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Published<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Published").field("generation", &self.generation()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_subscriber_told_of_a_value_sees_it() {
        let published = Published::new("old");
        let mut told = published.subscribe();
        assert!(!told.has_changed().unwrap());
        assert_eq!(published.clone().publish("new"), 1);
        told.changed().await.unwrap();
        assert_eq!((*told.borrow(), *published.load(), **published.peek()), (1, "new", "new"));
    }

    #[test]
    fn a_value_once_loaded_stays_while_others_are_published() {
        let published = Published::new(1);
        let held = published.load();
        published.publish(2);
        assert_eq!((*held, *published.load()), (1, 2));
    }
}
