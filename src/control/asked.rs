//! From what a person sends to what is asked: filled in by the refusal, and checked.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    ask_bodies::NewRequest,
    door::Control,
    error::{ControlError, invalid, unknown},
    explanation::Question,
    names::checked_reason,
    ports::Explain,
};
use crate::{
    model::{
        dialect::Dialect,
        facts::Facts,
        ids::PrincipalName,
        object::ObjectPattern,
        permission::PermissionSet,
        request::{Asked, ExactStatement, Term},
        target::Place,
    },
    policy::{self, Ask},
};

impl Control {
    /// Fills in what the refusal tells, and refuses what cannot be meant.
    ///
    /// # Errors
    /// `Invalid`, `Unknown`.
    pub(super) async fn ask(
        &self,
        requester: &PrincipalName,
        new: NewRequest,
        explain: &dyn Explain,
    ) -> Result<Ask, ControlError> {
        let denied = match new.denial {
            Some(id) => Some(self.denial(requester, id).await?.ok_or_else(|| unknown("denial", id))?),
            None => None,
        };
        let place = denied.as_ref().map(|denied| denied.place());
        let target = new.target.clone().or_else(|| place.as_ref().map(|place| place.target.clone()));
        let target = target.ok_or_else(|| invalid("target", "say on which target, or name a denial"))?;
        let known = self.parts().targets.iter().find(|known| known.name == target);
        let dialect = known.ok_or_else(|| unknown("target", &target))?.dialect;
        let suggested = denied.as_ref().and_then(|it| policy::asked_for(&it.missing, &it.place(), dialect));
        let database = new.database.clone();
        let database = database.or_else(|| suggested.as_ref().map(|(database, ..)| database.clone()));
        let database = database.or_else(|| place.map(|place| place.database.clone()));
        let database =
            database.ok_or_else(|| invalid("database", "say on which database, or name a denial"))?;
        if database.is_empty() || database.len() > MOST_NAME_BYTES || database.contains(['*', '\0']) {
            return Err(invalid("database", "the name of one database"));
        }
        let sql = match (&new.statement, new.refused_statement, &denied) {
            (Some(_), true, _) => {
                return Err(invalid("statement", "give either statement or refused_statement"));
            }
            (Some(sql), false, _) => Some(sql.clone()),
            (None, true, Some(denied)) => Some(denied.sql.clone()),
            (None, true, None) => return Err(invalid("refused_statement", "name the denial, too")),
            (None, false, _) => None,
        };
        let term = Term { seconds: new.lifetime.map(|it| it.seconds()), until: new.until };
        let what = match sql {
            Some(sql) => {
                if new.objects.is_some() || new.permissions.is_some() || new.role.is_some() {
                    return Err(invalid(
                        "statement",
                        "it says itself what it touches: leave objects and permissions out",
                    ));
                }
                let place = Place { target: target.clone(), database: database.clone() };
                Asked::Statement(self.exact(requester, &place, &sql, dialect, explain).await?)
            }
            None => {
                self.access(&new, suggested.map(|(_, objects, permissions)| (objects, permissions)), dialect)?
            }
        };
        Ok(Ask {
            requester: requester.clone(),
            target,
            database,
            what,
            role: new.role,
            term: checked_term(term, new.starts_at, self.now())?,
            starts_at: new.starts_at.map(crate::store::whole_microseconds),
            reason: checked_reason(&new.reason)?,
            ticket: checked_ticket(new.ticket)?,
            break_glass: new.break_glass,
            extends: None,
        })
    }

    fn access(
        &self,
        new: &NewRequest,
        suggested: Option<(Vec<ObjectPattern>, PermissionSet)>,
        dialect: Dialect,
    ) -> Result<Asked, ControlError> {
        let (objects, permissions) = suggested.unzip();
        let objects = new.objects.clone().or(objects).unwrap_or_default();
        super::grants::check_objects(&objects)?;
        if objects.iter().any(|it| matches!(it, ObjectPattern::Name(_))) && !dialect.spans_databases() {
            return Err(invalid("objects", "write \"schema.table\": databases of this target have schemas"));
        }
        let named = match (&new.role, new.permissions) {
            (Some(_), Some(_)) => return Err(invalid("role", "give either role or permissions")),
            (Some(role), None) => {
                let snapshot = self.snapshot().load();
                let role = snapshot.policy().roles.get(role).copied();
                Some(role.ok_or_else(|| unknown("role", new.role.as_deref().unwrap_or_default()))?)
            }
            (None, permissions) => permissions,
        };
        let permissions = named.or(permissions).unwrap_or_default();
        if permissions.is_empty() {
            return Err(invalid(
                "permissions",
                "name at least one of explain, select, export, dml, ddl, admin",
            ));
        }
        Ok(Asked::Access { objects, permissions })
    }

    /// One statement as the gateway reads it now, in a session that has just begun.
    async fn exact(
        &self,
        requester: &PrincipalName,
        place: &Place,
        sql: &str,
        dialect: Dialect,
        explain: &dyn Explain,
    ) -> Result<ExactStatement, ControlError> {
        let sql = sql.trim().trim_end_matches(';').trim_end();
        if sql.is_empty() || sql.len() > MOST_SQL_BYTES || sql.contains('\0') {
            return Err(invalid("statement", format!("one statement of at most {MOST_SQL_BYTES} bytes")));
        }
        if dialect.may_have_parameters(sql) {
            return Err(invalid(
                "statement",
                "write the values out: what is approved is the whole statement",
            ));
        }
        let question = Question {
            principal: requester.clone(),
            target: place.target.clone(),
            database: Some(place.database.clone()),
            sql: sql.to_owned(),
        };
        let facts = explain.facts(question).await.map_err(|error| invalid("statement", error.to_string()))?;
        let facts = facts.map_err(|reason| invalid("statement", reason.to_string()))?;
        let [facts] = facts.as_slice() else {
            return Err(invalid("statement", "one statement, and not several"));
        };
        exact(sql, facts, dialect)
    }
}

fn exact(sql: &str, facts: &Facts, dialect: Dialect) -> Result<ExactStatement, ControlError> {
    if !policy::can_be_exact(facts, dialect) {
        let problem = "not what runs something by its name, and not the beginning or end of a transaction";
        return Err(invalid("statement", problem));
    }
    Ok(ExactStatement {
        sql: Arc::from(sql),
        fingerprint: facts.fingerprint,
        kind: facts.kind,
        command: facts.command.to_owned(),
        read_only: facts.read_only,
        accesses: facts.accesses.clone(),
        calls: facts.calls.iter().map(|call| call.name.clone()).collect(),
    })
}

fn checked_term(term: Term, starts_at: Option<Timestamp>, now: Timestamp) -> Result<Term, ControlError> {
    if term.seconds.is_none() && term.until.is_none() {
        return Err(invalid("for", "say how long, for example 1h, or until when"));
    }
    let latest = now.checked_add(MOST_AHEAD).unwrap_or(Timestamp::MAX);
    if starts_at.is_some_and(|at| at > latest) {
        return Err(invalid("starts_at", "at most 90 days from now"));
    }
    let until = term.until.map(crate::store::whole_microseconds);
    if until.is_some_and(|at| at > latest) {
        return Err(invalid("until", "at most 90 days from now"));
    }
    Ok(Term { seconds: term.seconds, until })
}

pub(super) fn checked_ticket(ticket: Option<String>) -> Result<Option<String>, ControlError> {
    let Some(ticket) = ticket else { return Ok(None) };
    let ticket = ticket.trim();
    if ticket.is_empty() || ticket.len() > MOST_TICKET_BYTES || ticket.chars().any(char::is_control) {
        return Err(invalid("ticket", format!("from 1 to {MOST_TICKET_BYTES} bytes on one line")));
    }
    Ok(Some(ticket.to_owned()))
}

const MOST_NAME_BYTES: usize = 200;
const MOST_TICKET_BYTES: usize = 200;
const MOST_SQL_BYTES: usize = 48 << 10;
const MOST_AHEAD: SignedDuration = SignedDuration::from_hours(90 * 24);
