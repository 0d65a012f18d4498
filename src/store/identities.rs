//! What identity providers and directories say of principals.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::{from_json, optional_instant, to_json, value},
    sql::{Row, query},
};
use crate::model::{
    identity::Subject,
    ids::{GroupName, PrincipalName},
};

/// What is kept of a principal's identity elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredIdentity {
    /// Whose.
    pub principal: PrincipalName,
    /// Whom the provider means, once they have logged in.
    pub subject: Option<Subject>,
    /// The groups that the provider put them in at the last login, beside those that are given here.
    pub groups: Vec<GroupName>,
    /// What a directory calls them.
    pub external_id: Option<String>,
    /// Whether a directory keeps them out.
    pub deactivated: bool,
    /// When a directory took them out.
    pub removed_at: Option<Timestamp>,
}

impl StoredIdentity {
    /// What is kept of a principal of whom no provider and no directory has spoken yet.
    pub fn unspoken(principal: &PrincipalName) -> Self {
        Self {
            principal: principal.clone(),
            subject: None,
            groups: Vec::new(),
            external_id: None,
            deactivated: false,
            removed_at: None,
        }
    }

    /// Whether a directory keeps them out, or took them out.
    pub fn is_out(&self) -> bool {
        self.deactivated || self.removed_at.is_some()
    }
}

impl Store {
    /// All identities, by principal.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn identities(&self) -> Result<Vec<StoredIdentity>, StoreError> {
        let rows = query(
            "SELECT principal, issuer, subject, member_of, external_id, deactivated, removed_at FROM identities ORDER BY principal",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(doing("read identities"))?;
        rows.iter().map(read).collect()
    }
}

impl Change {
    /// Adds `identity`, or replaces what is kept of its principal; the principal must be there.
    ///
    /// # Errors
    /// `Query` when it cannot be written, also when the subject is somebody else's.
    pub async fn put_identity(&mut self, identity: &StoredIdentity) -> Result<(), StoreError> {
        let subject = identity.subject.as_ref();
        query(
            "INSERT INTO identities (principal, issuer, subject, member_of, external_id, deactivated, removed_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (principal) DO UPDATE SET issuer = excluded.issuer, \
             subject = excluded.subject, member_of = excluded.member_of, external_id = excluded.external_id, \
             deactivated = excluded.deactivated, removed_at = excluded.removed_at",
        )
        .bind(identity.principal.as_str())
        .bind(subject.map(|subject| &*subject.issuer))
        .bind(subject.map(|subject| &*subject.subject))
        .bind(to_json(&identity.groups)?)
        .bind(identity.external_id.as_deref())
        .bind(identity.deactivated)
        .bind(identity.removed_at.map(Timestamp::as_microsecond))
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("write an identity"))
    }
}

fn read(row: &Row) -> Result<StoredIdentity, StoreError> {
    let principal: String = value(row, "principal")?;
    let issuer: Option<String> = value(row, "issuer")?;
    let subject: Option<String> = value(row, "subject")?;
    Ok(StoredIdentity {
        principal: principal.into(),
        subject: issuer
            .zip(subject)
            .map(|(issuer, subject)| Subject { issuer: Arc::from(issuer), subject: Arc::from(subject) }),
        groups: from_json(row, "member_of")?,
        external_id: value(row, "external_id")?,
        deactivated: value(row, "deactivated")?,
        removed_at: optional_instant(row, "removed_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoredPrincipal;

    fn identity(principal: &str, subject: &str) -> StoredIdentity {
        let subject = Subject { issuer: Arc::from("https://id.example"), subject: Arc::from(subject) };
        StoredIdentity {
            principal: principal.into(),
            subject: Some(subject),
            groups: vec!["developers".into()],
            external_id: Some("00u1".to_owned()),
            deactivated: false,
            removed_at: None,
        }
    }

    async fn change(store: &Store, principals: &[&str]) -> Change {
        let mut change = store.change().await.unwrap();
        for name in principals {
            let principal = StoredPrincipal {
                name: (*name).into(),
                groups: Vec::new(),
                disabled: false,
                password: None,
                created_at: Timestamp::UNIX_EPOCH,
            };
            change.put_principal(&principal).await.unwrap();
        }
        change
    }

    #[tokio::test]
    async fn an_identity_is_kept_replaced_and_gone_with_its_principal() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        let mut first = change(&store, &["dana"]).await;
        first.put_identity(&identity("dana", "0001")).await.unwrap();
        first.commit().await.unwrap();
        assert_eq!(store.identities().await.unwrap(), [identity("dana", "0001")]);
        let empty = StoredIdentity {
            subject: None,
            groups: Vec::new(),
            external_id: None,
            deactivated: true,
            removed_at: Some(Timestamp::UNIX_EPOCH),
            ..identity("dana", "")
        };
        let mut second = store.change().await.unwrap();
        second.put_identity(&empty).await.unwrap();
        second.commit().await.unwrap();
        assert_eq!(store.identities().await.unwrap(), [empty]);
        let mut third = store.change().await.unwrap();
        third.remove_principal(&"dana".into()).await.unwrap();
        third.commit().await.unwrap();
        assert_eq!(store.identities().await.unwrap(), []);
    }

    #[tokio::test]
    async fn one_subject_is_one_principal() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        let mut both = change(&store, &["dana", "omar"]).await;
        both.put_identity(&identity("dana", "0001")).await.unwrap();
        assert!(both.put_identity(&identity("omar", "0001")).await.is_err());
        both.put_identity(&identity("omar", "0002")).await.unwrap();
    }
}
