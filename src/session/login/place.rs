//! Which target and database a client means.

use jiff::Timestamp;

use super::{door::Listing, error::LoginError};
use crate::{
    model::{grant::Grant, ids::DatabaseName, target::Place},
    policy::Snapshot,
};

/// Reads the database that a client asked for.
///
/// "target/database" names a target of the listener. A bare name is on the one target that declares it; if none
/// does, or several and the first among them, it is on the listener's first target. Where a target declares its
/// databases there are no others.
///
/// # Errors
/// `Place`, with a hint that names what `principal` has grants on here.
pub(super) fn choose(
    asked: &str,
    listings: &[Listing],
    snapshot: &Snapshot,
    principal: &str,
    now: Timestamp,
) -> Result<Place, LoginError> {
    find(asked, listings).ok_or_else(|| LoginError::Place {
        database: asked.to_owned(),
        hint: hint(listings, &snapshot.grants_of(principal, now).collect::<Vec<_>>()),
    })
}

/// The same for a client that need not name a database: nothing, or "target/", is the target alone, with an empty
/// database.
///
/// # Errors
/// As [`choose`].
pub(super) fn choose_target(
    asked: &str,
    listings: &[Listing],
    snapshot: &Snapshot,
    principal: &str,
    now: Timestamp,
) -> Result<Place, LoginError> {
    match without_database(asked, listings) {
        Some(listing) => Ok(Place { target: listing.target.clone(), database: DatabaseName::from("") }),
        None => choose(asked, listings, snapshot, principal, now),
    }
}

fn without_database<'a>(asked: &str, listings: &'a [Listing]) -> Option<&'a Listing> {
    match asked.strip_suffix('/') {
        _ if asked.is_empty() => listings.first(),
        Some(target) => listings.iter().find(|it| it.target.as_str() == target),
        None => None,
    }
}

fn find(asked: &str, listings: &[Listing]) -> Option<Place> {
    let (listing, database) = match asked.split_once('/') {
        Some((target, database)) => (listings.iter().find(|it| it.target.as_str() == target)?, database),
        None => (by_database(asked, listings)?, asked),
    };
    // A server cuts longer names off, and would open another database than the one that was judged.
    let sound = !database.is_empty() && database.len() <= LONGEST_NAME_BYTES;
    let offered = listing.databases.is_none() || declares(listing, database);
    (sound && offered)
        .then(|| Place { target: listing.target.clone(), database: DatabaseName::from(database) })
}

fn by_database<'a>(database: &str, listings: &'a [Listing]) -> Option<&'a Listing> {
    let first = listings.first()?;
    let mut declaring = listings.iter().filter(|listing| declares(listing, database));
    match (declaring.next(), declaring.next()) {
        (Some(only), None) => Some(only),
        (Some(_), Some(_)) if !declares(first, database) => None,
        (Some(_), Some(_)) | (None, _) => Some(first),
    }
}

fn declares(listing: &Listing, database: &str) -> bool {
    listing.databases.iter().flatten().any(|declared| declared.as_str() == database)
}

fn hint(listings: &[Listing], grants: &[&Grant]) -> String {
    let mut places: Vec<String> = Vec::new();
    for listing in listings {
        let here = grants.iter().filter(|grant| grant.target.matches(&listing.target)).collect::<Vec<_>>();
        match &listing.databases {
            Some(databases) => places.extend(
                databases
                    .iter()
                    .filter(|database| here.iter().any(|grant| grant.database.matches(database)))
                    .map(|database| format!("{}/{database}", listing.target)),
            ),
            None => places
                .extend(here.iter().map(|grant| format!("{}/{}", listing.target, grant.database.as_str()))),
        }
    }
    places.sort();
    places.dedup();
    let more = places.len().saturating_sub(MOST_PLACES);
    places.truncate(MOST_PLACES);
    match (places.is_empty(), more) {
        (true, _) => "You hold no grant on any database here; ask for one.".to_owned(),
        (false, 0) => format!("You may use: {}.", places.join(", ")),
        (false, more) => format!("You may use: {} and {more} more.", places.join(", ")),
    }
}

/// NAMEDATALEN of the server, less the end of the text.
const LONGEST_NAME_BYTES: usize = 63;

/// How many places a hint names.
const MOST_PLACES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::TargetName;

    fn listing(target: &str, databases: Option<&[&str]>) -> Listing {
        Listing {
            target: TargetName::from(target),
            databases: databases.map(|names| names.iter().map(|name| DatabaseName::from(*name)).collect()),
        }
    }

    fn chosen(asked: &str, listings: &[Listing]) -> Option<String> {
        find(asked, listings).map(|place| place.to_string())
    }

    #[test]
    fn a_target_can_be_named_before_the_database() {
        let here = [listing("hr", None), listing("crm", Some(&["crm_prod"]))];
        assert_eq!(chosen("crm/crm_prod", &here).as_deref(), Some("crm/crm_prod"));
        assert_eq!(chosen("hr/a/b", &here).as_deref(), Some("hr/a/b"));
        for wrong in ["crm/other", "CRM/crm_prod", "nowhere/crm_prod", "hr/", "/hr", ""] {
            assert_eq!(chosen(wrong, &here), None, "{wrong}");
        }
    }

    #[test]
    fn a_bare_name_is_on_the_one_target_that_declares_it_else_on_the_first() {
        let here = [
            listing("hr", None),
            listing("crm", Some(&["crm_prod", "hr_prod"])),
            listing("erp", Some(&["hr_prod"])),
        ];
        assert_eq!(chosen("crm_prod", &here).as_deref(), Some("crm/crm_prod"));
        assert_eq!(chosen("anything", &here).as_deref(), Some("hr/anything"));
        assert_eq!(chosen("hr_prod", &here), None, "declared twice, and not by the first");
        assert_eq!(chosen("hr_prod", &here[1..]).as_deref(), Some("crm/hr_prod"));
        assert_eq!(chosen("anything", &here[1..]), None);
        assert_eq!(chosen("anything", &[]), None);
    }

    #[test]
    fn a_target_can_be_named_alone() {
        let here = [listing("hr", None), listing("crm", Some(&["crm_prod"]))];
        let alone = |asked| without_database(asked, &here).map(|it| it.target.to_string());
        assert_eq!(alone("").as_deref(), Some("hr"));
        assert_eq!(alone("crm/").as_deref(), Some("crm"));
        for wrong in ["crm", "nowhere/", "crm/crm_prod", "/"] {
            assert_eq!(alone(wrong), None, "{wrong}");
        }
        assert!(without_database("", &[]).is_none());
    }

    #[test]
    fn a_name_that_the_server_would_cut_off_is_unknown() {
        let here = [listing("hr", None)];
        assert!(chosen(&"x".repeat(63), &here).is_some());
        assert!(chosen(&"x".repeat(64), &here).is_none());
    }
}
