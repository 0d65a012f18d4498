//! The login tokens of one account: made, kept, and renewed before they are needed.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use jiff::Timestamp;
use tokio::{sync::OwnedMutexGuard, time::timeout};

use super::{
    error::IamError,
    token::{LIFE, token},
};
use crate::{
    model::{failure::Classify, ids::Ident, secret::Secret},
    net::Clock,
    upstream::{health::causes, settings::Endpoint},
};

/// Whom tokens are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IamAccount {
    /// The server as AWS knows it, whatever way there is to it.
    pub endpoint: Endpoint,
    /// Its region.
    pub region: String,
    /// The account's name in the database.
    pub user: Ident,
}

/// The login tokens of one account at one endpoint.
///
/// Of those who ask at one time only one asks for credentials. A token that is two thirds through its life is still
/// given out, and renewed meanwhile. None is given out that ends within the next half minute, with the credentials'
/// own end counted.
pub struct IamTokens {
    account: IamAccount,
    credentials: SharedCredentialsProvider,
    clock: Clock,
    held: Mutex<Option<Held>>,
    /// Held by whoever asks for credentials.
    asking: Arc<tokio::sync::Mutex<()>>,
}

struct Held {
    token: Secret<String>,
    renew_at: Timestamp,
    good_until: Timestamp,
}

enum Known {
    Fresh(Secret<String>),
    Aging(Secret<String>),
    Nothing,
}

impl IamTokens {
    /// Asks for nothing yet.
    pub fn new(account: IamAccount, credentials: SharedCredentialsProvider, clock: Clock) -> Arc<Self> {
        let (held, asking) = (Mutex::new(None), Arc::default());
        Arc::new(Self { account, credentials, clock, held, asking })
    }

    /// Whom they are for.
    pub const fn account(&self) -> &IamAccount {
        &self.account
    }

    /// One that is good now; waits for credentials for a quarter of a minute at most, so that every place of the chain
    /// gets its turn.
    ///
    /// # Errors
    /// As [`IamError`].
    pub async fn token(self: &Arc<Self>) -> Result<Secret<String>, IamError> {
        match self.known() {
            Known::Fresh(token) => return Ok(token),
            Known::Aging(token) => {
                // Somebody is at it if the lock is taken.
                if let Ok(turn) = Arc::clone(&self.asking).try_lock_owned() {
                    tokio::spawn(Arc::clone(self).renew_behind(turn));
                }
                return Ok(token);
            }
            Known::Nothing => {}
        }
        timeout(PATIENCE, self.awaited()).await.unwrap_or(Err(IamError::Late))
    }

    /// The one that whoever is at it makes, or one that is made now.
    async fn awaited(&self) -> Result<Secret<String>, IamError> {
        let _turn = self.asking.lock().await;
        match self.known() {
            Known::Fresh(token) | Known::Aging(token) => Ok(token),
            Known::Nothing => self.renew().await,
        }
    }

    /// Forgets what is held: the server refused it, and its credentials may have been withdrawn.
    pub fn forget(&self) {
        *self.held() = None;
    }

    fn known(&self) -> Known {
        let now = self.clock.now();
        match &*self.held() {
            Some(held) if now < held.renew_at => Known::Fresh(held.token.clone()),
            Some(held) if now < held.good_until => Known::Aging(held.token.clone()),
            Some(_) | None => Known::Nothing,
        }
    }

    async fn renew_behind(self: Arc<Self>, _turn: OwnedMutexGuard<()>) {
        if let Err(error) = timeout(PATIENCE, self.renew()).await.unwrap_or(Err(IamError::Late)) {
            let (account, class) = (&self.account.user, error.class().as_str());
            tracing::warn!(%account, class, causes = causes(&error), "login token not renewed; the one that is held stays");
        }
    }

    async fn renew(&self) -> Result<Secret<String>, IamError> {
        let credentials = self
            .credentials
            .provide_credentials()
            .await
            .map_err(|source| IamError::Credentials { source })?;
        let now = self.clock.now();
        let mut end = after(now, LIFE);
        // closed: an end that no clock can show is over.
        if let Some(expiry) = credentials.expiry() {
            end = end.min(Timestamp::try_from(expiry).map_err(|_| IamError::Ended)?);
        }
        let good_for = Duration::try_from(end.duration_since(now)).unwrap_or_default().saturating_sub(MARGIN);
        if good_for.is_zero() {
            return Err(IamError::Ended);
        }
        let token = token(&credentials, &self.account, now)?;
        *self.held() = Some(Held {
            token: token.clone(),
            renew_at: after(now, good_for * 2 / 3),
            good_until: after(now, good_for),
        });
        Ok(token)
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        // Nothing that can panic runs under the lock.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for IamTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IamTokens").field("account", &self.account).finish_non_exhaustive()
    }
}

/// The end of time at the latest.
fn after(now: Timestamp, span: Duration) -> Timestamp {
    now.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// A login that begins with a token has to be over before the token is.
const MARGIN: Duration = Duration::from_secs(30);
/// How long credentials may take. The metadata service alone takes eight seconds to be given up.
const PATIENCE: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::SystemTime,
    };

    use aws_credential_types::{
        Credentials,
        provider::{error::CredentialsError, future},
    };
    use tokio::sync::{Notify, Semaphore};

    use super::*;
    use crate::{model::failure::FailureClass, net::ManualClock};

    /// Gives credentials that end `life` after they were asked for; fails while it is `down`.
    #[derive(Debug)]
    struct Source {
        clock: Clock,
        life: Mutex<Option<Duration>>,
        down: Mutex<Option<fn() -> CredentialsError>>,
        asked: AtomicUsize,
        /// One permit for each answer.
        answers: Semaphore,
        answered: Notify,
    }

    #[derive(Clone, Debug)]
    struct Asked(Arc<Source>);

    impl ProvideCredentials for Asked {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(async move {
                let source = &self.0;
                let number = source.asked.fetch_add(1, Ordering::SeqCst);
                source.answers.acquire().await.unwrap().forget();
                source.answered.notify_one();
                if let Some(error) = *source.down.lock().unwrap() {
                    return Err(error());
                }
                let life = *source.life.lock().unwrap();
                let expiry = life.map(|life| SystemTime::from(source.clock.now() + life));
                Ok(Credentials::new(
                    format!("KEY{number}"),
                    "hunter2",
                    Some("session".to_owned()),
                    expiry,
                    "test",
                ))
            })
        }
    }

    fn start(life: Option<Duration>) -> (Arc<IamTokens>, Arc<Source>, Arc<ManualClock>) {
        let (clock, hand) = Clock::manual("2026-11-21T12:00:00Z".parse().unwrap());
        let source = Arc::new(Source {
            clock: clock.clone(),
            life: Mutex::new(life),
            down: Mutex::new(None),
            asked: AtomicUsize::new(0),
            answers: Semaphore::new(100),
            answered: Notify::new(),
        });
        let account = IamAccount {
            endpoint: Endpoint { host: "hr.c1.eu-central-1.rds.amazonaws.com".into(), port: 5432 },
            region: "eu-central-1".to_owned(),
            user: "reader".into(),
        };
        let provider = SharedCredentialsProvider::new(Asked(Arc::clone(&source)));
        (IamTokens::new(account, provider, clock), source, hand)
    }

    async fn key(tokens: &Arc<IamTokens>) -> String {
        let token = tokens.token().await.unwrap();
        let (_, rest) = token.expose().split_once("X-Amz-Credential=").unwrap();
        rest.split_once("%2F").unwrap().0.to_owned()
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_token_is_kept_then_renewed_while_the_old_one_still_serves() {
        let (tokens, source, hand) = start(None);
        assert_eq!(key(&tokens).await, "KEY0");
        hand.advance(9 * MINUTE);
        assert_eq!(key(&tokens).await, "KEY0");
        assert_eq!(source.asked.load(Ordering::SeqCst), 1);
        hand.advance(MINUTE);
        source.answers.forget_permits(100);
        // Nobody waits for the new one.
        assert_eq!(key(&tokens).await, "KEY0");
        assert_eq!(key(&tokens).await, "KEY0");
        source.answered.notified().await;
        source.answers.add_permits(1);
        source.answered.notified().await;
        let _turn = tokens.asking.lock().await;
        assert_eq!(key(&tokens).await, "KEY1");
        assert_eq!(source.asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn many_who_ask_at_once_ask_for_credentials_once() {
        let (tokens, source, _hand) = start(None);
        source.answers.forget_permits(99);
        let (one, two, three) = tokio::join!(key(&tokens), key(&tokens), key(&tokens));
        assert_eq!([one, two, three], ["KEY0", "KEY0", "KEY0"]);
        assert_eq!(source.asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_token_never_outlives_its_credentials_nor_fifteen_minutes() {
        let (tokens, source, hand) = start(Some(5 * MINUTE));
        assert_eq!(key(&tokens).await, "KEY0");
        hand.advance(4 * MINUTE + Duration::from_secs(30));
        assert_eq!(key(&tokens).await, "KEY1", "half a minute before the end it is not given out any more");
        *source.life.lock().unwrap() = None;
        hand.advance(5 * MINUTE);
        assert_eq!(key(&tokens).await, "KEY2");
        hand.advance(14 * MINUTE + Duration::from_secs(30));
        assert_eq!(key(&tokens).await, "KEY3");
    }

    #[tokio::test]
    async fn credentials_that_have_ended_make_no_token() {
        for life in [Duration::ZERO, Duration::from_secs(29)] {
            let (tokens, _, _hand) = start(Some(life));
            let error = tokens.token().await.unwrap_err();
            assert!(matches!(error, IamError::Ended), "{error:?}");
            assert_eq!(error.class(), FailureClass::Upstream);
        }
    }

    #[tokio::test]
    async fn while_the_source_is_down_the_old_token_serves_to_its_end_and_no_longer() {
        let (tokens, source, hand) = start(None);
        assert_eq!(key(&tokens).await, "KEY0");
        *source.down.lock().unwrap() = Some(|| CredentialsError::provider_error("metadata is away"));
        hand.advance(14 * MINUTE);
        assert_eq!(key(&tokens).await, "KEY0");
        hand.advance(MINUTE);
        let error = tokens.token().await.unwrap_err();
        assert_eq!(error.class(), FailureClass::Upstream);
        assert!(causes(&error).contains("metadata is away"), "{}", causes(&error));
        *source.down.lock().unwrap() = Some(|| CredentialsError::not_loaded("none configured"));
        assert_eq!(tokens.token().await.unwrap_err().class(), FailureClass::Configuration);
        *source.down.lock().unwrap() = None;
        assert!(tokens.token().await.is_ok());
    }

    #[tokio::test]
    async fn a_refused_token_is_not_shown_again() {
        let (tokens, _, _hand) = start(None);
        assert_eq!(key(&tokens).await, "KEY0");
        tokens.forget();
        assert_eq!(key(&tokens).await, "KEY1");
    }

    #[tokio::test]
    async fn nothing_about_tokens_prints_a_secret() {
        let (tokens, _, _hand) = start(None);
        let token = tokens.token().await.unwrap();
        let printed = format!("{tokens:?} {token:?}");
        for secret in ["hunter2", "X-Amz-Signature", "session"] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }
}
