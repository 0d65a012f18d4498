//! What the database reckons that a requested statement would cost, for those who decide on it.

use jiff::Timestamp;

use super::{door::Control, error::ControlError, ports::Explain};
use crate::{
    model::{
        ids::PrincipalName,
        request::{Asked, Estimate, RequestState},
        target::Place,
    },
    policy::{self, Ask},
    store::CaseFilter,
};

/// A statement that somebody asks for, to be planned and not run.
#[derive(Clone, Debug)]
pub struct ToEstimate {
    /// Who asks; it is recorded under their name.
    pub requester: PrincipalName,
    /// Where.
    pub place: Place,
    /// The statement.
    pub sql: String,
    /// The flow that wants to know.
    pub flow: String,
    /// Whether it would change something.
    pub changes: bool,
}

impl Control {
    /// Has the statement of a request planned, if it is for one and its flow wants that; `None` if not. That it could
    /// not be is part of the answer.
    ///
    /// # Errors
    /// `Limit`, `Store`.
    pub(super) async fn estimated(
        &self,
        ask: &Ask,
        on_call: Vec<String>,
        explain: &dyn Explain,
    ) -> Result<Option<Estimate>, ControlError> {
        let Asked::Statement(statement) = &ask.what else { return Ok(None) };
        let now = self.now();
        self.check_waiting(&ask.requester, now).await?;
        let history = self.history(&ask.requester, now).await?.on_call(on_call);
        // What is not taken is told of, and recorded, when it is made.
        let Ok(submitted) = policy::submit(&self.snapshot().load(), ask, &history, now) else {
            return Ok(None);
        };
        if !submitted.plan.estimate {
            return Ok(None);
        }
        let question = ToEstimate {
            requester: ask.requester.clone(),
            place: Place { target: ask.target.clone(), database: ask.database.clone() },
            sql: statement.sql.to_string(),
            flow: submitted.plan.flow,
            changes: !statement.read_only,
        };
        Ok(Some(explain.estimate(question).await))
    }

    /// Refuses more requests of somebody who has enough that wait.
    pub(super) async fn check_waiting(
        &self,
        requester: &PrincipalName,
        now: Timestamp,
    ) -> Result<(), ControlError> {
        let waiting = CaseFilter {
            requester: Some(requester.clone()),
            state: Some(RequestState::Pending),
            limit: MOST_WAITING + 1,
            ..CaseFilter::default()
        };
        let waiting = self.store().list_cases(&waiting).await?;
        if waiting.iter().filter(|case| now < case.request.expires_at).count() >= MOST_WAITING as usize {
            let (what, limit) = ("pending requests of yours", MOST_WAITING as usize);
            return Err(ControlError::Limit { what, limit });
        }
        Ok(())
    }
}

const MOST_WAITING: u32 = 50;
