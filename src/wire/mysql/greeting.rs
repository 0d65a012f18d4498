//! The server's first packet, read from an upstream and written for a client.
//!
//! Source: MySQL source documentation, "Protocol::HandshakeV10"; MariaDB documentation, "Connection".

use bytes::{BufMut, BytesMut};

use super::{
    capability::Capabilities,
    fields::{Fields, put_zero_ended},
    packet::write_packet,
    status::Status,
};
use crate::wire::WireError;

/// Random bytes that an exchange of proofs is bound to; none of them is zero.
pub type Nonce = [u8; NONCE_BYTES];

/// Length of a [`Nonce`].
pub const NONCE_BYTES: usize = 20;

/// HandshakeV10.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The server's version as it says it, with what stands in front of MariaDB's.
    pub version: String,
    /// The number of the session, which KILL takes.
    pub connection_id: u32,
    /// What the login's proof is bound to.
    pub nonce: Nonce,
    /// What the server speaks.
    pub capabilities: Capabilities,
    /// Its default collation; the lower 8 bits of the number.
    pub charset: u8,
    /// The state of a new session.
    pub status: Status,
    /// The authentication method that it begins with.
    pub plugin: String,
}

impl Greeting {
    /// The server is MariaDB.
    pub fn is_mariadb(&self) -> bool {
        self.version.contains("MariaDB") || !self.capabilities.has(Capabilities::MYSQL)
    }

    /// Appends it as the first packet of a connection.
    pub fn write(&self, out: &mut BytesMut, sequence: &mut u8) {
        let capabilities = self.capabilities.lower();
        let (first, second) = self.nonce.split_at(FIRST_NONCE_BYTES);
        let [low_a, low_b, high_a, high_b] = capabilities.to_le_bytes();
        write_packet(out, sequence, |out| {
            out.put_u8(PROTOCOL_VERSION);
            put_zero_ended(out, self.version.as_bytes());
            out.put_u32_le(self.connection_id);
            out.put_slice(first);
            out.put_u8(0);
            out.put_slice(&[low_a, low_b]);
            out.put_u8(self.charset);
            out.put_u16_le(self.status.bits());
            out.put_slice(&[high_a, high_b]);
            out.put_slice(&[NONCE_FIELD_BYTES, 0, 0, 0, 0, 0, 0]);
            // MySQL leaves these four bytes zero; MariaDB speaks of its own where it does not say that it is MySQL.
            let mariadb = !self.capabilities.has(Capabilities::MYSQL);
            out.put_u32_le(if mariadb { self.capabilities.extended() } else { 0 });
            out.put_slice(second);
            out.put_u8(0);
            put_zero_ended(out, self.plugin.as_bytes());
        });
    }

    /// Reads an upstream's first packet.
    ///
    /// # Errors
    /// `Malformed`, `NotUtf8`; `Unexpected` for another protocol than 10.
    pub fn read(payload: &[u8]) -> Result<Self, WireError> {
        let mut fields = Fields::new(payload, "greeting");
        match fields.byte()? {
            PROTOCOL_VERSION => {}
            tag => return Err(WireError::Unexpected { tag }),
        }
        let version = fields.zero_ended()?;
        let version = fields.utf8(version)?.to_owned();
        let connection_id = fields.int32()?;
        let first = fields.bytes(FIRST_NONCE_BYTES)?;
        fields.byte()?;
        let low = fields.int16()?;
        let charset = fields.byte()?;
        let status = Status::from_bits(fields.int16()?);
        let high = fields.int16()?;
        let nonce_bytes = fields.byte()?;
        fields.bytes(6)?;
        let extended = fields.int32()?;
        let lower = Capabilities::from_bits(u64::from(low) | u64::from(high) << 16);
        let capabilities = if lower.has(Capabilities::MYSQL) {
            lower
        } else {
            lower.with(Capabilities::from_bits(u64::from(extended) << 32))
        };
        // What the nonce's field says of its length may be 0; it is never shorter than this.
        let second = fields.bytes(NONCE_BYTES - FIRST_NONCE_BYTES)?;
        fields.bytes(usize::from(nonce_bytes.saturating_sub(NONCE_FIELD_BYTES - 1)).max(1))?;
        let plugin = fields.zero_ended_or_rest();
        let plugin = fields.utf8(plugin)?.to_owned();
        let mut nonce = [0; NONCE_BYTES];
        nonce.iter_mut().zip(first.iter().chain(second)).for_each(|(to, from)| *to = *from);
        Ok(Self { version, connection_id, nonce, capabilities, charset, status, plugin })
    }
}

const PROTOCOL_VERSION: u8 = 10;
const FIRST_NONCE_BYTES: usize = 8;
/// The nonce and a zero byte.
const NONCE_FIELD_BYTES: u8 = 21;
