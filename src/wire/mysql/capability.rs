//! What client and server agree to speak.
//!
//! Source: MySQL source documentation, "Capabilities Flags"; MariaDB documentation, "Connection", "Capabilities".

use std::ops::{BitAnd, BitOr};

/// A set of capabilities; the upper 32 bits are MariaDB's extended ones.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capabilities(u64);

macro_rules! capabilities {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        impl Capabilities {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*

            const NAMES: &[(&'static str, Self)] = &[$((stringify!($name), Self::$name)),*];
        }
    };
}

capabilities! {
    /// CLIENT_MYSQL (formerly LONG_PASSWORD). MariaDB leaves it out to say that it has extended capabilities.
    MYSQL = 0;
    /// Rows that a change found are counted, and not those that it altered.
    FOUND_ROWS = 1;
    /// Longer flags of columns.
    LONG_FLAG = 2;
    /// The login names a database.
    CONNECT_WITH_DB = 3;
    /// `database.table.column` is not accepted.
    NO_SCHEMA = 4;
    /// Compression by zlib.
    COMPRESS = 5;
    /// Nothing since long ago; ODBC's drivers say it.
    ODBC = 6;
    /// LOAD DATA LOCAL.
    LOCAL_FILES = 7;
    /// A function's name may stand apart from its bracket.
    IGNORE_SPACE = 8;
    /// The protocol of version 4.1, the only one that is spoken.
    PROTOCOL_41 = 9;
    /// `interactive_timeout` counts, and not `wait_timeout`.
    INTERACTIVE = 10;
    /// TLS.
    SSL = 11;
    /// The client ignores SIGPIPE.
    IGNORE_SIGPIPE = 12;
    /// Status flags about transactions.
    TRANSACTIONS = 13;
    /// Formerly the 4.1 protocol.
    RESERVED = 14;
    /// Authentication of version 4.1: the response has its length in front.
    SECURE_CONNECTION = 15;
    /// Several statements in one COM_QUERY.
    MULTI_STATEMENTS = 16;
    /// Several results of one COM_QUERY.
    MULTI_RESULTS = 17;
    /// Several results of one COM_STMT_EXECUTE.
    PS_MULTI_RESULTS = 18;
    /// Authentication methods have names.
    PLUGIN_AUTH = 19;
    /// The login carries attributes.
    CONNECT_ATTRS = 20;
    /// The authentication response has a length-encoded length.
    PLUGIN_AUTH_LENENC = 21;
    /// An expired password lets in, to be changed.
    CAN_HANDLE_EXPIRED_PASSWORDS = 22;
    /// OK carries changes of the session's state.
    SESSION_TRACK = 23;
    /// Results end with an OK instead of EOF.
    DEPRECATE_EOF = 24;
    /// Definitions of columns may be left out.
    OPTIONAL_RESULTSET_METADATA = 25;
    /// Compression by zstd.
    ZSTD_COMPRESSION = 26;
    /// Statements carry attributes.
    QUERY_ATTRIBUTES = 27;
    /// Several factors of authentication.
    MULTI_FACTOR_AUTHENTICATION = 28;
    /// Reserved for an extension of the set.
    CAPABILITY_EXTENSION = 29;
    /// The client checks the server's certificate.
    SSL_VERIFY_SERVER_CERT = 30;
    /// The client keeps its options over a reconnect.
    REMEMBER_OPTIONS = 31;
    /// MariaDB: reports of progress, as error 0xffff.
    PROGRESS = 32;
    /// MariaDB: COM_MULTI, never released.
    COM_MULTI = 33;
    /// MariaDB: COM_STMT_BULK_EXECUTE.
    BULK_OPERATIONS = 34;
    /// MariaDB: definitions of columns carry more of the type.
    EXTENDED_METADATA = 35;
    /// MariaDB: definitions of columns are left out when they have not changed.
    CACHE_METADATA = 36;
    /// MariaDB: a bulk gives a result for each of its parts.
    BULK_UNIT_RESULTS = 37;
}

impl Capabilities {
    /// None.
    pub const NONE: Self = Self(0);

    /// What clients may be offered, where the target has it, too.
    ///
    /// Left out: what nobody gets (LOCAL INFILE, several factors, COM_MULTI); NO_SCHEMA, which changes the grammar;
    /// CACHE_METADATA, because a statement that is prepared again on another connection may have columns that the client
    /// has not seen; TLS and compression, which are the listener's.
    const OFFERED: Self = Self::of(&[
        Self::MYSQL,
        Self::FOUND_ROWS,
        Self::LONG_FLAG,
        Self::CONNECT_WITH_DB,
        Self::ODBC,
        Self::IGNORE_SPACE,
        Self::PROTOCOL_41,
        Self::INTERACTIVE,
        Self::IGNORE_SIGPIPE,
        Self::TRANSACTIONS,
        Self::RESERVED,
        Self::SECURE_CONNECTION,
        Self::MULTI_STATEMENTS,
        Self::MULTI_RESULTS,
        Self::PS_MULTI_RESULTS,
        Self::PLUGIN_AUTH,
        Self::CONNECT_ATTRS,
        Self::PLUGIN_AUTH_LENENC,
        Self::SESSION_TRACK,
        Self::DEPRECATE_EOF,
        Self::OPTIONAL_RESULTSET_METADATA,
        Self::QUERY_ATTRIBUTES,
        Self::REMEMBER_OPTIONS,
        Self::PROGRESS,
        Self::BULK_OPERATIONS,
        Self::EXTENDED_METADATA,
        Self::BULK_UNIT_RESULTS,
    ]);

    /// What the bytes of commands and replies, or what statements do, depend on.
    const SHAPE: Self = Self::of(&[
        Self::FOUND_ROWS,
        Self::LONG_FLAG,
        Self::IGNORE_SPACE,
        Self::MULTI_STATEMENTS,
        Self::MULTI_RESULTS,
        Self::PS_MULTI_RESULTS,
        Self::SESSION_TRACK,
        Self::DEPRECATE_EOF,
        Self::OPTIONAL_RESULTSET_METADATA,
        Self::QUERY_ATTRIBUTES,
        Self::PROGRESS,
        Self::BULK_OPERATIONS,
        Self::EXTENDED_METADATA,
        Self::BULK_UNIT_RESULTS,
    ]);

    /// What every login of ours at an upstream asks for, beside the shape.
    pub(crate) const LOGIN: Self = Self::of(&[
        Self::PROTOCOL_41,
        Self::TRANSACTIONS,
        Self::SECURE_CONNECTION,
        Self::PLUGIN_AUTH,
        Self::PLUGIN_AUTH_LENENC,
        Self::CONNECT_ATTRS,
    ]);

    const fn of(parts: &[Self]) -> Self {
        let mut bits = 0;
        let mut parts = parts;
        while let Some((first, rest)) = parts.split_first() {
            bits |= first.0;
            parts = rest;
        }
        Self(bits)
    }

    /// The set with these bits; the extended ones are the upper 32.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The lower 32 bits, which both flavors share.
    pub const fn lower(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32
    }

    /// MariaDB's extended 32 bits.
    pub const fn extended(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Whether all of `other` are in it.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// It and `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// It without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What a client may be offered in front of a server that has these; `tls` if the listener speaks it.
    #[must_use]
    pub const fn offered(self, tls: bool) -> Self {
        let both = Self(self.0 & Self::OFFERED.0);
        if tls { both.with(Self::SSL) } else { both }
    }

    /// What an upstream connection must be negotiated with so that commands and replies of a client with these pass
    /// unchanged. Connections may be shared by clients of one shape only.
    #[must_use]
    pub const fn upstream_shape(self) -> Self {
        Self(self.0 & Self::SHAPE.0)
    }
}

impl BitAnd for Capabilities {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Capabilities {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set()
            .entries(Self::NAMES.iter().filter(|(_, bit)| self.has(*bit)).map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYTHING: Capabilities = Capabilities::from_bits(u64::MAX);

    #[test]
    fn nobody_is_offered_what_a_server_alone_could_do() {
        let offered = EVERYTHING.offered(true);
        for never in [
            Capabilities::COMPRESS,
            Capabilities::ZSTD_COMPRESSION,
            Capabilities::LOCAL_FILES,
            Capabilities::MULTI_FACTOR_AUTHENTICATION,
            Capabilities::COM_MULTI,
            Capabilities::CACHE_METADATA,
            Capabilities::NO_SCHEMA,
            Capabilities::CAPABILITY_EXTENSION,
        ] {
            assert!(!offered.has(never), "{never:?}");
        }
        assert!(offered.has(Capabilities::DEPRECATE_EOF | Capabilities::SSL));
        assert!(!EVERYTHING.offered(false).has(Capabilities::SSL));
    }

    #[test]
    fn what_the_server_lacks_is_not_offered() {
        let old = EVERYTHING.without(Capabilities::QUERY_ATTRIBUTES);
        assert!(!old.offered(true).has(Capabilities::QUERY_ATTRIBUTES));
        assert!(EVERYTHING.offered(true).has(Capabilities::QUERY_ATTRIBUTES));
    }

    #[test]
    fn clients_that_differ_in_more_than_the_shape_share_connections() {
        let one = Capabilities::DEPRECATE_EOF | Capabilities::SSL | Capabilities::CONNECT_WITH_DB;
        let other = Capabilities::DEPRECATE_EOF | Capabilities::INTERACTIVE;
        assert_eq!(one.upstream_shape(), other.upstream_shape());
        let shaped = one | Capabilities::FOUND_ROWS;
        assert_ne!(one.upstream_shape(), shaped.upstream_shape());
    }

    #[test]
    fn everything_that_shapes_replies_can_be_asked_of_an_upstream_and_was_offered() {
        assert!(Capabilities::OFFERED.has(Capabilities::SHAPE));
    }
}
