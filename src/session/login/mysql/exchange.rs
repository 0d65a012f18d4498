//! Packets with a client that logs in, one at a time and numbered.

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

use crate::{
    net::Stream,
    session::login::{
        error::LoginError,
        line::{gone, say},
    },
    wire::{
        WireError,
        mysql::packet::{HEADER_BYTES, header},
    },
};

/// The packets of one login.
pub(super) struct Exchange<'a> {
    pub(super) stream: &'a mut Stream,
    /// Number of the next packet, whoever sends it.
    pub(super) sequence: &'a mut u8,
}

impl Exchange<'_> {
    /// Sends what `write` puts together with the number that it is given.
    pub(super) async fn say(&mut self, write: impl FnOnce(&mut BytesMut, &mut u8)) -> Result<(), LoginError> {
        let mut out = BytesMut::new();
        write(&mut out, self.sequence);
        say(self.stream, &out).await
    }

    /// Reads the payload of one packet, and not a byte more.
    pub(super) async fn read(&mut self) -> Result<Zeroizing<Vec<u8>>, LoginError> {
        let mut head = [0; HEADER_BYTES];
        self.stream.read_exact(&mut head).await.map_err(gone)?;
        let head = header(&head).ok_or(WireError::Malformed { message: "login" })?;
        if head.sequence != *self.sequence {
            return Err(WireError::OutOfOrder { expected: *self.sequence, found: head.sequence }.into());
        }
        if head.length_bytes > MOST_PACKET_BYTES {
            let (length_bytes, limit_bytes) = (head.length_bytes, MOST_PACKET_BYTES);
            return Err(WireError::PacketTooLarge { length_bytes, limit_bytes }.into());
        }
        *self.sequence = self.sequence.wrapping_add(1);
        let mut payload = Zeroizing::new(vec![0; head.length_bytes]);
        self.stream.read_exact(&mut payload).await.map_err(gone)?;
        Ok(payload)
    }
}

/// The longest packet of a login; attributes of a connection are at most 64 KiB.
const MOST_PACKET_BYTES: usize = 72 * 1024;
