//! Logging in to MySQL's protocol.
//!
//! The doors are [`login`], from accept to everything but the first OK, and [`change_user`], which is a login anew on a
//! connection that is open. The greeting comes before the client has said whom it means, so it is that of the
//! listener's first target ([`Hello`]). What passwords are is checked against the same keys as everywhere;
//! caching_sha2_password's fast path works from what [`Lobby`] remembers of earlier logins, in memory alone.

mod arrival;
mod change;
mod exchange;
mod farewell;
mod lobby;
mod opening;
mod proof;
mod visit;

pub use arrival::{Changed, Hello, LoggedIn};
pub use change::{Caller, change_user};
pub use lobby::Lobby;
pub use visit::login;
