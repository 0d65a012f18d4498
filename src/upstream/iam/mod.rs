//! Login tokens of RDS and Aurora: what an account without a password shows at its login.
//!
//! The door is [`IamTokens`], one for each account and endpoint; [`StandardChain`] gives it AWS credentials where the
//! SDKs look for them. Knows nothing of connections: that tokens go over verified TLS only is checked by whoever
//! builds the targets, and by the logins.

mod chain;
mod error;
mod token;
mod tokens;

pub use aws_credential_types::provider::SharedCredentialsProvider;
pub use chain::{ChainSettings, StandardChain};
pub use error::IamError;
pub use tokens::{IamAccount, IamTokens};
