//! `tidegate events`, and waiting for what happens.

use std::process::ExitCode;

use clap::Args;

use super::{
    args::Connection,
    client::Api,
    listen::Listening,
    output::{clean, complain, instant, say},
};
use crate::api::bodies::{EventBody, EventQuery};

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
        say!("{} {} {}", instant(event.at), event.seq, clean(&event.event.in_words()).replace('\n', " "));
    }
    Ok(())
}
