//! One login token: a presigned request that is never sent as one.

use std::{
    error::Error,
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningParams, SigningSettings, sign},
    sign::v4,
};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use super::{error::IamError, tokens::IamAccount};
use crate::model::secret::Secret;

/// Signs leave to log in as `account`, good for [`LIFE`] from `now` on, if the credentials are good for so long.
///
/// Byte for byte what botocore makes.
///
/// # Errors
/// `Signing` if the endpoint is none that a request could go to.
///
/// Source: AWS documentation, "Create an AWS Signature Version 4 signed request"; "Connecting to your DB instance using
/// IAM authentication".
pub(super) fn token(
    credentials: &Credentials,
    account: &IamAccount,
    now: Timestamp,
) -> Result<Secret<String>, IamError> {
    signed(credentials, account, now).map_err(|source| IamError::Signing { source })
}

fn signed(
    credentials: &Credentials,
    account: &IamAccount,
    now: Timestamp,
) -> Result<Secret<String>, Box<dyn Error + Send + Sync>> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(LIFE);
    let identity = credentials.clone().into();
    let params: SigningParams<'_> = v4::SigningParams::builder()
        .identity(&identity)
        .region(&account.region)
        .name(SERVICE)
        .time(SystemTime::from(now))
        .settings(settings)
        .build()?
        .into();
    let user = utf8_percent_encode(&account.user, KEPT);
    let mut url = Zeroizing::new(format!("{SCHEME}{}/?Action=connect&DBUser={user}", account.endpoint));
    let request = SignableRequest::new("GET", url.as_str(), std::iter::empty(), SignableBody::empty())?;
    let (instructions, signature) = sign(request, &params)?.into_parts();
    // The signature goes last, as botocore has it.
    let unsigned = instructions.params().iter().filter(|(name, _)| *name != SIGNATURE);
    for (name, value) in
        unsigned.map(|(name, value)| (*name, value.as_ref())).chain([(SIGNATURE, signature.as_str())])
    {
        url.push('&');
        url.push_str(name);
        url.push('=');
        url.extend(utf8_percent_encode(value, KEPT));
    }
    Ok(Secret::new(url.split_off(SCHEME.len())))
}

/// How long a token lets in. Source: AWS documentation, "IAM database authentication".
pub(super) const LIFE: Duration = Duration::from_secs(900);
/// What is signed for.
const SERVICE: &str = "rds-db";
/// Part of what is signed, and no part of the token.
const SCHEME: &str = "https://";
const SIGNATURE: &str = "X-Amz-Signature";
/// RFC 3986, "Unreserved Characters".
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::upstream::Endpoint;

    #[derive(Deserialize)]
    struct Golden {
        vectors: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        name: String,
        access_key: String,
        secret_key: String,
        session_token: Option<String>,
        host: String,
        port: u16,
        region: String,
        user: String,
        at: Timestamp,
        token: String,
    }

    fn vectors() -> Vec<Vector> {
        let text = include_str!("../../../tests/corpus/iam/tokens.json");
        serde_json::from_str::<Golden>(text).unwrap().vectors
    }

    fn made(vector: &Vector, at: Timestamp) -> String {
        let credentials = Credentials::new(
            &vector.access_key,
            &vector.secret_key,
            vector.session_token.clone(),
            None,
            "test",
        );
        let account = IamAccount {
            endpoint: Endpoint { host: vector.host.as_str().into(), port: vector.port },
            region: vector.region.clone(),
            user: vector.user.as_str().into(),
        };
        token(&credentials, &account, at).unwrap().expose().clone()
    }

    #[test]
    fn tokens_are_those_of_botocore_byte_for_byte() {
        let vectors = vectors();
        assert!(vectors.len() >= 12);
        for vector in &vectors {
            assert_eq!(made(vector, vector.at), vector.token, "{}", vector.name);
        }
    }

    #[test]
    fn a_second_later_it_is_another_token() {
        let vector = &vectors()[0];
        let later = made(vector, vector.at + Duration::from_secs(1));
        assert_ne!(later, vector.token);
        assert!(later.contains("X-Amz-Date=20261121T120001Z"), "{later}");
    }

    #[test]
    fn an_endpoint_that_is_no_host_cannot_be_signed_for() {
        let account = IamAccount {
            endpoint: Endpoint { host: "no host".into(), port: 1 },
            region: "eu-central-1".to_owned(),
            user: "reader".into(),
        };
        let credentials = Credentials::new("key", "hunter2", None, None, "test");
        let error = token(&credentials, &account, Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(matches!(error, IamError::Signing { .. }));
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
