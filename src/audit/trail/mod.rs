//! The log as it is read: searched, counted, told as stories.
//!
//! The door is [`Trail`]. An index beside the log (a file of SQLite) says of each block of about a thousand records what is
//! in it: whose they are, what they touch, which words they have. A search reads the blocks that may have what is wanted
//! from the log itself, and holds each line against it; what is newer than the index is read, too. So the index is small,
//! costs little to keep, and decides nothing: what is shown is the log's, and its hash is checked. It is made from the
//! log alone: lost, broken or of an older form, it is made anew. It is never on the path of an append.

mod block;
mod bulk;
mod door;
mod entry;
mod feed;
mod files;
mod filter;
mod index;
mod live;
mod mark;
mod named;
mod needle;
mod plan;
mod quick;
mod rest;
mod scan;
mod search;
mod seek;
mod sieve;
mod stats;
mod story;
mod summary;
mod tally;
mod words;

#[cfg(test)]
mod many_tests;
#[cfg(test)]
mod tests;

pub use door::{Progress, Trail};
pub use files::StoredRecord;
pub use filter::{Decided, Filter, SearchQuery};
pub use live::{Live, LivePart};
pub use search::{FoundRecord, Page};
pub use stats::{Hour, Stats, StatsQuery, Touch};
pub use story::Story;
