//! Requests and the answers to them.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::{corrupt, from_json, instant, optional_instant, parsed, to_json, value},
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
        let row = sqlx::query(concat!("SELECT ", columns!(), " FROM requests WHERE id = $1"))
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await
            .map_err(doing("read a request"))?;
        match row {
            Some(row) => self.with_reviews(&row).await.map(Some),
            None => Ok(None),
        }
    }

    /// The requests that `filter` lets through, newest first.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn list_cases(&self, filter: &CaseFilter) -> Result<Vec<Case>, StoreError> {
        let rows = sqlx::query(concat!(
            "SELECT ",
            columns!(),
            " FROM requests WHERE ($1 IS NULL OR requester = $1) AND ($2 IS NULL OR state = $2) \
             AND ($3 IS NULL OR aftermath = $3) AND ($4 IS NULL OR target = $4) AND ($5 IS NULL OR id < $5) \
             ORDER BY id DESC LIMIT $6"
        ))
        .bind(filter.requester.as_deref())
        .bind(filter.state.map(RequestState::as_str))
        .bind(filter.aftermath_open.then_some(Aftermath::Open.as_str()))
        .bind(filter.target.as_deref())
        .bind(filter.before.map(|id| id.to_string()))
        .bind(i64::from(filter.limit))
        .fetch_all(&self.pool)
        .await
        .map_err(doing("list requests"))?;
        let mut cases = Vec::with_capacity(rows.len());
        for row in &rows {
            cases.push(self.with_reviews(row).await?);
        }
        Ok(cases)
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
        let rows = sqlx::query(
            "SELECT state, created_at, decided_at FROM requests \
             WHERE requester = $1 AND (created_at > $2 OR decided_at > $2) ORDER BY id DESC LIMIT 1000",
        )
        .bind(requester.as_str())
        .bind(since.as_microsecond())
        .fetch_all(&self.pool)
        .await
        .map_err(doing("read past requests"))?;
        let past = |row: &SqliteRow| {
            Ok(PastRequest {
                created_at: instant(row, "created_at")?,
                state: state(row)?,
                decided_at: optional_instant(row, "decided_at")?,
            })
        };
        rows.iter().map(past).collect()
    }

    async fn with_reviews(&self, row: &SqliteRow) -> Result<Case, StoreError> {
        let id: String = value(row, "id")?;
        let answers =
            sqlx::query("SELECT verdict FROM reviews WHERE request = $1 ORDER BY given_at, reviewer")
                .bind(id)
                .fetch_all(&self.pool)
                .await
                .map_err(doing("read reviews"))?;
        let reviews =
            answers.iter().map(|row| from_json::<Review>(row, "verdict")).collect::<Result<_, _>>()?;
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
            reviews,
            aftermath: aftermath.ok_or_else(|| corrupt("an aftermath", std::fmt::Error))?,
            grant: grant
                .map(|id| id.parse::<GrantId>().map_err(|source| corrupt("an identifier", source)))
                .transpose()?,
            decided_at: optional_instant(row, "decided_at")?,
            escalated_at: optional_instant(row, "escalated_at")?,
            version: value(row, "version")?,
        })
    }
}

impl Change {
    /// Adds a request without answers.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn insert_case(&mut self, case: &Case) -> Result<(), StoreError> {
        let request = &case.request;
        sqlx::query(
            "INSERT INTO requests (id, requester, target, database_name, body, plan, state, aftermath, grant_id, \
             created_at, expires_at, decided_at, escalated_at, version, estimate) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
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
        let moved = sqlx::query(
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
        Ok(moved.rows_affected() == 1)
    }

    /// Adds an answer to a request.
    ///
    /// # Errors
    /// `Query` when it cannot be written, or its reviewer has answered already.
    pub async fn insert_review(&mut self, request: RequestId, review: &Review) -> Result<(), StoreError> {
        sqlx::query(
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

fn state(row: &SqliteRow) -> Result<RequestState, StoreError> {
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
        let row = sqlx::query("SELECT sha256, request FROM idempotency_keys WHERE owner = $1 AND name = $2")
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
        sqlx::query(
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
        sqlx::query("DELETE FROM idempotency_keys WHERE created_at < $1")
            .bind(before.as_microsecond())
            .execute(self.connection())
            .await
            .map(|_| ())
            .map_err(doing("forget idempotency keys"))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::{
        flow::{Escalation, Plan, Risk, Step},
        permission::Permission,
        request::{Asked, Estimate, Request, Term},
        review::{Narrowing, Verdict},
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pending(requester: &str) -> Case {
        let step = Step { approvers: vec!["leads".into()], quorum: 1 };
        let escalation = Escalation { after_seconds: 60, to: vec!["admins".into()] };
        Case {
            request: Request {
                id: RequestId::new(Uuid::now_v7()),
                requester: requester.into(),
                target: "hr".into(),
                database: "hr_prod".into(),
                what: Asked::Access {
                    objects: vec!["public.*".parse().unwrap()],
                    permissions: [Permission::Select].into_iter().collect(),
                },
                role: None,
                term: Term { seconds: Some(600), until: None },
                starts_at: None,
                reason: "INC-42".to_owned(),
                ticket: None,
                break_glass: false,
                extends: None,
                created_at: at(1000),
                expires_at: at(2000),
            },
            plan: Plan {
                flow: "reads".to_owned(),
                risk: Risk::Moderate,
                steps: vec![step],
                denials: 1,
                escalation: Some(escalation),
                estimate: true,
                break_glass: false,
            },
            state: RequestState::Pending,
            estimate: Some(Estimate { rows: Some(7), cost: None, problem: None, at: at(1000) }),
            reviews: Vec::new(),
            aftermath: Aftermath::None,
            grant: None,
            decided_at: None,
            escalated_at: None,
            version: 1,
        }
    }

    fn review(reviewer: &str) -> Review {
        let narrowing = Narrowing { seconds: Some(60), ..Narrowing::default() };
        let verdict = Verdict::Approve { narrowing };
        Review {
            reviewer: reviewer.into(),
            step: 0,
            verdict,
            comment: "go".to_owned(),
            at: at(1500),
            afterwards: false,
        }
    }

    async fn open() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store.db")).await.unwrap();
        (dir, store)
    }

    async fn put(store: &Store, case: &Case) {
        let mut change = store.change().await.unwrap();
        change.insert_case(case).await.unwrap();
        change.commit().await.unwrap();
    }

    #[tokio::test]
    async fn a_request_reads_back_with_its_answers() {
        let (_dir, store) = open().await;
        let mut case = pending("dana");
        put(&store, &case).await;
        put(&store, &pending("eve")).await;
        let mut change = store.change().await.unwrap();
        change.insert_review(case.request.id, &review("lee")).await.unwrap();
        case.state = RequestState::Approved;
        case.decided_at = Some(at(1500));
        case.grant = Some(GrantId::new(Uuid::now_v7()));
        assert!(change.move_case(&case).await.unwrap());
        change.commit().await.unwrap();
        case.reviews.push(review("lee"));
        case.version = 2;
        assert_eq!(store.case(case.request.id).await.unwrap().as_ref(), Some(&case));
        let danas = CaseFilter { requester: Some("dana".into()), limit: 10, ..CaseFilter::default() };
        assert_eq!(store.list_cases(&danas).await.unwrap(), [case]);
        let waiting = CaseFilter { state: Some(RequestState::Pending), limit: 10, ..CaseFilter::default() };
        assert_eq!(store.list_cases(&waiting).await.unwrap().len(), 1);
        let past = store.past_requests(&"dana".into(), at(1400)).await.unwrap();
        assert_eq!((past[0].state, past[0].decided_at), (RequestState::Approved, Some(at(1500))));
        assert!(store.past_requests(&"dana".into(), at(1500)).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn of_two_who_saw_the_same_request_one_moves_it() {
        let (_dir, store) = open().await;
        let case = pending("dana");
        put(&store, &case).await;
        let denied = Case { state: RequestState::Denied, decided_at: Some(at(1500)), ..case.clone() };
        let mut first = store.change().await.unwrap();
        assert!(first.move_case(&denied).await.unwrap());
        first.commit().await.unwrap();
        let expired = Case { state: RequestState::Expired, decided_at: Some(at(1500)), ..case.clone() };
        let mut second = store.change().await.unwrap();
        assert!(!second.move_case(&expired).await.unwrap());
        drop(second);
        assert_eq!(store.case(case.request.id).await.unwrap().unwrap().state, RequestState::Denied);
    }

    #[tokio::test]
    async fn the_database_itself_refuses_a_second_answer_and_an_approval_without_grant() {
        let (_dir, store) = open().await;
        let case = pending("dana");
        put(&store, &case).await;
        let mut change = store.change().await.unwrap();
        change.insert_review(case.request.id, &review("lee")).await.unwrap();
        assert!(change.insert_review(case.request.id, &review("lee")).await.is_err());
        change.insert_review(case.request.id, &Review { afterwards: true, ..review("lee") }).await.unwrap();
        let bare = Case { state: RequestState::Approved, decided_at: Some(at(1500)), ..case };
        assert!(change.move_case(&bare).await.is_err());
    }

    #[tokio::test]
    async fn an_idempotency_key_is_its_owners() {
        let (_dir, store) = open().await;
        let answer = FirstAnswer { sha256: vec![1; 32], request: RequestId::new(Uuid::now_v7()) };
        let mut change = store.change().await.unwrap();
        change.keep_answer("dana", "a", &answer, at(100)).await.unwrap();
        assert!(change.keep_answer("dana", "a", &answer, at(100)).await.is_err());
        change.keep_answer("eve", "a", &answer, at(200)).await.unwrap();
        change.forget_answers(at(200)).await.unwrap();
        change.commit().await.unwrap();
        assert_eq!(store.first_answer("dana", "a").await.unwrap(), None);
        assert_eq!(store.first_answer("eve", "a").await.unwrap(), Some(answer));
    }
}
