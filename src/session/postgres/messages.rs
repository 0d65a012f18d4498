//! Messages about prepared statements, as the gateway spells them.

use bytes::{Bytes, BytesMut};

use crate::wire::postgres::backend;

/// A Parse; `parse` is the text and the types.
pub(super) fn parse(name: &str, parse: &[u8]) -> Bytes {
    spell(b'P', &[name.as_bytes(), &[0], parse])
}

/// Text and types of a Parse, as its message has them behind the name; `types` begins with their count.
pub(super) fn text_and_types(text: &str, types: &[u8]) -> Bytes {
    [text.as_bytes(), &[0], types].concat().into()
}

/// The same Bind, of another statement.
pub(super) fn bind(body: &[u8], portal: &str, statement: &str, called: &str) -> Bytes {
    let rest = body.get(portal.len() + statement.len() + 2..).unwrap_or_default();
    spell(b'B', &[portal.as_bytes(), &[0], called.as_bytes(), &[0], rest])
}

/// A Describe of a statement.
pub(super) fn describe(name: &str) -> Bytes {
    spell(b'D', &[b"S", name.as_bytes(), &[0]])
}

/// A Close of a statement.
pub(super) fn close(name: &str) -> Bytes {
    spell(b'C', &[b"S", name.as_bytes(), &[0]])
}

/// An ErrorResponse with `own` wherever `called` stands in it.
pub(super) fn error_with(body: &[u8], called: &str, own: &str) -> Bytes {
    let mut parts = Vec::new();
    let mut from = 0;
    for at in memchr::memmem::find_iter(body, called.as_bytes()) {
        parts.extend([body.get(from..at).unwrap_or_default(), own.as_bytes()]);
        from = at + called.len();
    }
    parts.push(body.get(from..).unwrap_or_default());
    spell(b'E', &parts)
}

fn spell(tag: u8, parts: &[&[u8]]) -> Bytes {
    let mut message = BytesMut::with_capacity(5 + parts.iter().map(|part| part.len()).sum::<usize>());
    backend::message(&mut message, tag, |out| parts.iter().for_each(|part| out.extend_from_slice(part)));
    message.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::postgres::{
        frame::{Frame, HEADER_BYTES, take_frame},
        frontend::{Frontend, Named},
    };

    fn frame(message: &Bytes) -> Frame {
        take_frame(&mut BytesMut::from(&message[..]), 1000).unwrap().unwrap()
    }

    #[test]
    fn what_is_spelled_reads_as_it_was_meant() {
        let parsed = frame(&parse("tidegate:x", &text_and_types("SELECT $1", &[0, 1, 0, 0, 0, 23])));
        let types: &[u8] = &[0, 1, 0, 0, 0, 23];
        assert_eq!(
            Frontend::read(&parsed).unwrap(),
            Frontend::Parse { name: "tidegate:x", query: "SELECT $1", types }
        );
        let own = spell(b'B', &[b"portal\0own\0", &[0, 0, 0, 1, 0, 0, 0, 1, 7, 0, 0]]);
        let bound = frame(&bind(&own[HEADER_BYTES..], "portal", "own", "tidegate:x"));
        let rest: &[u8] = &[0, 0, 0, 1, 0, 0, 0, 1, 7, 0, 0];
        assert_eq!(
            Frontend::read(&bound).unwrap(),
            Frontend::Bind { portal: "portal", statement: "tidegate:x", rest }
        );
        for (message, expected) in [
            (describe("x"), Frontend::Describe(Named::Statement("x"))),
            (close("x"), Frontend::Close(Named::Statement("x"))),
        ] {
            assert_eq!(Frontend::read(&frame(&message)).unwrap(), expected);
        }
    }

    #[test]
    fn an_error_speaks_of_the_name_that_its_client_knows() {
        let shown = error_with(b"SERROR\0Mstatement \"tidegate:x\" (tidegate:x)\0\0", "tidegate:x", "mine");
        assert_eq!(&shown[HEADER_BYTES..], b"SERROR\0Mstatement \"mine\" (mine)\0\0");
        assert_eq!(shown[1..5], u32::try_from(shown.len() - 1).unwrap().to_be_bytes());
    }
}
