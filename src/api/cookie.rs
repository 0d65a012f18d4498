//! Cookies: what they are called, how a browser is to keep them, and how they are read.
//!
//! Source: RFC 6265bis, "Cookie Name Prefixes".

use axum::http::{HeaderMap, HeaderValue, header};

/// What a browser keeps for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cookie {
    /// A login by the identity provider that is under way.
    Login,
    /// The key of a page's session.
    Session,
}

/// How browsers keep cookies here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cookies {
    /// They come over TLS: then nobody who reads along, and no page of another host, gets at a cookie or sets one.
    is_secure: bool,
}

impl Cookies {
    /// Plain HTTP is spoken on loopback alone: to this machine's browsers, or to a proxy that speaks TLS with browsers.
    /// Which of the two is told by where people open the console, and not by what a request says of itself.
    pub(super) fn new(is_loopback: bool, public_url: Option<&str>) -> Self {
        Self { is_secure: !is_loopback || public_url.is_some_and(|url| url.starts_with("https://")) }
    }

    /// The header that has a browser keep `value`, for so many seconds, or else for as long as it runs.
    pub(super) fn set(self, cookie: Cookie, value: &str, seconds: Option<i64>) -> HeaderMap {
        let name = self.name(cookie);
        let secure = if self.is_secure { "; Secure" } else { "" };
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{age}");
        let value = HeaderValue::from_str(&text).ok();
        value.into_iter().map(|value| (header::SET_COOKIE, value)).collect()
    }

    /// The header that has a browser forget it.
    pub(super) fn end(self, cookie: Cookie) -> HeaderMap {
        self.set(cookie, "", Some(0))
    }

    /// The value, if the browser has one.
    pub(super) fn read(self, cookie: Cookie, headers: &HeaderMap) -> Option<&str> {
        let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = all.flat_map(|value| value.split(';'));
        pairs.find_map(|pair| pair.trim().strip_prefix(self.name(cookie))?.strip_prefix('='))
    }

    /// With the prefix, a browser takes it over TLS alone, and from this host alone.
    const fn name(self, cookie: Cookie) -> &'static str {
        match (cookie, self.is_secure) {
            (Cookie::Login, false) => "tidegate_login",
            (Cookie::Login, true) => "__Host-tidegate_login",
            (Cookie::Session, false) => "tidegate_session",
            (Cookie::Session, true) => "__Host-tidegate_session",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_for_tls_alone_wherever_people_come_over_tls() {
        let told = |is_loopback, url| {
            let headers = Cookies::new(is_loopback, url).set(Cookie::Session, "x", None);
            headers[header::SET_COOKIE].to_str().unwrap().to_owned()
        };
        let secure = "__Host-tidegate_session=x; Path=/; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(told(true, Some("https://gate.example")), secure);
        assert_eq!(told(false, None), secure);
        assert_eq!(told(false, Some("http://gate.example")), secure);
        let plain = "tidegate_session=x; Path=/; HttpOnly; SameSite=Strict";
        assert_eq!(told(true, None), plain);
        assert_eq!(told(true, Some("http://127.0.0.1:9443")), plain);
    }

    #[test]
    fn a_cookie_without_the_prefix_is_none_where_there_is_one() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("tidegate_session=tossed; a=b"));
        assert_eq!(Cookies::new(false, None).read(Cookie::Session, &headers), None);
        assert_eq!(Cookies::new(true, None).read(Cookie::Session, &headers), Some("tossed"));
    }
}
