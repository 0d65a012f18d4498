//! Where one packet ends and the next begins.
//!
//! Source: MySQL source documentation, "MySQL Packets".

use bytes::{Buf, BufMut, BytesMut};

use crate::wire::WireError;

/// Length (3 bytes) and sequence number (1 byte), before every packet.
pub const HEADER_BYTES: usize = 4;

/// The longest piece of a payload; one of exactly this length is continued by the next packet.
pub const MAX_PIECE_BYTES: usize = 0xff_ff_ff;

/// The header of one packet on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes that follow the header.
    pub length_bytes: usize,
    /// Its number within the exchange; wraps from 255 to 0.
    pub sequence: u8,
}

/// Reads the header at the front of `input`; `None` asks for more bytes.
pub fn header(input: &[u8]) -> Option<Header> {
    let (&[a, b, c, sequence], _) = input.split_first_chunk::<HEADER_BYTES>()?;
    let length = u32::from_le_bytes([a, b, c, 0]);
    Some(Header { length_bytes: usize::try_from(length).unwrap_or(usize::MAX), sequence })
}

/// One whole payload, put together where it came in several pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    payload: BytesMut,
    first: u8,
    last: u8,
}

impl Packet {
    /// Everything behind the header.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload itself.
    pub fn into_payload(self) -> BytesMut {
        self.payload
    }

    /// Number of its first piece; 0 in a client's command.
    pub const fn sequence(&self) -> u8 {
        self.first
    }

    /// Number that the other side answers with.
    pub const fn next_sequence(&self) -> u8 {
        self.last.wrapping_add(1)
    }

    /// Asks that its number is `expected`.
    ///
    /// # Errors
    /// `OutOfOrder` when it is another one.
    pub const fn expect_sequence(&self, expected: u8) -> Result<(), WireError> {
        if self.first == expected {
            Ok(())
        } else {
            Err(WireError::OutOfOrder { expected, found: self.first })
        }
    }
}

/// Takes one whole packet off the front of `input`; `Ok(None)` leaves it untouched and asks for more.
///
/// Pieces of 16 MiB - 1 bytes are joined with what follows, up to `limit_bytes` of payload (which is still allowed).
///
/// # Errors
/// `PacketTooLarge` past the limit, as soon as a header says so; `OutOfOrder` when a piece is not the next one.
pub fn take_packet(input: &mut BytesMut, limit_bytes: usize) -> Result<Option<Packet>, WireError> {
    let Some(first) = header(input) else { return Ok(None) };
    let mut at = 0;
    let mut payload_bytes = 0;
    let mut expected = first.sequence;
    let mut pieces = 0_usize;
    loop {
        let Some(piece) = input.get(at..).and_then(header) else { return Ok(None) };
        if piece.sequence != expected {
            return Err(WireError::OutOfOrder { expected, found: piece.sequence });
        }
        payload_bytes += piece.length_bytes;
        if payload_bytes > limit_bytes {
            return Err(WireError::PacketTooLarge { length_bytes: payload_bytes, limit_bytes });
        }
        at += HEADER_BYTES + piece.length_bytes;
        pieces += 1;
        if piece.length_bytes < MAX_PIECE_BYTES {
            break;
        }
        expected = expected.wrapping_add(1);
    }
    if input.len() < at {
        return Ok(None);
    }
    let mut whole = input.split_to(at);
    let payload = if pieces == 1 {
        whole.advance(HEADER_BYTES);
        whole
    } else {
        join(whole, payload_bytes)
    };
    Ok(Some(Packet { payload, first: first.sequence, last: expected }))
}

fn join(mut whole: BytesMut, payload_bytes: usize) -> BytesMut {
    let mut payload = BytesMut::with_capacity(payload_bytes);
    while let Some(piece) = header(&whole) {
        whole.advance(HEADER_BYTES);
        payload.extend_from_slice(&whole.split_to(piece.length_bytes.min(whole.len())));
    }
    payload
}

/// Appends a packet with what `body` writes, in pieces where it is too long for one; `sequence` goes on by as many.
pub fn write_packet(out: &mut BytesMut, sequence: &mut u8, body: impl FnOnce(&mut BytesMut)) {
    let at = out.len();
    out.put_u32_le(0);
    body(out);
    let length = out.len() - at - HEADER_BYTES;
    if length >= MAX_PIECE_BYTES {
        let payload = out.split_off(at + HEADER_BYTES);
        out.truncate(at);
        write_pieces(out, sequence, &payload);
    } else if let Some(place) = out.get_mut(at..at + HEADER_BYTES) {
        place.copy_from_slice(&header_bytes(length, *sequence));
        *sequence = sequence.wrapping_add(1);
    }
}

fn write_pieces(out: &mut BytesMut, sequence: &mut u8, mut payload: &[u8]) {
    loop {
        let (piece, rest) = payload.split_at(payload.len().min(MAX_PIECE_BYTES));
        out.put_slice(&header_bytes(piece.len(), *sequence));
        out.put_slice(piece);
        *sequence = sequence.wrapping_add(1);
        payload = rest;
        // A payload that ends with a full piece is closed by an empty one.
        if piece.len() < MAX_PIECE_BYTES {
            return;
        }
    }
}

fn header_bytes(length: usize, sequence: u8) -> [u8; HEADER_BYTES] {
    let [a, b, c, _] = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    [a, b, c, sequence]
}
