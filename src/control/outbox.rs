//! The outbox, for those who pass events on to other programs: each has a place of its own in it, kept in the store.

use super::{door::Control, error::ControlError};
use crate::model::event::ToldEvent;

impl Control {
    /// Takes up, or goes on with, the work of `consumer` for this gateway: the number of the last event that was passed
    /// on, or `None` while another gateway of the store does it. A consumer that is new begins behind the newest event.
    ///
    /// It holds for fifteen seconds; to be asked for again before.
    ///
    /// # Errors
    /// `Store`.
    pub async fn take_up_events(&self, consumer: &str) -> Result<Option<i64>, ControlError> {
        Ok(self.store().take_cursor(consumer, self.instance()).await?)
    }

    /// All events behind `after` that are there now, in order, whoever may hear of them; 200 at most.
    ///
    /// # Errors
    /// `Store`.
    pub async fn events_to_pass_on(&self, after: i64) -> Result<Vec<ToldEvent>, ControlError> {
        Ok(self.store().events_after(after, PAGE).await?)
    }

    /// Notes that `consumer` has taken over the events behind `seen`, up to `seq`; gives whether the work is still this
    /// gateway's. If not, another one has it, and may pass them on again.
    ///
    /// # Errors
    /// `Store`.
    pub async fn events_passed_on(&self, consumer: &str, seen: i64, seq: i64) -> Result<bool, ControlError> {
        Ok(self.store().move_cursor(consumer, self.instance(), seen, seq).await?)
    }

    /// Leaves the work of `consumer` to another gateway at once.
    ///
    /// # Errors
    /// `Store`.
    pub async fn leave_events(&self, consumer: &str) -> Result<(), ControlError> {
        Ok(self.store().leave_cursor(consumer, self.instance()).await?)
    }
}

const PAGE: u32 = 200;
