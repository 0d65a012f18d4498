//! Logins on another device: the person types a code into their browser, wherever that is.
//!
//! Source: RFC 8628.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{
    claims::{Proven, Purpose},
    error::IdentityError,
    provider::{Provider, Tokens},
};

/// A login that has begun.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeviceLogin {
    /// What the login is finished with. A secret of whoever began it.
    pub login: String,
    /// What the person types in.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// The same place with the code in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification_uri_complete: Option<String>,
    /// Seconds until the code is over.
    pub expires_in: i64,
    /// Seconds to wait between two questions whether they have answered.
    pub interval: i64,
}

#[derive(Deserialize)]
struct Begun {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: i64,
    interval: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct State {
    device_code: String,
}

impl Provider {
    /// Begins a login on another device.
    ///
    /// # Errors
    /// `Unsupported`, `Declined`, `Unreachable`, `Answer`, `Random`.
    pub async fn begin_device_login(&self) -> Result<DeviceLogin, IdentityError> {
        let known = self.known().await?;
        let address = known.metadata.device_authorization_endpoint.as_ref();
        let address = address.ok_or(IdentityError::Unsupported { what: WHAT })?;
        let scope = self.settings().scopes.join(" ");
        let begun: Begun = self.ask(BEGIN, address, &known, vec![("scope", &scope)]).await?;
        let lasts = SignedDuration::from_secs(begun.expires_in.clamp(1, MOST_SECONDS));
        let until = self.now().checked_add(lasts).map_err(|_| IdentityError::NoSuchLogin)?;
        let state = State { device_code: begun.device_code };
        Ok(DeviceLogin {
            login: self.seal.close(KIND, &state, until)?,
            user_code: plain(&begun.user_code)?,
            verification_uri: plain(&begun.verification_uri)?,
            verification_uri_complete: begun.verification_uri_complete.as_deref().map(plain).transpose()?,
            expires_in: lasts.as_secs(),
            interval: begun.interval.unwrap_or(5).clamp(1, 60),
        })
    }

    /// Whom a login that was begun here proves, once the person has said yes.
    ///
    /// # Errors
    /// `Pending` until then; `NoSuchLogin`, `Declined`, `Token`, `Unreachable`, `Answer`.
    pub async fn finish_device_login(&self, login: &str) -> Result<Proven, IdentityError> {
        let State { device_code } = self.seal.open(KIND, login, self.now())?;
        let known = self.known().await?;
        let address = known.metadata.token_endpoint.as_ref();
        let address = address.ok_or(IdentityError::Unsupported { what: WHAT })?;
        let form = vec![("grant_type", GRANT), ("device_code", device_code.as_str())];
        let answer: Result<Tokens, _> = self.ask(FINISH, address, &known, form).await;
        match answer {
            Ok(tokens) => Ok(self.verify(&tokens.id_token, Purpose::Login { nonce: None }).await?),
            Err(IdentityError::Declined { code }) => Err(match code.as_str() {
                "authorization_pending" => IdentityError::Pending { slow_down: false },
                "slow_down" => IdentityError::Pending { slow_down: true },
                "expired_token" => IdentityError::NoSuchLogin,
                _ => IdentityError::Declined { code },
            }),
            Err(error) => Err(error),
        }
    }
}

/// What a person is shown in a terminal: no letters that would steer it.
fn plain(text: &str) -> Result<String, IdentityError> {
    let good = text.len() <= 2000 && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let problem = || "it holds what a terminal must not be shown".to_owned();
    good.then(|| text.to_owned()).ok_or_else(|| IdentityError::Answer { doing: BEGIN, problem: problem() })
}

const KIND: &str = "device";
const WHAT: &str = "logins on another device";
const BEGIN: &str = "begin a login";
const FINISH: &str = "finish a login";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const MOST_SECONDS: i64 = 3600;
