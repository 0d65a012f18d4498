//! A page's connection.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard, watch};

use super::{
    client::{Canceller, Client},
    error::EditorError,
    line::Transaction,
};
use crate::{
    control::Caller,
    model::ids::{DatabaseName, PrincipalName, TargetName},
};

/// A page's connection, with whose it is and since when it is not used.
pub(super) struct Tab {
    pub(super) owner: PrincipalName,
    /// By which key it was opened: it ends with it.
    pub(super) caller: Caller,
    pub(super) from: SocketAddr,
    pub(super) target: TargetName,
    pub(super) database: DatabaseName,
    pub(super) canceller: Canceller,
    client: Arc<Turn<Client>>,
    used: Mutex<Used>,
    /// Stays set: whoever looks late sees it, too.
    is_closed: watch::Sender<bool>,
}

#[derive(Clone, Copy)]
struct Used {
    at: Instant,
    transaction: Transaction,
}

impl Tab {
    pub(super) fn new(
        (owner, caller): (PrincipalName, Caller),
        from: SocketAddr,
        (target, database): (TargetName, DatabaseName),
        client: Client,
    ) -> Self {
        let used = Mutex::new(Used { at: Instant::now(), transaction: Transaction::Idle });
        let canceller = client.canceller();
        let client = Arc::new(Turn::new(client));
        let is_closed = watch::Sender::new(false);
        Self { owner, caller, from, target, database, canceller, client, used, is_closed }
    }

    /// Nothing is begun in it any more, and what runs in it is left.
    pub(super) fn close(&self) {
        self.is_closed.send_replace(true);
    }

    /// Waits until it is closed.
    pub(super) async fn closed(&self) {
        drop(self.is_closed.subscribe().wait_for(|is_closed| *is_closed).await);
    }

    /// The connection, for one statement.
    ///
    /// # Errors
    /// `Busy` while another runs, `UnknownTab` once it is closed.
    pub(super) fn take(&self) -> Result<OwnedMutexGuard<Client>, EditorError> {
        let client = Arc::clone(&self.client).try_lock_owned().map_err(|_| EditorError::Busy)?;
        if *self.is_closed.borrow() {
            return Err(EditorError::UnknownTab);
        }
        self.note(client.transaction());
        Ok(client)
    }

    /// Notes that it is used, and where it stands.
    pub(super) fn note(&self, transaction: Transaction) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = Used { at: Instant::now(), transaction };
    }

    /// Whether nobody used it for too long; an open transaction holds locks, and so has less time.
    pub(super) fn is_idle(&self) -> bool {
        let used = *self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let patience = match used.transaction {
            Transaction::Idle => IDLE,
            Transaction::Failed | Transaction::Open => IDLE_IN_TRANSACTION,
        };
        // While a statement runs somebody waits for it.
        self.client.try_lock().is_ok() && used.at.elapsed() >= patience
    }
}

const IDLE: Duration = Duration::from_mins(30);
const IDLE_IN_TRANSACTION: Duration = Duration::from_mins(10);
