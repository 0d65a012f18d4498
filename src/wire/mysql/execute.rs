//! Parameters of prepared statements and attributes of queries: their heads are read, values pass untouched.
//!
//! Source: MySQL source documentation, "COM_STMT_EXECUTE", "COM_QUERY"; MariaDB documentation, "COM_STMT_BULK_EXECUTE".

use bytes::{BufMut, BytesMut};

use super::{
    capability::Capabilities,
    command::{COM_STMT_BULK_EXECUTE, COM_STMT_EXECUTE, write::command},
    fields::Fields,
};
use crate::wire::WireError;

/// Query attributes as the client laid them out, in front of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes<'a>(&'a [u8]);

impl Default for Attributes<'_> {
    /// None: no parameters, one set of them.
    fn default() -> Self {
        Self(&[0, 1])
    }
}

impl<'a> Attributes<'a> {
    /// Reads them off the front of COM_QUERY's body; gives what is left, too: the text.
    ///
    /// # Errors
    /// `Malformed`; also for value types whose length is not known, because the text could then begin anywhere.
    pub(super) fn read(body: &'a [u8]) -> Result<(Self, &'a [u8]), WireError> {
        let mut fields = Fields::new(body, "COM_QUERY");
        let count = fields.number()?;
        if fields.number()? != 1 {
            return Err(fields.malformed());
        }
        if count > 0 {
            let count = u16::try_from(count).map_err(|_| fields.malformed())?;
            skip_attributes(&mut fields, count)?;
        }
        let text = fields.rest();
        let head = body.len() - text.len();
        Ok((Self(body.get(..head).unwrap_or_default()), text))
    }

    pub(super) fn write(self, out: &mut BytesMut) {
        out.put_slice(self.0);
    }
}

fn skip_attributes(fields: &mut Fields<'_>, count: u16) -> Result<(), WireError> {
    let nulls = fields.bytes(bitmap_bytes(count))?;
    if fields.byte()? != 1 {
        return Err(fields.malformed());
    }
    // Types first, then values: read over the types twice rather than keep them.
    let mut types = *fields;
    for _ in 0..count {
        fields.int16()?;
        fields.string()?;
    }
    for at in 0..usize::from(count) {
        let [kind, _unsigned] = types.int16()?.to_le_bytes();
        types.string()?;
        let null = nulls.get(at / 8).is_some_and(|bits| bits >> (at % 8) & 1 == 1);
        if !null {
            skip_value(fields, kind)?;
        }
    }
    Ok(())
}

/// Source: MySQL source documentation, "Binary Protocol Value".
fn skip_value(fields: &mut Fields<'_>, kind: u8) -> Result<(), WireError> {
    match kind {
        // NULL.
        0x06 => Ok(()),
        // TINY.
        0x01 => fields.bytes(1).map(drop),
        // SHORT, YEAR.
        0x02 | 0x0d => fields.bytes(2).map(drop),
        // LONG, FLOAT, INT24.
        0x03 | 0x04 | 0x09 => fields.bytes(4).map(drop),
        // DOUBLE, LONGLONG.
        0x05 | 0x08 => fields.bytes(8).map(drop),
        // TIMESTAMP, DATE, TIME, DATETIME: a byte of length.
        0x07 | 0x0a..=0x0c => {
            let length = fields.byte()?;
            fields.bytes(usize::from(length)).map(drop)
        }
        // DECIMAL, VARCHAR, BIT, JSON, NEWDECIMAL, ENUM, SET, BLOBs, strings, GEOMETRY.
        0x00 | 0x0f | 0x10 | 0xf5..=0xff => fields.string().map(drop),
        _ => Err(fields.malformed()),
    }
}

fn bitmap_bytes(count: u16) -> usize {
    usize::from(count).div_ceil(8)
}

/// COM_STMT_EXECUTE, as far as it can be read without knowing the statement.
#[derive(Clone, Copy, Debug)]
pub struct Execute<'a> {
    /// The statement; [`super::command::LAST_PREPARED`] is the one prepared last.
    pub statement: u32,
    /// What kind of cursor is asked for; 0 is none.
    pub flags: u8,
    iterations: u32,
    rest: &'a [u8],
}

/// What an execution says of its parameters.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    /// The count in front, where query attributes are negotiated; the bitmap of NULLs.
    head: &'a [u8],
    /// Types as they came, names of attributes among them; `None` when the client sent them before.
    pub types: Option<&'a [u8]>,
    values: &'a [u8],
    bound: bool,
}

impl<'a> Execute<'a> {
    /// A cursor is asked for.
    pub const fn wants_cursor(&self) -> bool {
        self.flags & CURSOR_FLAGS != 0
    }

    pub(super) fn read(body: &'a [u8]) -> Result<Self, WireError> {
        let mut fields = Fields::new(body, "COM_STMT_EXECUTE");
        let (statement, flags, iterations) = (fields.int32()?, fields.byte()?, fields.int32()?);
        Ok(Self { statement, flags, iterations, rest: fields.rest() })
    }

    /// Reads the head of the parameters of a statement that has `count` of them.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn parameters(&self, count: u16, client: Capabilities) -> Result<Parameters<'a>, WireError> {
        let mut fields = Fields::new(self.rest, "COM_STMT_EXECUTE");
        let named = client.has(Capabilities::QUERY_ATTRIBUTES);
        // The manual asks for the flag alone; the server reads the count of statements with parameters without it, too.
        let counted = named && (count > 0 || self.flags & PARAMETER_COUNT_AVAILABLE != 0);
        let mut count = count;
        if counted {
            // Attributes stand behind the statement's own parameters.
            let all = u16::try_from(fields.number()?).map_err(|_| fields.malformed())?;
            if all < count {
                return Err(fields.malformed());
            }
            count = all;
        }
        if count == 0 {
            return Ok(Parameters { head: self.rest, types: None, values: &[], bound: false });
        }
        fields.bytes(bitmap_bytes(count))?;
        let head = self.front(fields);
        let bound = match fields.byte()? {
            0 => None,
            1 => {
                let before = fields.rest();
                for _ in 0..count {
                    fields.int16()?;
                    if named {
                        fields.string()?;
                    }
                }
                before.get(..before.len() - fields.rest().len())
            }
            _ => return Err(fields.malformed()),
        };
        Ok(Parameters { head, types: bound, values: fields.rest(), bound: true })
    }

    fn front(&self, fields: Fields<'_>) -> &'a [u8] {
        self.rest.get(..self.rest.len() - fields.rest().len()).unwrap_or_default()
    }

    /// Writes it for an upstream that knows the statement as `statement`. `types` are put in where the client left them
    /// out because it sent them before, on another connection. Gives the number that the reply begins with.
    pub fn write(
        &self,
        out: &mut BytesMut,
        statement: u32,
        parameters: &Parameters<'_>,
        types: Option<&[u8]>,
    ) -> u8 {
        command(out, COM_STMT_EXECUTE, |out| {
            out.put_u32_le(statement);
            out.put_u8(self.flags);
            out.put_u32_le(self.iterations);
            out.put_slice(parameters.head);
            if parameters.bound {
                match parameters.types.or(types) {
                    Some(types) => {
                        out.put_u8(1);
                        out.put_slice(types);
                    }
                    None => out.put_u8(0),
                }
                out.put_slice(parameters.values);
            }
        })
    }
}

/// COM_STMT_BULK_EXECUTE of MariaDB: one statement, several sets of parameters.
#[derive(Clone, Copy, Debug)]
pub struct BulkExecute<'a> {
    /// The statement; [`super::command::LAST_PREPARED`] is the one prepared last.
    pub statement: u32,
    flags: u16,
    rest: &'a [u8],
}

impl<'a> BulkExecute<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, WireError> {
        let mut fields = Fields::new(body, "COM_STMT_BULK_EXECUTE");
        let (statement, flags) = (fields.int32()?, fields.int16()?);
        Ok(Self { statement, flags, rest: fields.rest() })
    }

    /// The types of its `count` parameters; `None` when the client sent them before.
    ///
    /// # Errors
    /// `Malformed` when there are fewer.
    pub fn types(&self, count: u16) -> Result<Option<&'a [u8]>, WireError> {
        if self.flags & BULK_SENDS_TYPES == 0 {
            return Ok(None);
        }
        Fields::new(self.rest, "COM_STMT_BULK_EXECUTE").bytes(usize::from(count) * 2).map(Some)
    }

    /// Writes it for an upstream that knows the statement as `statement`, with `types` where the client left them out.
    pub fn write(&self, out: &mut BytesMut, statement: u32, types: Option<&[u8]>) -> u8 {
        let missing = types.filter(|_| self.flags & BULK_SENDS_TYPES == 0);
        command(out, COM_STMT_BULK_EXECUTE, |out| {
            out.put_u32_le(statement);
            out.put_u16_le(if missing.is_some() { self.flags | BULK_SENDS_TYPES } else { self.flags });
            out.put_slice(missing.unwrap_or_default());
            out.put_slice(self.rest);
        })
    }
}

const CURSOR_FLAGS: u8 = 0x07;
const PARAMETER_COUNT_AVAILABLE: u8 = 0x08;
const BULK_SENDS_TYPES: u16 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Capabilities = Capabilities::QUERY_ATTRIBUTES;

    fn written(body: &[u8], count: u16, client: Capabilities, types: Option<&[u8]>) -> Vec<u8> {
        let execute = Execute::read(body).unwrap();
        let parameters = execute.parameters(count, client).unwrap();
        let mut out = BytesMut::new();
        execute.write(&mut out, 9, &parameters, types);
        out[4..].to_vec()
    }

    #[test]
    fn types_that_the_client_left_out_are_put_in_and_values_stay() {
        let types = b"\x03\0\xfe\0";
        let bound = b"\x05\0\0\0\0\x01\0\0\0\0\x01\x03\0\xfe\0\x07\0\0\0\x01x";
        let again = b"\x05\0\0\0\0\x01\0\0\0\0\0\x07\0\0\0\x01x";
        let expected = b"\x17\x09\0\0\0\0\x01\0\0\0\0\x01\x03\0\xfe\0\x07\0\0\0\x01x";
        assert_eq!(written(bound, 2, Capabilities::NONE, None), expected);
        assert_eq!(
            written(bound, 2, Capabilities::NONE, Some(b"\x01\0\x01\0")),
            expected,
            "its own are kept"
        );
        assert_eq!(written(again, 2, Capabilities::NONE, Some(types)), expected);
        assert_eq!(&written(again, 2, Capabilities::NONE, None)[1..5], b"\x09\0\0\0");
        let execute = Execute::read(bound).unwrap();
        assert_eq!(execute.parameters(2, Capabilities::NONE).unwrap().types, Some(&types[..]));
    }

    #[test]
    fn a_statement_without_parameters_has_nothing_to_read() {
        let body = b"\x05\0\0\0\x01\x01\0\0\0";
        assert_eq!(written(body, 0, Capabilities::NONE, None), b"\x17\x09\0\0\0\x01\x01\0\0\0");
        assert!(Execute::read(body).unwrap().wants_cursor());
        // With attributes agreed on and announced there is at least their count.
        let none = b"\x05\0\0\0\x08\x01\0\0\0\0";
        assert_eq!(written(none, 0, NEW, None), b"\x17\x09\0\0\0\x08\x01\0\0\0\0");
        assert!(Execute::read(b"\x05\0\0\0\x08\x01\0\0\0").unwrap().parameters(0, NEW).is_err());
        assert!(!Execute::read(none).unwrap().wants_cursor());
    }

    #[test]
    fn heads_that_do_not_fit_the_statement_are_refused() {
        for (body, count, client) in [
            (&b"\x05\0\0\0\0\x01\0\0\0"[..], 1, Capabilities::NONE),
            (b"\x05\0\0\0\0\x01\0\0\0\0", 1, Capabilities::NONE),
            (b"\x05\0\0\0\0\x01\0\0\0\0\x02\x03\0", 1, Capabilities::NONE),
            (b"\x05\0\0\0\0\x01\0\0\0\0\x01\x03", 1, Capabilities::NONE),
            (b"\x05\0\0\0\x08\x01\0\0\0\x01\0\x01\x03\0\0\x07\0\0\0", 2, NEW),
            (b"\x05\0\0\0\x08\x01\0\0\0\x01\0\x01\x03\0\x05", 1, NEW),
        ] {
            assert!(Execute::read(body).unwrap().parameters(count, client).is_err(), "{body:?}");
        }
    }

    #[test]
    fn a_bulk_gets_its_types_where_the_client_left_them_out() {
        let bulk = BulkExecute::read(b"\x05\0\0\0\0\0values").unwrap();
        assert_eq!(bulk.types(1).unwrap(), None);
        let mut out = BytesMut::new();
        bulk.write(&mut out, 9, Some(b"\x03\0"));
        assert_eq!(&out[4..], b"\xfa\x09\0\0\0\x80\0\x03\0values");
        let bulk = BulkExecute::read(b"\x05\0\0\0\x80\0\x03\0values").unwrap();
        assert_eq!(bulk.types(1).unwrap(), Some(&b"\x03\0"[..]));
        out.clear();
        bulk.write(&mut out, 9, Some(b"\x01\0"));
        assert_eq!(&out[4..], b"\xfa\x09\0\0\0\x80\0\x03\0values");
    }
}
