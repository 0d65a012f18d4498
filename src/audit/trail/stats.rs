//! Who touched what: sums by the hour.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use utoipa::{IntoParams, ToSchema};

use super::{
    entry::{Entry, permission_code, permission_of},
    named::Named,
    seek::Seek,
    summary::{HOUR_US, count as count_statement},
    tally::{Counts, Tally, TouchKey},
    words::Words,
};
use crate::{audit::AuditError, model::permission::Permission};

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

/// What is counted by hand because the index does not have it yet, next to what it has.
#[derive(Debug)]
struct Fresh {
    /// Those of the index, and new ones behind them.
    names: Words,
    tally: Tally,
}

/// The sums of a log: of what its index has of the files that are there, and of what it does not have yet.
pub(super) async fn stats(seek: &mut Seek, query: &StatsQuery, limit: i64) -> Result<Stats, AuditError> {
    let mut unindexed = seek.rest.unread;
    let names = super::index::words(seek.index()).await?;
    let state = Fresh { names, tally: Tally::default() };
    let mut fresh = seek
        .each_of_rest(state, |fresh, block, bytes| {
            for line in bytes.split(|byte| *byte == b'\n') {
                if let Ok(entry) = Entry::read(line) {
                    let named = Named::of(&entry, &mut fresh.names);
                    count_statement(&entry, &named, block.segment, &mut fresh.tally);
                }
            }
        })
        .await?;
    if fresh.tally.touches.len() + fresh.tally.statements.len() > MOST_FRESH {
        fresh.tally = Tally::default();
        unindexed += seek.rest.blocks.iter().map(|block| block.records).sum::<u64>();
    }
    let oldest = super::feed::integer(seek.oldest());
    let (whole, cut) = files(seek.index(), oldest, query.hours()).await.map_err(AuditError::index)?;
    let sums = Sums { query, whole, cut, fresh: &fresh };
    let touches = sums.touches(seek.index(), limit).await.map_err(AuditError::index)?;
    let hours = sums.hours(seek.index()).await.map_err(AuditError::index)?;
    Ok(Stats { touches, hours, unindexed })
}

impl StatsQuery {
    /// The first hour that counts, and the first behind it.
    fn hours(&self) -> (i64, i64) {
        let hour = |at: Timestamp| at.as_second().div_euclid(HOUR_S);
        let from = self.from.map_or(i64::MIN, hour);
        let until = self.until.map_or(i64::MAX, |at| (at.as_second() - 1).div_euclid(HOUR_S) + 1);
        (from, until)
    }
}

/// What is summed up, and of what.
struct Sums<'s> {
    query: &'s StatsQuery,
    /// The files whose records all are of hours that count, of which there are sums.
    whole: Vec<i64>,
    /// Those of which some are.
    cut: Vec<i64>,
    fresh: &'s Fresh,
}

impl Sums<'_> {
    /// The rows of the answer, the most frequent first.
    async fn touches(&self, on: &mut SqliteConnection, limit: i64) -> Result<Vec<Touch>, sqlx::Error> {
        let mut sql = QueryBuilder::new("WITH fresh AS (");
        rows(&mut sql, &self.fresh.tally.touches);
        sql.push(
            ") SELECT principal, target, database, object, permission, sum(iif(decision = 0, count, 0)) AS allowed, \
             sum(iif(decision = 0, 0, count)) AS denied FROM (SELECT ",
        );
        // What a file says of all its time counts as of an hour that is wanted.
        sql.push_bind(self.query.hours().0)
            .push(" AS hour, ")
            .push(TOUCHED)
            .push(" FROM total WHERE segment IN (");
        numbers(&mut sql, &self.whole);
        sql.push(") UNION ALL SELECT hour, ").push(TOUCHED).push(" FROM tally WHERE segment IN (");
        numbers(&mut sql, &self.cut);
        sql.push(") UNION ALL SELECT hour, ").push(TOUCHED).push(" FROM fresh) WHERE TRUE");
        if !self.narrow(&mut sql) {
            return Ok(Vec::new());
        }
        if let Some(pattern) = &self.query.table {
            sql.push(" AND object IN (");
            let objects = self.fresh.names.matching(pattern).take(MOST_OBJECTS);
            numbers(&mut sql, &objects.map(|(object, _)| object).collect::<Vec<_>>());
            sql.push(")");
        }
        if let Some(permission) = self.query.permission {
            sql.push(" AND permission = ").push_bind(permission_code(Some(permission)));
        }
        sql.push(" GROUP BY principal, target, database, object, permission ORDER BY sum(count) DESC LIMIT ");
        sql.push_bind(limit);
        let rows: Vec<[i64; 7]> = sql
            .build_query_as::<(i64, i64, i64, i64, i64, i64, i64)>()
            .fetch_all(on)
            .await?
            .into_iter()
            .map(<[i64; 7]>::from)
            .collect();
        let names = self.fresh.names.by_number();
        let name = |number: i64| names.get(&number).map(|name| (*name).to_owned()).unwrap_or_default();
        let touch = |[principal, target, database, object, permission, allowed, denied]: [i64; 7]| Touch {
            principal: name(principal),
            target: name(target),
            database: name(database),
            object: name(object),
            permission: permission_of(permission),
            allowed: count(allowed),
            denied: count(denied),
        };
        Ok(rows.into_iter().map(touch).collect())
    }

    /// Statements by the hour.
    async fn hours(&self, on: &mut SqliteConnection) -> Result<Vec<Hour>, sqlx::Error> {
        let mut sql = QueryBuilder::new("WITH fresh AS (");
        rows(&mut sql, &self.fresh.tally.statements);
        sql.push(
            ") SELECT hour, sum(iif(decision = 0, count, 0)), sum(iif(decision = 0, 0, count)) FROM \
             (SELECT hour, principal, target, database, decision, count FROM hourly WHERE segment IN (",
        );
        numbers(&mut sql, &[self.whole.as_slice(), &self.cut].concat());
        sql.push(
            ") UNION ALL SELECT hour, principal, target, database, decision, count FROM fresh) WHERE TRUE",
        );
        if !self.narrow(&mut sql) {
            return Ok(Vec::new());
        }
        sql.push(" GROUP BY hour ORDER BY hour DESC LIMIT ").push_bind(MOST_HOURS);
        let rows: Vec<(i64, i64, i64)> = sql.build_query_as().fetch_all(on).await?;
        let hour = |(hour, allowed, denied): (i64, i64, i64)| {
            let at = Timestamp::from_second(hour.saturating_mul(HOUR_S)).ok()?;
            Some(Hour { at, allowed: count(allowed), denied: count(denied) })
        };
        Ok(rows.into_iter().rev().filter_map(hour).collect())
    }

    /// Adds who, where and when; whether that is possible at all.
    fn narrow(&self, sql: &mut QueryBuilder<Sqlite>) -> bool {
        let StatsQuery { principal, target, database, .. } = self.query;
        for (column, wanted) in [("principal", principal), ("target", target), ("database", database)] {
            let Some(wanted) = wanted else { continue };
            let Some(word) = self.fresh.names.known_id(wanted) else { return false };
            sql.push(format!(" AND {column} = ")).push_bind(word);
        }
        let (from, until) = self.query.hours();
        sql.push(" AND hour >= ").push_bind(from).push(" AND hour < ").push_bind(until);
        true
    }
}

/// Of the files from `oldest` on, those whose records all are of these hours, and those of which some are.
async fn files(
    on: &mut SqliteConnection,
    oldest: i64,
    (from, until): (i64, i64),
) -> Result<(Vec<i64>, Vec<i64>), sqlx::Error> {
    let files: Vec<(i64, i64, i64)> = sqlx::query_as(
        "SELECT segment, min(from_at), max(until_at) FROM block WHERE segment >= ? GROUP BY segment \
         ORDER BY segment DESC LIMIT ?",
    )
    .bind(oldest)
    .bind(MOST_FILES)
    .fetch_all(on)
    .await?;
    let (mut whole, mut cut) = (Vec::new(), Vec::new());
    for (file, first, last) in files {
        let (first, last) = (first.div_euclid(HOUR_US), last.div_euclid(HOUR_US));
        if first >= from && last < until {
            whole.push(file);
        } else if last >= from && first < until {
            cut.push(file);
        }
    }
    Ok((whole, cut))
}

/// Numbers for a list of SQL's.
fn numbers(sql: &mut QueryBuilder<Sqlite>, numbers: &[i64]) {
    let mut list = sql.separated(", ");
    numbers.iter().for_each(|number| {
        list.push_bind(*number);
    });
}

/// Counts as rows of `tally`.
fn rows(sql: &mut QueryBuilder<Sqlite>, counts: &Counts) {
    sql.push("SELECT 0 AS segment, 0 AS hour, 0 AS principal, 0 AS target, 0 AS database, 0 AS object, ");
    sql.push("0 AS permission, 0 AS decision, 0 AS count WHERE FALSE");
    if counts.is_empty() {
        return;
    }
    sql.push(" UNION ALL VALUES ");
    let mut between = "(";
    for (key, count) in counts {
        // Numbers, written as they are.
        let TouchKey { segment, hour, principal, target, database, object, permission, decision } = key;
        sql.push(format!(
            "{between}{segment}, {hour}, {principal}, {target}, {database}, {object}, {permission}, {decision}, {count})"
        ));
        between = ", (";
    }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The names of a pattern, and their numbers.
pub(super) async fn objects(
    on: &mut SqliteConnection,
    pattern: &str,
) -> Result<Vec<(i64, String)>, sqlx::Error> {
    let all: Vec<(i64, String)> = sqlx::query_as("SELECT id, text FROM word").fetch_all(on).await?;
    Ok(all.into_iter().filter(|(_, text)| super::filter::matches(pattern, text)).take(MOST_OBJECTS).collect())
}

const TOUCHED: &str = "principal, target, database, object, permission, decision, count";
const HOUR_S: i64 = 3600;
/// The newest: as many as no disk has.
const MOST_FILES: i64 = 10_000;
/// Five years.
const MOST_HOURS: i64 = 5 * 366 * 24;
/// Objects of one pattern: far more than a person can mean.
const MOST_OBJECTS: usize = 1_000;
/// Rows that are counted by hand.
const MOST_FRESH: usize = 4_096;
