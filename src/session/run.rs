//! A session from its greeting to its end.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use jiff::SignedDuration;

use super::{
    bounds::{Watch, stop_what_takes_too_long},
    conversation::Conversation,
    end::{End, LOOK_EVERY, STOP_PATIENCE},
    leaving::{Leaving, stop_what_runs},
    pump::{Wake, wait},
    registry::Signals,
    timer::Timer,
    who::Doing,
};

/// Serves a session until it ends, and cleans up behind it. Boxed, so that nothing of the login is held meanwhile.
pub(super) async fn run<C: Conversation>(mut session: Box<C>) {
    let session = &mut *session;
    let end = match serve(session).await {
        Ok(never) => match never {},
        Err(end) => end,
    };
    let desk = session.ends().desk;
    match &end {
        End::Upstream(problem) => {
            tracing::warn!(session = %desk.who.session, target = %desk.place.target, problem, "upstream lost");
        }
        End::ClientClosed | End::Fatal(_) | End::Terminated => {
            tracing::debug!(session = %desk.who.session, reason = end.reason(), "session over");
        }
    }
    settle_lost(session);
    session.stop().await;
    let written = session.ends().desk.record_ends().await;
    // Where the log failed, that is told whatever was told before.
    let said = written.is_ok() && session.has_said(&end);
    let farewell = end.farewell(&session.ends().desk.place.target).filter(|_| !said);
    let message = farewell.map(|refusal| session.last_message(&refusal)).unwrap_or_default();
    // First, so that what others wait for, and the server would hold, does not wait for this client.
    session.close_lanes(&end);
    if !matches!(end, End::ClientClosed) {
        session.ends().client.say_last(&message).await;
    }
    session.ends().desk.record_session_end(&end).await;
}

async fn serve<C: Conversation>(session: &mut C) -> Result<Infallible, End> {
    let mut timer = Timer::default();
    let (mut watch, mut moved) = (Watch::default(), false);
    loop {
        let told = session.ends().client.outbound.len();
        session.go_on().await?;
        if let Err(end) = session.ends().desk.record_ends().await {
            // How it went is not told: its record is not there.
            session.ends().client.outbound.truncate(told);
            return Err(end);
        }
        let doing = session.doing();
        let is_idle = doing == Doing::Idle;
        let desk = session.ends().desk;
        // For others to see.
        desk.who.note(doing);
        watch.note(doing, moved);
        if let Some(refusal) = watch.overdue(desk) {
            return Err(End::Fatal(refusal));
        }
        if let Some(end) = desk.leaving.end(doing) {
            return Err(end);
        }
        if is_idle {
            session.send_idle_home().await;
        }
        timer.set(next_look(session, is_idle, &watch));
        let wake = wait(session, &mut timer).await;
        moved = matches!(wake, Wake::Bytes);
        match wake {
            Wake::Bytes => {}
            Wake::ClientClosed => return Err(End::ClientClosed),
            Wake::Signals(signals) => heed(session, signals)?,
            Wake::Timer => {
                if is_idle {
                    session.ends().client.rest();
                }
                session.recheck()?;
                stop_what_takes_too_long(session);
                end_if_it_does_not_stop(session)?;
            }
            Wake::UpstreamClosed(error) => session.on_upstream_closed(&error.to_string())?,
        }
    }
}

fn heed<C: Conversation>(session: &mut C, signals: Signals) -> Result<(), End> {
    if signals.terminate() {
        return Err(End::Terminated);
    }
    let leaving = &mut session.ends().desk.leaving;
    if signals.drain() && *leaving == Leaving::No {
        *leaving = Leaving::WhenIdle;
    }
    if signals.stop() {
        stop_what_runs(session);
    }
    if signals.cancel() {
        session.cancel_running();
    }
    if signals.recheck() {
        session.recheck()?;
    }
    Ok(())
}

/// How long until whatever ends first: a grant on which something that runs rests, the time that policy gives it, the
/// patience with something that was told to stop, or with an idle connection.
fn next_look<C: Conversation>(session: &mut C, is_idle: bool, watch: &Watch) -> Option<Duration> {
    let idle = (is_idle && session.has_untied()).then_some(LOOK_EVERY);
    let (desk, running) = session.under_way();
    let (mut grant_end, mut deadline) = (desk.deeds.until, None);
    for (place, one) in running.enumerate().filter(|(_, running)| running.revoked.is_none()) {
        grant_end = earlier(grant_end, one.until);
        // What waits behind the first does not run yet.
        deadline = deadline.or(one.deadline.filter(|_| place == 0));
    }
    let timeout = deadline.map(|end| end.saturating_duration_since(Instant::now()));
    let open = if watch.is_open() { watch.left(&desk.bounds()) } else { None };
    let grant = grant_end.map(|end| end.duration_since(desk.now()).max(SignedDuration::ZERO).unsigned_abs());
    let stopping = desk.stopping_since.map(|since| STOP_PATIENCE.saturating_sub(since.elapsed()));
    [grant, idle, stopping, timeout, open].into_iter().flatten().min()
}

fn earlier<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    one.into_iter().chain(other).min()
}

/// Ends the session if something that was told to stop has not done so for too long.
fn end_if_it_does_not_stop<C: Conversation>(session: &mut C) -> Result<(), End> {
    let (desk, mut running) = session.under_way();
    let Some(since) = desk.stopping_since else { return Ok(()) };
    match running.find_map(|running| running.revoked.clone()) {
        None => {
            desk.stopping_since = None;
            Ok(())
        }
        Some(refusal) if since.elapsed() >= STOP_PATIENCE => Err(End::Fatal(refusal)),
        Some(_) => Ok(()),
    }
}

/// What was sent and not answered is noted as lost, so that its record does not stay open.
fn settle_lost<C: Conversation>(session: &mut C) {
    let upstream_pid = session.upstream_pid();
    let (desk, running) = session.under_way();
    desk.ended.extend(running.map(|running| running.lost(upstream_pid)));
}
