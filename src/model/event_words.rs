//! Events in words, for people.

use jiff::Timestamp;

use super::{
    event::{Event, GrantEvent, RequestEvent},
    grant::Holder,
};

impl Event {
    /// It in a sentence. What people wrote is in it as they wrote it.
    pub fn in_words(&self) -> String {
        match self {
            Self::AuditTrouble { writable: true } => "The audit log can be written again.".to_owned(),
            Self::AuditTrouble { writable: false } => {
                "The audit log cannot be written: nothing runs.".to_owned()
            }
            Self::BreakGlassOpened(it) => format!("{} broke the glass: {}", it.requester, request(it)),
            Self::BreakGlassReviewed { request: it, justified } => {
                let found = if *justified { "right" } else { "not right" };
                format!("{} found it {found} to break the glass: {}", it.actor, request(it))
            }
            Self::GrantEnded(it) => format!("A grant is over: {}", grant(it)),
            Self::GrantExpiring(it) => {
                let end = it.ends_at.map(instant).unwrap_or_default();
                format!("A grant ends at {end}: {}", grant(it))
            }
            Self::GrantExtended { grant: it, extends } => {
                format!("A grant follows on {extends}: {}", grant(it))
            }
            Self::GrantRevoked(it) => format!("{} revoked a grant: {}", it.actor, grant(it)),
            Self::GrantStarted(it) => format!("A grant is in force: {}", grant(it)),
            Self::LoginThrottled { principal, address } => {
                let whom = principal.as_deref().unwrap_or("keys of the API");
                format!("Logins from {address} are held up, too many failed: {whom}.")
            }
            Self::PolicyRejected { actor, problem } => {
                format!("A broken policy was refused (asked for by {actor}): {problem}")
            }
            Self::PolicyReloaded { actor, digest } => {
                format!("Policy {digest} is in force (asked for by {actor}).")
            }
            Self::PrincipalChanged { actor, principal, change } => {
                format!("{actor} changed {principal}: {change}.")
            }
            Self::RequestApproved(it) => format!("{} approved: {}", it.actor, request(it)),
            Self::RequestCancelled(it) => format!("{} took back: {}", it.actor, request(it)),
            Self::RequestCreated(it) => format!("{} asks: {}", it.requester, request(it)),
            Self::RequestDenied(it) => format!("{} denied: {}", it.actor, request(it)),
            Self::RequestEscalated(it) => {
                format!("Nobody answers, {} may now: {}", list(&it.waits_for), request(it))
            }
            Self::RequestExpired(it) => format!("Nobody decided in time: {}", request(it)),
            Self::RequestReviewed(it) => format!("{} answered: {}", it.actor, request(it)),
            Self::StatementDenied { principal, target, database, denial, missing, suppressed } => {
                let more = if *suppressed > 0 { format!(" ({suppressed} more)") } else { String::new() };
                format!(
                    "{principal} was refused in {target}/{database}, denial {denial}: {}{more}.",
                    list(missing)
                )
            }
            Self::WebhookDisabled { webhook } => {
                format!("Webhook \"{webhook}\" is told nothing more: its address says that it is gone.")
            }
            Self::WebhookTested { actor, webhook } => format!("{actor} tries the webhook \"{webhook}\"."),
        }
    }
}

fn request(it: &RequestEvent) -> String {
    let RequestEvent { permissions, target, database, reason, risk, flow, state, .. } = it;
    let what = if it.statement { "one statement on".to_owned() } else { format!("{permissions} on") };
    let said = it.comment.as_ref().map(|comment| format!(", \"{comment}\"")).unwrap_or_default();
    format!(
        "{what} {} in {target}/{database} for {}, because: {reason}{said} (risk {risk}, flow \"{flow}\", {state}, {}).",
        list(&it.objects),
        it.requester,
        it.request
    )
}

fn grant(it: &GrantEvent) -> String {
    let holder = match &it.holder {
        Holder::Principal(name) => name.to_string(),
        Holder::Group(name) => format!("group {name}"),
    };
    let objects = if it.objects.is_empty() { "one statement".to_owned() } else { list(&it.objects) };
    let GrantEvent { permissions, target, database, reason, .. } = it;
    format!(
        "{permissions} on {objects} in {target}/{database} for {holder}, because: {reason} ({}).",
        it.grant
    )
}

/// Words with ", " between them, or "-".
fn list(items: &[impl ToString]) -> String {
    let words: Vec<_> = items.iter().map(ToString::to_string).collect();
    if words.is_empty() { "-".to_owned() } else { words.join(", ") }
}

/// An instant to the second.
fn instant(at: Timestamp) -> String {
    format!("{at:.0}")
}
