//! What identifiers are called in the index.

use std::ops::RangeInclusive;

use uuid::Uuid;

/// An identifier as the index has it: UUIDs as their bytes, other names as their text.
pub(super) fn key(name: &str) -> Vec<u8> {
    match Uuid::parse_str(name) {
        Ok(id) => id.as_bytes().to_vec(),
        Err(_) => name.as_bytes().to_vec(),
    }
}

/// The keys of a session's statements: their identifiers begin with the last half of the session's.
///
/// The version of the statement's identifier stands in its seventh byte, in place of four bits of the session's.
pub(super) fn statements_of(session: Uuid) -> RangeInclusive<Vec<u8>> {
    let (_, half) = session.as_u64_pair();
    let [mut least, mut most] = [half.to_be_bytes(); 2];
    for bytes in [&mut least, &mut most] {
        if let Some(version) = bytes.get_mut(6) {
            *version = (*version & 0x0f) | 0x80;
        }
    }
    let whole = |half: [u8; 8], fill: u8| [half.as_slice(), [fill; 8].as_slice()].concat();
    whole(least, 0)..=whole(most, 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_lies_among_those_of_its_session_and_of_no_other() {
        let session: Uuid = "01a1fe1e-381f-7528-9c80-c1c003a3b95a".parse().unwrap();
        let mut bytes = *session.as_bytes();
        let (head, tail) = bytes.split_at_mut(8);
        head.copy_from_slice(tail);
        tail.copy_from_slice(&77_u64.to_be_bytes());
        let statement = uuid::Builder::from_custom_bytes(bytes).into_uuid();
        assert!(statements_of(session).contains(&key(&statement.to_string())));
        assert!(!statements_of(Uuid::from_u128(7)).contains(&key(&statement.to_string())));
    }
}
