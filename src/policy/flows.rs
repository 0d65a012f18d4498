//! What policy says of requests: how risky they are, and by which way they become grants.

use std::collections::BTreeMap;

use regex::Regex;

use crate::model::{
    flow::{Escalation, Plan, Risk, Step},
    permission::{Permission, PermissionSet},
};

use super::{
    circumstances::Circumstances,
    condition::{Condition, Unanswered},
};

/// Gives a risk to the requests that its condition holds for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskRule {
    /// Its name.
    pub name: String,
    /// The risk.
    pub level: Risk,
    /// For which requests.
    pub when: Condition,
}

/// A way from a request to a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Its name.
    pub name: String,
    /// For which requests.
    pub when: Condition,
    /// It is for requests whose requester cannot wait, and for no others.
    pub break_glass: bool,
    /// Who has to agree; none is automatic approval.
    pub steps: Vec<Step>,
    /// So many denials end the request.
    pub denials: u32,
    /// How long each permission may be given, in seconds.
    pub longest: Longest,
    /// How long a request may wait, in seconds.
    pub expires_after: i64,
    /// Who else may answer when nobody does.
    pub escalation: Option<Escalation>,
    /// The database is asked what a requested statement would cost.
    pub estimate: bool,
    /// The form that the reason must have.
    pub reason: Option<TextForm>,
    /// The form that the ticket must have; with one, there must be a ticket.
    pub ticket: Option<TextForm>,
}

/// How long permissions may be given, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Longest {
    /// Permissions with a bound of their own.
    pub each: BTreeMap<Permission, i64>,
    /// The bound of all others.
    pub any: Option<i64>,
}

impl Longest {
    /// The permission of `asked` with the smallest bound, and that.
    pub(super) fn strictest(&self, asked: PermissionSet) -> Option<(Permission, i64)> {
        let bounds =
            asked.iter().filter_map(|permission| self.bound(permission).map(|bound| (permission, bound)));
        bounds.min_by_key(|(_, bound)| *bound)
    }

    /// Its own bound; else that of all others, or of what it implies, whichever is smaller: export is not the way
    /// round the bound of select.
    fn bound(&self, permission: Permission) -> Option<i64> {
        let implied = || permission.implied().iter().filter_map(|it| self.each.get(&it).copied());
        self.each.get(&permission).copied().or_else(|| implied().chain(self.any).min())
    }
}

/// The form of a text: a pattern that must be found in it.
#[derive(Clone, Debug)]
pub struct TextForm(Regex);

impl TextForm {
    /// Reads a pattern; `None` if it is none, or too large a one.
    pub(super) fn compile(pattern: &str) -> Option<Self> {
        let small = pattern.len() <= MOST_PATTERN_BYTES;
        let read = small.then(|| regex::RegexBuilder::new(pattern).size_limit(MOST_COMPILED_BYTES).build());
        read?.ok().map(Self)
    }

    /// As written.
    pub fn pattern(&self) -> &str {
        self.0.as_str()
    }

    pub(super) fn fits(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl PartialEq for TextForm {
    fn eq(&self, other: &Self) -> bool {
        self.pattern() == other.pattern()
    }
}

impl Eq for TextForm {}

/// The risk of a request: that of the first rule that holds for it.
///
/// Where no rule holds, or one before it cannot be worked out, nobody knows, and that is high.
pub(super) fn risk(rules: &[RiskRule], circumstances: &Circumstances<'_>) -> Risk {
    for rule in rules {
        match rule.when.holds(circumstances) {
            Ok(true) => return rule.level,
            Ok(false) => {}
            Err(_) => return Risk::High,
        }
    }
    Risk::High
}

/// The first flow that holds for a request, and `None` if none does.
///
/// # Errors
/// A flow before it cannot be worked out: a later, perhaps more lenient one must not step in for it.
pub(super) fn flow<'f>(
    flows: &'f [Flow],
    circumstances: &Circumstances<'_>,
) -> Result<Option<&'f Flow>, (&'f Flow, Unanswered)> {
    for flow in flows.iter().filter(|flow| flow.break_glass == circumstances.ask.break_glass) {
        match flow.when.holds(circumstances) {
            Ok(true) => return Ok(Some(flow)),
            Ok(false) => {}
            Err(unanswered) => return Err((flow, unanswered)),
        }
    }
    Ok(None)
}

impl Flow {
    /// The way that a request of this risk goes by this flow.
    pub(super) fn plan(&self, risk: Risk) -> Plan {
        Plan {
            flow: self.name.clone(),
            risk,
            steps: self.steps.clone(),
            denials: self.denials,
            escalation: self.escalation.clone(),
            estimate: self.estimate,
            break_glass: self.break_glass,
        }
    }
}

const MOST_PATTERN_BYTES: usize = 500;
const MOST_COMPILED_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_lasts_no_longer_than_what_it_implies_unless_it_has_a_bound_of_its_own() {
        let longest = |each: &[(Permission, i64)], any| Longest { each: each.iter().copied().collect(), any };
        let strictest =
            |longest: Longest, asked: &[Permission]| longest.strictest(asked.iter().copied().collect());
        let (explain, select, export) = (Permission::Explain, Permission::Select, Permission::Export);
        assert_eq!(strictest(longest(&[(select, 10)], None), &[export]), Some((export, 10)));
        assert_eq!(strictest(longest(&[(select, 10), (export, 90)], None), &[export]), Some((export, 90)));
        assert_eq!(strictest(longest(&[(explain, 90)], Some(10)), &[select]), Some((select, 10)));
        assert_eq!(strictest(longest(&[(explain, 90)], Some(10)), &[explain]), Some((explain, 90)));
        assert_eq!(strictest(longest(&[(select, 10)], None), &[Permission::Admin]), None);
    }
}
