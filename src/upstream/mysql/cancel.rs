//! KILL QUERY.

use super::{
    login::log_in,
    protocol::{Home, Mysql},
};
use crate::{
    model::target::Lane,
    upstream::{
        connect::secret, connection::Connection, error::UpstreamError, login_problem::ServerWords,
        settings::TargetSettings,
    },
    wire::mysql::capability::Capabilities,
};

/// Stops what `thread` runs, over a connection of its own and with the account of its lane, which may stop its own.
///
/// # Errors
/// As a login; `Refused` if the server does not let the account. That the session is gone is as good.
pub(super) async fn cancel(target: &TargetSettings, lane: Lane, thread: u64) -> Result<(), UpstreamError> {
    let secret = secret(target, lane).await?;
    let home = Home { shape: Capabilities::NONE, database: None };
    let mut connection: Connection<Mysql> = log_in(target, &home, lane, secret).await?;
    let killed = connection.run(&[&format!("KILL QUERY {thread}")]).await;
    connection.close();
    match killed {
        Err(UpstreamError::Refused { source: ServerWords::Mysql(words), .. })
            if words.errno == NO_SUCH_THREAD =>
        {
            Ok(())
        }
        killed => killed.map(|_| ()),
    }
}

/// ER_NO_SUCH_THREAD.
const NO_SUCH_THREAD: u16 = 1094;
