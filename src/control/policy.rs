//! Reading the policy, and reading it again when it changes.

use std::{future::Future, path::PathBuf, sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info, warn};

use super::{
    door::Control,
    error::ControlError,
    events::News,
    files::{digest, read_policy, stamp},
    views::{PolicyRejection, PolicyView},
};
use crate::{
    model::{event::Event, record::Record},
    policy::{Policy, parse},
};

/// A policy that was read and is sound.
pub(super) struct Loaded {
    pub(super) policy: Arc<Policy>,
    pub(super) digest: String,
    pub(super) files: usize,
}

impl Control {
    /// Reads the policy files again and puts them in force.
    ///
    /// # Errors
    /// `PolicyBroken` and `PolicyUnreadable`: the old policy stays in force, and the attempt is recorded. `Audit` and
    /// `Store` when nothing was changed.
    pub async fn reload_policy(&self, actor: &str) -> Result<PolicyView, ControlError> {
        let actor = actor.to_owned();
        self.to_the_end(|control| async move {
            // The turn comes first: of two reloads the later one must read the later files.
            let mut state = control.turn().await;
            let loaded = match load(control.parts().policies.clone()).await {
                Ok(loaded) => loaded,
                Err(problem) => {
                    control.reject(&actor, &problem).await;
                    return Err(problem);
                }
            };
            let mut change = control.begin(&state).await?;
            let (told_actor, digest) = (actor.clone(), loaded.digest.clone());
            let reloaded = Event::PolicyReloaded { actor: told_actor, digest };
            control.tell(&mut change, &News::of_gateway(reloaded)).await?;
            control.record_first(&[Record::PolicyLoaded { actor: &actor, digest: &loaded.digest }]).await?;
            control.commit_recorded(change).await?;
            state.policy = loaded.policy;
            control.parts().metrics.reloads_ok.inc();
            control.publish(&mut state);
            let view = PolicyView {
                digest: loaded.digest,
                files: loaded.files,
                loaded_at: control.now(),
                loaded_by: actor.clone(),
                snapshot: state.version,
                rejected: None,
            };
            info!(actor, digest = view.digest, snapshot = view.snapshot, "policy in force");
            control.warn_of_idle_rules();
            control.policy_view().publish(view.clone());
            Ok(view)
        })
        .await
    }

    /// The policy in force and the last attempt to replace it.
    pub fn policy_status(&self) -> PolicyView {
        let mut view = PolicyView::clone(&self.policy_view().load());
        view.snapshot = self.snapshot().load().version();
        view
    }

    /// Reads the policy again whenever a file of it changes, until `stop` is done. Looks once a second.
    pub async fn watch_policy(&self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut ticks = interval(WATCH_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Nothing is seen yet: files that changed since the policy was loaded are noticed at the first look.
        let mut seen = None;
        let mut refused = None;
        loop {
            tokio::select! {
                () = &mut stop => return,
                _ = ticks.tick() => {}
            }
            let stamp = Some(self.policy_stamp().await);
            if stamp == seen {
                continue;
            }
            seen = stamp;
            let directory = self.parts().policies.clone();
            let digest = blocking(move || Ok(digest(&read_policy(&directory)?))).await.ok();
            // A file that was touched or put back is no new policy, and one that was refused is refused once. What
            // cannot be read is told of by the reload.
            let known = digest.is_some()
                && (digest == refused || digest.as_ref() == Some(&self.policy_view().load().digest));
            if known {
                if digest != refused {
                    self.forget_rejection(digest.as_deref()).await;
                    refused = None;
                }
                continue;
            }
            match self.reload_policy(WATCH).await {
                Ok(_) => refused = None,
                Err(ControlError::PolicyBroken { .. }) => refused = digest,
                Err(ControlError::PolicyUnreadable { .. }) => {}
                Err(problem) => {
                    error!(%problem, "policy was not reloaded, the old one stays in force; it is tried again");
                    seen = None;
                }
            }
        }
    }

    async fn policy_stamp(&self) -> Option<Vec<super::files::Stamp>> {
        let directory = self.parts().policies.clone();
        blocking(move || Ok(stamp(&directory))).await.ok().flatten()
    }

    async fn reject(&self, actor: &str, problem: &ControlError) {
        let problem = problem.to_string();
        self.parts().metrics.reloads_rejected.inc();
        error!(actor, problem, "policy is broken, the old one stays in force");
        let record = Record::PolicyRejected { actor, problem: &problem };
        // Nothing changed, so nothing hangs on the record but itself; its failure is in the log already.
        let _ = self.record_after("a broken policy was refused", &[record]).await;
        self.notices().rejected(actor, &problem);
        let mut view = PolicyView::clone(&self.policy_view().load());
        view.rejected = Some(PolicyRejection { at: self.now(), by: actor.to_owned(), problem });
        self.policy_view().publish(view);
    }

    /// The files are again those in force: what was refused is not there any more.
    async fn forget_rejection(&self, digest: Option<&str>) {
        let _turn = self.turn().await;
        let view = self.policy_view().load();
        if view.rejected.is_some() && digest == Some(&view.digest) {
            info!(digest = view.digest, "policy files are those in force again");
            self.policy_view().publish(PolicyView { rejected: None, ..PolicyView::clone(&view) });
        }
    }

    fn warn_of_idle_rules(&self) {
        for ceiling in self.snapshot().load().idle_ceilings() {
            warn!(environment = %ceiling.environment, "ceiling of an environment that no target has");
        }
        for target in self.snapshot().load().idle_bounds() {
            warn!(%target, "limits of a target that there is not");
        }
    }
}

/// Reads and checks the policy files at `directory`.
pub(super) async fn load(directory: PathBuf) -> Result<Loaded, ControlError> {
    blocking(move || {
        let files = read_policy(&directory)?;
        let policy = parse(&files).map_err(|problems| ControlError::PolicyBroken {
            problems: problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        })?;
        Ok(Loaded { policy: Arc::new(policy), digest: digest(&files), files: files.len() })
    })
    .await
}

async fn blocking<T, W>(work: W) -> Result<T, ControlError>
where
    T: Send + 'static,
    W: FnOnce() -> Result<T, ControlError> + Send + 'static,
{
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(ControlError::Interrupted))
}

/// The actor of a reload that a changed file caused.
pub(super) const WATCH: &str = "watch";
const WATCH_EVERY: Duration = Duration::from_secs(1);
