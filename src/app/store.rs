//! The configured store, as the store's folder wants it.

use crate::{
    config,
    store::{Place, Server, ServerTls, Store, StoreError},
};

/// Where the configured store is.
pub fn store_place(configured: &config::Store) -> Place {
    match configured {
        config::Store::Sqlite(path) => Place::Sqlite(path.clone()),
        config::Store::Postgres(postgres) => Place::Postgres(Server {
            host: postgres.endpoint.host.clone(),
            port: postgres.endpoint.port,
            database: postgres.database.clone(),
            user: postgres.user.clone(),
            password: postgres.password.clone(),
            tls: match &postgres.tls {
                config::StoreTls::Disable => ServerTls::Disable,
                config::StoreTls::VerifyFull { ca } => ServerTls::VerifyFull { ca: ca.clone() },
            },
        }),
    }
}

/// Opens the configured store.
pub(super) async fn open(configured: &config::Store) -> Result<Store, StoreError> {
    Store::open_at(&store_place(configured)).await
}
