//! One provider: whom its tokens prove.

use std::fmt;

use serde::Deserialize;

use super::{
    claims::{Proven, Purpose},
    error::{IdentityError, TokenProblem},
    fetch::Fetch,
    metadata::address_of,
    seal::Seal,
    source::{Known, Source},
    token,
};
use crate::{
    model::{
        identity::{ProviderSettings, WhereTokensComeFrom},
        secret::Secret,
    },
    net::Clock,
};

/// An identity provider that people log in with.
pub struct Provider {
    settings: ProviderSettings,
    clock: Clock,
    source: Source,
    pub(super) seal: Seal,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.settings.issuer).finish_non_exhaustive()
    }
}

impl Provider {
    /// Connects nowhere yet. The state of logins under way is sealed with what `secret` gives: gateways with the same
    /// one can finish what another began.
    ///
    /// # Errors
    /// `Setup` when its authorities cannot be read.
    pub fn new(
        settings: ProviderSettings,
        secret: &Secret<[u8; 32]>,
        clock: Clock,
    ) -> Result<Self, IdentityError> {
        let fetch = Fetch::new(&settings)?;
        let (seal, source) = (Seal::new(secret)?, Source::new(fetch, clock.clone()));
        Ok(Self { settings, clock, source, seal })
    }

    /// What is believed of it.
    pub fn settings(&self) -> &ProviderSettings {
        &self.settings
    }

    /// What clients are told that have no token yet.
    pub fn where_tokens_come_from(&self) -> WhereTokensComeFrom {
        WhereTokensComeFrom {
            configuration: address_of(&self.settings.issuer),
            scope: self.settings.scopes.join(" "),
        }
    }

    /// Whom `token` proves, now.
    ///
    /// # Errors
    /// Why it proves nobody.
    pub async fn verify(&self, token: &str, purpose: Purpose<'_>) -> Result<Proven, TokenProblem> {
        let header = token::header(token)?;
        let known = self.source.with_key(&self.settings, &header).await?;
        let claims = known.keys.claims(token, &header)?;
        claims.prove(&self.settings, purpose, self.clock.now())
    }

    pub(super) async fn known(&self) -> Result<std::sync::Arc<Known>, IdentityError> {
        self.source.known(&self.settings).await
    }

    pub(super) fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// Asks an endpoint of the provider as the gateway.
    ///
    /// # Errors
    /// `Declined` with its word, `Unreachable`, `Answer`.
    pub(super) async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        doing: &'static str,
        address: &str,
        known: &Known,
        mut form: Vec<(&str, &str)>,
    ) -> Result<T, IdentityError> {
        let id = self.settings.client_id.as_str();
        let secret = self.settings.client_secret.as_ref().map(|secret| secret.expose().as_str());
        let in_header = match secret {
            Some(secret) if !known.metadata.wants_secret_in_body() => Some((id, secret)),
            Some(secret) => {
                form.extend([("client_id", id), ("client_secret", secret)]);
                None
            }
            None => {
                form.push(("client_id", id));
                None
            }
        };
        let (status, body) = self.source.fetch().post(doing, address, &form, in_header).await?;
        let unusable = |_| IdentityError::Answer { doing, problem: format!("status {}", status.as_u16()) };
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(unusable);
        }
        let Declined { error } = serde_json::from_slice(&body).map_err(unusable)?;
        Err(IdentityError::Declined {
            code: error.chars().filter(|it| it.is_ascii_graphic()).take(60).collect(),
        })
    }
}

#[derive(Deserialize)]
struct Declined {
    error: String,
}

/// The answer of the token endpoint; access tokens are for somebody else and not looked at.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) id_token: String,
}
