//! What the gateway says to a client itself, and the little it reads of what the upstream says.

use bytes::{BufMut, BytesMut};

use super::frame::Fields;
use crate::{model::refusal::Refusal, wire::WireError};

/// How grave an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The statement fails.
    Error,
    /// The session ends.
    Fatal,
}

impl Severity {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

/// What a ReadyForQuery says of the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// None is open.
    Idle,
    /// One is open.
    Open,
    /// One is open and failed; only its end is accepted.
    Failed,
}

impl TransactionStatus {
    /// Its byte in ReadyForQuery.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Idle => b'I',
            Self::Open => b'T',
            Self::Failed => b'E',
        }
    }

    /// Reads the body of a ReadyForQuery.
    ///
    /// # Errors
    /// `Malformed` for anything but `I`, `T` and `E`.
    pub const fn read(body: &[u8]) -> Result<Self, WireError> {
        match body {
            b"I" => Ok(Self::Idle),
            b"T" => Ok(Self::Open),
            b"E" => Ok(Self::Failed),
            _ => Err(WireError::Malformed { message: "ReadyForQuery" }),
        }
    }
}

/// Appends one message: `tag`, the length, and what `body` writes.
pub fn message(out: &mut BytesMut, tag: u8, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(tag);
    let at = out.len();
    out.put_u32(0);
    body(out);
    let length = u32::try_from(out.len() - at).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

fn text(out: &mut BytesMut, text: &str) {
    // A zero byte would end the field early; what stands behind it would be read as the next field.
    out.extend(text.bytes().filter(|byte| *byte != 0));
    out.put_u8(0);
}

fn report(out: &mut BytesMut, tag: u8, severity: &str, refusal: &Refusal) {
    message(out, tag, |out| {
        let mut field = |code: u8, value: &str| {
            out.put_u8(code);
            text(out, value);
        };
        field(b'S', severity);
        field(b'V', severity);
        field(b'C', refusal.code.sqlstate());
        field(b'M', &refusal.message);
        if let Some(detail) = &refusal.detail {
            field(b'D', detail);
        }
        if let Some(hint) = &refusal.hint {
            field(b'H', hint);
        }
        if let Some(position) = refusal.position {
            field(b'P', &position.to_string());
        }
        out.put_u8(0);
    });
}

/// ErrorResponse.
pub fn error_response(out: &mut BytesMut, severity: Severity, refusal: &Refusal) {
    report(out, b'E', severity.as_str(), refusal);
}

/// An ErrorResponse that was received, with `words` and `hint` in place of everything that holds more than names.
///
/// # Errors
/// `Malformed` when fields are not laid out as the protocol says.
pub fn reworded_error(out: &mut BytesMut, body: &[u8], words: &str, hint: &str) -> Result<(), WireError> {
    reworded(out, b'E', body, words, hint)
}

/// The same of a NoticeResponse.
///
/// # Errors
/// `Malformed` when fields are not laid out as the protocol says.
pub fn reworded_notice(out: &mut BytesMut, body: &[u8], words: &str, hint: &str) -> Result<(), WireError> {
    reworded(out, b'N', body, words, hint)
}

fn reworded(out: &mut BytesMut, tag: u8, body: &[u8], words: &str, hint: &str) -> Result<(), WireError> {
    let mut kept = Vec::new();
    let mut fields = Fields::new(body, "ErrorResponse");
    loop {
        match fields.byte()? {
            0 => break,
            code => {
                let value = fields.text()?;
                if NAMES.contains(&code) {
                    kept.push((code, value));
                }
            }
        }
    }
    message(out, tag, |out| {
        for (code, value) in kept.into_iter().chain([(b'M', words), (b'H', hint)]) {
            out.put_u8(code);
            text(out, value);
        }
        out.put_u8(0);
    });
    Ok(())
}

/// Fields of an ErrorResponse that hold names alone: severity, SQLSTATE, what of the schema it is about, and where in
/// the server's source it comes from.
const NAMES: &[u8] = b"SVCstcdnFLR";

/// NoticeResponse of severity WARNING.
pub fn notice_response(out: &mut BytesMut, notice: &Refusal) {
    report(out, b'N', "WARNING", notice);
}

/// ReadyForQuery.
pub fn ready_for_query(out: &mut BytesMut, status: TransactionStatus) {
    message(out, b'Z', |out| out.put_u8(status.byte()));
}

/// ParameterStatus.
pub fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    message(out, b'S', |out| {
        text(out, name);
        text(out, value);
    });
}

/// BackendKeyData; the key has 4 bytes in protocol 3.0, up to 256 in 3.2.
pub fn backend_key_data(out: &mut BytesMut, process_id: i32, key: &[u8]) {
    message(out, b'K', |out| {
        out.put_i32(process_id);
        out.put_slice(key);
    });
}

/// NegotiateProtocolVersion: the newest minor version spoken, and the `_pq_.` options not known.
pub fn negotiate_protocol_version(out: &mut BytesMut, minor: i32, unknown_options: &[String]) {
    message(out, b'v', |out| {
        out.put_i32((3 << 16) | minor);
        out.put_i32(i32::try_from(unknown_options.len()).unwrap_or(i32::MAX));
        unknown_options.iter().for_each(|option| text(out, option));
    });
}

/// AuthenticationOk.
pub fn authentication_ok(out: &mut BytesMut) {
    message(out, b'R', |out| out.put_i32(0));
}

/// AuthenticationCleartextPassword.
pub fn authentication_cleartext_password(out: &mut BytesMut) {
    message(out, b'R', |out| out.put_i32(3));
}

/// AuthenticationSASL with the mechanisms in order of preference.
pub fn authentication_sasl(out: &mut BytesMut, mechanisms: &[&str]) {
    message(out, b'R', |out| {
        out.put_i32(10);
        mechanisms.iter().for_each(|mechanism| text(out, mechanism));
        out.put_u8(0);
    });
}

/// AuthenticationSASLContinue.
pub fn authentication_sasl_continue(out: &mut BytesMut, data: &[u8]) {
    message(out, b'R', |out| {
        out.put_i32(11);
        out.put_slice(data);
    });
}

/// AuthenticationSASLFinal.
pub fn authentication_sasl_final(out: &mut BytesMut, data: &[u8]) {
    message(out, b'R', |out| {
        out.put_i32(12);
        out.put_slice(data);
    });
}

/// EmptyQueryResponse.
pub fn empty_query_response(out: &mut BytesMut) {
    message(out, b'I', |_| {});
}

/// The SQLSTATE of an ErrorResponse's body; `None` if it has none.
///
/// # Errors
/// `Malformed` when fields are not laid out as the protocol says.
pub fn error_code(body: &[u8]) -> Result<Option<&str>, WireError> {
    error_field(body, b'C')
}

/// One field of an ErrorResponse's body, by its code.
///
/// # Errors
/// `Malformed` when fields are not laid out as the protocol says.
pub fn error_field(body: &[u8], wanted: u8) -> Result<Option<&str>, WireError> {
    let mut fields = Fields::new(body, "ErrorResponse");
    loop {
        match fields.byte()? {
            0 => return Ok(None),
            code if code == wanted => return fields.text().map(Some),
            _ => {
                fields.text()?;
            }
        }
    }
}

/// Name and value of a ParameterStatus's body.
///
/// # Errors
/// `Malformed` or `NotUtf8`.
pub fn read_parameter_status(body: &[u8]) -> Result<(&str, &str), WireError> {
    let mut fields = Fields::new(body, "ParameterStatus");
    let name = fields.text()?;
    let value = fields.text()?;
    fields.end()?;
    Ok((name, value))
}

/// The count of rows at the end of a CommandComplete's body ("INSERT 0 5" gives 5), if it counts rows.
pub fn command_rows(body: &[u8]) -> Option<u64> {
    let tag = std::str::from_utf8(body).ok()?.trim_end_matches('\0');
    tag.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::refusal::RefusalCode;

    #[test]
    fn an_error_carries_code_message_detail_and_hint() {
        let mut out = BytesMut::new();
        let refusal = Refusal::new(RefusalCode::InsufficientPrivilege, "permission denied: a\0b")
            .with_detail("why")
            .with_hint("next");
        error_response(&mut out, Severity::Error, &refusal);
        assert_eq!(&out[5..], b"SERROR\0VERROR\0C42501\0Mpermission denied: ab\0Dwhy\0Hnext\0\0".as_slice());
        assert_eq!(u32::from_be_bytes(out[1..5].try_into().unwrap()) as usize, out.len() - 1);
        assert_eq!(error_code(&out[5..]).unwrap(), Some("42501"));
    }

    #[test]
    fn a_reworded_error_keeps_its_names_and_none_of_its_words() {
        let body = b"SERROR\0VERROR\0C23502\0Mnull value\0DFailing row contains (1)\0Wcontext\0srow\0ttable\0ccolumn\0\0";
        let mut out = BytesMut::new();
        reworded_error(&mut out, body, "not shown", "ask").unwrap();
        assert_eq!(
            &out[5..],
            b"SERROR\0VERROR\0C23502\0srow\0ttable\0ccolumn\0Mnot shown\0Hask\0\0".as_slice()
        );
        assert!(reworded_error(&mut BytesMut::new(), &body[..9], "", "").is_err());
    }

    #[test]
    fn rows_are_the_last_word_of_the_command_tag() {
        assert_eq!(command_rows(b"INSERT 0 5\0"), Some(5));
        assert_eq!(command_rows(b"SELECT 12\0"), Some(12));
        assert_eq!(command_rows(b"CREATE TABLE\0"), None);
    }
}
