//! Where `tidegate audit` reads: a gateway, or a log itself.

use std::{path::Path, time::Duration};

use anyhow::Context;

use super::{args_audit::Source, client::Api};
use crate::{
    api::bodies::StoryView,
    audit::{Filter, Page, Stats, StatsQuery, Trail, beside},
};

/// Where records come from.
pub(super) enum Reader {
    /// A gateway's API.
    Gateway(Api),
    /// A log and its index.
    Log(Trail),
}

impl Reader {
    /// Opens what was named; a log's index is brought up to date, or made, first.
    pub(super) async fn open(source: &Source) -> anyhow::Result<Self> {
        let Some(log) = &source.log else { return Ok(Self::Gateway(Api::new(&source.connection)?)) };
        Ok(Self::Log(indexed(log).await?))
    }

    pub(super) async fn search(&self, filter: &Filter) -> anyhow::Result<Page> {
        match self {
            Self::Gateway(api) => api.get(&["audit", "records"], filter).await,
            Self::Log(trail) => Ok(trail.search(filter).await?),
        }
    }

    /// `None` if there is no such thing.
    pub(super) async fn story(&self, id: &str) -> anyhow::Result<Option<StoryView>> {
        match self {
            Self::Gateway(api) => api.get(&["audit", "records", id], &()).await.map(Some),
            Self::Log(trail) => {
                let story = trail.story(id).await?;
                Ok(story.map(|story| StoryView {
                    story,
                    current_grants: Vec::new(),
                    current_requests: Vec::new(),
                }))
            }
        }
    }

    pub(super) async fn stats(&self, query: &StatsQuery) -> anyhow::Result<Stats> {
        match self {
            Self::Gateway(api) => api.get(&["audit", "stats"], query).await,
            Self::Log(trail) => Ok(trail.stats(query).await?),
        }
    }
}

async fn indexed(log: &Path) -> anyhow::Result<Trail> {
    if !log.is_file() {
        anyhow::bail!("there is no audit log {}", log.display());
    }
    let trail = Trail::open(log, &beside(log, "index")).await.context("could not index the log")?;
    while !trail.catch_up(Duration::from_secs(60)).await.context("could not index the log")?.is_complete {}
    Ok(trail)
}
