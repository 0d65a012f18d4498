//! Who asks for a connection, and the step between asking and waiting.

use std::sync::Arc;

use tokio::time::Instant;

use super::{error::UpstreamError, lease::Lease, line::Turn, pool::LanePool, protocol::Protocol};
use crate::model::ids::PrincipalName;

/// Who asks, and how many connections of one lane they may have at once.
#[derive(Clone, Debug)]
pub struct Asker {
    /// In whose line the session stands.
    pub principal: PrincipalName,
    /// A number of connections, at least 1; `None` is any.
    pub connections: Option<u32>,
    /// A share of the pool in percent, of which 1 connection is left at least; `None` is all.
    pub connections_percent: Option<u8>,
}

impl Asker {
    /// Somebody without a bound of their own.
    pub const fn unbounded(principal: PrincipalName) -> Self {
        Self { principal, connections: None, connections_percent: None }
    }

    /// How many they may have of a pool of `size`.
    pub(super) fn most(&self, size: usize) -> usize {
        let share = self.connections_percent.map_or(size, |percent| size * usize::from(percent) / 100);
        let number = self.connections.map_or(size, |number| usize::try_from(number).unwrap_or(usize::MAX));
        share.min(number).max(1)
    }
}

/// Somebody who has asked for a connection of one lane, and has a turn already or must wait for one.
#[derive(Debug)]
#[must_use]
pub struct Asking<P: Protocol> {
    pool: Arc<LanePool<P>>,
    asker: Asker,
    turn: Option<Turn>,
    asked_at: Instant,
}

impl<P: Protocol> Asking<P> {
    pub(super) fn new(pool: &Arc<LanePool<P>>, asker: Asker) -> Self {
        let turn = pool.free_turn(&asker);
        Self { pool: Arc::clone(pool), asker, turn, asked_at: Instant::now() }
    }

    /// Whether there is nothing to be had at once: who holds what others wait for gives it back before waiting, or all
    /// of them wait for ever.
    pub const fn must_wait(&self) -> bool {
        self.turn.is_none()
    }

    /// Borrows a connection that is like `home`; waits for one if need be.
    ///
    /// # Errors
    /// `Exhausted` after the pool's `wait_timeout`, `Unavailable`, and `Login` if the server itself does not have the
    /// database or refuses the account there.
    pub async fn lease(self, home: &P::Home) -> Result<Lease<P>, UpstreamError> {
        let Self { pool, asker, turn, asked_at } = self;
        let turn = match turn {
            Some(turn) => Ok(turn),
            None => pool.turn(&asker).await,
        };
        pool.note_wait(asked_at.elapsed());
        pool.lend(home, turn?).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_leaves_one_connection_and_a_number_bounds_it() {
        let most = |connections, connections_percent, size| {
            Asker { principal: "dana".into(), connections, connections_percent }.most(size)
        };
        assert_eq!(most(None, None, 20), 20);
        assert_eq!(most(None, Some(25), 20), 5);
        assert_eq!(most(Some(3), Some(25), 20), 3);
        assert_eq!(most(Some(30), None, 20), 20);
        assert_eq!(most(None, Some(1), 20), 1);
    }
}
