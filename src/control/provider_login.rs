//! Logins by the identity provider, for the same key that a password gives.

use std::net::SocketAddr;

use super::{
    ask_bodies::{BegunBrowserLogin, NewTokenLogin, PendingLogin},
    door::Control,
    error::ControlError,
    login::Proof,
    views::CreatedKey,
};
use crate::identity::{BrowserLogin, DeviceLogin, IdentityError, Proven, Purpose, Returned};

impl Control {
    /// Begins a login whose person answers on another device.
    ///
    /// # Errors
    /// `NoProvider`, `Identity`.
    pub async fn begin_device_login(&self) -> Result<DeviceLogin, ControlError> {
        Ok(self.provider()?.begin_device_login().await?)
    }

    /// The key, once the person has answered; until then whether they are asked after too often.
    ///
    /// # Errors
    /// `NoProvider`, `Identity`, `NotAdmitted`, `Random`, `Audit`, `Store`.
    pub async fn finish_device_login(
        &self,
        login: &str,
        client: SocketAddr,
    ) -> Result<Result<CreatedKey, PendingLogin>, ControlError> {
        match self.provider()?.finish_device_login(login).await {
            Err(IdentityError::Pending { slow_down }) => Ok(Err(PendingLogin { pending: true, slow_down })),
            outcome => self.finish(outcome, "oidc:device", client).await.map(Ok),
        }
    }

    /// Begins a login in a browser that comes back to `redirect`. Beside where the browser goes comes what it keeps
    /// until then.
    ///
    /// # Errors
    /// `NoProvider`, `Identity`.
    pub async fn begin_browser_login(
        &self,
        redirect: &str,
    ) -> Result<(BegunBrowserLogin, String), ControlError> {
        let BrowserLogin { state, address, expires_in } =
            self.provider()?.begin_browser_login(redirect).await?;
        Ok((BegunBrowserLogin { authorization_url: address, expires_in }, state))
    }

    /// The key for a browser that came back; `kept` is what it kept.
    ///
    /// # Errors
    /// `NoProvider`, `Identity`, `NotAdmitted`, `Random`, `Audit`, `Store`.
    pub async fn finish_browser_login(
        &self,
        kept: &str,
        returned: &Returned,
        client: SocketAddr,
    ) -> Result<CreatedKey, ControlError> {
        let outcome = self.provider()?.finish_browser_login(kept, returned).await;
        self.finish(outcome, "oidc:browser", client).await
    }

    /// The key for whoever brings along a token of the provider.
    ///
    /// # Errors
    /// `NoProvider`, `Identity`, `NotAdmitted`, `Random`, `Audit`, `Store`.
    pub async fn log_in_by_token(
        &self,
        login: &NewTokenLogin,
        client: SocketAddr,
    ) -> Result<CreatedKey, ControlError> {
        let outcome = self.provider()?.verify(login.token.expose(), Purpose::Shown).await;
        self.finish(outcome.map_err(IdentityError::from), "oidc:token", client).await
    }

    async fn finish(
        &self,
        outcome: Result<Proven, IdentityError>,
        method: &'static str,
        client: SocketAddr,
    ) -> Result<CreatedKey, ControlError> {
        let proven = match outcome {
            Ok(proven) => proven,
            Err(error) => {
                self.record_failed_login("", client, &format!("API, {method}: {error}")).await?;
                return Err(error.into());
            }
        };
        let (subject, name) = (proven.subject.clone(), proven.principal.clone());
        match self.admit_proven(proven).await {
            Ok(principal) => {
                let proof = Proof { principal: principal.name.clone(), method, subject: Some(subject) };
                self.log_in_proven(proof, client).await
            }
            Err(error) => {
                let reason = format!("API, {method}: subject {subject}: {error}");
                self.record_failed_login(&name, client, &reason).await?;
                Err(error)
            }
        }
    }
}
