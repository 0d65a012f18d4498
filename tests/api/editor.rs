//! The connections of the console's pages, before a gate that does not answer.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, Response, StatusCode, header},
};
use serde_json::{Value, json};
use tidegate::{
    api::Rooms,
    console::{Dial, Editor, TargetInfo},
    control::BoxFuture,
    model::{dialect::Dialect, ids::TargetName},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tower::ServiceExt;

use crate::api_support::{Gateway, Home};

/// Lets one client in and never answers a statement of it; whoever comes later, as a cancel does, finds nobody.
struct Silent {
    was_dialled: AtomicBool,
    /// What became of the one connection: `Q` for a statement, `X` for its end.
    told: mpsc::UnboundedSender<char>,
}

impl Dial for Silent {
    fn targets(&self) -> Vec<TargetInfo> {
        let (name, environment) = ("hr".into(), "prod".into());
        vec![TargetInfo { name, dialect: Dialect::Postgres, environment, databases: None }]
    }

    fn dial(&self, _: &TargetName, _: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(async move {
            if self.was_dialled.swap(true, Ordering::Relaxed) {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let ours = TcpStream::connect(listener.local_addr()?).await?;
            let (theirs, _) = listener.accept().await?;
            tokio::spawn(serve(theirs, self.told.clone()));
            Ok(ours)
        })
    }
}

async fn serve(mut client: TcpStream, told: mpsc::UnboundedSender<char>) -> io::Result<()> {
    let mut startup = vec![0; client.read_u32().await? as usize - 4];
    client.read_exact(&mut startup).await?;
    client.write_all(b"R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x01\0\0\0\x02Z\0\0\0\x05I").await?;
    while let Ok(tag) = client.read_u8().await {
        let mut body = vec![0; client.read_u32().await? as usize - 4];
        client.read_exact(&mut body).await?;
        told.send(tag.into()).unwrap();
    }
    told.send('X').unwrap();
    Ok(())
}

/// A page of dana's, and what its one connection hears.
struct Page {
    _home: Home,
    gateway: Gateway,
    router: Router,
    cookie: String,
    heard: mpsc::UnboundedReceiver<char>,
}

impl Page {
    async fn new() -> Self {
        let home = Home::new();
        let gateway = home.start().await;
        let (told, heard) = mpsc::unbounded_channel();
        let dial = Silent { was_dialled: AtomicBool::new(false), told };
        let editor = Editor::new(gateway.control.clone(), Arc::new(dial));
        let rooms = Rooms { keyed: editor.routes(), ..Rooms::default() };
        let parts = tidegate::api::ApiParts { rooms, ..gateway.parts.clone() };
        let router = tidegate::api::router(parts, true);
        let set = json!({ "password": "correct horse" });
        gateway.call(reqwest::Method::PUT, "/principals/dana/password", set).await;
        let mut page = Self { _home: home, gateway, router, cookie: String::new(), heard };
        let login = json!({ "principal": "dana", "password": "correct horse" });
        let answer = page.ask("POST", "/login", login).await;
        assert_eq!(answer.status(), 200);
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        cookie.split(';').next().unwrap().clone_into(&mut page.cookie);
        page
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Response<Body> {
        self.router.clone().oneshot(self.request(method, path, body)).await.unwrap()
    }

    fn request(&self, method: &str, path: &str, body: Value) -> Request<Body> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("x-tidegate-console", "used")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::COOKIE, &self.cookie);
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        request.body(body).unwrap()
    }

    async fn open(&self) -> String {
        let answer = self.ask("POST", "/sql/tabs", json!({ "target": "hr", "database": "hr_prod" })).await;
        assert_eq!(answer.status(), StatusCode::CREATED);
        let body: Value = serde_json::from_slice(&text(answer).await).unwrap();
        format!("/sql/tabs/{}", body["tab"].as_str().unwrap())
    }

    async fn hears(&mut self, expected: char) {
        // Far below the time that a cancelled statement is given.
        let heard = timeout(Duration::from_secs(5), self.heard.recv()).await;
        assert_eq!(heard, Ok(Some(expected)));
    }
}

async fn text(answer: Response<Body>) -> Vec<u8> {
    to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tab_that_is_closed_is_over_whatever_becomes_of_the_cancel() {
    let mut page = Page::new().await;
    let tab = page.open().await;
    let answer = page.ask("POST", &format!("{tab}/run"), json!({ "sql": "SELECT pg_sleep(3600)" })).await;
    assert_eq!(answer.status(), 200);
    page.hears('Q').await;
    assert_eq!(page.ask("DELETE", &tab, Value::Null).await.status(), 204);
    page.hears('X').await;
    let told = String::from_utf8(text(answer).await).unwrap();
    assert!(told.contains("this tab is closed") && told.contains("\"closed\":true"), "{told}");
    let answer = page.ask("POST", &format!("{tab}/run"), json!({ "sql": "SELECT 1" })).await;
    assert_eq!(answer.status(), StatusCode::GONE);
    page.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_has_not_begun_ends_with_its_tab() {
    let mut page = Page::new().await;
    let tab = page.open().await;
    let (path, router) = (format!("{tab}/export"), page.router.clone());
    let export = page.request("POST", &path, json!({ "sql": "SELECT 1" }));
    let export = tokio::spawn(async move { router.oneshot(export).await.unwrap() });
    page.hears('Q').await;
    assert_eq!(page.ask("DELETE", &tab, Value::Null).await.status(), 204);
    page.hears('X').await;
    assert_eq!(export.await.unwrap().status(), StatusCode::GONE);
    page.gateway.stop().await;
}
