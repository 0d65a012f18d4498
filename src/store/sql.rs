//! One text for both databases: what is bound to it, and what comes back.

use sqlx::{
    Decode, Postgres, Row as _, SqlSafeStr, SqlStr, Sqlite, Type, postgres::PgRow, sqlite::SqliteRow,
};

use tokio::time::timeout;

use super::{
    pool::{PATIENCE, Pool},
    transaction::Transaction,
};

/// A statement that both databases read alike (`$1`, `$2`, … for what is bound), with what is bound so far.
pub(super) struct Query {
    text: SqlStr,
    values: Vec<Value>,
}

/// A statement to which nothing is bound yet.
pub(super) fn query(text: impl SqlSafeStr) -> Query {
    Query { text: text.into_sql_str(), values: Vec::new() }
}

/// The statement for the database that it is used with.
macro_rules! bound {
    ($query:ident) => {{
        let mut bound = sqlx::query($query.text);
        for value in $query.values {
            bound = match value {
                Value::Boolean(value) => bound.bind(value),
                Value::Bytes(value) => bound.bind(value),
                Value::Integer(value) => bound.bind(value),
                Value::Text(value) => bound.bind(value),
            };
        }
        bound
    }};
}

impl Query {
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs it as part of a transaction; gives how many rows it touched.
    pub(super) async fn execute(self, on: &mut Transaction) -> Result<u64, sqlx::Error> {
        match on {
            Transaction::Postgres(open) => {
                let done = timeout(PATIENCE, bound!(self).execute(open.connection()?)).await;
                open.settle(done).map(|done| done.rows_affected())
            }
            Transaction::Sqlite(open) => {
                bound!(self).execute(&mut **open).await.map(|done| done.rows_affected())
            }
        }
    }

    /// The row that it finds as part of a transaction, if there is one.
    pub(super) async fn fetch_within(self, on: &mut Transaction) -> Result<Option<Row>, sqlx::Error> {
        match on {
            Transaction::Postgres(open) => {
                let row = timeout(PATIENCE, bound!(self).fetch_optional(open.connection()?)).await;
                Ok(open.settle(row)?.map(Row::Postgres))
            }
            Transaction::Sqlite(open) => Ok(bound!(self).fetch_optional(&mut **open).await?.map(Row::Sqlite)),
        }
    }

    /// The row that it finds, if there is one.
    pub(super) async fn fetch_optional(self, pool: &Pool) -> Result<Option<Row>, sqlx::Error> {
        match pool {
            Pool::Postgres(pool) => {
                let mut open = pool.open().await?;
                let row = timeout(PATIENCE, bound!(self).fetch_optional(open.connection()?)).await;
                Ok(open.settle(row)?.map(Row::Postgres))
            }
            Pool::Sqlite(pool) => Ok(bound!(self).fetch_optional(pool).await?.map(Row::Sqlite)),
        }
    }

    /// The rows that it finds.
    pub(super) async fn fetch_all(self, pool: &Pool) -> Result<Vec<Row>, sqlx::Error> {
        match pool {
            Pool::Postgres(pool) => {
                let mut open = pool.open().await?;
                let rows = timeout(PATIENCE, bound!(self).fetch_all(open.connection()?)).await;
                Ok(open.settle(rows)?.into_iter().map(Row::Postgres).collect())
            }
            Pool::Sqlite(pool) => {
                Ok(bound!(self).fetch_all(pool).await?.into_iter().map(Row::Sqlite).collect())
            }
        }
    }
}

/// What may be bound: the types that both databases have.
pub(super) enum Value {
    Boolean(Option<bool>),
    Bytes(Option<Vec<u8>>),
    Integer(Option<i64>),
    Text(Option<String>),
}

macro_rules! values {
    ($($type:ty => $variant:ident, $own:expr;)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(Some($own(value)))
            }
        }

        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value.map($own))
            }
        }
    )*};
}

values! {
    bool => Boolean, std::convert::identity;
    &[u8] => Bytes, <[u8]>::to_vec;
    Vec<u8> => Bytes, std::convert::identity;
    i64 => Integer, std::convert::identity;
    &str => Text, str::to_owned;
    String => Text, std::convert::identity;
}

/// A row of either database.
pub(super) enum Row {
    Postgres(PgRow),
    Sqlite(SqliteRow),
}

impl Row {
    pub(super) fn get<T>(&self, column: &str) -> Result<T, sqlx::Error>
    where
        T: for<'r> Decode<'r, Postgres> + Type<Postgres>,
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite>,
    {
        match self {
            Self::Postgres(row) => row.try_get(column),
            Self::Sqlite(row) => row.try_get(column),
        }
    }
}
