//! The login of a client, as far as it is bytes: what it answers to the greeting, and the exchange of proofs.
//!
//! Source: MySQL source documentation, "Connection Phase".

use bytes::{BufMut, BytesMut};

use super::{
    capability::Capabilities,
    compression::Algorithm,
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
    /// By what both sides compress behind the login, if they do.
    pub compression: Option<Algorithm>,
    /// It will compress all that it sends behind the login, although nobody offered to: some clients do not look.
    pub compresses: bool,
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
    // What is said first of these is what the client goes by.
    let compressions = [Capabilities::COMPRESS, Capabilities::ZSTD_COMPRESSION];
    let compresses = compressions.into_iter().find(|it| said.has(*it)).is_some_and(|it| !offered.has(it));
    let compression = Algorithm::of(capabilities, &mut fields)?;
    Ok(Opening::Login(HandshakeResponse {
        capabilities,
        compression,
        compresses,
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

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Capabilities = Capabilities::from_bits(
        Capabilities::MYSQL.bits()
            | Capabilities::PROTOCOL_41.bits()
            | Capabilities::SECURE_CONNECTION.bits(),
    );
    const ALL: Capabilities = Capabilities::from_bits(u64::MAX);

    fn payload(said: Capabilities, rest: &[u8]) -> Vec<u8> {
        let mut out = BytesMut::new();
        out.put_u32_le(said.lower());
        out.put_u32_le(1 << 24);
        out.put_u8(45);
        out.put_bytes(0, 19);
        out.put_u32_le(said.extended());
        out.put_slice(rest);
        out.to_vec()
    }

    fn login(said: Capabilities, rest: &[u8], offered: Capabilities) -> Option<HandshakeResponse> {
        match read_opening(&payload(said, rest), offered) {
            Ok(Opening::Login(response)) => Some(response),
            Ok(Opening::Tls) | Err(_) => None,
        }
    }

    #[test]
    fn a_login_is_read_in_each_of_its_forms() {
        let short = login(BASE, b"dana\0\x03abc", ALL).unwrap();
        assert_eq!((short.user.as_str(), short.proof.expose().as_slice()), ("dana", &b"abc"[..]));
        assert_eq!((short.database.as_str(), short.plugin.as_str()), ("", ""));
        let said = BASE
            | Capabilities::PLUGIN_AUTH_LENENC
            | Capabilities::CONNECT_WITH_DB
            | Capabilities::PLUGIN_AUTH
            | Capabilities::CONNECT_ATTRS
            | Capabilities::ZSTD_COMPRESSION;
        let long =
            login(said, b"dana\0\xfc\x03\0abchr\0caching_sha2_password\0\x07\x02os\x03any\x03", ALL).unwrap();
        assert_eq!((long.database.as_str(), long.plugin.as_str()), ("hr", "caching_sha2_password"));
        assert_eq!(attribute(&long.attributes, "os"), Some("any"));
        let old = login(BASE.without(Capabilities::SECURE_CONNECTION), b"dana\0abc\0", ALL).unwrap();
        assert_eq!(old.proof.expose(), b"abc");
    }

    #[test]
    fn what_was_not_offered_is_not_spoken() {
        let said = BASE | Capabilities::COMPRESS | Capabilities::DEPRECATE_EOF;
        let offered = ALL.offered(false);
        let spoken = login(said, b"dana\0\0", offered).unwrap().capabilities;
        assert!(spoken.has(Capabilities::DEPRECATE_EOF) && !spoken.has(Capabilities::COMPRESS));
        assert!(login(said, b"dana\0\0", offered).unwrap().compresses);
        assert!(login(BASE | Capabilities::ZSTD_COMPRESSION, b"dana\0\0", offered).unwrap().compresses);
        assert!(!login(BASE, b"dana\0\0", offered).unwrap().compresses);
        // Who says both goes by the first.
        let both = BASE | Capabilities::COMPRESS | Capabilities::ZSTD_COMPRESSION;
        let zstd = offered | Capabilities::ZSTD_COMPRESSION;
        assert!(login(both, b"dana\0\0\x03", zstd).unwrap().compresses);
        // MariaDB's are heard from those who do not say that they are MySQL.
        let extended = Capabilities::BULK_OPERATIONS;
        let maria = login(BASE.without(Capabilities::MYSQL) | extended, b"dana\0\0", offered).unwrap();
        assert!(maria.capabilities.has(extended));
        assert!(!login(BASE | extended, b"dana\0\0", offered).unwrap().capabilities.has(extended));
    }

    #[test]
    fn what_was_offered_and_said_of_compression_is_spoken() {
        let zstd = BASE | Capabilities::ZSTD_COMPRESSION;
        let zlib = BASE | Capabilities::COMPRESS;
        let of = |said, rest: &[u8]| login(said, rest, ALL).map(|it| it.compression);
        assert_eq!(of(BASE, b"dana\0\0"), Some(None));
        assert_eq!(of(zlib, b"dana\0\0"), Some(Some(Algorithm::Zlib)));
        assert_eq!(of(zlib | zstd, b"dana\0\0\x07"), Some(Some(Algorithm::Zlib)));
        assert_eq!(of(zstd, b"dana\0\0\x16"), Some(Some(Algorithm::Zstd { level: 22 })));
        for no_level in [b"dana\0\0".as_slice(), b"dana\0\0\0", b"dana\0\0\x17"] {
            assert_eq!(of(zstd, no_level), None, "{no_level:?}");
        }
    }

    #[test]
    fn tls_is_asked_for_where_it_was_offered() {
        let asks = payload(BASE | Capabilities::SSL, b"");
        assert!(matches!(read_opening(&asks, ALL.offered(true)), Ok(Opening::Tls)));
        assert!(read_opening(&asks, ALL.offered(false)).is_err());
    }

    #[test]
    fn logins_that_are_cut_or_too_old_are_refused() {
        assert!(login(BASE.without(Capabilities::PROTOCOL_41), b"dana\0\0", ALL).is_none());
        assert!(login(BASE, b"dana", ALL).is_none());
        assert!(login(BASE, b"dana\0\x04abc", ALL).is_none());
        assert!(login(BASE, b"d\xff\0\0", ALL).is_none());
        let attributes = BASE | Capabilities::CONNECT_ATTRS;
        assert!(login(attributes, b"dana\0\0\x09\x02os\x03any", ALL).is_none());
        assert!(login(attributes, b"dana\0\0", ALL).is_some());
        let many = [b"dana\0\0\xfc\x02\x01".as_slice(), &[0; 258]].concat();
        assert!(login(attributes, &many, ALL).is_none());
        let fewer = [b"dana\0\0\xfc\x00\x01".as_slice(), &[0; 256]].concat();
        assert!(login(attributes, &fewer, ALL).is_some());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes: Vec<u8>, bits: u64) {
            let _ = read_opening(&bytes, Capabilities::from_bits(bits));
            let _ = read_opening(&payload(Capabilities::from_bits(bits | 512), &bytes), ALL);
            let _ = ChangeUser::read(&bytes, Capabilities::from_bits(bits));
            let _ = crate::wire::mysql::greeting::Greeting::read(&bytes);
        }
    }
}
