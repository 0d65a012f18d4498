//! What the session remembers of a message until its replies have come.

use std::{sync::Arc, time::Instant};

use super::held::Prepared;
use crate::{
    model::{ids::PrincipalName, target::Lane},
    session::running::{Run, Running},
    upstream::postgres::StatementName,
    wire::postgres::ledger::{Ledger, Owed},
};

/// What a debt in the ledger is about.
#[derive(Debug)]
pub(super) enum Task {
    /// Statements that run.
    Run(Box<Run>),
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
        /// What it is called there, and since when, if not by its own name.
        made: Option<(StatementName, Instant)>,
    },
    /// What the server is asked about a statement.
    Describe {
        /// The statement that its client asks about, if it has a name: what it is told is kept.
        told: Option<Arc<Prepared>>,
        /// What it is called there, and since when.
        made: Option<(StatementName, Instant)>,
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
    /// What stands on the connection of a lane under a name of the gateway's.
    Shared {
        /// The name.
        called: StatementName,
        /// Whose session made it.
        owner: PrincipalName,
        /// The lane.
        lane: Lane,
    },
    /// The prepared statement of this name.
    Statement(Box<str>, Arc<Prepared>),
    /// What does not exist, or may not.
    Nothing,
}

/// The statements that were let through and are not over.
pub(super) fn under_way(ledger: &mut Ledger<Task>) -> impl Iterator<Item = &mut Running> {
    let runs = ledger.iter_mut().filter_map(|owed| match owed {
        Owed::Query(Task::Run(run)) | Owed::Execute(Task::Run(run)) => Some(run),
        _ => None,
    });
    runs.flat_map(|run| run.open_mut())
}
