//! What a provider says of itself.

use reqwest::Url;
use serde::Deserialize;

/// A provider's description of itself.
///
/// Source: OpenID Connect Discovery 1.0, section 3; RFC 8414, section 2; RFC 8628, section 4.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    /// Where its keys are.
    pub(super) jwks_uri: String,
    /// Where a browser is sent.
    #[serde(default)]
    pub(super) authorization_endpoint: Option<String>,
    /// Where codes become tokens.
    #[serde(default)]
    pub(super) token_endpoint: Option<String>,
    /// Where logins on another device begin.
    #[serde(default)]
    pub(super) device_authorization_endpoint: Option<String>,
    /// How clients may prove themselves.
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Whether answers to the browser name the issuer (RFC 9207).
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Reads the description of `issuer`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(document: &[u8], issuer: &str) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        if read.issuer != issuer {
            return Err("it is the description of another issuer".to_owned());
        }
        let places = [
            Some(&read.jwks_uri),
            read.authorization_endpoint.as_ref(),
            read.token_endpoint.as_ref(),
            read.device_authorization_endpoint.as_ref(),
        ];
        if let Some(place) = places.into_iter().flatten().find(|place| !is_safe(place)) {
            return Err(format!("\"{}\" is neither https nor on this machine", place.escape_debug()));
        }
        Ok(read)
    }

    /// Whether the client's secret goes into the body, because the provider takes it nowhere else.
    pub(super) fn wants_secret_in_body(&self) -> bool {
        self.token_endpoint_auth_methods_supported.as_ref().is_some_and(|methods| {
            let has = |wanted: &str| methods.iter().any(|method| method == wanted);
            has("client_secret_post") && !has("client_secret_basic")
        })
    }
}

/// Where the description of `issuer` is.
pub(super) fn address_of(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

/// Whether what is said there cannot be heard or changed by others: https, or this machine.
fn is_safe(place: &str) -> bool {
    let Ok(url) = Url::parse(place) else { return false };
    let is_loopback = match url.host_str() {
        Some("localhost" | "127.0.0.1" | "[::1]") => true,
        Some(_) | None => false,
    };
    url.has_host() && (url.scheme() == "https" || (url.scheme() == "http" && is_loopback))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(keys: &str, issuer: &str) -> Result<Metadata, String> {
        let text =
            format!(r#"{{"issuer":"https://id.example","jwks_uri":"{keys}","token_endpoint":"https://x"}}"#);
        Metadata::read(text.as_bytes(), issuer)
    }

    #[test]
    fn a_description_is_of_its_own_issuer() {
        assert!(read("https://id.example/keys", "https://id.example").is_ok());
        assert!(read("https://id.example/keys", "https://id.example/").is_err());
        assert!(Metadata::read(b"<html>", "https://id.example").is_err());
    }

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for (place, safe) in [
            ("https://keys.example", true),
            ("http://127.0.0.1:1/keys", true),
            ("http://[::1]:1/keys", true),
            ("http://localhost/keys", true),
            ("http://id.example/keys", false),
            ("http://localhost.example/keys", false),
            ("file:///etc/passwd", false),
            ("keys", false),
        ] {
            assert_eq!(read(place, "https://id.example").is_ok(), safe, "{place}");
        }
    }

    #[test]
    fn the_description_is_below_the_issuer() {
        assert_eq!(
            address_of("https://id.example/a"),
            "https://id.example/a/.well-known/openid-configuration"
        );
        assert_eq!(address_of("https://id.example/"), "https://id.example/.well-known/openid-configuration");
    }
}
