//! People of an identity provider: their tokens are verified here, and their logins led through.
//!
//! The door is [`Provider`]. Verification is pure (`token`, `keys`, `claims`: bytes, keys and time in, a person or a
//! problem out); beside it stand what has to be fetched (`fetch`, `source`) and the two ways to log in (`device`,
//! `browser`), whose state the gateway does not keep: it is sealed and given to the client (`seal`). This folder never
//! knows who is let in: what a provider says of somebody becomes a principal in the control plane.

mod browser;
mod claims;
mod device;
mod error;
mod examine;
mod fetch;
mod keys;
mod metadata;
mod provider;
mod seal;
mod source;
mod token;

pub use browser::{BrowserLogin, Returned};
pub use claims::{Proven, Purpose};
pub use device::DeviceLogin;
pub use error::{IdentityError, TokenProblem};
pub use examine::{Examined, examine};
pub use provider::Provider;
pub use seal::Seal;
