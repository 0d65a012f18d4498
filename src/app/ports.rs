//! What the control plane may ask of the data plane.

use std::sync::Arc;

use jiff::Unit;

use super::estimate::Asking;
use crate::{
    config::Config,
    control::{
        self, BoxFuture, Explain, ExplainError, Explanation, Question, SessionView, Sessions, TargetHealth,
        Targets, ToEstimate,
    },
    model::{
        dialect::Dialect,
        errand::Errand,
        facts::{Facts, Unanalyzable},
        ids::{DatabaseName, SessionId, TargetName},
        name_context::{NameContext, SearchPath},
        request::Estimate,
        target::Place,
    },
    session::{Gate, Who, mysql_context},
    sql::search_path,
};

/// The open sessions.
pub(super) struct OpenSessions(pub(super) Arc<Gate>);

impl Sessions for OpenSessions {
    fn list(&self) -> Vec<SessionView> {
        self.0.registry.list().iter().map(|who| view(who)).collect()
    }

    fn terminate(&self, session: SessionId) -> bool {
        self.0.registry.terminate(session)
    }

    fn run(&self, errand: &Errand) -> bool {
        self.0.registry.run(errand)
    }
}

fn view(who: &Who) -> SessionView {
    SessionView {
        id: who.session,
        principal: who.principal.name.clone(),
        client: who.client,
        application: who.application.clone(),
        target: who.place.target.clone(),
        database: who.database(),
        // To the microsecond, as all instants of the API.
        started_at: who.since.round(Unit::Microsecond).unwrap_or(who.since),
        state: who.state().to_owned(),
        statements: who.statement_count(),
        gateway: None,
    }
}

/// The health of the targets.
pub(super) struct KnownTargets(pub(super) Arc<Gate>);

impl Targets for KnownTargets {
    fn health(&self) -> Vec<TargetHealth> {
        let all = self.0.pools.health().into_iter();
        all.map(|(target, health)| {
            let problem = health.problem.map(|problem| problem.to_string());
            TargetHealth { target, up: problem.is_none(), problem, warnings: health.warnings }
        })
        .collect()
    }
}

/// Judges statements without running them.
pub(super) struct Judge {
    gate: Arc<Gate>,
    /// The database of a question that names none, by target.
    first_databases: Vec<(TargetName, Option<DatabaseName>)>,
}

impl Judge {
    pub(super) fn of(config: &Config, gate: Arc<Gate>) -> Self {
        let first_databases = config.targets.iter().map(|target| {
            let first = target.databases.as_ref().and_then(|databases| databases.first().cloned());
            (target.target.name.clone(), first)
        });
        Self { gate, first_databases: first_databases.collect() }
    }
}

impl Explain for Judge {
    fn explain(&self, question: Question) -> BoxFuture<'_, Result<Explanation, ExplainError>> {
        Box::pin(self.answer(question))
    }

    fn facts(
        &self,
        question: Question,
    ) -> BoxFuture<'_, Result<Result<Vec<Facts>, Unanalyzable>, ExplainError>> {
        Box::pin(async move { self.analysis(&question).await.map(|(_, analysis)| analysis) })
    }

    fn estimate(&self, question: ToEstimate) -> BoxFuture<'_, Estimate> {
        Box::pin(async move {
            let target = &question.place.target;
            let known = self.gate.snapshot.load().target(target).map(|target| target.dialect);
            let dialect = known.unwrap_or(Dialect::Postgres);
            let text = Asking::text(&question.sql, dialect);
            let explain = Question {
                principal: question.requester.clone(),
                target: target.clone(),
                database: Some(question.place.database.clone()),
                sql: text.clone(),
            };
            let place = question.place.clone();
            let asking = Asking { gate: &self.gate, question, dialect };
            match self.analysis(&explain).await {
                Ok((_, analysis)) => asking.answer(&text, &place, analysis).await,
                Err(error) => Estimate {
                    rows: None,
                    cost: None,
                    problem: Some(error.to_string()),
                    at: self.gate.clock.now(),
                },
            }
        })
    }
}

impl Judge {
    async fn answer(&self, question: Question) -> Result<Explanation, ExplainError> {
        let snapshot = self.gate.snapshot.load();
        let principal = snapshot
            .principal(&question.principal)
            .ok_or_else(|| ExplainError::UnknownPrincipal(question.principal.to_string()))?;
        let (place, analysis) = self.analysis(&question).await?;
        let now = self.gate.clock.now();
        Ok(control::Explanation::new(&snapshot, principal, &place, &question.sql, &analysis, now))
    }

    /// Where the question is about, and what its text does there.
    async fn analysis(
        &self,
        question: &Question,
    ) -> Result<(Place, Result<Vec<Facts>, Unanalyzable>), ExplainError> {
        let snapshot = self.gate.snapshot.load();
        let target = snapshot
            .target(&question.target)
            .ok_or_else(|| ExplainError::UnknownTarget(question.target.to_string()))?;
        let first = self.first_databases.iter().find(|(name, _)| *name == target.name);
        let database = question.database.clone().or_else(|| first.and_then(|(_, database)| database.clone()));
        let place = Place {
            target: target.name.clone(),
            database: database.unwrap_or_else(|| question.target.as_str().into()),
        };
        let context = match target.dialect {
            Dialect::Mysql => self.mysql_context(&place).await,
            Dialect::Postgres => self.context(&place).await,
        };
        let analysis = crate::sql::analyze(&question.sql, target.dialect, &context, &self.gate.limits.sql);
        Ok((place, analysis))
    }

    /// The context of a session that has just begun; without the database's answer, one in which nothing is known.
    async fn context(&self, place: &Place) -> NameContext {
        let pools = &self.gate.pools;
        let facts = pools.server_parameters(&place.target, &place.database).await.ok();
        NameContext {
            database: place.database.clone(),
            server_version: facts.as_ref().map_or(0, |facts| facts.version),
            search_path: facts.as_ref().map_or(SearchPath::Unknown, |facts| search_path(&facts.search_path)),
            accounts: pools.accounts(&place.target),
            temporary: Arc::default(),
            made: Arc::default(),
            catalog: pools.catalog(&place.target, &place.database).await.ok(),
            mysql: None,
        }
    }

    /// The same on a MySQL target; without the server's answer, as one of MySQL 8.0 reads.
    async fn mysql_context(&self, place: &Place) -> NameContext {
        let facts = self.gate.pools.mysql_facts(&place.target).await.ok();
        mysql_context(facts.as_deref(), place.database.clone())
    }
}
