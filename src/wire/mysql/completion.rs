//! OK and EOF: how a statement ended well.
//!
//! Source: MySQL source documentation, "OK_Packet", "EOF_Packet".

use super::{
    capability::Capabilities, fields::Fields, packet::HEADER_BYTES, status::Status, track::StateChanges,
};
use crate::wire::WireError;

/// How a statement ended well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Rows passed; `None` when it has no result.
    pub rows: Option<u64>,
    /// Bytes of rows passed, headers included.
    pub row_bytes: u64,
    /// Rows changed, as the server counts them.
    pub affected_rows: u64,
    /// The first value generated for an AUTO_INCREMENT column; 0 is none.
    pub last_insert_id: u64,
    /// The session's state.
    pub status: Status,
    /// How many warnings there are.
    pub warnings: u16,
    /// What changed in the session, where SESSION_TRACK is negotiated.
    pub changes: StateChanges,
}

impl Completion {
    /// Another result follows in the same reply.
    pub const fn more(&self) -> bool {
        self.status.has(Status::MORE_RESULTS)
    }

    /// Its rows wait in a cursor.
    pub const fn cursor(&self) -> bool {
        self.status.has(Status::CURSOR_EXISTS)
    }
}

impl Completion {
    /// Reads an OK, whether it begins with 0x00 or 0xfe; an old EOF, too, by its length.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn read(payload: &[u8], shape: Capabilities) -> Result<Self, WireError> {
        if payload.len() < MIN_OK_BYTES {
            return Self::read_eof(payload);
        }
        let mut fields = Fields::new(payload, "OK");
        if !matches!(fields.byte()?, 0 | 0xfe) {
            return Err(fields.malformed());
        }
        let (affected_rows, last_insert_id) = (fields.number()?, fields.number()?);
        let status = Status::from_bits(fields.int16()?);
        let warnings = fields.int16()?;
        let changes = if shape.has(Capabilities::SESSION_TRACK) && !fields.rest().is_empty() {
            fields.string()?;
            if status.has(Status::SESSION_STATE_CHANGED) {
                StateChanges::read(fields.string()?)?
            } else {
                StateChanges::default()
            }
        } else {
            StateChanges::default()
        };
        Ok(Self { affected_rows, last_insert_id, status, warnings, changes, ..Self::default() })
    }

    /// Reads an old EOF.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn read_eof(payload: &[u8]) -> Result<Self, WireError> {
        let mut fields = Fields::new(payload, "EOF");
        if fields.byte()? != 0xfe {
            return Err(fields.malformed());
        }
        let warnings = fields.int16()?;
        let status = Status::from_bits(fields.int16()?);
        fields.end()?;
        Ok(Self { status, warnings, ..Self::default() })
    }
}

/// Says in a whole OK or EOF packet (with header, as it came) whether more results follow. Other packets stay as they are.
pub fn set_more_results(packet: &mut [u8], more: bool, shape: Capabilities) {
    let Some(at) = packet.get(HEADER_BYTES..).and_then(|payload| status_at(payload, shape)) else { return };
    let Some(place) = packet.get_mut(HEADER_BYTES + at..HEADER_BYTES + at + 2) else { return };
    if let [low, _] = place {
        let [bit, _] = Status::MORE_RESULTS.bits().to_le_bytes();
        *low = if more { *low | bit } else { *low & !bit };
    }
}

fn status_at(payload: &[u8], shape: Capabilities) -> Option<usize> {
    match payload.first()? {
        0xfe if payload.len() < MIN_OK_BYTES || !shape.has(Capabilities::DEPRECATE_EOF) => Some(3),
        0 | 0xfe => {
            let mut fields = Fields::new(payload, "OK");
            fields.byte().ok()?;
            fields.number().ok()?;
            fields.number().ok()?;
            Some(payload.len() - fields.rest().len())
        }
        _ => None,
    }
}

/// Header, two numbers, status, warnings.
const MIN_OK_BYTES: usize = 7;

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::wire::mysql::reply::{self, OkReply};

    #[test]
    fn whether_more_results_follow_can_be_said_anew() {
        let status = Status::AUTOCOMMIT;
        for shape in [Capabilities::DEPRECATE_EOF, Capabilities::NONE] {
            let mut packet = BytesMut::new();
            reply::end(&mut packet, &mut 1, status, shape);
            let mut ok = BytesMut::new();
            let numbers = OkReply { affected_rows: 300, last_insert_id: 70_000, status, warnings: 1 };
            reply::ok(&mut ok, &mut 1, numbers);
            for packet in [&mut packet, &mut ok] {
                let status_of =
                    |packet: &[u8]| Completion::read(&packet[HEADER_BYTES..], shape).unwrap().status;
                set_more_results(packet, true, shape);
                assert_eq!(status_of(packet), status.with(Status::MORE_RESULTS));
                set_more_results(packet, false, shape);
                assert_eq!(status_of(packet), status);
            }
        }
    }
}
