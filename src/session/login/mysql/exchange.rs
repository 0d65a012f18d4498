//! Packets with a client that logs in, one at a time and numbered.

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    net::Stream,
    session::{
        compressed::write_frames,
        login::{
            error::LoginError,
            line::{gone, say},
        },
    },
    wire::{
        WireError,
        mysql::{
            compression::{FRAME_HEADER_BYTES, FrameHeader, Framing},
            packet::{HEADER_BYTES, header},
        },
    },
};

/// The packets of one login.
pub(super) struct Exchange<'a> {
    pub(super) stream: &'a mut Stream,
    /// Number of the next packet, whoever sends it.
    pub(super) sequence: &'a mut u8,
    /// The frames around packets, where the client compresses already.
    framing: Option<&'a mut Framing>,
    /// What was in a frame and was not read.
    opened: Zeroizing<Vec<u8>>,
}

impl<'a> Exchange<'a> {
    /// Begins with the number of the next packet.
    pub(super) fn new(stream: &'a mut Stream, sequence: &'a mut u8) -> Self {
        Self { stream, sequence, framing: None, opened: Zeroizing::default() }
    }

    /// The same with a client that compresses already, if it does.
    pub(super) fn framed(self, framing: Option<&'a mut Framing>) -> Self {
        Self { framing, ..self }
    }

    /// Sends what `write` puts together with the number that it is given.
    pub(super) async fn say(&mut self, write: impl FnOnce(&mut BytesMut, &mut u8)) -> Result<(), LoginError> {
        let mut out = BytesMut::new();
        write(&mut out, self.sequence);
        if let Some(framing) = &mut self.framing {
            let plain = out.split();
            write_frames(framing, &plain, &mut out);
        }
        say(self.stream, &out).await
    }

    /// Reads the payload of one packet, and not a byte more, or not a frame.
    pub(super) async fn read(&mut self) -> Result<Zeroizing<Vec<u8>>, LoginError> {
        let head = self.take(HEADER_BYTES).await?;
        let head = header(&head).ok_or(WireError::Malformed { message: "login" })?;
        if head.sequence != *self.sequence {
            return Err(WireError::OutOfOrder { expected: *self.sequence, found: head.sequence }.into());
        }
        check_length(head.length_bytes)?;
        *self.sequence = self.sequence.wrapping_add(1);
        let payload = self.take(head.length_bytes).await?;
        if !self.opened.is_empty() {
            return Err(WireError::Malformed { message: "login" }.into());
        }
        Ok(payload)
    }

    async fn take(&mut self, count: usize) -> Result<Zeroizing<Vec<u8>>, LoginError> {
        let Some(framing) = &mut self.framing else {
            let mut bytes = Zeroizing::new(vec![0; count]);
            self.stream.read_exact(&mut bytes).await.map_err(gone)?;
            return Ok(bytes);
        };
        while self.opened.len() < count {
            read_frame(self.stream, framing, &mut self.opened).await?;
        }
        let rest = self.opened.get(count..).unwrap_or_default().to_vec();
        let mut bytes = std::mem::replace(&mut self.opened, Zeroizing::new(rest));
        // No more of it is kept than was asked for; what is cut off is wiped.
        if let Some(over) = bytes.get_mut(count..) {
            over.zeroize();
        }
        bytes.truncate(count);
        Ok(bytes)
    }
}

/// Reads one frame, and not a byte more, and appends what is in it.
async fn read_frame(
    stream: &mut Stream,
    framing: &mut Framing,
    opened: &mut Zeroizing<Vec<u8>>,
) -> Result<(), LoginError> {
    let mut head = [0; FRAME_HEADER_BYTES];
    stream.read_exact(&mut head).await.map_err(gone)?;
    let header = FrameHeader::read(&head).ok_or(WireError::Compressed)?;
    check_length(header.length_bytes)?;
    check_length(header.plain_bytes())?;
    let mut frame = Zeroizing::new(vec![0; FRAME_HEADER_BYTES + header.length_bytes]);
    let (front, body) = frame.split_at_mut(FRAME_HEADER_BYTES);
    front.copy_from_slice(&head);
    stream.read_exact(body).await.map_err(gone)?;
    let mut plain = Zeroizing::new(vec![0; header.plain_bytes()]);
    framing.read(&mut frame.as_slice(), &mut plain)?;
    // A new place rather than a longer one, so that no copy of a secret stays behind.
    let longer = [opened.as_slice(), plain.as_slice()].concat();
    *opened = Zeroizing::new(longer);
    Ok(())
}

fn check_length(length_bytes: usize) -> Result<(), WireError> {
    if length_bytes > MOST_PACKET_BYTES {
        return Err(WireError::PacketTooLarge { length_bytes, limit_bytes: MOST_PACKET_BYTES });
    }
    Ok(())
}

/// The longest packet of a login; attributes of a connection are at most 64 KiB.
const MOST_PACKET_BYTES: usize = 72 * 1024;
