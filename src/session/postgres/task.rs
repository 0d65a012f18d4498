//! What the session remembers of a message until its replies have come.

use std::sync::Arc;

use super::held::Prepared;
use crate::{
    model::target::Lane,
    session::running::{Run, Running},
    wire::postgres::ledger::{Ledger, Owed},
};

/// What a debt in the ledger is about.
#[derive(Debug)]
pub(super) enum Task {
    /// Statements that run.
    Run(Run),
    /// A statement that is being prepared.
    Prepare {
        /// Its name.
        name: Box<str>,
        /// The statement.
        prepared: Arc<Prepared>,
        /// On the connection of which lane.
        lane: Lane,
        /// By the client; else it is made again by the gateway.
        own: bool,
    },
    /// A portal that is being made, and its number.
    Bind(Box<str>, u64),
    /// Something that is being closed.
    Close(Closing),
}

/// What a Close that was sent is about: it is held until the upstream has closed it, because a Close behind an
/// error is skipped.
#[derive(Debug)]
pub(super) enum Closing {
    /// The portal of this name and number.
    Portal(Box<str>, u64),
    /// The prepared statement of this name.
    Statement(Box<str>, Arc<Prepared>),
    /// What does not exist.
    Nothing,
}

/// The statements that were let through and are not over.
pub(super) fn under_way(ledger: &mut Ledger<Task>) -> impl Iterator<Item = &mut Running> {
    let runs = ledger.iter_mut().filter_map(|owed| match owed {
        Owed::Query(Task::Run(run)) | Owed::Execute(Task::Run(run)) => Some(run),
        _ => None,
    });
    runs.flat_map(Run::open_mut)
}
