//! Which upstream connection a statement goes to, and what makes it ready.

use std::time::Duration;

use super::{leaves::begins_untouched, session::Session, tag::APPLICATION_NAME};
use crate::{
    model::{
        facts::{Facts, SessionEffect, TransactionEffect},
        ids::Ident,
        name_context::SearchPath,
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    session::{
        gate::SETUP_TIMEOUT,
        lanes::{self, refusal_of},
        ties::{self, Reason},
        trace::Step,
        waiting::unless_over,
    },
    sql::search_path,
    upstream::{
        Lease, Postgres, SettingValue, Setup, UpstreamError,
        postgres::{HeldThere, Settings as Values},
    },
};

/// The connections of a session.
pub(super) type Lanes = lanes::Lanes<Postgres, Known>;

/// What is known of a connection.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The client has asked for READ ONLY itself: nothing of the gateway's takes that back.
    own_read_only: bool,
    /// Prepared statements that it has and the session no longer holds.
    stale: Vec<Ident>,
}

impl lanes::Known for Known {
    const DROP_TEMPORARY: &'static str = "DISCARD TEMP";
}

impl Lanes {
    /// The connection in use was used just now.
    pub(super) fn note_used(&mut self) {
        if let Some(borrowed) = self.active_mut() {
            borrowed.note_used();
        }
    }

    /// Whether the client itself made the transactions of the connection in use read-only.
    pub(super) fn is_own_read_only(&mut self) -> bool {
        self.active_mut().is_some_and(|borrowed| borrowed.known.own_read_only)
    }

    /// The client asks for READ ONLY itself on the connection in use, or no longer does.
    fn note_own_read_only(&mut self, own: bool) {
        if let Some(borrowed) = self.active_mut() {
            borrowed.known.own_read_only = own;
            borrowed.read_only = None;
        }
    }

    /// A prepared statement is to be deallocated on a lane that is not in use.
    pub(super) fn note_stale(&mut self, lane: Lane, name: &str) {
        if let Some(borrowed) = self.borrowed_mut(lane) {
            borrowed.known.stale.push(name.into());
        }
    }

    /// The prepared statements that are to be deallocated, lane by lane.
    pub(super) fn stale(&self) -> [Vec<Ident>; 3] {
        Lane::ALL.map(|lane| self.borrowed(lane).map(|it| it.known.stale.clone()).unwrap_or_default())
    }

    /// Puts back what [`Self::stale`] gave.
    pub(super) fn set_stale(&mut self, stale: [Vec<Ident>; 3]) {
        for (lane, stale) in Lane::ALL.into_iter().zip(stale) {
            if let Some(borrowed) = self.borrowed_mut(lane) {
                borrowed.known.stale = stale;
            }
        }
    }

    /// Whether the connection of `lane` is in use, with these settings, and need not be told anything before a
    /// statement.
    pub(super) fn is_ready(&self, lane: Lane, read_only: bool, settings: u64) -> bool {
        self.active() == Some(lane)
            && self.borrowed(lane).is_some_and(|it| {
                (lane == Lane::Read || it.read_only == Some(read_only || it.known.own_read_only))
                    && it.settings == settings
                    && it.known.stale.is_empty()
            })
    }
}

impl Session {
    /// The lane for something that needs `needed`; what writes, and what `opens`, takes the strongest that the grants
    /// allow.
    ///
    /// So whatever somebody makes belongs to one account, in a transaction and outside: what a migration has made in
    /// one, its next statement may change.
    ///
    /// # Errors
    /// When the open transaction, or a temporary table, is on a weaker one: its connection cannot be changed.
    pub(super) fn choose_lane(&self, needed: Lane, opens: bool) -> Result<Lane, Refusal> {
        let has_temporary = !self.names.context().temporary.is_empty();
        let least = || if opens || needed > Lane::Read { self.desk.highest_lane() } else { needed };
        self.lanes.choose(needed, self.bound_lane(), has_temporary, least)
    }

    /// Makes `lane` the one in use, ready for a statement; `read_only` has the database hold it so.
    /// Changes nothing while a transaction is open. Only while nothing is owed.
    ///
    /// # Errors
    /// When there is no connection to be had, or it does not take the settings.
    pub(super) async fn take_lane(&mut self, lane: Lane, read_only: bool) -> Result<(), Refusal> {
        if self.bound_lane() == Some(lane) {
            return Ok(());
        }
        self.go_onto(lane).await?;
        self.hold_read_only(lane, read_only).await?;
        self.desk.note_step(Step::Connection);
        Ok(())
    }

    /// Goes onto `lane`: borrows a connection if there is none, and brings it up to the session's settings.
    /// Only while nothing is owed.
    ///
    /// # Errors
    /// When there is none to be had, or it does not take the settings.
    async fn go_onto(&mut self, lane: Lane) -> Result<(), Refusal> {
        let elsewhere = self.lanes.active() != Some(lane) && !self.lanes.is_tied(lane);
        if elsewhere && self.lanes.is_gone(lane, |said| said.first() == Some(&b'E')) {
            // Nobody looked at it while another was in use; nothing is lost with it. An error that nobody asked for is
            // the last that a server says.
            self.lanes.drop_lease(lane);
        }
        if self.lanes.borrowed(lane).is_none() {
            let lease = self.lease_alike(lane).await?;
            self.held.forget_lane(lane);
            self.take_over(lane, lease);
        }
        self.lanes.enter(lane);
        let made = self.bring_up_to_date(lane).await;
        if made.is_err() {
            self.drop_lane(lane);
        }
        made.map_err(|error| refusal_of(&error))
    }

    /// Borrows a connection on which names mean what they were judged to mean.
    ///
    /// An account may have a path of its own (`ALTER ROLE … SET search_path`), and get another at any time.
    ///
    /// # Errors
    /// When there is no connection to be had, or none with the path that the session began with.
    async fn lease_alike(&mut self, lane: Lane) -> Result<Lease<Postgres>, Refusal> {
        let asker = self.desk.asker();
        let database = self.desk.place.database.clone();
        for _ in 0..LEASES_TRIED {
            let (pools, target) = (&self.desk.gate.pools, &self.desk.place.target);
            let asking = pools.ask(target, &database, lane, asker.clone());
            let asking = asking.map_err(|error| refusal_of(&error))?;
            if asking.must_wait() {
                // Sessions that hold what others wait for, and wait for what those hold, would wait for ever.
                self.send_home(Duration::ZERO);
            }
            let asked = unless_over(&mut self.desk, &mut self.client, asking.lease(&database)).await?;
            let lease = asked.map_err(|error| refusal_of(&error))?;
            if lease.search_path() == self.initial_path {
                return Ok(lease);
            }
            // Closed with its end: nobody else is to find it.
            drop(lease);
        }
        self.catalog.doubt_facts();
        let message = format!(
            "the {lane} account of target \"{}\" has another search_path than this session began with",
            self.desk.place.target
        );
        Err(Refusal::new(RefusalCode::ConnectionFailure, message).with_hint(
            "Connect again. If it stays so, all accounts of the target need the same search_path.",
        ))
    }

    /// A connection that was lent just now; it may have the settings of the session before.
    fn take_over(&mut self, lane: Lane, lease: Lease) {
        let settings = if *lease.settings() == **self.settings.values() {
            self.settings.version()
        } else if lease.settings().is_empty() {
            NO_SETTINGS
        } else {
            OTHER_SETTINGS
        };
        self.lanes.borrow(lane, lease, Known::default());
        if let Some(borrowed) = self.lanes.borrowed_mut(lane) {
            borrowed.settings = settings;
            if begins_untouched(lane) {
                borrowed.begin_untouched();
            }
        }
    }

    async fn bring_up_to_date(&mut self, lane: Lane) -> Result<(), UpstreamError> {
        let version = self.settings.version();
        let Some(borrowed) = self.lanes.borrowed_mut(lane) else { return Ok(()) };
        borrowed.note_used();
        // What the connection calls itself is told with the statement.
        let signed = self.desk.signature.is_application();
        let is_told = |name: &Ident| !(signed && &**name == APPLICATION_NAME);
        // Those of the session before, where it left them.
        let there = match borrowed.settings {
            OTHER_SETTINGS => borrowed.lease.settings().clone(),
            _ => Values::new(),
        };
        let mut setups = Vec::new();
        if borrowed.settings != version {
            if !matches!(borrowed.settings, NO_SETTINGS | OTHER_SETTINGS) {
                setups.push(Setup::ResetAll);
                borrowed.lease.keep_tag(None);
            }
            let changes = changes(&there, self.settings.values());
            setups
                .extend(changes.filter(|(name, _)| is_told(name)).map(|(name, value)| setting(name, value)));
            // INVARIANT: the read lane stays read-only whatever the session has set.
            if lane == Lane::Read && !setups.is_empty() {
                setups.push(Setup::ReadOnly(true));
            }
        }
        let stale = std::mem::take(&mut borrowed.known.stale);
        setups.extend(stale.iter().map(Setup::Deallocate));
        if !setups.is_empty() {
            borrowed.lease.run_setup(&setups, SETUP_TIMEOUT).await?;
            self.client.outbound.extend_from_slice(&borrowed.lease.take_notifications());
            self.held.forget_unnamed(lane);
        }
        if borrowed.settings != version {
            borrowed.lease.keep_settings(self.settings.values());
            borrowed.settings = version;
            borrowed.read_only = None;
        }
        Ok(())
    }

    /// Has the database hold the connection read-only for statements judged so, on a lane that is not.
    /// Only while nothing is owed and no transaction is open.
    ///
    /// # Errors
    /// When the connection does not take it.
    async fn hold_read_only(&mut self, lane: Lane, read_only: bool) -> Result<(), Refusal> {
        let Some(borrowed) = self.lanes.borrowed_mut(lane) else { return Ok(()) };
        let read_only = read_only || borrowed.known.own_read_only;
        if lane == Lane::Read || borrowed.read_only == Some(read_only) {
            return Ok(());
        }
        let made = borrowed.lease.run_setup(&[Setup::ReadOnly(read_only)], SETUP_TIMEOUT).await;
        borrowed.read_only = Some(read_only);
        self.client.outbound.extend_from_slice(&borrowed.lease.take_notifications());
        self.held.forget_unnamed(lane);
        made.map_err(|error| {
            self.drop_lane(lane);
            refusal_of(&error)
        })
    }

    /// Drops the connection of `lane`, and what was on it.
    fn drop_lane(&mut self, lane: Lane) {
        if self.lanes.is_tied(lane) {
            // INVARIANT: what is judged to be a temporary table is one: they went with the connection.
            self.names.forget_temporary();
        }
        self.lanes.drop_lease(lane);
        self.held.forget_lane(lane);
    }

    /// Notes that statements of `does` ran on the lane in use: what they leave there may tie the session to it.
    pub(super) fn note_ties(&mut self, facts: &Facts, text: &str) {
        let untold = sets_untold_path(facts).then_some(Reason::SearchPath);
        for reason in ties::reasons(facts).chain(untold) {
            self.lanes.stick(reason, &self.desk.metrics);
        }
        if ties::may_release(facts) {
            self.lanes.doubt_ties();
        }
        if let TransactionEffect::SetModes { session: true, read_write } = facts.transaction {
            // The other modes (isolation, deferrable) have no such word.
            if read_write || text.to_ascii_lowercase().contains("only") {
                self.lanes.note_own_read_only(!read_write);
            }
        }
        if facts.effects.iter().any(|effect| matches!(effect, SessionEffect::DiscardAll)) {
            for lane in self.lanes.unstick() {
                self.held.forget_lane(lane);
            }
        }
        let resets =
            |effect: &SessionEffect| matches!(effect, SessionEffect::DiscardAll | SessionEffect::ResetAll);
        if facts.effects.iter().any(resets) {
            self.lanes.note_own_read_only(false);
        }
    }

    /// Asks the server whether something still ties the session to its connection, where that may be given up and the
    /// connection is of use elsewhere. Only while nothing runs and no transaction is open.
    pub(super) async fn look_at_ties(&mut self, idle: Duration) {
        if self.cancelling.is_under_way() {
            return;
        }
        let Some(borrowed) = self.lanes.doubtful_mut(idle, false) else { return };
        // What the client waits for does not wait for what we want to know.
        self.client.send_at_once();
        let lane = borrowed.lease.lane();
        let there = borrowed.lease.ties(SETUP_TIMEOUT).await;
        self.client.outbound.extend_from_slice(&borrowed.lease.take_notifications());
        self.held.forget_unnamed(lane);
        match there {
            Ok(there) => {
                if !there.temporary {
                    self.names.forget_temporary();
                }
                if !there.cursors {
                    self.held.close_holding();
                }
                self.lanes.keep_ties(lane, |reason| ties_still(&there, reason));
            }
            // The session was tied to it, and ends with it.
            Err(_) => self.drop_lane(lane),
        }
    }

    /// Sends home what was not used for as long as `idle`, and what others wait for. Only while nothing runs and no
    /// transaction is open.
    pub(super) fn send_home(&mut self, idle: Duration) {
        if !self.lanes.has_untied() || self.held.has_holding() || self.cancelling.is_under_way() {
            return;
        }
        for lane in self.lanes.send_home(idle, None, |_| false) {
            self.held.forget_lane(lane);
        }
    }
}

/// Whether the server has something by which a session is tied for this reason; what it cannot tell goes on to tie.
const fn ties_still(there: &HeldThere, reason: Reason) -> bool {
    match reason {
        Reason::Cursor => there.cursors,
        Reason::Listen => there.channels,
        Reason::Lock => there.locks,
        Reason::Prepared => there.prepared,
        Reason::Temporary => there.temporary,
        Reason::SearchPath | Reason::TransactionModes | Reason::Unknown | Reason::UserVariable => true,
    }
}

/// Connections that were made before an account's settings changed may lie in the pool.
const LEASES_TRIED: usize = 4;

/// Whether a path was set that cannot be set again elsewhere, because it was not understood.
fn sets_untold_path(facts: &Facts) -> bool {
    facts.effects.iter().any(|effect| match effect {
        SessionEffect::Set { name, value: Some(value), .. } => {
            &**name == "search_path" && search_path(value) == SearchPath::Unknown
        }
        _ => false,
    })
}

/// The version of a connection that has no settings but those of its login.
const NO_SETTINGS: u64 = 0;
/// The version of a connection that has settings of another session: no session comes to it.
const OTHER_SETTINGS: u64 = u64::MAX;

/// What has to be set to come from the settings `there` to those `wanted`; `None` is the default.
fn changes<'a>(there: &'a Values, wanted: &'a Values) -> impl Iterator<Item = (&'a Ident, Option<&'a str>)> {
    let gone = there.keys().filter(|name| !wanted.contains_key(*name)).map(|name| (name, None));
    let is_new = |name: &Ident, value: &Option<String>| there.get(name) != Some(value);
    let new = wanted.iter().filter(move |(name, value)| is_new(name, value));
    gone.chain(new.map(|(name, value)| (name, value.as_deref())))
}

/// A setting as the gateway makes it on a connection.
pub(super) fn setting<'a>(name: &'a Ident, value: Option<&'a str>) -> Setup<'a> {
    let value = match value {
        None => SettingValue::Default,
        Some(list) if &**name == "search_path" => SettingValue::Path(list),
        Some(value) => SettingValue::Literal(value),
    };
    Setup::Set { name, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_already_is_not_set_again_and_what_is_not_wanted_goes() {
        let values = |pairs: &[(&str, Option<&str>)]| -> Values {
            pairs.iter().map(|(name, value)| ((*name).into(), value.map(str::to_owned))).collect()
        };
        let there = values(&[("timezone", Some("UTC")), ("datestyle", Some("ISO")), ("my.own", Some("1"))]);
        let wanted = values(&[("timezone", Some("UTC")), ("datestyle", Some("SQL")), ("work_mem", None)]);
        let found: Vec<_> = changes(&there, &wanted).map(|(name, value)| (&**name, value)).collect();
        assert_eq!(found, [("my.own", None), ("datestyle", Some("SQL")), ("work_mem", None)]);
        assert_eq!(changes(&there, &there).count(), 0);
    }
}
