//! Logins in the browser of whoever logs in: authorization code with PKCE.
//!
//! Source: OpenID Connect Core 1.0, section 3.1; RFC 7636; RFC 8252, section 7.3; RFC 9207; RFC 9700, section 2.1.

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::{
    claims::{Proven, Purpose},
    error::IdentityError,
    provider::{Provider, Tokens},
    seal::random,
};

/// A login that has begun.
#[derive(Clone, Debug)]
pub struct BrowserLogin {
    /// What the login is finished with: the browser's alone to keep.
    pub state: String,
    /// Where the browser goes.
    pub address: String,
    /// Seconds within which it must be back.
    pub expires_in: i64,
}

/// What the browser brings back.
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
pub struct Returned {
    /// The code; a secret until it is used.
    pub code: String,
    /// Which login it is of.
    pub state: String,
    /// Whose code it is, where the provider says so.
    #[serde(default)]
    pub iss: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct State {
    state: String,
    nonce: String,
    verifier: String,
    redirect: String,
}

impl Provider {
    /// Begins a login at whose end the browser comes back to `redirect`.
    ///
    /// # Errors
    /// `Redirect`, `Unsupported`, `Unreachable`, `Answer`, `Random`.
    pub async fn begin_browser_login(&self, redirect: &str) -> Result<BrowserLogin, IdentityError> {
        if !self.settings().redirects.iter().any(|it| it == redirect) && !is_loopback(redirect) {
            return Err(IdentityError::Redirect);
        }
        let known = self.known().await?;
        let address = known.metadata.authorization_endpoint.as_ref();
        let address = address.ok_or(IdentityError::Unsupported { what: WHAT })?;
        let state =
            State { state: random()?, nonce: random()?, verifier: random()?, redirect: redirect.to_owned() };
        let mut address = Url::parse(address).map_err(|_| IdentityError::Unsupported { what: WHAT })?;
        let challenge = digest::digest(&digest::SHA256, state.verifier.as_bytes());
        address.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.settings().client_id),
            ("redirect_uri", redirect),
            ("scope", &self.settings().scopes.join(" ")),
            ("state", &state.state),
            ("nonce", &state.nonce),
            ("code_challenge", &URL_SAFE_NO_PAD.encode(challenge)),
            ("code_challenge_method", "S256"),
        ]);
        let until = self.now().checked_add(LASTS).map_err(|_| IdentityError::NoSuchLogin)?;
        Ok(BrowserLogin {
            state: self.seal.close(KIND, &state, until)?,
            address: address.into(),
            expires_in: LASTS.as_secs(),
        })
    }

    /// Whom a login that was begun here proves. `kept` is the state that the browser kept, `returned` what it was sent
    /// back with.
    ///
    /// # Errors
    /// `NoSuchLogin`, `Declined`, `Token`, `Unreachable`, `Answer`.
    pub async fn finish_browser_login(
        &self,
        kept: &str,
        returned: &Returned,
    ) -> Result<Proven, IdentityError> {
        let State { state, nonce, verifier, redirect } = self.seal.open(KIND, kept, self.now())?;
        verify_slices_are_equal(state.as_bytes(), returned.state.as_bytes())
            .map_err(|_| IdentityError::NoSuchLogin)?;
        let known = self.known().await?;
        let says_issuer = known.metadata.authorization_response_iss_parameter_supported;
        match &returned.iss {
            Some(issuer) if *issuer != self.settings().issuer => return Err(IdentityError::NoSuchLogin),
            // closed: a code that another provider may have given
            None if says_issuer => return Err(IdentityError::NoSuchLogin),
            Some(_) | None => {}
        }
        let address = known.metadata.token_endpoint.as_ref();
        let address = address.ok_or(IdentityError::Unsupported { what: WHAT })?;
        let form = vec![
            ("grant_type", "authorization_code"),
            ("code", returned.code.as_str()),
            ("redirect_uri", redirect.as_str()),
            ("code_verifier", verifier.as_str()),
        ];
        let tokens: Tokens = self.ask(FINISH, address, &known, form).await?;
        Ok(self.verify(&tokens.id_token, Purpose::Login { nonce: Some(&nonce) }).await?)
    }
}

/// A program on the same machine, on whichever port it found free.
fn is_loopback(redirect: &str) -> bool {
    let rest = redirect.strip_prefix("http://127.0.0.1:").or_else(|| redirect.strip_prefix("http://[::1]:"));
    let port = rest.and_then(|rest| rest.strip_suffix("/callback"));
    port.is_some_and(|port| {
        port.bytes().all(|it| it.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|it| it > 0)
    })
}

const KIND: &str = "browser";
const WHAT: &str = "logins in a browser";
const FINISH: &str = "finish a login";
const LASTS: SignedDuration = SignedDuration::from_mins(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_port_of_this_machine_is_a_loopback_address() {
        for good in ["http://127.0.0.1:1234/callback", "http://[::1]:65535/callback"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "http://127.0.0.1/callback",
            "http://127.0.0.1:/callback",
            "http://127.0.0.1:0/callback",
            "http://127.0.0.1:70000/callback",
            "http://127.0.0.1:80@evil.example/callback",
            "http://127.0.0.1:80/callback?x",
            "http://127.0.0.1:80/other",
            "http://localhost:80/callback",
            "https://127.0.0.1:80/callback",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
