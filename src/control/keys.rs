//! Service keys of the administration API.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use uuid::Uuid;

use super::{
    caller::Scope,
    door::{Control, START},
    error::{ControlError, invalid, unknown},
    names::check_name,
    requests::NewKey,
    secret_text::{random_text, sha256},
    views::{CreatedKey, KeyView, scopes},
};
use crate::{
    model::{ids::KeyId, record::Record},
    store::StoredKey,
};

impl Control {
    /// Makes a service key; it is given out here once, and its SHA-256 is kept.
    ///
    /// # Errors
    /// `Exists` when a live key has the name, `Invalid` for name or scopes, `Limit`, `Random`, `Audit` and `Store` when
    /// nothing was changed.
    pub async fn create_key(&self, actor: &str, new: NewKey) -> Result<CreatedKey, ControlError> {
        check_name("name", &new.name)?;
        if RESERVED.contains(&new.name.as_str()) {
            return Err(invalid("name", format!("\"{}\" is how the gateway calls itself", new.name)));
        }
        let mut wanted = new.scopes.clone();
        wanted.sort();
        wanted.dedup();
        match &new.principal {
            Some(_) if wanted.is_empty() => wanted.push(Scope::Person),
            None if wanted.is_empty() => {
                return Err(invalid("scopes", "name at least one, for example read or grants"));
            }
            None if wanted.iter().any(|scope| scope.is_personal()) => {
                let problem = "person, request and review are for the key of a principal: say whose it is";
                return Err(invalid("scopes", problem));
            }
            Some(_) | None => {}
        }
        let actor = actor.to_owned();
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            let now = control.now();
            if let Some(name) = &new.principal
                && !state.knows(name)
            {
                return Err(unknown("principal", name));
            }
            // Records name the actor: a service must not pass for a person.
            if new.principal.is_none() && state.knows(&new.name) {
                return Err(invalid(
                    "name",
                    "a principal is called so: say that the key is theirs, or take another",
                ));
            }
            if state.keys.iter().any(|key| key.name == new.name && key.is_live(now)) {
                return Err(ControlError::Exists { what: "service key", name: new.name });
            }
            if state.keys.iter().filter(|key| key.is_live(now)).count() >= MAX_KEYS {
                return Err(ControlError::Limit { what: "service keys", limit: MAX_KEYS });
            }
            let secret = random_text(PREFIX)?;
            let key = StoredKey {
                id: KeyId::new(Uuid::now_v7()),
                name: new.name,
                sha256: sha256(secret.expose()),
                principal: new.principal,
                scopes: wanted.iter().map(|scope| scope.as_str().to_owned()).collect(),
                created_at: now,
                ends_at: new.lifetime.map(|lifetime| lifetime.after(now)),
                revoked_at: None,
            };
            let mut change = control.begin(&state).await?;
            change.insert_key(&key).await?;
            control
                .record_first(&[Record::KeyCreated { actor: &actor, key: key.id, name: &key.name }])
                .await?;
            control.commit_recorded(change).await?;
            state.keys.push(key.clone());
            control.publish(&mut state);
            Ok(CreatedKey { key: KeyView::new(key, now), secret: secret.expose().clone() })
        })
        .await
    }

    /// Revokes a service key; it opens nothing any more when this returns.
    ///
    /// # Errors
    /// `Unknown` (also if it is over already), `Store` when nothing was changed, `Unaudited` when it is revoked but not
    /// recorded.
    pub async fn revoke_key(&self, actor: &str, id: KeyId) -> Result<(), ControlError> {
        let actor = actor.to_owned();
        self.to_the_end(|control| async move {
            let mut state = control.turn().await;
            let now = control.now();
            if !state.keys.iter().any(|key| key.id == id && key.is_live(now)) {
                return Err(unknown("service key", id));
            }
            let mut change = control.begin(&state).await?;
            change.revoke_key(id, now).await?;
            change.commit().await?;
            for key in state.keys.iter_mut().filter(|key| key.id == id) {
                key.revoked_at = Some(now);
            }
            control.publish(&mut state);
            control
                .record_after("the service key is revoked", &[Record::KeyRevoked { actor: &actor, key: id }])
                .await
        })
        .await
    }

    /// All service keys, oldest first.
    ///
    /// # Errors
    /// `Store`.
    pub async fn list_keys(&self) -> Result<Vec<KeyView>, ControlError> {
        let now = self.now();
        Ok(self.store().keys().await?.into_iter().map(|key| KeyView::new(key, now)).collect())
    }

    /// Where nobody holds a live key of scope `admin`, makes one and writes it to `path` (mode 0600); whether it did.
    ///
    /// # Errors
    /// `File` when it cannot be written: then there is no key either. As [`Control::create_key`].
    pub async fn ensure_admin_key(&self, path: &Path) -> Result<bool, ControlError> {
        let now = self.now();
        let keys = self.store().keys().await?;
        if keys.iter().any(|key| key.is_live(now) && scopes(&key.scopes).contains(&Scope::Admin)) {
            return Ok(false);
        }
        let failed = |source| ControlError::File { path: path.to_owned(), source };
        let mut file = private_file(path).map_err(failed)?;
        let name = match keys.len() {
            0 => "admin".to_owned(),
            number => format!("admin-{}", number + 1),
        };
        let new = NewKey { name, principal: None, scopes: vec![Scope::Admin], lifetime: None };
        let created = match self.create_key(START, new).await {
            // Another gateway of the store, which starts at the same moment, was first.
            Err(ControlError::Exists { .. }) if self.store().is_shared() => {
                drop(file);
                std::fs::remove_file(path).map_err(failed)?;
                return Ok(false);
            }
            created => created?,
        };
        let written = writeln!(file, "{}", created.secret).and_then(|()| file.sync_all());
        if let Err(source) = written {
            self.revoke_key(START, created.key.id).await?;
            return Err(failed(source));
        }
        Ok(true)
    }
}

/// A new file that nobody else could read before it was ours.
fn private_file(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

const PREFIX: &str = "tgk_";
/// Every call compares its key with each of them.
const MAX_KEYS: usize = 1000;
const RESERVED: [&str; 3] = [START, super::policy::WATCH, super::webhooks::GATEWAY];
