//! Sessions of browsers: a person's key, sealed into a cookie, that ends when it is not used.
//!
//! Nothing is kept of them here. What a cookie opens is the key in it, looked at anew at every call: revoked or over, or
//! its person disabled, it opens nothing. That it was not used for too long is told by when it was sealed, so that any
//! gateway of the store can judge it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    caller::{Caller, Scope},
    door::Control,
    error::ControlError,
};
use crate::model::{
    ids::{GroupName, PrincipalName},
    secret::Secret,
};

/// Who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhoView {
    /// As whom the key acts.
    pub principal: PrincipalName,
    /// Their groups.
    pub groups: Vec<GroupName>,
    /// What the key opens, with what policy gives the groups.
    pub scopes: Vec<Scope>,
    /// First instant at which it opens nothing any more.
    pub ends_at: Option<Timestamp>,
    /// After so many seconds without a call a browser is signed out.
    pub idle_seconds: i64,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    key: String,
    at: Timestamp,
}

/// In the extensions of a request that rests on the session of a browser, and not on a key that is shown: a key that
/// leaks opens no database.
#[derive(Clone, Copy, Debug)]
pub struct InBrowser;

/// What a cookie gives.
#[derive(Debug)]
pub struct Unsealed {
    /// Whose it is.
    pub caller: Caller,
    /// The cookie for the next calls, where it is time for a new one.
    pub renewed: Option<String>,
}

impl Control {
    /// A cookie that opens what `key` opens, until it was not used for half an hour.
    ///
    /// # Errors
    /// `Identity` without random bytes.
    pub fn seal_key(&self, key: &Secret<String>) -> Result<String, ControlError> {
        let at = self.now();
        let until = at.checked_add(IDLE).unwrap_or(Timestamp::MAX);
        Ok(self.seal().close(KIND, &Sealed { key: key.expose().clone(), at }, until)?)
    }

    /// Whom a cookie proves; `None` if it was not sealed here, was not used for too long, or its key opens nothing.
    ///
    /// `is_used` says that a person did something; what a page asks by itself does not keep it signed in.
    pub fn unseal_key(&self, cookie: &str, is_used: bool) -> Option<Unsealed> {
        let now = self.now();
        let Sealed { key, at } = self.seal().open(KIND, cookie, now).ok()?;
        let key = Secret::new(key);
        let caller = self.authenticate(key.expose())?;
        let is_old = now.duration_since(at) >= RENEWED_AFTER;
        let renewed = (is_used && is_old).then(|| self.seal_key(&key).ok()).flatten();
        Some(Unsealed { caller, renewed })
    }

    /// Who `caller` is, if it is a person.
    pub fn who(&self, caller: &Caller) -> Option<WhoView> {
        let snapshot = self.snapshot().load();
        let principal = snapshot.principal(caller.principal.as_ref()?)?;
        Some(WhoView {
            principal: principal.name.clone(),
            groups: principal.groups.clone(),
            scopes: caller.scopes(),
            ends_at: caller.ends_at,
            idle_seconds: IDLE.as_secs(),
        })
    }
}

const KIND: &str = "browser session";
const IDLE: SignedDuration = SignedDuration::from_mins(30);
/// Often enough that half an hour is nearly that, seldom enough that few answers carry a cookie.
const RENEWED_AFTER: SignedDuration = SignedDuration::from_mins(1);
