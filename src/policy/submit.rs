//! A request comes in: is it sound, how risky is it, and by which way does it go?

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    flow::Plan,
    ids::{DatabaseName, EnvironmentName, GrantId, PrincipalName, RoleName, TargetName},
    permission::{Permission, PermissionSet},
    request::{Asked, Term},
    window::Window,
};

use super::{
    ceiling,
    circumstances::{Circumstances, History},
    flows::{self, Flow},
    snapshot::Snapshot,
};

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Who asks; what counts is what the snapshot says of them.
    pub requester: PrincipalName,
    /// On which target.
    pub target: TargetName,
    /// On which database.
    pub database: DatabaseName,
    /// For what.
    pub what: Asked,
    /// The role by which the permissions were named.
    pub role: Option<RoleName>,
    /// How long, or until when.
    pub term: Term,
    /// From when on; `None` is from the approval on.
    pub starts_at: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// The ticket.
    pub ticket: Option<String>,
    /// The requester cannot wait.
    pub break_glass: bool,
    /// The grant it is to follow on.
    pub extends: Option<GrantId>,
}

/// A request that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// By which way it goes.
    pub plan: Plan,
    /// First instant at which nobody can approve it any more.
    pub expires_at: Timestamp,
    /// The window of its grant, if nobody has to be waited for.
    pub granted: Option<Window>,
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// A condition could not be worked out.
    #[error(
        "the condition of flow \"{flow}\" cannot be worked out ({problem}): tell whoever writes the policy"
    )]
    Condition {
        /// Of which flow.
        flow: String,
        /// Why not.
        problem: String,
    },
    /// Whatever is granted, it would not be allowed.
    #[error("the ceiling of environment {environment} forbids {}: no grant helps", words(.permissions))]
    Ceiling {
        /// Where.
        environment: EnvironmentName,
        /// What.
        permissions: PermissionSet,
    },
    /// The requester may not log in.
    #[error("principal \"{0}\" is disabled")]
    Disabled(PrincipalName),
    /// No flow of policy takes it.
    #[error("no flow of the policy is for such a request{}", if *.break_glass { " with break-glass" } else { "" })]
    NoFlow {
        /// With break-glass.
        break_glass: bool,
    },
    /// Nothing would be left of it.
    #[error("it would be over before it begins: give it a length, or an end that is still to come")]
    Nothing,
    /// The reason or the ticket has not the form that policy wants.
    #[error("flow \"{flow}\" wants a {field} that fits {pattern}")]
    Form {
        /// Which flow wants it.
        flow: String,
        /// Of what.
        field: &'static str,
        /// The pattern.
        pattern: String,
    },
    /// It lasts longer than policy allows.
    #[error("flow \"{flow}\" gives {permission} for at most {} minutes", .longest_seconds / 60)]
    TooLong {
        /// Which flow.
        flow: String,
        /// The permission with the smallest bound.
        permission: Permission,
        /// The bound.
        longest_seconds: i64,
    },
    /// Nobody of this name.
    #[error("principal \"{0}\" is not known")]
    UnknownPrincipal(PrincipalName),
    /// No target of this name.
    #[error("there is no target \"{0}\"")]
    UnknownTarget(TargetName),
}

/// Judges a request by the policy of `snapshot`.
///
/// The risk is that of the first rule that holds, the way that of the first flow that holds; where none does, the
/// request is not taken. A request with break-glass goes by flows that are marked for it, and by no others.
///
/// # Errors
/// Why it is not taken.
pub fn submit(
    snapshot: &Snapshot,
    ask: &Ask,
    history: &History,
    now: Timestamp,
) -> Result<Submitted, NotTaken> {
    let principal = snapshot
        .principal(&ask.requester)
        .ok_or_else(|| NotTaken::UnknownPrincipal(ask.requester.clone()))?;
    if principal.disabled {
        return Err(NotTaken::Disabled(ask.requester.clone()));
    }
    let site = snapshot.site(&ask.target).ok_or_else(|| NotTaken::UnknownTarget(ask.target.clone()))?;
    let asked = ask.what.permissions();
    let forbidden = ceiling::forbidden(site.ceilings.iter(), principal);
    let out_of_reach: PermissionSet = asked.iter().filter(|it| forbidden.contains(*it)).collect();
    if !out_of_reach.is_empty() {
        let environment = site.target.environment.clone();
        return Err(NotTaken::Ceiling { environment, permissions: out_of_reach });
    }
    let window = ask.term.window(ask.starts_at, now).ok_or(NotTaken::Nothing)?;
    let policy = snapshot.policy();
    let target = &site.target;
    let mut circumstances = Circumstances { ask, principal, target, risk: None, history, at: now };
    let risk = flows::risk(&policy.risk, &circumstances);
    circumstances.risk = Some(risk);
    let flow = match flows::flow(&policy.flows, &circumstances) {
        Ok(Some(flow)) => flow,
        Ok(None) => return Err(NotTaken::NoFlow { break_glass: ask.break_glass }),
        Err((flow, unanswered)) => {
            return Err(NotTaken::Condition { flow: flow.name.clone(), problem: unanswered.0 });
        }
    };
    check_form(flow, ask)?;
    check_length(flow, asked, window)?;
    let at_once = flow.steps.is_empty() || flow.break_glass;
    Ok(Submitted {
        plan: flow.plan(risk),
        expires_at: expiry(flow, ask, now),
        granted: at_once.then_some(window),
    })
}

fn check_form(flow: &Flow, ask: &Ask) -> Result<(), NotTaken> {
    let wanted = [
        ("reason", &flow.reason, Some(ask.reason.as_str())),
        ("ticket", &flow.ticket, ask.ticket.as_deref()),
    ];
    for (field, form, text) in wanted {
        if let Some(form) = form
            && !text.is_some_and(|text| form.fits(text))
        {
            let pattern = form.pattern().to_owned();
            return Err(NotTaken::Form { flow: flow.name.clone(), field, pattern });
        }
    }
    Ok(())
}

fn check_length(flow: &Flow, asked: PermissionSet, window: Window) -> Result<(), NotTaken> {
    let Some((permission, longest_seconds)) = flow.longest.strictest(asked) else { return Ok(()) };
    // closed: what has no end is too long
    let end = window.ends_at.unwrap_or(Timestamp::MAX);
    if end.duration_since(window.starts_at) > SignedDuration::from_secs(longest_seconds) {
        return Err(NotTaken::TooLong { flow: flow.name.clone(), permission, longest_seconds });
    }
    Ok(())
}

/// When nobody can approve it any more: after the flow's time, and not after its own end.
fn expiry(flow: &Flow, ask: &Ask, now: Timestamp) -> Timestamp {
    let patience = now.checked_add(SignedDuration::from_secs(flow.expires_after)).unwrap_or(Timestamp::MAX);
    ask.term.until.map_or(patience, |until| until.min(patience))
}

fn words(permissions: &PermissionSet) -> String {
    permissions.to_string()
}
