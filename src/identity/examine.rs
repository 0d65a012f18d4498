//! A look at a provider, for whoever sets one up.

use jiff::Timestamp;

use super::{
    error::IdentityError,
    fetch::Fetch,
    keys::KeySet,
    metadata::{Metadata, address_of},
    source::{DESCRIPTION, KEYS},
};
use crate::model::identity::ProviderSettings;

/// What a provider shows to everybody.
#[derive(Clone, Debug)]
pub struct Examined {
    /// Keys that sign something that is taken here.
    pub keys: usize,
    /// What time it is there, in whole seconds, if it said so.
    pub at: Option<Timestamp>,
    /// Whether people can log in with a browser.
    pub browser: bool,
    /// Whether people can log in on another device.
    pub device: bool,
}

/// Asks for description and keys, as the gateway will; shows no secret and logs nobody in.
///
/// # Errors
/// `Setup`, `Unreachable`, `Answer`.
pub async fn examine(settings: &ProviderSettings) -> Result<Examined, IdentityError> {
    let fetch = Fetch::new(settings)?;
    let (document, at) = fetch.get_dated(DESCRIPTION, &address_of(&settings.issuer)).await?;
    let answer = |doing, problem| IdentityError::Answer { doing, problem };
    let metadata =
        Metadata::read(&document, &settings.issuer).map_err(|problem| answer(DESCRIPTION, problem))?;
    let document = fetch.get(KEYS, &metadata.jwks_uri).await?;
    let keys = KeySet::read(&document).ok_or_else(|| answer(KEYS, "it is no set of keys".to_owned()))?.len();
    let has_tokens = metadata.token_endpoint.is_some();
    Ok(Examined {
        keys,
        at,
        browser: has_tokens && metadata.authorization_endpoint.is_some(),
        device: has_tokens && metadata.device_authorization_endpoint.is_some(),
    })
}
