//! How a request stands, with what became of its grant.

use crate::{
    control::{Answer, GrantView, LifeState, RequestView},
    model::{
        ids::GroupName,
        request::{Aftermath, RequestState},
    },
};

/// How far a request and its grant have come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Approved, and nothing is known of the grant.
    Approved,
    /// The requester took it back.
    Cancelled,
    /// Somebody said no.
    Denied {
        /// Who.
        by: String,
    },
    /// Its grant is over by the clock.
    Ended,
    /// Nobody decided in time.
    Expired,
    /// Its grant is in force.
    Live,
    /// It waits for answers.
    Pending,
    /// Its grant was ended.
    Revoked {
        /// By whom.
        by: String,
        /// Why.
        reason: String,
    },
    /// Its grant begins later.
    Upcoming,
    /// Its one statement has run.
    Used,
}

/// How far `request` has come; `grant` is what was made of it.
pub(super) fn stage(request: &RequestView, grant: Option<&GrantView>) -> Stage {
    match request.state {
        RequestState::Cancelled => Stage::Cancelled,
        RequestState::Denied => Stage::Denied { by: last(request, Answer::Deny) },
        RequestState::Expired => Stage::Expired,
        RequestState::Pending => Stage::Pending,
        RequestState::Approved => grant.map_or(Stage::Approved, of_grant),
    }
}

/// Whether somebody still has to look at what its requester approved alone.
pub(super) fn waits_for_a_look(request: &RequestView) -> bool {
    match request.aftermath {
        Aftermath::Open => true,
        Aftermath::Done | Aftermath::None => false,
    }
}

fn of_grant(grant: &GrantView) -> Stage {
    match (&grant.revocation, grant.state) {
        (Some(it), _) => Stage::Revoked { by: it.by.clone(), reason: it.reason.clone() },
        (None, _) if grant.used_at.is_some() => Stage::Used,
        (None, LifeState::Live) => Stage::Live,
        (None, LifeState::Upcoming) => Stage::Upcoming,
        (None, LifeState::Ended | LifeState::Revoked) => Stage::Ended,
    }
}

/// Who gave the last answer of this kind.
fn last(request: &RequestView, verdict: Answer) -> String {
    let by = request.reviews.iter().rev().find(|review| review.verdict == verdict && !review.afterwards);
    by.map_or_else(|| "nobody".to_owned(), |review| review.reviewer.to_string())
}

/// How it stands, in words, for people.
pub(super) fn in_words(request: &RequestView, stage: &Stage) -> String {
    match stage {
        Stage::Approved => format!("{}.", approved(request)),
        Stage::Cancelled => "Cancelled.".to_owned(),
        Stage::Denied { by } => format!("Denied by {by}."),
        Stage::Ended => format!("{}; the grant has ended.", approved(request)),
        Stage::Expired => "Expired: nobody decided in time.".to_owned(),
        Stage::Live => format!("{}; the grant is in force.", approved(request)),
        Stage::Pending => "Waits for an answer.".to_owned(),
        Stage::Revoked { by, reason } => {
            format!("{}; the grant was revoked by {by}: {reason}.", approved(request))
        }
        Stage::Upcoming => format!("{}; the grant begins later.", approved(request)),
        Stage::Used => format!("{}; the statement was let through, once.", approved(request)),
    }
}

fn approved(request: &RequestView) -> String {
    let agreed = request.reviews.iter().filter(|it| it.verdict == Answer::Approve && !it.afterwards);
    let by: Vec<_> = agreed.map(|review| review.reviewer.to_string()).collect();
    match (request.break_glass, by.is_empty()) {
        (true, _) => "Approved by its requester alone".to_owned(),
        (false, true) => format!("Approved by flow {}", request.flow),
        (false, false) => format!("Approved by {}", by.join(", ")),
    }
}

/// The groups in words.
pub(super) fn groups(all: &[GroupName]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
