//! The login of a client, as far as it is bytes: what it answers to the greeting, and the exchange of proofs.
//!
//! Source: MySQL source documentation, "Connection Phase".

use bytes::{BufMut, BytesMut};

use super::{
    capability::Capabilities,
    fields::{Fields, put_zero_ended},
    packet::write_packet,
};
use crate::{model::secret::Secret, wire::WireError};

/// A client's first packet.
#[derive(Clone, Debug)]
pub enum Opening {
    /// SSLRequest: TLS begins with the next byte, and the login follows inside it.
    Tls,
    /// HandshakeResponse41.
    Login(HandshakeResponse),
}

/// HandshakeResponse41.
#[derive(Clone, Debug)]
pub struct HandshakeResponse {
    /// What both sides speak: what the client said, as far as it was offered.
    pub capabilities: Capabilities,
    /// The largest packet that the client takes.
    pub max_packet_bytes: u32,
    /// The client's collation; the lower 8 bits of the number.
    pub charset: u8,
    /// Who logs in.
    pub user: String,
    /// The proof, for the plugin that it names; a password in clear text may be one.
    pub proof: Secret<Vec<u8>>,
    /// The database; empty is none.
    pub database: String,
    /// The authentication method that the proof is of; empty where the client knows of none.
    pub plugin: String,
    /// Attributes of the connection (`program_name`, `_client_name`, …), in order.
    pub attributes: Vec<(String, String)>,
}

/// COM_CHANGE_USER.
#[derive(Clone, Debug)]
pub struct ChangeUser {
    /// Who logs in.
    pub user: String,
    /// The proof, for the plugin that it names, with the nonce of the greeting (or of the last exchange).
    pub proof: Secret<Vec<u8>>,
    /// The database; empty is none.
    pub database: String,
    /// The client's collation; `None` leaves it as it is.
    pub charset: Option<u16>,
    /// The authentication method that the proof is of; empty where the client knows of none.
    pub plugin: String,
    /// Attributes of the connection.
    pub attributes: Vec<(String, String)>,
}

/// Reads a client's answer to a greeting that offered `offered`.
///
/// # Errors
/// `Malformed`, `NotUtf8`; `Unexpected` for SSLRequest where TLS was not offered, and for a client of the protocol before
/// 4.1; `TooMany` attributes.
pub fn read_opening(payload: &[u8], offered: Capabilities) -> Result<Opening, WireError> {
    let mut fields = Fields::new(payload, "login");
    let said = Capabilities::from_bits(u64::from(fields.int32()?));
    if !said.has(Capabilities::PROTOCOL_41) {
        return Err(fields.malformed());
    }
    let max_packet_bytes = fields.int32()?;
    let charset = fields.byte()?;
    fields.bytes(19)?;
    let extended = fields.int32()?;
    if said.has(Capabilities::SSL) && fields.rest().is_empty() {
        return if offered.has(Capabilities::SSL) {
            Ok(Opening::Tls)
        } else {
            Err(WireError::Repeated { request: "SSLRequest" })
        };
    }
    let all = if said.has(Capabilities::MYSQL) {
        said
    } else {
        said.with(Capabilities::from_bits(u64::from(extended) << 32))
    };
    let user = fields.zero_ended()?;
    let user = fields.utf8(user)?.to_owned();
    let proof = if said.has(Capabilities::PLUGIN_AUTH_LENENC) {
        fields.string()?
    } else if said.has(Capabilities::SECURE_CONNECTION) {
        let length = fields.byte()?;
        fields.bytes(usize::from(length))?
    } else {
        fields.zero_ended()?
    };
    let proof = Secret::new(proof.to_vec());
    let database = if said.has(Capabilities::CONNECT_WITH_DB) { fields.zero_ended_or_rest() } else { b"" };
    let database = fields.utf8(database)?.to_owned();
    let plugin = if said.has(Capabilities::PLUGIN_AUTH) { fields.zero_ended_or_rest() } else { b"" };
    let plugin = fields.utf8(plugin)?.to_owned();
    let attributes =
        if said.has(Capabilities::CONNECT_ATTRS) { read_attributes(&mut fields)? } else { Vec::new() };
    let capabilities = all & offered;
    Ok(Opening::Login(HandshakeResponse {
        capabilities,
        max_packet_bytes,
        charset,
        user,
        proof,
        database,
        plugin,
        attributes,
    }))
}

impl ChangeUser {
    pub(super) fn read(body: &[u8], client: Capabilities) -> Result<Self, WireError> {
        let mut fields = Fields::new(body, "COM_CHANGE_USER");
        let user = fields.zero_ended()?;
        let user = fields.utf8(user)?.to_owned();
        let proof = if client.has(Capabilities::SECURE_CONNECTION) {
            let length = fields.byte()?;
            fields.bytes(usize::from(length))?
        } else {
            fields.zero_ended()?
        };
        let proof = Secret::new(proof.to_vec());
        let database = fields.zero_ended_or_rest();
        let database = fields.utf8(database)?.to_owned();
        let charset = if fields.rest().is_empty() { None } else { Some(fields.int16()?) };
        let plugin = if client.has(Capabilities::PLUGIN_AUTH) { fields.zero_ended_or_rest() } else { b"" };
        let plugin = fields.utf8(plugin)?.to_owned();
        let attributes =
            if client.has(Capabilities::CONNECT_ATTRS) { read_attributes(&mut fields)? } else { Vec::new() };
        Ok(Self { user, proof, database, charset, plugin, attributes })
    }
}

/// The value of the attribute `name`, if it is among them.
pub fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn read_attributes(fields: &mut Fields<'_>) -> Result<Vec<(String, String)>, WireError> {
    // Some clients say that they have attributes and send none.
    if fields.rest().is_empty() {
        return Ok(Vec::new());
    }
    let mut block = Fields::new(fields.string()?, "connection attributes");
    let mut attributes = Vec::new();
    while !block.rest().is_empty() {
        if attributes.len() == MAX_ATTRIBUTES {
            return Err(block.malformed());
        }
        let (name, value) = (block.string()?, block.string()?);
        attributes
            .push((String::from_utf8_lossy(name).into_owned(), String::from_utf8_lossy(value).into_owned()));
    }
    Ok(attributes)
}

/// AuthSwitchRequest: the client proves itself anew, by `plugin` with `data` (a nonce and a zero byte, or nothing).
pub fn auth_switch(out: &mut BytesMut, sequence: &mut u8, plugin: &str, data: &[u8]) {
    write_packet(out, sequence, |out| {
        out.put_u8(0xfe);
        put_zero_ended(out, plugin.as_bytes());
        out.put_slice(data);
        if !data.is_empty() {
            out.put_u8(0);
        }
    });
}

/// AuthMoreData.
pub fn auth_more(out: &mut BytesMut, sequence: &mut u8, data: &[u8]) {
    write_packet(out, sequence, |out| {
        out.put_u8(0x01);
        out.put_slice(data);
    });
}

/// What caching_sha2_password says in AuthMoreData, beside a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthState {
    /// The proof is that of a password which was proved in full before; OK follows.
    FastPath,
    /// The password itself is asked for.
    FullPath,
}

impl AuthState {
    /// Its data.
    pub const fn data(self) -> &'static [u8] {
        match self {
            Self::FastPath => &[3],
            Self::FullPath => &[4],
        }
    }

    /// The state of these data.
    pub fn read(data: &[u8]) -> Option<Self> {
        [Self::FastPath, Self::FullPath].into_iter().find(|state| state.data() == data)
    }
}

/// A client's whole packet that asks for the public key to hide its password with.
pub const CACHING_KEY_REQUEST: u8 = 2;

/// More attributes than any client sends; the packet's own limit bounds their bytes.
const MAX_ATTRIBUTES: usize = 128;
