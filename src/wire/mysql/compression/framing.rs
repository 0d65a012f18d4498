//! Where one frame ends and the next begins.
//!
//! Source: MySQL source documentation, "Compressed Packet"; MariaDB documentation, "Compressed packet".

use bytes::{BufMut, BytesMut};

use super::{algorithm::Algorithm, compressor::Compressor, frame::Frame};
use crate::wire::{
    WireError,
    mysql::packet::{HEADER_BYTES, length},
};

/// Length (3 bytes), number (1 byte) and length before compression (3 bytes), before every frame.
pub const FRAME_HEADER_BYTES: usize = 7;

/// The header of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Bytes that follow the header.
    pub length_bytes: usize,
    /// Its number within the exchange, counted apart from that of packets; wraps from 255 to 0.
    pub sequence: u8,
    /// Bytes that are in it; `None` where it is not compressed.
    pub compressed_from: Option<usize>,
}

impl FrameHeader {
    /// Reads the header at the front of `input`; `None` asks for more bytes.
    pub fn read(input: &[u8]) -> Option<Self> {
        let (&[a, b, c, sequence, d, e, f], _) = input.split_first_chunk::<FRAME_HEADER_BYTES>()?;
        let plain_bytes = length([d, e, f]);
        Some(Self {
            length_bytes: length([a, b, c]),
            sequence,
            compressed_from: (plain_bytes > 0).then_some(plain_bytes),
        })
    }

    /// Bytes of packets that are in it, by its own word.
    pub const fn plain_bytes(&self) -> usize {
        match self.compressed_from {
            Some(plain_bytes) => plain_bytes,
            None => self.length_bytes,
        }
    }

    fn bytes(self) -> [u8; FRAME_HEADER_BYTES] {
        let three = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        let ([a, b, c, _], [d, e, f, _]) =
            (three(self.length_bytes), three(self.compressed_from.unwrap_or_default()));
        [a, b, c, self.sequence, d, e, f]
    }
}

/// The frames of one connection, in both directions.
pub struct Framing {
    algorithm: Algorithm,
    /// Number of the next frame, whoever sends it.
    sequence: u8,
    /// What may be in one frame.
    limit_bytes: usize,
    /// The client's frame that is not over.
    frame: Option<Frame>,
}

impl Framing {
    /// Begins behind the login; `limit_bytes` is the largest payload of a packet that is taken.
    pub const fn new(algorithm: Algorithm, limit_bytes: usize) -> Self {
        let limit_bytes = limit_bytes.saturating_add(HEADER_BYTES);
        Self { algorithm, sequence: 0, limit_bytes, frame: None }
    }

    /// Whether no frame was begun whose end has not been read.
    pub const fn is_between_frames(&self) -> bool {
        self.frame.is_none()
    }

    /// What is written next answers a command of one frame.
    pub const fn answer_anew(&mut self) {
        self.sequence = 1;
    }

    /// Takes frames off the front of `input` and fills `out` with what is in them; gives how much that is. Where that is
    /// nothing, more bytes have to come.
    ///
    /// A frame has the next number, or 0, which begins a new exchange and is not read together with what is before it: read
    /// on when what answers that has been written.
    ///
    /// # Errors
    /// `OutOfOrder`; `PacketTooLarge` as soon as a header says so; `Compressed` where something else is in a frame than its
    /// header says.
    pub fn read(&mut self, input: &mut &[u8], out: &mut [u8]) -> Result<usize, WireError> {
        let mut at = 0;
        loop {
            let frame = match &mut self.frame {
                Some(frame) => frame,
                None if at == out.len() || (at > 0 && begins_exchange(input)) => return Ok(at),
                none => match begin(input, self.algorithm, &mut self.sequence, self.limit_bytes)? {
                    Some(frame) => none.insert(frame),
                    None => return Ok(at),
                },
            };
            let step = frame.step(input, out.get_mut(at..).unwrap_or_default())?;
            *input = input.get(step.taken..).unwrap_or_default();
            at += step.given;
            if step.is_over {
                self.frame = None;
            }
            if step.waits {
                return Ok(at);
            }
        }
    }

    /// Appends `plain` in frames of at most [`MOST_PLAIN_BYTES`] each, compressed where that makes them smaller.
    pub fn write(&mut self, compressor: &mut Compressor, plain: &[u8], out: &mut BytesMut) {
        for plain in plain.chunks(MOST_PLAIN_BYTES) {
            let at = out.len();
            let body = at + FRAME_HEADER_BYTES;
            // One byte less than it has now is the most that it may have.
            out.put_bytes(0, FRAME_HEADER_BYTES + plain.len() - 1);
            let compressed = match out.get_mut(body..) {
                Some(room) if plain.len() >= LEAST_COMPRESSED_BYTES => {
                    compressor.compress(self.algorithm, plain, room)
                }
                Some(_) | None => None,
            };
            let length_bytes = compressed.unwrap_or(plain.len());
            match compressed {
                Some(length_bytes) => out.truncate(body + length_bytes),
                None => {
                    out.truncate(body);
                    out.put_slice(plain);
                }
            }
            let compressed_from = compressed.map(|_| plain.len());
            let header = FrameHeader { length_bytes, sequence: self.sequence, compressed_from };
            if let Some(place) = out.get_mut(at..body) {
                place.copy_from_slice(&header.bytes());
            }
            self.sequence = self.sequence.wrapping_add(1);
        }
    }
}

fn begins_exchange(input: &[u8]) -> bool {
    FrameHeader::read(input).is_some_and(|header| header.sequence == 0)
}

/// Takes the header of the next frame off the front of `input`.
fn begin(
    input: &mut &[u8],
    algorithm: Algorithm,
    sequence: &mut u8,
    limit_bytes: usize,
) -> Result<Option<Frame>, WireError> {
    let Some(header) = FrameHeader::read(input) else { return Ok(None) };
    if header.sequence != *sequence && header.sequence != 0 {
        return Err(WireError::OutOfOrder { expected: *sequence, found: header.sequence });
    }
    // Counted in any case: the client reads what it is told of a frame that is too large.
    *sequence = header.sequence.wrapping_add(1);
    let length_bytes = header.plain_bytes();
    if length_bytes > limit_bytes {
        return Err(WireError::PacketTooLarge { length_bytes, limit_bytes });
    }
    *input = input.get(FRAME_HEADER_BYTES..).unwrap_or_default();
    Ok(Some(match header.compressed_from {
        Some(plain_bytes) => Frame::compressed(algorithm, header.length_bytes, plain_bytes)?,
        None => Frame::plain(header.length_bytes),
    }))
}

/// As much is compressed at a time.
pub const MOST_PLAIN_BYTES: usize = 64 * 1024;

/// Less does not become smaller (MIN_COMPRESS_LENGTH of the servers).
const LEAST_COMPRESSED_BYTES: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Algorithm; 2] = [Algorithm::Zlib, Algorithm::Zstd { level: 3 }];
    const LIMIT: usize = 1 << 24;

    fn written(algorithm: Algorithm, plain: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        Framing::new(algorithm, LIMIT).write(&mut Compressor::default(), plain, &mut out);
        out
    }

    /// What is in `bytes`, which come `step` at a time, opened into room for `room`.
    fn opened(framing: &mut Framing, bytes: &[u8], step: usize, room: usize) -> Result<Vec<u8>, WireError> {
        let (mut opened, mut raw, mut out) = (Vec::new(), Vec::new(), vec![0; room]);
        for piece in bytes.chunks(step) {
            raw.extend_from_slice(piece);
            loop {
                let mut rest = raw.as_slice();
                let given = framing.read(&mut rest, &mut out)?;
                raw = rest.to_vec();
                opened.extend_from_slice(&out[..given]);
                if given == 0 {
                    break;
                }
            }
        }
        Ok(opened)
    }

    fn open_all(algorithm: Algorithm, bytes: &[u8]) -> Result<Vec<u8>, WireError> {
        opened(&mut Framing::new(algorithm, LIMIT), bytes, bytes.len().max(1), 1 << 16)
    }

    /// A frame, whatever is said of it.
    fn frame(sequence: u8, body: &[u8], compressed_from: Option<usize>) -> Vec<u8> {
        let header = FrameHeader { length_bytes: body.len(), sequence, compressed_from };
        [&header.bytes()[..], body].concat()
    }

    /// The body of the one frame that `plain` makes.
    fn body(algorithm: Algorithm, plain: &[u8]) -> Vec<u8> {
        let frame = written(algorithm, plain);
        assert!(FrameHeader::read(&frame).unwrap().compressed_from.is_some(), "not compressed");
        frame[FRAME_HEADER_BYTES..].to_vec()
    }

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|at| b"select from where "[at % 18] ^ u8::try_from(at / 997 % 7).unwrap()).collect()
    }

    #[test]
    fn what_was_written_is_read_wherever_the_bytes_are_cut_and_however_little_room_there_is() {
        let plain = [text(300), vec![0; 100], b"short".to_vec()].concat();
        for algorithm in BOTH {
            let mut bytes = BytesMut::new();
            let mut framing = Framing::new(algorithm, LIMIT);
            let mut compressor = Compressor::default();
            for part in [&plain[..20], &plain[20..200], &plain[200..]] {
                framing.write(&mut compressor, part, &mut bytes);
            }
            for step in 1..=bytes.len() {
                for room in [1, 7, 1 << 10] {
                    let read = opened(&mut Framing::new(algorithm, LIMIT), &bytes, step, room).unwrap();
                    assert_eq!(read, plain, "{algorithm:?} {step} {room}");
                }
            }
        }
    }

    #[test]
    fn what_is_large_goes_in_frames_of_their_own_numbers() {
        let plain = text(3 * MOST_PLAIN_BYTES + 5);
        for algorithm in BOTH {
            let bytes = written(algorithm, &plain);
            assert!(bytes.len() < plain.len() / 4, "{} bytes", bytes.len());
            let (mut at, mut numbers) = (0, Vec::new());
            while let Some(header) = FrameHeader::read(&bytes[at..]) {
                numbers.push((header.sequence, header.plain_bytes()));
                at += FRAME_HEADER_BYTES + header.length_bytes;
            }
            let full = MOST_PLAIN_BYTES;
            assert_eq!(numbers, [(0, full), (1, full), (2, full), (3, 5)]);
            assert_eq!(open_all(algorithm, &bytes).unwrap(), plain);
        }
    }

    #[test]
    fn what_does_not_become_smaller_goes_as_it_is() {
        let noise: Vec<u8> = (0..=255_u8).map(|at| at.wrapping_mul(167)).collect();
        for algorithm in BOTH {
            for plain in [&noise[..], &[7; 49]] {
                let bytes = written(algorithm, plain);
                let header = FrameHeader::read(&bytes).unwrap();
                assert_eq!((header.length_bytes, header.compressed_from), (plain.len(), None));
                assert_eq!(&bytes[FRAME_HEADER_BYTES..], plain);
            }
            assert!(FrameHeader::read(&written(algorithm, &[7; 50])).unwrap().compressed_from.is_some());
        }
    }

    #[test]
    fn an_answer_goes_on_counting_where_the_command_ended() {
        let mut framing = Framing::new(Algorithm::Zlib, LIMIT);
        let command = [frame(0, b"one", None), frame(1, b"two", None)].concat();
        assert_eq!(opened(&mut framing, &command, 5, 64).unwrap(), b"onetwo");
        let number = |framing: &mut Framing| {
            let mut out = BytesMut::new();
            framing.write(&mut Compressor::default(), b"ok", &mut out);
            FrameHeader::read(&out).unwrap().sequence
        };
        assert_eq!((number(&mut framing), number(&mut framing)), (2, 3));
        assert_eq!(opened(&mut framing, &frame(0, b"next", None), 99, 64).unwrap(), b"next");
        assert_eq!(number(&mut framing), 1);
        let ahead = [frame(0, b"a", None), frame(1, b"b", None), frame(0, b"c", None)].concat();
        let (mut rest, mut out) = (&ahead[..], [0; 9]);
        assert_eq!(framing.read(&mut rest, &mut out), Ok(2), "the next exchange is left");
        assert_eq!(number(&mut framing), 2);
        assert_eq!(framing.read(&mut rest, &mut out), Ok(1));
        assert_eq!(number(&mut framing), 1);
        framing.answer_anew();
        assert_eq!(number(&mut framing), 1);
    }

    #[test]
    fn a_frame_of_another_number_is_refused() {
        let mut framing = Framing::new(Algorithm::Zlib, LIMIT);
        assert!(opened(&mut framing, &frame(0, b"one", None), 99, 64).is_ok());
        let other = opened(&mut framing, &frame(2, b"two", None), 99, 64);
        assert_eq!(other, Err(WireError::OutOfOrder { expected: 1, found: 2 }));
    }

    #[test]
    fn numbers_wrap() {
        let frames: Vec<u8> = (0..600_u32).flat_map(|at| frame(at as u8, &[at as u8], None)).collect();
        let read = opened(&mut Framing::new(Algorithm::Zlib, LIMIT), &frames, 13, 64).unwrap();
        assert_eq!(read.len(), 600);
    }

    #[test]
    fn a_frame_that_says_more_than_a_packet_may_have_is_refused_by_its_header() {
        for (bytes, passes) in [(14, true), (15, false)] {
            let mut framing = Framing::new(Algorithm::Zlib, 10);
            let compressed = frame(0, &[], Some(bytes));
            let read = framing.read(&mut &compressed[..], &mut [0; 8]);
            assert_eq!(
                read == Err(WireError::PacketTooLarge { length_bytes: bytes, limit_bytes: 14 }),
                !passes
            );
            let plain = frame(0, &vec![1; bytes], None);
            let read = Framing::new(Algorithm::Zlib, 10).read(&mut &plain[..], &mut [0; 64]);
            assert_eq!(read.is_ok(), passes);
        }
    }

    #[test]
    fn nothing_but_what_the_header_says_may_be_in_a_frame() {
        let plain = text(500);
        for algorithm in BOTH {
            let sound = body(algorithm, &plain);
            assert_eq!(open_all(algorithm, &frame(0, &sound, Some(500))).unwrap(), plain);
            let more = [&sound[..], &[0]].concat();
            let twice = [&sound[..], &sound[..]].concat();
            for (said, body) in [
                (499, &sound[..]),
                (501, &sound),
                (1, &sound),
                (500, &sound[..sound.len() - 1]),
                (500, &sound[..sound.len() / 2]),
                (500, &sound[1..]),
                (500, &more),
                (1000, &twice),
                (500, b""),
                (500, b"neither of both"),
            ] {
                let read = open_all(algorithm, &frame(0, body, Some(said)));
                assert_eq!(read, Err(WireError::Compressed), "{algorithm:?}: {said}, {} bytes", body.len());
            }
        }
    }

    #[test]
    fn the_end_of_a_frame_is_given_when_its_checksum_held() {
        let plain = text(500);
        let mut body = body(Algorithm::Zlib, &plain);
        let whole = frame(0, &body, Some(500));
        let mut framing = Framing::new(Algorithm::Zlib, LIMIT);
        let cut = opened(&mut framing, &whole[..whole.len() - 1], 99, 1024).unwrap();
        assert_eq!(cut, plain[..499]);
        assert_eq!(opened(&mut framing, &whole[whole.len() - 1..], 99, 1024).unwrap(), plain[499..]);
        let last = body.len() - 1;
        body[last] ^= 1;
        assert_eq!(open_all(Algorithm::Zlib, &frame(0, &body, Some(500))), Err(WireError::Compressed));
    }

    #[test]
    fn a_frame_that_grows_a_thousandfold_is_given_piece_by_piece() {
        let limit = 1 << 21;
        let zeros = vec![0; limit];
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut zlib, &zeros).unwrap();
        let zstd = zstd::bulk::compress(&zeros, 19).unwrap();
        for (algorithm, body) in BOTH.into_iter().zip([zlib.finish().unwrap(), zstd]) {
            assert!(body.len() < limit / 500);
            let bytes = frame(0, &body, Some(limit));
            let (mut framing, mut rest, mut out) = (Framing::new(algorithm, limit), &bytes[..], [1; 4096]);
            for _ in 0..3 {
                assert_eq!(framing.read(&mut rest, &mut out).unwrap(), 4096);
                assert!(!rest.is_empty() && out.iter().all(|byte| *byte == 0));
            }
            let mut given = 3 * 4096;
            loop {
                match framing.read(&mut rest, &mut out).unwrap() {
                    4096 => given += 4096,
                    last => break given += last,
                }
            }
            assert_eq!(given, limit);
        }
    }

    #[test]
    fn a_decoder_that_waits_may_be_asked_any_number_of_times() {
        let plain = text(500);
        for algorithm in BOTH {
            let bytes = frame(0, &body(algorithm, &plain), Some(500));
            let mut framing = Framing::new(algorithm, LIMIT);
            let (start, end) = bytes.split_at(40);
            let mut read = opened(&mut framing, start, 99, 64).unwrap();
            for _ in 0..100 {
                assert_eq!(framing.read(&mut &b""[..], &mut [0; 64]), Ok(0));
            }
            read.extend(opened(&mut framing, end, 99, 64).unwrap());
            assert_eq!(read, plain);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, zstd: bool, room in 0_usize..99) {
            let algorithm = BOTH[usize::from(zstd)];
            let mut framing = Framing::new(algorithm, 1 << 10);
            let _ = framing.read(&mut &bytes[..], &mut vec![0; room]);
        }

        #[test]
        fn a_damaged_body_gives_no_more_than_was_said(at in 0_usize..1000, with: u8, zstd: bool) {
            let algorithm = BOTH[usize::from(zstd)];
            let mut body = body(algorithm, &text(900));
            let at = at % body.len();
            body[at] ^= with;
            if let Ok(read) = open_all(algorithm, &frame(0, &body, Some(900))) {
                proptest::prop_assert!(read.len() <= 900);
            }
        }
    }
}
