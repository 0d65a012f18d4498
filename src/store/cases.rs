//! Requests and the answers to them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::{corrupt, from_json, instant, optional_instant, parsed, to_json, value},
    sql::{Query, Row, query},
};
use crate::model::{
    ids::{GrantId, PrincipalName, RequestId},
    request::{Aftermath, Case, RequestState},
    review::Review,
};

macro_rules! columns {
    () => {
        "id, body, plan, state, aftermath, grant_id, decided_at, escalated_at, version, estimate"
    };
}

/// Those that a filter lets through, newest first.
macro_rules! filtered {
    () => {
        " FROM requests WHERE ($1 IS NULL OR requester = $1) AND ($2 IS NULL OR state = $2) \
         AND ($3 IS NULL OR aftermath = $3) AND ($4 IS NULL OR target = $4) AND ($5 IS NULL OR id < $5) \
         ORDER BY id DESC LIMIT $6"
    };
}

/// Those with which the clock has something to do.
macro_rules! due {
    () => {
        " FROM requests WHERE state = 'pending' \
         AND (expires_at <= $1 OR (escalated_at IS NULL AND escalates_at <= $1)) ORDER BY id LIMIT $2"
    };
}

/// Which requests a list shows; `None` shows all.
#[derive(Clone, Debug, Default)]
pub struct CaseFilter {
    /// Made by this principal.
    pub requester: Option<PrincipalName>,
    /// In this state.
    pub state: Option<RequestState>,
    /// Only those that somebody still has to look at afterwards.
    pub aftermath_open: bool,
    /// On this target.
    pub target: Option<String>,
    /// Only requests older than this one.
    pub before: Option<RequestId>,
    /// How many at most.
    pub limit: u32,
}

/// What became of one request, for those who count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastRequest {
    /// When it was made.
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: RequestState,
    /// When it stopped being pending.
    pub decided_at: Option<Timestamp>,
}

impl Store {
    /// One request with its answers, however old.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it cannot be read.
    pub async fn case(&self, id: RequestId) -> Result<Option<Case>, StoreError> {
        let rows = query(concat!("SELECT ", columns!(), " FROM requests WHERE id = $1"));
        let reviews =
            query("SELECT request, verdict FROM reviews WHERE request = $1 ORDER BY given_at, reviewer");
        let id = id.to_string();
        Ok(self.cases(rows.bind(id.as_str()), reviews.bind(id.as_str())).await?.pop())
    }

    /// The requests that `filter` lets through, newest first.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn list_cases(&self, filter: &CaseFilter) -> Result<Vec<Case>, StoreError> {
        let bound = |query: Query| {
            query
                .bind(filter.requester.as_deref())
                .bind(filter.state.map(RequestState::as_str))
                .bind(filter.aftermath_open.then_some(Aftermath::Open.as_str()))
                .bind(filter.target.as_deref())
                .bind(filter.before.map(|id| id.to_string()))
                .bind(i64::from(filter.limit))
        };
        let rows = query(concat!("SELECT ", columns!(), filtered!()));
        let reviews = query(concat!(
            "SELECT request, verdict FROM reviews WHERE request IN (SELECT id",
            filtered!(),
            ") ORDER BY given_at, reviewer"
        ));
        self.cases(bound(rows), bound(reviews)).await
    }

    /// The pending requests that are to expire, or to go to others, by `now`; oldest first, at most `limit`.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn due_cases(&self, now: Timestamp, limit: u32) -> Result<Vec<Case>, StoreError> {
        let bound = |query: Query| query.bind(now.as_microsecond()).bind(i64::from(limit));
        let rows = query(concat!("SELECT ", columns!(), due!()));
        let reviews = query(concat!(
            "SELECT request, verdict FROM reviews WHERE request IN (SELECT id",
            due!(),
            ") ORDER BY given_at, reviewer"
        ));
        self.cases(bound(rows), bound(reviews)).await
    }

    /// What became of the requests that `requester` made, or that were decided, since `since`; at most 1000.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn past_requests(
        &self,
        requester: &PrincipalName,
        since: Timestamp,
    ) -> Result<Vec<PastRequest>, StoreError> {
        let rows = query(
            "SELECT state, created_at, decided_at FROM requests \
             WHERE requester = $1 AND (created_at > $2 OR decided_at > $2) ORDER BY id DESC LIMIT 1000",
        )
        .bind(requester.as_str())
        .bind(since.as_microsecond())
        .fetch_all(&self.pool)
        .await
        .map_err(doing("read past requests"))?;
        let past = |row: &Row| {
            Ok(PastRequest {
                created_at: instant(row, "created_at")?,
                state: state(row)?,
                decided_at: optional_instant(row, "decided_at")?,
            })
        };
        rows.iter().map(past).collect()
    }

    /// The requests of `rows`, in their order, each with its answers of `reviews`.
    async fn cases(&self, rows: Query, reviews: Query) -> Result<Vec<Case>, StoreError> {
        let rows = rows.fetch_all(&self.pool).await.map_err(doing("read requests"))?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut answers: BTreeMap<RequestId, Vec<Review>> = BTreeMap::new();
        for row in reviews.fetch_all(&self.pool).await.map_err(doing("read reviews"))? {
            answers.entry(parsed(&row, "request")?).or_default().push(from_json(&row, "verdict")?);
        }
        rows.iter().map(|row| read(row, &mut answers)).collect()
    }
}

fn read(row: &Row, answers: &mut BTreeMap<RequestId, Vec<Review>>) -> Result<Case, StoreError> {
    let grant: Option<String> = value(row, "grant_id")?;
    let aftermath: String = value(row, "aftermath")?;
    let aftermath = [Aftermath::None, Aftermath::Open, Aftermath::Done]
        .into_iter()
        .find(|known| known.as_str() == aftermath);
    Ok(Case {
        request: from_json(row, "body")?,
        plan: from_json(row, "plan")?,
        state: state(row)?,
        estimate: value::<Option<String>>(row, "estimate")?
            .map(|_| from_json(row, "estimate"))
            .transpose()?,
        reviews: answers.remove(&parsed(row, "id")?).unwrap_or_default(),
        aftermath: aftermath.ok_or_else(|| corrupt("an aftermath", std::fmt::Error))?,
        grant: grant
            .map(|id| id.parse::<GrantId>().map_err(|source| corrupt("an identifier", source)))
            .transpose()?,
        decided_at: optional_instant(row, "decided_at")?,
        escalated_at: optional_instant(row, "escalated_at")?,
        version: value(row, "version")?,
    })
}

impl Change {
    /// Adds a request without answers.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn insert_case(&mut self, case: &Case) -> Result<(), StoreError> {
        let request = &case.request;
        query(
            "INSERT INTO requests (id, requester, target, database_name, body, plan, state, aftermath, grant_id, \
             created_at, expires_at, decided_at, escalated_at, version, escalates_at, estimate) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        )
        .bind(request.id.to_string())
        .bind(request.requester.as_str())
        .bind(request.target.as_str())
        .bind(request.database.as_str())
        .bind(to_json(request)?)
        .bind(to_json(&case.plan)?)
        .bind(case.state.as_str())
        .bind(case.aftermath.as_str())
        .bind(case.grant.map(|id| id.to_string()))
        .bind(request.created_at.as_microsecond())
        .bind(request.expires_at.as_microsecond())
        .bind(case.decided_at.map(Timestamp::as_microsecond))
        .bind(case.escalated_at.map(Timestamp::as_microsecond))
        .bind(case.version)
        .bind(escalates_at(case).map(Timestamp::as_microsecond))
        .bind(case.estimate.as_ref().map(to_json).transpose()?)
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("write a request"))
    }

    /// Writes down where a request stands now, if it is still as it was seen: `case.version` is the version seen, and
    /// one more is kept. Gives whether it was; if not, somebody else was first, and the change must not be committed.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn move_case(&mut self, case: &Case) -> Result<bool, StoreError> {
        let moved = query(
            "UPDATE requests SET state = $3, aftermath = $4, grant_id = $5, decided_at = $6, escalated_at = $7, \
             version = version + 1 WHERE id = $1 AND version = $2",
        )
        .bind(case.request.id.to_string())
        .bind(case.version)
        .bind(case.state.as_str())
        .bind(case.aftermath.as_str())
        .bind(case.grant.map(|id| id.to_string()))
        .bind(case.decided_at.map(Timestamp::as_microsecond))
        .bind(case.escalated_at.map(Timestamp::as_microsecond))
        .execute(self.connection())
        .await
        .map_err(doing("move a request"))?;
        Ok(moved == 1)
    }

    /// Adds an answer to a request.
    ///
    /// # Errors
    /// `Query` when it cannot be written, or its reviewer has answered already.
    pub async fn insert_review(&mut self, request: RequestId, review: &Review) -> Result<(), StoreError> {
        query(
            "INSERT INTO reviews (request, reviewer, afterwards, step, verdict, comment, given_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(request.to_string())
        .bind(review.reviewer.as_str())
        .bind(review.afterwards)
        .bind(i64::from(review.step))
        .bind(to_json(review)?)
        .bind(review.comment.as_str())
        .bind(review.at.as_microsecond())
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("write a review"))
    }
}

/// Not before this it goes to others; an answer puts that off.
fn escalates_at(case: &Case) -> Option<Timestamp> {
    let escalation = case.plan.escalation.as_ref()?;
    case.request.created_at.checked_add(SignedDuration::from_secs(escalation.after_seconds)).ok()
}

fn state(row: &Row) -> Result<RequestState, StoreError> {
    let word: String = value(row, "state")?;
    let state = RequestState::ALL.into_iter().find(|known| known.as_str() == word);
    state.ok_or_else(|| corrupt("a state", std::fmt::Error))
}

/// What a repeated call was answered with the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstAnswer {
    /// SHA-256 of what was asked then.
    pub sha256: Vec<u8>,
    /// The request that was made then.
    pub request: RequestId,
}

impl Store {
    /// What `owner` was answered when calling under this name before.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it cannot be read.
    pub async fn first_answer(&self, owner: &str, name: &str) -> Result<Option<FirstAnswer>, StoreError> {
        let row = query("SELECT sha256, request FROM idempotency_keys WHERE owner = $1 AND name = $2")
            .bind(owner)
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(doing("read an idempotency key"))?;
        row.map(|row| Ok(FirstAnswer { sha256: value(&row, "sha256")?, request: parsed(&row, "request")? }))
            .transpose()
    }
}

impl Change {
    /// Keeps what `owner` is answered under this name.
    ///
    /// # Errors
    /// `Query` when it cannot be written, or there is one of this name.
    pub async fn keep_answer(
        &mut self,
        owner: &str,
        name: &str,
        answer: &FirstAnswer,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        query(
            "INSERT INTO idempotency_keys (owner, name, sha256, request, created_at) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(owner)
        .bind(name)
        .bind(answer.sha256.as_slice())
        .bind(answer.request.to_string())
        .bind(at.as_microsecond())
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("write an idempotency key"))
    }

    /// Forgets answers from before `before`.
    ///
    /// # Errors
    /// `Query` when they cannot be removed.
    pub async fn forget_answers(&mut self, before: Timestamp) -> Result<(), StoreError> {
        query("DELETE FROM idempotency_keys WHERE created_at < $1")
            .bind(before.as_microsecond())
            .execute(self.connection())
            .await
            .map(|_| ())
            .map_err(doing("forget idempotency keys"))
    }
}
