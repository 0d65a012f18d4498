//! What a token says, and whether that is enough.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Number, Value};

use super::error::TokenProblem;
use crate::model::{
    identity::{ProviderSettings, Subject},
    ids::{GroupName, PrincipalName},
};

/// Somebody for whom the provider vouches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Whom the provider means.
    pub subject: Subject,
    /// Who that is here; whether there is anybody of this name is another question.
    pub principal: PrincipalName,
    /// The groups that the provider puts them in, in order; none unless the provider is believed in groups.
    pub groups: Vec<GroupName>,
}

/// What a token is shown for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// It came from the provider itself, as the outcome of a login; of the login with this nonce, if it has one.
    Login {
        /// The nonce that went out.
        nonce: Option<&'a str>,
    },
    /// Somebody brought it along.
    Shown,
}

/// The claims of a token whose signature is right.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: Number,
    nbf: Option<Number>,
    iat: Option<Number>,
    azp: Option<String>,
    nonce: Option<String>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

impl Claims {
    /// Whom they prove at `now`.
    ///
    /// Source: OpenID Connect Core 1.0, section 3.1.3.7 ("ID Token Validation"); RFC 7519, section 4.1; RFC 8725,
    /// section 3.
    ///
    /// # Errors
    /// Why they prove nothing.
    pub(super) fn prove(
        self,
        settings: &ProviderSettings,
        purpose: Purpose<'_>,
        now: Timestamp,
    ) -> Result<Proven, TokenProblem> {
        if self.iss != settings.issuer {
            return Err(TokenProblem::Issuer);
        }
        self.check_audience(settings, purpose)?;
        self.check_time(now)?;
        if let Purpose::Login { nonce: Some(nonce) } = purpose
            && self.nonce.as_deref() != Some(nonce)
        {
            return Err(TokenProblem::Nonce);
        }
        if self.sub.is_empty() || self.sub.len() > MOST_SUBJECT_BYTES {
            return Err(TokenProblem::NoClaim("sub".to_owned()));
        }
        Ok(Proven {
            principal: self.principal(&settings.principal_claim)?,
            groups: settings.groups_claim.as_ref().map(|claim| self.groups(claim)).unwrap_or_default(),
            subject: Subject { issuer: Arc::from(self.iss), subject: Arc::from(self.sub) },
        })
    }

    fn check_audience(&self, settings: &ProviderSettings, purpose: Purpose<'_>) -> Result<(), TokenProblem> {
        let names = self.aud.names();
        let ours = |name: &String| match purpose {
            Purpose::Login { .. } => *name == settings.client_id,
            Purpose::Shown => settings.audiences.contains(name),
        };
        if !names.iter().any(ours) {
            return Err(TokenProblem::Audience);
        }
        match &self.azp {
            Some(party) if *party == settings.client_id => Ok(()),
            Some(party) if purpose == Purpose::Shown && settings.parties.contains(party) => Ok(()),
            Some(_) => Err(TokenProblem::Party),
            // closed: it is for others, too, and does not say who got it
            None if !names.iter().all(ours) => Err(TokenProblem::Party),
            None => Ok(()),
        }
    }

    fn check_time(&self, now: Timestamp) -> Result<(), TokenProblem> {
        // A token is over at its end: who still wants in fetches a new one.
        if instant(&self.exp)? <= now {
            return Err(TokenProblem::Expired);
        }
        let soon = now.checked_add(SKEW).unwrap_or(Timestamp::MAX);
        if let Some(begin) = &self.nbf
            && instant(begin)? > soon
        {
            return Err(TokenProblem::NotYet);
        }
        if let Some(issued) = &self.iat
            && instant(issued)? > soon
        {
            return Err(TokenProblem::Future);
        }
        Ok(())
    }

    fn principal(&self, claim: &str) -> Result<PrincipalName, TokenProblem> {
        let missing = || TokenProblem::NoClaim(claim.to_owned());
        let name = match claim {
            "sub" => self.sub.as_str(),
            _ => self.others.get(claim).and_then(Value::as_str).ok_or_else(missing)?,
        };
        // Anybody may write any address into their account; whether it is theirs is what this claim says.
        if claim == "email" && self.others.get("email_verified") != Some(&Value::Bool(true)) {
            return Err(TokenProblem::Unverified(claim.to_owned()));
        }
        if name.is_empty() { Err(missing()) } else { Ok(name.into()) }
    }

    /// A claim that is not there says that somebody is in no group: providers leave out empty lists.
    fn groups(&self, claim: &str) -> Vec<GroupName> {
        let names: Vec<&str> = match self.others.get(claim) {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            // closed: what is neither gives no groups
            Some(_) | None => Vec::new(),
        };
        let mut names: Vec<GroupName> = names.into_iter().map(GroupName::from).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Seconds since 1970, possibly with a fraction, which is cut off.
fn instant(seconds: &Number) -> Result<Timestamp, TokenProblem> {
    let whole = match seconds.as_i64() {
        Some(whole) => whole,
        None => {
            let written = seconds.as_f64().filter(|it| it.abs() < 1e15).ok_or(TokenProblem::Malformed)?;
            written.floor() as i64
        }
    };
    Timestamp::from_second(whole).map_err(|_| TokenProblem::Malformed)
}

/// How far the provider's clock may be ahead of ours.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// OpenID Connect Core 1.0, section 2: at most 255 ASCII characters.
const MOST_SUBJECT_BYTES: usize = 255;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_000_000;

    fn settings() -> ProviderSettings {
        ProviderSettings {
            issuer: "https://id.example".to_owned(),
            client_id: "tidegate".to_owned(),
            client_secret: None,
            audiences: vec!["tidegate".to_owned(), "databases".to_owned()],
            parties: vec!["ci".to_owned()],
            scopes: vec!["openid".to_owned()],
            principal_claim: "email".to_owned(),
            groups_claim: Some("groups".to_owned()),
            creates: false,
            redirects: Vec::new(),
            ca: None,
            refetch: Duration::from_secs(30),
        }
    }

    /// The outcome for good claims of which some are replaced, or left out where they become null.
    fn with(changes: Value, purpose: Purpose<'_>) -> Result<Proven, TokenProblem> {
        let mut claims = json!({
            "iss": "https://id.example", "sub": "0001", "aud": "tidegate", "exp": NOW + 60, "nbf": NOW, "iat": NOW,
            "email": "dana@example.com", "email_verified": true, "groups": ["b", "a", "b"],
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let claims: Claims = serde_json::from_value(claims).map_err(|_| TokenProblem::Malformed)?;
        claims.prove(&settings(), purpose, Timestamp::from_second(NOW).unwrap())
    }

    fn shown(changes: Value) -> Result<Proven, TokenProblem> {
        with(changes, Purpose::Shown)
    }

    #[test]
    fn good_claims_prove_somebody_and_their_groups() {
        let proven = shown(json!({})).unwrap();
        assert_eq!((&*proven.principal, &*proven.subject.subject), ("dana@example.com", "0001"));
        assert_eq!(proven.groups, ["a".into(), "b".into()]);
        assert_eq!(shown(json!({ "groups": null })).unwrap().groups, []);
        assert_eq!(shown(json!({ "groups": { "a": 1 } })).unwrap().groups, []);
        assert_eq!(shown(json!({ "groups": "a" })).unwrap().groups, ["a".into()]);
    }

    #[test]
    fn issuer_and_audience_are_ours_letter_by_letter() {
        for issuer in ["https://id.example/", "http://id.example", "https://ID.example", ""] {
            assert_eq!(shown(json!({ "iss": issuer })), Err(TokenProblem::Issuer), "{issuer}");
        }
        for audience in [json!("tidegate2"), json!(["a", "b"]), json!([])] {
            assert_eq!(shown(json!({ "aud": audience })), Err(TokenProblem::Audience));
        }
        assert!(shown(json!({ "aud": ["databases", "tidegate"] })).is_ok());
        let at_login = with(json!({ "aud": "databases" }), Purpose::Login { nonce: None });
        assert_eq!(at_login, Err(TokenProblem::Audience), "a login's token is for the gateway itself");
    }

    #[test]
    fn a_token_for_others_too_says_who_got_it() {
        let others = json!(["tidegate", "elsewhere"]);
        assert_eq!(shown(json!({ "aud": others })), Err(TokenProblem::Party));
        assert!(shown(json!({ "aud": others, "azp": "tidegate" })).is_ok());
        assert!(shown(json!({ "azp": "ci" })).is_ok());
        assert_eq!(shown(json!({ "azp": "stranger" })), Err(TokenProblem::Party));
        let at_login = with(json!({ "azp": "ci" }), Purpose::Login { nonce: None });
        assert_eq!(at_login, Err(TokenProblem::Party));
    }

    #[test]
    fn a_token_is_over_at_its_last_second_and_begins_within_a_minute() {
        for (changes, outcome) in [
            (json!({ "exp": NOW + 1 }), None),
            (json!({ "exp": NOW }), Some(TokenProblem::Expired)),
            (json!({ "exp": NOW as f64 + 0.9 }), Some(TokenProblem::Expired)),
            (json!({ "exp": 1e300 }), Some(TokenProblem::Malformed)),
            (json!({ "exp": null }), Some(TokenProblem::Malformed)),
            (json!({ "exp": "1000060" }), Some(TokenProblem::Malformed)),
            (json!({ "nbf": NOW + 60 }), None),
            (json!({ "nbf": NOW + 61 }), Some(TokenProblem::NotYet)),
            (json!({ "iat": NOW + 60 }), None),
            (json!({ "iat": NOW + 61 }), Some(TokenProblem::Future)),
            (json!({ "iat": null, "nbf": null }), None),
        ] {
            assert_eq!(shown(changes.clone()).err(), outcome, "{changes}");
        }
    }

    #[test]
    fn a_login_has_its_own_nonce() {
        let login = |nonce| with(json!({ "nonce": nonce }), Purpose::Login { nonce: Some("n1") });
        assert!(login(json!("n1")).is_ok());
        assert_eq!(login(json!("n2")), Err(TokenProblem::Nonce));
        assert_eq!(login(Value::Null), Err(TokenProblem::Nonce));
    }

    #[test]
    fn an_address_counts_when_the_provider_has_verified_it() {
        for verified in [json!(false), json!("true"), json!(1), Value::Null] {
            let refused = shown(json!({ "email_verified": verified }));
            assert_eq!(refused, Err(TokenProblem::Unverified("email".to_owned())));
        }
        for email in [Value::Null, json!(""), json!(["dana@example.com"])] {
            assert_eq!(shown(json!({ "email": email })), Err(TokenProblem::NoClaim("email".to_owned())));
        }
        assert_eq!(shown(json!({ "sub": "" })), Err(TokenProblem::NoClaim("sub".to_owned())));
    }
}
