//! Stops what runs on a connection, from outside.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{connect::open_stream, error::UpstreamError, settings::TargetSettings};
use crate::wire::postgres::upstream::BackendKey;

/// Stops what runs on one connection; cheap to clone, and usable after the lease is gone.
///
/// Cancelling is a matter of luck in time: it stops whatever the connection runs when it arrives. Wait for it
/// before the connection goes home, or somebody else's statement is stopped.
#[derive(Clone, Debug)]
pub struct CancelHandle {
    target: Arc<TargetSettings>,
    key: BackendKey,
}

impl CancelHandle {
    pub(crate) const fn new(target: Arc<TargetSettings>, key: BackendKey) -> Self {
        Self { target, key }
    }

    /// Sends a CancelRequest over a connection of its own, and waits until the upstream has taken it up.
    ///
    /// # Errors
    /// `Dial`, `Tls`, `TlsRefused`, `Lost`, `Timeout` (after the target's `connect_timeout`).
    pub async fn cancel(&self) -> Result<(), UpstreamError> {
        let send = async {
            let lost = |source| UpstreamError::Lost { target: self.target.name.clone(), source };
            let mut stream = open_stream(&self.target).await?;
            let secret = self.key.secret.expose();
            let mut request = BytesMut::with_capacity(12 + secret.len());
            // At most 256 bytes of key: the length fits.
            request.put_u32(u32::try_from(12 + secret.len()).unwrap_or(u32::MAX));
            request.put_u32(CANCEL_REQUEST_CODE);
            request.put_i32(self.key.process_id);
            request.put_slice(secret);
            stream.write_all(&request).await.map_err(lost)?;
            stream.flush().await.map_err(lost)?;
            // The server answers nothing, and closes once it has signalled. How it closes does not matter.
            let mut nothing = [0; 1];
            let _ = stream.read(&mut nothing).await;
            Ok(())
        };
        timeout(self.target.pool.connect_timeout, send).await.unwrap_or_else(|_| {
            Err(UpstreamError::Timeout { target: self.target.name.clone(), what: "cancelling" })
        })
    }
}

/// Source: PostgreSQL manual, "CancelRequest".
const CANCEL_REQUEST_CODE: u32 = 80_877_102;
