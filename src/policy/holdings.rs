//! What a principal holds at a place, in words that fit into a refusal.

use std::fmt::Write;

use jiff::Timestamp;

use crate::model::{
    grant::Grant,
    object::ObjectPattern,
    permission::{Permission, PermissionSet},
    target::Place,
};

use super::{
    index::{Entry, longest_first},
    view::View,
};

/// The live grants of a principal at a place, the longest first, and how many more there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Holdings {
    held: Vec<Holding>,
    left_out: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Holding {
    permissions: PermissionSet,
    objects: Vec<ObjectPattern>,
    until: Option<Timestamp>,
}

impl Holdings {
    /// What is held, less what ceilings take away.
    pub(super) fn of(view: &View<'_>) -> Self {
        let mut held: Vec<Holding> = Vec::new();
        let here =
            |entry: &&Entry| !entry.is_presence() && entry.grant.database.matches(&view.place.database);
        for entry in view.live_here().filter(here) {
            let holding = Holding {
                permissions: view.remainder(entry),
                objects: entry.grant.objects.clone(),
                until: entry.over_at,
            };
            if !held.contains(&holding) {
                held.push(holding);
            }
        }
        held.sort_by(|a, b| longest_first(a.until, b.until));
        let left_out = held.len().saturating_sub(MOST_HOLDINGS);
        held.truncate(MOST_HOLDINGS);
        Self { held, left_out }
    }

    /// "explain on hr/hr_prod (standing), select on public.employee until 14:05:33Z", or "no grant on …".
    pub(super) fn in_words(&self, place: &Place, now: Timestamp) -> String {
        if self.held.is_empty() {
            return format!("no grant on {place}");
        }
        let mut text = String::new();
        for (index, holding) in self.held.iter().enumerate() {
            if index > 0 {
                text.push_str(", ");
            }
            let permissions = permissions_in_words(holding.permissions);
            let objects = objects_in_words(&holding.objects, place);
            let until = holding
                .until
                .map_or_else(|| "(standing)".to_owned(), |at| format!("until {}", instant(at, now)));
            let _ = write!(text, "{permissions} on {objects} {until}");
        }
        if self.left_out > 0 {
            let _ = write!(text, " and {} more", self.left_out);
        }
        text
    }
}

/// How a grant is told in one phrase: "select on public.employee".
pub(super) fn grant_in_words(grant: &Grant, place: &Place) -> String {
    format!("{} on {}", permissions_in_words(grant.permissions), objects_in_words(&grant.objects, place))
}

/// The members that no other member implies: the shortest way to say the same.
pub(super) fn shortest(set: PermissionSet) -> PermissionSet {
    let implied_by_another = |permission: Permission| {
        set.iter().any(|other| other != permission && other.implied().contains(permission))
    };
    set.iter().filter(|permission| !implied_by_another(*permission)).collect()
}

/// "14:05:33Z", with the date if it is not the day of `now` (UTC).
pub(super) fn instant(at: Timestamp, now: Timestamp) -> String {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    let format = if day(at) == day(now) { "%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
    at.strftime(format).to_string()
}

/// The first `most` items with ", " between them, and how many more there are.
pub(super) fn listed(items: &[String], most: usize) -> String {
    let shown: Vec<_> = items.iter().take(most).map(|item| short(item)).collect();
    let more = items.len().saturating_sub(most);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// `text` cut to a bounded number of characters, without control characters.
pub(super) fn short(text: &str) -> String {
    let mut letters = text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter });
    let mut cut: String = letters.by_ref().take(MOST_LETTERS).collect();
    if letters.next().is_some() {
        cut.push('…');
    }
    cut
}

fn permissions_in_words(set: PermissionSet) -> String {
    let words: Vec<_> = shortest(set).iter().map(Permission::as_str).collect();
    words.join(" and ")
}

fn objects_in_words(objects: &[ObjectPattern], place: &Place) -> String {
    if objects.contains(&ObjectPattern::All) {
        return place.to_string();
    }
    let words: Vec<_> = objects.iter().map(ToString::to_string).collect();
    listed(&words, MOST_OBJECTS)
}

const MOST_HOLDINGS: usize = 5;
const MOST_OBJECTS: usize = 3;
const MOST_LETTERS: usize = 140;
