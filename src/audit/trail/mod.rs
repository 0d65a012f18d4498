//! The log as it is read: searched, counted, told as stories.
//!
//! The door is [`Trail`]. An index beside the log (a file of SQLite) says where to look; what is shown is read from the
//! log itself, and its hash is checked. The index is made from the log alone: lost, broken or of an older form, it is
//! made anew. It reads the files of the log and is never on the path of an append.

mod bulk;
mod door;
mod entry;
mod feed;
mod filter;
mod index;
mod key;
mod lines;
mod live;
mod search;
mod stats;
mod story;
mod tally;
mod words;

#[cfg(test)]
mod tests;

pub use door::{Progress, Trail};
pub use filter::{Decided, Direction, Filter, SearchQuery};
pub use lines::StoredRecord;
pub use live::{Live, LivePart};
pub use search::{FoundRecord, Page};
pub use stats::{Hour, Stats, StatsQuery, Touch};
pub use story::Story;
