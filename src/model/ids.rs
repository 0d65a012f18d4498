//! Names and identifiers, each a type of its own so that one cannot stand where another is meant.

use std::{borrow::Borrow, fmt, ops::Deref, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Takes `text` as it is; case and spelling are kept.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $type {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $type {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $type {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

name!(
    /// A person, service or agent that logs in.
    PrincipalName
);
name!(
    /// A group of principals.
    GroupName
);
name!(
    /// A named bundle of permissions in policy.
    RoleName
);
name!(
    /// A protected database server.
    TargetName
);
name!(
    /// A database on a target.
    DatabaseName
);
name!(
    /// What an environment of targets is called ("prod", "staging").
    EnvironmentName
);
name!(
    /// A gateway among those that share a store.
    GatewayName
);
name!(
    /// An address that is told of events.
    WebhookName
);
name!(
    /// One identifier of SQL (schema, relation, function, column), folded as the server folds it.
    Ident
);

macro_rules! id {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(Uuid);

        impl $type {
            /// Wraps an identifier made elsewhere.
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The identifier as a UUID.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $type {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

id!(
    /// A grant.
    GrantId
);
id!(
    /// One login of one client, from accept to close.
    SessionId
);
id!(
    /// One statement of one session; its start and end records carry it.
    StatementId
);
id!(
    /// A short-lived database token.
    TokenId
);
id!(
    /// A service key of the administration API.
    KeyId
);
id!(
    /// A request for a grant.
    RequestId
);
id!(
    /// One event on its way to one webhook.
    DeliveryId
);
id!(
    /// A group that a directory keeps.
    DirectoryGroupId
);
