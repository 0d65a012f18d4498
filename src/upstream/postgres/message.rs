//! Which messages may pass a lease, and with what proof.

use crate::{
    upstream::error::UpstreamError,
    wire::postgres::frame::{HEADER_BYTES, header},
};

/// A message that makes nothing run and carries no SQL.
#[derive(Clone, Copy, Debug)]
pub enum ProtocolMessage<'a> {
    /// The rest of a CopyData that began with [`Self::CopyDataStart`], or the next part of it; no header.
    CopyDataRest(&'a [u8]),
    /// The header of a CopyData and as much of its body as is at hand; nothing else may be sent until the
    /// length that it says is reached.
    CopyDataStart(&'a [u8]),
    /// Flush.
    Flush,
    /// One whole message, as framed by the client: Bind, Close, Describe, Flush, Sync, CopyData, CopyDone,
    /// CopyFail; any other is refused.
    Framed(&'a [u8]),
    /// Sync.
    Sync,
}

/// What a message type may be sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// With nothing: it carries no SQL and starts nothing.
    None,
    /// With a permit: text that is parsed, and does not run yet.
    Permit,
    /// With a permit and a receipt: it runs.
    PermitAndReceipt,
}

/// The proof that a message type of a client needs; `None` is never sent.
///
/// Source: PostgreSQL manual, "Message Formats". FunctionCall, password and Terminate messages of clients are never passed on.
const fn proof(tag: u8) -> Option<Proof> {
    match tag {
        b'E' | b'Q' => Some(Proof::PermitAndReceipt),
        b'P' => Some(Proof::Permit),
        b'B' | b'C' | b'D' | b'H' | b'S' | b'c' | b'd' | b'f' => Some(Proof::None),
        _ => None,
    }
}

/// Checks that `message` is exactly one whole message, of a type that asks for exactly this proof.
///
/// # Errors
/// `Misuse`.
pub(crate) fn check(message: &[u8], held: Proof) -> Result<(), UpstreamError> {
    let misuse = |what| Err(UpstreamError::Misuse { what });
    match header(message, usize::MAX) {
        Ok(Some(header)) if header.total_bytes == message.len() => match proof(header.tag) {
            Some(needed) if needed == held => Ok(()),
            Some(_) => misuse("a message does not go out with this proof"),
            None => misuse("a message of this type never goes out"),
        },
        Ok(_) | Err(_) => misuse("a message is not exactly one message"),
    }
}

/// How many bytes of a CopyData are still to come after `start`.
///
/// # Errors
/// `Misuse`.
pub(crate) fn copy_data_owed(start: &[u8]) -> Result<usize, UpstreamError> {
    match header(start, usize::MAX) {
        Ok(Some(header))
            if header.tag == b'd' && start.len() >= HEADER_BYTES && start.len() <= header.total_bytes =>
        {
            Ok(header.total_bytes - start.len())
        }
        Ok(_) | Err(_) => Err(UpstreamError::Misuse { what: "not the start of a CopyData" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_does_not_pass_without_its_proof() {
        let query = b"Q\0\0\0\x0dselect 1\0";
        assert!(check(query, Proof::PermitAndReceipt).is_ok());
        assert!(check(query, Proof::Permit).is_err());
        assert!(check(query, Proof::None).is_err());
        let parse = b"P\0\0\0\x10\0select 1\0\0\0";
        assert!(check(parse, Proof::Permit).is_ok());
        assert!(check(parse, Proof::None).is_err());
        assert!(check(b"E\0\0\0\x09\0\0\0\0\0", Proof::None).is_err());
        assert!(check(b"S\0\0\0\x04", Proof::None).is_ok());
    }

    #[test]
    fn two_messages_half_a_message_and_foreign_types_do_not_pass() {
        for held in [Proof::None, Proof::Permit, Proof::PermitAndReceipt] {
            for message in [
                b"S\0\0\0\x04Q\0\0\0\x0dselect 1\0".as_slice(),
                b"S\0\0\0\x05",
                b"S\0\0",
                b"",
                b"F\0\0\0\x04",
                b"p\0\0\0\x04",
                b"X\0\0\0\x04",
            ] {
                assert!(check(message, held).is_err(), "{message:?} {held:?}");
            }
        }
    }

    #[test]
    fn a_copy_data_in_pieces_knows_its_end() {
        assert_eq!(copy_data_owed(b"d\0\0\0\x08ab").unwrap(), 2);
        assert_eq!(copy_data_owed(b"d\0\0\0\x08abcd").unwrap(), 0);
        assert!(copy_data_owed(b"d\0\0\0\x08abcde").is_err());
        assert!(copy_data_owed(b"Q\0\0\0\x08ab").is_err());
        assert!(copy_data_owed(b"d\0\0").is_err());
    }
}
