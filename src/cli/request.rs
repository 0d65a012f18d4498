//! `tidegate request`

use std::{
    io::{self, Read},
    process::ExitCode,
};

use anyhow::Context;
use reqwest::Method;

use super::{
    args_grants::{RequestCommand, RequestCreateArgs},
    client::Api,
    grant::short,
    listen::{self, Listening},
    output::{clean, instant, list, say, show, span, table},
};
use crate::{
    api::bodies::{Answer, EventQuery, NewRequest, RequestPage, RequestQuery, RequestView, ReviewView},
    model::{
        event::RequestEvent,
        object::ObjectPattern,
        request::{Aftermath, Estimate, RequestState},
    },
};

pub(super) async fn run(command: RequestCommand) -> anyhow::Result<ExitCode> {
    match command {
        RequestCommand::Create(args) => create(*args).await,
        RequestCommand::List { state, requester, target, limit, watch, connection } => {
            let query =
                RequestQuery { state, requester, target, limit: Some(limit), ..RequestQuery::default() };
            let api = Api::new(&connection)?;
            if watch {
                return watch_list(&api, &query, connection.json).await;
            }
            show_page(&api.get(&["requests"], &query).await?, connection.json)
        }
        RequestCommand::Show { id, connection } => {
            let found: RequestView = Api::new(&connection)?.get(&["requests", &id.to_string()], &()).await?;
            show(connection.json, &found, tell)
        }
        RequestCommand::Cancel { id, connection } => {
            let path = ["requests", &id.to_string(), "cancel"];
            let cancelled: RequestView = Api::new(&connection)?.call(Method::POST, &path).await?;
            show(connection.json, &cancelled, |_| say!("Request {id} is cancelled."))
        }
    }
}

async fn create(args: RequestCreateArgs) -> anyhow::Result<ExitCode> {
    let refused_statement = args.statement.as_deref() == Some("");
    let statement = match args.statement.filter(|sql| !sql.is_empty()) {
        Some(sql) if sql == "-" => Some(from_stdin()?),
        other => other,
    };
    let objects = match (args.all_tables, args.tables) {
        (true, _) => Some(vec![ObjectPattern::All]),
        (false, tables) => (!tables.is_empty()).then_some(tables),
    };
    let new = NewRequest {
        denial: args.denial,
        target: args.target,
        database: args.database,
        objects,
        permissions: (!args.permissions.is_empty()).then(|| args.permissions.into_iter().collect()),
        role: args.role,
        statement,
        refused_statement,
        lifetime: args.lifetime,
        until: args.until,
        starts_at: args.starts_at,
        reason: args.reason,
        ticket: args.ticket,
        break_glass: args.break_glass,
    };
    let api = Api::new(&args.connection)?;
    let made: RequestView = api.send_once(&["requests"], &new, args.idempotency_key.as_deref()).await?;
    if !args.wait {
        return show(args.connection.json, &made, tell);
    }
    let decided = wait(&api, made).await?;
    show(args.connection.json, &decided, tell)?;
    Ok(if decided.state == RequestState::Approved { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show_page(page: &RequestPage, json: bool) -> anyhow::Result<ExitCode> {
    show(json, page, |it| {
        print(&it.requests, "There are no requests.");
        if it.next.is_some() {
            say!("There are more: raise --limit, or narrow the list with --state, --by and --target.");
        }
    })
}

/// The list, again whenever it may have changed.
async fn watch_list(api: &Api, query: &RequestQuery, json: bool) -> anyhow::Result<ExitCode> {
    loop {
        // First the stream, then the list: nothing happens unseen between the two.
        let mut listening = Listening::begin(api, EventQuery { after: None, follow: true }).await?;
        loop {
            show_page(&api.get(&["requests"], query).await?, json)?;
            let happened = of_a_request(&mut listening, |_| true).await;
            if !json {
                say!("");
            }
            if !happened {
                break;
            }
        }
        tokio::time::sleep(listen::TRY_EVERY).await;
    }
}

/// Waits until the request is decided; it is by its own end at the latest.
async fn wait(api: &Api, mut request: RequestView) -> anyhow::Result<RequestView> {
    let id = request.id;
    while request.state == RequestState::Pending {
        // First the stream, then the request: nothing happens unseen between the two.
        let listening = Listening::begin(api, EventQuery { after: None, follow: true }).await;
        request = api.get(&["requests", &id.to_string()], &()).await?;
        if request.state != RequestState::Pending {
            break;
        }
        let happened = match listening {
            Ok(mut listening) => of_a_request(&mut listening, |it| it.request == id).await,
            Err(_) => false,
        };
        if !happened {
            tokio::time::sleep(listen::TRY_EVERY).await;
        }
    }
    Ok(request)
}

/// Waits for something that becomes of a request; false when the stream is over first.
async fn of_a_request(listening: &mut Listening, wanted: impl Fn(&RequestEvent) -> bool) -> bool {
    while let Ok(Some(happened)) = listening.next().await {
        if happened.event.request().is_some_and(&wanted) {
            return true;
        }
    }
    false
}

fn from_stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    let read = io::stdin().lock().take(MOST_SQL_BYTES).read_to_string(&mut text);
    read.context("could not read the statement from standard input")?;
    Ok(text)
}

/// All that there is to know of one request.
pub(super) fn tell(it: &RequestView) {
    say!("Request {} is {}.", it.id, it.state);
    say!("{}", clean(&sentence(it)));
    if let Some(statement) = &it.statement {
        say!("Statement, once: {}", clean(&statement.sql));
    }
    if let Some(estimate) = &it.estimate {
        say!("{}", clean(&reckoned(estimate)));
    }
    say!("Risk {}, by flow \"{}\".", it.risk, clean(&it.flow));
    for review in &it.reviews {
        say!("{}", clean(&answer(review)));
    }
    if it.aftermath == Aftermath::Open {
        say!("Approved by {} alone; waits for {} to look at it.", it.requester, list(&it.waits_for));
    } else if it.state == RequestState::Pending {
        say!("Waits for {}, until {}.", list(&it.waits_for), instant(it.expires_at));
    }
    if let Some(grant) = it.grant {
        say!("Grant {grant}; sessions that are open have it from their next statement on.");
    }
}

/// What the database says of the statement.
fn reckoned(it: &Estimate) -> String {
    let rows = it.rows.map(|rows| format!("{rows} rows"));
    let cost = it.cost.map(|cost| format!("a cost of {cost}"));
    match (rows, cost, &it.problem) {
        (None, None, problem) => {
            format!("The database tells nothing of its cost: {}.", problem.as_deref().unwrap_or("no reason"))
        }
        (rows, cost, _) => {
            let words: Vec<_> = rows.into_iter().chain(cost).collect();
            format!("The database reckons with {}.", words.join(" and "))
        }
    }
}

/// "dana asks to select on public.employee in hr/hr_prod for 1h, because: INC-42."
fn sentence(it: &RequestView) -> String {
    let term = match (it.seconds, it.until) {
        (Some(seconds), Some(until)) => format!("for {} or until {}", span(seconds), instant(until)),
        (Some(seconds), None) => format!("for {}", span(seconds)),
        (None, Some(until)) => format!("until {}", instant(until)),
        (None, None) => "without end".to_owned(),
    };
    let from = it.starts_at.map(|at| format!(" from {}", instant(at))).unwrap_or_default();
    let ticket = it.ticket.as_ref().map(|ticket| format!(" ({ticket})")).unwrap_or_default();
    let objects = if it.objects == ["*"] { "everything".to_owned() } else { list(&it.objects) };
    format!(
        "{} asks to {} on {objects} in {}/{}{from} {term}, because: {}{ticket}.",
        it.requester, it.permissions, it.target, it.database, it.reason
    )
}

fn answer(review: &ReviewView) -> String {
    let verb = match (review.verdict, review.afterwards) {
        (Answer::Approve, false) => "approved",
        (Answer::Deny, false) => "denied",
        (Answer::Approve, true) => "found it right",
        (Answer::Deny, true) => "found it not right",
    };
    let mut words = format!("{} {verb} at {}", review.reviewer, instant(review.at));
    if let Some(objects) = &review.objects {
        words.push_str(&format!(", on {} alone", list(objects)));
    }
    if let Some(permissions) = review.permissions {
        words.push_str(&format!(", to {permissions} alone"));
    }
    if let Some(seconds) = review.seconds {
        words.push_str(&format!(", for {} at most", span(seconds)));
    }
    if !review.comment.is_empty() {
        words.push_str(&format!(": {}", review.comment));
    }
    words
}

/// Requests as a list.
pub(super) fn print(requests: &[RequestView], nothing: &str) {
    let row = |it: &RequestView| {
        let what = it.statement.as_ref().map_or_else(|| list(&it.objects), |statement| short(&statement.sql));
        let state = match it.aftermath {
            Aftermath::Open => format!("{}, to be looked at", it.state),
            Aftermath::None | Aftermath::Done => it.state.to_string(),
        };
        vec![
            it.id.to_string(),
            it.requester.to_string(),
            format!("{}/{}", it.target, it.database),
            what,
            it.permissions.to_string(),
            it.risk.to_string(),
            state,
            list(&it.waits_for),
            it.reason.clone(),
        ]
    };
    let head = ["ID", "BY", "PLACE", "OBJECTS", "PERMISSIONS", "RISK", "STATE", "WAITS FOR", "REASON"];
    table(&head, requests.iter().map(row).collect(), nothing);
}

const MOST_SQL_BYTES: u64 = 64 << 10;
