//! A record batch.
//!
//! Source: Apache Kafka, "Message Format", "Record Batch" and "Record", version 2.

use bytes::BufMut;
use crc::{CRC_32_ISCSI, Crc};

use super::codec::put_varint;

/// A message before it is written.
#[derive(Clone, Debug)]
pub(super) struct Message<'a> {
    /// Milliseconds since 1970.
    pub(super) at_ms: i64,
    /// What decides on its partition.
    pub(super) key: &'a str,
    /// Its bytes.
    pub(super) value: &'a [u8],
    /// What is said beside it.
    pub(super) headers: Vec<(&'static str, String)>,
}

/// Messages as one batch, not compressed, of a producer without a number.
pub(super) fn batch(messages: &[Message<'_>]) -> Vec<u8> {
    let times = || messages.iter().map(|message| message.at_ms);
    let (first, last) = (times().next().unwrap_or(0), times().max().unwrap_or(0));
    let count = i32::try_from(messages.len()).unwrap_or(i32::MAX);
    // From the attributes on: what the checksum covers.
    let mut covered = Vec::with_capacity(messages.iter().map(|it| it.value.len() + 256).sum());
    covered.put_i16(0);
    covered.put_i32(count - 1);
    covered.put_i64(first);
    covered.put_i64(last);
    covered.put_i64(-1);
    covered.put_i16(-1);
    covered.put_i32(-1);
    covered.put_i32(count);
    let mut body = Vec::new();
    for (offset, message) in (0_i64..).zip(messages) {
        body.clear();
        record(message, offset, first, &mut body);
        put_length(body.len(), &mut covered);
        covered.put_slice(&body);
    }
    let mut out = Vec::with_capacity(covered.len() + HEAD_BYTES);
    out.put_i64(0);
    out.put_i32(i32::try_from(covered.len() + HEAD_BYTES - 12).unwrap_or(i32::MAX));
    out.put_i32(-1);
    out.put_i8(2);
    out.put_u32(CASTAGNOLI.checksum(&covered));
    out.put_slice(&covered);
    out
}

fn record(message: &Message<'_>, offset: i64, first_ms: i64, out: &mut Vec<u8>) {
    out.put_i8(0);
    put_varint(message.at_ms - first_ms, out);
    put_varint(offset, out);
    put_counted(message.key.as_bytes(), out);
    put_counted(message.value, out);
    put_length(message.headers.len(), out);
    for (name, value) in &message.headers {
        put_counted(name.as_bytes(), out);
        put_counted(value.as_bytes(), out);
    }
}

fn put_counted(bytes: &[u8], out: &mut Vec<u8>) {
    put_length(bytes.len(), out);
    out.put_slice(bytes);
}

fn put_length(length: usize, out: &mut Vec<u8>) {
    put_varint(i64::try_from(length).unwrap_or(i64::MAX), out);
}

/// Offset, length, leader's epoch, version and checksum.
const HEAD_BYTES: usize = 8 + 4 + 4 + 1 + 4;
const CASTAGNOLI: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
