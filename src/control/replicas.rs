//! This gateway's number among those that share the store.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tracing::{debug, info, warn};

use super::{door::Control, error::ControlError};
use crate::{model::replica::Replica, net::Published, store::LEASE};

/// Where the number stands, and until when it is leased.
#[derive(Debug)]
pub struct ReplicaLease {
    control: Control,
    wanted: Option<Replica>,
    until: Option<Instant>,
    /// Whether it was told that there is none to be had.
    is_told: bool,
}

impl Control {
    /// This gateway's number; `None` where there are no others, and while it has none.
    pub fn replica(&self) -> &Published<Option<Replica>> {
        &self.replicas().own
    }

    /// Leases a number, `wanted` if that is said. Without one the gateway serves all the same; what its clients ask at
    /// other gateways does not reach it then.
    pub async fn lease_replica(&self, wanted: Option<Replica>) -> ReplicaLease {
        let mut lease = ReplicaLease { control: self.clone(), wanted, until: None, is_told: false };
        if self.store().is_shared() {
            lease.renew().await;
        }
        lease
    }

    /// Gives back what this run of the gateway has of the store: it is about to end.
    pub async fn leave_store(&self) {
        if !self.store().is_shared() {
            return;
        }
        let leaving = async {
            let mut change = self.store().change().await?;
            change.forget_gateway(self.instance()).await?;
            Ok::<_, ControlError>(change.commit().await?)
        };
        match tokio::time::timeout(LEAVE, leaving).await {
            Ok(Ok(())) => {}
            // The lease ends by itself.
            Ok(Err(error)) => debug!(%error, "the number of this gateway is not given back"),
            Err(_) => debug!("the number of this gateway is not given back in time"),
        }
    }
}

impl ReplicaLease {
    /// Renews the lease for as long as it is waited for. Returns at once where there are no others.
    pub async fn hold(mut self) {
        while self.control.store().is_shared() {
            sleep(RENEW_EVERY).await;
            self.renew().await;
        }
    }

    async fn renew(&mut self) {
        let asked_at = Instant::now();
        let (control, wanted) = (self.control.clone(), self.wanted);
        let leasing = control.store().lease_replica(control.instance(), control.gateway(), wanted);
        // INVARIANT: the number is given up before the lease is over by any clock that runs evenly: from before the
        // server was asked.
        let give_up_at = self.until.unwrap_or(asked_at + RENEW_EVERY);
        match timeout_at(give_up_at, leasing).await {
            Ok(Ok(Some(replica))) => self.have(replica, asked_at),
            Ok(Ok(None)) => {
                self.have_none();
                if !std::mem::replace(&mut self.is_told, true) {
                    let wanted = wanted.map(Replica::number);
                    warn!(wanted, "no number for this gateway yet: another has it until its lease is over");
                }
            }
            Ok(Err(error)) => debug!(%error, "the number of this gateway is not renewed"),
            Err(_) => debug!("the store does not say in time whether the number is renewed"),
        }
        if self.until.is_some_and(|until| until <= Instant::now()) {
            warn!("the number of this gateway is given up: the store does not answer");
            self.have_none();
        }
    }

    fn have(&mut self, replica: Replica, asked_at: Instant) {
        self.until = Some(asked_at + LEASE - MARGIN);
        self.is_told = false;
        let own = self.control.replica();
        if *own.load() != Some(replica) {
            own.publish(Some(replica));
            info!(%replica, "this gateway has a number");
        }
    }

    fn have_none(&mut self) {
        self.until = None;
        if self.control.replica().load().is_some() {
            self.control.replica().publish(None);
        }
    }
}

const RENEW_EVERY: Duration = Duration::from_secs(5);
/// Clocks of two machines do not run alike to the last.
const MARGIN: Duration = Duration::from_secs(2);
/// How long giving the number back may take.
const LEAVE: Duration = Duration::from_secs(2);
