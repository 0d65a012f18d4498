//! Grants made by people.

use jiff::{SignedDuration, Timestamp};

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::{corrupt, from_json, instant, optional_instant, parsed, to_json, value},
    sql::{Row, query},
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
        let query = query(match mark {
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
        let rows = query(concat!("SELECT ", columns!(), " FROM grants WHERE ends_at > $1 ORDER BY id"))
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
        let row = query(concat!("SELECT ", columns!(), " FROM grants WHERE id = $1"))
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
        let rows = query(concat!(
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
        query(
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
        let used = query(
            "UPDATE grants SET used_at = $2 WHERE id = $1 AND statement IS NOT NULL AND used_at IS NULL \
             AND revoked_at IS NULL AND starts_at <= $2 AND ends_at > $2",
        )
        .bind(id.to_string())
        .bind(at.as_microsecond())
        .execute(self.connection())
        .await
        .map_err(doing("use a grant"))?;
        Ok(used == 1)
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
        let noted = query(match mark {
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
        Ok(noted == 1)
    }

    /// Writes down how a grant was revoked; the first revocation stands.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn revoke_grant(&mut self, id: GrantId, revocation: &Revocation) -> Result<(), StoreError> {
        query(
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

fn read(row: &Row) -> Result<StoredGrant, StoreError> {
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

fn origin(row: &Row) -> Result<Option<Origin>, StoreError> {
    if value::<Option<String>>(row, "request")?.is_none() {
        return Ok(None);
    }
    Ok(Some(Origin { request: parsed(row, "request")?, approvers: from_json(row, "approvers")? }))
}

const PRINCIPAL: &str = "principal";
const GROUP: &str = "group";
