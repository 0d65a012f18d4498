//! `/api/v1/login/…`: logins by the identity provider.

use std::time::Instant;

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    bodies::{
        BeginBrowserLogin, BegunBrowserLogin, CreatedKey, DeviceLogin, FinishDeviceLogin, NewTokenLogin,
        PendingLogin, WhoView,
    },
    body::{JsonBody, SecretBody},
    browser,
    cookie::Cookie,
    login::{address_of, judged, listened_to, throttled},
    problem::Problem,
    router::{Api, Peer},
};
use crate::control::Returned;

/// Begins a login whose person answers on another device.
#[utoipa::path(
    post,
    path = "/api/v1/login/device",
    operation_id = "begin_device_login",
    tag = "login",
    responses((status = 201, description = "What the person is shown.", body = DeviceLogin))
)]
pub(super) async fn begin_device(
    State(api): State<Api>,
    peer: Option<Extension<Peer>>,
) -> Result<(StatusCode, Json<DeviceLogin>), Problem> {
    question(&api, peer.as_deref())?;
    Ok((StatusCode::CREATED, Json(api.control.begin_device_login().await?)))
}

/// 202 until the person has answered, then the key.
#[utoipa::path(
    post,
    path = "/api/v1/login/device/finish",
    operation_id = "finish_device_login",
    tag = "login",
    request_body = FinishDeviceLogin,
    responses((status = 201, description = "The key; its secret is told here alone.", body = CreatedKey), (status = 202, description = "Nobody has answered yet.", body = PendingLogin))
)]
pub(super) async fn finish_device(
    State(api): State<Api>,
    peer: Option<Extension<Peer>>,
    SecretBody(login): SecretBody<FinishDeviceLogin>,
) -> Result<Response, Problem> {
    question(&api, peer.as_deref())?;
    let made = api.control.finish_device_login(&login.login, address_of(peer.as_deref())).await;
    Ok(match judged(&api, peer.as_deref(), made)? {
        Ok(made) => (StatusCode::CREATED, Json(made)).into_response(),
        Err(pending) => (StatusCode::ACCEPTED, Json(pending)).into_response(),
    })
}

/// Begins a login in a browser: its address is in the body, what it keeps is a cookie that no script reads.
#[utoipa::path(
    post,
    path = "/api/v1/login/browser",
    operation_id = "begin_browser_login",
    tag = "login",
    request_body = BeginBrowserLogin,
    responses((status = 201, description = "Where the browser goes.", body = BegunBrowserLogin))
)]
pub(super) async fn begin_browser(
    State(api): State<Api>,
    peer: Option<Extension<Peer>>,
    JsonBody(begin): JsonBody<BeginBrowserLogin>,
) -> Result<(StatusCode, HeaderMap, Json<BegunBrowserLogin>), Problem> {
    question(&api, peer.as_deref())?;
    let (begun, kept) = api.control.begin_browser_login(&begin.redirect_uri).await?;
    let cookie = api.cookies.set(Cookie::Login, &kept, Some(begun.expires_in));
    Ok((StatusCode::CREATED, cookie, Json(begun)))
}

/// The key, for the browser that comes back with the cookie and the provider's answer.
#[utoipa::path(
    post,
    path = "/api/v1/login/browser/finish",
    operation_id = "finish_browser_login",
    tag = "login",
    request_body = Returned,
    responses((status = 201, description = "The key; its secret is told here alone.", body = CreatedKey), (status = 200, description = "To a page of the console: the key is in a cookie.", body = WhoView))
)]
pub(super) async fn finish_browser(
    State(api): State<Api>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    SecretBody(returned): SecretBody<Returned>,
) -> Result<Response, Problem> {
    question(&api, peer.as_deref())?;
    let is_page = browser::is_page(&headers)?;
    let kept = api.cookies.read(Cookie::Login, &headers).unwrap_or_default();
    let made = api.control.finish_browser_login(kept, &returned, address_of(peer.as_deref())).await;
    let made = judged(&api, peer.as_deref(), made)?;
    let mut answer = browser::logged_in(&api, is_page, made)?;
    // Used up.
    for (_, value) in api.cookies.end(Cookie::Login) {
        answer.headers_mut().append(header::SET_COOKIE, value);
    }
    Ok(answer)
}

/// The key for whoever brings along a token of the provider.
#[utoipa::path(
    post,
    path = "/api/v1/login/token",
    operation_id = "log_in_by_token",
    tag = "login",
    request_body = NewTokenLogin,
    responses((status = 201, description = "The key; its secret is told here alone.", body = CreatedKey))
)]
pub(super) async fn by_token(
    State(api): State<Api>,
    peer: Option<Extension<Peer>>,
    SecretBody(login): SecretBody<NewTokenLogin>,
) -> Result<(StatusCode, Json<CreatedKey>), Problem> {
    question(&api, peer.as_deref())?;
    let made = api.control.log_in_by_token(&login, address_of(peer.as_deref())).await;
    Ok((StatusCode::CREATED, Json(judged(&api, peer.as_deref(), made)?)))
}

/// Refuses whoever asks too often: each question may be one to the provider.
fn question(api: &Api, peer: Option<&Peer>) -> Result<(), Problem> {
    listened_to(api, peer)?;
    if api.questions.failed(address_of(peer).ip(), Instant::now()) { Err(throttled()) } else { Ok(()) }
}
