//! CancelRequest.

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::login::open_stream;
use crate::{
    model::target::Lane,
    upstream::{error::UpstreamError, settings::TargetSettings},
    wire::postgres::upstream::BackendKey,
};

/// Sends a CancelRequest over a connection of its own, and waits until the upstream has taken it up.
///
/// # Errors
/// `Dial`, `Tls`, `TlsRefused`, `Lost`.
pub(super) async fn cancel(
    target: &TargetSettings,
    lane: Lane,
    key: &BackendKey,
) -> Result<(), UpstreamError> {
    let lost = |source| UpstreamError::Lost { target: target.name.clone(), source };
    let mut stream = open_stream(target, lane).await?;
    let secret = key.secret.expose();
    let mut request = BytesMut::with_capacity(12 + secret.len());
    // At most 256 bytes of key: the length fits.
    request.put_u32(u32::try_from(12 + secret.len()).unwrap_or(u32::MAX));
    request.put_u32(CANCEL_REQUEST_CODE);
    request.put_i32(key.process_id);
    request.put_slice(secret);
    stream.write_all(&request).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    // The server answers nothing, and closes once it has signalled. How it closes does not matter.
    let mut nothing = [0; 1];
    let _ = stream.read(&mut nothing).await;
    Ok(())
}

/// Source: PostgreSQL manual, "CancelRequest".
const CANCEL_REQUEST_CODE: u32 = 80_877_102;
