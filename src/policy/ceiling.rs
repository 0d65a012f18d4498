//! Which permissions an environment takes away, whatever is granted.

use crate::model::{permission::Permission, permission::PermissionSet, principal::Principal};

use super::rules::Ceiling;

/// What the ceilings of one environment forbid to `principal`, with everything that implies it.
///
/// Forbidding `select` forbids `export` too, because who exports reads; forbidding `export` leaves the `select`
/// that it implies. Ceilings add up: one exception lifts only its own ceiling.
pub(super) fn forbidden<'c>(
    ceilings: impl Iterator<Item = &'c Ceiling>,
    principal: &Principal,
) -> PermissionSet {
    ceilings
        .filter(|ceiling| !is_exempt(ceiling, principal))
        .fold(PermissionSet::EMPTY, |all, ceiling| all.union(upward(ceiling.forbid)))
}

/// Whether `principal` belongs to a group that `ceiling` does not hold for.
fn is_exempt(ceiling: &Ceiling, principal: &Principal) -> bool {
    principal.groups.iter().any(|group| ceiling.except.contains(group))
}

/// `forbid` and every permission that implies one of it.
pub(super) fn upward(forbid: PermissionSet) -> PermissionSet {
    Permission::ALL
        .into_iter()
        .filter(|permission| permission.implied().iter().any(|implied| forbid.contains(implied)))
        .collect()
}

/// `held` and everything that it implies.
pub(super) fn downward(held: PermissionSet) -> PermissionSet {
    held.iter().fold(PermissionSet::EMPTY, |all, permission| all.union(permission.implied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(members: &[Permission]) -> PermissionSet {
        members.iter().copied().collect()
    }

    #[test]
    fn forbidding_select_forbids_export_but_not_dml() {
        assert_eq!(upward(set(&[Permission::Select])), set(&[Permission::Select, Permission::Export]));
    }

    #[test]
    fn forbidding_export_leaves_select() {
        assert_eq!(upward(set(&[Permission::Export])), set(&[Permission::Export]));
    }

    #[test]
    fn forbidding_explain_leaves_admin_alone() {
        let forbidden = upward(set(&[Permission::Explain]));
        for permission in Permission::ALL {
            assert_eq!(forbidden.contains(permission), permission != Permission::Admin);
        }
    }
}
