//! Lines of the log as batches that a broker takes.

use super::batch::{Message, batch};
use crate::audit::{chain::HASH_BYTES, follow::FollowedLine, sink::head::Head};

/// Whole lines as batches.
#[derive(Debug)]
pub(super) struct Cut {
    /// What is sent, one after the other.
    pub(super) batches: Vec<Vec<u8>>,
    /// How many lines are over with them.
    pub(super) lines: usize,
}

/// As many of the first lines as fit into one batch of about `limit` bytes; or the first alone, in parts, if it does not.
pub(super) fn cut(lines: &[FollowedLine<'_>], key: &str, limit: usize) -> Cut {
    let mut bytes = 0;
    let fit = lines.iter().take_while(|line| {
        bytes += line.bytes.len() + key.len() + EXTRA_BYTES;
        bytes <= limit
    });
    let fitting: Vec<Message<'_>> = fit.map(|line| message(line, key, line.bytes, Vec::new())).collect();
    if !fitting.is_empty() || lines.is_empty() {
        let batches = if fitting.is_empty() { Vec::new() } else { vec![batch(&fitting)] };
        return Cut { batches, lines: fitting.len() };
    }
    let room = limit.saturating_sub(key.len() + EXTRA_BYTES).max(1);
    let parts = lines.first().into_iter().flat_map(|line| {
        let count = line.bytes.len().div_ceil(room);
        line.bytes.chunks(room).enumerate().map(move |(at, part)| {
            let headers = vec![("part", (at + 1).to_string()), ("parts", count.to_string())];
            batch(&[message(line, key, part, headers)])
        })
    });
    Cut { batches: parts.collect(), lines: 1 }
}

fn message<'a>(
    line: &FollowedLine<'_>,
    key: &'a str,
    value: &'a [u8],
    more: Vec<(&'static str, String)>,
) -> Message<'a> {
    let at_ms = Head::of(line.bytes).at.map_or(0, jiff::Timestamp::as_millisecond);
    let mut headers = vec![("seq", line.seq.to_string()), ("hash", hash(line.bytes))];
    headers.extend(more);
    Message { at_ms, key, value, headers }
}

/// The hash of a line, by its place.
fn hash(line: &[u8]) -> String {
    let end = line.len().saturating_sub(2);
    let hash = line.get(end.saturating_sub(HASH_BYTES)..end).unwrap_or_default();
    String::from_utf8_lossy(hash).into_owned()
}

/// What a message needs beside its key and its line: headers, lengths, and its share of the batch's head.
const EXTRA_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[Vec<u8>]) -> Vec<FollowedLine<'_>> {
        (0..).zip(bytes).map(|(seq, bytes)| FollowedLine { seq, segment: 0, offset: 0, bytes }).collect()
    }

    #[test]
    fn lines_go_together_as_far_as_they_fit_and_one_that_does_not_goes_in_parts() {
        let bytes = [vec![b'a'; 300], vec![b'b'; 300], vec![b'c'; 5_000]];
        let lines = lines(&bytes);
        let first = cut(&lines, "one", 2_000);
        assert_eq!((first.batches.len(), first.lines), (1, 2));
        let large = cut(&lines[2..], "one", 2_000);
        assert_eq!((large.batches.len(), large.lines), (3, 1));
        assert!(large.batches.iter().all(|batch| batch.len() <= 2_000));
        let nothing = cut(&[], "one", 2_000);
        assert_eq!((nothing.batches.len(), nothing.lines), (0, 0));
    }
}
