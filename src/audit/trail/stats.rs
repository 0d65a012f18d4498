//! Who touched what: sums by the hour.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use utoipa::{IntoParams, ToSchema};

use super::{
    entry::{permission_code, permission_of},
    search::{objects, word},
};
use crate::model::permission::Permission;

/// What is summed up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct StatsQuery {
    /// Of whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// On which target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// In which database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// On which object; `*` stands for any letters. The timeline does not go by objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// With which permission. The timeline does not go by permissions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<Permission>,
    /// First instant; the hour that it lies in counts whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// First instant after it; the hour that it lies in counts whole, unless it begins it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Rows of `touches` at most, from 1 to 1000; 100 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}

/// Who touched what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stats {
    /// The most frequent first.
    pub touches: Vec<Touch>,
    /// Statements by the hour, oldest first; hours without any are left out.
    pub hours: Vec<Hour>,
    /// Records of the log that are not counted yet.
    pub unindexed: u64,
}

/// One person and one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Touch {
    /// Who.
    pub principal: String,
    /// On which target.
    pub target: String,
    /// In which database.
    pub database: String,
    /// Which object.
    pub object: String,
    /// What the statements needed on it; absent where any grant was enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<Permission>,
    /// Statements that were let run.
    pub allowed: u64,
    /// Statements that were refused.
    pub denied: u64,
}

/// The statements of one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hour {
    /// Its first instant.
    pub at: Timestamp,
    /// Statements that were let run.
    pub allowed: u64,
    /// Statements that were refused.
    pub denied: u64,
}

/// The rows of the answer, the most frequent first.
pub(super) async fn touches(
    on: &mut SqliteConnection,
    query: &StatsQuery,
    limit: i64,
) -> Result<Vec<Touch>, sqlx::Error> {
    let mut sql = QueryBuilder::new(
        "SELECT p.text, t.text, d.text, o.text, s.permission, s.allowed, s.denied FROM (\
         SELECT principal, target, database, object, permission, sum(iif(decision = 0, count, 0)) AS allowed, \
         sum(iif(decision = 0, 0, count)) AS denied FROM tally WHERE TRUE",
    );
    if !narrowed(on, &mut sql, query).await? {
        return Ok(Vec::new());
    }
    if let Some(pattern) = &query.table {
        sql.push(" AND object IN (");
        let mut list = sql.separated(", ");
        for object in objects(on, pattern).await? {
            list.push_bind(object);
        }
        sql.push(")");
    }
    if let Some(permission) = query.permission {
        sql.push(" AND permission = ").push_bind(permission_code(Some(permission)));
    }
    sql.push(" GROUP BY principal, target, database, object, permission ORDER BY sum(count) DESC LIMIT ");
    sql.push_bind(limit);
    sql.push(
        ") AS s LEFT JOIN word AS p ON p.id = s.principal LEFT JOIN word AS t ON t.id = s.target \
         LEFT JOIN word AS d ON d.id = s.database LEFT JOIN word AS o ON o.id = s.object \
         ORDER BY s.allowed + s.denied DESC",
    );
    type Row = (Option<String>, Option<String>, Option<String>, Option<String>, i64, i64, i64);
    let rows: Vec<Row> = sql.build_query_as().fetch_all(on).await?;
    let touch = |(principal, target, database, object, permission, allowed, denied): Row| Touch {
        principal: principal.unwrap_or_default(),
        target: target.unwrap_or_default(),
        database: database.unwrap_or_default(),
        object: object.unwrap_or_default(),
        permission: permission_of(permission),
        allowed: count(allowed),
        denied: count(denied),
    };
    Ok(rows.into_iter().map(touch).collect())
}

/// Statements by the hour.
pub(super) async fn hours(on: &mut SqliteConnection, query: &StatsQuery) -> Result<Vec<Hour>, sqlx::Error> {
    let mut sql = QueryBuilder::new(
        "SELECT hour, sum(iif(decision = 0, count, 0)), sum(iif(decision = 0, 0, count)) FROM hourly WHERE TRUE",
    );
    if !narrowed(on, &mut sql, query).await? {
        return Ok(Vec::new());
    }
    sql.push(" GROUP BY hour ORDER BY hour DESC LIMIT ").push_bind(MOST_HOURS);
    let rows: Vec<(i64, i64, i64)> = sql.build_query_as().fetch_all(on).await?;
    let hour = |(hour, allowed, denied): (i64, i64, i64)| {
        let at = Timestamp::from_second(hour.saturating_mul(3600)).ok()?;
        Some(Hour { at, allowed: count(allowed), denied: count(denied) })
    };
    Ok(rows.into_iter().rev().filter_map(hour).collect())
}

/// Adds who, where and when; whether that is possible at all.
async fn narrowed(
    on: &mut SqliteConnection,
    sql: &mut QueryBuilder<Sqlite>,
    query: &StatsQuery,
) -> Result<bool, sqlx::Error> {
    for (column, wanted) in
        [("principal", &query.principal), ("target", &query.target), ("database", &query.database)]
    {
        let Some(wanted) = wanted else { continue };
        let Some(word) = word(on, wanted).await? else { return Ok(false) };
        sql.push(format!(" AND {column} = ")).push_bind(word);
    }
    if let Some(from) = query.from {
        sql.push(" AND hour >= ").push_bind(from.as_second().div_euclid(3600));
    }
    if let Some(until) = query.until {
        sql.push(" AND hour < ").push_bind((until.as_second() - 1).div_euclid(3600) + 1);
    }
    Ok(true)
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Five years.
const MOST_HOURS: i64 = 5 * 366 * 24;
