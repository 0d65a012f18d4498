//! The control plane: people, requests, grants, keys and policy are changed here, and every change becomes a new Snapshot.
//!
//! The door is [`Control`]. A change goes through the store and the audit log before or together with its effect:
//! what gives leave is recorded first and takes effect only if that worked; what takes leave away takes effect
//! first, and says so when it could not be recorded. What sessions, statements and targets are to the
//! administration is behind the traits [`Sessions`], [`Explain`] and [`Targets`], which the application fills in:
//! this folder never knows the data plane, the wire or SQL.

mod admission;
mod answering;
mod ask_bodies;
mod ask_views;
mod asked;
mod asking;
mod browser;
mod caller;
mod claims;
mod comparison;
mod denials;
mod directory;
mod directory_groups;
mod door;
mod errands;
mod error;
mod estimate;
mod events;
mod explanation;
mod files;
mod grants;
mod keys;
mod login;
mod names;
mod notices;
mod outbox;
mod policy;
mod ports;
mod principals;
mod provider_login;
mod replicas;
mod requests;
mod secret_text;
mod sessions;
mod slack_bodies;
mod slack_links;
mod slack_messages;
mod state;
mod tending;
mod tokens;
mod turn;
mod views;
mod webhooks;
mod withdrawal;

pub use crate::identity::{DeviceLogin, IdentityError, Returned};
pub use crate::model::lifetime::{BadLifetime, Lifetime};
pub use crate::policy::NotReviewed;
pub use crate::store::StoredDirectoryGroup;
pub use admission::NotAdmitted;
pub use ask_bodies::{
    Answer, BeginBrowserLogin, BegunBrowserLogin, Extend, FinishDeviceLogin, NewLogin, NewRequest, NewReview,
    NewTokenLogin, PendingLogin, RequestQuery,
};
pub use ask_views::{DenialView, RequestPage, RequestView, ReviewView, StatementView};
pub use asking::IdempotencyKey;
pub use browser::{InBrowser, Unsealed, WhoView};
pub use caller::{Caller, Scope, UnknownScope};
pub use directory::{DirectoryChange, DirectoryEntry, NewDirectoryEntry};
pub use directory_groups::{DirectoryGroupChange, MembersChange, NewDirectoryGroup};
pub use door::{Control, ControlParts, MakeKeys, MakeNativeKey};
pub use error::ControlError;
pub use estimate::ToEstimate;
pub use events::EventPage;
pub use explanation::{Explanation, NeedView, ObjectView, Question, RefusalView, StatementExplanation};
pub use files::{digest, read_examples, read_policy};
pub use ports::{BoxFuture, Explain, ExplainError, Sessions, TargetHealth, Targets, Webhooks};
pub use replicas::ReplicaLease;
pub use requests::{
    GrantQuery, NewGrant, NewKey, NewPassword, NewPrincipal, NewToken, PrincipalPatch, Revoke,
};
pub use slack_bodies::{LinkSlack, SlackLinkAnswer, SlackLinkView};
pub use slack_messages::KeptMessage;
pub use views::{
    CreatedGrant, CreatedKey, CreatedToken, GrantView, KeyView, LifeState, PolicyRejection, PolicyView,
    PrincipalView, Removed, RevocationView, SessionView, TokenView,
};
pub use webhooks::{DeliveryPage, DeliveryQuery, WebhookInfo, WebhookView};
