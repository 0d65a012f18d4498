//! What can be wrong with bytes.

use crate::model::failure::{Classify, FailureClass};

/// The peer broke the protocol; the connection cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A message says that it is larger than the bound.
    #[error("message \"{tag}\" of {length_bytes} bytes is over the limit of {limit_bytes}", tag = char::from(*tag))]
    TooLarge {
        /// Its type.
        tag: u8,
        /// What it says.
        length_bytes: usize,
        /// The bound.
        limit_bytes: usize,
    },
    /// A message says that it is shorter than its own length field.
    #[error("message \"{tag}\" has an impossible length", tag = char::from(*tag))]
    ImpossibleLength {
        /// Its type.
        tag: u8,
    },
    /// A message is not laid out as the protocol says.
    #[error("malformed {message} message")]
    Malformed {
        /// Its name.
        message: &'static str,
    },
    /// A message type that the protocol does not have, or not here.
    #[error("unexpected message type 0x{tag:02x}")]
    Unexpected {
        /// Its type.
        tag: u8,
    },
    /// Text is not UTF-8.
    #[error("{message} holds text that is not UTF-8")]
    NotUtf8 {
        /// The message.
        message: &'static str,
    },
}

impl Classify for WireError {
    fn class(&self) -> FailureClass {
        FailureClass::Client
    }
}
