//! A look at a provider, for whoever sets one up.

use jiff::Timestamp;

use super::{
    error::IdentityError,
    fetch::Fetch,
    source::{Published, published},
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
    let Published { metadata, keys, at } = published(&Fetch::new(settings)?, settings).await?;
    let has_tokens = metadata.token_endpoint.is_some();
    Ok(Examined {
        keys: keys.len(),
        at,
        browser: has_tokens && metadata.authorization_endpoint.is_some(),
        device: has_tokens && metadata.device_authorization_endpoint.is_some(),
    })
}
