//! The fields inside a payload: little-endian numbers, length-encoded numbers and strings.
//!
//! Source: MySQL source documentation, "Basic Data Types".

use bytes::{Buf, BufMut, BytesMut};

use crate::wire::WireError;

/// Reads the fields of one payload, strictly inside it.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
    message: &'static str,
}

impl<'a> Fields<'a> {
    /// Starts at the front of `payload`; `message` names it in errors.
    pub const fn new(payload: &'a [u8], message: &'static str) -> Self {
        Self { rest: payload, message }
    }

    /// What is said of a payload that is not laid out as it should be.
    pub const fn malformed(&self) -> WireError {
        WireError::Malformed { message: self.message }
    }

    /// One byte.
    ///
    /// # Errors
    /// `Malformed` at the end of the payload.
    pub fn byte(&mut self) -> Result<u8, WireError> {
        self.rest.try_get_u8().map_err(|_| self.malformed())
    }

    /// Two bytes, little-endian.
    ///
    /// # Errors
    /// `Malformed` at the end of the payload.
    pub fn int16(&mut self) -> Result<u16, WireError> {
        self.rest.try_get_u16_le().map_err(|_| self.malformed())
    }

    /// Four bytes, little-endian.
    ///
    /// # Errors
    /// `Malformed` at the end of the payload.
    pub fn int32(&mut self) -> Result<u32, WireError> {
        self.rest.try_get_u32_le().map_err(|_| self.malformed())
    }

    /// A length-encoded number.
    ///
    /// # Errors
    /// `Malformed` at the end of the payload, and for the marks of NULL (0xfb) and of an error (0xff).
    pub fn number(&mut self) -> Result<u64, WireError> {
        match self.byte()? {
            0xfb | 0xff => Err(self.malformed()),
            0xfc => self.int16().map(u64::from),
            0xfd => match self.bytes(3)? {
                &[a, b, c] => Ok(u64::from(u32::from_le_bytes([a, b, c, 0]))),
                _ => Err(self.malformed()),
            },
            0xfe => self.rest.try_get_u64_le().map_err(|_| self.malformed()),
            small => Ok(u64::from(small)),
        }
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

    /// Bytes behind their length-encoded length.
    ///
    /// # Errors
    /// `Malformed` when there are not as many as it says.
    pub fn string(&mut self) -> Result<&'a [u8], WireError> {
        let length = usize::try_from(self.number()?).map_err(|_| self.malformed())?;
        self.bytes(length)
    }

    /// Bytes up to a zero byte, which is not part of them.
    ///
    /// # Errors
    /// `Malformed` without the zero byte.
    pub fn zero_ended(&mut self) -> Result<&'a [u8], WireError> {
        let end = memchr::memchr(0, self.rest).ok_or_else(|| self.malformed())?;
        let head = self.bytes(end)?;
        self.byte()?;
        Ok(head)
    }

    /// Bytes up to a zero byte or the end of the payload: the last field of some messages comes without its zero.
    pub fn zero_ended_or_rest(&mut self) -> &'a [u8] {
        let end = memchr::memchr(0, self.rest).unwrap_or(self.rest.len());
        let (head, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        head
    }

    /// `bytes` as text.
    ///
    /// # Errors
    /// `NotUtf8`.
    pub fn utf8(&self, bytes: &'a [u8]) -> Result<&'a str, WireError> {
        std::str::from_utf8(bytes).map_err(|_| WireError::NotUtf8 { message: self.message })
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

/// Appends a length-encoded number.
pub fn put_number(out: &mut BytesMut, number: u64) {
    match number {
        0..=0xfa => out.put_u8(number.to_le_bytes()[0]),
        0xfb..=0xffff => {
            out.put_u8(0xfc);
            out.put_uint_le(number, 2);
        }
        0x1_0000..=0xff_ffff => {
            out.put_u8(0xfd);
            out.put_uint_le(number, 3);
        }
        _ => {
            out.put_u8(0xfe);
            out.put_u64_le(number);
        }
    }
}

/// Appends bytes behind their length-encoded length.
pub fn put_string(out: &mut BytesMut, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.put_slice(bytes);
}

/// Appends text and a zero byte; zero bytes within the text are left out, for they would end it early.
pub fn put_zero_ended(out: &mut BytesMut, text: &[u8]) {
    out.extend(text.iter().copied().filter(|byte| *byte != 0));
    out.put_u8(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_in_the_shortest_form() {
        for (number, bytes) in [
            (0, 1),
            (250, 1),
            (251, 3),
            (0xffff, 3),
            (0x1_0000, 4),
            (0xff_ffff, 4),
            (0x100_0000, 9),
            (u64::MAX, 9),
        ] {
            let mut out = BytesMut::new();
            put_number(&mut out, number);
            assert_eq!(out.len(), bytes, "{number}");
            let mut fields = Fields::new(&out, "test");
            assert_eq!(fields.number(), Ok(number));
            assert_eq!(fields.end(), Ok(()));
            assert!(Fields::new(&out[..bytes - 1], "test").number().is_err());
        }
    }

    #[test]
    fn a_string_longer_than_its_payload_is_refused() {
        assert_eq!(Fields::new(b"\x02ab", "test").string(), Ok(&b"ab"[..]));
        assert!(Fields::new(b"\x03ab", "test").string().is_err());
        assert!(Fields::new(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xffab", "test").string().is_err());
        assert!(Fields::new(b"\xfb", "test").string().is_err());
    }

    #[test]
    fn a_zero_within_a_text_does_not_end_it_early() {
        let mut out = BytesMut::new();
        put_zero_ended(&mut out, b"a\0b");
        assert_eq!(&out[..], b"ab\0");
    }
}
