//! Accounts that hold more than their lane needs.

use std::sync::OnceLock;

use prometheus::IntGauge;
use tokio::time::timeout;

use super::{
    connection::Connection, error::UpstreamError, health::causes, protocol::Protocol,
    settings::TargetSettings,
};
use crate::model::target::Lane;

/// What the account of one lane holds beyond its needs, once somebody has looked.
///
/// The rights of the accounts are the last wall: one that could do anything would leave the gateway as the only one.
#[derive(Debug)]
pub(crate) struct Excess {
    lane: Lane,
    found: OnceLock<String>,
    gauge: IntGauge,
}

impl Excess {
    pub(crate) const fn new(lane: Lane, gauge: IntGauge) -> Self {
        Self { lane, found: OnceLock::new(), gauge }
    }

    /// Looks over a fresh connection of the lane, if nobody has; says in the log what it finds.
    pub(crate) async fn look<P: Protocol>(&self, target: &TargetSettings, connection: &mut Connection<P>) {
        // What reaches beyond rows and definitions is what the admin lane is for.
        if self.lane == Lane::Admin || self.found.get().is_some() {
            return;
        }
        let (target_name, lane, account) = (&target.name, self.lane, &target.accounts.of(self.lane).user);
        let looked =
            timeout(target.pool.connect_timeout, P::excess(connection, only_reads(target, lane))).await;
        let late = || UpstreamError::Timeout { target: target_name.clone(), what: "looking at its account" };
        match looked.unwrap_or_else(|_| Err(late())) {
            Ok(holds) => {
                self.gauge.set((!holds.is_empty()).into());
                if !holds.is_empty() {
                    tracing::warn!(
                        %target_name, %lane, %account, holds,
                        "account holds more than its lane needs; the gateway should not be the only wall"
                    );
                }
                let _ = self.found.set(holds);
            }
            Err(error) => {
                tracing::warn!(%target_name, %lane, %account, causes = causes(&error), "could not look at what an account holds");
            }
        }
    }

    pub(crate) const fn lane(&self) -> Lane {
        self.lane
    }

    /// In words, if it is something.
    pub(crate) fn words(&self, target: &TargetSettings) -> Option<String> {
        let holds = self.found.get().filter(|holds| !holds.is_empty())?;
        Some(format!("the {} account \"{}\" holds {holds}", self.lane, target.accounts.of(self.lane).user))
    }
}

/// Whether the lane's account serves nothing that writes.
pub(super) fn only_reads(target: &TargetSettings, lane: Lane) -> bool {
    let stronger = [Lane::Write, Lane::Admin].map(|lane| &target.accounts.of(lane).user);
    lane == Lane::Read && !stronger.contains(&&target.accounts.of(lane).user)
}
