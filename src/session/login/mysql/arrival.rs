//! What goes into a login, and what comes out of one that went well.

use std::sync::Arc;

use crate::{
    model::{principal::Principal, target::Place},
    net::Stream,
    wire::mysql::{capability::Capabilities, compression::Algorithm, greeting::Nonce},
};

/// What a client is greeted with, before it has said what it wants.
#[derive(Clone, Debug)]
pub struct Hello {
    /// The target's version, as its own greeting has it.
    pub version: String,
    /// What the target speaks; what cannot be relayed is taken out here.
    pub capabilities: Capabilities,
    /// The target's default collation; the lower 8 bits of the number.
    pub charset: u8,
    /// The number that KILL takes; nobody else's.
    pub connection_id: u32,
}

/// A principal at a place; the first OK has not been sent.
///
/// Nothing was read from the stream beyond the packets of the login.
#[derive(Debug)]
pub struct LoggedIn {
    /// The connection.
    pub stream: Stream,
    /// Number of the packet that the client waits for: OK, or an ERR after which the connection is closed.
    pub sequence: u8,
    /// Who, as of now.
    pub principal: Arc<Principal>,
    /// Target and database; the database is empty if none was asked for.
    pub place: Place,
    /// What the client and the gateway speak with one another.
    pub capabilities: Capabilities,
    /// By what both compress from the OK on, which is not compressed itself.
    pub compression: Option<Algorithm>,
    /// The client's collation; the lower 8 bits of the number. Not judged yet.
    pub charset: u8,
    /// The largest packet that the client takes.
    pub max_packet_bytes: u32,
    /// What COM_CHANGE_USER's proof is bound to.
    pub nonce: Nonce,
    /// The client's attributes of the connection.
    pub attributes: Vec<(String, String)>,
    /// What the client calls itself: printable ASCII, at most 63 bytes.
    pub application: String,
    /// By what it proved itself, as audited: `password`, `token:<id>` or `certificate:<subject>`.
    pub method: String,
    /// TLS version; `None` in plain text.
    pub tls: Option<&'static str>,
}

/// Who and where a session is after COM_CHANGE_USER; the OK has not been sent.
#[derive(Debug)]
pub struct Changed {
    /// Number of the packet that the client waits for: OK, or an ERR after which the connection is closed.
    pub sequence: u8,
    /// Who, as of now.
    pub principal: Arc<Principal>,
    /// Target and database; the database is empty if none was asked for.
    pub place: Place,
    /// The client's collation; `None` leaves it as it is. Not judged yet.
    pub charset: Option<u16>,
    /// What the next COM_CHANGE_USER's proof is bound to.
    pub nonce: Nonce,
    /// What the client calls itself: printable ASCII, at most 63 bytes.
    pub application: String,
    /// By what it proved itself, as audited.
    pub method: String,
}

/// What the client calls itself, as the server would show it: other bytes than printable ASCII become `?`.
pub(super) fn application(attributes: &[(String, String)]) -> String {
    let name = ["program_name", "_client_name"]
        .into_iter()
        .find_map(|wanted| attributes.iter().find(|(name, value)| name == wanted && !value.is_empty()));
    let bytes = name.map(|(_, value)| value.bytes()).into_iter().flatten();
    bytes.take(63).map(|byte| if matches!(byte, b' '..=b'~') { char::from(byte) } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_called_by_its_own_name_ahead_of_its_library_s() {
        let attributes = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let both = attributes(&[("_client_name", "libmysql"), ("program_name", "mysql")]);
        assert_eq!(application(&both), "mysql");
        assert_eq!(application(&attributes(&[("_client_name", "py\u{e9}"), ("program_name", "")])), "py??");
        assert_eq!(application(&[]), "");
        assert_eq!(application(&attributes(&[("program_name", &"x".repeat(99))])).len(), 63);
    }
}
