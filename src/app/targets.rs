//! The configured targets, as the folders that use them want them.

use std::sync::Arc;

use crate::{
    config,
    model::ids::TargetName,
    net::{ClientTls, Clock, NetError, Roots},
    session::login::Listing,
    upstream::{
        Account, Accounts, Attribution, Credential, Endpoint, PoolSettings, Reader, TargetSettings,
        TargetTls,
        iam::{ChainSettings, IamAccount, IamTokens, SharedCredentialsProvider, StandardChain},
    },
};

/// For the pools.
pub(super) fn upstream(target: &config::TargetSettings, clock: &Clock) -> Result<TargetSettings, NetError> {
    let (server_name, tls) = match &target.tls {
        config::UpstreamTls::Disable => (None, None),
        config::UpstreamTls::VerifyFull { ca, server_name } => {
            (server_name.as_deref(), Some(ca.clone().map_or(Roots::System, Roots::File)))
        }
    };
    let trust = |at: &config::Endpoint, server_name: Option<&str>| match &tls {
        None => Ok(TargetTls::Disable),
        Some(roots) => ClientTls::open(roots, server_name.unwrap_or(&at.host)).map(TargetTls::VerifyFull),
    };
    let reader = target.reader.as_ref().map(|reader| -> Result<_, NetError> {
        let tls = trust(&reader.endpoint, reader.server_name.as_deref())?;
        Ok(Reader { endpoint: endpoint(&reader.endpoint), tls })
    });
    let account = |account: &config::Account| Account {
        user: account.user.as_str().into(),
        credential: match &account.credential {
            config::Credential::Iam(iam) => Credential::Iam(tokens(iam, &account.user, clock)),
            config::Credential::Password(password) => Credential::Password(password.clone()),
        },
    };
    Ok(TargetSettings {
        name: target.target.name.clone(),
        dialect: target.target.dialect,
        endpoint: endpoint(&target.endpoint),
        tls: trust(&target.endpoint, server_name)?,
        reader: reader.transpose()?,
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
            failover_wait: target.pool.failover_wait,
            new_connections_per_second: target.pool.new_connections_per_second,
            prepared_statements: usize::try_from(target.pool.prepared_statements).unwrap_or(usize::MAX),
            ..PoolSettings::default()
        },
        attribution: match target.attribution {
            config::Attribution::ApplicationName => Attribution::ApplicationName,
            config::Attribution::Comment => Attribution::Comment,
            config::Attribution::Off => Attribution::Off,
        },
    })
}

fn tokens(iam: &config::Iam, user: &str, clock: &Clock) -> Arc<IamTokens> {
    let chain = StandardChain::new(ChainSettings {
        region: iam.region.clone(),
        profile: iam.profile.clone(),
        role_arn: iam.role_arn.clone(),
    });
    let account =
        IamAccount { endpoint: endpoint(&iam.endpoint), region: iam.region.clone(), user: user.into() };
    IamTokens::new(account, SharedCredentialsProvider::new(chain), clock.clone())
}

fn endpoint(endpoint: &config::Endpoint) -> Endpoint {
    Endpoint { host: endpoint.host.as_str().into(), port: endpoint.port }
}

/// For the listeners.
pub(super) fn listings(listener: &config::Listener, targets: &[config::TargetSettings]) -> Vec<Listing> {
    let listed = |name: &TargetName| targets.iter().find(|target| target.target.name == *name);
    let found = listener.targets.iter().filter_map(listed);
    found
        .map(|target| Listing { target: target.target.name.clone(), databases: target.databases.clone() })
        .collect()
}
