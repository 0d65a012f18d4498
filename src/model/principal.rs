//! Who logs in, and by what they prove it.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::{
    ids::{GroupName, PrincipalName, TokenId},
    secret::Secret,
};

/// A person, service or agent, as the Snapshot holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The name that clients log in with.
    pub name: PrincipalName,
    /// The groups it belongs to, sorted.
    pub groups: Vec<GroupName>,
    /// Free attributes from policy (team, e-mail), for people to read and rules to use.
    pub attributes: BTreeMap<String, String>,
    /// A disabled principal cannot log in, and its open sessions end.
    pub disabled: bool,
    /// What it can prove itself with.
    pub credentials: Arc<Credentials>,
}

/// How the names begin by which the database is told for whom the gateway uses a connection.
pub const SIGNED: &str = "tidegate:";

/// What a principal can prove itself with; never a password itself.
///
/// Password and tokens share one salt, because SCRAM tells the client the salt before it shows which of them
/// the client holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Salt of all keys below, 16 bytes; empty when there are none.
    pub salt: Vec<u8>,
    /// PBKDF2 rounds of all keys below.
    pub iterations: u32,
    /// Keys of the password, if one is set.
    pub password: Option<ScramKeys>,
    /// What mysql_native_password proves the password by; kept only when it was asked for.
    pub native: Option<NativeKey>,
    /// Keys of the tokens.
    pub tokens: Vec<Token>,
    /// Client certificates that prove it: exact subject (RFC 4514 text) or SAN ("email:…", "dns:…", "uri:…").
    pub certificates: Vec<String>,
}

/// A short-lived database token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Names it in lists and audit records.
    pub id: TokenId,
    /// What is stored of it.
    pub keys: ScramKeys,
    /// What mysql_native_password proves it by; tokens made by older versions have none.
    pub native: Option<NativeKey>,
    /// First instant at which it no longer logs in.
    pub ends_at: Timestamp,
}

/// SHA-1 of SHA-1 of a password: what a server keeps for mysql_native_password.
///
/// Without salt or rounds: of a password that a person chose it is soon guessed, of a random token it is not.
pub type NativeKey = Secret<[u8; 20]>;

/// What a SCRAM-SHA-256 server keeps of a password: StoredKey and ServerKey, 32 bytes each (RFC 5802, section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScramKeys {
    /// SHA-256 of the ClientKey.
    pub stored_key: Secret<[u8; 32]>,
    /// HMAC of the salted password and "Server Key".
    pub server_key: Secret<[u8; 32]>,
}
