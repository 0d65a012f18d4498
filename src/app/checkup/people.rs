//! The identity provider.

use super::{finding::Finding, servers::clocks};
use crate::{
    config::Config,
    identity::{IdentityError, examine},
    net::Clock,
    upstream::causes,
};

pub(super) async fn check(config: &Config, clock: &Clock, tell: &mut (dyn FnMut(Finding) + Send)) {
    let Some(settings) = &config.oidc else { return };
    let check = "identity provider";
    let before = clock.now();
    let seen = match examine(settings).await {
        Ok(seen) => seen,
        Err(error) => return tell(Finding::failed(check, causes(&error), advice(&error))),
    };
    let ways = match (seen.browser, seen.device) {
        (true, true) => "browser and device logins",
        (true, false) => "browser logins, no device logins",
        (false, true) => "device logins, no browser logins",
        (false, false) => "no way to log in but with a token",
    };
    tell(Finding::ok(check, format!("{} describes itself: {ways}", settings.issuer)));
    let keys = format!("{check} keys");
    tell(match seen.keys {
        0 => {
            let advice = "have it sign with RS256, PS256, ES256 or EdDSA: until then no token is believed";
            Finding::failed(keys, "it publishes no key that is taken here", advice)
        }
        count => Finding::ok(keys, format!("it publishes {count} that are taken here")),
    });
    if let Some(at) = seen.at {
        tell(clocks(check, "the provider", (before, clock.now()), at));
    }
}

const fn advice(error: &IdentityError) -> &'static str {
    match error {
        IdentityError::Answer { .. } => {
            "write oidc.issuer as its discovery document has it, to the letter; docs/identity.md says more"
        }
        IdentityError::Unreachable { .. } => {
            "look at oidc.issuer, at the DNS, and at firewalls between; while it is away nobody new logs in by it"
        }
        IdentityError::Setup { .. } => "let oidc.ca name a file of PEM certificates",
        IdentityError::Declined { .. }
        | IdentityError::NoSuchLogin
        | IdentityError::Pending { .. }
        | IdentityError::Random
        | IdentityError::Redirect
        | IdentityError::Token(_)
        | IdentityError::Unsupported { .. } => "look at the provider's own log",
    }
}
