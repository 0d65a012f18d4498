//! The configured targets, as the folders that use them want them.

use crate::{
    config,
    model::ids::TargetName,
    net::{ClientTls, NetError, Roots},
    session::login::Listing,
    upstream::{Account, Accounts, Credential, Endpoint, PoolSettings, TargetSettings, TargetTls},
};

/// For the pools.
pub(super) fn upstream(target: &config::TargetSettings) -> Result<TargetSettings, NetError> {
    let tls = match &target.tls {
        config::UpstreamTls::Disable => TargetTls::Disable,
        config::UpstreamTls::VerifyFull { ca, server_name } => {
            let roots = ca.clone().map_or(Roots::System, Roots::File);
            let name = server_name.as_deref().unwrap_or(&target.endpoint.host);
            TargetTls::VerifyFull(ClientTls::open(&roots, name)?)
        }
    };
    let account = |account: &config::Account| Account {
        user: account.user.as_str().into(),
        credential: Credential::Password(account.password.clone()),
    };
    Ok(TargetSettings {
        name: target.target.name.clone(),
        dialect: target.target.dialect,
        endpoint: Endpoint { host: target.endpoint.host.as_str().into(), port: target.endpoint.port },
        tls,
        accounts: Accounts {
            read: account(&target.accounts.read),
            write: target.accounts.write.as_ref().map(account),
            admin: target.accounts.admin.as_ref().map(account),
        },
        databases: target.databases.clone(),
        pool: PoolSettings {
            max_connections: usize::try_from(target.pool.max_connections).unwrap_or(usize::MAX),
            wait_timeout: target.pool.wait_timeout,
            idle_timeout: target.pool.idle_timeout,
            max_lifetime: target.pool.max_lifetime,
            ..PoolSettings::default()
        },
    })
}

/// For the listeners.
pub(super) fn listings(listener: &config::Listener, targets: &[config::TargetSettings]) -> Vec<Listing> {
    let listed = |name: &TargetName| targets.iter().find(|target| target.target.name == *name);
    let found = listener.targets.iter().filter_map(listed);
    found
        .map(|target| Listing { target: target.target.name.clone(), databases: target.databases.clone() })
        .collect()
}
