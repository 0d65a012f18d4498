//! An answer to a request comes in: may this person give it, and what follows?

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    flow::{Plan, Step},
    ids::{GroupName, PrincipalName},
    principal::Principal,
    request::{Aftermath, Asked, Case, RequestState, Term},
    review::{Narrowing, Review, Verdict},
    window::Window,
};

use super::snapshot::Snapshot;

/// What follows from an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// More answers are wanted.
    Waiting,
    /// It is approved: this becomes a grant.
    Granted(Approved),
    /// It is denied.
    Denied,
    /// Somebody has looked at it afterwards; if it was not right, its grant ends.
    Acknowledged {
        /// It was right.
        justified: bool,
    },
}

/// What is given, after all that approvers cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// What.
    pub what: Asked,
    /// When.
    pub window: Window,
}

/// Why an answer is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReviewed {
    /// The request expired.
    #[error("the request has expired: it has to be made again")]
    Expired,
    /// Somebody who may not log in, or the other way round is not known, takes part.
    #[error("principal \"{0}\" is disabled or not known")]
    Gone(PrincipalName),
    /// Nobody may approve their own request.
    #[error("nobody reviews their own request")]
    OwnRequest,
    /// The reviewer is in none of the groups.
    #[error("this step is for members of {}", words(.groups))]
    NotApprover {
        /// The groups.
        groups: Vec<GroupName>,
    },
    /// What is given is not within what was asked, or already cut to.
    #[error("{field}: an approval can give less than was asked, and not more")]
    NotNarrower {
        /// Of what.
        field: &'static str,
    },
    /// Nothing would be left of it.
    #[error("nothing would be left of it: its end is past")]
    Nothing,
    /// It is decided already.
    #[error("the request is {0} already")]
    Settled(RequestState),
    /// One person, one answer.
    #[error("you have answered already")]
    Twice,
}

/// Judges one answer of `reviewer` to `case` at `now`; the case itself is not changed.
///
/// Gives the answer as it is to be kept, and what follows from it.
///
/// # Errors
/// Why it is not taken. Then nothing of it may be kept.
pub fn review(
    snapshot: &Snapshot,
    case: &Case,
    reviewer: &PrincipalName,
    verdict: Verdict,
    comment: String,
    now: Timestamp,
) -> Result<(Review, Outcome), NotReviewed> {
    let person = present(snapshot, reviewer)?;
    if *reviewer == case.request.requester {
        return Err(NotReviewed::OwnRequest);
    }
    let afterwards = case.state == RequestState::Approved && case.aftermath == Aftermath::Open;
    if !afterwards {
        open(case, now)?;
        // Whoever may no longer log in gets nothing more, whoever approves it.
        present(snapshot, &case.request.requester)?;
    }
    if case.reviews.iter().any(|it| it.reviewer == *reviewer && it.afterwards == afterwards) {
        return Err(NotReviewed::Twice);
    }
    let number = current_step(&case.plan, &case.reviews);
    let groups = approvers(case, now);
    if !is_member(person, &groups) {
        return Err(NotReviewed::NotApprover { groups });
    }
    let review = Review { reviewer: reviewer.clone(), step: number, verdict, comment, at: now, afterwards };
    let outcome = if afterwards {
        match &review.verdict {
            Verdict::Approve { narrowing } if !narrowing.is_none() => {
                return Err(NotReviewed::NotNarrower { field: "objects, permissions, for" });
            }
            Verdict::Approve { .. } => Outcome::Acknowledged { justified: true },
            Verdict::Deny => Outcome::Acknowledged { justified: false },
        }
    } else {
        outcome(case, &review, now)?
    };
    Ok((review, outcome))
}

/// Who may answer at `now`: the approvers of the current step, and when nobody has answered for as long as the plan
/// says, those whom it escalates to.
pub fn approvers(case: &Case, now: Timestamp) -> Vec<GroupName> {
    let number = if case.plan.break_glass { 0 } else { current_step(&case.plan, &case.reviews) };
    let mut groups = step(&case.plan, number).map(|step| step.approvers.clone()).unwrap_or_default();
    if let Some(escalation) = case.plan.escalation.as_ref().filter(|_| is_escalated(case, now)) {
        groups.extend(escalation.to.iter().cloned());
    }
    groups.sort();
    groups.dedup();
    groups
}

/// Whether nobody has answered for as long as the plan waits.
pub fn is_escalated(case: &Case, now: Timestamp) -> bool {
    let since = case.reviews.last().map_or(case.request.created_at, |review| review.at);
    case.plan
        .escalation
        .as_ref()
        .is_some_and(|it| now.duration_since(since) >= SignedDuration::from_secs(it.after_seconds))
}

/// Whether `reviewer` could answer at `now`.
pub fn may_review(snapshot: &Snapshot, case: &Case, reviewer: &PrincipalName, now: Timestamp) -> bool {
    review(snapshot, case, reviewer, Verdict::Deny, String::new(), now).is_ok()
}

fn present<'s>(snapshot: &'s Snapshot, name: &PrincipalName) -> Result<&'s Principal, NotReviewed> {
    // closed: who is not known is nobody
    snapshot
        .principal(name)
        .map(|principal| &**principal)
        .filter(|principal| !principal.disabled)
        .ok_or_else(|| NotReviewed::Gone(name.clone()))
}

fn open(case: &Case, now: Timestamp) -> Result<(), NotReviewed> {
    match case.state {
        RequestState::Pending if now < case.request.expires_at => Ok(()),
        RequestState::Pending | RequestState::Expired => Err(NotReviewed::Expired),
        RequestState::Approved | RequestState::Cancelled | RequestState::Denied => {
            Err(NotReviewed::Settled(case.state))
        }
    }
}

fn outcome(case: &Case, review: &Review, now: Timestamp) -> Result<Outcome, NotReviewed> {
    match &review.verdict {
        Verdict::Deny => {
            let before = case.reviews.iter().filter(|it| it.verdict == Verdict::Deny).count();
            let enough = before + 1 >= usize::try_from(case.plan.denials).unwrap_or(usize::MAX);
            Ok(if enough { Outcome::Denied } else { Outcome::Waiting })
        }
        Verdict::Approve { narrowing } => {
            let approved = given(case).narrowed(narrowing)?;
            let mut reviews = case.reviews.clone();
            reviews.push(review.clone());
            let window = approved.term.window(case.request.starts_at, now).ok_or(NotReviewed::Nothing)?;
            if usize::try_from(current_step(&case.plan, &reviews)).unwrap_or(0) < case.plan.steps.len() {
                return Ok(Outcome::Waiting);
            }
            Ok(Outcome::Granted(Approved { what: approved.what, window }))
        }
    }
}

/// What would be given if nobody cut off anything more.
struct Given {
    what: Asked,
    term: Term,
}

fn given(case: &Case) -> Given {
    let asked = Given { what: case.request.what.clone(), term: case.request.term };
    case.reviews.iter().fold(asked, |given, review| match &review.verdict {
        Verdict::Approve { narrowing } => given.cut(narrowing),
        Verdict::Deny => given,
    })
}

impl Given {
    /// Cuts off, if it is within what is there.
    fn narrowed(self, narrowing: &Narrowing) -> Result<Self, NotReviewed> {
        let not = |field| Err(NotReviewed::NotNarrower { field });
        match &self.what {
            Asked::Access { objects, permissions } => {
                if let Some(wanted) = &narrowing.objects
                    && (wanted.is_empty()
                        || !wanted.iter().all(|it| objects.iter().any(|had| had.contains(it))))
                {
                    return not("objects");
                }
                if let Some(wanted) = narrowing.permissions
                    && (wanted.is_empty() || !wanted.iter().all(|it| permissions.allows(it)))
                {
                    return not("permissions");
                }
            }
            // One statement is no more and no less.
            Asked::Statement(_) if narrowing.objects.is_some() => return not("objects"),
            Asked::Statement(_) if narrowing.permissions.is_some() => return not("permissions"),
            Asked::Statement(_) => {}
        }
        if let Some(seconds) = narrowing.seconds
            && (seconds < 1 || self.term.seconds.is_some_and(|had| seconds > had))
        {
            return not("for");
        }
        Ok(self.cut(narrowing))
    }

    fn cut(self, narrowing: &Narrowing) -> Self {
        let what = match self.what {
            Asked::Access { objects, permissions } => Asked::Access {
                objects: narrowing.objects.clone().unwrap_or(objects),
                permissions: narrowing.permissions.unwrap_or(permissions),
            },
            Asked::Statement(statement) => Asked::Statement(statement),
        };
        let seconds = narrowing.seconds.or(self.term.seconds);
        Self { what, term: Term { seconds, until: self.term.until } }
    }
}

/// The first step that has not its quorum; as many as there are steps when all have.
fn current_step(plan: &Plan, reviews: &[Review]) -> u32 {
    let approvals = |number: u32| {
        let counted = reviews.iter().filter(|it| {
            !it.afterwards && it.step == number && matches!(it.verdict, Verdict::Approve { .. })
        });
        u32::try_from(counted.count()).unwrap_or(u32::MAX)
    };
    (0_u32..)
        .zip(&plan.steps)
        .find(|(number, step)| approvals(*number) < step.quorum)
        .map_or_else(|| u32::try_from(plan.steps.len()).unwrap_or(u32::MAX), |(number, _)| number)
}

fn step(plan: &Plan, number: u32) -> Option<&Step> {
    usize::try_from(number).ok().and_then(|number| plan.steps.get(number))
}

fn is_member(principal: &Principal, groups: &[GroupName]) -> bool {
    principal.groups.iter().any(|group| groups.contains(group))
}

fn words(groups: &[GroupName]) -> String {
    if groups.is_empty() {
        return "no group".to_owned();
    }
    groups.iter().map(|group| group.as_str()).collect::<Vec<_>>().join(", ")
}
