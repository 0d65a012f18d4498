//! Roles, written out in full.

use std::collections::BTreeMap;

use crate::model::{
    ids::RoleName,
    permission::{Permission, PermissionSet},
};
use crate::policy::error::{PolicyProblem, ProblemKind};

use super::{PolicyFile, format::Text, names::nearest, read::locate};

/// A role as written: its name, and permissions and other roles in it.
pub(super) struct Written<'d> {
    pub(super) file: &'d PolicyFile,
    pub(super) name: &'d Text,
    pub(super) members: &'d [Text],
}

/// Writes out every role; those in a cycle are reported and stay empty.
pub(super) fn write_out(
    written: &BTreeMap<RoleName, Written<'_>>,
    problems: &mut Vec<PolicyProblem>,
) -> BTreeMap<RoleName, PermissionSet> {
    let mut done = BTreeMap::new();
    for name in written.keys() {
        resolve(name, written, &mut Vec::new(), &mut done, problems);
    }
    done
}

/// The permissions that `words` (permissions and roles) name; unknown words are reported.
pub(in crate::policy) fn permissions(
    file: &PolicyFile,
    words: &[Text],
    roles: &BTreeMap<RoleName, PermissionSet>,
    problems: &mut Vec<PolicyProblem>,
) -> PermissionSet {
    let mut set = PermissionSet::EMPTY;
    for word in words {
        match (word.value.parse::<Permission>(), roles.get(word.value.as_str())) {
            (Ok(permission), _) => set.insert(permission),
            (Err(_), Some(role)) => set = set.union(*role),
            (Err(_), None) => {
                let names: Vec<_> = roles.keys().map(RoleName::as_str).collect();
                problems.push(locate(file, word).problem(unknown(&word.value, &names)));
            }
        }
    }
    set
}

fn resolve(
    name: &RoleName,
    written: &BTreeMap<RoleName, Written<'_>>,
    path: &mut Vec<RoleName>,
    done: &mut BTreeMap<RoleName, PermissionSet>,
    problems: &mut Vec<PolicyProblem>,
) -> PermissionSet {
    if let Some(set) = done.get(name) {
        return *set;
    }
    let Some(role) = written.get(name) else { return PermissionSet::EMPTY };
    if let Some(start) = path.iter().position(|other| other == name) {
        let mut round: Vec<_> = path.iter().skip(start).map(ToString::to_string).collect();
        round.push(name.to_string());
        problems.push(
            locate(role.file, role.name)
                .problem(ProblemKind::RoleCycle { name: name.to_string(), path: round.join(" → ") }),
        );
        return PermissionSet::EMPTY;
    }
    if path.len() >= DEPTH {
        problems.push(
            locate(role.file, role.name)
                .problem(ProblemKind::TooLarge { what: "the nesting of roles", limit: DEPTH }),
        );
        return PermissionSet::EMPTY;
    }
    path.push(name.clone());
    let mut set = PermissionSet::EMPTY;
    for word in role.members {
        match word.value.parse::<Permission>() {
            Ok(permission) => set.insert(permission),
            Err(_) if written.contains_key(word.value.as_str()) => {
                set = set.union(resolve(&word.value.as_str().into(), written, path, done, problems));
            }
            Err(_) => {
                let names: Vec<_> = written.keys().map(RoleName::as_str).collect();
                problems.push(locate(role.file, word).problem(unknown(&word.value, &names)));
            }
        }
    }
    path.pop();
    done.insert(name.clone(), set);
    set
}

fn unknown(word: &str, roles: &[&str]) -> ProblemKind {
    let permissions: Vec<&str> = Permission::ALL.iter().map(|permission| permission.as_str()).collect();
    let known = || permissions.iter().chain(roles).copied();
    ProblemKind::UnknownName {
        what: "permission or role",
        name: word.to_owned(),
        nearest: nearest(word, known()),
        known: known().take(MOST_SHOWN).map(str::to_owned).collect(),
    }
}

/// Most roles inside one another.
const DEPTH: usize = 16;
const MOST_SHOWN: usize = 20;
