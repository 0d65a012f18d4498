//! The protected servers: names, addresses, logins, accounts, the read lane, clocks.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpStream;

use super::{advice, finding::Finding, reach};
use crate::{
    app::targets::upstream,
    config::Config,
    model::target::Lane,
    net::Clock,
    upstream::{Endpoint, Survey, TargetSettings, TargetTls, causes, survey},
};

/// Looks at every protected server, on every lane; hands each finding to `tell` as soon as it is there.
pub async fn check_up_targets(config: &Config, clock: &Clock, tell: &mut (dyn FnMut(Finding) + Send)) {
    for configured in &config.targets {
        let check = format!("target {}", configured.target.name);
        match upstream(configured, clock) {
            Ok(target) => of_target(&check, &Arc::new(target), clock, tell).await,
            Err(error) => {
                tell(Finding::failed(format!("{check} tls"), causes(&error), "correct tls of the target"));
            }
        }
    }
}

async fn of_target(
    check: &str,
    target: &Arc<TargetSettings>,
    clock: &Clock,
    tell: &mut (dyn FnMut(Finding) + Send),
) {
    let writer = reach(&format!("{check} endpoint"), &target.endpoint, tell).await.is_some();
    let reader = match &target.reader {
        Some(reader) => reach(&format!("{check} reader"), &reader.endpoint, tell).await.is_some(),
        None => writer,
    };
    for lane in Lane::ALL {
        let check = format!("{check} {lane}");
        let reached = if lane == Lane::Read { reader } else { writer };
        if reached && !serves_as_below(target, lane) {
            of_lane(&check, target, lane, clock, tell).await;
        }
    }
    for database in target.databases.iter().flatten().skip(1) {
        if let Err(error) = survey(target, Lane::Read, Some(database)).await
            && reader
        {
            let advice = advice::of_failure(&error);
            tell(Finding::failed(format!("{check} database {database}"), causes(&error), advice));
        }
    }
}

async fn reach(
    check: &str,
    endpoint: &Endpoint,
    tell: &mut (dyn FnMut(Finding) + Send),
) -> Option<TcpStream> {
    reach::named(check, &endpoint.host, endpoint.port, tell).await
}

/// Whether a lane is served by the account of the one below, on the same way: then there is nothing more to look at.
fn serves_as_below(target: &TargetSettings, lane: Lane) -> bool {
    let below = match lane {
        Lane::Read => return false,
        Lane::Write => Lane::Read,
        Lane::Admin => Lane::Write,
    };
    let user = |lane| &target.accounts.of(lane).user;
    user(lane) == user(below) && target.way(lane).0 == target.way(below).0
}

async fn of_lane(
    check: &str,
    target: &Arc<TargetSettings>,
    lane: Lane,
    clock: &Clock,
    tell: &mut (dyn FnMut(Finding) + Send),
) {
    let account = target.accounts.of(lane).user.clone();
    let before = clock.now();
    let seen = match survey(target, lane, None).await {
        Ok(seen) => seen,
        Err(error) => {
            let advice = advice::of_failure(&error);
            return tell(Finding::failed(
                format!("{check} {}", advice::step_of(&error)),
                causes(&error),
                advice,
            ));
        }
    };
    let way = match target.way(lane).1 {
        TargetTls::Disable => "without TLS",
        TargetTls::VerifyFull(_) => "over TLS",
    };
    tell(Finding::ok(format!("{check} login"), format!("{account} is let in {way}: {}", seen.server)));
    tell(rights(check, lane, &account, &seen));
    if let Some(refuses) = seen.refuses_writes {
        tell(read_only(check, refuses));
    }
    if lane != Lane::Read && !seen.takes_writes {
        let advice = "let endpoint name the writer, and reader the one that follows";
        tell(Finding::failed(
            format!("{check} writer"),
            "the server takes no writes: it follows another",
            advice,
        ));
    }
    if lane == Lane::Read {
        tell(clocks(check, "the server", (before, clock.now()), seen.server_at));
    }
}

fn rights(check: &str, lane: Lane, account: &str, seen: &Survey) -> Finding {
    let check = format!("{check} privileges");
    match (lane, seen.excess.as_str()) {
        (Lane::Admin, _) => Finding::ok(check, format!("{account} is the admin lane's: nothing is too much")),
        (_, "") => Finding::ok(check, format!("{account} holds nothing that its lane does not need")),
        (_, excess) => {
            let advice = "take it away; deploy/sql makes accounts with no more than they need";
            Finding::warning(check, format!("{account} holds {excess}"), advice)
        }
    }
}

fn read_only(check: &str, refuses: bool) -> Finding {
    let check = format!("{check} read-only");
    if refuses {
        Finding::ok(check, "the server refused a statement that writes")
    } else {
        let advice = "do not use it like this; the read lane has to be held read-only by the server";
        Finding::failed(check, "the server did not refuse to write on the read lane", advice)
    }
}

/// The clock of `whose` was read between two instants.
pub(super) fn clocks(
    check: &str,
    whose: &str,
    (before, after): (Timestamp, Timestamp),
    server: Timestamp,
) -> Finding {
    let check = format!("{check} clock");
    let apart = if server < before {
        before.duration_since(server)
    } else {
        server.duration_since(after).max(SignedDuration::ZERO)
    };
    let found = format!("{whose}'s clock is within {:.1} s of this machine's", apart.as_secs_f64().max(0.1));
    let advice = "set both by NTP: grants end by the clock of this machine, and login tokens by both";
    if apart > FAR_APART {
        let found = format!("{whose}'s clock is {:.0} s from this machine's", apart.as_secs_f64());
        Finding::failed(check, found, advice)
    } else if apart > APART {
        let found = format!("{whose}'s clock is {:.1} s from this machine's", apart.as_secs_f64());
        Finding::warning(check, found, advice)
    } else {
        Finding::ok(check, found)
    }
}

const APART: SignedDuration = SignedDuration::from_secs(1);
const FAR_APART: SignedDuration = SignedDuration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::checkup::Grade;

    #[test]
    fn clocks_are_compared_with_the_time_that_asking_takes() {
        let at = |second: i64| Timestamp::from_second(1_000 + second).unwrap();
        let grade = |server: i64| clocks("t", "the server", (at(0), at(3)), at(server)).grade;
        for (server, expected) in [
            (0, Grade::Ok),
            (3, Grade::Ok),
            (-1, Grade::Ok),
            (-2, Grade::Warning),
            (5, Grade::Warning),
            (64, Grade::Failed),
            (-61, Grade::Failed),
        ] {
            assert_eq!(grade(server), expected, "{server}");
        }
    }
}
