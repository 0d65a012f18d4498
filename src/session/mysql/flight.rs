//! The command that is under way.

use crate::{model::target::Lane, session::running::Run, wire::mysql::response::Response};

/// A command that was sent, and what becomes of its reply.
#[derive(Debug)]
pub(super) struct Flight {
    /// Its reply, as far as it has come.
    pub(super) response: Response,
    /// What it does.
    pub(super) task: Task,
    /// On the connection of which lane.
    pub(super) lane: Lane,
}

/// What a command does.
#[derive(Debug)]
pub(super) enum Task {
    /// Statements run.
    Run {
        /// They.
        run: Box<Run>,
        /// The prepared statement that is executed, or fetched from.
        prepared: Option<u32>,
    },
    /// A statement is prepared, under this number of ours.
    Prepare(u32),
    /// A prepared statement of ours is reset.
    Reset(u32),
}

impl Flight {
    /// The statements that run, to change.
    pub(super) fn run_mut(&mut self) -> Option<&mut Run> {
        match &mut self.task {
            Task::Run { run, .. } => Some(run),
            Task::Prepare(_) | Task::Reset(_) => None,
        }
    }
}
