//! From what is wanted to the records.

use serde::{Deserialize, Serialize};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};
use utoipa::ToSchema;

use super::{
    entry::{decision_code, permission_code},
    feed::integer,
    filter::{Decided, Direction, Filter},
    key::{key, statements_of},
    lines::StoredRecord,
};

/// Records that were asked for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page {
    /// The newest first.
    pub records: Vec<FoundRecord>,
    /// Where the next page begins (`before`); absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// Records of the log that the index does not have yet: newer ones cannot be found.
    pub unindexed: u64,
}

/// A record that was found, and for a statement how it ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FoundRecord {
    /// The record.
    #[serde(flatten)]
    pub found: StoredRecord,
    /// The record of the statement's end; absent where it was refused, still runs, or was lost with the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<StoredRecord>,
}

/// Where a record lies: its number and its first byte.
pub(super) type Spot = (u64, u64);

/// The places of wanted records and of their ends.
pub(super) async fn places(
    on: &mut SqliteConnection,
    filter: &Filter,
    direction: Direction,
    limit: i64,
) -> Result<Vec<(Spot, Option<Spot>)>, sqlx::Error> {
    let Some(mut query) = Plan::make(on, filter).await? else { return Ok(Vec::new()) };
    query.push(match direction {
        Direction::Newest => " ORDER BY d.seq DESC LIMIT ",
        Direction::Oldest => " ORDER BY d.seq ASC LIMIT ",
    });
    query.push_bind(limit);
    let rows = query.build().fetch_all(on).await?;
    rows.into_iter()
        .map(|row| {
            let number = |at: usize| row.try_get::<i64, _>(at).map(|it| u64::try_from(it).unwrap_or(0));
            let maybe = |at: usize| {
                row.try_get::<Option<i64>, _>(at).map(|it| it.map(|it| u64::try_from(it).unwrap_or(0)))
            };
            Ok(((number(0)?, number(1)?), maybe(2)?.zip(maybe(3)?)))
        })
        .collect()
}

/// How the index is asked.
struct Plan;

impl Plan {
    /// The query up to its order; `None` if nothing can be found. What narrows most is gone through in the order of
    /// records, the rest is looked up for each.
    async fn make(
        on: &mut SqliteConnection,
        filter: &Filter,
    ) -> Result<Option<QueryBuilder<Sqlite>>, sqlx::Error> {
        let words = filter.words();
        let objects = match &filter.table {
            Some(pattern) => Some(objects(on, pattern).await?),
            None => None,
        };
        if filter.text.is_some() && words.is_empty() || objects.as_ref().is_some_and(Vec::is_empty) {
            return Ok(None);
        }
        let Some(range) = range(on, filter).await? else { return Ok(None) };
        let mut query = QueryBuilder::new(SELECT);
        let one_object = objects.as_ref().and_then(|objects| match objects.as_slice() {
            [one] => Some(*one),
            _ => None,
        });
        let (by_text, by_reference) = (!words.is_empty(), filter.reference.is_some());
        let by_object = !by_text && !by_reference && one_object.is_some();
        query.push(if by_text {
            "(SELECT rowid AS seq FROM text WHERE text MATCH "
        } else if by_reference {
            "(SELECT seq FROM link WHERE key = "
        } else if by_object {
            "(SELECT DISTINCT seq FROM touch WHERE object = "
        } else {
            "(SELECT seq FROM record WHERE seq >= "
        });
        if by_text {
            query.push_bind(matched(&words)).push(" AND rowid >= ");
        } else if by_reference {
            query.push_bind(key(filter.reference.as_deref().unwrap_or_default())).push(" AND seq >= ");
        } else if let Some(object) = one_object.filter(|_| by_object) {
            query.push_bind(object);
            if let Some(permission) = filter.permission {
                query.push(" AND permission = ").push_bind(permission_code(Some(permission)));
            }
            query.push(" AND seq >= ");
        } else {
            // One source only: the planner sees through this and uses whichever index of `record` fits.
            query = QueryBuilder::new(SELECT_PLAIN);
        }
        let plain = !by_text && !by_reference && !by_object;
        if !plain {
            query.push_bind(range.0);
            query.push(if by_text { " AND rowid < " } else { " AND seq < " }).push_bind(range.1);
            query.push(JOIN);
        } else {
            query.push(" WHERE d.seq >= ").push_bind(range.0).push(" AND d.seq < ").push_bind(range.1);
        }
        if by_text && by_reference {
            query.push(" AND EXISTS (SELECT 1 FROM link WHERE seq = d.seq AND key = ");
            query.push_bind(key(filter.reference.as_deref().unwrap_or_default())).push(")");
        }
        if let Some(objects) = objects.filter(|_| !by_object) {
            touching(&mut query, filter, &objects);
        }
        Ok(columns(on, &mut query, filter, plain).await?.then_some(query))
    }
}

fn touching(query: &mut QueryBuilder<Sqlite>, filter: &Filter, objects: &[i64]) {
    query.push(" AND EXISTS (SELECT 1 FROM touch WHERE seq = d.seq AND object IN (");
    let mut list = query.separated(", ");
    for object in objects {
        list.push_bind(*object);
    }
    query.push(")");
    if let Some(permission) = filter.permission {
        query.push(" AND permission = ").push_bind(permission_code(Some(permission)));
    }
    query.push(")");
}

/// Adds what the columns of a record must be; whether that is possible at all.
async fn columns(
    on: &mut SqliteConnection,
    query: &mut QueryBuilder<Sqlite>,
    filter: &Filter,
    plain: bool,
) -> Result<bool, sqlx::Error> {
    let record = if plain { "d" } else { "r" };
    for (column, wanted) in [
        ("principal", &filter.principal),
        ("target", &filter.target),
        ("database", &filter.database),
        ("kind", &filter.kind),
        ("event", &filter.event),
    ] {
        let Some(wanted) = wanted else { continue };
        let Some(word) = word(on, wanted).await? else { return Ok(false) };
        query.push(format!(" AND {record}.{column} = ")).push_bind(word);
        if matches!(column, "principal" | "target" | "kind") {
            // Said again for the partial index.
            query.push(format!(" AND {record}.{column} > 0"));
        }
    }
    if filter.event.is_none()
        && let Some(end) = word(on, "statement_end").await?
    {
        // The sign keeps the planner from looking for an index on this.
        query.push(format!(" AND +{record}.event <> ")).push_bind(end);
    }
    if let Some(decision) = filter.decision {
        let code = decision_code(decision == Decided::Allow);
        query.push(format!(" AND {record}.decision = {code}"));
    }
    if let Some(permission) = filter.permission {
        query.push(format!(" AND {record}.needs & {}", 1_i64 << permission_code(Some(permission))));
    }
    if let Some(session) = filter.session {
        let statements = statements_of(session);
        query.push(" AND d.seq IN (SELECT seq FROM link WHERE key = ").push_bind(session.as_bytes().to_vec());
        query.push(" UNION SELECT seq FROM link WHERE key BETWEEN ").push_bind(statements.start().clone());
        query.push(" AND ").push_bind(statements.end().clone()).push(")");
    }
    Ok(true)
}

/// The numbers that time and page leave; `None` if they leave none.
async fn range(on: &mut SqliteConnection, filter: &Filter) -> Result<Option<(i64, i64)>, sqlx::Error> {
    let mut least = filter.after.map_or(0, |after| integer(after.saturating_add(1)));
    let mut most = filter.before.map_or(i64::MAX, integer);
    if let Some(from) = filter.from {
        least = least.max(first_at(on, from.as_microsecond()).await?);
    }
    if let Some(until) = filter.until {
        most = most.min(first_at(on, until.as_microsecond()).await?);
    }
    Ok((least < most).then_some((least, most)))
}

/// The number of the first record at or after `at`: time never steps back within a log.
async fn first_at(on: &mut SqliteConnection, at: i64) -> Result<i64, sqlx::Error> {
    let bounds: Option<(Option<i64>, Option<i64>)> =
        sqlx::query_as("SELECT min(seq), max(seq) FROM record").fetch_optional(&mut *on).await?;
    let Some((Some(mut least), Some(last))) = bounds else { return Ok(0) };
    let mut most = last + 1;
    while least < most {
        let middle = least + (most - least) / 2;
        let found: Option<(i64, i64)> =
            sqlx::query_as("SELECT seq, at FROM record WHERE seq >= ? ORDER BY seq LIMIT 1")
                .bind(middle)
                .fetch_optional(&mut *on)
                .await?;
        match found {
            Some((seq, found)) if found < at => least = seq + 1,
            Some(_) | None => most = middle,
        }
    }
    Ok(least)
}

pub(super) async fn word(on: &mut SqliteConnection, text: &str) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM word WHERE text = ?").bind(text).fetch_optional(on).await
}

/// The objects of a pattern.
pub(super) async fn objects(on: &mut SqliteConnection, pattern: &str) -> Result<Vec<i64>, sqlx::Error> {
    if !pattern.contains('*') {
        return Ok(word(on, pattern).await?.into_iter().collect());
    }
    let all: Vec<(i64, String)> = sqlx::query_as("SELECT id, text FROM word").fetch_all(on).await?;
    let found = all.into_iter().filter(|(_, text)| super::filter::matches(pattern, text));
    Ok(found.map(|(id, _)| id).take(MOST_OBJECTS).collect())
}

/// The words as the index is asked for them: all of them, each between quotes.
fn matched(words: &[String]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| match word.strip_suffix('*') {
            Some(stem) => format!("\"{stem}\"*"),
            None => format!("\"{word}\""),
        })
        .collect();
    quoted.join(" AND ")
}

const SELECT: &str = "SELECT r.seq, r.place, e.seq, x.place FROM ";
const JOIN: &str = ") AS d CROSS JOIN record AS r ON r.seq = d.seq LEFT JOIN ending AS e ON e.start = d.seq \
                    LEFT JOIN record AS x ON x.seq = e.seq WHERE TRUE";
const SELECT_PLAIN: &str = "SELECT d.seq, d.place, e.seq, x.place FROM record AS d \
                            LEFT JOIN ending AS e ON e.start = d.seq LEFT JOIN record AS x ON x.seq = e.seq";

/// Objects of one pattern: far more than a person can mean.
const MOST_OBJECTS: usize = 1_000;
