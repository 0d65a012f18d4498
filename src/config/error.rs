//! What can be wrong with a configuration.

use std::{io, path::PathBuf};

use crate::model::failure::{Classify, FailureClass};

/// What can be wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("could not read \"{file}\": give the path of a tidegate.yaml that you may read")]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key is missing, unknown or has a value that cannot be meant.
    #[error("{file}:{line}: {key}: {problem}")]
    Key {
        /// The file.
        file: PathBuf,
        /// Line, from 1; 0 if it is not known.
        line: u64,
        /// The key, from the top with dots, or by its own name where the place tells the rest.
        key: String,
        /// What is wrong, and what to write.
        problem: Box<Problem>,
    },
    /// A password file cannot be read.
    #[error(
        "{file}:{line}: password_file: could not read \"{password_file}\": create it with mode 0600, owned by the gateway's user"
    )]
    PasswordFile {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: u64,
        /// The password file.
        password_file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What is wrong with a key, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The key is not known.
    #[error("unknown key: {}", did_you_mean(nearest, known))]
    UnknownKey {
        /// The known key that is nearest to it, if one is near.
        nearest: Option<&'static str>,
        /// Those that are known there.
        known: Vec<&'static str>,
    },
    /// The word is none of those known.
    #[error("unknown value \"{found}\": write one of {}", known.join(", "))]
    UnknownValue {
        /// What is written.
        found: String,
        /// What may be.
        known: Vec<&'static str>,
    },
    /// A key is missing.
    #[error("missing key: write it in this block; docs/configuration.md says what it takes")]
    Missing,
    /// A key is written twice.
    #[error("the key is written twice: keep one of them")]
    Twice,
    /// It is not YAML, or not of the right shape.
    #[error("{message}")]
    Shape {
        /// The parser's words.
        message: String,
    },
    /// A sink is none, or several at once.
    #[error("say what it is: one of kafka, otlp, s3, stdout: true and syslog")]
    SinkKind,
    /// Not the name of a Kafka topic.
    #[error("\"{found}\" is no topic: write letters, digits, \"-\", \"_\" and \".\" only, at most 249")]
    Topic {
        /// What is written.
        found: String,
    },
    /// A password would cross the network in clear text.
    #[error(
        "plain sends the password as it is and needs TLS: write tls: {{ mode: verify-full }}, or scram-sha-512"
    )]
    PlainWithoutTls,
    /// Not an address of the web.
    #[error("\"{found}\" is no address: write https://…, or http://… on this machine")]
    Url {
        /// What is written.
        found: String,
    },
    /// A list or name must not be empty.
    #[error("it is empty: write at least one")]
    Empty,
    /// Not an address.
    #[error(
        "\"{found}\" is not an address: write an IP address and a port, as in 127.0.0.1:{port} or [::1]:{port}"
    )]
    Address {
        /// What is written.
        found: String,
        /// A port for the example.
        port: u16,
    },
    /// Not an endpoint.
    #[error("\"{found}\" is not an endpoint: write host and port, as in db.internal:5432")]
    Endpoint {
        /// What is written.
        found: String,
    },
    /// An address is used twice.
    #[error("address {address} is taken by {other}: give each its own port")]
    AddressTwice {
        /// The address.
        address: String,
        /// What has it.
        other: String,
    },
    /// A name is used twice.
    #[error("target \"{name}\" is there twice: give each its own name")]
    TargetTwice {
        /// The name.
        name: String,
    },
    /// A listener names a target that does not exist.
    #[error("unknown target \"{name}\": {}", did_you_mean_name(nearest, known))]
    UnknownTarget {
        /// The name.
        name: String,
        /// The nearest that exists, if one is near.
        nearest: Option<String>,
        /// Those that exist.
        known: Vec<String>,
    },
    /// A target speaks another protocol than its listener.
    #[error(
        "target \"{name}\" speaks {target} and this listener {listener}: give it a listener of its own dialect"
    )]
    Dialect {
        /// The target.
        name: String,
        /// What it speaks.
        target: &'static str,
        /// What the listener speaks.
        listener: &'static str,
    },
    /// A name holds letters that names must not hold.
    #[error("\"{name}\" is no name: write letters, digits, \"-\", \"_\" and \".\" only, at most 63")]
    Name {
        /// The name.
        name: String,
    },
    /// Nobody could connect.
    #[error(
        "nobody could connect: write tls with certificate and key, or plaintext: true for a trusted network"
    )]
    NoWayIn,
    /// Passwords or tokens would cross the network in clear text.
    #[error(
        "{found} sends passwords as they are and needs TLS: write tls, and plaintext: false, or authentication: scram"
    )]
    CleartextWithoutTls {
        /// How clients would show them.
        found: &'static str,
    },
    /// Clients of the listener's dialect do not speak it.
    #[error("clients of a {dialect} listener do not speak {found}: write {instead} or cleartext")]
    OtherAuthentication {
        /// What is written.
        found: &'static str,
        /// What the listener speaks.
        dialect: &'static str,
        /// What it would be if nothing were written.
        instead: &'static str,
    },
    /// The API would be readable on the network.
    #[error(
        "{address} is not a loopback address and needs TLS: write api.tls with certificate and key, or address: 127.0.0.1:6480"
    )]
    ApiWithoutTls {
        /// The address.
        address: String,
    },
    /// No address that a link can begin with.
    #[error("{found:?} is not where a browser finds the console: write https://HOST, without a path")]
    PublicUrl {
        /// What is written.
        found: String,
    },
    /// A setting of TLS without TLS.
    #[error("it has no effect with mode: disable; leave it out, or write mode: verify-full")]
    WithoutTls,
    /// Clients of the listener's dialect do not compress.
    #[error("clients of a postgres listener do not compress: leave it out")]
    NoCompression,
    /// A server without `application_name`.
    #[error("MySQL has no application_name; write comment or off")]
    NoApplicationName,
    /// A number is too small or too large.
    #[error("{found} is out of bounds: write {least} to {most}")]
    OutOfBounds {
        /// What is written.
        found: u64,
        /// Least that may be.
        least: u64,
        /// Most that may be.
        most: u64,
    },
    /// Not where an identity provider can be.
    #[error("\"{found}\" is no issuer: write its https address, exactly as the provider itself writes it")]
    Issuer {
        /// What is written.
        found: String,
    },
    /// A listener for tokens without anybody who issues them.
    #[error("nobody issues tokens: write oidc with issuer and client_id, or another authentication")]
    OauthWithoutProvider,
    /// Not where a browser can be sent back to.
    #[error("\"{found}\" is no address for browsers: write it with https and without \"#\"")]
    Redirect {
        /// What is written.
        found: String,
    },
    /// Messages smaller than statements.
    #[error("a message must have room for a statement: write at least {statement_bytes}")]
    MessageBelowStatement {
        /// The limit of statements.
        statement_bytes: usize,
    },
    /// An account has no password, or two.
    #[error("write either password_file: PATH or password_env: NAME, or iam at the target")]
    PasswordSource,
    /// The store's account has no password.
    #[error("write either password_file: PATH or password_env: NAME")]
    StorePasswordSource,
    /// Two stores.
    #[error("write either sqlite or postgres")]
    TwoStores,
    /// Login tokens would cross the network in clear text.
    #[error("login tokens go over verified TLS only: write tls with mode: verify-full")]
    IamWithoutTls,
    /// A setting of tokens without tokens.
    #[error("it has no effect without iam; leave it out, or write iam")]
    WithoutIam,
    /// No account uses what is written.
    #[error(
        "every account has a password: leave iam out, or the password of an account that logs in with tokens"
    )]
    IamUnused,
    /// AWS does not know the server by the name that is dialled.
    #[error("AWS does not know \"{host}\": write endpoint: HOST:PORT, as RDS shows it")]
    IamEndpoint {
        /// What is dialled.
        host: String,
    },
    /// The region cannot be told.
    #[error("\"{host}\" does not tell its region: write region: NAME, as in eu-central-1")]
    IamRegion {
        /// The server as AWS would know it.
        host: String,
    },
    /// Not a name of a region.
    #[error("\"{found}\" is no region: write its name, as in eu-central-1")]
    Region {
        /// What is written.
        found: String,
    },
    /// Not the name of a role.
    #[error("\"{found}\" is no role: write its ARN, as in arn:aws:iam::123456789012:role/tidegate")]
    RoleArn {
        /// What is written.
        found: String,
    },
    /// No event is called so.
    #[error("no event is called \"{found}\": {}", did_you_mean(nearest, known))]
    UnknownEvent {
        /// What is written.
        found: String,
        /// The nearest, if one is near.
        nearest: Option<&'static str>,
        /// All of them.
        known: Vec<&'static str>,
    },
    /// A secret that does not sign.
    #[error("it holds no signing secret: write \"whsec_\" and the base64 of 24 to 64 random bytes")]
    SigningSecret,
    /// What has to be somewhere is nowhere, or in several places.
    #[error("write exactly one of {}", keys.join(", "))]
    OneOf {
        /// The keys of which there is one.
        keys: &'static [&'static str],
    },
    /// Literals are to be hashed, and there is no key.
    #[error(
        "hashed needs a key: write audit.text_key_file or audit.text_key_env, and put a secret of 32 characters or more \
         there, for example what `openssl rand -hex 32` prints; keep a copy, without it no value can be looked for"
    )]
    TextKeyMissing,
    /// The key of hashes could be guessed.
    #[error("it has fewer than {least} characters: take for example what `openssl rand -hex 32` prints")]
    TextKeyShort {
        /// Characters that it needs.
        least: usize,
    },
    /// Nothing has this name.
    #[error("there is no \"{found}\": write one of {}", known.join(", "))]
    NoSuchName {
        /// What is written.
        found: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A setting that its template does not use.
    #[error("template {template} has no use for it: leave it out")]
    NotOfTemplate {
        /// Which.
        template: &'static str,
    },
    /// A name is used twice.
    #[error("webhook \"{name}\" is there twice: give each its own name")]
    WebhookTwice {
        /// The name.
        name: String,
    },
    /// Not where Slack's methods are.
    #[error(
        "\"{found}\" is not where Slack's methods are: leave it out, or write an https address that ends in /api"
    )]
    SlackApi {
        /// What is written.
        found: String,
    },
    /// A name, where an identifier is needed.
    #[error(
        "\"{found}\" is no identifier of Slack: write it as in {example}; a name could be given to something else"
    )]
    SlackIdentifier {
        /// What is written.
        found: String,
        /// How one looks.
        example: String,
    },
    /// Not the address of a page about a request.
    #[error(
        "\"{found}\" is no address of a page: write it with https, and {{request}} where its identifier stands"
    )]
    SlackPage {
        /// What is written.
        found: String,
    },
    /// What people write in Slack would be readable on the network.
    #[error(
        "{address} is not a loopback address and needs TLS: write slack.http.tls with certificate and key, or an address of this machine behind a proxy"
    )]
    SlackWithoutTls {
        /// The address.
        address: String,
    },
    /// A variable with a password is not set.
    #[error("environment variable \"{variable}\" is not set or empty: set it for the gateway's process")]
    PasswordVariable {
        /// The variable.
        variable: String,
    },
    /// A password file holds nothing.
    #[error("\"{file}\" is empty: write the password into it")]
    PasswordEmpty {
        /// The password file.
        file: PathBuf,
    },
}

fn did_you_mean(nearest: &Option<&'static str>, known: &[&'static str]) -> String {
    nearest.map_or_else(
        || format!("write one of {}", known.join(", ")),
        |key| format!("did you mean \"{key}\"?"),
    )
}

fn did_you_mean_name(nearest: &Option<String>, known: &[String]) -> String {
    nearest.as_ref().map_or_else(
        || format!("write one of {}", known.join(", ")),
        |name| format!("did you mean \"{name}\"?"),
    )
}

impl Classify for ConfigError {
    fn class(&self) -> FailureClass {
        match self {
            Self::Key { .. } | Self::PasswordFile { .. } | Self::Read { .. } => FailureClass::Configuration,
        }
    }
}
