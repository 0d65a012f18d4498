//! News that no change makes: refused statements, logins that are held up, trouble with the audit log. They wait in a
//! bounded line until somebody has time to write them down, because those who notice them must not wait.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use tracing::error;

use super::{door::Control, error::ControlError, events::News};
use crate::{
    model::{
        denial::{DenialId, Denied},
        event::{Audience, Event},
        ids::PrincipalName,
    },
    policy::missing_in_words,
};

/// What waits to be told, and how often what was told of late.
#[derive(Debug, Default)]
pub(super) struct Notices(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    line: VecDeque<News>,
    /// Refusals by who was refused: when one was told of, and how many since were not.
    refusals: BTreeMap<PrincipalName, (Timestamp, u64)>,
    /// Who is held up, and since when that is told.
    held_up: BTreeMap<(Option<String>, IpAddr), Timestamp>,
    /// Whether the audit log could not be written when it was last looked at.
    is_unwritable: bool,
}

impl Notices {
    /// A statement was refused.
    pub(super) fn refused(&self, id: DenialId, denied: &Denied) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Waiting { line, refusals, .. } = &mut *waiting;
        let is_full = refusals.len() >= MOST_REMEMBERED;
        let suppressed = match refusals.get_mut(&denied.principal) {
            Some((at, suppressed)) if denied.at.duration_since(*at) < SAMPLED_EVERY => {
                *suppressed = suppressed.saturating_add(1);
                return;
            }
            Some((at, suppressed)) => {
                *at = denied.at;
                std::mem::take(suppressed)
            }
            None if is_full => return,
            None => {
                refusals.insert(denied.principal.clone(), (denied.at, 0));
                0
            }
        };
        let event = Event::StatementDenied {
            principal: denied.principal.clone(),
            target: denied.place.target.clone(),
            database: denied.place.database.clone(),
            denial: id,
            missing: denied.missing.iter().map(missing_in_words).collect(),
            suppressed,
        };
        let audience = Audience { people: vec![denied.principal.clone()], groups: Vec::new() };
        push(line, News { event, audience });
    }

    /// Logins under a name (keys, where there is none) from an address are held up; told of once in ten minutes.
    fn held_up(&self, principal: Option<String>, address: IpAddr, now: Timestamp) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Waiting { line, held_up, .. } = &mut *waiting;
        held_up.retain(|_, at| now.duration_since(*at) < HELD_UP_EVERY);
        let who = (principal, address);
        if held_up.contains_key(&who) || held_up.len() >= MOST_HELD_UP {
            return;
        }
        held_up.insert(who.clone(), now);
        let (principal, address) = who;
        push(line, News::of_gateway(Event::LoginThrottled { principal, address }));
    }

    /// A policy was refused; the first line of its problem is told of, the rest is in its status.
    pub(super) fn rejected(&self, actor: &str, problem: &str) {
        let problem = problem.lines().next().unwrap_or_default().chars().take(MOST_LETTERS).collect();
        let event = Event::PolicyRejected { actor: actor.to_owned(), problem };
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        push(&mut waiting.line, News::of_gateway(event));
    }

    fn audit(&self, writable: bool) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_unwritable == writable {
            waiting.is_unwritable = !writable;
            push(&mut waiting.line, News::of_gateway(Event::AuditTrouble { writable }));
        }
    }

    fn take(&self, now: Timestamp) -> Vec<News> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.refusals.retain(|_, (at, _)| now.duration_since(*at) < FORGOTTEN_AFTER);
        waiting.line.drain(..).collect()
    }

    fn put_back(&self, news: impl DoubleEndedIterator<Item = News>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for news in news.rev() {
            if waiting.line.len() < MOST_WAITING {
                waiting.line.push_front(news);
            }
        }
    }
}

impl Control {
    /// Logins under a name from an address are held up; `None` for wrong keys. Does not wait.
    pub fn notice_held_up(&self, principal: Option<String>, address: IpAddr) {
        self.notices().held_up(principal, address, self.now());
    }

    /// Looks whether the audit log can be written. Does not wait.
    pub fn notice_audit(&self) {
        self.notices().audit(self.parts().audit.is_writable());
    }

    /// Tells of what was noticed since. What the store does not take waits on.
    pub async fn tell_notices(&self) {
        let news = self.notices().take(self.now());
        if news.is_empty() {
            return;
        }
        if let Err(error) = self.tell_all(&news).await {
            error!(%error, "events could not be written; they are tried again");
            self.notices().put_back(news.into_iter());
        }
    }

    async fn tell_all(&self, all: &[News]) -> Result<(), ControlError> {
        let mut change = self.store().change().await?;
        for news in all {
            self.tell(&mut change, news).await?;
        }
        change.commit().await?;
        self.stir();
        Ok(())
    }
}

/// The line is bounded: what does not fit is lost, and the metrics and the audit log have it all the same.
fn push(line: &mut VecDeque<News>, news: News) {
    if line.len() < MOST_WAITING {
        line.push_back(news);
    }
}

const SAMPLED_EVERY: SignedDuration = SignedDuration::from_secs(10);
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(1);
const HELD_UP_EVERY: SignedDuration = SignedDuration::from_mins(10);
const MOST_WAITING: usize = 1000;
const MOST_REMEMBERED: usize = 10_000;
const MOST_LETTERS: usize = 500;
const MOST_HELD_UP: usize = 1000;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::target::Place;

    fn denied(principal: &str, second: i64) -> Denied {
        Denied {
            principal: principal.into(),
            place: Place { target: "hr".into(), database: "hr_prod".into() },
            sql: "SELECT pw FROM secret".into(),
            does: Arc::from([]),
            missing: Vec::new(),
            at: at(second),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn of_many_refusals_one_in_ten_seconds_is_told_of_with_the_count_of_the_others() {
        let notices = Notices::default();
        for second in [0, 1, 9, 10] {
            notices.refused(DenialId::new(7), &denied("dana", second));
        }
        notices.refused(DenialId::new(8), &denied("sam", 2));
        let told = notices.take(at(11));
        let suppressed: Vec<_> = told
            .iter()
            .map(|news| match &news.event {
                Event::StatementDenied { principal, suppressed, .. } => (principal.to_string(), *suppressed),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(suppressed, [("dana".to_owned(), 0), ("dana".to_owned(), 2), ("sam".to_owned(), 0)]);
        assert!(
            told[0].audience.includes(&"dana".into(), &[]) && !told[0].audience.includes(&"sam".into(), &[])
        );
        assert!(!serde_json::to_string(&told[0].event).unwrap().contains("secret"));
    }

    #[test]
    fn trouble_is_told_of_when_it_begins_and_when_it_is_over() {
        let notices = Notices::default();
        for writable in [true, true, false, false, true] {
            notices.audit(writable);
        }
        let told: Vec<_> = notices.take(at(0)).into_iter().map(|news| news.event).collect();
        assert_eq!(told, [Event::AuditTrouble { writable: false }, Event::AuditTrouble { writable: true }]);
    }

    #[test]
    fn who_is_held_up_is_told_of_once_in_ten_minutes() {
        let notices = Notices::default();
        let home = [127, 0, 0, 1].into();
        for second in [0, 1, 599, 600] {
            notices.held_up(Some("dana".to_owned()), home, at(second));
        }
        assert_eq!(notices.take(at(600)).len(), 2);
    }

    #[test]
    fn the_line_is_bounded() {
        let notices = Notices::default();
        for second in 0..1100 {
            notices.refused(DenialId::new(1), &denied(&format!("p{second}"), second));
        }
        assert_eq!(notices.take(at(1100)).len(), MOST_WAITING);
    }
}
