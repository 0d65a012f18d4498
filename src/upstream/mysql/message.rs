//! Which commands may pass a lease, and with what proof.

use crate::{
    upstream::error::UpstreamError,
    wire::mysql::packet::{HEADER_BYTES, MAX_PIECE_BYTES, header},
};

/// A command that carries no SQL and makes none run, or the answer to a server that asks for a file.
#[derive(Clone, Copy, Debug)]
pub enum MysqlMessage<'a> {
    /// COM_STMT_SEND_LONG_DATA, as framed by the client; has no reply.
    LongData(&'a [u8]),
    /// The empty packet that says that there is no file: its number is what the server expects.
    NoFile {
        /// Its number.
        answer: u8,
    },
    /// COM_PING.
    Ping,
    /// COM_SET_OPTION: several statements in one COM_QUERY, or not.
    SetMultiStatements(bool),
    /// COM_STATISTICS.
    Statistics,
    /// COM_STMT_CLOSE of the upstream's number; has no reply.
    StmtClose(u32),
    /// COM_STMT_RESET of the upstream's number.
    StmtReset(u32),
}

/// What a framed command of a session may be sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// With a permit: rows of what runs already.
    Fetch,
    /// With nothing: a piece of a parameter's value.
    LongData,
    /// With a permit: text that is parsed, and does not run yet.
    Prepare,
    /// With a permit and a receipt: it runs.
    Statement,
}

/// What a command is; `None` is never sent as it came: it is typed, or the gateway's own affair.
///
/// Source: MySQL source documentation, "Command Phase"; MariaDB documentation, "COM_STMT_BULK_EXECUTE".
const fn kind(code: u8) -> Option<Kind> {
    match code {
        COM_QUERY | COM_FIELD_LIST | COM_STMT_EXECUTE | COM_STMT_BULK_EXECUTE => Some(Kind::Statement),
        COM_STMT_PREPARE => Some(Kind::Prepare),
        COM_STMT_FETCH => Some(Kind::Fetch),
        COM_STMT_SEND_LONG_DATA => Some(Kind::LongData),
        _ => None,
    }
}

/// Checks that `bytes` are exactly one whole command of this kind, in as many packets as it takes, numbered from 0;
/// gives the number that its reply begins with.
///
/// # Errors
/// `Misuse`.
pub(super) fn check(bytes: &[u8], held: Kind) -> Result<u8, UpstreamError> {
    let misuse = |what| UpstreamError::Misuse { what };
    let not_one = || misuse("a command is not exactly one command");
    let (mut rest, mut next) = (bytes, 0_u8);
    loop {
        let head = header(rest).ok_or_else(not_one)?;
        if head.sequence != next {
            return Err(not_one());
        }
        rest = rest.get(HEADER_BYTES + head.length_bytes..).ok_or_else(not_one)?;
        next = next.wrapping_add(1);
        if head.length_bytes < MAX_PIECE_BYTES {
            break;
        }
    }
    if !rest.is_empty() || bytes.len() == HEADER_BYTES {
        return Err(not_one());
    }
    match bytes.get(HEADER_BYTES).and_then(|code| kind(*code)) {
        Some(found) if found == held => Ok(next),
        Some(_) => Err(misuse("a command does not go out with this proof")),
        None => Err(misuse("a command of this type never goes out")),
    }
}

const COM_QUERY: u8 = 0x03;
const COM_FIELD_LIST: u8 = 0x04;
const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;
const COM_STMT_SEND_LONG_DATA: u8 = 0x18;
const COM_STMT_FETCH: u8 = 0x1c;
const COM_STMT_BULK_EXECUTE: u8 = 0xfa;

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
        bytes[3] = sequence;
        bytes.extend(payload);
        bytes
    }

    const KINDS: [Kind; 4] = [Kind::Fetch, Kind::LongData, Kind::Prepare, Kind::Statement];

    #[test]
    fn sql_does_not_pass_without_its_proof() {
        for (payload, needed) in [
            (b"\x03SELECT 1".as_slice(), Kind::Statement),
            (b"\x04employee\0", Kind::Statement),
            (b"\x17\x01\0\0\0\0\x01\0\0\0", Kind::Statement),
            (b"\xfa\x01\0\0\0\x80\0", Kind::Statement),
            (b"\x16SELECT 1", Kind::Prepare),
            (b"\x18\x01\0\0\0\0\0abc", Kind::LongData),
            (b"\x1c\x01\0\0\0\x01\0\0\0", Kind::Fetch),
        ] {
            for held in KINDS {
                assert_eq!(check(&packet(0, payload), held).is_ok(), held == needed, "{payload:?} {held:?}");
            }
        }
    }

    #[test]
    fn two_commands_half_a_command_and_foreign_ones_do_not_pass() {
        let query = packet(0, b"\x03SELECT 1");
        for bytes in [
            [packet(0, b"\x18\x01\0\0\0\0\0"), query.clone()].concat(),
            [query.clone(), packet(1, b"\x03DROP TABLE t")].concat(),
            query[..query.len() - 1].to_vec(),
            query[..3].to_vec(),
            [query.clone(), vec![0]].concat(),
            packet(1, b"\x03SELECT 1"),
            packet(0, b""),
            Vec::new(),
        ] {
            for held in KINDS {
                assert!(check(&bytes, held).is_err(), "{bytes:?} {held:?}");
            }
        }
        // Every other command: sleep, quit, init_db, create_db, process_kill, change_user, binlog_dump, reset, …
        for code in (0..=255).filter(|code| ![0x03, 0x04, 0x16, 0x17, 0x18, 0x1c, 0xfa].contains(code)) {
            for held in KINDS {
                assert!(check(&packet(0, &[code, 1, 0, 0, 0]), held).is_err(), "{code:#x} {held:?}");
            }
        }
    }

    #[test]
    fn a_command_of_16_mib_is_one_in_two_packets_and_no_more() {
        let mut first = vec![b'x'; MAX_PIECE_BYTES];
        first[0] = COM_QUERY;
        let whole = [packet(0, &first), packet(1, b"tail")].concat();
        assert_eq!(check(&whole, Kind::Statement).unwrap(), 2);
        // A full piece is followed by one that ends it, if only by an empty one.
        assert_eq!(check(&[packet(0, &first), packet(1, b"")].concat(), Kind::Statement).unwrap(), 2);
        assert!(check(&packet(0, &first), Kind::Statement).is_err());
        assert!(check(&[packet(0, &first), packet(2, b"tail")].concat(), Kind::Statement).is_err());
        assert!(check(&[whole, packet(2, b"\x03DROP TABLE t")].concat(), Kind::Statement).is_err());
    }
}
