//! An event as a heading and a few lines, for people who read it in a chat or on a pager.

use crate::model::{
    event::{Event, GrantEvent, RequestEvent},
    grant::Holder,
};

/// What happened, in a few words.
pub(super) fn title(event: &Event) -> String {
    match event {
        Event::AuditTrouble { writable: true } => "The audit log can be written again".to_owned(),
        Event::AuditTrouble { writable: false } => "The audit log cannot be written".to_owned(),
        Event::BreakGlassOpened(it) => format!("{} broke the glass on {}", it.requester, it.target),
        Event::BreakGlassReviewed { request: it, justified: true } => {
            format!("{} found it right that {} broke the glass", it.actor, it.requester)
        }
        Event::BreakGlassReviewed { request: it, justified: false } => {
            format!("{} found it wrong that {} broke the glass", it.actor, it.requester)
        }
        Event::GrantEnded(it) => format!("A grant of {} is over", holder(it)),
        Event::GrantExpiring(it) => format!("A grant of {} ends soon", holder(it)),
        Event::GrantExtended { grant: it, .. } => format!("A grant of {} is extended", holder(it)),
        Event::GrantRevoked(it) => format!("{} revoked a grant of {}", it.actor, holder(it)),
        Event::GrantStarted(it) => format!("A grant of {} is in force", holder(it)),
        Event::LoginThrottled { address, .. } => format!("Logins from {address} are held up"),
        Event::PolicyRejected { .. } => "A broken policy was refused".to_owned(),
        Event::PolicyReloaded { .. } => "Another policy is in force".to_owned(),
        Event::PrincipalChanged { principal, .. } => format!("{principal} was changed"),
        Event::RequestApproved(it) => format!("{} approved a request of {}", it.actor, it.requester),
        Event::RequestCancelled(it) => format!("{} took back a request", it.actor),
        Event::RequestCreated(it) => format!("{} asks for {} on {}", it.requester, it.permissions, it.target),
        Event::RequestDenied(it) => format!("{} denied a request of {}", it.actor, it.requester),
        Event::RequestEscalated(it) => format!("Nobody answers a request of {}", it.requester),
        Event::RequestExpired(it) => format!("Nobody decided on a request of {}", it.requester),
        Event::RequestReviewed(it) => format!("{} answered a request of {}", it.actor, it.requester),
        Event::StatementDenied { principal, target, .. } => format!("{principal} was refused on {target}"),
        Event::WebhookDisabled { webhook } => format!("Webhook {webhook} is disabled"),
        Event::WebhookTested { actor, .. } => format!("{actor} tries this webhook"),
    }
}

/// Names and values, in the order in which they matter.
pub(super) fn facts(event: &Event) -> Vec<(&'static str, String)> {
    match event {
        Event::BreakGlassOpened(it)
        | Event::BreakGlassReviewed { request: it, .. }
        | Event::RequestApproved(it)
        | Event::RequestCancelled(it)
        | Event::RequestCreated(it)
        | Event::RequestDenied(it)
        | Event::RequestEscalated(it)
        | Event::RequestExpired(it)
        | Event::RequestReviewed(it) => of_request(it),
        Event::GrantEnded(it)
        | Event::GrantExpiring(it)
        | Event::GrantExtended { grant: it, .. }
        | Event::GrantRevoked(it)
        | Event::GrantStarted(it) => of_grant(it),
        Event::AuditTrouble { .. }
        | Event::LoginThrottled { .. }
        | Event::PolicyRejected { .. }
        | Event::PolicyReloaded { .. }
        | Event::PrincipalChanged { .. }
        | Event::StatementDenied { .. }
        | Event::WebhookDisabled { .. }
        | Event::WebhookTested { .. } => vec![("What", event.in_words())],
    }
}

fn of_request(it: &RequestEvent) -> Vec<(&'static str, String)> {
    let what = if it.statement { "one statement".to_owned() } else { it.permissions.to_string() };
    let mut facts = vec![
        ("Who", it.requester.to_string()),
        ("What", format!("{what} on {}", joined(&it.objects))),
        ("Where", format!("{}/{}", it.target, it.database)),
        ("Why", it.reason.clone()),
        ("Risk", it.risk.to_string()),
        ("State", it.state.to_string()),
    ];
    facts.extend(it.ticket.clone().map(|ticket| ("Ticket", ticket)));
    if !it.waits_for.is_empty() {
        facts.push(("Waits for", joined(&it.waits_for)));
    }
    facts.extend(it.comment.clone().map(|comment| ("Comment", comment)));
    facts.push(("Request", it.request.to_string()));
    facts
}

fn of_grant(it: &GrantEvent) -> Vec<(&'static str, String)> {
    let objects = if it.objects.is_empty() { "one statement".to_owned() } else { joined(&it.objects) };
    let mut facts = vec![
        ("Who", holder(it)),
        ("What", format!("{} on {objects}", it.permissions)),
        ("Where", format!("{}/{}", it.target, it.database)),
        ("Why", it.reason.clone()),
    ];
    facts.extend(it.ends_at.map(|end| ("Until", format!("{end:.0}"))));
    facts.push(("Grant", it.grant.to_string()));
    facts
}

fn holder(it: &GrantEvent) -> String {
    match &it.holder {
        Holder::Principal(name) => name.to_string(),
        Holder::Group(name) => format!("group {name}"),
    }
}

fn joined(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
