//! What is known of the provider: its description and its keys, fetched when they are needed and not more often.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex, MutexGuard};
use tracing::{info, warn};

use super::{
    error::{IdentityError, TokenProblem},
    fetch::Fetch,
    keys::KeySet,
    metadata::{Metadata, address_of},
    token::Header,
};
use crate::{model::identity::ProviderSettings, net::Clock};

/// Description and keys of a provider at one moment.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) metadata: Metadata,
    pub(super) keys: KeySet,
    at: Timestamp,
}

/// Fetches them.
///
/// They are fetched anew when they are ten minutes old, and when a token names a key that is not among them: then at
/// most once in the configured time, whatever is shown. While the provider does not answer, what was known goes on
/// being used, for a day.
#[derive(Debug)]
pub(super) struct Source {
    fetch: Fetch,
    clock: Clock,
    known: ArcSwapOption<Known>,
    /// When it was last tried. One fetches, the others wait for it.
    tried_at: Mutex<Option<Timestamp>>,
}

impl Source {
    pub(super) fn new(fetch: Fetch, clock: Clock) -> Self {
        Self { fetch, clock, known: ArcSwapOption::empty(), tried_at: Mutex::new(None) }
    }

    /// What is known, with a key for a token with this header.
    ///
    /// # Errors
    /// `NoKeys` when nothing is known, `UnknownKey` when there is no such key and it is too early to ask again.
    pub(super) async fn with_key(
        &self,
        settings: &ProviderSettings,
        header: &Header,
    ) -> Result<Arc<Known>, TokenProblem> {
        // What is to be done comes to light below: keys are there or not.
        let _ = self.renew(settings).await;
        let has_key = |known: &Arc<Known>| known.keys.has(header);
        if let Some(known) = self.usable().filter(has_key) {
            return Ok(known);
        }
        let wait = match self.usable() {
            Some(_) => SignedDuration::try_from(settings.refetch).unwrap_or(AGAIN),
            None => FIRST_AGAIN,
        };
        let tried_at = self.tried_at.lock().await;
        let _ = self.fetch_if_due(settings, tried_at, wait).await;
        match self.usable() {
            Some(known) if has_key(&known) => Ok(known),
            Some(_) => Err(TokenProblem::UnknownKey),
            None => Err(TokenProblem::NoKeys),
        }
    }

    /// What is known, fetched if nothing is.
    ///
    /// # Errors
    /// Why it cannot be fetched.
    pub(super) async fn known(&self, settings: &ProviderSettings) -> Result<Arc<Known>, IdentityError> {
        self.renew(settings).await?;
        let silent = || IdentityError::Answer { doing: DESCRIPTION, problem: "there was none".to_owned() };
        self.usable().ok_or_else(silent)
    }

    /// Fetches what is not known or old.
    ///
    /// # Errors
    /// Why it could not be fetched, if nothing is known.
    async fn renew(&self, settings: &ProviderSettings) -> Result<(), IdentityError> {
        match self.usable() {
            Some(known) if age(known.at, self.clock.now()) < FRESH => Ok(()),
            Some(_) => {
                // Whoever comes while somebody fetches goes on with what is there.
                if let Ok(tried_at) = self.tried_at.try_lock() {
                    let _ = self.fetch_if_due(settings, tried_at, AGAIN).await;
                }
                Ok(())
            }
            None => {
                let tried_at = self.tried_at.lock().await;
                self.fetch_if_due(settings, tried_at, FIRST_AGAIN).await
            }
        }
    }

    /// What was fetched in the last day.
    fn usable(&self) -> Option<Arc<Known>> {
        // closed: a provider that was silent for a day may have thrown away any of its keys
        self.known.load_full().filter(|known| age(known.at, self.clock.now()) < STALE)
    }

    /// Fetches both, unless that was tried less than `wait` ago.
    async fn fetch_if_due(
        &self,
        settings: &ProviderSettings,
        mut tried_at: MutexGuard<'_, Option<Timestamp>>,
        wait: SignedDuration,
    ) -> Result<(), IdentityError> {
        let now = self.clock.now();
        if tried_at.is_some_and(|at| age(at, now) < wait) {
            return Ok(());
        }
        *tried_at = Some(now);
        match self.fetch_both(settings).await {
            Ok(known) => {
                self.known.store(Some(Arc::new(known)));
                info!(issuer = settings.issuer, "keys of the identity provider fetched");
                Ok(())
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(tracing::field::display);
                warn!(issuer = settings.issuer, %error, cause, "identity provider does not answer as it should");
                Err(error)
            }
        }
    }

    async fn fetch_both(&self, settings: &ProviderSettings) -> Result<Known, IdentityError> {
        let at = self.clock.now();
        let Published { metadata, keys, .. } = published(&self.fetch, settings).await?;
        Ok(Known { metadata, keys, at })
    }

    pub(super) fn fetch(&self) -> &Fetch {
        &self.fetch
    }
}

/// What a provider publishes.
pub(super) struct Published {
    pub(super) metadata: Metadata,
    pub(super) keys: KeySet,
    /// What time it is there, if it said so.
    pub(super) at: Option<Timestamp>,
}

/// Fetches description and keys.
///
/// # Errors
/// `Unreachable`, `Answer`.
pub(super) async fn published(
    fetch: &Fetch,
    settings: &ProviderSettings,
) -> Result<Published, IdentityError> {
    let (document, at) = fetch.get_dated(DESCRIPTION, &address_of(&settings.issuer)).await?;
    let metadata = Metadata::read(&document, &settings.issuer)
        .map_err(|problem| IdentityError::Answer { doing: DESCRIPTION, problem })?;
    let (document, _) = fetch.get_dated(KEYS, &metadata.jwks_uri).await?;
    let keys = KeySet::read(&document)
        .ok_or_else(|| IdentityError::Answer { doing: KEYS, problem: "it is no set of keys".to_owned() })?;
    Ok(Published { metadata, keys, at })
}

/// How long ago `at` was; a clock that was put back makes everything old.
fn age(at: Timestamp, now: Timestamp) -> SignedDuration {
    let age = now.duration_since(at);
    if age < SignedDuration::ZERO { STALE } else { age }
}

const DESCRIPTION: &str = "its description";
const KEYS: &str = "its keys";
const FRESH: SignedDuration = SignedDuration::from_mins(10);
const STALE: SignedDuration = SignedDuration::from_hours(24);
const AGAIN: SignedDuration = SignedDuration::from_secs(30);
const FIRST_AGAIN: SignedDuration = SignedDuration::from_secs(2);
