//! What happened, for people and programs who want to hear of it at once.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    denial::DenialId,
    flow::Risk,
    grant::Holder,
    ids::{DatabaseName, GrantId, GroupName, PrincipalName, RequestId, TargetName, WebhookName},
    permission::PermissionSet,
    request::RequestState,
};

/// Something that happened. Serialises to an object with the field `event`; the words there are stable.
///
/// No SQL text and no value of a statement is in it: it goes to places that the audit log does not go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The audit log cannot be written, or can be again.
    AuditTrouble {
        /// Whether it can be.
        writable: bool,
    },
    /// Somebody approved their own request, because it could not wait; somebody else has to look at it.
    BreakGlassOpened(RequestEvent),
    /// Somebody has looked at that.
    BreakGlassReviewed {
        /// The request.
        #[serde(flatten)]
        request: RequestEvent,
        /// Whether it was right.
        justified: bool,
    },
    /// A grant is over by the clock, or used up.
    GrantEnded(GrantEvent),
    /// A grant ends soon.
    GrantExpiring(GrantEvent),
    /// A grant follows on another.
    GrantExtended {
        /// The new one.
        #[serde(flatten)]
        grant: GrantEvent,
        /// The one that it follows on.
        extends: GrantId,
    },
    /// Somebody ended a grant.
    GrantRevoked(GrantEvent),
    /// A grant is in force.
    GrantStarted(GrantEvent),
    /// Logins are held up, because too many failed.
    LoginThrottled {
        /// The name that was given, which need not exist; absent where keys were tried.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        principal: Option<String>,
        /// From where.
        #[schema(value_type = String)]
        address: IpAddr,
    },
    /// A broken policy was refused; the old one stays in force.
    PolicyRejected {
        /// Who asked for it.
        actor: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Another policy is in force.
    PolicyReloaded {
        /// Who asked for it.
        actor: String,
        /// SHA-256 of its files, hexadecimal.
        digest: String,
    },
    /// A principal was added, changed, disabled or removed.
    PrincipalChanged {
        /// Who did it.
        actor: String,
        /// Whom.
        principal: PrincipalName,
        /// What ("added", "disabled", …).
        change: String,
    },
    /// A request was approved; its grant has events of its own.
    RequestApproved(RequestEvent),
    /// A request was taken back.
    RequestCancelled(RequestEvent),
    /// Somebody asks for a grant.
    RequestCreated(RequestEvent),
    /// A request was denied.
    RequestDenied(RequestEvent),
    /// Nobody answers a request, and others may by now.
    RequestEscalated(RequestEvent),
    /// Nobody decided on a request in time.
    RequestExpired(RequestEvent),
    /// Somebody answered a request, and more answers are wanted.
    RequestReviewed(RequestEvent),
    /// A statement was refused. A sample: of many refusals of one person, one in ten seconds is told of.
    StatementDenied {
        /// Who was refused.
        principal: PrincipalName,
        /// On which target.
        target: TargetName,
        /// On which database.
        database: DatabaseName,
        /// What names the refusal to the person, who may ask about it.
        denial: DenialId,
        /// What was missing ("select on public.salary").
        missing: Vec<String>,
        /// Refusals of the same person that were not told of since the last one.
        suppressed: u64,
    },
    /// A webhook is told nothing more, because its address says that it is gone.
    WebhookDisabled {
        /// Which.
        webhook: WebhookName,
    },
    /// Somebody tries a webhook. It is sent to that webhook alone, and is not in the journal.
    WebhookTested {
        /// Who.
        actor: String,
        /// Which.
        webhook: WebhookName,
    },
}

/// A request, as its events tell of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestEvent {
    /// Which.
    pub request: RequestId,
    /// Who did what the event tells of: a person, a flow ("flow:…") or "clock".
    pub actor: String,
    /// Who asks.
    pub requester: PrincipalName,
    /// On which target.
    pub target: TargetName,
    /// On which database.
    pub database: DatabaseName,
    /// On which objects.
    pub objects: Vec<String>,
    /// For which permissions.
    pub permissions: PermissionSet,
    /// It is for one statement, once.
    pub statement: bool,
    /// Why.
    pub reason: String,
    /// The ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The risk that policy sees.
    pub risk: Risk,
    /// The flow by which it goes.
    pub flow: String,
    /// Where it stands.
    pub state: RequestState,
    /// Members of these groups can answer now.
    pub waits_for: Vec<GroupName>,
    /// What the actor said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The grant that was made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// First instant at which nobody can approve it any more.
    pub expires_at: Timestamp,
}

/// A grant, as its events tell of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GrantEvent {
    /// Which.
    pub grant: GrantId,
    /// Who did what the event tells of; "clock" if nobody did.
    pub actor: String,
    /// Who holds it.
    pub holder: Holder,
    /// On which targets.
    pub target: String,
    /// On which databases.
    pub database: String,
    /// On which objects; none where it is for one statement.
    pub objects: Vec<String>,
    /// What it allows.
    pub permissions: PermissionSet,
    /// First instant.
    pub starts_at: Timestamp,
    /// First instant after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// Why it was made; of a revocation, why it was revoked.
    pub reason: String,
    /// The request that it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
}

impl Event {
    /// Every word that the field `event` can have.
    pub const KINDS: [&str; 22] = [
        "audit_trouble",
        "break_glass_opened",
        "break_glass_reviewed",
        "grant_ended",
        "grant_expiring",
        "grant_extended",
        "grant_revoked",
        "grant_started",
        "login_throttled",
        "policy_rejected",
        "policy_reloaded",
        "principal_changed",
        "request_approved",
        "request_cancelled",
        "request_created",
        "request_denied",
        "request_escalated",
        "request_expired",
        "request_reviewed",
        "statement_denied",
        "webhook_disabled",
        "webhook_tested",
    ];

    /// The word in the field `event`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::AuditTrouble { .. } => "audit_trouble",
            Self::BreakGlassOpened(_) => "break_glass_opened",
            Self::BreakGlassReviewed { .. } => "break_glass_reviewed",
            Self::GrantEnded(_) => "grant_ended",
            Self::GrantExpiring(_) => "grant_expiring",
            Self::GrantExtended { .. } => "grant_extended",
            Self::GrantRevoked(_) => "grant_revoked",
            Self::GrantStarted(_) => "grant_started",
            Self::LoginThrottled { .. } => "login_throttled",
            Self::PolicyRejected { .. } => "policy_rejected",
            Self::PolicyReloaded { .. } => "policy_reloaded",
            Self::PrincipalChanged { .. } => "principal_changed",
            Self::RequestApproved(_) => "request_approved",
            Self::RequestCancelled(_) => "request_cancelled",
            Self::RequestCreated(_) => "request_created",
            Self::RequestDenied(_) => "request_denied",
            Self::RequestEscalated(_) => "request_escalated",
            Self::RequestExpired(_) => "request_expired",
            Self::RequestReviewed(_) => "request_reviewed",
            Self::StatementDenied { .. } => "statement_denied",
            Self::WebhookDisabled { .. } => "webhook_disabled",
            Self::WebhookTested { .. } => "webhook_tested",
        }
    }

    /// The request that it is about, if it is about one.
    pub fn request(&self) -> Option<&RequestEvent> {
        match self.about() {
            About::Request(it) => Some(it),
            About::Grant(_) | About::Other(_) => None,
        }
    }

    /// What it is about: the identifier or name of a request, a grant, a principal, a policy; or an address.
    pub fn subject(&self) -> String {
        match self.about() {
            About::Request(it) => it.request.to_string(),
            About::Grant(it) => it.grant.to_string(),
            About::Other(name) => name,
        }
    }

    fn about(&self) -> About<'_> {
        match self {
            Self::BreakGlassOpened(it)
            | Self::BreakGlassReviewed { request: it, .. }
            | Self::RequestApproved(it)
            | Self::RequestCancelled(it)
            | Self::RequestCreated(it)
            | Self::RequestDenied(it)
            | Self::RequestEscalated(it)
            | Self::RequestExpired(it)
            | Self::RequestReviewed(it) => About::Request(it),
            Self::GrantEnded(it)
            | Self::GrantExpiring(it)
            | Self::GrantExtended { grant: it, .. }
            | Self::GrantRevoked(it)
            | Self::GrantStarted(it) => About::Grant(it),
            Self::AuditTrouble { .. } => About::Other("audit".to_owned()),
            Self::LoginThrottled { address, .. } => About::Other(address.to_string()),
            Self::PolicyRejected { .. } => About::Other("policy".to_owned()),
            Self::PolicyReloaded { digest, .. } => About::Other(digest.clone()),
            Self::PrincipalChanged { principal, .. } | Self::StatementDenied { principal, .. } => {
                About::Other(principal.to_string())
            }
            Self::WebhookDisabled { webhook } | Self::WebhookTested { webhook, .. } => {
                About::Other(webhook.to_string())
            }
        }
    }
}

/// What an event is about.
enum About<'e> {
    Grant(&'e GrantEvent),
    Other(String),
    Request(&'e RequestEvent),
}

/// Who may hear of an event, beside those who may read everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audience {
    /// These people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<PrincipalName>,
    /// Members of these groups, as of the moment of reading.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupName>,
}

impl Audience {
    /// Whether somebody of this name, in these groups, belongs to it.
    pub fn includes(&self, name: &PrincipalName, groups: &[GroupName]) -> bool {
        self.people.contains(name) || self.groups.iter().any(|group| groups.contains(group))
    }
}

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldEvent {
    /// Its place in the order of events; rises, with gaps where something was undone.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// Who may hear of it.
    pub audience: Audience,
    /// What happened.
    pub event: Event,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_kept_under_the_word_that_it_is_sent_with() {
        let grant = GrantEvent {
            grant: GrantId::new(uuid::Uuid::nil()),
            actor: "ada".to_owned(),
            holder: Holder::Principal("dana".into()),
            target: "hr".to_owned(),
            database: "hr_prod".to_owned(),
            objects: vec!["public.*".to_owned()],
            permissions: PermissionSet::EMPTY,
            starts_at: Timestamp::UNIX_EPOCH,
            ends_at: None,
            reason: "INC-42".to_owned(),
            request: None,
        };
        let extends = GrantId::new(uuid::Uuid::nil());
        for event in [
            Event::AuditTrouble { writable: false },
            Event::GrantEnded(grant.clone()),
            Event::GrantExtended { grant, extends },
            Event::LoginThrottled { principal: None, address: [127, 0, 0, 1].into() },
            Event::PolicyReloaded { actor: "watch".to_owned(), digest: "ab".to_owned() },
            Event::WebhookDisabled { webhook: "chat".into() },
        ] {
            assert!(Event::KINDS.contains(&event.kind()), "{event:?}");
            let text = serde_json::to_string(&event).unwrap();
            assert!(text.starts_with(&format!("{{\"event\":\"{}\"", event.kind())), "{text}");
            assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
        }
    }

    #[test]
    fn an_audience_is_people_and_members_of_groups() {
        let audience = Audience { people: vec!["dana".into()], groups: vec!["leads".into()] };
        assert!(audience.includes(&"dana".into(), &[]));
        assert!(audience.includes(&"lee".into(), &["leads".into()]));
        assert!(!audience.includes(&"eve".into(), &["developers".into()]));
        assert!(!Audience::default().includes(&"dana".into(), &["leads".into()]));
    }
}
