//! Sessions of browsers: the key is in a cookie that no script reads, and a page shows that it is one of ours.
//!
//! A cookie goes along with whatever page makes the browser ask. So a call that rests on one has to carry the header
//! [`MARK`], which a page of another origin cannot add without being asked first (and nobody is ever told yes), and what
//! the browser itself says of where the call comes from must not contradict it.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{auth::Person, bodies::CreatedKey, cookie::Cookie, problem::Problem, router::Api};
use crate::{
    control::{Unsealed, WhoView},
    model::secret::Secret,
};

/// Says that a page of the console asks; `background` where no person did anything.
pub(super) const MARK: HeaderName = HeaderName::from_static("x-tidegate-console");

/// Whom the cookie of a page proves; `None` where there is none.
///
/// # Errors
/// 403 where another site may be behind the call.
pub(super) fn proven(api: &Api, headers: &HeaderMap) -> Result<Option<Unsealed>, Problem> {
    let Some(cookie) = api.cookies.read(Cookie::Session, headers) else { return Ok(None) };
    let Some(mark) = mark(headers)? else {
        return Err(forbidden("a cookie opens this to pages of the console alone"));
    };
    Ok(api.control.unseal_key(cookie, mark != "background"))
}

/// What the page says of itself, if it is one of ours.
///
/// # Errors
/// 403 for the page of another site.
fn mark(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(mark) = text(headers, &MARK) else { return Ok(None) };
    // Browsers that say where a call comes from say it truly.
    let site = text(headers, &HeaderName::from_static("sec-fetch-site"));
    let host = text(headers, &header::HOST);
    let origin = text(headers, &header::ORIGIN).map(|it| it.split_once("://").map(|(_, rest)| rest));
    let is_own = site.is_none_or(|it| it == "same-origin") && origin.is_none_or(|it| it == host);
    if is_own { Ok(Some(mark)) } else { Err(forbidden("this was asked by a page of another site")) }
}

/// Whether one of our pages asks to be signed in.
///
/// # Errors
/// 403 for the page of another site, which would sign somebody in as somebody else.
pub(super) fn is_page(headers: &HeaderMap) -> Result<bool, Problem> {
    mark(headers).map(|mark| mark.is_some())
}

/// The answer to a login: to a page the key in a cookie, to everybody else the key itself.
///
/// # Errors
/// 401 for somebody who was disabled at the same moment.
pub(super) fn logged_in(api: &Api, is_page: bool, made: CreatedKey) -> Result<Response, Problem> {
    let CreatedKey { key, secret } = made;
    if !is_page {
        return Ok((StatusCode::CREATED, Json(CreatedKey { key, secret })).into_response());
    }
    let secret = Secret::new(secret);
    let caller = api.control.authenticate(secret.expose());
    let who = caller.and_then(|caller| api.control.who(&caller));
    // closed: somebody who was disabled meanwhile is nobody
    let who = who.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "not any more"))?;
    let cookie = api.control.seal_key(&secret)?;
    Ok((api.cookies.set(Cookie::Session, &cookie, None), Json(who)).into_response())
}

/// Who is signed in, and what their key opens.
#[utoipa::path(
    get,
    path = "/session",
    operation_id = "who_am_i",
    tag = "login",
    responses((status = 200, description = "Whose key it is.", body = WhoView)),
    security(("service_key" = ["person"]))
)]
pub(super) async fn who(State(api): State<Api>, Person(caller): Person) -> Result<Json<WhoView>, Problem> {
    let who = api.control.who(&caller);
    who.map(Json)
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nobody of this name"))
}

/// Signs out: the key opens nothing any more.
#[utoipa::path(
    delete,
    path = "/session",
    operation_id = "log_out",
    tag = "login",
    responses((status = 204, description = "The key is revoked.")),
    security(("service_key" = ["person"]))
)]
pub(super) async fn log_out(
    State(api): State<Api>,
    Person(caller): Person,
) -> Result<(StatusCode, HeaderMap), Problem> {
    api.control.revoke_key(&caller.name, caller.key).await?;
    Ok((StatusCode::NO_CONTENT, api.cookies.end(Cookie::Session)))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

fn forbidden(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
}
