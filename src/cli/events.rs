//! `tidegate events`, and waiting for what happens.

use std::process::ExitCode;

use clap::Args;

use super::{
    args::Connection,
    client::Api,
    listen::Listening,
    output::{clean, complain, instant, list, say},
};
use crate::{
    api::bodies::{EventBody, EventQuery},
    model::{
        event::{Event, GrantEvent, RequestEvent},
        grant::Holder,
    },
};

/// Show what happened in the last seven days, or what happens from now on.
#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// Go on with what happens, until it is interrupted.
    #[arg(long)]
    follow: bool,
    /// Only events behind this number. Without it: all that are kept, or with --follow those to come.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(0..))]
    after: Option<i64>,
    /// Only events of this kind, for example request_created. May be repeated, or several with commas.
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: EventsArgs) -> anyhow::Result<ExitCode> {
    let api = Api::new(&args.connection)?;
    let after = args.after.or((!args.follow).then_some(0));
    let mut listening = Listening::begin(&api, EventQuery { after, follow: args.follow }).await?;
    loop {
        match listening.next().await {
            Ok(Some(event)) => print(&event, &args)?,
            Ok(None) if !args.follow => return Ok(ExitCode::SUCCESS),
            // The gateway went away, or was started anew: what is missed meanwhile is sent again.
            Ok(None) => listening = again(&api, &listening).await,
            Err(error) if args.follow => {
                complain!("{error:#}; trying again");
                listening = again(&api, &listening).await;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn again(api: &Api, before: &Listening) -> Listening {
    loop {
        tokio::time::sleep(super::listen::TRY_EVERY).await;
        let query = EventQuery { after: before.seen(), follow: true };
        if let Ok(listening) = Listening::begin(api, query).await {
            return listening;
        }
    }
}

fn print(event: &EventBody, args: &EventsArgs) -> anyhow::Result<()> {
    if !args.kinds.is_empty() && !args.kinds.iter().any(|kind| kind == event.event.kind()) {
        return Ok(());
    }
    if args.connection.json {
        say!("{}", serde_json::to_string(event)?);
    } else {
        say!("{} {} {}", instant(event.at), event.seq, clean(&words(&event.event)).replace('\n', " "));
    }
    Ok(())
}

/// An event in a sentence.
fn words(event: &Event) -> String {
    match event {
        Event::AuditTrouble { writable: true } => "The audit log can be written again.".to_owned(),
        Event::AuditTrouble { writable: false } => {
            "The audit log cannot be written: nothing runs.".to_owned()
        }
        Event::BreakGlassOpened(it) => format!("{} broke the glass: {}", it.requester, request(it)),
        Event::BreakGlassReviewed { request: it, justified } => {
            let found = if *justified { "right" } else { "not right" };
            format!("{} found it {found} to break the glass: {}", it.actor, request(it))
        }
        Event::GrantEnded(it) => format!("A grant is over: {}", grant(it)),
        Event::GrantExpiring(it) => {
            let end = it.ends_at.map(instant).unwrap_or_default();
            format!("A grant ends at {end}: {}", grant(it))
        }
        Event::GrantExtended { grant: it, extends } => {
            format!("A grant follows on {extends}: {}", grant(it))
        }
        Event::GrantRevoked(it) => format!("{} revoked a grant: {}", it.actor, grant(it)),
        Event::GrantStarted(it) => format!("A grant is in force: {}", grant(it)),
        Event::LoginThrottled { principal, address } => {
            let whom = principal.as_deref().unwrap_or("keys of the API");
            format!("Logins from {address} are held up, too many failed: {whom}.")
        }
        Event::PolicyRejected { actor, problem } => {
            format!("A broken policy was refused (asked for by {actor}): {problem}")
        }
        Event::PolicyReloaded { actor, digest } => {
            format!("Policy {digest} is in force (asked for by {actor}).")
        }
        Event::PrincipalChanged { actor, principal, change } => {
            format!("{actor} changed {principal}: {change}.")
        }
        Event::RequestApproved(it) => format!("{} approved: {}", it.actor, request(it)),
        Event::RequestCancelled(it) => format!("{} took back: {}", it.actor, request(it)),
        Event::RequestCreated(it) => format!("{} asks: {}", it.requester, request(it)),
        Event::RequestDenied(it) => format!("{} denied: {}", it.actor, request(it)),
        Event::RequestEscalated(it) => {
            format!("Nobody answers, {} may now: {}", list(&it.waits_for), request(it))
        }
        Event::RequestExpired(it) => format!("Nobody decided in time: {}", request(it)),
        Event::RequestReviewed(it) => format!("{} answered: {}", it.actor, request(it)),
        Event::StatementDenied { principal, target, database, denial, missing, suppressed } => {
            let more = if *suppressed > 0 { format!(" ({suppressed} more)") } else { String::new() };
            format!(
                "{principal} was refused in {target}/{database}, denial {denial}: {}{more}.",
                list(missing)
            )
        }
    }
}

fn request(it: &RequestEvent) -> String {
    let RequestEvent { permissions, target, database, reason, risk, flow, state, .. } = it;
    let what = if it.statement { "one statement on".to_owned() } else { format!("{permissions} on") };
    let said = it.comment.as_ref().map(|comment| format!(", \"{comment}\"")).unwrap_or_default();
    format!(
        "{what} {} in {target}/{database} for {}, because: {reason}{said} (risk {risk}, flow \"{flow}\", {state}, {}).",
        list(&it.objects),
        it.requester,
        it.request
    )
}

fn grant(it: &GrantEvent) -> String {
    let holder = match &it.holder {
        Holder::Principal(name) => name.to_string(),
        Holder::Group(name) => format!("group {name}"),
    };
    let objects = if it.objects.is_empty() { "one statement".to_owned() } else { list(&it.objects) };
    let GrantEvent { permissions, target, database, reason, .. } = it;
    format!(
        "{permissions} on {objects} in {target}/{database} for {holder}, because: {reason} ({}).",
        it.grant
    )
}
