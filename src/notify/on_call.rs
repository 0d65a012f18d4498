//! Who is on call, by PagerDuty.
//!
//! Source: PagerDuty REST API v2, "List all of the on-calls".

use std::{collections::BTreeMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use serde::Deserialize;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use tracing::warn;

use super::{
    error::NotifyError,
    http::{Outgoing, OutgoingSettings, Reach, allowed},
};
use crate::model::{
    on_call::{OnCall, OnCallSettings},
    principal::Principal,
};

/// Asks PagerDuty who is on call; cheap to clone.
#[derive(Clone, Debug)]
pub struct Pagerduty(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: OnCallSettings,
    outgoing: Outgoing,
    /// One question at a time, whoever waits for the answer.
    known: Mutex<Option<Known>>,
}

/// What was answered last: schedules by the e-mail addresses of those who are on call, in lower case.
#[derive(Debug)]
struct Known {
    people: BTreeMap<String, Vec<String>>,
    at: Instant,
}

#[derive(Deserialize)]
struct Page {
    oncalls: Vec<Entry>,
    #[serde(default)]
    more: bool,
}

#[derive(Deserialize)]
struct Entry {
    schedule: Option<Schedule>,
    user: User,
}

#[derive(Deserialize)]
struct Schedule {
    id: String,
}

#[derive(Deserialize)]
struct User {
    email: Option<String>,
}

impl Pagerduty {
    /// Checks the address and reads the authorities; connects nowhere yet.
    ///
    /// # Errors
    /// `Address`, `Setup`.
    pub fn new(settings: OnCallSettings) -> Result<Self, NotifyError> {
        let reach = if settings.allow_private { Reach::Private } else { Reach::Public };
        allowed(&settings.url, reach)?;
        let outgoing = Outgoing::new(&OutgoingSettings {
            ca: settings.ca.clone(),
            reach,
            timeout: PATIENCE,
            answer_bytes: MOST_BYTES,
        })?;
        Ok(Self(Arc::new(Inner { settings, outgoing, known: Mutex::new(None) })))
    }
}

impl OnCall for Pagerduty {
    fn schedules_of<'a>(
        &'a self,
        principal: &'a Principal,
    ) -> Pin<Box<dyn Future<Output = Vec<String>> + Send + 'a>> {
        Box::pin(async move {
            match timeout(PATIENCE, self.0.schedules_of(principal)).await {
                Ok(Ok(schedules)) => schedules,
                // closed: nobody is on call of whom that is not known
                Ok(Err(error)) => {
                    warn!(error = error.in_words(), "who is on call is not known, and nobody counts as it");
                    Vec::new()
                }
                Err(_) => {
                    warn!("who is on call is not answered in time, and nobody counts as it");
                    Vec::new()
                }
            }
        })
    }
}

impl Inner {
    async fn schedules_of(&self, principal: &Principal) -> Result<Vec<String>, NotifyError> {
        let mut known = self.known.lock().await;
        let now = Instant::now();
        if known.as_ref().is_none_or(|known| now.duration_since(known.at) >= self.settings.kept) {
            // closed: an old answer does not outlive a failed question
            *known = None;
            *known = Some(Known { people: self.ask().await?, at: now });
        }
        let people = known.as_ref().map(|known| &known.people);
        let address = principal.attributes.get(EMAIL).map_or(principal.name.as_str(), String::as_str);
        Ok(people.and_then(|people| people.get(&address.to_lowercase())).cloned().unwrap_or_default())
    }

    async fn ask(&self) -> Result<BTreeMap<String, Vec<String>>, NotifyError> {
        let mut people: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for page in 0..MOST_PAGES {
            let answer = self.page(page * PAGE).await?;
            for Entry { schedule, user } in answer.oncalls {
                let (Some(schedule), Some(email)) = (schedule, user.email) else { continue };
                for (name, _) in self.settings.schedules.iter().filter(|(_, id)| **id == schedule.id) {
                    let names = people.entry(email.to_lowercase()).or_default();
                    if !names.contains(name) {
                        names.push(name.clone());
                    }
                }
            }
            if !answer.more {
                return Ok(people);
            }
        }
        Err(NotifyError::NotUnderstood { problem: "it goes on for too many pages".to_owned() })
    }

    async fn page(&self, offset: usize) -> Result<Page, NotifyError> {
        let mut url =
            allowed(&format!("{}/oncalls", self.settings.url.trim_end_matches('/')), Reach::Private)?;
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("limit", &PAGE.to_string()).append_pair("offset", &offset.to_string());
            query.append_pair("include[]", "users");
            for id in self.settings.schedules.values() {
                query.append_pair("schedule_ids[]", id);
            }
        }
        let token = format!("Token token={}", self.settings.token.expose());
        let headers =
            [("authorization", token.as_str()), ("accept", "application/vnd.pagerduty+json;version=2")];
        let answer = self.outgoing.get(url.as_str(), &headers).await?;
        if answer.status != 200 {
            return Err(NotifyError::Answer { status: answer.status, retry_after: answer.retry_after });
        }
        let unusable = |error: serde_json::Error| NotifyError::NotUnderstood { problem: error.to_string() };
        serde_json::from_slice(&answer.body).map_err(unusable)
    }
}

/// The attribute of a principal by which it is known there, if it is not its name.
const EMAIL: &str = "email";
/// Whoever asks for something waits for it.
const PATIENCE: Duration = Duration::from_secs(3);
const PAGE: usize = 100;
const MOST_PAGES: usize = 10;
const MOST_BYTES: usize = 1 << 20;
