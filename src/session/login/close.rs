//! Says no, and sees to it that the client hears it.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    model::refusal::Refusal,
    net::Stream,
    wire::postgres::backend::{Severity, error_response},
};

/// Sends `refusal` as the last message and closes; gives up after [`PATIENCE`].
pub(super) async fn refuse(mut stream: Stream, refusal: &Refusal) {
    let mut out = BytesMut::new();
    error_response(&mut out, Severity::Fatal, refusal);
    let goodbye = async {
        stream.write_all(&out).await?;
        stream.shutdown().await?;
        // Closing a socket with unread bytes resets it, and the client would lose the message.
        let mut rest = (&mut stream).take(MOST_UNREAD_BYTES);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    // A client that is gone already need not be told.
    let _ = tokio::time::timeout(PATIENCE, goodbye).await;
}

/// How long a client may take to hear the refusal and close.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a client may have sent ahead and is thrown away.
const MOST_UNREAD_BYTES: u64 = 64 * 1024;
