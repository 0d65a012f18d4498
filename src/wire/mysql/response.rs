//! What an upstream answers to one command: which bytes pass as they are, and what the others say.
//!
//! Rows and definitions are never read, only their headers; of rows also the first byte, which tells a row from the end.
//!
//! Source: MySQL source documentation, "Command Response", "Protocol::ResultSet".

pub use super::completion::{Completion, set_more_results};
use super::{
    capability::Capabilities,
    error::ServerError,
    fields::Fields,
    packet::{HEADER_BYTES, MAX_PIECE_BYTES, header},
    status::Status,
};
use crate::wire::WireError;

/// What kind of reply a command has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// COM_STMT_EXECUTE, COM_STMT_BULK_EXECUTE: OK, ERR, or results in binary rows.
    Execute,
    /// COM_STMT_FETCH: binary rows without definitions.
    Fetch,
    /// COM_FIELD_LIST: definitions alone.
    FieldList,
    /// COM_STMT_PREPARE.
    Prepare,
    /// COM_QUERY: OK, ERR, or results in text rows.
    Query,
    /// COM_PING, COM_INIT_DB, COM_RESET_CONNECTION, COM_STMT_RESET, COM_SET_OPTION: OK (or EOF), or ERR.
    Simple,
    /// COM_STATISTICS: a text without any frame.
    Statistics,
}

/// What to do with the front of what has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The reply is over; what follows belongs to another.
    Over,
    /// So many bytes at the front are a whole packet with its header, and this is what it says. It passes like the rest
    /// unless `event` says otherwise.
    Packet {
        /// Header and payload.
        bytes: usize,
        /// What it says.
        event: Event,
    },
    /// So many bytes at the front pass as they are.
    Pass(usize),
    /// More has to arrive.
    Wait,
}

/// What a packet says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A statement is over, or (`cursor`) its rows wait to be fetched.
    Complete(Completion),
    /// The command failed; whatever results were to follow do not.
    Failed(ServerError),
    /// The server asks for a file of the client's. Never passed on: an empty packet of number `answer` goes to the
    /// upstream, which then says OK or ERR; that is what the client gets.
    LocalInfile {
        /// Number of the empty packet.
        answer: u8,
    },
    /// A statement is prepared; its definitions follow.
    Prepared(Prepared),
    /// A result begins.
    ResultSet {
        /// How many columns it has.
        columns: u64,
    },
    /// COM_STATISTICS' text.
    Statistics,
}

/// COM_STMT_PREPARE's OK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The upstream's number for the statement; the 4 bytes at [`Prepared::STATEMENT_AT`] of the packet.
    pub statement: u32,
    /// Columns of its result.
    pub columns: u16,
    /// Its parameters.
    pub parameters: u16,
    /// How many warnings there are.
    pub warnings: u16,
}

impl Prepared {
    /// Where the statement's number stands in the packet, header included; little-endian.
    pub const STATEMENT_AT: std::ops::Range<usize> = 5..9;
}

/// Reads the reply to one command, in pieces of any size.
#[derive(Clone, Debug)]
pub struct Response {
    expect: Expect,
    state: State,
    shape: Capabilities,
    limit_bytes: usize,
    /// Number that the upstream's next packet has.
    upstream_next: u8,
    /// Number that the client's next packet has.
    client_next: u8,
    /// Bytes of the packet before, whose header has passed already.
    passing: usize,
    passing_row: bool,
    /// The packet before was a full piece: the next continues it.
    continued: bool,
    /// The result that is running is the OUT parameters of a procedure.
    out_parameters: bool,
    rows: u64,
    row_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The first packet of a reply, or of another result in it.
    First,
    /// So many definitions, then EOF where it is spoken, then `then`.
    Definitions {
        left: u64,
        then: Then,
    },
    /// The EOF behind definitions.
    DefinitionsEnd {
        then: Then,
    },
    /// Rows, or definitions of COM_FIELD_LIST, to the end.
    Rows,
    /// After LOCAL INFILE was refused: OK or ERR.
    Refused,
    Over,
}

/// What follows definitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The definitions of so many columns of a prepared statement, or (`false`) only their EOF.
    Columns(u16, bool),
    Over,
    Rows,
}

impl Response {
    /// Expects the reply to a command.
    ///
    /// `shape` is what was negotiated with the upstream; `upstream_next` the number that its reply begins with (what
    /// writing the command gave), `client_next` the one that the client expects: headers are renumbered on their way
    /// where they differ. No packet that is read may be over `limit_bytes`; rows may.
    pub const fn new(
        expect: Expect,
        shape: Capabilities,
        upstream_next: u8,
        client_next: u8,
        limit_bytes: usize,
    ) -> Self {
        Self {
            expect,
            state: if matches!(expect, Expect::Fetch | Expect::FieldList) {
                State::Rows
            } else {
                State::First
            },
            shape,
            limit_bytes,
            upstream_next,
            client_next,
            passing: 0,
            passing_row: false,
            continued: false,
            out_parameters: false,
            rows: 0,
            row_bytes: 0,
        }
    }

    /// The reply is over.
    pub fn is_over(&self) -> bool {
        self.state == State::Over && self.passing == 0
    }

    /// Number that the next packet to the client has.
    pub const fn client_next(&self) -> u8 {
        self.client_next
    }

    /// Rows that began to pass in the result that is running.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of rows that passed in the result that is running.
    pub const fn row_bytes(&self) -> u64 {
        self.row_bytes
    }

    /// Says what to do with the front of `input`, and renumbers what passes. The caller takes off as many bytes as the
    /// step says and calls again, until it says `Wait` or `Over`.
    ///
    /// # Errors
    /// `OutOfOrder`, `PacketTooLarge`, `Malformed`: the upstream does not keep to the protocol and the connection is lost.
    pub fn step(&mut self, input: &mut [u8]) -> Result<Step, WireError> {
        let mut passed = 0;
        loop {
            if self.passing > 0 {
                let here = self.passing.min(input.len() - passed);
                self.passing -= here;
                passed += here;
                if self.passing_row {
                    self.row_bytes += here as u64;
                }
                if self.passing > 0 {
                    return Ok(if passed > 0 { Step::Pass(passed) } else { Step::Wait });
                }
            }
            if self.state == State::Over {
                return Ok(if passed > 0 { Step::Pass(passed) } else { Step::Over });
            }
            let Some(front) = input.get_mut(passed..) else { return Ok(Step::Wait) };
            match self.packet(front)? {
                Found::Pass { bytes, row } => {
                    self.passing = bytes;
                    self.passing_row = row;
                }
                Found::Read => {
                    // What stands before it goes first, so that the caller finds the packet at the front.
                    if passed > 0 {
                        return Ok(Step::Pass(passed));
                    }
                    return self.read(front);
                }
                Found::Wait => return Ok(if passed > 0 { Step::Pass(passed) } else { Step::Wait }),
            }
        }
    }

    /// Looks at the header of the next packet. Only a packet that passes is taken note of.
    fn packet(&mut self, front: &mut [u8]) -> Result<Found, WireError> {
        let Some(head) = header(front) else { return Ok(Found::Wait) };
        if head.length_bytes == 0 && !self.continued {
            return Err(WireError::Malformed { message: "empty" });
        }
        if head.sequence != self.upstream_next {
            return Err(WireError::OutOfOrder { expected: self.upstream_next, found: head.sequence });
        }
        let row = self.state == State::Rows && self.expect != Expect::FieldList;
        let passes = match self.state {
            _ if self.continued => true,
            State::Definitions { .. } => {
                // An error may come in place of a definition.
                match front.get(HEADER_BYTES) {
                    Some(0xff) => false,
                    Some(_) => true,
                    None => return Ok(Found::Wait),
                }
            }
            State::Rows => match front.get(HEADER_BYTES) {
                Some(0xff) => false,
                Some(0xfe) => !self.ends_rows(head.length_bytes),
                Some(_) => true,
                None => return Ok(Found::Wait),
            },
            State::First | State::DefinitionsEnd { .. } | State::Refused | State::Over => false,
        };
        if !passes {
            if head.length_bytes > self.limit_bytes.min(MAX_PIECE_BYTES - 1) {
                return Err(WireError::PacketTooLarge {
                    length_bytes: head.length_bytes,
                    limit_bytes: self.limit_bytes,
                });
            }
            let whole = front.len() >= HEADER_BYTES + head.length_bytes;
            return Ok(if whole { Found::Read } else { Found::Wait });
        }
        self.renumber(front);
        if !self.continued {
            if row {
                self.rows += 1;
            }
            if let State::Definitions { left, then } = self.state {
                self.defined(left.saturating_sub(1), then);
            }
        }
        self.continued = head.length_bytes == MAX_PIECE_BYTES;
        Ok(Found::Pass { bytes: HEADER_BYTES + head.length_bytes, row })
    }

    /// A row may begin with 0xfe, too: then its first column is of 16 MiB or more, and so is the row.
    const fn ends_rows(&self, length_bytes: usize) -> bool {
        if self.shape.has(Capabilities::DEPRECATE_EOF) {
            length_bytes < MAX_PIECE_BYTES
        } else {
            length_bytes < 9
        }
    }

    fn renumber(&mut self, front: &mut [u8]) {
        if let Some(sequence) = front.get_mut(HEADER_BYTES - 1) {
            *sequence = self.client_next;
        }
        self.upstream_next = self.upstream_next.wrapping_add(1);
        self.client_next = self.client_next.wrapping_add(1);
    }

    fn defined(&mut self, left: u64, then: Then) {
        self.state = if left > 0 {
            State::Definitions { left, then }
        } else if self.shape.has(Capabilities::DEPRECATE_EOF) {
            return self.after_definitions(then);
        } else {
            State::DefinitionsEnd { then }
        };
    }

    fn after_definitions(&mut self, then: Then) {
        match then {
            Then::Columns(count, follow) => {
                self.defined(if follow { u64::from(count) } else { 0 }, Then::Over);
            }
            Then::Over => self.state = State::Over,
            Then::Rows => self.state = State::Rows,
        }
    }

    /// Reads the whole packet at the front.
    fn read(&mut self, front: &mut [u8]) -> Result<Step, WireError> {
        let Some(head) = header(front) else { return Ok(Step::Wait) };
        let bytes = HEADER_BYTES + head.length_bytes;
        let payload = front.get(HEADER_BYTES..bytes).unwrap_or_default();
        if payload.first() == Some(&0xff) && self.expect != Expect::Statistics {
            let error = ServerError::read(payload)?;
            if error.errno == PROGRESS_REPORT && self.shape.has(Capabilities::PROGRESS) {
                self.renumber(front);
                return Ok(Step::Pass(bytes));
            }
            self.state = State::Over;
            self.renumber(front);
            return Ok(Step::Packet { bytes, event: Event::Failed(error) });
        }
        let event = match self.state {
            State::First => self.first(payload, head.sequence)?,
            State::DefinitionsEnd { then } => self.definitions_end(payload, then)?,
            State::Rows => Some(self.rows_end(payload)?),
            State::Refused => Some(self.complete(Completion::read(payload, self.shape)?)),
            State::Definitions { .. } | State::Over => return Err(unexpected(payload)),
        };
        if let Some(Event::LocalInfile { answer }) = event {
            // The client does not see it, so its numbers stand still.
            self.upstream_next = answer.wrapping_add(1);
            return Ok(Step::Packet { bytes, event: Event::LocalInfile { answer } });
        }
        self.renumber(front);
        Ok(event.map_or(Step::Pass(bytes), |event| Step::Packet { bytes, event }))
    }

    fn first(&mut self, payload: &[u8], sequence: u8) -> Result<Option<Event>, WireError> {
        match (self.expect, payload.first()) {
            (Expect::Statistics, _) => {
                self.state = State::Over;
                Ok(Some(Event::Statistics))
            }
            (Expect::Prepare, Some(0)) => self.prepared(payload).map(|it| Some(Event::Prepared(it))),
            (Expect::Simple, Some(0 | 0xfe)) | (Expect::Query | Expect::Execute, Some(0)) => {
                Completion::read(payload, self.shape).map(|it| Some(self.complete(it)))
            }
            (Expect::Query, Some(0xfb)) => {
                self.state = State::Refused;
                Ok(Some(Event::LocalInfile { answer: sequence.wrapping_add(1) }))
            }
            (Expect::Query | Expect::Execute, Some(_)) => self.result_set(payload).map(Some),
            _ => Err(unexpected(payload)),
        }
    }

    fn result_set(&mut self, payload: &[u8]) -> Result<Event, WireError> {
        let mut fields = Fields::new(payload, "column count");
        let columns = fields.number()?;
        // The manual has it in front of the count; the servers put it behind.
        let flagged = self.shape.has(Capabilities::OPTIONAL_RESULTSET_METADATA)
            || self.shape.has(Capabilities::CACHE_METADATA);
        let follow = !flagged || fields.byte()? == 1;
        fields.end()?;
        if columns == 0 || columns > MAX_COLUMNS {
            return Err(fields.malformed());
        }
        (self.rows, self.row_bytes) = (0, 0);
        // Without definitions their EOF comes all the same.
        self.defined(if follow { columns } else { 0 }, Then::Rows);
        Ok(Event::ResultSet { columns })
    }

    fn prepared(&mut self, payload: &[u8]) -> Result<Prepared, WireError> {
        let mut fields = Fields::new(payload, "COM_STMT_PREPARE OK");
        fields.byte()?;
        let statement = fields.int32()?;
        let (columns, parameters) = (fields.int16()?, fields.int16()?);
        fields.byte()?;
        let warnings = fields.int16()?;
        let optional = self.shape.has(Capabilities::OPTIONAL_RESULTSET_METADATA);
        let follow = !optional || fields.byte()? == 1;
        fields.end()?;
        match (parameters, columns) {
            (0, 0) => self.state = State::Over,
            (0, columns) => self.defined(if follow { u64::from(columns) } else { 0 }, Then::Over),
            (parameters, columns) => {
                let then = if columns == 0 { Then::Over } else { Then::Columns(columns, follow) };
                self.defined(if follow { u64::from(parameters) } else { 0 }, then);
            }
        }
        Ok(Prepared { statement, columns, parameters, warnings })
    }

    fn definitions_end(&mut self, payload: &[u8], then: Then) -> Result<Option<Event>, WireError> {
        let end = Completion::read_eof(payload)?;
        if then == Then::Rows && end.cursor() {
            return Ok(Some(self.complete(end)));
        }
        self.out_parameters = then == Then::Rows && end.status.has(Status::OUT_PARAMETERS);
        self.after_definitions(then);
        Ok(None)
    }

    fn rows_end(&mut self, payload: &[u8]) -> Result<Event, WireError> {
        let end = if self.shape.has(Capabilities::DEPRECATE_EOF) {
            Completion::read(payload, self.shape)?
        } else {
            Completion::read_eof(payload)?
        };
        // Behind OUT parameters comes the procedure's own OK, which MySQL's EOF does not announce: clients go by the
        // one that stands before the rows.
        let out = std::mem::take(&mut self.out_parameters);
        let status = if out { end.status.with(Status::MORE_RESULTS) } else { end.status };
        let end = Completion { rows: Some(self.rows), row_bytes: self.row_bytes, status, ..end };
        (self.rows, self.row_bytes) = (0, 0);
        Ok(self.complete(end))
    }

    fn complete(&mut self, completion: Completion) -> Event {
        let again = completion.more() && matches!(self.expect, Expect::Execute | Expect::Query);
        self.state = if again { State::First } else { State::Over };
        Event::Complete(completion)
    }
}

enum Found {
    Pass { bytes: usize, row: bool },
    Read,
    Wait,
}

fn unexpected(payload: &[u8]) -> WireError {
    WireError::Unexpected { tag: payload.first().copied().unwrap_or_default() }
}

/// Columns that a result or a table can have, with room: the server's own bound is 4096.
const MAX_COLUMNS: u64 = 65_535;

/// MariaDB reports progress as an error of this number.
const PROGRESS_REPORT: u16 = 0xffff;

#[cfg(test)]
mod tests {
    use bytes::{Buf, BufMut, BytesMut};

    use super::*;
    use crate::wire::mysql::{
        packet::write_packet,
        reply,
        status::Status,
        table::{Column, ColumnKind, Layout, Value, table},
    };

    const MODERN: Capabilities = Capabilities::DEPRECATE_EOF;
    const CLASSIC: Capabilities = Capabilities::NONE;
    const LIMIT: usize = 1 << 16;

    fn packets(payloads: &[&[u8]]) -> BytesMut {
        let mut out = BytesMut::new();
        let mut sequence = 1;
        for payload in payloads {
            write_packet(&mut out, &mut sequence, |out| out.put_slice(payload));
        }
        out
    }

    /// Reads to the end; gives the events and the bytes that passed.
    fn all(response: &mut Response, mut input: BytesMut) -> Result<(Vec<Event>, usize), WireError> {
        let (mut events, mut passed) = (Vec::new(), 0);
        loop {
            match response.step(&mut input)? {
                Step::Wait | Step::Over => return Ok((events, passed)),
                Step::Pass(bytes) => {
                    passed += bytes;
                    input.advance(bytes);
                }
                Step::Packet { bytes, event } => {
                    events.push(event);
                    passed += bytes;
                    input.advance(bytes);
                }
            }
        }
    }

    fn read(expect: Expect, shape: Capabilities, payloads: &[&[u8]]) -> Vec<Event> {
        let mut response = Response::new(expect, shape, 1, 1, LIMIT);
        let events = all(&mut response, packets(payloads)).unwrap().0;
        assert!(response.is_over(), "{events:?}");
        events
    }

    const DEFINITION: &[u8] = b"\x03def\0\0\0\x01a\0\x0c\x21\0\0\0\0\0\xfd\0\0\0\0\0";

    #[test]
    fn a_file_that_is_asked_for_is_refused_and_the_client_sees_the_end_only() {
        let mut response = Response::new(Expect::Query, MODERN, 1, 1, LIMIT);
        let mut input = packets(&[b"\xfb/etc/passwd"]);
        let step = response.step(&mut input).unwrap();
        assert_eq!(step, Step::Packet { bytes: input.len(), event: Event::LocalInfile { answer: 2 } });
        assert!(!response.is_over());
        let mut end = BytesMut::new();
        reply::err(
            &mut end,
            &mut 3,
            &ServerError { errno: 1, sqlstate: "HY000".into(), message: "x".into() },
        );
        let step = response.step(&mut end).unwrap();
        assert!(matches!(step, Step::Packet { event: Event::Failed(_), .. }), "{step:?}");
        assert_eq!(end[3], 1, "the number that the client waits for");
        assert!(response.is_over());
    }

    #[test]
    fn a_row_beyond_16_mib_passes_in_pieces_and_is_one_row() {
        // Its first column has a length of eight bytes: it begins with 0xfe, as an end does.
        let mut row = BytesMut::new();
        row.put_u8(0xfe);
        row.put_u64_le(MAX_PIECE_BYTES as u64 + 7);
        row.put_bytes(0xfe, MAX_PIECE_BYTES + 7);
        for (shape, end) in [(MODERN, &b"\xfe\0\0\x02\0\0\0"[..]), (CLASSIC, b"\xfe\0\0\x02\0")] {
            let eof: &[&[u8]] = if shape == CLASSIC { &[end] } else { &[] };
            let input = packets(&[&[b"\x01", DEFINITION], eof, &[row.as_ref(), b"\x01b", end]].concat());
            let (whole, total) = (input.clone(), input.len());
            let mut response = Response::new(Expect::Query, shape, 1, 1, LIMIT);
            let (events, passed) = all(&mut response, whole).unwrap();
            assert_eq!(passed, total);
            let Some(Event::Complete(end)) = events.last() else { panic!("{events:?}") };
            assert_eq!(end.rows, Some(2));
            assert_eq!(end.row_bytes, (row.len() + 8 + 2 + 4) as u64);
            // What has arrived of a row passes before the rest of it comes.
            let mut response = Response::new(Expect::Query, shape, 1, 1, LIMIT);
            let half = input.len() / 2;
            assert_eq!(all(&mut response, BytesMut::from(&input[..half])).unwrap().1, half);
        }
    }

    #[test]
    fn packets_that_are_read_are_bounded_and_rows_are_not() {
        let long = vec![0; LIMIT + 1];
        let mut response = Response::new(Expect::Simple, MODERN, 1, 1, LIMIT);
        let refused = all(&mut response, packets(&[&long]));
        assert!(matches!(refused, Err(WireError::PacketTooLarge { .. })), "{refused:?}");
        let row = [b"a".as_slice(), &long].concat();
        let events = read(Expect::Query, MODERN, &[b"\x01", DEFINITION, &row, b"\xfe\0\0\x02\0\0\0"]);
        assert_eq!(events.len(), 2);
    }

    #[test]
    fn an_error_ends_a_reply_wherever_it_comes() {
        let error: &[u8] = b"\xff\x25\x05#70100interrupted";
        let result: [&[u8]; 4] = [b"\x02", DEFINITION, DEFINITION, b"\x01a\x01b"];
        for before in 0..=result.len() {
            let payloads = [&result[..before], &[error]].concat();
            let events = read(Expect::Query, MODERN, &payloads);
            let Some(Event::Failed(error)) = events.last() else { panic!("{events:?}") };
            assert_eq!((error.errno, error.sqlstate.as_str()), (1317, "70100"));
        }
    }

    #[test]
    fn behind_out_parameters_comes_an_ok_that_their_end_does_not_announce() {
        // AUTOCOMMIT, MORE_RESULTS and PS_OUT_PARAMS before the row, AUTOCOMMIT alone behind it.
        let (announced, end): (&[u8], &[u8]) = (b"\xfe\0\0\x0a\x10", b"\xfe\0\0\x02\0");
        let row: &[u8] = b"\0\0\x01a";
        let reply = [b"\x01", DEFINITION, announced, row, end, b"\0\0\0\x02\0\0\0"];
        let events = read(Expect::Execute, CLASSIC, &reply);
        let over = events.iter().filter(|event| matches!(event, Event::Complete(_))).count();
        assert_eq!(over, 2, "{events:?}");
        // The end of any other result is the end.
        let events = read(Expect::Execute, CLASSIC, &[b"\x01", DEFINITION, end, row, end]);
        assert!(
            matches!(&events[..], [Event::ResultSet { .. }, Event::Complete(it)] if !it.more()),
            "{events:?}"
        );
    }

    #[test]
    fn reports_of_progress_pass_and_mean_nothing() {
        let report = b"\xff\xff\xff\x01\x01\x02\0\0\0\x04copy";
        let events = read(Expect::Query, MODERN | Capabilities::PROGRESS, &[report, b"\0\0\0\x02\0\0\0"]);
        assert!(matches!(&events[..], [Event::Complete(_)]), "{events:?}");
        // Where nobody asked for it, it is an error like any other.
        let events = read(Expect::Query, MODERN, &[report]);
        assert!(matches!(&events[..], [Event::Failed(_)]), "{events:?}");
    }

    #[test]
    fn a_packet_with_another_number_breaks_the_connection() {
        let mut response = Response::new(Expect::Simple, MODERN, 1, 1, LIMIT);
        let mut input = packets(&[b"\0\0\0\x02\0\0\0"]);
        input[3] = 2;
        assert_eq!(response.step(&mut input), Err(WireError::OutOfOrder { expected: 1, found: 2 }));
    }

    #[test]
    fn what_no_reply_begins_with_is_refused() {
        for (expect, payload) in [
            (Expect::Simple, &b"\x01"[..]),
            (Expect::Prepare, b"\xfe"),
            (Expect::Execute, b"\xfbfile"),
            (Expect::Query, b"\xfe\0\0\x02\0"),
            (Expect::Query, b""),
        ] {
            let mut response = Response::new(expect, CLASSIC, 1, 1, LIMIT);
            assert!(all(&mut response, packets(&[payload])).is_err(), "{expect:?} {payload:?}");
        }
    }

    #[test]
    fn our_own_rows_are_read_as_any_server_s() {
        let flagged = MODERN | Capabilities::OPTIONAL_RESULTSET_METADATA | Capabilities::EXTENDED_METADATA;
        for shape in [MODERN, CLASSIC, flagged] {
            let mut out = BytesMut::new();
            let columns = [("a", ColumnKind::Number), ("b", ColumnKind::Text(7))];
            let columns = columns.map(|(name, kind)| Column { name, kind });
            let rows = [vec![Value::Number(1), Value::Text("x")]];
            table(&mut out, &mut 1, (&columns, &rows), Layout::Text, Status::AUTOCOMMIT, shape);
            let mut response = Response::new(Expect::Query, shape, 1, 1, LIMIT);
            let events = all(&mut response, out).unwrap().0;
            assert!(response.is_over());
            let [Event::ResultSet { columns: 2 }, Event::Complete(end)] = &events[..] else {
                panic!("{events:?}")
            };
            assert_eq!((end.rows, end.status), (Some(1), Status::AUTOCOMMIT));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, modern: bool, which in 0_usize..7) {
            let kinds = [Expect::Execute, Expect::Fetch, Expect::FieldList, Expect::Prepare, Expect::Query, Expect::Simple, Expect::Statistics];
            let mut input = packets(&[&bytes, &bytes, DEFINITION, &bytes]);
            input.extend_from_slice(&bytes);
            let mut response = Response::new(kinds[which], if modern { MODERN } else { CLASSIC }, 1, 1, LIMIT);
            let _ = all(&mut response, input);
        }
    }
}
