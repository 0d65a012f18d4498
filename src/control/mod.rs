//! The control plane: people, grants, keys and policy are changed here, and every change becomes a new Snapshot.
//!
//! The door is [`Control`]. A change goes through the store and the audit log before or together with its effect:
//! what gives leave is recorded first and takes effect only if that worked; what takes leave away takes effect
//! first, and says so when it could not be recorded. What sessions, statements and targets are to the
//! administration is behind the traits [`Sessions`], [`Explain`] and [`Targets`], which the application fills in:
//! this folder never knows the data plane, the wire or SQL.

mod caller;
mod door;
mod error;
mod explanation;
mod files;
mod grants;
mod keys;
mod lifetime;
mod names;
mod policy;
mod ports;
mod principals;
mod requests;
mod secret_text;
mod sessions;
mod state;
mod tokens;
mod views;

pub use caller::{Caller, Scope, UnknownScope};
pub use door::{Control, ControlParts, MakeKeys, MakeNativeKey};
pub use error::ControlError;
pub use explanation::{Explanation, NeedView, ObjectView, Question, RefusalView, StatementExplanation};
pub use files::{digest, read_examples, read_policy};
pub use lifetime::{BadLifetime, Lifetime};
pub use ports::{BoxFuture, Explain, ExplainError, Sessions, TargetHealth, Targets};
pub use requests::{
    GrantQuery, NewGrant, NewKey, NewPassword, NewPrincipal, NewToken, PrincipalPatch, Revoke,
};
pub use views::{
    CreatedGrant, CreatedKey, CreatedToken, GrantView, KeyView, LifeState, PolicyRejection, PolicyView,
    PrincipalView, Removed, RevocationView, SessionView, TokenView,
};
