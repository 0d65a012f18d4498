//! Where one message ends and the next begins.

use bytes::{Buf, BytesMut};

use crate::wire::WireError;

/// Type and length, before every message after the startup.
pub const HEADER_BYTES: usize = 5;

/// The header of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The message's type.
    pub tag: u8,
    /// Header and body together, in bytes; at least [`HEADER_BYTES`].
    pub total_bytes: usize,
}

/// Reads the header at the front of `input`; `Ok(None)` asks for more bytes.
///
/// # Errors
/// `ImpossibleLength` when the length field is below its own four bytes, `TooLarge` when the message with its
/// header is over `limit_bytes` (which is still allowed).
///
/// Source: PostgreSQL manual, "Message Formats".
pub fn header(input: &[u8], limit_bytes: usize) -> Result<Option<Header>, WireError> {
    let Some((&[tag, a, b, c, d], _)) = input.split_first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    // The length is a signed integer: one beyond 2 GiB is negative.
    let length = usize::try_from(i32::from_be_bytes([a, b, c, d])).unwrap_or_default();
    if length < 4 {
        return Err(WireError::ImpossibleLength { tag });
    }
    let total_bytes = length + 1;
    if total_bytes > limit_bytes {
        return Err(WireError::TooLarge { tag, length_bytes: total_bytes, limit_bytes });
    }
    Ok(Some(Header { tag, total_bytes }))
}

/// One whole message, header and all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    bytes: BytesMut,
}

impl Frame {
    /// The message's type.
    pub fn tag(&self) -> u8 {
        self.bytes.first().copied().unwrap_or_default()
    }

    /// Everything behind the header.
    pub fn body(&self) -> &[u8] {
        self.bytes.get(HEADER_BYTES..).unwrap_or_default()
    }

    /// The message as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Takes one whole message off the front of `input`; `Ok(None)` leaves it untouched and asks for more.
///
/// # Errors
/// As [`header`].
pub fn take_frame(input: &mut BytesMut, limit_bytes: usize) -> Result<Option<Frame>, WireError> {
    let Some(header) = header(input, limit_bytes)? else { return Ok(None) };
    if input.len() < header.total_bytes {
        return Ok(None);
    }
    Ok(Some(Frame { bytes: input.split_to(header.total_bytes) }))
}

/// Reads the fields of one message's body, strictly inside it.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
    message: &'static str,
}

impl<'a> Fields<'a> {
    /// Starts at the front of `body`; `message` names it in errors.
    pub const fn new(body: &'a [u8], message: &'static str) -> Self {
        Self { rest: body, message }
    }

    const fn malformed(&self) -> WireError {
        WireError::Malformed { message: self.message }
    }

    /// One byte.
    ///
    /// # Errors
    /// `Malformed` at the end of the body.
    pub fn byte(&mut self) -> Result<u8, WireError> {
        let (&first, rest) = self.rest.split_first().ok_or_else(|| self.malformed())?;
        self.rest = rest;
        Ok(first)
    }

    /// A 16-bit count, big-endian; the server reads counts without sign.
    ///
    /// # Errors
    /// `Malformed` at the end of the body.
    pub fn count(&mut self) -> Result<u16, WireError> {
        self.rest.try_get_u16().map_err(|_| self.malformed())
    }

    /// A 32-bit integer, big-endian.
    ///
    /// # Errors
    /// `Malformed` at the end of the body.
    pub fn int32(&mut self) -> Result<i32, WireError> {
        self.rest.try_get_i32().map_err(|_| self.malformed())
    }

    /// `length` bytes.
    ///
    /// # Errors
    /// `Malformed` when there are not as many.
    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or_else(|| self.malformed())?;
        self.rest = rest;
        Ok(head)
    }

    /// Text that ends with a zero byte, which is not part of it.
    ///
    /// # Errors
    /// `Malformed` without the zero byte, `NotUtf8` when the text is not UTF-8.
    pub fn text(&mut self) -> Result<&'a str, WireError> {
        let end = memchr::memchr(0, self.rest).ok_or_else(|| self.malformed())?;
        let text = self.bytes(end)?;
        self.byte()?;
        std::str::from_utf8(text).map_err(|_| WireError::NotUtf8 { message: self.message })
    }

    /// Everything that is left.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Asks that nothing is left.
    ///
    /// # Errors
    /// `Malformed` when something is.
    pub const fn end(&self) -> Result<(), WireError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_whole_or_not_at_all() {
        let whole = b"Q\0\0\0\x0eSELECT 1;\0Z";
        for end in 0..whole.len() {
            let mut input = BytesMut::from(&whole[..end]);
            let frame = take_frame(&mut input, 1024).unwrap();
            if end < 15 {
                assert!(frame.is_none());
                assert_eq!(input.len(), end);
            } else {
                assert_eq!(frame.unwrap().body(), b"SELECT 1;\0");
            }
        }
    }

    #[test]
    fn a_length_below_four_is_impossible() {
        assert_eq!(header(b"Q\0\0\0\x03", 100), Err(WireError::ImpossibleLength { tag: b'Q' }));
    }

    #[test]
    fn a_message_at_the_limit_passes_and_one_byte_more_does_not() {
        assert!(header(b"Q\0\0\0\x09", 10).unwrap().is_some());
        assert!(matches!(header(b"Q\0\0\0\x0a", 10), Err(WireError::TooLarge { .. })));
    }
}
