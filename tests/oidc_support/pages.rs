//! Its pages.
//!
//! Source: OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3; RFC 7636; RFC 8628; RFC 9207.

use std::{collections::HashMap, future::Future, sync::Arc};

use axum::{
    Json, Router,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::prelude::{BASE64_STANDARD, Engine};
use jiff::Timestamp;
use reqwest::Url;
use serde_json::{Value, json};

use super::{CLIENT, SECRET, Shared, keys::base64};

type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(description))
        .route("/jwks", get(jwks))
        .route("/authorize", get(authorize))
        .route("/token", post(token))
        .route("/device", post(device))
        .with_state(shared)
}

pub(super) async fn serve(
    listener: tokio::net::TcpListener,
    app: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! { () = &mut stop => return, accepted = listener.accept() => accepted };
        let (stream, _) = accepted.unwrap();
        let app = app.clone();
        tokio::spawn(async move {
            let service =
                hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                    tower::ServiceExt::oneshot(app.clone(), request.map(axum::body::Body::new))
                });
            let io = hyper_util::rt::TokioIo::new(stream);
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
        });
    }
}

fn refused(status: StatusCode, error: &str) -> (StatusCode, Json<Value>) {
    (status, Json(json!({ "error": error })))
}

async fn description(State(shared): State<Arc<Shared>>) -> Answer {
    let state = shared.state.lock().unwrap();
    if state.is_down {
        return Err(refused(StatusCode::SERVICE_UNAVAILABLE, "down"));
    }
    let at = |page: &str| format!("{}/{page}", state.issuer);
    Ok(Json(json!({
        "issuer": state.issuer, "jwks_uri": at("jwks"), "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"), "device_authorization_endpoint": at("device"),
        "grant_types_supported": ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"],
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"], "authorization_response_iss_parameter_supported": true,
    })))
}

async fn jwks(State(shared): State<Arc<Shared>>) -> Answer {
    let mut state = shared.state.lock().unwrap();
    if state.is_down {
        return Err(refused(StatusCode::SERVICE_UNAVAILABLE, "down"));
    }
    state.key_fetches += 1;
    let keys: Vec<Value> = state.keys.iter().map(|key| key.public()).collect();
    Ok(Json(json!({ "keys": keys })))
}

fn pairs(query: &str) -> HashMap<String, String> {
    Url::parse(&format!("http://x/?{query}")).unwrap().query_pairs().into_owned().collect()
}

/// Whoever sits before the browser has said yes already.
async fn authorize(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Response {
    let asked = pairs(&query.unwrap_or_default());
    let is = |name: &str, value: &str| asked.get(name).is_some_and(|it| it == value);
    let redirect = asked.get("redirect_uri").cloned().unwrap_or_default();
    let good = is("client_id", CLIENT)
        && is("response_type", "code")
        && is("code_challenge_method", "S256")
        && asked.get("scope").is_some_and(|scope| scope.split(' ').any(|it| it == "openid"));
    if !good || !redirect.starts_with("http://127.0.0.1:") {
        return refused(StatusCode::BAD_REQUEST, "invalid_request").into_response();
    }
    let mut state = shared.state.lock().unwrap();
    state.next += 1;
    let code = format!("code-{}", state.next);
    let mut claims = state.person.clone();
    claims["nonce"] = asked.get("nonce").cloned().into();
    let challenge = asked.get("code_challenge").cloned().unwrap_or_default();
    state.codes.insert(code.clone(), (challenge, redirect.clone(), claims));
    let mut back = Url::parse(&redirect).unwrap();
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", asked.get("state").map(String::as_str).unwrap_or_default())
        .append_pair("iss", &state.issuer);
    (StatusCode::FOUND, [(header::LOCATION, back.to_string())]).into_response()
}

fn is_client(headers: &HeaderMap) -> bool {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let decoded =
        shown.strip_prefix("Basic ").and_then(|it| BASE64_STANDARD.decode(it).ok()).unwrap_or_default();
    let decoded = String::from_utf8(decoded).unwrap_or_default();
    let Some((id, secret)) = decoded.split_once(':') else { return false };
    // Both are form-encoded before they are put together.
    let plain = |text: &str| pairs(&format!("x={text}")).remove("x").unwrap_or_default();
    plain(id) == CLIENT && plain(secret) == SECRET
}

async fn device(State(shared): State<Arc<Shared>>, headers: HeaderMap, _form: String) -> Answer {
    if !is_client(&headers) {
        return Err(refused(StatusCode::UNAUTHORIZED, "invalid_client"));
    }
    let mut state = shared.state.lock().unwrap();
    state.next += 1;
    let code = format!("device-{}", state.next);
    state.devices.insert(code.clone(), false);
    Ok(Json(json!({
        "device_code": code, "user_code": "ABCD-EFGH", "verification_uri": format!("{}/activate", state.issuer),
        "expires_in": 600, "interval": 1,
    })))
}

async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, form: String) -> Answer {
    if !is_client(&headers) {
        return Err(refused(StatusCode::UNAUTHORIZED, "invalid_client"));
    }
    let form = pairs(&form);
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let mut state = shared.state.lock().unwrap();
    let no = |error| Err(refused(StatusCode::BAD_REQUEST, error));
    let claims = match field("grant_type").as_str() {
        "authorization_code" => {
            // Used once.
            let Some((challenge, redirect, claims)) = state.codes.remove(&field("code")) else {
                return no("invalid_grant");
            };
            let shown =
                aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, field("code_verifier").as_bytes());
            if base64(shown) != challenge || redirect != field("redirect_uri") {
                return no("invalid_grant");
            }
            claims
        }
        "urn:ietf:params:oauth:grant-type:device_code" => match state.devices.get(&field("device_code")) {
            None => return no("invalid_grant"),
            Some(false) => return no("authorization_pending"),
            Some(true) => {
                state.devices.remove(&field("device_code"));
                state.person.clone()
            }
        },
        _ => return no("unsupported_grant_type"),
    };
    let mut claims = claims;
    let now = Timestamp::now().as_second();
    claims["iss"] = state.issuer.clone().into();
    claims["aud"] = CLIENT.into();
    claims["exp"] = (now + 300).into();
    claims["iat"] = now.into();
    let id_token = state.keys[0].sign(&claims);
    // What somebody brings along: a token for the gateway that is no proof of a login.
    claims["azp"] = CLIENT.into();
    let head = json!({ "alg": "RS256", "typ": "at+jwt", "kid": "k1" });
    let access_token = state.keys[0].sign_with(&head, &claims);
    Ok(Json(json!({
        "access_token": access_token, "token_type": "Bearer", "expires_in": 300, "id_token": id_token,
    })))
}
