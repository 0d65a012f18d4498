//! Numbers, texts and lists as Kafka writes them.
//!
//! Source: Apache Kafka, "Protocol Guide", "Protocol Primitive Types".

use bytes::BufMut;

use crate::audit::sink::error::SinkError;

/// The fields of an answer, from the first on. Every read beyond its end is an error.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    api: &'static str,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// `api` is what was asked.
    pub(super) const fn new(api: &'static str, bytes: &'a [u8]) -> Self {
        Self { api, rest: bytes }
    }

    pub(super) fn int8(&mut self) -> Result<i8, SinkError> {
        self.array().map(i8::from_be_bytes)
    }

    pub(super) fn int16(&mut self) -> Result<i16, SinkError> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn int32(&mut self) -> Result<i32, SinkError> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn int64(&mut self) -> Result<i64, SinkError> {
        self.array().map(i64::from_be_bytes)
    }

    /// A text; empty where there is none.
    pub(super) fn text(&mut self) -> Result<&'a str, SinkError> {
        let length = usize::try_from(self.int16()?).unwrap_or(0);
        std::str::from_utf8(self.take(length)?).map_err(|_| self.unreadable())
    }

    /// Bytes; empty where there are none.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], SinkError> {
        let length = usize::try_from(self.int32()?).unwrap_or(0);
        self.take(length)
    }

    /// How many items a list has; never more than there are bytes for.
    pub(super) fn count(&mut self) -> Result<usize, SinkError> {
        let count = usize::try_from(self.int32()?).unwrap_or(0);
        if count > self.rest.len() { Err(self.unreadable()) } else { Ok(count) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SinkError> {
        let Some((array, rest)) = self.rest.split_first_chunk() else { return Err(self.unreadable()) };
        self.rest = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], SinkError> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else { return Err(self.unreadable()) };
        self.rest = rest;
        Ok(taken)
    }

    pub(super) const fn unreadable(&self) -> SinkError {
        SinkError::Answer { api: self.api }
    }
}

/// Adds a text of at most 32,767 bytes; what is longer is cut.
pub(super) fn put_text(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes().get(..i16::MAX as usize).unwrap_or(text.as_bytes());
    out.put_i16(i16::try_from(bytes.len()).unwrap_or(i16::MAX));
    out.put_slice(bytes);
}

/// Adds bytes behind their length.
pub(super) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
    out.put_slice(bytes);
}

/// Adds a number of variable length, zigzag.
pub(super) fn put_varint(number: i64, out: &mut Vec<u8>) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push((rest & 0x7f) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_never_longer_than_its_bytes() {
        let mut fields = Fields::new("Metadata", &[0x7f, 0xff, 0xff, 0xff, 0, 0]);
        assert!(matches!(fields.count(), Err(SinkError::Answer { api: "Metadata" })));
        let mut fields = Fields::new("Metadata", &[0, 0, 0, 2, 0, 0]);
        assert_eq!(fields.count().unwrap(), 2);
        assert_eq!(fields.int16().unwrap(), 0);
        assert!(fields.int8().is_err());
        let mut nothing = Fields::new("Metadata", &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!((nothing.count().unwrap(), nothing.text().unwrap()), (0, ""));
    }

    #[test]
    fn numbers_of_variable_length_are_as_the_format_describes_them() {
        for (number, bytes) in
            [(0, &[0][..]), (-1, &[1]), (1, &[2]), (63, &[126]), (64, &[0x80, 1]), (300, &[0xd8, 4])]
        {
            let mut out = Vec::new();
            put_varint(number, &mut out);
            assert_eq!(out, bytes);
        }
    }
}
