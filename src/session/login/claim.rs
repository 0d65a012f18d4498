//! Names that are claimed, and what proves them.

use std::sync::Arc;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{
    door::Door,
    error::{Denial, LoginError},
};
use crate::{
    model::{
        identity::{AdmitTokens, Admitted, Subject, looks_like_token},
        ids::TokenId,
        principal::{Credentials, Principal, ScramKeys},
        secret::Secret,
    },
    net::tls::identities,
    wire::{
        mysql::{auth::native_proves, greeting::Nonce},
        postgres::scram,
    },
};

/// A proof that holds.
#[derive(Debug)]
pub(super) struct Proven {
    /// Who.
    pub(super) principal: Arc<Principal>,
    /// As audited.
    pub(super) method: String,
    /// Whom the identity provider means, if it vouches for them.
    pub(super) subject: Option<Subject>,
}

/// What the client's certificate proves: it is the proof or the end of the matter.
///
/// # Errors
/// `Net` for one that cannot be read, `Certificate`, `Disabled`.
pub(super) fn by_certificate(certificate: &[u8], user: &str, door: &Door) -> Result<Proven, LoginError> {
    let names = identities(certificate)?;
    let snapshot = door.snapshot.load();
    match snapshot.principal_by_certificate(&names) {
        Some(principal) if principal.name.as_str() == user && principal.disabled => {
            Err(Denial::Disabled.into())
        }
        Some(principal) if principal.name.as_str() == user => {
            let subject = names.into_iter().next().unwrap_or_default();
            Ok(Proven {
                principal: Arc::clone(principal),
                method: format!("certificate:{subject}"),
                subject: None,
            })
        }
        Some(_) | None => Err(Denial::Certificate { names }.into()),
    }
}

/// A name somebody claims, and what would prove it; the same to look at whether the name exists or not.
pub(super) struct Claim {
    principal: Option<Arc<Principal>>,
    /// Salt of the keys.
    pub(super) salt: Vec<u8>,
    /// Rounds of the keys.
    pub(super) iterations: u32,
    mock: ScramKeys,
}

impl Claim {
    /// That of `user`, who need not exist.
    pub(super) fn of(user: &str, door: &Door) -> Self {
        let principal = door.snapshot.load().principal(user).cloned();
        // Made for everybody, so that it takes everybody the same time.
        let salt = scram::mock_salt(door.mock_secret.expose(), user).to_vec();
        let mock = ScramKeys { stored_key: Secret::new([0; 32]), server_key: Secret::new([0; 32]) };
        match &principal {
            Some(known) if has_keys(known) => {
                let (salt, iterations) = (known.credentials.salt.clone(), known.credentials.iterations);
                Self { principal, salt, iterations, mock }
            }
            Some(_) | None => Self { principal, salt, iterations: scram::DEFAULT_ITERATIONS, mock },
        }
    }

    /// The mock keys, those of the password if there is one, those of the tokens, over or not.
    pub(super) fn keys(&self) -> Vec<&ScramKeys> {
        let credentials = self.principal.iter().filter(|it| has_keys(it)).map(|it| &it.credentials);
        let real =
            credentials.flat_map(|it| it.password.iter().chain(it.tokens.iter().map(|token| &token.keys)));
        std::iter::once(&self.mock).chain(real).collect()
    }

    /// Judges a password that was said in clear inside TLS, which is that of the principal, one of its tokens, or a
    /// token of the identity provider.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub(super) async fn by_password(
        self,
        password: Zeroizing<Vec<u8>>,
        user: &str,
        door: &Door,
    ) -> Result<Proven, LoginError> {
        if let Some(proven) = by_token_as_password(&password, user, door).await {
            return proven;
        }
        let (claim, which) = self.matching(password).await?;
        claim.judge(which, door.clock.now())
    }

    /// Finds the key among [`Self::keys`] that `password` is of.
    ///
    /// # Errors
    /// `Compare` when it could not be done.
    pub(super) async fn matching(
        self,
        password: Zeroizing<Vec<u8>>,
    ) -> Result<(Self, Option<usize>), LoginError> {
        // A millisecond of hashing would hold up the other sessions of this thread.
        let judged = tokio::task::spawn_blocking(move || {
            let which = scram::matching_password(&password, &self.salt, self.iterations, &self.keys());
            (self, which)
        });
        judged.await.map_err(|source| LoginError::Compare { source })
    }

    /// Finds the key among [`Self::keys`] whose password made `proof`, where it has a key of mysql_native_password.
    pub(super) fn matching_native(&self, proof: &[u8], nonce: &Nonce) -> Option<usize> {
        let mock = Some(Secret::new([0; 20]));
        let credentials = self.principal.iter().filter(|it| has_keys(it)).map(|it| &it.credentials);
        let real = credentials.flat_map(|it| {
            let password = it.password.iter().map(|_| &it.native);
            password.chain(it.tokens.iter().map(|token| &token.native))
        });
        // All are asked, whatever the answers are.
        std::iter::once(&mock).chain(real).enumerate().fold(None, |found, (at, key)| {
            let key = key.as_ref().or(mock.as_ref());
            let proves = key.is_some_and(|key| native_proves(proof, nonce, key));
            if found.is_none() && proves { Some(at) } else { found }
        })
    }

    /// What would prove it, if the name exists.
    pub(super) fn credentials(&self) -> Option<&Arc<Credentials>> {
        self.principal.as_ref().map(|principal| &principal.credentials)
    }

    /// Says what it means that the key at `which` of [`Self::keys`] was matched.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub(super) fn judge(self, which: Option<usize>, now: Timestamp) -> Result<Proven, LoginError> {
        let principal = self.principal.ok_or(Denial::Unknown)?;
        if !has_keys(&principal) {
            return Err(Denial::NoCredentials.into());
        }
        let passwords = usize::from(principal.credentials.password.is_some());
        let method = match which.map(|at| at.checked_sub(1)) {
            // Nobody has the mock keys.
            None | Some(None) => return Err(Denial::Wrong.into()),
            Some(Some(at)) if at < passwords => "password".to_owned(),
            Some(Some(at)) => {
                let token = principal.credentials.tokens.get(at - passwords).ok_or(Denial::Wrong)?;
                if token.ends_at <= now {
                    return Err(Denial::TokenOver { token: token.id }.into());
                }
                token_method(token.id)
            }
        };
        if principal.disabled {
            return Err(Denial::Disabled.into());
        }
        Ok(Proven { principal, method, subject: None })
    }
}

/// What a password proves that looks like a token of the identity provider; `None` if it does not, or there is no
/// provider.
pub(super) async fn by_token_as_password(
    password: &[u8],
    user: &str,
    door: &Door,
) -> Option<Result<Proven, LoginError>> {
    let tokens = door.tokens.as_ref().filter(|_| looks_like_token(password))?;
    let Ok(token) = std::str::from_utf8(password) else { return Some(Err(Denial::Wrong.into())) };
    Some(by_token(token, user, tokens.as_ref()).await)
}

/// What a token of the identity provider proves that was said inside TLS.
///
/// # Errors
/// `Token`.
pub(super) async fn by_token(
    token: &str,
    user: &str,
    tokens: &dyn AdmitTokens,
) -> Result<Proven, LoginError> {
    match tokens.admit(token, user).await {
        Ok(Admitted { principal, subject }) => {
            Ok(Proven { principal, method: OIDC.to_owned(), subject: Some(subject) })
        }
        Err(refused) => Err(Denial::Token(refused).into()),
    }
}

/// How such a login is audited.
const OIDC: &str = "oidc";

fn has_keys(principal: &Principal) -> bool {
    let credentials = &principal.credentials;
    credentials.password.is_some() || !credentials.tokens.is_empty()
}

fn token_method(token: TokenId) -> String {
    format!("token:{token}")
}
