//! Both directions of a connection, read as the gateway reads them, from pieces of any size.

use bytes::{Buf, BytesMut};
use tidegate::wire::{
    WireError,
    postgres::{
        frame::{Frame, header, take_frame},
        frontend,
        startup::{Opening, Request},
    },
};

/// One thing that a client said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Message(Frame),
    Request(Request),
}

impl Said {
    /// The message, if it is one.
    pub(crate) fn message(&self) -> Option<&Frame> {
        match self {
            Self::Message(frame) => Some(frame),
            Self::Request(_) => None,
        }
    }

    /// How many bytes it took. The captures know no cancel request and no options in a startup message.
    pub(crate) fn bytes_read(&self) -> usize {
        match self {
            Self::Message(frame) => frame.bytes().len(),
            Self::Request(Request::Startup(startup)) => {
                let text = |text: &str| text.len() + 1;
                let settings: usize =
                    startup.settings.iter().map(|(name, value)| text(name) + text(value)).sum();
                8 + text("user")
                    + text(&startup.user)
                    + text("database")
                    + text(&startup.database)
                    + settings
                    + 1
            }
            Self::Request(_) => 8,
        }
    }
}

/// Reads what a client says: requests up to the startup message, messages behind it.
#[derive(Default)]
pub(crate) struct Frontend {
    opening: Opening,
    started: bool,
    input: BytesMut,
}

impl Frontend {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// In the middle of a session.
    pub(crate) fn started() -> Self {
        Self { started: true, ..Self::default() }
    }

    /// Bytes taken in and not yet given out, without those of an unfinished request.
    pub(crate) fn left(&self) -> usize {
        self.input.len()
    }

    /// Takes one piece and appends to `said` what is whole with it; every message is also read.
    pub(crate) fn feed(&mut self, mut piece: &[u8], said: &mut Vec<Said>) -> Result<(), WireError> {
        while !self.started && !piece.is_empty() {
            let before = piece.len();
            let wanted = self.opening.wanted();
            assert!((1..=10_004).contains(&wanted), "{wanted} bytes wanted");
            let Some(request) = self.opening.feed(&mut piece)? else {
                assert!(piece.is_empty(), "bytes are left though more are asked for");
                return Ok(());
            };
            assert!(piece.len() < before, "a request that took no byte");
            self.started = matches!(request, Request::Startup(_) | Request::Cancel(_) | Request::DirectTls);
            said.push(Said::Request(request));
        }
        self.input.extend_from_slice(piece);
        loop {
            let before = self.input.len();
            let Some(frame) = take_frame(&mut self.input, LIMIT_BYTES)? else {
                assert_eq!(self.input.len(), before, "bytes were taken though more are asked for");
                return Ok(());
            };
            assert_eq!(before, self.input.len() + frame.bytes().len());
            whole(&frame, frontend::Frontend::read(&frame)?);
            said.push(Said::Message(frame));
        }
    }
}

/// Nothing of a message that is accepted may stay unread: its fields, written again, are its body.
pub(crate) fn whole(frame: &Frame, meaning: frontend::Frontend<'_>) {
    use frontend::{Frontend, Named};
    let zero: &[u8] = b"\0";
    let again = match meaning {
        Frontend::Bind { portal, statement, rest } => {
            [portal.as_bytes(), zero, statement.as_bytes(), zero, rest].concat()
        }
        Frontend::Close(named) | Frontend::Describe(named) => match named {
            Named::Portal(name) => [b"P", name.as_bytes(), zero].concat(),
            Named::Statement(name) => [b"S", name.as_bytes(), zero].concat(),
        },
        Frontend::Execute { portal, max_rows } => [portal.as_bytes(), zero, &max_rows.to_be_bytes()].concat(),
        Frontend::Parse { name, query, types } => {
            [name.as_bytes(), zero, query.as_bytes(), zero, types].concat()
        }
        Frontend::Query(text) => [text.as_bytes(), zero].concat(),
        Frontend::CopyDone | Frontend::Flush | Frontend::Sync | Frontend::Terminate => Vec::new(),
        Frontend::CopyData | Frontend::CopyFail | Frontend::FunctionCall | Frontend::Password(_) => return,
    };
    assert_eq!(again, frame.body(), "{frame:?} is read as {meaning:?}");
}

/// One message of the server. Rows and COPY data have no `body`: the gateway never holds them whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) tag: u8,
    pub(crate) total_bytes: usize,
    pub(crate) body: Vec<u8>,
}

/// Reads what the server says behind its answers to requests for encryption.
#[derive(Default)]
pub(crate) struct Backend {
    input: BytesMut,
    passing: usize,
}

impl Backend {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Bytes that are missing from a row, or taken in and not yet given out.
    pub(crate) fn left(&self) -> usize {
        self.input.len() + self.passing
    }

    /// Takes one piece and appends to `heard` what is whole with it; rows as soon as their header is.
    pub(crate) fn feed(&mut self, piece: &[u8], heard: &mut Vec<Heard>) -> Result<(), WireError> {
        self.input.extend_from_slice(piece);
        loop {
            let some = self.passing.min(self.input.len());
            self.input.advance(some);
            self.passing -= some;
            if self.passing > 0 {
                return Ok(());
            }
            let Some(next) = header(&self.input, usize::MAX)? else { return Ok(()) };
            let rows = matches!(next.tag, b'D' | b'd');
            if rows {
                self.passing = next.total_bytes;
            } else if next.total_bytes > LIMIT_BYTES {
                return Err(WireError::TooLarge {
                    tag: next.tag,
                    length_bytes: next.total_bytes,
                    limit_bytes: LIMIT_BYTES,
                });
            } else if self.input.len() < next.total_bytes {
                return Ok(());
            }
            let body = if rows { Vec::new() } else { self.input.split_to(next.total_bytes)[5..].to_vec() };
            heard.push(Heard { tag: next.tag, total_bytes: next.total_bytes, body });
        }
    }
}

/// More than any message of the captures.
const LIMIT_BYTES: usize = 1 << 20;
