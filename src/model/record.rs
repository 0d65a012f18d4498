//! What the audit log is told. The log adds sequence number, time and chain.

use std::net::SocketAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};

use super::{
    facts::{Access, StatementKind},
    flow::Plan,
    grant::{Grant, GrantName, Holder},
    identity::Subject,
    ids::{
        DatabaseName, GrantId, GroupName, KeyId, PrincipalName, RequestId, SessionId, StatementId,
        TargetName, TokenId, WebhookName,
    },
    request::{Request, RequestState},
    review::Review,
    target::Lane,
    trace::TraceId,
};

/// When a record counts as kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Once the operating system has it: outlives the gateway, not a power failure.
    #[default]
    Process,
    /// Once the disk has it: outlives a power failure.
    Disk,
}

/// One entry of the audit log, before it is chained. Serialises to an object with the field `event`.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Record<'a> {
    /// A statement was judged, and runs if it was allowed.
    StatementStart(StatementStart<'a>),
    /// A statement is over.
    StatementEnd(StatementEnd<'a>),
    /// A client logged in.
    Login(Login<'a>),
    /// A login failed.
    LoginFailed(LoginFailed<'a>),
    /// Somebody logged in to the administration API, and got a key that acts as them.
    KeyLogin(KeyLogin<'a>),
    /// A session is over.
    SessionEnd(SessionEnd<'a>),
    /// A grant was made.
    GrantCreated {
        /// Who made it.
        actor: &'a str,
        /// All of it.
        grant: &'a Grant,
    },
    /// A grant was revoked.
    GrantRevoked {
        /// Who revoked it.
        actor: &'a str,
        /// Which.
        grant: &'a GrantName,
        /// Why.
        reason: &'a str,
    },
    /// A grant for one statement was used up: the statement is about to run.
    GrantUsed {
        /// Whose it is.
        actor: &'a str,
        /// Which.
        grant: &'a GrantName,
        /// In which session.
        session: SessionId,
    },
    /// A grant is about to end.
    GrantExpiring {
        /// Which.
        grant: &'a GrantName,
        /// Who holds it.
        holder: &'a Holder,
        /// Its end.
        ends_at: Timestamp,
    },
    /// Somebody asks for a grant.
    RequestCreated {
        /// Who.
        actor: &'a str,
        /// For what.
        request: &'a Request,
        /// By which way it goes.
        plan: &'a Plan,
    },
    /// Somebody asked for a grant, and policy did not take it.
    RequestRefused {
        /// Who asked.
        actor: &'a str,
        /// On which target.
        target: &'a TargetName,
        /// On which database.
        database: &'a DatabaseName,
        /// Why it was not taken.
        problem: &'a str,
    },
    /// Somebody answered a request.
    RequestReviewed {
        /// Who.
        actor: &'a str,
        /// Which request.
        request: RequestId,
        /// The answer.
        review: &'a Review,
    },
    /// A request is decided.
    RequestSettled {
        /// Who did it: the last approver, who denied, who took it back, "clock", or the flow that approves by itself.
        actor: &'a str,
        /// Which.
        request: RequestId,
        /// How.
        state: RequestState,
        /// The grant that was made of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        grant: Option<GrantId>,
    },
    /// Nobody answers a request, and others may by now.
    RequestEscalated {
        /// Which.
        request: RequestId,
        /// Who may, too.
        to: &'a [GroupName],
    },
    /// Somebody approved their own request, because it could not wait. Somebody else has to look at it.
    BreakGlass {
        /// Who.
        actor: &'a str,
        /// Which request.
        request: RequestId,
        /// What came of it.
        grant: &'a GrantName,
        /// Why it could not wait.
        reason: &'a str,
    },
    /// Somebody has looked at what was approved by its requester alone.
    BreakGlassReviewed {
        /// Who.
        actor: &'a str,
        /// Which request.
        request: RequestId,
        /// Whether it was right.
        justified: bool,
        /// In words.
        comment: &'a str,
    },
    /// Policy was read and is in force.
    PolicyLoaded {
        /// Who asked for it ("start", "watch", or a person).
        actor: &'a str,
        /// SHA-256 of its files, hexadecimal.
        digest: &'a str,
    },
    /// Policy was read, is broken, and the old one stays in force.
    PolicyRejected {
        /// Who asked for it.
        actor: &'a str,
        /// What is wrong.
        problem: &'a str,
    },
    /// A principal was added, changed, disabled or removed.
    PrincipalChanged {
        /// Who did it.
        actor: &'a str,
        /// Whom.
        principal: &'a PrincipalName,
        /// What ("added", "password set", "disabled", "enabled", "removed").
        change: &'a str,
    },
    /// A directory made, changed or removed a group; what that means for its members stands beside it.
    GroupChanged {
        /// Who did it.
        actor: &'a str,
        /// Which, as it is called from now on.
        group: &'a GroupName,
        /// What ("made by directory", "changed by directory", "removed by directory").
        change: &'a str,
    },
    /// A webhook was disabled, enabled or tried, or was sent something again.
    WebhookChanged {
        /// Who did it.
        actor: &'a str,
        /// Which.
        webhook: &'a WebhookName,
        /// What ("disabled", "enabled", "tested", "delivery … sent again").
        change: &'a str,
    },
    /// A database token was made.
    TokenCreated {
        /// Who made it.
        actor: &'a str,
        /// For whom.
        principal: &'a PrincipalName,
        /// Which.
        token: TokenId,
        /// Its end.
        ends_at: Timestamp,
    },
    /// A database token was revoked.
    TokenRevoked {
        /// Who revoked it.
        actor: &'a str,
        /// Whose it was.
        principal: &'a PrincipalName,
        /// Which.
        token: TokenId,
    },
    /// A service key was made.
    KeyCreated {
        /// Who made it.
        actor: &'a str,
        /// Which.
        key: KeyId,
        /// What it is called.
        name: &'a str,
    },
    /// A service key was revoked.
    KeyRevoked {
        /// Who revoked it.
        actor: &'a str,
        /// Which.
        key: KeyId,
    },
    /// A session was ended by a person.
    SessionTerminated {
        /// Who ended it.
        actor: &'a str,
        /// Which.
        session: SessionId,
    },
    /// The gateway started; the first record of every run.
    Started {
        /// Version of the gateway.
        version: &'a str,
    },
    /// The gateway stopped in order.
    Stopped,
}

/// Who does it from where; part of every record of a session.
#[derive(Clone, Debug, Serialize)]
pub struct Actor<'a> {
    /// The session.
    pub session: SessionId,
    /// Who.
    pub principal: &'a PrincipalName,
    /// From where.
    pub client: SocketAddr,
    /// What the client calls itself.
    pub application: &'a str,
    /// To which target.
    pub target: &'a TargetName,
    /// To which database.
    pub database: &'a DatabaseName,
}

/// A statement was judged.
#[derive(Clone, Debug, Serialize)]
pub struct StatementStart<'a> {
    /// The statement.
    pub statement: StatementId,
    /// Who, from where, to where.
    #[serde(flatten)]
    pub actor: &'a Actor<'a>,
    /// Its text, as judged and as sent.
    pub sql: &'a str,
    /// Same for statements that differ in literals only; 16 hexadecimal digits. `None` when not understood.
    pub fingerprint: Option<Fingerprint>,
    /// Its kind; `None` when it was not understood.
    pub kind: Option<StatementKind>,
    /// What it touches.
    pub objects: Vec<Touched<'a>>,
    /// What was decided: `decision` with its own fields beside it.
    #[serde(flatten)]
    pub decision: DecisionRecord<'a>,
    /// The trace that it is part of, where traces are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<TraceId>,
}

/// A fingerprint, written as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub u64);

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0))
    }
}

/// One object of a statement: `name`, as refusals name it, and `mode`.
#[derive(Clone, Copy, Debug)]
pub struct Touched<'a>(pub &'a Access);

impl Serialize for Touched<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Touched", 2)?;
        object.serialize_field("name", &format_args!("{}", self.0.object))?;
        object.serialize_field("mode", &self.0.mode)?;
        object.end()
    }
}

/// What was decided on a statement.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum DecisionRecord<'a> {
    /// It runs.
    Allow {
        /// On which lane.
        lane: Lane,
        /// By which grants.
        grants: &'a [GrantName],
    },
    /// It does not.
    Deny {
        /// SQLSTATE of the refusal.
        sqlstate: &'a str,
        /// The refusal's message.
        message: &'a str,
        /// What was missing ("select on public.salary").
        missing: Vec<String>,
    },
}

/// How a statement ended.
#[derive(Clone, Debug, Serialize)]
pub struct StatementEnd<'a> {
    /// The statement.
    pub statement: StatementId,
    /// Its session.
    pub session: SessionId,
    /// `completed`, `failed` or `cancelled`, `not_run` or `lost` (the upstream went away: unknown).
    pub outcome: Outcome,
    /// Rows returned or changed, as the command tag counts them.
    pub rows: Option<u64>,
    /// Bytes of rows relayed to the client.
    pub bytes: u64,
    /// Microseconds from start record to end record.
    pub duration_us: u64,
    /// SQLSTATE of the error, if there was one.
    pub sqlstate: Option<&'a str>,
    /// Process identifier of the upstream's session.
    pub upstream_pid: Option<i32>,
}

/// How a statement ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The upstream said it is done.
    Completed,
    /// The upstream said it failed.
    Failed,
    /// Ended by the gateway: its grant ended, or the gateway stopped (SQLSTATE 57P01).
    Revoked,
    /// Sent, but an earlier error made the upstream skip it.
    NotRun,
    /// Sent, and the upstream went away: whether it ran is unknown.
    Lost,
}

/// A client logged in.
#[derive(Clone, Debug, Serialize)]
pub struct Login<'a> {
    /// Who, from where, to where.
    #[serde(flatten)]
    pub actor: &'a Actor<'a>,
    /// By what (`password`, `token:…`, `certificate:…`, `oidc`).
    pub method: &'a str,
    /// Whom the identity provider means, if it vouches for them: `issuer` and `subject`.
    #[serde(flatten)]
    pub subject: Option<&'a Subject>,
    /// TLS version, or `None` in plain text.
    pub tls: Option<&'a str>,
}

/// Somebody logged in to the administration API.
#[derive(Clone, Debug, Serialize)]
pub struct KeyLogin<'a> {
    /// Who.
    pub principal: &'a PrincipalName,
    /// From where.
    pub client: SocketAddr,
    /// By what (`password`, `oidc:device`, `oidc:browser`, `oidc:token`).
    pub method: &'a str,
    /// The key.
    pub key: KeyId,
    /// Whom the identity provider means, if it vouches for them: `issuer` and `subject`.
    #[serde(flatten)]
    pub subject: Option<&'a Subject>,
}

/// A login failed. What the client was told is less than this.
#[derive(Clone, Debug, Serialize)]
pub struct LoginFailed<'a> {
    /// From where.
    pub client: SocketAddr,
    /// The name given, which need not exist.
    pub principal: &'a str,
    /// The database asked for.
    pub database: &'a str,
    /// Why, for the auditor.
    pub reason: &'a str,
}

/// A session is over.
#[derive(Clone, Debug, Serialize)]
pub struct SessionEnd<'a> {
    /// The session.
    pub session: SessionId,
    /// Who.
    pub principal: &'a PrincipalName,
    /// Why ("client closed", "terminated", "upstream lost", …).
    pub reason: &'a str,
    /// Statements allowed and refused in it.
    pub statements: u64,
}
