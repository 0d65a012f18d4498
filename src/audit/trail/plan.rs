//! Which blocks of the index may have what is wanted.

use std::collections::HashSet;

use sqlx::{AssertSqlSafe, QueryBuilder, Sqlite, SqliteConnection};

use super::{
    block::{Block, COLUMNS},
    feed::integer,
    filter::{Direction, Filter},
    mark::{Hash, Mark, marks_for},
    stats::objects,
};

/// What of the index may have what is wanted.
pub(super) struct Plan {
    /// Of each list, a block has one.
    marks: Vec<Vec<i64>>,
    /// What the words of a block are asked for.
    words: Option<String>,
    /// Whether no block of the index can have it.
    pub(super) is_nowhere: bool,
    times: (i64, i64),
}

impl Plan {
    /// For any record.
    pub(super) const ANY: Self =
        Self { marks: Vec::new(), words: None, is_nowhere: false, times: (i64::MIN, i64::MAX) };

    pub(super) async fn make(on: &mut SqliteConnection, filter: &Filter) -> Result<Self, sqlx::Error> {
        let objects = match &filter.table {
            Some(pattern) if pattern.contains('*') => {
                Some(objects(on, pattern).await?.into_iter().map(|(_, name)| name).collect())
            }
            Some(name) => Some(vec![name.clone()]),
            None => None,
        };
        let words = filter.words();
        let is_nowhere =
            (filter.text.is_some() && words.is_empty()) || objects.as_ref().is_some_and(Vec::is_empty);
        let from = filter.from.map_or(i64::MIN, |at| at.as_microsecond());
        let until = filter.until.map_or(i64::MAX, |at| at.as_microsecond());
        Ok(Self {
            marks: marks_for(filter, objects.as_deref()),
            words: (!words.is_empty()).then(|| matched(&words)),
            is_nowhere,
            times: (from, until),
        })
    }

    /// For records, other than statements, that name `id`.
    pub(super) fn naming(id: &str) -> Self {
        Self { marks: vec![vec![Mark::Names(Hash::of(id)).number()]], ..Self::ANY }
    }

    /// The next blocks that may have what is wanted, from record `from` on; and from where there are more.
    pub(super) async fn window(
        &self,
        on: &mut SqliteConnection,
        (least, behind): (u64, u64),
        from: u64,
        direction: Direction,
    ) -> Result<(Vec<Block>, Option<u64>), sqlx::Error> {
        let (low, high, order) = match direction {
            Direction::Newest => (least, from, "DESC"),
            Direction::Oldest => (from, behind, "ASC"),
        };
        let text = format!(
            "SELECT {COLUMNS} FROM block WHERE id >= (SELECT coalesce(max(id), 0) FROM block WHERE id <= ?1) \
             AND id < ?2 AND until_at >= ?3 AND from_at < ?4 ORDER BY id {order} LIMIT {WINDOW_BLOCKS}"
        );
        // Nothing but our own words and question marks.
        let rows = sqlx::query(AssertSqlSafe(text))
            .bind(integer(low))
            .bind(integer(high))
            .bind(self.times.0)
            .bind(self.times.1)
            .fetch_all(&mut *on)
            .await?;
        let mut blocks = rows.iter().map(Block::of_row).collect::<Result<Vec<_>, _>>()?;
        let next = blocks.last().filter(|_| blocks.len() >= WINDOW_BLOCKS).map(|last| match direction {
            Direction::Newest => last.first,
            Direction::Oldest => last.next(),
        });
        // The first may end before what is wanted begins.
        blocks.retain(|block| block.next() > least);
        let bounds = blocks.iter().map(|it| it.first).min().zip(blocks.iter().map(|it| it.first).max());
        let Some(bounds) = bounds else { return Ok((blocks, next)) };
        for any in &self.marks {
            let seen = seen(on, any, bounds).await?;
            blocks.retain(|block| seen.contains(&block.first));
        }
        if let (Some(words), false) = (&self.words, blocks.is_empty()) {
            let worded = worded(on, words, bounds).await?;
            blocks.retain(|block| worded.contains(&block.first));
        }
        Ok((blocks, next))
    }
}

/// The blocks that have one of these marks.
async fn seen(
    on: &mut SqliteConnection,
    any: &[i64],
    (least, most): (u64, u64),
) -> Result<HashSet<u64>, sqlx::Error> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT block FROM seen WHERE mark IN (");
    let mut list = query.separated(", ");
    any.iter().for_each(|mark| {
        list.push_bind(*mark);
    });
    query.push(") AND block BETWEEN ").push_bind(integer(least)).push(" AND ").push_bind(integer(most));
    let rows: Vec<(i64,)> = query.build_query_as().fetch_all(on).await?;
    Ok(numbers(rows))
}

/// The blocks that have these words.
async fn worded(
    on: &mut SqliteConnection,
    words: &str,
    (least, most): (u64, u64),
) -> Result<HashSet<u64>, sqlx::Error> {
    let rows: Vec<(i64,)> =
        sqlx::query_as("SELECT rowid FROM text WHERE text MATCH ? AND rowid BETWEEN ? AND ?")
            .bind(words)
            .bind(integer(least))
            .bind(integer(most))
            .fetch_all(on)
            .await?;
    Ok(numbers(rows))
}

/// Numbers of records, as the index has them.
pub(super) fn numbers<C: FromIterator<u64>>(rows: Vec<(i64,)>) -> C {
    rows.into_iter().map(|(number,)| u64::try_from(number).unwrap_or(0)).collect()
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

/// Blocks that are thought about at one time: about four million records.
const WINDOW_BLOCKS: usize = 4096;
