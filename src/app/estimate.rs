//! Asks a database what a requested statement would cost: it plans it, and does not run it.
//!
//! It is a statement of the gateway's own, by its own account, and is judged and recorded as one, under the name of who
//! asks for the statement.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use jiff::Unit;
use serde_json::Value;
use uuid::Uuid;

use super::plan::{self, Reckoned};
use crate::{
    audit::Receipt,
    control::ToEstimate,
    model::{
        dialect::Dialect,
        facts::{Facts, Unanalyzable},
        ids::{Ident, SessionId, StatementId},
        name_context::MysqlFlavor,
        record::{
            Actor, DecisionRecord, Fingerprint, Outcome, Record, StatementEnd, StatementStart, Touched,
        },
        request::Estimate,
        target::{Lane, Place},
    },
    policy::{self, Permit},
    session::Gate,
    upstream::{
        Ask, HomeState, Lease, Mysql, Postgres, Setup, UpstreamError,
        mysql::{self, Home, SettingValue},
    },
    wire::mysql::capability::Capabilities,
};

/// Why there is no estimate, in words for the approver.
type NoEstimate = String;

/// A plan that is about to be asked for.
pub(super) struct Asking<'g> {
    pub(super) gate: &'g Arc<Gate>,
    pub(super) question: ToEstimate,
    pub(super) dialect: Dialect,
}

impl Asking<'_> {
    /// The EXPLAIN of the statement.
    pub(super) fn text(sql: &str, dialect: Dialect) -> String {
        match dialect {
            Dialect::Mysql => format!("EXPLAIN FORMAT=JSON {sql}"),
            Dialect::Postgres => format!("EXPLAIN (FORMAT JSON) {sql}"),
        }
    }

    /// Judges the plan that `analysis` tells of, asks for it, and reads it.
    pub(super) async fn answer(
        self,
        text: &str,
        place: &Place,
        analysis: Result<Vec<Facts>, Unanalyzable>,
    ) -> Estimate {
        let at = self.gate.clock.now();
        let at = at.round(Unit::Microsecond).unwrap_or(at);
        match self.reckon(text, place, analysis).await {
            Ok(Reckoned { rows, cost }) => Estimate { rows, cost, problem: None, at },
            Err(problem) => Estimate { rows: None, cost: None, problem: Some(problem), at },
        }
    }

    async fn reckon(
        &self,
        text: &str,
        place: &Place,
        analysis: Result<Vec<Facts>, Unanalyzable>,
    ) -> Result<Reckoned, NoEstimate> {
        let facts = analysis.map_err(|reason| reason.to_string())?;
        let [facts] = facts.as_slice() else { return Err("it is not one statement".to_owned()) };
        let permit = self.permit(place, facts).ok_or("the database is not asked to plan such a statement")?;
        let sent = facts.sent.as_deref().unwrap_or(text);
        let session = SessionId::new(Uuid::now_v7());
        let statement = StatementId::new(Uuid::now_v7());
        let started = std::time::Instant::now();
        let receipt = self.record_start(session, statement, sent, facts, place, &permit).await?;
        let asked = match self.dialect {
            Dialect::Mysql => ask(self.mysql(place, permit.lane()).await, sent, &permit, &receipt).await,
            Dialect::Postgres => {
                ask(self.postgres(place, permit.lane()).await, sent, &permit, &receipt).await
            }
        };
        let end = StatementEnd {
            statement,
            session,
            outcome: match &asked {
                Ok(_) => Outcome::Completed,
                Err(UpstreamError::Refused { .. }) => Outcome::Failed,
                Err(_) => Outcome::Lost,
            },
            rows: asked.as_ref().ok().map(|rows| rows.len() as u64),
            bytes: 0,
            duration_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
            sqlstate: None,
            upstream_pid: None,
        };
        let recorded = self.gate.audit.append_one(&Record::StatementEnd(end)).await;
        let _receipt = recorded.map_err(|_| "the audit log cannot be written")?;
        let rows = asked.map_err(|error| in_words(&error))?;
        let plan: Value = serde_json::from_str(&rows.concat()).map_err(|_| "the plan cannot be read")?;
        let reckoned = match self.dialect {
            Dialect::Mysql => plan::of_mysql(&plan),
            Dialect::Postgres => plan::of_postgres(&plan),
        };
        if reckoned == Reckoned::default() {
            Err("the plan tells no numbers".to_owned())
        } else {
            Ok(reckoned)
        }
    }

    fn permit(&self, place: &Place, facts: &Facts) -> Option<Permit> {
        let snapshot = self.gate.snapshot.load();
        let requester = snapshot.principal(&self.question.requester)?;
        let ToEstimate { flow, changes, .. } = &self.question;
        policy::decide_estimate(&snapshot, requester, place, flow, facts, *changes, self.gate.clock.now())
    }

    async fn record_start(
        &self,
        session: SessionId,
        statement: StatementId,
        sent: &str,
        facts: &Facts,
        place: &Place,
        permit: &Permit,
    ) -> Result<Receipt, NoEstimate> {
        let actor = Actor {
            session,
            principal: &self.question.requester,
            client: NOWHERE,
            application: APPLICATION,
            target: &place.target,
            database: &place.database,
        };
        let start = StatementStart {
            statement,
            actor: &actor,
            sql: sent,
            fingerprint: Some(Fingerprint(facts.fingerprint)),
            kind: Some(facts.kind),
            objects: facts.accesses.iter().map(Touched).collect(),
            decision: DecisionRecord::Allow { lane: permit.lane(), grants: permit.grants() },
            trace_id: None,
        };
        let recorded = self.gate.audit.append_one(&Record::StatementStart(start)).await;
        recorded.map_err(|_| "the audit log cannot be written".to_owned())
    }

    /// A connection to ask on; a plan changes nothing, and the database holds it to that.
    async fn postgres(&self, place: &Place, lane: Lane) -> Result<Lease<Postgres>, UpstreamError> {
        let who = &self.question.requester;
        let mut lease = self.gate.pools.lease(&place.target, &place.database, lane, who).await?;
        if lane != Lane::Read {
            lease.run_setup(&[Setup::ReadOnly(true)], LIMIT).await?;
        }
        Ok(lease)
    }

    /// In a READ ONLY transaction MySQL does not even plan a change, so that the lane alone holds it: what could run
    /// while it is planned, routines, is not asked for.
    async fn mysql(&self, place: &Place, lane: Lane) -> Result<Lease<Mysql>, UpstreamError> {
        let home = Home { shape: Capabilities::NONE, database: Some(place.database.clone()) };
        let who = &self.question.requester;
        let mut lease = self.gate.pools.lease_mysql(&place.target, &home, lane, who).await?;
        let facts = lease.facts();
        if facts.flavor == MysqlFlavor::Mysql && facts.version >= SECOND_JSON {
            // The second form of a plan says nothing of a change.
            let (name, value) = (Ident::from("explain_json_format_version"), SettingValue::Number(1));
            lease.run_setup(&[mysql::Setup::Set { name: &name, value }], LIMIT).await?;
        }
        Ok(lease)
    }
}

async fn ask<P: Ask>(
    lease: Result<Lease<P>, UpstreamError>,
    sent: &str,
    permit: &Permit,
    stored: &Receipt,
) -> Result<Vec<String>, UpstreamError> {
    let mut lease = lease?;
    let rows = lease.ask(sent, permit, stored, LIMIT).await?;
    lease.go_home(HomeState::Idle);
    Ok(rows)
}

/// What an approver may see of it.
fn in_words(error: &UpstreamError) -> String {
    match error {
        UpstreamError::Refused { .. } => "the database refused to plan it".to_owned(),
        UpstreamError::Timeout { .. } => {
            format!("the database took over {} seconds to plan it", LIMIT.as_secs())
        }
        _ => "the database could not be asked".to_owned(),
    }
}

/// It comes from no client.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
const APPLICATION: &str = "tidegate estimate";
/// From here on MySQL has two forms of a plan in JSON: 8.3.
const SECOND_JSON: u32 = 80_300;
const LIMIT: Duration = Duration::from_secs(2);
