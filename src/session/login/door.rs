//! What a listener lets in, and by what it judges.

use std::{sync::Arc, time::Duration};

use super::error::LoginError;
use crate::{
    audit::AuditLog,
    metrics::LoginMetrics,
    model::{
        identity::AdmitTokens,
        ids::{DatabaseName, TargetName},
        secret::Secret,
    },
    net::{Clock, Published, ServerTls, Throttle},
    policy::Snapshot,
    wire::mysql::capability::Capabilities,
};

/// How clients without a certificate prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// MySQL: caching_sha2_password, in full over TLS or hidden with the gateway's RSA key.
    CachingSha2,
    /// Password or token in clear text, over TLS only.
    Cleartext,
    /// MySQL: mysql_native_password, for those who have a key of it.
    Native,
    /// PostgreSQL: OAUTHBEARER, with a token of the identity provider, over TLS only.
    Oauth,
    /// PostgreSQL: SCRAM-SHA-256, bound to the TLS channel where there is one.
    Scram,
}

/// A target that a listener leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Its name.
    pub target: TargetName,
    /// Its databases; `None` means any that the server has.
    pub databases: Option<Vec<DatabaseName>>,
}

/// Everything that logins at one listener share.
#[derive(Debug)]
pub struct Door {
    /// TLS, if the listener has a certificate; opened with ALPN `postgresql`.
    pub tls: Option<Arc<ServerTls>>,
    /// Whether sessions without TLS are let in.
    pub plaintext: bool,
    /// How clients without a certificate prove who they are.
    pub authentication: Authentication,
    /// MySQL: by what its clients may compress, which is the gateway's own and not the target's.
    pub compression: Capabilities,
    /// Where it leads; the first is the default.
    pub listings: Vec<Listing>,
    /// From accept to AuthenticationOk at the longest.
    pub timeout: Duration,
    /// How long a failed proof waits for its answer.
    pub failure_delay: Duration,
    /// Makes up salts for names that have none. Must outlive the process: salts that change when it restarts would
    /// tell names that do not exist.
    pub mock_secret: Secret<[u8; 32]>,
    /// Who may log in.
    pub snapshot: Published<Snapshot>,
    /// Who judges tokens of the identity provider, if there is one.
    pub tokens: Option<Arc<dyn AdmitTokens>>,
    /// Who has failed too often.
    pub throttle: Arc<Throttle>,
    /// Where every outcome is recorded before the client hears of it.
    pub audit: AuditLog,
    /// What is counted.
    pub metrics: LoginMetrics,
    /// What time it is.
    pub clock: Clock,
}

impl Door {
    /// How `arrival` comes out, if that is in time.
    ///
    /// # Errors
    /// `TimedOut` if not, and its own.
    pub(super) async fn in_time<T>(
        &self,
        arrival: impl Future<Output = Result<T, LoginError>>,
    ) -> Result<T, LoginError> {
        let outcome = tokio::time::timeout(self.timeout, arrival).await;
        outcome.unwrap_or(Err(LoginError::TimedOut(self.timeout)))
    }
}
