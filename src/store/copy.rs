//! From one store to another, whatever each is kept in.

use sqlx::AssertSqlSafe;

use super::{
    database::Store,
    error::{StoreError, doing},
    place::Place,
    row::value,
    sql::{Row, Value, query},
};

impl Store {
    /// Writes everything that this store holds to `other`, in one transaction; gives the number of rows.
    ///
    /// What gateways change in this store meanwhile may be missing in the other: stop them first.
    ///
    /// # Errors
    /// `NotEmpty` when something is kept in `other`, `Query` and `Corrupt`; nothing is kept in it then.
    pub async fn copy_to(&self, other: &Self, place: &Place) -> Result<u64, StoreError> {
        let mut change = other.change().await?;
        let mut rows = 0;
        for table in TABLES {
            let held = query(AssertSqlSafe(format!("SELECT 1 AS held FROM {} LIMIT 1", table.name)));
            let held =
                held.fetch_within(change.connection()).await.map_err(doing("look whether it is empty"))?;
            if held.is_some() {
                return Err(StoreError::NotEmpty { store: place.to_string() });
            }
        }
        for table in TABLES {
            let all = query(AssertSqlSafe(table.select()));
            for row in all.fetch_all(&self.pool).await.map_err(doing("read a table"))? {
                let mut insert = query(AssertSqlSafe(table.insert()));
                for (column, kind) in table.columns {
                    insert = insert.bind(kind.of(&row, column)?);
                }
                insert.execute(change.connection()).await.map_err(doing("write a row"))?;
                rows += 1;
            }
        }
        change.commit().await?;
        Ok(rows)
    }
}

struct Table {
    name: &'static str,
    columns: &'static [(&'static str, Kind)],
}

#[derive(Clone, Copy)]
enum Kind {
    Boolean,
    Bytes,
    Integer,
    Text,
}

use Kind::{Boolean, Bytes, Integer, Text};

impl Table {
    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    fn select(&self) -> String {
        format!("SELECT {} FROM {}", self.names(), self.name)
    }

    fn insert(&self) -> String {
        let places: Vec<_> = (1..=self.columns.len()).map(|number| format!("${number}")).collect();
        format!("INSERT INTO {} ({}) VALUES ({})", self.name, self.names(), places.join(", "))
    }
}

impl Kind {
    fn of(self, row: &Row, column: &'static str) -> Result<Value, StoreError> {
        Ok(match self {
            Boolean => Value::Boolean(value(row, column)?),
            Bytes => Value::Bytes(value(row, column)?),
            Integer => Value::Integer(value(row, column)?),
            Text => Value::Text(value(row, column)?),
        })
    }
}

/// Every table with its columns, what is referred to before what refers to it.
const TABLES: &[Table] = &[
    Table { name: "meta", columns: &[("name", Text), ("value", Bytes)] },
    Table {
        name: "principals",
        columns: &[
            ("name", Text),
            ("member_of", Text),
            ("disabled", Boolean),
            ("salt", Bytes),
            ("iterations", Integer),
            ("stored_key", Bytes),
            ("server_key", Bytes),
            ("created_at", Integer),
            ("native_key", Bytes),
        ],
    },
    Table {
        name: "identities",
        columns: &[
            ("principal", Text),
            ("issuer", Text),
            ("subject", Text),
            ("member_of", Text),
            ("external_id", Text),
            ("deactivated", Boolean),
            ("removed_at", Integer),
        ],
    },
    Table {
        name: "directory_groups",
        columns: &[("id", Text), ("name", Text), ("external_id", Text), ("created_at", Integer)],
    },
    Table { name: "directory_members", columns: &[("directory_group", Text), ("principal", Text)] },
    Table {
        name: "tokens",
        columns: &[
            ("id", Text),
            ("principal", Text),
            ("name", Text),
            ("stored_key", Bytes),
            ("server_key", Bytes),
            ("created_at", Integer),
            ("ends_at", Integer),
            ("revoked_at", Integer),
            ("native_key", Bytes),
        ],
    },
    Table {
        name: "service_keys",
        columns: &[
            ("id", Text),
            ("name", Text),
            ("sha256", Bytes),
            ("scopes", Text),
            ("created_at", Integer),
            ("ends_at", Integer),
            ("revoked_at", Integer),
            ("principal", Text),
        ],
    },
    Table {
        name: "requests",
        columns: &[
            ("id", Text),
            ("requester", Text),
            ("target", Text),
            ("database_name", Text),
            ("body", Text),
            ("plan", Text),
            ("state", Text),
            ("aftermath", Text),
            ("grant_id", Text),
            ("created_at", Integer),
            ("expires_at", Integer),
            ("decided_at", Integer),
            ("escalated_at", Integer),
            ("version", Integer),
            ("escalates_at", Integer),
            ("estimate", Text),
        ],
    },
    Table {
        name: "reviews",
        columns: &[
            ("request", Text),
            ("reviewer", Text),
            ("afterwards", Boolean),
            ("step", Integer),
            ("verdict", Text),
            ("comment", Text),
            ("given_at", Integer),
        ],
    },
    Table {
        name: "grants",
        columns: &[
            ("id", Text),
            ("holder_kind", Text),
            ("holder", Text),
            ("target", Text),
            ("database_name", Text),
            ("objects", Text),
            ("permissions", Text),
            ("starts_at", Integer),
            ("ends_at", Integer),
            ("reason", Text),
            ("created_at", Integer),
            ("created_by", Text),
            ("revoked_at", Integer),
            ("revoked_by", Text),
            ("revoke_reason", Text),
            ("request", Text),
            ("approvers", Text),
            ("statement", Text),
            ("used_at", Integer),
            ("announced_at", Integer),
            ("start_told_at", Integer),
            ("end_told_at", Integer),
        ],
    },
    Table {
        name: "idempotency_keys",
        columns: &[
            ("owner", Text),
            ("name", Text),
            ("sha256", Bytes),
            ("request", Text),
            ("created_at", Integer),
        ],
    },
    Table {
        name: "events",
        columns: &[
            ("seq", Integer),
            ("at", Integer),
            ("kind", Text),
            ("subject", Text),
            ("audience", Text),
            ("body", Text),
        ],
    },
    Table {
        name: "event_cursors",
        columns: &[("consumer", Text), ("seq", Integer), ("holder", Text), ("held_until", Integer)],
    },
    Table {
        name: "webhook_deliveries",
        columns: &[
            ("id", Text),
            ("webhook", Text),
            ("seq", Integer),
            ("at", Integer),
            ("body", Text),
            ("state", Text),
            ("attempts", Integer),
            ("tried_at", Integer),
            ("status", Integer),
            ("problem", Text),
        ],
    },
    Table { name: "disabled_webhooks", columns: &[("webhook", Text), ("disabled_at", Integer)] },
    Table {
        name: "slack_links",
        columns: &[
            ("team", Text),
            ("slack_user", Text),
            ("principal", Text),
            ("linked_at", Integer),
            ("linked_by", Text),
        ],
    },
    Table {
        name: "slack_codes",
        columns: &[
            ("team", Text),
            ("slack_user", Text),
            ("label", Text),
            ("sha256", Bytes),
            ("ends_at", Integer),
        ],
    },
    Table {
        name: "slack_messages",
        columns: &[("request", Text), ("part", Text), ("channel", Text), ("ts", Text), ("shown", Bytes)],
    },
    Table { name: "denials", columns: &[("principal", Text), ("id", Text), ("body", Text), ("at", Integer)] },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[tokio::test]
    async fn every_column_of_every_table_is_copied() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        let rows = query(
            "SELECT tables.name || '.' || columns.name AS name FROM sqlite_schema AS tables, \
             pragma_table_info(tables.name) AS columns WHERE tables.type = 'table' \
             AND tables.name NOT LIKE 'sqlite%' AND tables.name <> '_sqlx_migrations'",
        );
        let rows = rows.fetch_all(&store.pool).await.unwrap();
        let there: BTreeSet<String> = rows.iter().map(|row| row.get("name").unwrap()).collect();
        let mut copied = BTreeSet::new();
        for table in TABLES {
            copied.extend(table.columns.iter().map(|(column, _)| format!("{}.{column}", table.name)));
        }
        assert_eq!(copied, there);
    }
}
