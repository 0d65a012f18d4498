//! Grants made by people.

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::{corrupt, from_json, instant, optional_instant, parsed, to_json, value},
};
use crate::model::{
    grant::{Grant, GrantName, Holder},
    ids::{GrantId, PrincipalName, RequestId},
    object::Glob,
    request::ExactStatement,
    window::Window,
};

macro_rules! columns {
    () => {
        "id, holder_kind, holder, target, database_name, objects, permissions, starts_at, ends_at, reason, \
         created_at, created_by, revoked_at, revoked_by, revoke_reason, request, approvers, statement, used_at"
    };
}

/// A grant and its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGrant {
    /// Its identifier; `grant.id` holds the same.
    pub id: GrantId,
    /// What it allows. Always has an end.
    pub grant: Grant,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// How it was revoked, if it was; `grant.revoked_at` holds the same instant.
    pub revocation: Option<Revocation>,
    /// The request that it was made of, if it was.
    pub origin: Option<Origin>,
    /// It is for this statement alone, once; `grant.objects` is empty then.
    pub statement: Option<ExactStatement>,
    /// When that statement was let through.
    pub used_at: Option<Timestamp>,
}

/// The request that a grant was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Which.
    pub request: RequestId,
    /// Who approved it.
    pub approvers: Vec<PrincipalName>,
}

/// How a grant was revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// From when on.
    pub at: Timestamp,
    /// Who did it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Which grants a list shows; `None` shows all.
#[derive(Clone, Debug, Default)]
pub struct GrantFilter {
    /// Held by this principal or group itself.
    pub holder: Option<Holder>,
    /// With this target, as written in the grant.
    pub target: Option<String>,
    /// Only grants that are neither revoked nor ended at this instant.
    pub open_at: Option<Timestamp>,
    /// Only grants older than this one.
    pub before: Option<GrantId>,
    /// How many at most.
    pub limit: u32,
}

/// What of a grant is told of, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantMark {
    /// That it is in force.
    Start,
    /// That it ends soon.
    Expiring,
    /// That it is over by the clock.
    End,
}

impl Store {
    /// Grants of which something has to be told at `now` and was not yet: the oldest ends first, at most 100.
    ///
    /// Those end soon that do within `soon`, and were made for more than twice as long. What was revoked or used up is
    /// told of by whoever did that.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn grants_to_tell_of(
        &self,
        mark: GrantMark,
        now: Timestamp,
        soon: SignedDuration,
    ) -> Result<Vec<StoredGrant>, StoreError> {
        let soon = i64::try_from(soon.as_micros()).unwrap_or(i64::MAX);
        let now = now.as_microsecond();
        let query = sqlx::query(match mark {
            GrantMark::Start => concat!(
                "SELECT ",
                columns!(),
                " FROM grants WHERE start_told_at IS NULL AND starts_at <= $1 AND ends_at > $1 \
                 AND revoked_at IS NULL AND used_at IS NULL AND end_told_at IS NULL ORDER BY ends_at LIMIT 100"
            ),
            GrantMark::Expiring => concat!(
                "SELECT ",
                columns!(),
                " FROM grants WHERE announced_at IS NULL AND starts_at <= $1 AND ends_at > $1 \
                 AND ends_at - $1 <= $2 AND ends_at - starts_at > 2 * $2 AND revoked_at IS NULL \
                 AND used_at IS NULL AND end_told_at IS NULL ORDER BY ends_at LIMIT 100"
            ),
            GrantMark::End => concat!(
                "SELECT ",
                columns!(),
                " FROM grants WHERE end_told_at IS NULL AND ends_at <= $1 AND revoked_at IS NULL \
                 AND used_at IS NULL ORDER BY ends_at LIMIT 100"
            ),
        })
        .bind(now);
        let query = match mark {
            GrantMark::Expiring => query.bind(soon),
            GrantMark::Start | GrantMark::End => query,
        };
        let rows = query.fetch_all(&self.pool).await.map_err(doing("read the grants to tell of"))?;
        rows.iter().map(read).collect()
    }

    /// Every grant whose end is later than `ended_after`, revoked or not; oldest first.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn grants(&self, ended_after: Timestamp) -> Result<Vec<StoredGrant>, StoreError> {
        let rows = sqlx::query(concat!("SELECT ", columns!(), " FROM grants WHERE ends_at > $1 ORDER BY id"))
            .bind(ended_after.as_microsecond())
            .fetch_all(&self.pool)
            .await
            .map_err(doing("read grants"))?;
        rows.iter().map(read).collect()
    }

    /// One grant, however old.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it cannot be read.
    pub async fn grant(&self, id: GrantId) -> Result<Option<StoredGrant>, StoreError> {
        let row = sqlx::query(concat!("SELECT ", columns!(), " FROM grants WHERE id = $1"))
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await
            .map_err(doing("read a grant"))?;
        row.as_ref().map(read).transpose()
    }

    /// The grants that `filter` lets through, newest first.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn list_grants(&self, filter: &GrantFilter) -> Result<Vec<StoredGrant>, StoreError> {
        let (kind, holder) = match &filter.holder {
            Some(holder) => {
                let (kind, name) = holder_columns(holder);
                (Some(kind), Some(name))
            }
            None => (None, None),
        };
        let rows = sqlx::query(concat!(
            "SELECT ",
            columns!(),
            " FROM grants WHERE ($1 IS NULL OR (holder_kind = $1 AND holder = $2)) AND ($3 IS NULL OR target = $3) \
             AND ($4 IS NULL OR (revoked_at IS NULL AND ends_at > $4)) AND ($5 IS NULL OR id < $5) \
             ORDER BY id DESC LIMIT $6"
        ))
        .bind(kind)
        .bind(holder)
        .bind(filter.target.as_deref())
        .bind(filter.open_at.map(Timestamp::as_microsecond))
        .bind(filter.before.map(|id| id.to_string()))
        .bind(i64::from(filter.limit))
        .fetch_all(&self.pool)
        .await
        .map_err(doing("list grants"))?;
        rows.iter().map(read).collect()
    }
}

impl Change {
    /// Adds `stored`, which must have an end.
    ///
    /// # Errors
    /// `Query` when it cannot be written, `Corrupt` when it has no end.
    pub async fn insert_grant(&mut self, stored: &StoredGrant) -> Result<(), StoreError> {
        let grant = &stored.grant;
        let ends_at = grant.window.ends_at.ok_or_else(|| corrupt("a grant without end", std::fmt::Error))?;
        let (kind, holder) = holder_columns(&grant.holder);
        let revocation = stored.revocation.as_ref();
        sqlx::query(
            "INSERT INTO grants (id, holder_kind, holder, target, database_name, objects, permissions, starts_at, \
             ends_at, reason, created_at, created_by, revoked_at, revoked_by, revoke_reason, request, approvers, \
             statement, used_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        )
        .bind(stored.id.to_string())
        .bind(kind)
        .bind(holder)
        .bind(grant.target.as_str())
        .bind(grant.database.as_str())
        .bind(to_json(&grant.objects)?)
        .bind(to_json(&grant.permissions)?)
        .bind(grant.window.starts_at.as_microsecond())
        .bind(ends_at.as_microsecond())
        .bind(grant.reason.as_str())
        .bind(stored.created_at.as_microsecond())
        .bind(stored.created_by.as_str())
        .bind(revocation.map(|revocation| revocation.at.as_microsecond()))
        .bind(revocation.map(|revocation| revocation.by.as_str()))
        .bind(revocation.map(|revocation| revocation.reason.as_str()))
        .bind(stored.origin.as_ref().map(|origin| origin.request.to_string()))
        .bind(stored.origin.as_ref().map(|origin| to_json(&origin.approvers)).transpose()?)
        .bind(stored.statement.as_ref().map(to_json).transpose()?)
        .bind(stored.used_at.map(Timestamp::as_microsecond))
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("write a grant"))
    }

    /// Uses up a grant for one statement, if nobody has; gives whether this was the one.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn use_grant(&mut self, id: GrantId, at: Timestamp) -> Result<bool, StoreError> {
        let used = sqlx::query(
            "UPDATE grants SET used_at = $2 WHERE id = $1 AND statement IS NOT NULL AND used_at IS NULL \
             AND revoked_at IS NULL AND starts_at <= $2 AND ends_at > $2",
        )
        .bind(id.to_string())
        .bind(at.as_microsecond())
        .execute(self.connection())
        .await
        .map_err(doing("use a grant"))?;
        Ok(used.rows_affected() == 1)
    }

    /// Notes that something of a grant was told of, if nobody has; gives whether this was the one.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn mark_grant(
        &mut self,
        id: GrantId,
        mark: GrantMark,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let noted = sqlx::query(match mark {
            GrantMark::Start => {
                "UPDATE grants SET start_told_at = $2 WHERE id = $1 AND start_told_at IS NULL"
            }
            GrantMark::Expiring => {
                "UPDATE grants SET announced_at = $2 WHERE id = $1 AND announced_at IS NULL"
            }
            GrantMark::End => "UPDATE grants SET end_told_at = $2 WHERE id = $1 AND end_told_at IS NULL",
        })
        .bind(id.to_string())
        .bind(at.as_microsecond())
        .execute(self.connection())
        .await
        .map_err(doing("note what was told of a grant"))?;
        Ok(noted.rows_affected() == 1)
    }

    /// Writes down how a grant was revoked; the first revocation stands.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn revoke_grant(&mut self, id: GrantId, revocation: &Revocation) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE grants SET revoked_at = $2, revoked_by = $3, revoke_reason = $4 \
             WHERE id = $1 AND revoked_at IS NULL",
        )
        .bind(id.to_string())
        .bind(revocation.at.as_microsecond())
        .bind(revocation.by.as_str())
        .bind(revocation.reason.as_str())
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("revoke a grant"))
    }
}

fn holder_columns(holder: &Holder) -> (&'static str, &str) {
    match holder {
        Holder::Principal(name) => (PRINCIPAL, name.as_str()),
        Holder::Group(name) => (GROUP, name.as_str()),
    }
}

fn read(row: &SqliteRow) -> Result<StoredGrant, StoreError> {
    let id: GrantId = parsed(row, "id")?;
    let kind: String = value(row, "holder_kind")?;
    let holder: String = value(row, "holder")?;
    let target: String = value(row, "target")?;
    let database: String = value(row, "database_name")?;
    let by: Option<String> = value(row, "revoked_by")?;
    let reason: Option<String> = value(row, "revoke_reason")?;
    let revoked_at = optional_instant(row, "revoked_at")?;
    Ok(StoredGrant {
        id,
        grant: Grant {
            id: GrantName::Granted(id),
            // closed: a word that is not ours is no holder at all
            holder: match kind.as_str() {
                PRINCIPAL => Holder::Principal(holder.into()),
                GROUP => Holder::Group(holder.into()),
                _ => return Err(corrupt("a grant of an unknown kind of holder", std::fmt::Error)),
            },
            target: Glob::new(&target),
            database: Glob::new(&database),
            objects: from_json(row, "objects")?,
            permissions: from_json(row, "permissions")?,
            window: Window { starts_at: instant(row, "starts_at")?, ends_at: Some(instant(row, "ends_at")?) },
            reason: value(row, "reason")?,
            revoked_at,
        },
        created_at: instant(row, "created_at")?,
        created_by: value(row, "created_by")?,
        revocation: match (revoked_at, by, reason) {
            (Some(at), Some(by), Some(reason)) => Some(Revocation { at, by, reason }),
            _ => None,
        },
        origin: origin(row)?,
        statement: value::<Option<String>>(row, "statement")?
            .map(|_| from_json(row, "statement"))
            .transpose()?,
        used_at: optional_instant(row, "used_at")?,
    })
}

fn origin(row: &SqliteRow) -> Result<Option<Origin>, StoreError> {
    if value::<Option<String>>(row, "request")?.is_none() {
        return Ok(None);
    }
    Ok(Some(Origin { request: parsed(row, "request")?, approvers: from_json(row, "approvers")? }))
}

const PRINCIPAL: &str = "principal";
const GROUP: &str = "group";

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::permission::Permission;

    fn stored(holder: &str, ends: i64) -> StoredGrant {
        let id = GrantId::new(Uuid::now_v7());
        let at = Timestamp::from_second(1000).unwrap();
        StoredGrant {
            id,
            grant: Grant {
                id: GrantName::Granted(id),
                holder: Holder::Principal(holder.into()),
                target: Glob::new("hr"),
                database: Glob::new("hr_*"),
                objects: vec!["public.*".parse().unwrap(), "*".parse().unwrap()],
                permissions: [Permission::Select, Permission::Dml].into_iter().collect(),
                window: Window { starts_at: at, ends_at: Some(Timestamp::from_second(ends).unwrap()) },
                reason: "INC-42".to_owned(),
                revoked_at: None,
            },
            created_at: at,
            created_by: "root".to_owned(),
            revocation: None,
            origin: None,
            statement: None,
            used_at: None,
        }
    }

    #[tokio::test]
    async fn a_grant_reads_back_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.db");
        let (first, second) = (stored("dana", 2000), stored("eve", 3000));
        {
            let store = Store::open(&path).await.unwrap();
            let mut change = store.change().await.unwrap();
            change.insert_grant(&first).await.unwrap();
            change.insert_grant(&second).await.unwrap();
            change.commit().await.unwrap();
        }
        let store = Store::open(&path).await.unwrap();
        assert_eq!(store.grants(Timestamp::MIN).await.unwrap(), [first.clone(), second.clone()]);
        let after_first = Timestamp::from_second(2000).unwrap();
        assert_eq!(store.grants(after_first).await.unwrap(), std::slice::from_ref(&second));
        assert_eq!(store.grant(first.id).await.unwrap(), Some(first.clone()));
        let danas = GrantFilter { holder: Some(first.grant.holder.clone()), limit: 10, ..Default::default() };
        assert_eq!(store.list_grants(&danas).await.unwrap(), std::slice::from_ref(&first));
        let older = GrantFilter { before: Some(second.id), limit: 10, ..Default::default() };
        assert_eq!(store.list_grants(&older).await.unwrap(), [first]);
    }

    #[tokio::test]
    async fn the_first_revocation_stands() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        let grant = stored("dana", 2000);
        let revocation = |at| Revocation {
            at: Timestamp::from_second(at).unwrap(),
            by: "root".to_owned(),
            reason: format!("at {at}"),
        };
        let mut change = store.change().await.unwrap();
        change.insert_grant(&grant).await.unwrap();
        change.revoke_grant(grant.id, &revocation(1500)).await.unwrap();
        change.revoke_grant(grant.id, &revocation(1600)).await.unwrap();
        change.commit().await.unwrap();
        let read = store.grant(grant.id).await.unwrap().unwrap();
        assert_eq!(read.revocation, Some(revocation(1500)));
        assert_eq!(read.grant.revoked_at, Some(Timestamp::from_second(1500).unwrap()));
        let open = GrantFilter {
            open_at: Some(Timestamp::from_second(1200).unwrap()),
            limit: 10,
            ..Default::default()
        };
        assert_eq!(store.list_grants(&open).await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_grant_for_one_statement_is_used_once_and_within_its_window() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        let statement = ExactStatement {
            sql: "DELETE FROM a.b".into(),
            fingerprint: u64::MAX,
            kind: crate::model::facts::StatementKind::Delete,
            command: "DELETE".to_owned(),
            read_only: false,
            accesses: Vec::new(),
            calls: Vec::new(),
        };
        let origin = Origin { request: RequestId::new(Uuid::now_v7()), approvers: vec!["lee".into()] };
        let exact =
            StoredGrant { statement: Some(statement), origin: Some(origin.clone()), ..stored("dana", 2000) };
        let plain = stored("dana", 2000);
        let second = StoredGrant { origin: Some(origin), ..stored("dana", 2000) };
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut change = store.change().await.unwrap();
        change.insert_grant(&exact).await.unwrap();
        change.insert_grant(&plain).await.unwrap();
        assert!(change.insert_grant(&second).await.is_err(), "a second grant of one request");
        assert!(!change.use_grant(plain.id, at(1500)).await.unwrap(), "it is for no one statement");
        assert!(
            !change.use_grant(exact.id, at(999)).await.unwrap()
                && !change.use_grant(exact.id, at(2000)).await.unwrap()
        );
        assert!(change.use_grant(exact.id, at(1500)).await.unwrap());
        assert!(!change.use_grant(exact.id, at(1500)).await.unwrap());
        assert!(change.mark_grant(plain.id, GrantMark::Expiring, at(1)).await.unwrap());
        assert!(!change.mark_grant(plain.id, GrantMark::Expiring, at(1)).await.unwrap());
        change.commit().await.unwrap();
        let read = store.grant(exact.id).await.unwrap();
        assert_eq!(read, Some(StoredGrant { used_at: Some(at(1500)), ..exact }));
    }
}
