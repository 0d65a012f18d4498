//! What a client that compresses needs beside its connection.

use std::cell::RefCell;

use bytes::{Buf, BytesMut};

use crate::wire::{
    WireError,
    mysql::compression::{Compressor, Framing, MOST_PLAIN_BYTES},
};

/// What a client that compresses needs beside its connection.
pub(super) struct Compressed {
    pub(super) framing: Framing,
    /// Frames as they came.
    pub(super) raw: BytesMut,
    /// Frames as they go.
    pub(super) sealed: BytesMut,
    /// Frames were left closed that can be opened as soon as everything was said.
    withheld: bool,
}

impl Compressed {
    /// Begins behind `sealed`, which goes as it is, and with what was read ahead.
    pub(super) const fn new(framing: Framing, raw: BytesMut, sealed: BytesMut) -> Self {
        Self { framing, raw, sealed, withheld: false }
    }

    /// Whether something has come that was not opened, or not all of it.
    pub(super) fn has_unread(&self) -> bool {
        !self.raw.is_empty() || !self.framing.is_between_frames()
    }

    /// Opens some of what has come, and appends it to `plain`; false if there is nothing that can be opened now. While
    /// something is `unsaid`, that is nothing: frames are counted in one row, and those that answer a command come ahead of
    /// those of the next.
    ///
    /// # Errors
    /// As [`Framing::read`].
    pub(super) fn open(&mut self, plain: &mut BytesMut, unsaid: bool) -> Result<bool, WireError> {
        self.withheld = unsaid && !self.raw.is_empty();
        if unsaid {
            return Ok(false);
        }
        let mut some = [0; OPENED_BYTES];
        let mut rest: &[u8] = &self.raw;
        let given = self.framing.read(&mut rest, &mut some)?;
        let taken = self.raw.len() - rest.len();
        self.raw.advance(taken);
        plain.extend_from_slice(some.get(..given).unwrap_or_default());
        Ok(given > 0)
    }

    /// Whether frames were left closed and can be opened now: told once.
    pub(super) fn goes_on(&mut self, unsaid: bool) -> bool {
        !unsaid && std::mem::take(&mut self.withheld)
    }

    /// What goes next: of `plain` as much as goes into one frame, once all before is gone.
    pub(super) fn seal(&mut self, plain: &mut BytesMut) -> &mut BytesMut {
        if self.sealed.is_empty() && !plain.is_empty() {
            let some = plain.split_to(plain.len().min(MOST_PLAIN_BYTES));
            write_frames(&mut self.framing, &some, &mut self.sealed);
        }
        &mut self.sealed
    }
}

/// Appends `plain` in frames.
pub(super) fn write_frames(framing: &mut Framing, plain: &[u8], out: &mut BytesMut) {
    COMPRESSOR.with_borrow_mut(|compressor| framing.write(compressor, plain, out));
}

thread_local! {
    /// One for all clients of a thread.
    static COMPRESSOR: RefCell<Compressor> = RefCell::default();
}

/// As much is opened at a time: what comes is looked at before more of it is.
const OPENED_BYTES: usize = 16 * 1024;
