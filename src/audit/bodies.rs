//! Records as JSON, ready to be chained, in a buffer that is used again.

use super::render::Body;

/// Records as JSON, each opened with a comma in place of its brace and without its last brace, so that a line is
/// its head, the body and its hash.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Bodies {
    /// Adds one record; on error nothing is added.
    pub(super) fn push(&mut self, record: &impl Body) -> Result<(), serde_json::Error> {
        let start = self.bytes.len();
        record.render(&mut self.bytes).inspect_err(|_| self.bytes.truncate(start))?;
        self.ends.push(self.bytes.len());
        Ok(())
    }

    /// Adds records, all or none.
    pub(super) fn push_all(&mut self, records: &[impl Body]) -> Result<(), serde_json::Error> {
        let (bytes, ends) = (self.bytes.len(), self.ends.len());
        records.iter().try_for_each(|record| self.push(record)).inspect_err(|_| {
            self.bytes.truncate(bytes);
            self.ends.truncate(ends);
        })
    }

    /// Adds what another holds.
    pub(super) fn extend(&mut self, other: &Self) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| start + end));
    }

    /// Forgets everything and keeps the memory, up to a bound.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.ends.clear();
        self.ends.shrink_to(KEPT_BYTES / 64);
    }

    pub(super) const fn count(&self) -> usize {
        self.ends.len()
    }

    pub(super) const fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    /// The bodies in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().filter_map(move |end| {
            let body = self.bytes.get(start..*end);
            start = *end;
            body
        })
    }
}

/// Memory that a cleared buffer keeps.
pub(super) const KEPT_BYTES: usize = 256 * 1024;
