//! Records as objects of S3, or of what speaks like it.
//!
//! Source: Amazon S3 API Reference, "PutObject"; AWS documentation, "Create an AWS Signature Version 4 signed request".

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningParams,
        SigningSettings, sign,
    },
    sign::v4,
};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Client;

use super::{error::SinkError, head::Head};
use crate::{
    audit::follow::Chunk,
    net::{http_client, http_send},
};

/// Where objects go.
#[derive(Clone, Debug)]
pub struct S3Settings {
    /// The bucket.
    pub bucket: String,
    /// What the names of all objects begin with.
    pub prefix: String,
    /// The region.
    pub region: String,
    /// Another place than Amazon's, as in `https://minio.example:9000`; buckets are part of the path there.
    pub endpoint: Option<String>,
    /// Authorities (PEM); `None` is the system's.
    pub ca: Option<PathBuf>,
    /// What the gateway is called: part of the names, so that several can share a bucket.
    pub gateway: String,
    /// Whose requests they are.
    pub credentials: SharedCredentialsProvider,
    /// How long records wait for more to go with them.
    pub pace: Duration,
}

/// A bucket.
#[derive(Debug)]
pub struct S3 {
    settings: S3Settings,
    base: String,
    client: Client,
}

impl S3 {
    /// Reads the authorities; connects nowhere yet.
    ///
    /// # Errors
    /// `Net`.
    pub fn new(settings: S3Settings) -> Result<Self, SinkError> {
        let S3Settings { bucket, region, .. } = &settings;
        let base = match &settings.endpoint {
            Some(endpoint) => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
            None => format!("https://{bucket}.s3.{region}.amazonaws.com"),
        };
        let client = http_client(&base, settings.ca.as_deref())?;
        Ok(Self { settings, base, client })
    }

    pub(super) const fn pace(&self) -> Duration {
        self.settings.pace
    }

    pub(super) async fn send(&self, chunk: &Chunk) -> Result<(), SinkError> {
        let Some((first, last)) = chunk.lines().next().zip(chunk.lines().last()) else { return Ok(()) };
        let day = day(first.bytes);
        let S3Settings { prefix, gateway, .. } = &self.settings;
        // One name for the same records: what is sent twice is there once.
        let name = format!("{prefix}{day}/{gateway}-{:020}-{:020}.jsonl", first.seq, last.seq);
        let url = format!("{}/{}", self.base, utf8_percent_encode(&name, NAME));
        let credentials = self.settings.credentials.provide_credentials().await;
        let credentials = credentials.map_err(SinkError::unmade)?;
        let identity = credentials.into();
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        let params: SigningParams<'_> = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.settings.region)
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .map_err(SinkError::unmade)?
            .into();
        let headers = [("content-type", "application/x-ndjson")];
        let body = SignableBody::Bytes(chunk.bytes());
        let signable = SignableRequest::new("PUT", &url, headers.into_iter(), body);
        let signable = signable.map_err(SinkError::unmade)?;
        let signed = sign(signable, &params).map_err(SinkError::unmade)?;
        let (instructions, _) = signed.into_parts();
        let mut request = self.client.put(&url).body(chunk.bytes().to_vec());
        for (name, value) in headers.into_iter().chain(instructions.headers()) {
            request = request.header(name, value);
        }
        http_send(request).await?;
        Ok(())
    }
}

/// The day of a record as part of a name.
fn day(line: &[u8]) -> String {
    let at = Head::of(line).at.unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_string().get(..10).unwrap_or("1970-01-01").replace('-', "/")
}

/// What a name is signed with as it stands; everything else is encoded, as Amazon does before it compares.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
