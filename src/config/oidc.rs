//! The identity provider.

use std::time::Duration;

use serde_saphyr::Spanned;

use super::{
    check::{Place, line},
    error::{ConfigError, Problem},
    raw::RawOidc,
    secrets::{from_environment, from_file},
};
use crate::model::identity::ProviderSettings;

/// Checks and completes what is written of the identity provider.
pub(super) fn read(
    place: &mut Place<'_>,
    raw: Option<&Spanned<RawOidc>>,
) -> Result<Option<ProviderSettings>, ConfigError> {
    let Some(written) = raw else { return Ok(None) };
    let raw = &written.value;
    if !is_issuer(&raw.issuer.value) {
        let problem = Problem::Issuer { found: raw.issuer.value.clone() };
        return Err(place.at(line(&raw.issuer), "oidc.issuer", problem));
    }
    if raw.client_id.value.is_empty() {
        return Err(place.at(line(&raw.client_id), "oidc.client_id", Problem::Empty));
    }
    if raw.principal_claim.as_ref().is_some_and(|claim| claim.value.is_empty()) {
        return Err(place.at(line(written), "oidc.principal_claim", Problem::Empty));
    }
    let audiences = raw.audiences.as_ref().map(|audiences| audiences.value.clone());
    if audiences.as_ref().is_some_and(|all| all.is_empty() || all.iter().any(String::is_empty)) {
        return Err(place.at(line(written), "oidc.audiences", Problem::Empty));
    }
    let wrong = raw.redirect_urls.iter().find(|url| !is_redirect(&url.value));
    if let Some(wrong) = wrong {
        let problem = Problem::Redirect { found: wrong.value.clone() };
        return Err(place.at(line(wrong), "oidc.redirect_urls", problem));
    }
    let refetch = match &raw.keys_refetch_s {
        Some(seconds) if !(1..=3600).contains(&seconds.value) => {
            let problem = Problem::OutOfBounds { found: seconds.value, least: 1, most: 3600 };
            return Err(place.at(line(seconds), "oidc.keys_refetch_s", problem));
        }
        Some(seconds) => seconds.value,
        None => 30,
    };
    let client_secret = match (&raw.client_secret_file, &raw.client_secret_env) {
        (None, None) => None,
        (Some(file), None) => Some(from_file(place, SECRET, file)?),
        (None, Some(variable)) => Some(from_environment(place, SECRET, variable)?),
        (Some(_), Some(variable)) => {
            return Err(place.at(line(variable), &format!("{SECRET}_env"), Problem::Twice));
        }
    };
    let mut scopes = raw.scopes.clone().unwrap_or_else(|| DEFAULT_SCOPES.map(str::to_owned).to_vec());
    if !scopes.iter().any(|scope| scope == OPENID) {
        scopes.insert(0, OPENID.to_owned());
    }
    Ok(Some(ProviderSettings {
        issuer: raw.issuer.value.clone(),
        client_id: raw.client_id.value.clone(),
        client_secret,
        audiences: audiences.unwrap_or_else(|| vec![raw.client_id.value.clone()]),
        parties: raw.parties.clone(),
        scopes,
        principal_claim: raw
            .principal_claim
            .as_ref()
            .map_or_else(|| "email".to_owned(), |claim| claim.value.clone()),
        groups_claim: raw.groups_claim.clone(),
        creates: raw.create_people,
        redirects: raw.redirect_urls.iter().map(|url| url.value.clone()).collect(),
        ca: raw.ca.as_ref().map(|ca| place.beside(ca)),
        refetch: Duration::from_secs(refetch),
    }))
}

/// https, or http on this machine; without query and fragment.
///
/// Source: OpenID Connect Discovery 1.0, section 2.
fn is_issuer(issuer: &str) -> bool {
    let plain = issuer.bytes().all(|byte| byte.is_ascii_graphic()) && !issuer.contains(['?', '#', '@']);
    plain && is_address(issuer)
}

/// Where a browser is sent back to; without fragment.
fn is_redirect(url: &str) -> bool {
    url.bytes().all(|byte| byte.is_ascii_graphic()) && !url.contains(['#', '@']) && is_address(url)
}

/// https, or http on this machine.
pub(super) fn is_address(url: &str) -> bool {
    if let Some(rest) = url.strip_prefix("https://") {
        return !rest.is_empty() && !rest.starts_with('/');
    }
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, port)| {
        if port.bytes().all(|digit| digit.is_ascii_digit()) { host } else { authority }
    });
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

const SECRET: &str = "oidc.client_secret";
const OPENID: &str = "openid";
const DEFAULT_SCOPES: [&str; 3] = [OPENID, "profile", "email"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_reached_over_tls_or_on_this_machine() {
        for good in
            ["https://id.example", "https://id.example/realms/a", "http://127.0.0.1:8080", "http://[::1]:1/x"]
        {
            assert!(is_issuer(good), "{good}");
        }
        for bad in [
            "",
            "id.example",
            "http://id.example",
            "http://localhost.example",
            "http://127.0.0.1@id.example",
            "https://",
            "https://id.example?x",
            "https://id.example/a b",
            "ftp://id.example",
        ] {
            assert!(!is_issuer(bad), "{bad}");
        }
    }
}
