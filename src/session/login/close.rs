//! Says no, and sees to it that the client hears it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::net::Stream;

/// Sends `message` as the last one and closes; gives up after [`PATIENCE`].
pub(super) async fn say_last(mut stream: Stream, message: &[u8]) {
    let goodbye = async {
        stream.write_all(message).await?;
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
