//! The connection to a client that logs in.

use std::io;

use tokio::io::AsyncWriteExt;

use super::error::LoginError;
use crate::net::Stream;

/// Sends `bytes`, and does not leave them in a buffer of TLS.
pub(super) async fn say(stream: &mut Stream, bytes: &[u8]) -> Result<(), LoginError> {
    stream.write_all(bytes).await.map_err(gone)?;
    stream.flush().await.map_err(gone)
}

/// The client is gone.
pub(super) const fn gone(source: io::Error) -> LoginError {
    LoginError::Gone { source }
}
