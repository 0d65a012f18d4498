//! What the log has and the index has not: read as it is, if it is not too much.

use std::path::Path;

use super::block::{Block, MOST_BYTES};
use crate::audit::follow::{Cursor, FollowError, Follower};

/// What the log has behind the index.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// In order.
    pub(super) blocks: Vec<Block>,
    /// Number of the first record behind them.
    pub(super) next: u64,
    /// Records from there on, which nobody looks at.
    pub(super) unread: u64,
    /// Whether the index is of another log, or of what this one was before somebody changed it.
    pub(super) is_foreign: bool,
}

impl Rest {
    /// What comes behind `cursor`, up to a bound. Blocks on the disk.
    ///
    /// # Errors
    /// `Read`, `TooLong`.
    pub(super) fn read(log: &Path, cursor: Cursor) -> Result<Self, FollowError> {
        let end = Follower::at_end(log)?.cursor().next;
        let mut follower = Follower::new(log, cursor);
        let mut rest = Self::default();
        let mut bytes = 0;
        while bytes < MOST_REST_BYTES {
            let chunk = match follower.read(MOST_BYTES as usize) {
                Err(FollowError::Gap { .. }) => continue,
                Err(FollowError::Replaced | FollowError::Diverged { .. }) => {
                    rest.is_foreign = true;
                    break;
                }
                chunk => chunk?,
            };
            let Some(first) = chunk.lines().next() else { break };
            let block = Block {
                first: first.seq,
                records: chunk.lines().count() as u64,
                segment: first.segment,
                place: first.offset,
                bytes: chunk.bytes().len() as u64,
                from: i64::MIN,
                until: i64::MAX,
            };
            bytes += block.bytes;
            rest.blocks.push(block);
        }
        rest.next = follower.cursor().next;
        rest.unread = end.saturating_sub(rest.next);
        Ok(rest)
    }
}

/// Read in a tenth of a second.
const MOST_REST_BYTES: u64 = 32 << 20;
