//! Its Web API.
//!
//! Source: docs.slack.dev, the pages of the methods.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State as Part},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};

use super::{APP_TOKEN, BOT_TOKEN, Shared, State, shapes};

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/{method}", post(method))
        .route("/actions/{team}/{number}/{token}", post(whisper))
        .with_state(shared)
}

pub(super) async fn serve(listener: tokio::net::TcpListener, app: Router) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
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

async fn method(
    Part(shared): Part<Arc<Shared>>,
    Path(method): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut state = shared.state.lock().unwrap();
    if state.is_down {
        state.turned_away += 1;
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if let Some(seconds) = state.limits.pop_front() {
        state.turned_away += 1;
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", seconds.to_string())]).into_response();
    }
    let header = |name: &str| headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let token = if method == "apps.connections.open" { APP_TOKEN } else { BOT_TOKEN };
    if header("authorization") != format!("Bearer {token}") {
        return Json(json!({ "ok": false, "error": "invalid_auth" })).into_response();
    }
    let body = match header("content-type") {
        "application/json; charset=utf-8" => serde_json::from_slice(&body).unwrap(),
        "application/x-www-form-urlencoded" => form(&body),
        other => panic!("{method} is sent {other}"),
    };
    let answered = catch_unwind(AssertUnwindSafe(|| answer(&mut state, &shared, &method, &body)));
    let answer = answered.unwrap_or_else(|why| {
        let why = why.downcast_ref::<String>().cloned().unwrap_or_else(|| format!("{method}: {body}"));
        state.faults.push(why);
        Err("invalid_blocks")
    });
    match answer {
        Ok(mut answer) => {
            let scopes = [("x-oauth-scopes", state.scopes.join(","))];
            state.calls.push((method, body));
            answer["ok"] = true.into();
            (scopes, Json(answer)).into_response()
        }
        Err(error) => Json(json!({ "ok": false, "error": error })).into_response(),
    }
}

type Answer = Result<Value, &'static str>;

fn answer(state: &mut State, shared: &Shared, method: &str, body: &Value) -> Answer {
    let text = |name: &str| {
        let value = body[name].as_str().unwrap_or_else(|| panic!("{method} without {name}: {body}"));
        assert!(!value.is_empty(), "{method} with an empty {name}");
        value.to_owned()
    };
    match method {
        "auth.test" => Ok(json!({ "team_id": state.team, "user_id": "U0BOT" })),
        "apps.connections.open" => Ok(json!({ "url": format!("{}/?ticket=t", shared.socket) })),
        "chat.postMessage" => {
            let channel = text("channel");
            checked(body);
            if state.missing.contains(&channel) {
                return Err("channel_not_found");
            }
            state.next += 1;
            let ts = format!("1700000000.{:06}", state.next);
            state.messages.insert((channel.clone(), ts.clone()), body["blocks"].clone());
            Ok(json!({ "channel": channel, "ts": ts }))
        }
        "chat.update" => {
            let (channel, ts) = (text("channel"), text("ts"));
            checked(body);
            let message = state.messages.get_mut(&(channel, ts)).ok_or("message_not_found")?;
            *message = body["blocks"].clone();
            Ok(json!({}))
        }
        "conversations.open" => {
            let user = text("users");
            if state.members.contains_key(&user) {
                Ok(json!({ "channel": { "id": format!("D{user}") } }))
            } else {
                Err("user_not_found")
            }
        }
        "views.open" => {
            let trigger = text("trigger_id");
            let at = state.triggers.iter().position(|it| *it == trigger).ok_or("expired_trigger_id")?;
            state.triggers.remove(at);
            shapes::check_view(&body["view"]);
            state.next += 1;
            let id = format!("V{:06}", state.next);
            state.views.insert(id.clone(), body["view"].clone());
            Ok(json!({ "view": { "id": id } }))
        }
        "views.update" => {
            shapes::check_view(&body["view"]);
            let view = state.views.get_mut(&text("view_id")).ok_or("not_found")?;
            *view = body["view"].clone();
            Ok(json!({}))
        }
        "users.info" => {
            let user = state.members.get(&text("user")).ok_or("user_not_found")?;
            Ok(json!({ "user": user }))
        }
        other => panic!("an unknown method {other}"),
    }
}

fn checked(body: &Value) {
    shapes::check_message(body["blocks"].as_array().unwrap());
    let text = body["text"].as_str().unwrap();
    assert!((1..=4000).contains(&text.len()));
}

fn form(body: &[u8]) -> Value {
    let mut all = json!({});
    for (name, value) in
        reqwest::Url::parse(&format!("http://x/?{}", str::from_utf8(body).unwrap())).unwrap().query_pairs()
    {
        all[&*name] = value.into_owned().into();
    }
    all
}

async fn whisper(Part(shared): Part<Arc<Shared>>, Json(body): Json<Value>) -> StatusCode {
    let mut state = shared.state.lock().unwrap();
    if body["response_type"] != "ephemeral" || body["replace_original"] != false {
        state.faults.push(format!("everybody would see {body}"));
    }
    state.whispers.push(body["text"].as_str().unwrap().to_owned());
    StatusCode::OK
}
