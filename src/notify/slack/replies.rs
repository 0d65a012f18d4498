//! What people are told who did something, for them alone.

use super::{
    stage::{Stage, groups, in_words, stage},
    text::escaped,
};
use crate::{
    control::{ControlError, GrantView, LifeState, RequestView},
    model::{
        failure::{Classify, FailureClass},
        ids::PrincipalName,
    },
};

/// How to become somebody here.
pub(super) const UNLINKED: &str = "Your Slack account is not linked to anybody here. Type `/tidegate link`, then confirm the code as yourself at the command line.";

/// What the command takes.
pub(super) const HELP: &str = "`/tidegate request` asks for access, `/tidegate grants` lists what you hold, `/tidegate link` links your Slack account.";

/// Something is missing that will be there again.
pub(super) const LATER: &str = "That did not work now. Try again in a moment.";

/// What to do with a code.
pub(super) fn code(code: &str) -> String {
    format!(
        "Confirm within ten minutes, as yourself, at the command line: `tidegate slack link {code}`\nGive the code to nobody: who confirms it lets this Slack account act as them."
    )
}

/// They have done that before.
pub(super) fn linked(name: &PrincipalName) -> String {
    format!(
        "Your Slack account is linked to {0}. To link it anew: `tidegate slack unlink {0}`.",
        escaped(name)
    )
}

/// What became of a form by which somebody asked.
pub(super) fn asked(request: &RequestView) -> String {
    let stage = stage(request, None);
    let waits = match (&stage, request.waits_for.is_empty()) {
        (Stage::Pending, false) => format!(" It waits for {}.", groups(&request.waits_for)),
        _ => String::new(),
    };
    format!("Request {}. {}{waits}", request.id, in_words(request, &stage))
}

/// Why something was not taken; what is wrong inside is for the log alone.
pub(super) fn refusal(error: &ControlError) -> String {
    match error.class() {
        FailureClass::Client | FailureClass::Denied | FailureClass::Limit => {
            format!("Not taken: {}.", escaped(&error.to_string()))
        }
        FailureClass::Configuration
        | FailureClass::Internal
        | FailureClass::Storage
        | FailureClass::Upstream => LATER.to_owned(),
    }
}

/// Grants in words, one a line.
pub(super) fn grants(all: &[GrantView]) -> String {
    if all.is_empty() {
        return "You hold no grant of your own now.".to_owned();
    }
    let mut lines: Vec<_> = all.iter().take(MOST_GRANTS).map(grant).collect();
    if all.len() > MOST_GRANTS {
        lines.push("…".to_owned());
    }
    lines.join("\n")
}

fn grant(grant: &GrantView) -> String {
    let objects: Vec<_> = grant.objects.iter().take(MOST_OBJECTS).map(ToString::to_string).collect();
    let more = if grant.objects.len() > MOST_OBJECTS { ", …" } else { "" };
    let what = match &grant.statement {
        Some(_) => "one statement".to_owned(),
        None => format!("{}{more}", objects.join(", ")),
    };
    let until = match (grant.state, grant.ends_at) {
        (LifeState::Upcoming, _) => format!("from {} on", grant.starts_at),
        (LifeState::Ended | LifeState::Live | LifeState::Revoked, Some(end)) => format!("until {end}"),
        (LifeState::Ended | LifeState::Live | LifeState::Revoked, None) => "standing".to_owned(),
    };
    escaped(&format!("• {} on {}/{}: {what}, {until}", grant.permissions, grant.target, grant.database))
}

const MOST_GRANTS: usize = 20;
const MOST_OBJECTS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::slack::fixture;

    #[test]
    fn a_refusal_says_why_and_a_failure_does_not() {
        let refused = ControlError::Exists { what: "link", name: "<@U1>".to_owned() };
        assert_eq!(refusal(&refused), "Not taken: link \"&lt;@U1&gt;\" exists already.");
        let failed = ControlError::Random;
        assert_eq!(refusal(&failed), LATER);
    }

    #[test]
    fn grants_are_told_one_a_line() {
        assert!(grants(&[]).contains("no grant"));
        let text = grants(&vec![fixture::grant(); 30]);
        assert_eq!((text.lines().count(), text.lines().last()), (21, Some("…")));
        assert!(
            text.starts_with("• select on hr/hr_prod: public.salary, until 1970-01-01T00:00:00Z"),
            "{text}"
        );
    }
}
