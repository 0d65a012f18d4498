//! What the client reads when a statement is refused.

use crate::model::{
    denial::DenialId,
    object::Object,
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
                .with_hint(hint(lack, principal, place, None)),
        }
    }

    /// The same, telling how to ask for what is missing by the name under which the refusal is kept.
    ///
    /// Where no request could help, it is [`Denial::refusal`].
    pub fn refusal_to_ask(&self, principal: &Principal, place: &Place, denial: DenialId) -> Refusal {
        let refusal = self.refusal(principal, place);
        match &self.reason {
            Reason::Missing(lack) if self.can_be_asked_for() => {
                refusal.with_hint(hint(lack, principal, place, Some(denial)))
            }
            Reason::Missing(_) | Reason::Closed(_) => refusal,
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

fn hint(lack: &Lack, principal: &Principal, place: &Place, ask: Option<DenialId>) -> String {
    if !lack.forbidden.is_empty() {
        let sentences: Vec<_> = lack.forbidden.iter().map(ceiling).collect();
        return sentences.join(" ");
    }
    let mut sentences = Vec::new();
    if let Some(spelling) = lack.spellings.first() {
        sentences.push(format!("Policy lists the routine as {}: call it by that name.", short(spelling)));
    }
    let unresolved = lack.missing.iter().find_map(|missing| match &missing.object {
        Object::Unresolved { name } => Some(short(name)),
        Object::Database
        | Object::Relation { .. }
        | Object::Schema { .. }
        | Object::Routine { .. }
        | Object::OtherDatabase { .. }
        | Object::Server { .. } => None,
    });
    if let Some(name) = unresolved {
        sentences
            .push(format!("Write the schema in front of {name}, so that it is clear which one is meant."));
    }
    if let Some(denial) = ask {
        sentences.push(format!("Ask for it: tidegate request create --denial {denial}"));
        return sentences.join(" ");
    }
    sentences.push(match command::for_missing(&lack.missing, principal, place, lack.dialect) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{
            facts::{AccessMode, Facts},
            grant::Grant,
            object::Object,
            permission::Permission,
        },
        policy::fixture::{
            at, denied, facts, grant, hr, judge, policy, principal, reads, relation, shipped, snapshot, until,
        },
    };

    fn refusal(grants: Vec<Grant>, facts: &Facts, second: i64) -> Refusal {
        denied(judge(&snapshot(&shipped(), grants), facts, at(second)))
            .refusal(&principal("dana", &[]), &hr())
    }

    #[test]
    fn a_refusal_says_what_is_missing_what_is_held_and_what_to_run() {
        let refusal = refusal(vec![], &reads(&["public.salary", "public.employee"]), 0);
        assert_eq!(refusal.code.sqlstate(), "42501");
        assert_eq!(
            refusal.message,
            "permission denied: select on public.employee, select on public.salary (target hr, database hr_prod)"
        );
        assert_eq!(
            refusal.detail.unwrap(),
            "dana holds explain on hr/hr_prod (standing); this statement reads public.employee, public.salary."
        );
        assert_eq!(
            refusal.hint.unwrap(),
            "Ask an administrator to run: tidegate grant create --to dana --target hr --database hr_prod \
             --table public.employee --table public.salary --permission select --for 1h --reason \"…\""
        );
    }

    #[test]
    fn where_people_can_ask_the_hint_says_how() {
        let text = "flows: [ { name: all, when: \"true\", automatic: true } ]
ceilings: [ { environment: prod, forbid: [admin] } ]";
        let with_flows = snapshot(&policy(text), vec![]);
        let (dana, id) = (principal("dana", &[]), DenialId::new(0xd7f3a));
        let denial = denied(judge(&with_flows, &reads(&["public.salary"]), at(0)));
        assert_eq!(
            denial.refusal_to_ask(&dana, &hr(), id).hint.unwrap(),
            "Ask for it: tidegate request create --denial 000d7f3a"
        );
        let role = facts(&[(AccessMode::Administer, Object::Server { what: "role".into() })], &[], true);
        let forbidden = denied(judge(&with_flows, &role, at(0)));
        assert!(!forbidden.can_be_asked_for());
        assert_eq!(forbidden.refusal_to_ask(&dana, &hr(), id), forbidden.refusal(&dana, &hr()));
        let without = denied(judge(&snapshot(&policy(""), vec![]), &reads(&["public.salary"]), at(0)));
        assert!(!without.can_be_asked_for());
    }

    #[test]
    fn what_is_missing_comes_first_and_ends_are_told() {
        let grants = vec![until(grant(1, &[Permission::Select], &["public.employee"]), at(7533))];
        let refusal = refusal(grants, &reads(&["public.employee", "public.salary"]), 0);
        assert_eq!(
            refusal.message,
            "permission denied: select on public.salary (target hr, database hr_prod)"
        );
        assert_eq!(
            refusal.detail.unwrap(),
            "dana holds explain on hr/hr_prod (standing), select on public.employee until 14:05:33Z; \
             this statement reads public.salary, public.employee."
        );
    }

    #[test]
    fn a_grant_that_is_over_is_named_with_its_end() {
        let ended = until(grant(1, &[Permission::Select], &["public.employee"]), at(120));
        let revoked = |second| Grant { revoked_at: Some(at(second)), ..ended.clone() };
        let later = Grant {
            window: crate::model::window::Window { starts_at: at(86_400), ends_at: None },
            ..ended.clone()
        };
        let id = "00000000-0000-0000-0000-000000000001";
        for (grant, words) in [
            (ended.clone(), "ended at 12:02:00Z"),
            (revoked(60), "was revoked at 12:01:00Z"),
            (revoked(180), "ended at 12:02:00Z"),
            (later, "starts at 2026-01-02T12:00:00Z"),
        ] {
            let detail = refusal(vec![grant], &reads(&["public.employee"]), 200).detail.unwrap();
            let sentence = format!(" Your grant {id} (select on public.employee) {words}.");
            assert!(detail.ends_with(&sentence), "{detail}");
        }
        let other = refusal(vec![ended], &reads(&["public.salary"]), 200).detail.unwrap();
        assert!(!other.contains("Your grant"), "{other}");
    }

    #[test]
    fn the_commands_ask_for_nothing_more_than_is_missing() {
        let insert = facts(
            &[
                (AccessMode::Write, relation("public.title")),
                (AccessMode::Read, relation("public.salary")),
                (AccessMode::Export, relation("public.salary")),
            ],
            &["public.f"],
            false,
        );
        let snapshot = snapshot(&policy(""), vec![]);
        let refusal = denied(judge(&snapshot, &insert, at(0))).refusal(&principal("dana", &[]), &hr());
        let create = "tidegate grant create --to dana --target hr --database hr_prod";
        let rest = "--for 1h --reason \"…\"";
        assert_eq!(
            refusal.hint.unwrap(),
            format!(
                "Ask an administrator to run: {create} --table public.title --permission dml {rest} \
                 and {create} --table public.salary --permission export {rest} \
                 and {create} --all-tables --permission admin {rest}"
            )
        );
        assert!(refusal.message.starts_with(
            "permission denied: select on public.salary, export on public.salary, dml on public.title and 1 more ("
        ));
        assert_eq!(
            refusal.detail.unwrap(),
            "dana holds no grant on hr/hr_prod; this statement reads public.salary and copies out public.salary \
             and changes public.title and calls public.f."
        );
    }

    #[test]
    fn under_a_ceiling_no_command_is_offered() {
        let role = facts(&[(AccessMode::Administer, Object::Server { what: "role".into() })], &[], false);
        let refusal = refusal(vec![grant(1, &[Permission::Admin], &["*"])], &role, 0);
        assert_eq!(refusal.message, "permission denied: admin on role (target hr, database hr_prod)");
        assert_eq!(
            refusal.hint.unwrap(),
            "The ceiling of environment prod forbids admin: no grant helps, except to members of dba."
        );
    }

    #[test]
    fn a_routine_listed_with_its_schema_is_offered_by_that_name() {
        let snapshot = snapshot(&policy("routines: [ { target: hr, allow: [public.f] } ]"), vec![]);
        let refusal = denied(judge(&snapshot, &facts(&[], &["f"], true), at(0)))
            .refusal(&principal("dana", &[]), &hr());
        assert!(
            refusal
                .hint
                .unwrap()
                .starts_with("Policy lists the routine as public.f: call it by that name. Ask")
        );
    }

    #[test]
    fn a_name_without_a_known_schema_is_best_written_with_it() {
        let unresolved = Object::Unresolved { name: "salary".into() };
        let refusal = refusal(vec![], &facts(&[(AccessMode::Read, unresolved)], &[], true), 0);
        assert!(refusal.message.contains("select on salary (schema unknown) (target hr"));
        let hint = refusal.hint.unwrap();
        assert!(
            hint.starts_with(
                "Write the schema in front of salary, so that it is clear which one is meant. Ask"
            )
        );
        assert!(hint.contains(" --all-tables --permission select "));
    }

    #[test]
    fn a_name_never_widens_or_breaks_the_command() {
        let hint = |schema: &str, name: &str| {
            let object = Object::Relation { schema: schema.into(), name: name.into() };
            refusal(vec![], &facts(&[(AccessMode::Read, object)], &[], true), 0).hint.unwrap()
        };
        assert!(hint("public", "Pay'; rm -rf $HOME").contains(r"--table 'public.Pay'\''; rm -rf $HOME' "));
        for (schema, name) in [("*", "*"), ("public", "a.b"), ("public", "a\nb"), ("public", "")] {
            let hint = hint(schema, name);
            assert!(!hint.contains("tidegate grant"), "{hint}");
        }
    }

    #[test]
    fn a_refusal_is_short_whatever_the_statement() {
        let names: Vec<_> = (0..500).map(|number| format!("public.{}{number}", "x".repeat(1000))).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let grants = (1..200)
            .map(|number| grant(number, &[Permission::Dml], &[format!("public.t{number}").as_str(); 50]))
            .collect();
        let refusal = refusal(grants, &reads(&names), 0);
        for text in [Some(refusal.message), refusal.detail, refusal.hint].into_iter().flatten() {
            assert!(text.len() < 4000 && !text.is_empty(), "{}", text.len());
        }
    }

    #[test]
    fn the_shut_door_says_why() {
        let denial = Denial::closed(Closed::Disabled);
        let refusal = denial.refusal(&principal("dana", &[]), &hr());
        assert_eq!(refusal.message, "permission denied: principal \"dana\" is disabled");
        assert_eq!(refusal.hint.unwrap(), "Ask an administrator to run: tidegate user enable dana");
    }
}
