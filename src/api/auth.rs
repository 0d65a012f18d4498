//! Who calls, and whether they may.

use std::time::Instant;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    browser,
    cookie::Cookie,
    problem::Problem,
    router::{Api, Peer},
};
use crate::{
    control::{Caller, InBrowser, Scope, Unsealed},
    model::ids::PrincipalName,
};

/// Lets in whoever shows a live service key, and remembers whose it is.
pub(super) async fn authenticate(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let has_key = request.headers().contains_key(header::AUTHORIZATION);
    let browser = if has_key { Ok(None) } else { browser::proven(&api, request.headers()) };
    let (caller, renewed) = match browser {
        Ok(Some(Unsealed { caller, renewed })) => {
            request.extensions_mut().insert(InBrowser);
            (Ok(caller), renewed)
        }
        Ok(None) => (proven(&api, request.headers(), peer), None),
        Err(problem) => (Err(problem), None),
    };
    match caller {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            let mut response = next.run(request).await;
            if let Some(cookie) = renewed
                && !response.headers().contains_key(header::SET_COOKIE)
            {
                response.headers_mut().extend(api.cookies.set(Cookie::Session, &cookie, None));
            }
            response
        }
        Err(problem) => problem.into_response(),
    }
}

/// Whose key the headers show.
pub(super) fn proven(api: &Api, headers: &HeaderMap, peer: Option<Peer>) -> Result<Caller, Problem> {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(shown) = shown else {
        let detail = "show a service key: Authorization: Bearer tgk_…";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail));
    };
    let key = shown.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if let Some(caller) = key.and_then(|(_, key)| api.control.authenticate(key.trim())) {
        return Ok(caller);
    }
    // closed: without an address all failures count as one caller's
    let from = peer.map_or_else(|| [0, 0, 0, 0].into(), |Peer(address)| address.ip());
    if api.throttle.failed(from, Instant::now()) {
        let detail = "too many wrong keys from this address: wait a minute";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "throttled", detail));
    }
    let detail = "the service key is unknown, ended or revoked";
    Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail))
}

fn permitted(parts: &Parts, scopes: &[Scope]) -> Result<Caller, Problem> {
    // closed: a route that the authentication does not stand before has no caller
    let caller = parts.extensions.get::<Caller>().cloned().ok_or_else(|| {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "show a service key: Authorization: Bearer tgk_…",
        )
    })?;
    if caller.may(scopes) {
        return Ok(caller);
    }
    let mut words: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
    words.push(Scope::Admin.as_str());
    let detail = format!("service key \"{}\" lacks the scope: it takes {}", caller.name, words.join(" or "));
    Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail))
}

macro_rules! caller_with {
    ($(#[$doc:meta])* $type:ident, $scopes:expr, ($($kept:ty)?), $take:expr) => {
        $(#[$doc])*
        pub(super) struct $type $((pub(super) $kept))?;

        impl<S: Send + Sync> FromRequestParts<S> for $type {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
                permitted(parts, $scopes).map($take)
            }
        }
    };
}

fn person(parts: &Parts, scopes: &[Scope]) -> Result<PrincipalName, Problem> {
    permitted(parts, scopes)?.principal.ok_or_else(|| {
        let detail = "this takes the key of a person: tidegate login, or tidegate key create --for NAME";
        Problem::new(StatusCode::FORBIDDEN, "not_a_person", detail)
    })
}

/// A person who asks, by a key of their own: what is done is done by them.
pub(super) struct Requester(pub(super) PrincipalName);

impl<S: Send + Sync> FromRequestParts<S> for Requester {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        person(parts, &[Scope::Person, Scope::Request]).map(Self)
    }
}

/// A person, by a key that acts as them in whatever way they may.
pub(super) struct Person(pub(super) Caller);

impl<S: Send + Sync> FromRequestParts<S> for Person {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        person(parts, &[Scope::Person])?;
        permitted(parts, &[Scope::Person]).map(Self)
    }
}

/// A person who answers, by a key of their own.
pub(super) struct Reviewer(pub(super) PrincipalName);

impl<S: Send + Sync> FromRequestParts<S> for Reviewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        person(parts, &[Scope::Person, Scope::Review]).map(Self)
    }
}

/// A person by a key of their own that acts as them in everything.
pub(super) struct Oneself(pub(super) PrincipalName);

impl<S: Send + Sync> FromRequestParts<S> for Oneself {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        person(parts, &[Scope::Person]).map(Self)
    }
}

caller_with!(
    /// A caller that may look at links to Slack: a person at their own.
    ReadsLinks, &[Scope::Read, Scope::People, Scope::Person], (Caller), Self
);
caller_with!(
    /// A caller that may take links to Slack away: a person their own.
    PeopleOrOneself, &[Scope::People, Scope::Person], (Caller), Self
);
caller_with!(
    /// A caller that may look at requests: a person at their own.
    RequestReader, &[Scope::Read, Scope::Person, Scope::Request, Scope::Review], (Caller), Self
);
caller_with!(
    /// A caller that may hear of events: a person of what they have to do with.
    EventReader, &[Scope::Read, Scope::Person], (Caller), Self
);
caller_with!(
    /// A caller that may revoke grants: a person their own and those that they approved.
    Revoker, &[Scope::Grants, Scope::Person], (Caller), Self
);
caller_with!(
    /// A caller that may do everything.
    Admin, &[], (Caller), Self
);
caller_with!(
    /// A caller that may read the audit log.
    Auditor, &[Scope::AuditRead], (Caller), Self
);
caller_with!(
    /// A caller that may make and revoke grants.
    Granter, &[Scope::Grants], (Caller), Self
);
caller_with!(
    /// A caller that may look at grants and ask what they are good for: a person at their own.
    GrantReader, &[Scope::Read, Scope::Grants, Scope::Person, Scope::Request], (Caller), Self
);
caller_with!(
    /// A caller that keeps people in step with a directory.
    Directory, &[Scope::Directory], (Caller), Self
);
caller_with!(
    /// A caller that may add and change people and what they log in with.
    PeopleKeeper, &[Scope::People], (Caller), Self
);
caller_with!(
    /// A caller that may look at people.
    PeopleReader, &[Scope::Read, Scope::People], (), |_| Self
);
caller_with!(
    /// A caller that may have the policy read again.
    PolicyKeeper, &[Scope::Policy], (Caller), Self
);
caller_with!(
    /// A caller that may look at the policy in force.
    PolicyReader, &[Scope::Read, Scope::Policy], (), |_| Self
);
caller_with!(
    /// A caller that may look at webhooks.
    WebhookReader, &[Scope::Read], (), |_| Self
);
caller_with!(
    /// A caller that may end sessions.
    SessionKeeper, &[Scope::Sessions], (Caller), Self
);
caller_with!(
    /// A caller that may look at sessions.
    SessionReader, &[Scope::Read, Scope::Sessions], (), |_| Self
);
