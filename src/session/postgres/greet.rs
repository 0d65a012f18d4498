//! After the login: judges what the client asked for at startup, and greets it as its database would.

use std::sync::Arc;

use bytes::BytesMut;

use super::{
    held::Held,
    lanes::Lanes,
    names::Names,
    session::{Block, Session, Transaction},
    settings::Settings,
};
use crate::{
    model::{
        facts::SessionEffect,
        ids::{Ident, SessionId},
        name_context::NameContext,
        refusal::{Refusal, RefusalCode},
        target::Lane,
    },
    session::{
        cancel_key::CancelKey,
        cancelling::Cancelling,
        client::ClientSide,
        desk::Desk,
        gate::{Gate, SETUP_TIMEOUT},
        lanes::refusal_of,
        login::postgres::LoggedIn,
        registry::Handle,
        waiting::unless_over,
        who::Who,
    },
    sql::search_path,
    upstream::{HomeState, ServerFacts, Setup, UpstreamError},
    wire::postgres::{
        backend::{self, Severity, TransactionStatus},
        ledger::Ledger,
    },
};

/// Begins the session of a client that has logged in; `None` if it was turned away.
pub(super) async fn begin(gate: Arc<Gate>, id: SessionId, arrived: LoggedIn) -> Option<Box<Session>> {
    let LoggedIn { stream, principal, place, minor, settings, application, .. } = arrived;
    let who = Who::new(id, principal, place, stream.peer(), application, gate.clock.now());
    let key_bytes = if minor < 2 { CancelKey::SHORT_BYTES } else { CancelKey::LONG_BYTES };
    let handle = gate.registry.enter(&Arc::new(who), key_bytes);
    let mut desk = Desk::new(Arc::clone(&gate), handle);
    let (mut side, who) = (ClientSide::new(stream), Arc::clone(&desk.who));
    let opened = unless_over(&mut desk, &mut side, open(&gate, &who, &settings)).await;
    match opened.flatten() {
        Ok(opened) => {
            greet(&mut side.outbound, &opened, &desk.handle);
            Some(Box::new(Session {
                client: side,
                names: Names::new(
                    opened.context,
                    opened.settings.iter().any(|(name, _)| &**name == "search_path"),
                ),
                held: Held::new(desk.gate.limits.held),
                settings: Settings::of_startup(opened.settings),
                lanes: Lanes::default(),
                ledger: Ledger::default(),
                transaction: Transaction::idle(),
                block: Block::default(),
                parked: None,
                passing_over: 0,
                catalog: opened.catalog,
                initial_path: opened.initial_path,
                said_fatal: false,
                last_words: None,
                signed_name: None,
                read: None,
                cancelling: Cancelling::default(),
                cancelled: None,
                desk,
            }))
        }
        Err(refusal) => {
            say_last(side, &refusal).await;
            None
        }
    }
}

/// Tells a principal why it is not served.
pub(super) async fn turn_away(arrived: LoggedIn, refusal: &Refusal) {
    say_last(ClientSide::new(arrived.stream), refusal).await;
}

async fn say_last(mut side: ClientSide, refusal: &Refusal) {
    let mut message = BytesMut::new();
    backend::error_response(&mut message, Severity::Fatal, refusal);
    side.say_last(&message).await;
}

struct Opened {
    context: NameContext,
    catalog: crate::upstream::CatalogSource,
    initial_path: String,
    settings: Vec<(Ident, String)>,
    parameters: Vec<(String, String)>,
}

async fn open(gate: &Gate, who: &Who, asked: &[(String, String)]) -> Result<Opened, Refusal> {
    let place = &who.place;
    let refused = |error: UpstreamError| match error.code() {
        RefusalCode::InvalidCatalogName => {
            let message =
                format!("database \"{}\" does not exist on target \"{}\"", place.database, place.target);
            Refusal::new(RefusalCode::InvalidCatalogName, message)
                .with_hint("Connect to a database that the target has, and that you hold a grant on.")
        }
        _ => refusal_of(&error),
    };
    let catalog = gate.pools.catalog_source(&place.target, &place.database).map_err(refused)?;
    let facts = catalog.facts().await.map_err(refused)?;
    let known = catalog.fresh().await.map_err(refused)?;
    let context = NameContext {
        database: place.database.clone(),
        server_version: facts.version,
        search_path: search_path(&facts.search_path),
        accounts: gate.pools.accounts(&place.target),
        temporary: Arc::default(),
        made: Arc::default(),
        catalog: Some(known),
        mysql: None,
    };
    let (context, settings) = judge_startup(gate, who, context, asked)?;
    let parameters = parameters(gate, who, &facts, &settings).await.map_err(refused)?;
    let initial_path = facts.search_path.clone();
    Ok(Opened { context, catalog, initial_path, settings, parameters })
}

/// Judges the settings of the startup message as the SETs that they stand for.
fn judge_startup(
    gate: &Gate,
    who: &Who,
    mut context: NameContext,
    asked: &[(String, String)],
) -> Result<(NameContext, Vec<(Ident, String)>), Refusal> {
    let mut settings = Vec::new();
    for (name, asked) in asked {
        let wrong = |why: &str| {
            Refusal::new(RefusalCode::InvalidAuthorization, format!("setting \"{name}\" at startup: {why}"))
        };
        let known = name.split('.').all(|part| {
            !part.is_empty() && part.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
        });
        if !known || asked.contains('\0') {
            return Err(wrong("no such setting"));
        }
        let name: String = name.to_ascii_lowercase();
        // A list stays a list: each of its names is judged by the path that it makes.
        let text = match search_path(asked) {
            crate::model::name_context::SearchPath::Known(path) if name == "search_path" => {
                let names: Vec<String> = path.iter().map(|name| literal(name)).collect();
                if names.is_empty() {
                    return Err(wrong("an empty path"));
                }
                format!("SET {name} TO {}", names.join(", "))
            }
            _ => format!("SET {name} TO {}", literal(asked)),
        };
        let context_now = Arc::new(context.clone());
        let analysis = gate
            .facts
            .analyze(&text, crate::model::dialect::Dialect::Postgres, &context_now, &gate.limits.sql)
            .map_err(|reason| wrong(&reason.to_string()))?;
        for facts in analysis.iter() {
            let snapshot = gate.snapshot.load();
            match crate::policy::decide(&snapshot, &who.principal, &who.place, facts, gate.clock.now()) {
                crate::policy::Decision::Allow(_permit) => {}
                crate::policy::Decision::Deny(denial) => {
                    return Err(denial.refusal(&who.principal, &who.place));
                }
            }
            for effect in &facts.effects {
                if let SessionEffect::Set { name, value: Some(value), .. } = effect {
                    if &**name == "search_path" {
                        context.search_path = search_path(value);
                    }
                    // What is the same path is shown as the client wrote it.
                    let as_asked = &**name == "search_path" && search_path(asked) == context.search_path;
                    settings.push((name.clone(), if as_asked { asked } else { value }.clone()));
                }
            }
        }
    }
    Ok((context, settings))
}

fn literal(value: &str) -> String {
    if value.contains('\\') {
        format!("E'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        format!("'{}'", value.replace('\'', "''"))
    }
}

/// What the server reports to a session that starts with `settings`: asked of the server itself when some are set.
async fn parameters(
    gate: &Gate,
    who: &Who,
    facts: &ServerFacts,
    settings: &[(Ident, String)],
) -> Result<Vec<(String, String)>, UpstreamError> {
    let mut parameters = facts.parameters.clone();
    let asks = settings.iter().any(|(name, value)| {
        let plain = matches!(&**name, "application_name") || (&**name == "client_encoding" && is_utf8(value));
        !plain
    });
    if asks {
        let (place, principal) = (&who.place, &who.principal.name);
        let lease = gate.pools.lease(&place.target, &place.database, Lane::Read, principal).await;
        let mut lease = lease?;
        // It may have those of the session before.
        let reset = (!lease.settings().is_empty()).then_some(Setup::ResetAll);
        let asked = settings.iter().map(|(name, value)| super::lanes::setting(name, Some(value)));
        let setups: Vec<_> = reset.into_iter().chain(asked).collect();
        lease.run_setup(&setups, SETUP_TIMEOUT).await?;
        parameters = lease.parameters().to_vec();
        lease.go_home(HomeState::Idle);
    }
    let application = settings.iter().rev().find(|(name, _)| &**name == "application_name");
    for (name, value) in &mut parameters {
        if name == "application_name" {
            *value = application.map(|(_, value)| value.clone()).unwrap_or_default();
        }
        // The shared account is not the client's business, nor what it may do.
        if name == "session_authorization" {
            *value = who.principal.name.to_string();
        }
        if name == "is_superuser" {
            "off".clone_into(value);
        }
        if matches!(name.as_str(), "default_transaction_read_only" | "in_hot_standby") {
            "off".clone_into(value);
        }
    }
    Ok(parameters)
}

fn is_utf8(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().replace(['-', '_'], "").as_str(), "utf8" | "unicode")
}

fn greet(out: &mut BytesMut, opened: &Opened, handle: &Handle) {
    for (name, value) in &opened.parameters {
        backend::parameter_status(out, name, value);
    }
    backend::backend_key_data(out, handle.process_id(), handle.key());
    backend::ready_for_query(out, TransactionStatus::Idle);
}
