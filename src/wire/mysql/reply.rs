//! What the gateway says to a client itself.
//!
//! Source: MySQL source documentation, "Generic Response Packets".

use bytes::{BufMut, BytesMut};

use super::{
    capability::Capabilities, error::ServerError, fields::put_number, packet::write_packet, status::Status,
};

/// What an OK says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OkReply {
    /// Rows changed (or found).
    pub affected_rows: u64,
    /// The first value generated for an AUTO_INCREMENT column.
    pub last_insert_id: u64,
    /// The session's state.
    pub status: Status,
    /// How many warnings SHOW WARNINGS would show.
    pub warnings: u16,
}

/// OK.
pub fn ok(out: &mut BytesMut, sequence: &mut u8, reply: OkReply) {
    write_packet(out, sequence, |out| put_ok(out, 0x00, reply));
}

/// ERR.
pub fn err(out: &mut BytesMut, sequence: &mut u8, error: &ServerError) {
    write_packet(out, sequence, |out| {
        out.put_u8(0xff);
        out.put_u16_le(error.errno);
        out.put_u8(b'#');
        // Always five bytes: the message begins behind them.
        let mut state = error.sqlstate.bytes().chain(std::iter::repeat(b'0'));
        out.extend(state.by_ref().take(5));
        out.put_slice(error.message.as_bytes());
    });
}

/// What ends rows or definitions: EOF, or the OK that stands for it.
pub fn end(out: &mut BytesMut, sequence: &mut u8, status: Status, client: Capabilities) {
    write_packet(out, sequence, |out| {
        if client.has(Capabilities::DEPRECATE_EOF) {
            put_ok(out, 0xfe, OkReply { status, ..OkReply::default() });
        } else {
            put_eof(out, status);
        }
    });
}

fn put_ok(out: &mut BytesMut, header: u8, reply: OkReply) {
    out.put_u8(header);
    put_number(out, reply.affected_rows);
    put_number(out, reply.last_insert_id);
    out.put_u16_le(reply.status.without(Status::SESSION_STATE_CHANGED).bits());
    out.put_u16_le(reply.warnings);
}

pub(super) fn put_eof(out: &mut BytesMut, status: Status) {
    out.put_u8(0xfe);
    out.put_u16_le(0);
    out.put_u16_le(status.bits());
}
