//! What is in one frame.

use flate2::{Decompress, FlushDecompress, Status};
use zstd::{
    stream::raw::{Decoder, Operation},
    zstd_safe::DParameter,
};

use super::algorithm::Algorithm;
use crate::wire::WireError;

/// A frame whose header was read, opened as its bytes come.
pub(super) struct Frame {
    /// Bytes of it that have not been taken.
    left: usize,
    /// Bytes that were in it and have not been given.
    owed: usize,
    body: Body,
    /// What was there to be filled was, so that there may be more of it without more bytes.
    filled: bool,
    /// The last byte, which is given when the frame has turned out to be sound to its end.
    last: Option<u8>,
}

enum Body {
    /// As it is.
    Plain,
    Zlib(Decompress),
    Zstd(Decoder<'static>),
}

/// What one step made of a frame.
pub(super) struct Step {
    /// Bytes taken.
    pub(super) taken: usize,
    /// Bytes given.
    pub(super) given: usize,
    /// All of it was taken and given.
    pub(super) is_over: bool,
    /// Nothing can be done before more bytes come, or room.
    pub(super) waits: bool,
}

impl Step {
    const WAITS: Self = Self { taken: 0, given: 0, is_over: false, waits: true };
}

impl Frame {
    /// One of `length_bytes` that come as they are.
    pub(super) const fn plain(length_bytes: usize) -> Self {
        Self { left: length_bytes, owed: length_bytes, body: Body::Plain, filled: false, last: None }
    }

    /// One of `length_bytes` that give `plain_bytes`.
    ///
    /// # Errors
    /// `Compressed` when there is no memory for it.
    pub(super) fn compressed(
        algorithm: Algorithm,
        length_bytes: usize,
        plain_bytes: usize,
    ) -> Result<Self, WireError> {
        let body = match algorithm {
            Algorithm::Zlib => Body::Zlib(Decompress::new(true)),
            Algorithm::Zstd { .. } => {
                let mut decoder = Decoder::new().map_err(|_| WireError::Compressed)?;
                let window = DParameter::WindowLogMax(WINDOW_LOG);
                decoder.set_parameter(window).map_err(|_| WireError::Compressed)?;
                Body::Zstd(decoder)
            }
        };
        Ok(Self { left: length_bytes, owed: plain_bytes, body, filled: false, last: None })
    }

    /// Takes of `input` and gives into `out` what it can.
    ///
    /// # Errors
    /// `Compressed` when it is not what its header says.
    pub(super) fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, WireError> {
        let there = input.get(..self.left.min(input.len())).unwrap_or(input);
        if matches!(self.body, Body::Plain) {
            return Ok(self.pass(there, out));
        }
        // A decoder that is asked again and again, and for nothing, gives up (zstd).
        let is_dry = there.is_empty() && self.left > 0 && !self.filled;
        if out.is_empty() || is_dry {
            return Ok(Step::WAITS);
        }
        // INVARIANT: the last byte is given only when the end of the frame was read and its checksum held, so that no
        // command is whole before. What comes beyond what is owed shows in the byte to spare.
        let mut spare = [0];
        let is_last = self.owed <= 1;
        let room = out.len().min(self.owed.saturating_sub(1));
        let target = if is_last { &mut spare[..] } else { out.get_mut(..room).unwrap_or_default() };
        let size = target.len();
        let (taken, made, ended) = self.body.open(there, target)?;
        let is_stuck = taken == 0 && made == 0 && !ended && (self.left == 0 || !there.is_empty());
        if made > self.owed || is_stuck {
            return Err(WireError::Compressed);
        }
        self.filled = made == size;
        self.left -= taken;
        self.owed -= made;
        if is_last && made > 0 {
            self.last = Some(spare[0]);
        }
        let mut given = if is_last { 0 } else { made };
        if ended {
            if self.left > 0 || self.owed > 0 {
                return Err(WireError::Compressed);
            }
            if let (Some(last), Some(place)) = (self.last.take(), out.first_mut()) {
                *place = last;
                given = 1;
            }
        }
        Ok(Step { taken, given, is_over: ended, waits: taken == 0 && made == 0 && !ended })
    }

    fn pass(&mut self, there: &[u8], out: &mut [u8]) -> Step {
        let some = there.len().min(out.len());
        if let (Some(from), Some(to)) = (there.get(..some), out.get_mut(..some)) {
            to.copy_from_slice(from);
        }
        self.left -= some;
        self.owed -= some;
        let is_over = self.left == 0;
        Step { taken: some, given: some, is_over, waits: some == 0 && !is_over }
    }
}

impl Body {
    /// Bytes taken of `input`, bytes made in `out`, and whether the end was read.
    fn open(&mut self, input: &[u8], out: &mut [u8]) -> Result<(usize, usize, bool), WireError> {
        match self {
            Self::Plain => Ok((0, 0, true)),
            Self::Zlib(zlib) => {
                let (taken, made) = (zlib.total_in(), zlib.total_out());
                let status = zlib.decompress(input, out, FlushDecompress::None);
                let ended = match status.map_err(|_| WireError::Compressed)? {
                    Status::StreamEnd => true,
                    Status::Ok | Status::BufError => false,
                };
                let count = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
                Ok((count(zlib.total_in(), taken), count(zlib.total_out(), made), ended))
            }
            Self::Zstd(zstd) => {
                let status = zstd.run_on_buffers(input, out).map_err(|_| WireError::Compressed)?;
                Ok((status.bytes_read, status.bytes_written, status.remaining == 0))
            }
        }
    }
}

/// Of the bytes of a frame, no more than there can be in it are looked back at: 16 MiB.
const WINDOW_LOG: u32 = 24;
