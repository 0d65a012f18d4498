//! By what client and gateway compress.

use crate::wire::{
    WireError,
    mysql::{capability::Capabilities, fields::Fields},
};

/// By what client and gateway compress, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Deflate, as RFC 1950 wraps it.
    Zlib,
    /// Zstandard.
    Zstd {
        /// How hard the client asks to try, 1 to 22.
        level: u8,
    },
}

impl Algorithm {
    /// What is used where both sides have the capabilities `spoken`; `rest` is what a login packet has behind its
    /// attributes.
    ///
    /// # Errors
    /// `Malformed` for a level that zstd does not have.
    ///
    /// Source: MySQL source documentation, "Compression": where both are spoken, zlib is used.
    pub(in crate::wire::mysql) fn of(
        spoken: Capabilities,
        rest: &mut Fields<'_>,
    ) -> Result<Option<Self>, WireError> {
        if spoken.has(Capabilities::COMPRESS) {
            return Ok(Some(Self::Zlib));
        }
        if !spoken.has(Capabilities::ZSTD_COMPRESSION) {
            return Ok(None);
        }
        match rest.byte()? {
            level @ 1..=22 => Ok(Some(Self::Zstd { level })),
            _ => Err(rest.malformed()),
        }
    }
}
