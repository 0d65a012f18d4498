//! Groups as a directory keeps them.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::{instant, parsed, value},
    sql::{Row, query},
};
use crate::model::ids::{DirectoryGroupId, GroupName, PrincipalName};

/// A group of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDirectoryGroup {
    /// Stays, whatever it is called.
    pub id: DirectoryGroupId,
    /// What it is called; of the same name in policy it is the same group.
    pub name: GroupName,
    /// What the directory itself calls it.
    pub external_id: Option<String>,
    /// Who is in it.
    pub members: BTreeSet<PrincipalName>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Store {
    /// All groups of the directory, by identifier.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn directory_groups(&self) -> Result<Vec<StoredDirectoryGroup>, StoreError> {
        let groups = query("SELECT id, name, external_id, created_at FROM directory_groups ORDER BY id")
            .fetch_all(&self.pool)
            .await
            .map_err(doing("read the groups of the directory"))?;
        let mut groups = groups.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let members = query("SELECT directory_group, principal FROM directory_members")
            .fetch_all(&self.pool)
            .await
            .map_err(doing("read who is in the groups of the directory"))?;
        for row in &members {
            let (id, principal): (DirectoryGroupId, String) =
                (parsed(row, "directory_group")?, value(row, "principal")?);
            // One that was made between the two reads is read with the next change.
            if let Ok(at) = groups.binary_search_by_key(&id, |group| group.id)
                && let Some(group) = groups.get_mut(at)
            {
                group.members.insert(principal.into());
            }
        }
        Ok(groups)
    }
}

impl Change {
    /// Adds a group, or changes what it is called; who is in it is written by itself.
    ///
    /// # Errors
    /// `Query` when it cannot be written, also when another has its name.
    pub async fn put_directory_group(&mut self, group: &StoredDirectoryGroup) -> Result<(), StoreError> {
        query(
            "INSERT INTO directory_groups (id, name, external_id, created_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, external_id = excluded.external_id",
        )
        .bind(group.id.to_string())
        .bind(group.name.as_str())
        .bind(group.external_id.as_deref())
        .bind(group.created_at.as_microsecond())
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("write a group of the directory"))
    }

    /// Removes a group; its members stay.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn remove_directory_group(&mut self, id: DirectoryGroupId) -> Result<(), StoreError> {
        query("DELETE FROM directory_groups WHERE id = $1")
            .bind(id.to_string())
            .execute(self.connection())
            .await
            .map(|_| ())
            .map_err(doing("remove a group of the directory"))
    }

    /// Puts a principal, who must be there, into a group.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn join_directory_group(
        &mut self,
        id: DirectoryGroupId,
        principal: &PrincipalName,
    ) -> Result<(), StoreError> {
        query(
            "INSERT INTO directory_members (directory_group, principal) VALUES ($1, $2) \
             ON CONFLICT (directory_group, principal) DO NOTHING",
        )
        .bind(id.to_string())
        .bind(principal.as_str())
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("put somebody into a group of the directory"))
    }

    /// Takes a principal out of a group.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn leave_directory_group(
        &mut self,
        id: DirectoryGroupId,
        principal: &PrincipalName,
    ) -> Result<(), StoreError> {
        query("DELETE FROM directory_members WHERE directory_group = $1 AND principal = $2")
            .bind(id.to_string())
            .bind(principal.as_str())
            .execute(self.connection())
            .await
            .map(|_| ())
            .map_err(doing("take somebody out of a group of the directory"))
    }
}

fn read(row: &Row) -> Result<StoredDirectoryGroup, StoreError> {
    let name: String = value(row, "name")?;
    Ok(StoredDirectoryGroup {
        id: parsed(row, "id")?,
        name: name.into(),
        external_id: value(row, "external_id")?,
        members: BTreeSet::new(),
        created_at: instant(row, "created_at")?,
    })
}
