//! People log in for a key that acts as them for a while.

use std::net::SocketAddr;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    ask_bodies::NewLogin,
    caller::Scope,
    door::Control,
    error::{ControlError, unknown},
    secret_text::{random_text, same, sha256},
    views::{CreatedKey, KeyView},
};
use crate::{
    model::{
        identity::Subject,
        ids::{KeyId, PrincipalName},
        principal::Credentials,
        record::{KeyLogin, LoginFailed, Record},
    },
    store::StoredKey,
};

/// A proof that holds.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) principal: PrincipalName,
    /// As audited.
    pub(super) method: &'static str,
    /// Whom the identity provider means, if it is the proof.
    pub(super) subject: Option<Subject>,
}

impl Control {
    /// Logs in whoever knows the password of `login.principal`, as `log_in_proven`. Failures are recorded with
    /// where they came from, `client`.
    ///
    /// # Errors
    /// `WrongPassword`, also for people who do not exist, are disabled or have no password; `Random`, `Audit`, `Store`.
    pub async fn log_in(&self, login: NewLogin, client: SocketAddr) -> Result<CreatedKey, ControlError> {
        let snapshot = self.snapshot().load();
        let person = snapshot.principal(&login.principal).filter(|it| !it.disabled);
        let nobody = Credentials { salt: vec![0; 16], iterations: 4096, ..Credentials::default() };
        // The work is the same for those who do not exist, or have no password.
        let credentials =
            person.map(|it| &*it.credentials).filter(|it| !it.salt.is_empty()).unwrap_or(&nobody);
        if !knows(credentials, login.password.expose(), self.parts().make_keys) || person.is_none() {
            self.record_failed_login(&login.principal, client, "API: wrong password").await?;
            return Err(ControlError::WrongPassword);
        }
        let proof = Proof { principal: login.principal, method: "password", subject: None };
        self.log_in_proven(proof, client).await
    }

    /// Makes a key of scope `person` that lasts twelve hours. The oldest of more than ten such keys is revoked.
    ///
    /// # Errors
    /// `Unknown` for somebody who is gone or disabled meanwhile; `Random`, `Audit`, `Store`.
    pub(super) async fn log_in_proven(
        &self,
        proof: Proof,
        client: SocketAddr,
    ) -> Result<CreatedKey, ControlError> {
        self.to_the_end(|control| async move {
            let Proof { principal, method, subject } = proof;
            let mut state = control.turn().await;
            let now = control.now();
            let is_in = control.snapshot().load().principal(&principal).is_some_and(|it| !it.disabled);
            if !is_in {
                return Err(unknown("principal", &principal));
            }
            let secret = random_text(PREFIX)?;
            let key = StoredKey {
                id: KeyId::new(Uuid::now_v7()),
                name: format!("login:{principal}"),
                sha256: sha256(secret.expose()),
                principal: Some(principal.clone()),
                scopes: vec![Scope::Person.as_str().to_owned()],
                created_at: now,
                ends_at: Some(now.checked_add(LASTS).unwrap_or(Timestamp::MAX)),
                revoked_at: None,
            };
            let mut change = control.begin(&state).await?;
            change.insert_key(&key).await?;
            let own = |it: &&StoredKey| it.name == key.name && it.is_live(now);
            let mut old: Vec<KeyId> = state.keys.iter().filter(own).map(|it| it.id).collect();
            old.sort();
            old.truncate((old.len() + 1).saturating_sub(MOST_LOGINS));
            for id in &old {
                change.revoke_key(*id, now).await?;
            }
            let login =
                KeyLogin { principal: &principal, client, method, key: key.id, subject: subject.as_ref() };
            let mut records = vec![
                Record::KeyLogin(login),
                Record::KeyCreated { actor: &principal, key: key.id, name: &key.name },
            ];
            records.extend(old.iter().map(|id| Record::KeyRevoked { actor: &principal, key: *id }));
            control.record_first(&records).await?;
            drop(records);
            control.commit_recorded(change).await?;
            state.keys.retain(|it| !old.contains(&it.id));
            state.keys.push(key.clone());
            control.publish(&mut state);
            Ok(CreatedKey { key: KeyView::new(key, now), secret: secret.expose().clone() })
        })
        .await
    }

    /// Records a login that came to nothing.
    ///
    /// # Errors
    /// `Audit`.
    pub(super) async fn record_failed_login(
        &self,
        principal: &str,
        client: SocketAddr,
        reason: &str,
    ) -> Result<(), ControlError> {
        // Whoever failed wrote it, and logs and indexes keep it.
        let end = principal.char_indices().nth(MOST_NAME_CHARACTERS).map_or(principal.len(), |(at, _)| at);
        let principal = principal.get(..end).unwrap_or_default();
        let failed = LoginFailed { client, principal, database: "", reason };
        self.record_first(&[Record::LoginFailed(failed)]).await
    }
}

fn knows(credentials: &Credentials, password: &str, make_keys: super::MakeKeys) -> bool {
    if password.is_empty() || password.len() > MOST_PASSWORD_BYTES {
        return false;
    }
    let shown = make_keys(password.as_bytes(), &credentials.salt, credentials.iterations);
    let kept = credentials.password.as_ref();
    kept.is_some_and(|kept| same(kept.stored_key.expose(), shown.stored_key.expose()))
}

const PREFIX: &str = "tgk_";
const LASTS: SignedDuration = SignedDuration::from_hours(12);
const MOST_LOGINS: usize = 10;
/// Of a name that nobody has, so much is written down.
const MOST_NAME_CHARACTERS: usize = 100;
const MOST_PASSWORD_BYTES: usize = 512;
