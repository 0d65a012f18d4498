//! What the client reads when a statement is refused.

use crate::model::{
    principal::Principal,
    refusal::{Missing, Refusal, RefusalCode},
    target::Place,
};

use super::{
    command,
    denial::{Closed, Denial, ForbiddenHere, Lack, NotNow, Reason, Touched, When},
    holdings::{instant, listed, short},
};

impl Denial {
    /// The refusal in words: what is missing, what `principal` holds at `place`, and the next step. SQLSTATE 42501.
    pub fn refusal(&self, principal: &Principal, place: &Place) -> Refusal {
        match &self.reason {
            Reason::Closed(closed) => shut(*closed, principal, place),
            Reason::Missing(lack) => Refusal::new(RefusalCode::InsufficientPrivilege, message(lack, place))
                .with_detail(detail(lack, principal, place))
                .with_hint(hint(lack, principal, place)),
        }
    }
}

/// A missing permission as messages and audit records name it: "select on public.salary".
pub fn missing_in_words(missing: &Missing) -> String {
    match missing.permission {
        Some(permission) => format!("{permission} on {}", missing.object),
        None => "any grant on the database".to_owned(),
    }
}

fn shut(closed: Closed, principal: &Principal, place: &Place) -> Refusal {
    let (name, target) = (&principal.name, &place.target);
    let (message, hint) = match closed {
        Closed::Disabled => (
            format!("permission denied: principal \"{name}\" is disabled"),
            format!("Ask an administrator to run: tidegate user enable {}", command::quoted(name)),
        ),
        Closed::UnknownPrincipal => (
            format!("permission denied: principal \"{name}\" is not known to the gateway any more"),
            format!("Ask an administrator to run: tidegate user add {}", command::quoted(name)),
        ),
        Closed::UnknownTarget => (
            format!("permission denied: target \"{target}\" is not known to the gateway"),
            "Connect to one of the targets in the gateway's configuration.".to_owned(),
        ),
    };
    Refusal::new(RefusalCode::InsufficientPrivilege, message).with_hint(hint)
}

fn message(lack: &Lack, place: &Place) -> String {
    let missing: Vec<_> = lack.missing.iter().map(missing_in_words).collect();
    let Place { target, database } = place;
    format!("permission denied: {} (target {target}, database {database})", listed(&missing, MOST_MISSING))
}

fn detail(lack: &Lack, principal: &Principal, place: &Place) -> String {
    let holdings = lack.holdings.in_words(place, lack.now);
    let mut text = format!("{} holds {holdings}; {}.", principal.name, deeds(&lack.touched, place));
    if let Some(NotNow { grant, what, when }) = &lack.not_now {
        let end = match when {
            When::Ended(at) => format!("ended at {}", instant(*at, lack.now)),
            When::Revoked(at) => format!("was revoked at {}", instant(*at, lack.now)),
            When::Starts(at) => format!("starts at {}", instant(*at, lack.now)),
        };
        text.push_str(&format!(" Your grant {grant} ({what}) {end}."));
    }
    text
}

/// "this statement reads public.salary, public.employee and changes public.title".
fn deeds(touched: &[Touched], place: &Place) -> String {
    let mut by_verb: Vec<(&str, Vec<String>)> = Vec::new();
    for Touched { verb, name, .. } in touched {
        match by_verb.iter_mut().find(|(known, _)| known == verb) {
            Some((_, names)) if names.contains(name) => {}
            Some((_, names)) => names.push(name.clone()),
            None => by_verb.push((verb, vec![name.clone()])),
        }
    }
    if by_verb.is_empty() {
        return format!("this statement needs a grant on {place}");
    }
    let deeds: Vec<_> =
        by_verb.iter().map(|(verb, names)| format!("{verb} {}", listed(names, MOST_TOUCHED))).collect();
    format!("this statement {}", deeds.join(" and "))
}

fn hint(lack: &Lack, principal: &Principal, place: &Place) -> String {
    if !lack.forbidden.is_empty() {
        let sentences: Vec<_> = lack.forbidden.iter().map(ceiling).collect();
        return sentences.join(" ");
    }
    let mut sentences = Vec::new();
    if let Some(spelling) = lack.spellings.first() {
        sentences.push(format!("Policy lists the routine as {}: call it by that name.", short(spelling)));
    }
    sentences.push(match command::for_missing(&lack.missing, principal, place) {
        Some(commands) => format!("Ask an administrator to run: {commands}"),
        None => "Ask an administrator for a grant on a pattern that matches these names.".to_owned(),
    });
    sentences.join(" ")
}

fn ceiling(forbidden: &ForbiddenHere) -> String {
    let ForbiddenHere { permission, environment, except } = forbidden;
    let sentence = format!("The ceiling of environment {environment} forbids {permission}: no grant helps");
    if except.is_empty() {
        return format!("{sentence}.");
    }
    let groups: Vec<_> = except.iter().map(ToString::to_string).collect();
    format!("{sentence}, except to members of {}.", listed(&groups, MOST_GROUPS))
}

const MOST_MISSING: usize = 3;
const MOST_TOUCHED: usize = 8;
const MOST_GROUPS: usize = 5;
