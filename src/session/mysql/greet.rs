//! After the login: what the session begins with, and the OK that ends the login.

use std::sync::Arc;

use bytes::BytesMut;

use super::{
    collation,
    held::Held,
    lanes::Lanes,
    names::Names,
    session::{Entrance, Session, State},
    settings::Settings,
};
use crate::{
    model::{
        facts::SessionEffect,
        ids::{DatabaseName, Ident, SessionId},
        name_context::{MysqlReading, NameContext, SearchPath},
        object::Object,
        refusal::{Missing, Refusal, RefusalCode},
        target::{Lane, Place},
    },
    session::{
        cancel_key::CancelKey, cancelling::Cancelling, client::ClientSide, desk::Desk, gate::Gate,
        judge::Refused, lanes::refusal_of, login::mysql::LoggedIn, waiting::unless_over, who::Who,
    },
    sql::mysql::{reading_of_charset, reading_of_mode},
    upstream::mysql::ServerFacts,
    wire::mysql::{capability::Capabilities, compression::Framing, error::ServerError, reply},
};

/// Begins the session of a client that has logged in; `number` is what its greeting called it. `None` if it was turned
/// away.
pub(super) async fn begin(
    gate: Arc<Gate>,
    id: SessionId,
    number: i32,
    arrived: LoggedIn,
    entrance: Entrance,
) -> Option<Box<Session>> {
    let LoggedIn {
        stream,
        sequence,
        principal,
        place,
        capabilities,
        compression,
        charset,
        nonce,
        application,
        ..
    } = arrived;
    let charset = u16::from(charset);
    let who = Who::new(id, principal, place, stream.peer(), application, gate.clock.now());
    // `None` only after a million logins.
    let handle = gate.registry.enter_as(number, Arc::new(who), CancelKey::none())?;
    let mut desk = Desk::new(Arc::clone(&gate), handle);
    let (mut side, place) = (ClientSide::new(stream), desk.place.clone());
    let opened = unless_over(&mut desk, &mut side, open(&gate, &place, capabilities, charset)).await;
    match opened.flatten() {
        Ok(opened) => {
            let mut session = Box::new(Session {
                client: side,
                capabilities,
                entrance,
                charset,
                nonce,
                names: Names::new(opened.context),
                held: Held::new(desk.gate.limits.held, desk.gate.limits.message_bytes),
                settings: opened.settings,
                lanes: Lanes::default(),
                flight: None,
                long: None,
                state: State::new(capabilities),
                cancelling: Cancelling::default(),
                desk,
            });
            match session.enter_database().await {
                Ok(()) => {
                    session.say_ok(sequence);
                    if let Some(algorithm) = compression {
                        let limit_bytes = session.desk.gate.limits.message_bytes;
                        session.client.compress(Framing::new(algorithm, limit_bytes));
                    }
                    Some(session)
                }
                Err(refused) => {
                    session.say_refused(sequence, &refused);
                    session.client.say_last(&[]).await;
                    None
                }
            }
        }
        Err(refusal) => {
            say_last(&mut side, sequence, &refusal).await;
            None
        }
    }
}

/// Tells a principal why it is not served.
pub(super) async fn turn_away(arrived: LoggedIn, refusal: &Refusal) {
    say_last(&mut ClientSide::new(arrived.stream), arrived.sequence, refusal).await;
}

async fn say_last(side: &mut ClientSide, sequence: u8, refusal: &Refusal) {
    let (mut out, mut sequence) = (BytesMut::new(), sequence);
    reply::err(&mut out, &mut sequence, &ServerError::refused(refusal));
    side.say_last(&out).await;
}

/// What a session begins with.
pub(super) struct Opened {
    pub(super) context: NameContext,
    pub(super) settings: Settings,
}

/// What a session at `place` begins with, whose client has `capabilities` and the collation of number `charset`.
///
/// # Errors
/// When the target cannot be reached, or the client's character set is not let through.
pub(super) async fn open(
    gate: &Gate,
    place: &Place,
    capabilities: Capabilities,
    charset: u16,
) -> Result<Opened, Refusal> {
    let facts = gate.pools.mysql_facts(&place.target).await.map_err(|error| refusal_of(&error))?;
    let Some((name, collation)) = collation::of_number(charset, facts.flavor) else {
        return Err(Refusal::new(RefusalCode::NotSupported, "the client's character set is not let through")
            .with_hint("Connect with --default-character-set=utf8mb4."));
    };
    let mut reading = reading(&facts).ok_or_else(|| unreadable(&facts))?;
    reading.charset = reading_of_charset(name).map_err(|_| unreadable(&facts))?;
    reading.ignore_space |= capabilities.has(Capabilities::IGNORE_SPACE);
    let mut names: Option<(Ident, Option<Ident>)> = None;
    // What connections of the gateway's have anyway need not be set.
    if collation != Some(LOGIN_COLLATION) {
        names = Some((name.into(), collation.map(Ident::from)));
    }
    let accounts = gate.pools.accounts(&place.target);
    let context = NameContext { accounts, ..context(reading, place.database.clone()) };
    Ok(Opened { context, settings: Settings::of_login(names) })
}

/// How a fresh session of a server reads; `None` if the gateway cannot read so.
fn reading(facts: &ServerFacts) -> Option<MysqlReading> {
    let plain = MysqlReading {
        flavor: facts.flavor,
        version: facts.version,
        folds_names: facts.lower_case_table_names != 0,
        ..MysqlReading::USUAL
    };
    reading_of_mode(&facts.sql_mode, plain).ok()
}

/// The context of a session that has just begun in `database`, for explanations; where nothing is known of the server,
/// as MySQL 8.0 reads.
pub fn mysql_context(facts: Option<&ServerFacts>, database: DatabaseName) -> NameContext {
    context(facts.and_then(reading).unwrap_or(MysqlReading::USUAL), database)
}

fn context(reading: MysqlReading, database: DatabaseName) -> NameContext {
    NameContext {
        database,
        server_version: reading.version / 10_000,
        search_path: SearchPath::Known(Arc::from([])),
        accounts: Arc::from([]),
        temporary: Arc::default(),
        made: Arc::default(),
        catalog: None,
        mysql: Some(reading),
    }
}

fn unreadable(facts: &ServerFacts) -> Refusal {
    let message = format!("the target's sql_mode \"{}\" is not one that the gateway reads", facts.sql_mode);
    Refusal::new(RefusalCode::NotSupported, message)
}

impl Session {
    /// Judges the database of the login as the USE that it stands for.
    ///
    /// # Errors
    /// When it may not be used.
    pub(super) async fn enter_database(&mut self) -> Result<(), Refused> {
        let database = self.names.context().database.clone();
        if database.is_empty() {
            return Ok(());
        }
        self.desk.reading = self.names.reading();
        let text = format!("USE `{}`", database.replace('`', "``"));
        let analysis = self.analyze(&text)?;
        if let Err(refused) = self.judge(&text, &analysis) {
            self.desk.record_refusal(&text, &analysis, &refused).await?;
            return Err(refused);
        }
        // The server may write it in another way (lower_case_table_names).
        for facts in analysis.iter() {
            for effect in &facts.effects {
                if let SessionEffect::UseDatabase(name) = effect {
                    self.use_database(name);
                }
            }
        }
        // Whether it is there, only the server knows.
        self.take_lane(Lane::Read, None).await.map_err(|refusal| match refusal.code {
            RefusalCode::InvalidCatalogName => {
                let message =
                    format!("Unknown database '{database}' on target \"{}\"", self.desk.place.target);
                Refused::from(Refusal::new(RefusalCode::InvalidCatalogName, message))
            }
            RefusalCode::InsufficientPrivilege => {
                let message = format!(
                    "Access denied to database '{database}' on target \"{}\"",
                    self.desk.place.target
                );
                let hint = "The target has no such database, or does not let the gateway's account into it.";
                let mut refused =
                    Refused::from(Refusal::new(RefusalCode::InsufficientPrivilege, message).with_hint(hint));
                let object = Object::Schema { name: database.as_str().into() };
                refused.missing = Box::from([Missing { permission: None, object }]);
                refused
            }
            _ => Refused::from(refusal),
        })
    }
}

/// The collation with which the gateway logs in.
const LOGIN_COLLATION: &str = "utf8mb4_general_ci";
