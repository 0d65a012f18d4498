//! What a client says after its login.

use super::frame::{Fields, Frame};
use crate::wire::WireError;

/// One message of a client, borrowed from its frame.
///
/// Source: PostgreSQL manual, "Message Formats", those marked (F).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frontend<'a> {
    /// Binds parameters to a prepared statement, making a portal.
    Bind {
        /// The portal to make; empty is the unnamed one.
        portal: &'a str,
        /// The prepared statement; empty is the unnamed one.
        statement: &'a str,
        /// Formats, parameters and result formats, untouched.
        rest: &'a [u8],
    },
    /// Closes a prepared statement or portal.
    Close(Named<'a>),
    /// A piece of COPY FROM STDIN.
    CopyData,
    /// The end of COPY FROM STDIN.
    CopyDone,
    /// COPY FROM STDIN is given up.
    CopyFail,
    /// Asks what a prepared statement or portal returns.
    Describe(Named<'a>),
    /// Runs a portal.
    Execute {
        /// The portal; empty is the unnamed one.
        portal: &'a str,
        /// At most as many rows; 0 for all.
        max_rows: i32,
    },
    /// Asks for what is ready.
    Flush,
    /// Calls a function by its object identifier.
    FunctionCall,
    /// Prepares a statement.
    Parse {
        /// What it will be called; empty is the unnamed one.
        name: &'a str,
        /// Its text.
        query: &'a str,
        /// Count and object identifiers of parameter types, untouched.
        types: &'a [u8],
    },
    /// A password, or a step of SASL.
    Password(&'a [u8]),
    /// Statements in one text.
    Query(&'a str),
    /// Ends a run of extended messages.
    Sync,
    /// Goodbye.
    Terminate,
}

/// What Close and Describe are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<'a> {
    /// A portal.
    Portal(&'a str),
    /// A prepared statement.
    Statement(&'a str),
}

impl<'a> Frontend<'a> {
    /// Reads one message.
    ///
    /// # Errors
    /// `Unexpected` for a type that clients do not send, `Malformed` when the body is not laid out as the
    /// protocol says (bytes left over count), `NotUtf8` for names and texts in another encoding.
    pub fn read(frame: &'a Frame) -> Result<Self, WireError> {
        let body = frame.body();
        match frame.tag() {
            b'B' => bind(body),
            b'C' => named(body, "Close").map(Self::Close),
            b'D' => named(body, "Describe").map(Self::Describe),
            b'E' => execute(body),
            b'F' => Ok(Self::FunctionCall),
            b'H' => empty(body, "Flush", Self::Flush),
            b'P' => parse(body),
            b'Q' => query(body),
            b'S' => empty(body, "Sync", Self::Sync),
            b'X' => empty(body, "Terminate", Self::Terminate),
            b'c' => empty(body, "CopyDone", Self::CopyDone),
            b'd' => Ok(Self::CopyData),
            b'f' => Ok(Self::CopyFail),
            b'p' => Ok(Self::Password(body)),
            tag => Err(WireError::Unexpected { tag }),
        }
    }
}

fn bind(body: &[u8]) -> Result<Frontend<'_>, WireError> {
    let mut fields = Fields::new(body, "Bind");
    let portal = fields.text()?;
    let statement = fields.text()?;
    let rest = fields.rest();
    // Walked so that nothing malformed reaches the upstream, where it would end a connection that is shared.
    for _ in 0..fields.count()? {
        fields.count()?;
    }
    for _ in 0..fields.count()? {
        let length = fields.int32()?;
        if length != -1 {
            fields.bytes(usize::try_from(length).map_err(|_| WireError::Malformed { message: "Bind" })?)?;
        }
    }
    for _ in 0..fields.count()? {
        fields.count()?;
    }
    fields.end()?;
    Ok(Frontend::Bind { portal, statement, rest })
}

fn named<'a>(body: &'a [u8], message: &'static str) -> Result<Named<'a>, WireError> {
    let mut fields = Fields::new(body, message);
    let kind = fields.byte()?;
    let name = fields.text()?;
    fields.end()?;
    match kind {
        b'P' => Ok(Named::Portal(name)),
        b'S' => Ok(Named::Statement(name)),
        _ => Err(WireError::Malformed { message }),
    }
}

fn execute(body: &[u8]) -> Result<Frontend<'_>, WireError> {
    let mut fields = Fields::new(body, "Execute");
    let portal = fields.text()?;
    let max_rows = fields.int32()?;
    fields.end()?;
    Ok(Frontend::Execute { portal, max_rows })
}

fn parse(body: &[u8]) -> Result<Frontend<'_>, WireError> {
    let mut fields = Fields::new(body, "Parse");
    let name = fields.text()?;
    let query = fields.text()?;
    let types = fields.rest();
    for _ in 0..fields.count()? {
        fields.int32()?;
    }
    fields.end()?;
    Ok(Frontend::Parse { name, query, types })
}

fn query(body: &[u8]) -> Result<Frontend<'_>, WireError> {
    let mut fields = Fields::new(body, "Query");
    let text = fields.text()?;
    fields.end()?;
    Ok(Frontend::Query(text))
}

fn empty<'a>(body: &[u8], message: &'static str, meaning: Frontend<'a>) -> Result<Frontend<'a>, WireError> {
    if body.is_empty() { Ok(meaning) } else { Err(WireError::Malformed { message }) }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};

    use super::*;
    use crate::wire::postgres::frame::take_frame;

    fn frame(tag: u8, body: &[u8]) -> Frame {
        let mut bytes = BytesMut::new();
        bytes.put_u8(tag);
        bytes.put_u32(u32::try_from(body.len() + 4).unwrap());
        bytes.put_slice(body);
        take_frame(&mut bytes, 1 << 20).unwrap().unwrap()
    }

    #[test]
    fn text_behind_the_end_of_a_query_is_malformed() {
        assert!(Frontend::read(&frame(b'Q', b"SELECT 1\0")).is_ok());
        assert!(Frontend::read(&frame(b'Q', b"SELECT 1\0; DROP\0")).is_err());
        assert!(Frontend::read(&frame(b'Q', b"SELECT 1")).is_err());
    }

    #[test]
    fn a_bind_is_walked_to_its_end() {
        let body = b"p\0s\0\0\x01\0\0\0\x01\0\0\0\x02ab\0\0";
        assert!(matches!(
            Frontend::read(&frame(b'B', body)),
            Ok(Frontend::Bind { portal: "p", statement: "s", .. })
        ));
        for end in 0..body.len() {
            assert!(Frontend::read(&frame(b'B', &body[..end])).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn an_unknown_type_is_unexpected() {
        assert_eq!(Frontend::read(&frame(b'!', b"")), Err(WireError::Unexpected { tag: b'!' }));
    }
}
