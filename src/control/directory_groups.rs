//! Groups as a directory keeps them: who is in one counts as a member of policy's group of that name.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use uuid::Uuid;

use super::{
    directory::check_external_id,
    door::Control,
    error::{ControlError, invalid, unknown},
    events::News,
    principals::changed,
    state::{Groups, State},
};
use crate::{
    model::{
        ids::{DirectoryGroupId, GroupName, PrincipalName},
        record::Record,
    },
    store::{Change, StoredDirectoryGroup},
};

/// A group that a directory makes.
#[derive(Clone, Debug)]
pub struct NewDirectoryGroup {
    /// What it is called.
    pub name: GroupName,
    /// What the directory itself calls it.
    pub external_id: Option<String>,
    /// Who is in it.
    pub members: BTreeSet<PrincipalName>,
}

/// What a directory changes of a group; what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryGroupChange {
    /// What it is called from now on.
    pub name: Option<GroupName>,
    /// What the directory itself calls it.
    pub external_id: Option<String>,
    /// Who comes and goes, one after the other.
    pub members: Vec<MembersChange>,
}

/// How the members of a group change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MembersChange {
    /// These are in it, too.
    Add(BTreeSet<PrincipalName>),
    /// These are not in it.
    Remove(BTreeSet<PrincipalName>),
    /// These are in it, and nobody else.
    Set(BTreeSet<PrincipalName>),
}

impl Control {
    /// All groups of the directory, by identifier.
    pub fn directory_groups(&self) -> Vec<Arc<StoredDirectoryGroup>> {
        self.groups().load().values().cloned().collect()
    }

    /// The groups that the directory put somebody in, also those that policy does not know.
    pub fn directory_groups_of(&self, name: &PrincipalName) -> Vec<Arc<StoredDirectoryGroup>> {
        let groups = self.groups().load();
        groups.values().filter(|group| group.members.contains(name)).cloned().collect()
    }

    /// A group of the directory.
    ///
    /// # Errors
    /// `Unknown`.
    pub fn directory_group(&self, id: DirectoryGroupId) -> Result<Arc<StoredDirectoryGroup>, ControlError> {
        self.groups().load().get(&id).cloned().ok_or_else(|| unknown("group", id))
    }

    /// Makes a group. It counts for its members when this returns, in open sessions, too.
    ///
    /// # Errors
    /// `Exists`, `Invalid`, `Limit`, `Audit` and `Store` when nothing was changed.
    pub async fn add_directory_group(
        &self,
        actor: &str,
        new: NewDirectoryGroup,
    ) -> Result<Arc<StoredDirectoryGroup>, ControlError> {
        let NewDirectoryGroup { name, external_id, members } = new;
        let actor = actor.to_owned();
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            if state.groups.len() >= MOST_GROUPS {
                return Err(ControlError::Limit { what: "groups", limit: MOST_GROUPS });
            }
            let made = StoredDirectoryGroup {
                id: DirectoryGroupId::new(Uuid::now_v7()),
                name,
                external_id,
                members: BTreeSet::new(),
                created_at: control.now(),
            };
            let after = StoredDirectoryGroup { members, ..made.clone() };
            control.put_group(&mut state, &actor, made, after, "made by directory").await
        })
        .await
    }

    /// Changes a group; who comes and goes is in force when this returns, in open sessions, too.
    ///
    /// # Errors
    /// `Unknown`, `Exists` for a name that another has, `Invalid`, `Store` (and `Audit`, where somebody comes in) when
    /// nothing was changed, `Unaudited` when people are out but that is not recorded.
    pub async fn change_directory_group(
        &self,
        actor: &str,
        id: DirectoryGroupId,
        wanted: DirectoryGroupChange,
    ) -> Result<Arc<StoredDirectoryGroup>, ControlError> {
        let actor = actor.to_owned();
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            let before = state.groups.get(&id).cloned().ok_or_else(|| unknown("group", id))?;
            let after = applied(&before, wanted);
            if after == *before {
                return Ok(before);
            }
            control.put_group(&mut state, &actor, (*before).clone(), after, "changed by directory").await
        })
        .await
    }

    /// Removes a group: nobody is in it when this returns.
    ///
    /// # Errors
    /// `Unknown`, `Store` when nothing was changed, `Unaudited` when it is gone but that is not recorded.
    pub async fn remove_directory_group(
        &self,
        actor: &str,
        id: DirectoryGroupId,
    ) -> Result<(), ControlError> {
        let actor = actor.to_owned();
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            let gone = state.groups.get(&id).cloned().ok_or_else(|| unknown("group", id))?;
            let mut change = control.begin(&state).await?;
            change.remove_directory_group(id).await?;
            let mut groups = state.groups.clone();
            groups.remove(&id);
            let words = in_words(&state, &groups, &gone.members);
            control.tell_of(&mut change, &actor, &words).await?;
            change.commit().await?;
            state.groups = groups;
            control.publish(&mut state);
            let records = records(&actor, &gone.name, "removed by directory", &words);
            control.record_after("the group is removed", &records).await
        })
        .await
    }

    /// Writes a group as it is `after`; what gives somebody something is recorded first.
    async fn put_group(
        &self,
        state: &mut State,
        actor: &str,
        before: StoredDirectoryGroup,
        after: StoredDirectoryGroup,
        what: &str,
    ) -> Result<Arc<StoredDirectoryGroup>, ControlError> {
        check(state, &before, &after)?;
        let id = after.id;
        let come: Vec<_> = after.members.difference(&before.members).cloned().collect();
        let go: Vec<_> = before.members.difference(&after.members).cloned().collect();
        let mut change = self.begin(state).await?;
        change.put_directory_group(&after).await?;
        let mut stored = Vec::new();
        for name in &come {
            if !state.principals.contains_key(name)
                && let Some(principal) = state.principal_to_change(name, self.now())
            {
                change.put_principal(&principal).await?;
                stored.push(principal);
            }
            change.join_directory_group(id, name).await?;
        }
        for name in &go {
            change.leave_directory_group(id, name).await?;
        }
        let after = Arc::new(after);
        let mut groups = state.groups.clone();
        groups.insert(id, Arc::clone(&after));
        let renamed = before.name != after.name;
        let touched: BTreeSet<PrincipalName> = match renamed {
            true => after.members.union(&before.members).cloned().collect(),
            false => come.iter().chain(&go).cloned().collect(),
        };
        let words = in_words(state, &groups, &touched);
        self.tell_of(&mut change, actor, &words).await?;
        let records = records(actor, &after.name, what, &words);
        let gives = !come.is_empty() || renamed;
        if gives {
            self.record_first(&records).await?;
        }
        change.commit().await?;
        state.principals.extend(stored.into_iter().map(|it| (it.name.clone(), it)));
        state.groups = groups;
        self.publish(state);
        if !gives {
            self.record_after("the group is changed", &records).await?;
        }
        Ok(after)
    }

    async fn tell_of(
        &self,
        change: &mut Change,
        actor: &str,
        words: &[(PrincipalName, String)],
    ) -> Result<(), ControlError> {
        for (name, words) in words {
            self.tell(change, &News::of_principal(actor, name, words)).await?;
        }
        Ok(())
    }
}

impl State {
    /// Whoever goes is in no group any more.
    pub(super) fn leave_groups(&mut self, name: &PrincipalName) {
        for group in self.groups.values_mut() {
            if group.members.contains(name) {
                Arc::make_mut(group).members.remove(name);
            }
        }
    }
}

fn applied(before: &StoredDirectoryGroup, wanted: DirectoryGroupChange) -> StoredDirectoryGroup {
    let mut after = before.clone();
    if let Some(name) = wanted.name {
        after.name = name;
    }
    after.external_id = wanted.external_id.or(after.external_id);
    for change in wanted.members {
        match change {
            MembersChange::Add(names) => after.members.extend(names),
            MembersChange::Remove(names) => after.members.retain(|name| !names.contains(name)),
            MembersChange::Set(names) => after.members = names,
        }
    }
    after
}

/// # Errors
/// `Exists` for a name that another has, `Invalid` for one that cannot be a name, for members who are not there, and for
/// too many changes at once; `Limit`.
fn check(
    state: &State,
    before: &StoredDirectoryGroup,
    after: &StoredDirectoryGroup,
) -> Result<(), ControlError> {
    let name = after.name.as_str();
    if name.trim() != name || name.is_empty() || name.len() > MOST_NAME || name.contains(char::is_control) {
        return Err(invalid("displayName", format!("1 to {MOST_NAME} bytes on one line")));
    }
    check_external_id(after.external_id.as_deref())?;
    if state.groups.values().any(|it| it.id != after.id && it.name == after.name) {
        return Err(ControlError::Exists { what: "group", name: name.to_owned() });
    }
    if after.members.len() > MOST_MEMBERS {
        return Err(ControlError::Limit { what: "members", limit: MOST_MEMBERS });
    }
    let changes = after.members.symmetric_difference(&before.members).count();
    if changes > MOST_AT_ONCE {
        return Err(invalid("members", format!("at most {MOST_AT_ONCE} may come and go at once")));
    }
    let is_out =
        |name: &&PrincipalName| state.identities.get(*name).is_some_and(|it| it.removed_at.is_some());
    let nobody = after.members.difference(&before.members).find(|name| !state.knows(name) || is_out(name));
    match nobody {
        Some(name) => Err(invalid("members", format!("there is no user \"{}\"", name.escape_debug()))),
        None => Ok(()),
    }
}

/// What the directory's groups of `people` are from now on, where that changes.
fn in_words(
    state: &State,
    groups: &Groups,
    people: &BTreeSet<PrincipalName>,
) -> Vec<(PrincipalName, String)> {
    let (before, now) = (groups_of(&state.groups, people), groups_of(groups, people));
    let differs = |name: &&PrincipalName| before.get(*name) != now.get(*name);
    let words = |name: &PrincipalName| {
        let names = now.get(name).map(|names| names.join(", "));
        format!("groups of the directory set to {}", names.as_deref().unwrap_or("none"))
    };
    people.iter().filter(differs).map(|name| (name.clone(), words(name))).collect()
}

/// The names of the groups of everybody among `people` who is in any.
fn groups_of<'g>(
    groups: &'g Groups,
    people: &'g BTreeSet<PrincipalName>,
) -> BTreeMap<&'g PrincipalName, Vec<&'g str>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for group in groups.values() {
        for name in group.members.intersection(people) {
            all.entry(name).or_default().push(group.name.as_str());
        }
    }
    all
}

fn records<'a>(
    actor: &'a str,
    group: &'a GroupName,
    what: &'a str,
    words: &'a [(PrincipalName, String)],
) -> Vec<Record<'a>> {
    let people = words.iter().map(|(name, words)| changed(actor, name, words));
    std::iter::once(Record::GroupChanged { actor, group, change: what }).chain(people).collect()
}

const MOST_GROUPS: usize = 10_000;
/// Each is a record of its own, also where the group itself goes or gets another name.
const MOST_MEMBERS: usize = 10_000;
const MOST_AT_ONCE: usize = 1000;
const MOST_NAME: usize = 200;
