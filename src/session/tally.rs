//! How many sessions each principal has, in all and at each target.

use std::collections::BTreeMap;

use dashmap::{DashMap, Entry};

use crate::model::ids::{PrincipalName, TargetName};

/// The numbers of sessions; none is kept that is 0.
#[derive(Debug, Default)]
pub(super) struct Tally(DashMap<PrincipalName, BTreeMap<TargetName, usize>>);

impl Tally {
    /// One session more.
    pub(super) fn enter(&self, principal: &PrincipalName, target: &TargetName) {
        *self.0.entry(principal.clone()).or_default().entry(target.clone()).or_default() += 1;
    }

    /// One session less.
    pub(super) fn leave(&self, principal: &PrincipalName, target: &TargetName) {
        let Entry::Occupied(mut all) = self.0.entry(principal.clone()) else { return };
        if let Some(count) = all.get_mut().get_mut(target) {
            *count -= 1;
            if *count == 0 {
                all.get_mut().remove(target);
            }
        }
        if all.get().is_empty() {
            all.remove();
        }
    }

    /// Those of a principal, at all targets.
    pub(super) fn of(&self, principal: &str) -> usize {
        self.0.get(principal).map_or(0, |all| all.values().sum())
    }

    /// Those of a principal at one target.
    pub(super) fn at(&self, principal: &str, target: &str) -> usize {
        self.0.get(principal).and_then(|all| all.get(target).copied()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_counted_by_principal_and_target_and_nothing_is_left_of_them() {
        let (tally, dana) = (Tally::default(), PrincipalName::from("dana"));
        let (hr, crm) = (TargetName::from("hr"), TargetName::from("crm"));
        tally.enter(&dana, &hr);
        tally.enter(&dana, &hr);
        tally.enter(&dana, &crm);
        assert_eq!((tally.of("dana"), tally.at("dana", "hr"), tally.at("dana", "crm")), (3, 2, 1));
        tally.leave(&dana, &hr);
        tally.leave(&dana, &crm);
        tally.leave(&dana, &crm);
        assert_eq!((tally.of("dana"), tally.of("omar")), (1, 0));
        tally.leave(&dana, &hr);
        assert!(tally.0.is_empty());
    }
}
