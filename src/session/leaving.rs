//! A session ends because its gateway stops.

use std::time::Instant;

use super::{conversation::Conversation, end::End, who::Doing};
use crate::model::refusal::{Refusal, RefusalCode};

/// Whether a session is to end, and how soon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Leaving {
    /// It is not.
    #[default]
    No,
    /// As soon as no transaction is open.
    WhenIdle,
    /// As soon as nothing runs.
    Now,
}

impl Leaving {
    /// How a session ends that does this now; `None` if it goes on.
    pub(super) fn end(self, doing: Doing) -> Option<End> {
        match (self, doing) {
            (Self::No, _) | (_, Doing::Active) | (Self::WhenIdle, Doing::InTransaction) => None,
            (Self::WhenIdle | Self::Now, Doing::Idle) => Some(End::Fatal(stopping())),
            (Self::Now, Doing::InTransaction) => Some(End::Fatal(out_of_time())),
        }
    }
}

/// The time to finish is over: what runs is told to stop, and the session ends as soon as it has.
pub(super) fn stop_what_runs<C: Conversation>(session: &mut C) {
    let (desk, running) = session.under_way();
    desk.leaving = Leaving::Now;
    desk.stopping_since.get_or_insert_with(Instant::now);
    for one in running {
        one.revoked.get_or_insert_with(cancelled);
    }
    session.cancel_running();
}

fn stopping() -> Refusal {
    Refusal::new(RefusalCode::AdminShutdown, "the gateway is stopping")
        .with_detail("Nothing was under way in this session.")
        .with_hint("Connect again.")
}

fn out_of_time() -> Refusal {
    Refusal::new(RefusalCode::AdminShutdown, "the gateway stopped before the transaction was over")
        .with_detail("The transaction was rolled back.")
        .with_hint("Connect again, and begin the transaction anew.")
}

/// Of a statement that ran when the time was over.
fn cancelled() -> Refusal {
    Refusal::new(RefusalCode::AdminShutdown, "stopped while running: the gateway is stopping")
        .with_detail("The time that sessions have to finish was over.")
        .with_hint("Connect again, and repeat the statement.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_may_end_until_the_time_is_over_and_a_statement_always_stops_first() {
        let ends = |leaving: Leaving| {
            [Doing::Idle, Doing::InTransaction, Doing::Active].map(|doing| leaving.end(doing).is_some())
        };
        assert_eq!(ends(Leaving::No), [false, false, false]);
        assert_eq!(ends(Leaving::WhenIdle), [true, false, false]);
        assert_eq!(ends(Leaving::Now), [true, true, false]);
        let reason = |doing| Leaving::Now.end(doing).unwrap().reason().to_owned();
        assert_eq!(reason(Doing::Idle), "the gateway is stopping");
        assert_eq!(reason(Doing::InTransaction), "the gateway stopped before the transaction was over");
    }
}
