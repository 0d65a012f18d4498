//! The pages: what `console/` is built to, with the headers that hold a browser to it.

use std::{collections::HashMap, io::Write, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use flate2::{Compression, write::GzEncoder};
use rust_embed::Embed;
use uuid::Uuid;

#[derive(Embed)]
#[folder = "console/dist/"]
struct Files;

/// What is served.
struct Site {
    /// The one page; its scripts make the rooms.
    page: String,
    assets: HashMap<String, Asset>,
}

/// A file whose name changes with what is in it.
struct Asset {
    kind: &'static str,
    plain: Bytes,
    /// Where that is smaller.
    gzip: Option<Bytes>,
}

/// The pages, for everybody: what they show they ask of the API. `has_provider`: people can sign in by the identity
/// provider.
pub fn pages(has_provider: bool) -> Router {
    let page = Files::get("index.html").map(|file| String::from_utf8_lossy(&file.data).into_owned());
    let page = page.unwrap_or_default().replace("{provider}", if has_provider { "yes" } else { "no" });
    let assets = Files::iter().filter_map(|name| {
        let data = Files::get(&name)?.data;
        let name = name.strip_prefix("assets/")?;
        Some((name.to_owned(), Asset::new(name, data.into_owned())))
    });
    let site = Arc::new(Site { page, assets: assets.collect() });
    let rooms = ["/", "/sql", "/ask", "/ask/{id}", "/r/{denial}", "/review", "/review/{id}", "/audit"];
    let rooms = rooms.into_iter().chain(["/audit/{*rest}", "/access", "/sessions", "/callback"]);
    rooms
        .fold(Router::new(), |router, room| router.route(room, get(page_of)))
        .route("/assets/{name}", get(asset))
        .with_state(site)
}

async fn page_of(State(site): State<Arc<Site>>) -> Response {
    let nonce = Uuid::new_v4().simple().to_string();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; connect-src 'self'; \
         img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in GUARDS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    (headers, site.page.replace("{nonce}", &nonce)).into_response()
}

async fn asset(State(site): State<Arc<Site>>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = site.assets.get(&name) else { return StatusCode::NOT_FOUND.into_response() };
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let takes_gzip = accepted.is_some_and(|all| all.split(',').any(|one| one.trim().starts_with("gzip")));
    let mut sent = HeaderMap::new();
    sent.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    sent.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    sent.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    match &asset.gzip {
        Some(gzip) if takes_gzip => {
            sent.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            (sent, gzip.clone()).into_response()
        }
        Some(_) | None => (sent, asset.plain.clone()).into_response(),
    }
}

impl Asset {
    fn new(name: &str, data: Vec<u8>) -> Self {
        let kind = match name.rsplit_once('.').map(|(_, ending)| ending) {
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("woff2") => "font/woff2",
            Some(_) | None => "application/octet-stream",
        };
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Into memory, where writing does not fail; if it did, the plain bytes do as well.
        let gzip = encoder.write_all(&data).and_then(|()| encoder.finish()).ok();
        let gzip = gzip.filter(|gzip| gzip.len() < data.len()).map(Bytes::from);
        Self { kind, plain: data.into(), gzip }
    }
}

const GUARDS: [(&str, &str); 4] = [
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_page_loads_first_is_small() {
        let page = Files::get("index.html").unwrap();
        let page = String::from_utf8(page.data.into_owned()).unwrap();
        let first = page.split('"').filter_map(|text| text.strip_prefix("/assets/"));
        let bytes: usize = first
            .map(|name| {
                let data = Files::get(&format!("assets/{name}")).unwrap().data.into_owned();
                let asset = Asset::new(name, data);
                asset.gzip.unwrap_or(asset.plain).len()
            })
            .sum();
        assert!((1..100 << 10).contains(&bytes), "{bytes}");
    }

    #[test]
    fn nothing_in_the_page_runs_but_files_of_our_own() {
        let page = Files::get("index.html").unwrap();
        let page = String::from_utf8(page.data.into_owned()).unwrap();
        assert!(page.contains("{nonce}") && page.contains("{provider}"));
        for bad in ["<style", "style=", " onload", "javascript:", "http:", "https:"] {
            assert!(!page.contains(bad), "{bad}");
        }
        assert!(page.split("<script").skip(1).all(|script| script.contains("src=\"/assets/")));
    }
}
