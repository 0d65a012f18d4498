//! Credentials of AWS.

use std::{collections::BTreeSet, time::Duration};

use aws_credential_types::provider::ProvideCredentials;
use jiff::Timestamp;
use tokio::time::timeout;

use super::finding::Finding;
use crate::{
    config::{Config, Credential},
    model::target::Lane,
    upstream::{
        causes,
        iam::{ChainSettings, StandardChain},
    },
};

/// Region, profile and role.
type Chain<'c> = (&'c str, Option<&'c str>, Option<&'c str>);

/// Looks whether there are credentials for each target that logs in with tokens.
pub(super) async fn check(config: &Config, tell: &mut (dyn FnMut(Finding) + Send)) {
    for target in &config.targets {
        let tokens = Lane::ALL.into_iter().filter_map(|lane| match &target.accounts.of(lane).credential {
            Credential::Iam(iam) => {
                Some((iam.region.as_str(), iam.profile.as_deref(), iam.role_arn.as_deref()))
            }
            Credential::Password(_) => None,
        });
        for chain in tokens.collect::<BTreeSet<Chain<'_>>>() {
            tell(credentials(&format!("target {}", target.target.name), chain).await);
        }
    }
}

/// Asks the chain for credentials; shows nothing of them but their end.
pub(super) async fn credentials(check: &str, (region, profile, role_arn): Chain<'_>) -> Finding {
    let check = format!("{check} aws credentials");
    let chain = StandardChain::new(ChainSettings {
        region: region.to_owned(),
        profile: profile.map(str::to_owned),
        role_arn: role_arn.map(str::to_owned),
    });
    let advice =
        "give the gateway AWS credentials (IRSA, instance role, profile); docs/aurora.md lists the places";
    match timeout(PATIENCE, chain.provide_credentials()).await {
        Ok(Ok(found)) => {
            let end = found.expiry().and_then(|end| Timestamp::try_from(end).ok());
            let end = end.map_or_else(|| "without an end".to_owned(), |end| format!("until {end:.0}"));
            Finding::ok(check, format!("there are some, {end}"))
        }
        Ok(Err(error)) => Finding::failed(check, causes(&error), advice),
        Err(_) => Finding::failed(check, format!("nobody gives any within {} s", PATIENCE.as_secs()), advice),
    }
}

/// As long as a login waits for them.
const PATIENCE: Duration = Duration::from_secs(10);
