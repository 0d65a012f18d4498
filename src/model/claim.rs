//! Using up what may be used once.

use std::{fmt, future::Future, pin::Pin};

use super::ids::{GrantId, PrincipalName, SessionId};

/// Whoever keeps the grants that are for one statement, once.
pub trait ClaimGrants: fmt::Debug + Send + Sync + 'static {
    /// Uses up a grant, for good, and records it; `false` if it is used, over or revoked already, or that could not be
    /// kept: then the statement must not run.
    fn claim<'c>(
        &'c self,
        grant: GrantId,
        holder: &'c PrincipalName,
        session: SessionId,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'c>>;
}
