//! What a client asks for: the table of commands. What is not in it is refused.
//!
//! Source: MySQL source documentation, "Command Phase"; MariaDB documentation, "2 - Text Protocol", "3 - Binary Protocol".

use bytes::{BufMut, BytesMut};

use super::{
    capability::Capabilities,
    execute::{Attributes, BulkExecute, Execute},
    fields::{Fields, put_zero_ended},
    handshake::ChangeUser,
    packet::write_packet,
};
use crate::wire::WireError;

/// A statement's number that means "the one prepared last" (MariaDB).
pub const LAST_PREPARED: u32 = u32::MAX;

/// One command of a client. Texts are bytes in the session's character set.
#[derive(Clone, Debug)]
pub enum Command<'a> {
    /// COM_CHANGE_USER: a login anew.
    ChangeUser(ChangeUser),
    /// COM_FIELD_LIST: the definitions of a table's columns.
    FieldList {
        /// The table.
        table: &'a [u8],
        /// A pattern of LIKE for columns; empty is all.
        wildcard: &'a [u8],
    },
    /// COM_INIT_DB: USE.
    InitDb(&'a [u8]),
    /// COM_PING.
    Ping,
    /// COM_PROCESS_INFO: SHOW PROCESSLIST.
    ProcessInfo,
    /// COM_PROCESS_KILL: ends a session by its number.
    ProcessKill(u32),
    /// COM_QUERY.
    Query(Query<'a>),
    /// COM_QUIT.
    Quit,
    /// A command of the protocol that is never let through.
    Refused(RefusedCommand),
    /// COM_RESET_CONNECTION.
    ResetConnection,
    /// COM_SET_OPTION: several statements in one COM_QUERY, or not.
    SetMultiStatements(bool),
    /// COM_STATISTICS.
    Statistics,
    /// COM_STMT_BULK_EXECUTE (MariaDB).
    StmtBulkExecute(BulkExecute<'a>),
    /// COM_STMT_CLOSE; has no reply.
    StmtClose(u32),
    /// COM_STMT_EXECUTE.
    StmtExecute(Execute<'a>),
    /// COM_STMT_FETCH.
    StmtFetch {
        /// The statement.
        statement: u32,
        /// At most so many rows.
        rows: u32,
    },
    /// COM_STMT_PREPARE.
    StmtPrepare(&'a [u8]),
    /// COM_STMT_RESET.
    StmtReset(u32),
    /// COM_STMT_SEND_LONG_DATA; has no reply.
    StmtSendLongData {
        /// The statement.
        statement: u32,
        /// Its parameter, from 0.
        parameter: u16,
        /// A piece of the value.
        data: &'a [u8],
    },
    /// A byte that no command begins with.
    Unknown(u8),
}

/// COM_QUERY.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// What stands before the text when query attributes are negotiated.
    pub attributes: Attributes<'a>,
    /// One or several statements.
    pub text: &'a [u8],
}

/// Commands that exist and are refused whatever is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedCommand {
    /// Its first byte.
    pub code: u8,
    /// Its name in the manual.
    pub name: &'static str,
}

impl<'a> Command<'a> {
    /// Reads the payload of a client's packet; `client` is what was negotiated with it.
    ///
    /// # Errors
    /// `Malformed` when it is empty or not laid out as its first byte says.
    pub fn read(payload: &'a [u8], client: Capabilities) -> Result<Self, WireError> {
        let (&code, body) = payload.split_first().ok_or(WireError::Malformed { message: "command" })?;
        match code {
            COM_QUIT => Ok(Self::Quit),
            COM_INIT_DB => Ok(Self::InitDb(body)),
            COM_QUERY => Query::read(body, client).map(Self::Query),
            COM_FIELD_LIST => {
                let mut fields = Fields::new(body, "COM_FIELD_LIST");
                let table = fields.zero_ended()?;
                Ok(Self::FieldList { table, wildcard: fields.zero_ended_or_rest() })
            }
            COM_STATISTICS => Ok(Self::Statistics),
            COM_PROCESS_INFO => Ok(Self::ProcessInfo),
            COM_PROCESS_KILL => number(body, "COM_PROCESS_KILL").map(Self::ProcessKill),
            COM_PING => Ok(Self::Ping),
            COM_CHANGE_USER => ChangeUser::read(body, client).map(Self::ChangeUser),
            COM_STMT_PREPARE => Ok(Self::StmtPrepare(body)),
            COM_STMT_EXECUTE => Execute::read(body).map(Self::StmtExecute),
            COM_STMT_SEND_LONG_DATA => {
                let mut fields = Fields::new(body, "COM_STMT_SEND_LONG_DATA");
                let (statement, parameter) = (fields.int32()?, fields.int16()?);
                Ok(Self::StmtSendLongData { statement, parameter, data: fields.rest() })
            }
            COM_STMT_CLOSE => number(body, "COM_STMT_CLOSE").map(Self::StmtClose),
            COM_STMT_RESET => number(body, "COM_STMT_RESET").map(Self::StmtReset),
            COM_SET_OPTION => set_option(body),
            COM_STMT_FETCH => {
                let mut fields = Fields::new(body, "COM_STMT_FETCH");
                let (statement, rows) = (fields.int32()?, fields.int32()?);
                fields.end()?;
                Ok(Self::StmtFetch { statement, rows })
            }
            COM_RESET_CONNECTION => Ok(Self::ResetConnection),
            COM_STMT_BULK_EXECUTE if client.has(Capabilities::BULK_OPERATIONS) => {
                BulkExecute::read(body).map(Self::StmtBulkExecute)
            }
            code => Ok(REFUSED
                .iter()
                .find(|refused| refused.code == code)
                .map_or(Self::Unknown(code), |refused| Self::Refused(*refused))),
        }
    }
}

impl<'a> Query<'a> {
    fn read(body: &'a [u8], client: Capabilities) -> Result<Self, WireError> {
        if !client.has(Capabilities::QUERY_ATTRIBUTES) {
            return Ok(Self { attributes: Attributes::default(), text: body });
        }
        let (attributes, text) = Attributes::read(body)?;
        Ok(Self { attributes, text })
    }
}

fn number(body: &[u8], message: &'static str) -> Result<u32, WireError> {
    let mut fields = Fields::new(body, message);
    let number = fields.int32()?;
    fields.end()?;
    Ok(number)
}

fn set_option<'a>(body: &[u8]) -> Result<Command<'a>, WireError> {
    let mut fields = Fields::new(body, "COM_SET_OPTION");
    let option = fields.int16()?;
    fields.end()?;
    match option {
        0 => Ok(Command::SetMultiStatements(true)),
        1 => Ok(Command::SetMultiStatements(false)),
        _ => Err(fields.malformed()),
    }
}

/// Commands for an upstream, each a packet of an exchange of its own. What `write_packet` gives back in `sequence` is
/// the number that the reply begins with.
pub mod write {
    use super::{
        Attributes, BufMut, BytesMut, COM_INIT_DB, COM_PING, COM_QUERY, COM_QUIT, COM_RESET_CONNECTION,
        COM_SET_OPTION, COM_STATISTICS, COM_STMT_CLOSE, COM_STMT_FETCH, COM_STMT_PREPARE, COM_STMT_RESET,
        COM_STMT_SEND_LONG_DATA, Capabilities, put_zero_ended, write_packet,
    };
    use crate::wire::mysql::command::COM_FIELD_LIST;

    /// A command with its first byte; gives the number that its reply begins with.
    pub fn command(out: &mut BytesMut, code: u8, body: impl FnOnce(&mut BytesMut)) -> u8 {
        let mut sequence = 0;
        write_packet(out, &mut sequence, |out| {
            out.put_u8(code);
            body(out);
        });
        sequence
    }

    /// COM_QUERY. `attributes` are the client's, `Attributes::default()` for texts of our own; they go along only where
    /// `upstream` has them negotiated.
    pub fn query(out: &mut BytesMut, text: &[u8], attributes: Attributes<'_>, upstream: Capabilities) -> u8 {
        command(out, COM_QUERY, |out| {
            if upstream.has(Capabilities::QUERY_ATTRIBUTES) {
                attributes.write(out);
            }
            out.put_slice(text);
        })
    }

    /// COM_INIT_DB.
    pub fn init_db(out: &mut BytesMut, database: &[u8]) -> u8 {
        command(out, COM_INIT_DB, |out| out.put_slice(database))
    }

    /// COM_FIELD_LIST.
    pub fn field_list(out: &mut BytesMut, table: &[u8], wildcard: &[u8]) -> u8 {
        command(out, COM_FIELD_LIST, |out| {
            put_zero_ended(out, table);
            out.put_slice(wildcard);
        })
    }

    /// COM_STMT_PREPARE.
    pub fn prepare(out: &mut BytesMut, text: &[u8]) -> u8 {
        command(out, COM_STMT_PREPARE, |out| out.put_slice(text))
    }

    /// COM_STMT_CLOSE; no reply comes.
    pub fn close(out: &mut BytesMut, statement: u32) -> u8 {
        command(out, COM_STMT_CLOSE, |out| out.put_u32_le(statement))
    }

    /// COM_STMT_RESET.
    pub fn reset_statement(out: &mut BytesMut, statement: u32) -> u8 {
        command(out, COM_STMT_RESET, |out| out.put_u32_le(statement))
    }

    /// COM_STMT_FETCH.
    pub fn fetch(out: &mut BytesMut, statement: u32, rows: u32) -> u8 {
        command(out, COM_STMT_FETCH, |out| {
            out.put_u32_le(statement);
            out.put_u32_le(rows);
        })
    }

    /// COM_STMT_SEND_LONG_DATA; no reply comes.
    pub fn long_data(out: &mut BytesMut, statement: u32, parameter: u16, data: &[u8]) -> u8 {
        command(out, COM_STMT_SEND_LONG_DATA, |out| {
            out.put_u32_le(statement);
            out.put_u16_le(parameter);
            out.put_slice(data);
        })
    }

    /// COM_SET_OPTION.
    pub fn set_multi_statements(out: &mut BytesMut, on: bool) -> u8 {
        command(out, COM_SET_OPTION, |out| out.put_u16_le(u16::from(!on)))
    }

    /// COM_PING.
    pub fn ping(out: &mut BytesMut) -> u8 {
        command(out, COM_PING, |_| {})
    }

    /// COM_STATISTICS.
    pub fn statistics(out: &mut BytesMut) -> u8 {
        command(out, COM_STATISTICS, |_| {})
    }

    /// COM_RESET_CONNECTION.
    pub fn reset_connection(out: &mut BytesMut) -> u8 {
        command(out, COM_RESET_CONNECTION, |_| {})
    }

    /// COM_QUIT; the server closes the connection.
    pub fn quit(out: &mut BytesMut) -> u8 {
        command(out, COM_QUIT, |_| {})
    }
}

/// Commands that exist, and why they are not spoken: replication reads everything, the rest administers the server or is
/// an internal of it, or was never finished.
const REFUSED: &[RefusedCommand] = &[
    RefusedCommand { code: 0x00, name: "COM_SLEEP" },
    RefusedCommand { code: 0x05, name: "COM_CREATE_DB" },
    RefusedCommand { code: 0x06, name: "COM_DROP_DB" },
    RefusedCommand { code: 0x07, name: "COM_REFRESH" },
    RefusedCommand { code: 0x08, name: "COM_SHUTDOWN" },
    RefusedCommand { code: 0x0b, name: "COM_CONNECT" },
    RefusedCommand { code: 0x0d, name: "COM_DEBUG" },
    RefusedCommand { code: 0x0f, name: "COM_TIME" },
    RefusedCommand { code: 0x10, name: "COM_DELAYED_INSERT" },
    RefusedCommand { code: 0x12, name: "COM_BINLOG_DUMP" },
    RefusedCommand { code: 0x13, name: "COM_TABLE_DUMP" },
    RefusedCommand { code: 0x14, name: "COM_CONNECT_OUT" },
    RefusedCommand { code: 0x15, name: "COM_REGISTER_SLAVE" },
    RefusedCommand { code: 0x1d, name: "COM_DAEMON" },
    RefusedCommand { code: 0x1e, name: "COM_BINLOG_DUMP_GTID" },
    RefusedCommand { code: 0x20, name: "COM_CLONE" },
    RefusedCommand { code: 0x21, name: "COM_SUBSCRIBE_GROUP_REPLICATION_STREAM" },
    RefusedCommand { code: 0xfa, name: "COM_STMT_BULK_EXECUTE" },
    RefusedCommand { code: 0xfe, name: "COM_MULTI" },
];

const COM_QUIT: u8 = 0x01;
const COM_INIT_DB: u8 = 0x02;
/// One or several statements.
pub const COM_QUERY: u8 = 0x03;
const COM_FIELD_LIST: u8 = 0x04;
const COM_STATISTICS: u8 = 0x09;
const COM_PROCESS_INFO: u8 = 0x0a;
const COM_PROCESS_KILL: u8 = 0x0c;
const COM_PING: u8 = 0x0e;
const COM_CHANGE_USER: u8 = 0x11;
/// A statement to be prepared.
pub const COM_STMT_PREPARE: u8 = 0x16;
pub(super) const COM_STMT_EXECUTE: u8 = 0x17;
const COM_STMT_SEND_LONG_DATA: u8 = 0x18;
const COM_STMT_CLOSE: u8 = 0x19;
const COM_STMT_RESET: u8 = 0x1a;
const COM_SET_OPTION: u8 = 0x1b;
const COM_STMT_FETCH: u8 = 0x1c;
const COM_RESET_CONNECTION: u8 = 0x1f;
pub(super) const COM_STMT_BULK_EXECUTE: u8 = 0xfa;

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Capabilities = Capabilities::QUERY_ATTRIBUTES;

    fn read(payload: &[u8]) -> Result<Command<'_>, WireError> {
        Command::read(payload, Capabilities::NONE)
    }

    #[test]
    fn every_first_byte_is_a_command_that_is_spoken_or_is_refused() {
        let spoken = [1, 2, 3, 4, 9, 10, 12, 14, 17, 22, 23, 24, 25, 26, 27, 28, 31];
        for code in 0..=u8::MAX {
            let payload = [&[code], [0; 16].as_slice()].concat();
            let refused = matches!(read(&payload), Ok(Command::Refused(_) | Command::Unknown(_)));
            assert_eq!(refused, !spoken.contains(&code), "{code}");
        }
        for (code, name) in
            [(0x12, "COM_BINLOG_DUMP"), (0x1e, "COM_BINLOG_DUMP_GTID"), (0x08, "COM_SHUTDOWN")]
        {
            let Ok(Command::Refused(refused)) = read(&[code, 0]) else { panic!("{name}") };
            assert_eq!(refused.name, name);
        }
        assert!(matches!(read(b""), Err(WireError::Malformed { .. })));
    }

    #[test]
    fn a_bulk_is_spoken_where_it_was_agreed_on_only() {
        let payload = b"\xfa\x01\0\0\0\x80\0\x08\0rest";
        assert!(matches!(read(payload), Ok(Command::Refused(_))));
        let bulk = Command::read(payload, Capabilities::BULK_OPERATIONS);
        assert!(matches!(bulk, Ok(Command::StmtBulkExecute(it)) if it.statement == 1));
    }

    #[test]
    fn fields_of_commands_stay_inside_them_and_fill_them() {
        assert!(matches!(read(b"\x19\x05\0\0\0"), Ok(Command::StmtClose(5))));
        for wrong in [
            &b"\x19\x05\0\0"[..],
            b"\x19\x05\0\0\0\0",
            b"\x1b\x02\0",
            b"\x1c\0\0\0\0",
            b"\x04t",
            b"\x17\x01\0\0\0",
        ] {
            assert!(matches!(read(wrong), Err(WireError::Malformed { .. })), "{wrong:?}");
        }
    }

    #[test]
    fn a_text_behind_attributes_is_the_whole_rest() {
        let text = |payload: &[u8]| match Command::read(payload, NEW) {
            Ok(Command::Query(query)) => Some(String::from_utf8(query.text.to_vec()).unwrap()),
            _ => None,
        };
        assert_eq!(text(b"\x03\0\x01select 1").as_deref(), Some("select 1"));
        // Two attributes: a string named "n" and a NULL without a name.
        let two = b"\x03\x02\x01\x02\x01\xfe\0\x01n\x06\0\0\x03abcselect 2";
        assert_eq!(text(two).as_deref(), Some("select 2"));
        for wrong in [
            &b"\x03"[..],
            b"\x03\0\x02select 1",
            b"\x03\x01\x01\0\0\xfe\0\0\x03abcselect 2",
            b"\x03\x01\x01\0\x01\xf4\0\0\x01select 2",
            b"\x03\x01\x01\0\x01\xfe\0\0\x7fselect 2",
        ] {
            assert_eq!(text(wrong), None, "{wrong:?}");
        }
        // Where they are not agreed on, the same bytes are text.
        let Ok(Command::Query(query)) = read(b"\x03\0\x01select 1") else { panic!() };
        assert_eq!(query.text, b"\0\x01select 1");
    }

    #[test]
    fn attributes_go_along_with_another_text() {
        let two = b"\x03\x02\x01\x02\x01\xfe\0\x01n\x06\0\0\x03abcselect 2";
        let Ok(Command::Query(query)) = Command::read(two, NEW) else { panic!() };
        let mut out = BytesMut::new();
        assert_eq!(write::query(&mut out, b"select 3", query.attributes, NEW), 1);
        assert_eq!(&out[4..], b"\x03\x02\x01\x02\x01\xfe\0\x01n\x06\0\0\x03abcselect 3");
        out.clear();
        write::query(&mut out, b"select 3", query.attributes, Capabilities::NONE);
        assert_eq!(&out[4..], b"\x03select 3");
        out.clear();
        write::query(&mut out, b"select 3", Attributes::default(), NEW);
        assert_eq!(&out[4..], b"\x03\0\x01select 3");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, bits: u64, count: u16) {
            let client = Capabilities::from_bits(bits);
            match Command::read(&bytes, client) {
                Ok(Command::StmtExecute(it)) => drop(it.parameters(count, client)),
                Ok(Command::StmtBulkExecute(it)) => drop(it.types(count)),
                _ => {}
            }
        }
    }
}
