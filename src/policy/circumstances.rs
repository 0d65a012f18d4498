//! What conditions are asked about: a request, who makes it, when, and what there was before.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp, civil::Weekday};
use serde::Serialize;

use crate::model::{
    flow::Risk, object::ObjectPattern, permission::Permission, principal::Principal, request::Asked,
    target::Target,
};

use super::{
    condition::{Labels, Zone},
    submit::Ask,
};

/// What is known of a principal beside the snapshot: what became of their requests before, and where they are on call.
#[derive(Clone, Debug, Default)]
pub struct History {
    events: Arc<[(Timestamp, Past)]>,
    on_call: Arc<[String]>,
}

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// A request was denied.
    Denied,
    /// A grant was made of a request.
    Granted,
    /// A request was made.
    Requested,
}

impl History {
    /// Keeps what happened, in any order.
    pub fn new(events: impl IntoIterator<Item = (Timestamp, Past)>) -> Self {
        Self { events: events.into_iter().collect(), on_call: Arc::default() }
    }

    /// The same of somebody who is on call on these schedules.
    pub fn on_call(self, schedules: Vec<String>) -> Self {
        Self { on_call: schedules.into(), ..self }
    }

    fn schedules(&self) -> &[String] {
        &self.on_call
    }

    pub(super) fn granted(&self, days: i64, now: Timestamp) -> i64 {
        self.count(Past::Granted, days, now)
    }

    pub(super) fn denied(&self, days: i64, now: Timestamp) -> i64 {
        self.count(Past::Denied, days, now)
    }

    pub(super) fn requested(&self, days: i64, now: Timestamp) -> i64 {
        self.count(Past::Requested, days, now)
    }

    /// How often, in the last `days` (from 1 to [`DAYS`]; what is beyond is taken for the bound).
    fn count(&self, what: Past, days: i64, now: Timestamp) -> i64 {
        let back = SignedDuration::from_hours(24 * days.clamp(1, DAYS));
        let since = now.checked_sub(back).unwrap_or(Timestamp::MIN);
        let counted = self.events.iter().filter(|(at, past)| *past == what && *at > since);
        i64::try_from(counted.count()).unwrap_or(i64::MAX)
    }
}

/// Days that a history looks back.
pub const DAYS: i64 = 90;

/// One request at one moment.
#[derive(Clone)]
pub(super) struct Circumstances<'a> {
    pub(super) ask: &'a Ask,
    pub(super) principal: &'a Principal,
    pub(super) target: &'a Target,
    pub(super) risk: Option<Risk>,
    pub(super) history: &'a History,
    pub(super) at: Timestamp,
}

/// Numbers are signed and whole: CEL compares them with the numbers that people write.
#[derive(Serialize)]
pub(super) struct RequestFacts<'a> {
    kind: &'static str,
    target: &'a str,
    database: &'a str,
    environment: &'a str,
    labels: &'a Labels,
    objects: Vec<String>,
    permissions: Vec<&'static str>,
    role: &'a str,
    whole_database: bool,
    duration_minutes: i64,
    starts_in_minutes: i64,
    reason: &'a str,
    ticket: &'a str,
    break_glass: bool,
    extends: bool,
    command: &'a str,
    read_only: bool,
}

#[derive(Serialize)]
pub(super) struct PrincipalFacts<'a> {
    name: &'a str,
    groups: Vec<&'a str>,
    attributes: &'a Labels,
    on_call: &'a [String],
}

#[derive(Serialize)]
pub(super) struct NowFacts {
    weekday: &'static str,
    hour: i64,
    minute: i64,
    date: String,
}

impl<'a> Circumstances<'a> {
    pub(super) fn request(&self) -> RequestFacts<'a> {
        let Self { ask, target, at, .. } = self;
        let minutes = |seconds: i64| seconds.saturating_add(59).div_euclid(60);
        let starts_in = ask.starts_at.map_or(0, |start| start.duration_since(*at).as_secs().max(0));
        let length = ask
            .term
            .window(ask.starts_at, *at)
            .and_then(|window| window.ends_at.map(|end| end.duration_since(window.starts_at).as_secs()));
        let (whole_database, command, read_only) = match &ask.what {
            Asked::Access { objects, permissions } => {
                let reads = [Permission::Dml, Permission::Ddl, Permission::Admin];
                let read_only = !reads.into_iter().any(|permission| permissions.contains(permission));
                (objects.contains(&ObjectPattern::All), "", read_only)
            }
            Asked::Statement(statement) => (false, statement.command.as_str(), statement.read_only),
        };
        RequestFacts {
            kind: match &ask.what {
                Asked::Access { .. } => "access",
                Asked::Statement(_) => "statement",
            },
            target: &target.name,
            database: &ask.database,
            environment: &target.environment,
            labels: &target.labels,
            objects: ask.what.objects(),
            permissions: ask.what.permissions().iter().map(Permission::as_str).collect(),
            role: ask.role.as_deref().unwrap_or_default(),
            whole_database,
            // closed: what has no length is taken for the longest
            duration_minutes: length.map_or(i64::MAX, minutes),
            starts_in_minutes: minutes(starts_in),
            reason: &ask.reason,
            ticket: ask.ticket.as_deref().unwrap_or_default(),
            break_glass: ask.break_glass,
            extends: ask.extends.is_some(),
            command,
            read_only,
        }
    }

    pub(super) fn principal(&self) -> PrincipalFacts<'a> {
        let Principal { name, groups, attributes, .. } = self.principal;
        let groups = groups.iter().map(|group| group.as_str()).collect();
        PrincipalFacts { name, groups, attributes, on_call: self.history.schedules() }
    }

    pub(super) fn now(&self, zone: &Zone) -> NowFacts {
        let there = self.at.to_zoned(zone.time_zone().clone());
        NowFacts {
            weekday: match there.weekday() {
                Weekday::Monday => "monday",
                Weekday::Tuesday => "tuesday",
                Weekday::Wednesday => "wednesday",
                Weekday::Thursday => "thursday",
                Weekday::Friday => "friday",
                Weekday::Saturday => "saturday",
                Weekday::Sunday => "sunday",
            },
            hour: i64::from(there.hour()),
            minute: i64::from(there.minute()),
            date: there.date().to_string(),
        }
    }
}
