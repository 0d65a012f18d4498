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
    Some(Header { length_bytes: length([a, b, c]), sequence })
}

/// The length that three bytes of a header say.
pub(super) fn length([a, b, c]: [u8; 3]) -> usize {
    usize::try_from(u32::from_le_bytes([a, b, c, 0])).unwrap_or(usize::MAX)
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

/// Whether the numbers of a client's packets mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// They count, from 0 in each command.
    Counted,
    /// They stand within compressed frames, which have numbers of their own: servers do not look at them, and clients
    /// begin anew with each piece.
    Ignored,
}

/// Takes one whole packet off the front of `input`; `Ok(None)` leaves it untouched and asks for more.
///
/// Pieces of 16 MiB - 1 bytes are joined with what follows, up to `limit_bytes` of payload (which is still allowed).
///
/// # Errors
/// `PacketTooLarge` past the limit, as soon as a header says so; `OutOfOrder` when a piece is not the next one.
pub fn take_packet(input: &mut BytesMut, limit_bytes: usize) -> Result<Option<Packet>, WireError> {
    take(input, limit_bytes, Numbers::Counted)
}

/// Takes a command, like [`take_packet`].
///
/// # Errors
/// As there; `OutOfOrder` also where it does not begin at 0.
pub fn take_command(
    input: &mut BytesMut,
    limit_bytes: usize,
    numbers: Numbers,
) -> Result<Option<Packet>, WireError> {
    let taken = take(input, limit_bytes, numbers)?;
    if numbers == Numbers::Counted
        && let Some(packet) = &taken
    {
        packet.expect_sequence(0)?;
    }
    Ok(taken)
}

fn take(input: &mut BytesMut, limit_bytes: usize, numbers: Numbers) -> Result<Option<Packet>, WireError> {
    let Some(first) = header(input) else { return Ok(None) };
    let mut at = 0;
    let mut payload_bytes = 0;
    let mut expected = first.sequence;
    let mut pieces = 0_usize;
    loop {
        let Some(piece) = input.get(at..).and_then(header) else { return Ok(None) };
        if piece.sequence != expected && numbers == Numbers::Counted {
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

/// A packet at the front of what has come that is thrown away, piece by piece, as it comes.
#[derive(Debug, Default)]
pub struct Discard {
    /// What is left of the piece in hand.
    left: usize,
    /// Of the pieces so far.
    payload_bytes: usize,
    pieces: u8,
    is_last: bool,
}

impl Discard {
    /// Throws away what there is of it; gives the number that the other side answers with once all of it was there.
    ///
    /// # Errors
    /// As [`take_packet`].
    pub fn pass(
        &mut self,
        input: &mut BytesMut,
        limit_bytes: usize,
        numbers: Numbers,
    ) -> Result<Option<u8>, WireError> {
        loop {
            let there = self.left.min(input.len());
            input.advance(there);
            self.left -= there;
            if self.left > 0 {
                return Ok(None);
            }
            if self.is_last {
                return Ok(Some(self.pieces));
            }
            let Some(Header { length_bytes, sequence }) = header(input) else { return Ok(None) };
            if sequence != self.pieces && numbers == Numbers::Counted {
                return Err(WireError::OutOfOrder { expected: self.pieces, found: sequence });
            }
            self.payload_bytes += length_bytes;
            if self.payload_bytes > limit_bytes {
                return Err(WireError::PacketTooLarge { length_bytes: self.payload_bytes, limit_bytes });
            }
            input.advance(HEADER_BYTES);
            self.left = length_bytes;
            self.pieces = self.pieces.wrapping_add(1);
            self.is_last = length_bytes < MAX_PIECE_BYTES;
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_taken_whole_or_not_at_all() {
        let whole = b"\x03\0\0\x07abc\x01\0\0\x08";
        for end in 0..=whole.len() {
            let mut input = BytesMut::from(&whole[..end]);
            let packet = take_packet(&mut input, 3).unwrap();
            if end < 7 {
                assert!(packet.is_none());
                assert_eq!(input.len(), end);
            } else {
                let packet = packet.unwrap();
                assert_eq!(
                    (packet.payload(), packet.sequence(), packet.next_sequence()),
                    (&b"abc"[..], 7, 8)
                );
            }
        }
    }

    #[test]
    fn a_packet_at_the_limit_passes_and_one_byte_more_does_not() {
        assert!(take_packet(&mut BytesMut::from(&b"\x03\0\0\0abc"[..]), 3).unwrap().is_some());
        let over = take_packet(&mut BytesMut::from(&b"\x03\0\0\0"[..]), 2);
        assert_eq!(over, Err(WireError::PacketTooLarge { length_bytes: 3, limit_bytes: 2 }));
        // A full piece promises more, but what it is itself is already too long.
        let over = take_packet(&mut BytesMut::from(&b"\xff\xff\xff\0"[..]), 1 << 20);
        assert!(matches!(over, Err(WireError::PacketTooLarge { .. })));
    }

    #[test]
    fn long_payloads_go_in_pieces_and_come_back_as_one() {
        for length in [MAX_PIECE_BYTES - 1, MAX_PIECE_BYTES, MAX_PIECE_BYTES + 5, 2 * MAX_PIECE_BYTES] {
            let payload: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let mut out = BytesMut::new();
            let mut sequence = 255;
            write_packet(&mut out, &mut sequence, |out| out.put_slice(&payload));
            let pieces = length / MAX_PIECE_BYTES + 1;
            assert_eq!(out.len(), length + pieces * HEADER_BYTES);
            let packet = take_packet(&mut out, length).unwrap().unwrap();
            assert!(packet.payload() == payload.as_slice(), "{length}");
            assert_eq!((packet.sequence(), packet.next_sequence()), (255, sequence));
            assert!(out.is_empty());
        }
    }

    #[test]
    fn a_packet_is_thrown_away_however_it_comes_and_nothing_behind_it() {
        let mut whole = BytesMut::new();
        write_packet(&mut whole, &mut 0, |out| out.put_bytes(1, MAX_PIECE_BYTES + 5));
        whole.extend_from_slice(b"next");
        for step in [1 << 20, 1 << 24, whole.len()] {
            let (mut discard, mut input, mut rest) = (Discard::default(), BytesMut::new(), whole.clone());
            let next = loop {
                input.extend_from_slice(&rest.split_to(step.min(rest.len())));
                if let Some(next) = discard.pass(&mut input, MAX_PIECE_BYTES + 5, Numbers::Counted).unwrap() {
                    break next;
                }
                assert!(input.len() < HEADER_BYTES, "nothing of it is kept");
            };
            input.extend_from_slice(&rest);
            assert_eq!((next, &input[..]), (2, &b"next"[..]));
        }
        let over = Discard::default().pass(&mut whole, MAX_PIECE_BYTES + 4, Numbers::Counted);
        assert!(matches!(over, Err(WireError::PacketTooLarge { .. })));
        let over =
            Discard::default().pass(&mut BytesMut::from(&b"\x01\0\0\x01\x03"[..]), 9, Numbers::Counted);
        assert_eq!(over, Err(WireError::OutOfOrder { expected: 0, found: 1 }));
    }

    #[test]
    fn a_piece_out_of_order_is_refused() {
        let mut input = BytesMut::new();
        write_packet(&mut input, &mut 0, |out| out.put_bytes(1, MAX_PIECE_BYTES + 1));
        let second = HEADER_BYTES + MAX_PIECE_BYTES;
        input[second + 3] = 0;
        let taken = take_packet(&mut input.clone(), 1 << 26);
        assert_eq!(taken, Err(WireError::OutOfOrder { expected: 1, found: 0 }));
        // Within compressed frames nobody counts.
        let taken = take_command(&mut input, 1 << 26, Numbers::Ignored).unwrap().unwrap();
        assert_eq!(taken.payload().len(), MAX_PIECE_BYTES + 1);
    }

    #[test]
    fn a_command_begins_at_zero() {
        let take = |bytes: &[u8], numbers| take_command(&mut BytesMut::from(bytes), 9, numbers);
        assert!(take(b"\x01\0\0\0\x0e", Numbers::Counted).unwrap().is_some());
        let wrong = take(b"\x01\0\0\x01\x0e", Numbers::Counted);
        assert_eq!(wrong, Err(WireError::OutOfOrder { expected: 0, found: 1 }));
        assert!(take(b"\x01\0\0\x01\x0e", Numbers::Ignored).unwrap().is_some());
    }
}
