//! Who is who in Slack, and what was told there.

use jiff::Timestamp;

use super::{
    change::Change,
    database::Store,
    error::{StoreError, doing},
    row::{instant, value},
    sql::{Row, query},
};
use crate::model::{
    ids::{PrincipalName, RequestId},
    slack::{SlackAccount, SlackMessage},
};

/// An account of Slack, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSlackLink {
    /// The account.
    pub account: SlackAccount,
    /// Whose it is.
    pub principal: PrincipalName,
    /// Since when.
    pub linked_at: Timestamp,
    /// How that was found out: `code` or `email`.
    pub linked_by: String,
}

/// A code that waits to be confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSlackCode {
    /// The account that it is to link.
    pub account: SlackAccount,
    /// What Slack calls its owner.
    pub label: String,
    /// What is kept of the code.
    pub sha256: [u8; 32],
    /// First instant at which it is good no more.
    pub ends_at: Timestamp,
}

/// A message about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSlackMessage {
    /// Where it is.
    pub place: SlackMessage,
    /// SHA-256 of what it shows.
    pub shown: Vec<u8>,
}

impl Store {
    /// All links, by principal.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when they cannot be read.
    pub async fn slack_links(&self) -> Result<Vec<StoredSlackLink>, StoreError> {
        let rows = query(LINKS).fetch_all(&self.pool).await.map_err(doing("read links to Slack"))?;
        rows.iter().map(link).collect()
    }

    /// Whose an account is, if somebody's.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it cannot be read.
    pub async fn slack_link_of(&self, account: &SlackAccount) -> Result<Option<PrincipalName>, StoreError> {
        let row = query("SELECT principal FROM slack_links WHERE team = $1 AND slack_user = $2")
            .bind(account.team.as_str())
            .bind(account.user.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(doing("read a link to Slack"))?;
        row.map(|row| value::<String>(&row, "principal").map(Into::into)).transpose()
    }

    /// The account of somebody, if they have one.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it cannot be read.
    pub async fn slack_account_of(
        &self,
        principal: &PrincipalName,
    ) -> Result<Option<SlackAccount>, StoreError> {
        let row = query("SELECT team, slack_user FROM slack_links WHERE principal = $1")
            .bind(principal.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(doing("read a link to Slack"))?;
        row.map(|row| account(&row)).transpose()
    }

    /// The code of which this is kept, if it was not confirmed yet.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it cannot be read.
    pub async fn slack_code(&self, sha256: &[u8; 32]) -> Result<Option<StoredSlackCode>, StoreError> {
        let row = query("SELECT team, slack_user, label, ends_at FROM slack_codes WHERE sha256 = $1")
            .bind(sha256.as_slice())
            .fetch_optional(&self.pool)
            .await
            .map_err(doing("read a code"))?;
        let code = |row: Row| {
            Ok(StoredSlackCode {
                account: account(&row)?,
                label: value(&row, "label")?,
                sha256: *sha256,
                ends_at: instant(&row, "ends_at")?,
            })
        };
        row.map(code).transpose()
    }

    /// The message about a request that is this part of what is told of it, if there is one.
    ///
    /// # Errors
    /// `Query` and `Corrupt` when it cannot be read.
    pub async fn slack_message(
        &self,
        request: RequestId,
        part: &str,
    ) -> Result<Option<StoredSlackMessage>, StoreError> {
        let row = query("SELECT channel, ts, shown FROM slack_messages WHERE request = $1 AND part = $2")
            .bind(request.to_string())
            .bind(part)
            .fetch_optional(&self.pool)
            .await
            .map_err(doing("read where a message is"))?;
        let message = |row: Row| {
            let (channel, ts): (String, String) = (value(&row, "channel")?, value(&row, "ts")?);
            let place = SlackMessage { channel: channel.into(), ts: ts.into() };
            Ok(StoredSlackMessage { place, shown: value(&row, "shown")? })
        };
        row.map(message).transpose()
    }
}

impl Change {
    /// Links an account; neither it nor the principal may be linked already.
    ///
    /// # Errors
    /// `Query` when it cannot be written, also when one of them is.
    pub async fn insert_slack_link(&mut self, link: &StoredSlackLink) -> Result<(), StoreError> {
        query(
            "INSERT INTO slack_links (team, slack_user, principal, linked_at, linked_by) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(link.account.team.as_str())
        .bind(link.account.user.as_str())
        .bind(link.principal.as_str())
        .bind(link.linked_at.as_microsecond())
        .bind(link.linked_by.as_str())
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("write a link to Slack"))
    }

    /// Removes the link of somebody; gives whether there was one.
    ///
    /// # Errors
    /// `Query` when it cannot be removed.
    pub async fn remove_slack_link(&mut self, principal: &PrincipalName) -> Result<bool, StoreError> {
        let removed = query("DELETE FROM slack_links WHERE principal = $1")
            .bind(principal.as_str())
            .execute(self.connection())
            .await
            .map_err(doing("remove a link to Slack"))?;
        Ok(removed > 0)
    }

    /// Keeps a code in place of any other for its account, and forgets those that ended before `now`.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn put_slack_code(&mut self, code: &StoredSlackCode, now: Timestamp) -> Result<(), StoreError> {
        query("DELETE FROM slack_codes WHERE ends_at <= $1")
            .bind(now.as_microsecond())
            .execute(self.connection())
            .await
            .map_err(doing("forget codes"))?;
        query(
            "INSERT INTO slack_codes (team, slack_user, label, sha256, ends_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (team, slack_user) DO UPDATE SET label = excluded.label, sha256 = excluded.sha256, \
             ends_at = excluded.ends_at",
        )
        .bind(code.account.team.as_str())
        .bind(code.account.user.as_str())
        .bind(code.label.as_str())
        .bind(code.sha256.as_slice())
        .bind(code.ends_at.as_microsecond())
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("write a code"))
    }

    /// Uses up a code; gives whether it was still there.
    ///
    /// # Errors
    /// `Query` when it cannot be removed.
    pub async fn take_slack_code(&mut self, sha256: &[u8; 32]) -> Result<bool, StoreError> {
        let taken = query("DELETE FROM slack_codes WHERE sha256 = $1")
            .bind(sha256.as_slice())
            .execute(self.connection())
            .await
            .map_err(doing("use up a code"))?;
        Ok(taken > 0)
    }

    /// Keeps where a message about a request is, and what it shows.
    ///
    /// # Errors
    /// `Query` when it cannot be written.
    pub async fn put_slack_message(
        &mut self,
        request: RequestId,
        part: &str,
        message: &StoredSlackMessage,
    ) -> Result<(), StoreError> {
        query(
            "INSERT INTO slack_messages (request, part, channel, ts, shown) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (request, part) DO UPDATE SET channel = excluded.channel, ts = excluded.ts, \
             shown = excluded.shown",
        )
        .bind(request.to_string())
        .bind(part)
        .bind(&*message.place.channel)
        .bind(&*message.place.ts)
        .bind(message.shown.as_slice())
        .execute(self.connection())
        .await
        .map(|_| ())
        .map_err(doing("write where a message is"))
    }
}

const LINKS: &str =
    "SELECT team, slack_user, principal, linked_at, linked_by FROM slack_links ORDER BY principal";

fn link(row: &Row) -> Result<StoredSlackLink, StoreError> {
    let principal: String = value(row, "principal")?;
    Ok(StoredSlackLink {
        account: account(row)?,
        principal: principal.into(),
        linked_at: instant(row, "linked_at")?,
        linked_by: value(row, "linked_by")?,
    })
}

fn account(row: &Row) -> Result<SlackAccount, StoreError> {
    Ok(SlackAccount { team: value(row, "team")?, user: value(row, "slack_user")? })
}
