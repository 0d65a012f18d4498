//! Reads a configuration file.

use std::path::Path;

use serde_saphyr::{Error, from_str};

use super::{
    check::{self, Place},
    error::{ConfigError, Problem},
    nearest::nearest,
    raw::RawConfig,
    settings::Config,
};

/// Reads, checks and completes the configuration in `file`.
///
/// `environment` gives the value of an environment variable; only those that the file names for secrets are asked.
///
/// # Errors
/// `Read` if the file cannot be read; `PasswordFile` if a password cannot; `Key` for everything else, with line,
/// key and what to write.
pub fn load(file: &Path, environment: impl Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(file)
        .map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
    let raw = from_str::<RawConfig>(&text).map_err(|error| explain(file, &text, error.without_snippet()))?;
    check::check(Place::new(file, &environment), &raw)
}

/// Says with key and line what the parser did not take.
fn explain(file: &Path, text: &str, error: &Error) -> ConfigError {
    let (line, column) = error.location().map_or((0, 0), |location| (location.line(), location.column()));
    let (key, problem) = match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            let near = nearest(field, expected.iter().copied());
            (field.clone(), Problem::UnknownKey { nearest: near, known: expected.clone() })
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let known = expected.clone();
            (key_of(text, line, column), Problem::UnknownValue { found: variant.clone(), known })
        }
        Error::SerdeMissingField { field, .. } => ((*field).to_owned(), Problem::Missing),
        Error::DuplicateMappingKey { key, .. } => (key.clone().unwrap_or_default(), Problem::Twice),
        other => (key_of(text, line, column), Problem::Shape { message: words(other) }),
    };
    ConfigError::Key { file: file.to_owned(), line, key, problem: Box::new(problem) }
}

/// The parser's words, without its picture of the file: a line of it could hold a secret.
fn words(error: &Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// The key of the value at a place: the last one before it on its line, or the first of the line.
fn key_of(text: &str, line: u64, column: u64) -> String {
    let number = |place: u64| usize::try_from(place).unwrap_or_default().saturating_sub(1);
    let line = text.lines().nth(number(line)).unwrap_or_default();
    let before: String = line.chars().take(number(column)).collect();
    let key = before.rsplit_once(": ").or_else(|| line.split_once(':')).map_or(line, |(key, _)| key);
    let key = key.rsplit(|letter: char| letter.is_whitespace() || matches!(letter, '{' | ',' | '[')).next();
    key.unwrap_or_default().trim_matches(['"', '\'', '-']).to_owned()
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt, path::PathBuf};

    use super::*;
    use crate::{
        config::{
            Account, AuditText, Authentication, Compression, Credential, Iam, Limits, Store, StoreTls,
            UpstreamTls,
        },
        model::{record::Durability, slack::SlackDoor, target::Lane},
    };

    const SMALL: &str = "\
data_dir: data
listeners:
  - address: 127.0.0.1:6432
    targets: [hr]
    plaintext: true
targets:
  - name: hr
    environment: prod
    endpoint: db.internal:5432
    accounts:
      read: { user: reader, password_env: READER }
";

    fn load_text(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tidegate.yaml");
        std::fs::write(&file, text).unwrap();
        load(&file, |name| match name {
            "READER" => Some("s3cret".to_owned()),
            "TEXT_KEY" => Some("k".repeat(32)),
            _ => None,
        })
    }

    fn password(account: &Account) -> &str {
        match &account.credential {
            Credential::Password(password) => password.expose(),
            Credential::Iam(_) => panic!("no password"),
        }
    }

    fn tokens(account: &Account) -> &Iam {
        match &account.credential {
            Credential::Iam(iam) => iam,
            Credential::Password(_) => panic!("a password"),
        }
    }

    /// The error that comes when `from` in the small configuration becomes `to`: its line, key and words.
    fn refusal(from: &str, to: &str) -> String {
        assert!(SMALL.contains(from), "{from}");
        let error = load_text(&SMALL.replace(from, to)).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
        error.split_once("tidegate.yaml:").unwrap().1.to_owned()
    }

    #[test]
    fn the_smallest_configuration_gets_the_documented_defaults() {
        let config = load_text(SMALL).unwrap();
        let base = config.file.parent().unwrap();
        assert_eq!(config.data_dir, base.join("data"));
        assert!(matches!(&config.store, Store::Sqlite(file) if *file == base.join("data/tidegate.db")));
        assert!(!config.name.is_empty());
        assert_eq!(config.audit.path, base.join("data/audit.jsonl"));
        assert_eq!(config.audit.durability, Durability::Process);
        assert_eq!(config.policies, base.join("policies"));
        assert_eq!(config.api.address.to_string(), "127.0.0.1:6480");
        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.announce_before, std::time::Duration::from_secs(300));
        assert_eq!((config.shutdown.delay.as_secs(), config.shutdown.drain.as_secs()), (0, 30));
        assert!(!config.shutdown.shares_ports && config.replica.is_none());
        assert_eq!(config.listeners[0].authentication, Authentication::Scram);
        let target = &config.targets[0];
        assert_eq!(target.tls, UpstreamTls::VerifyFull { ca: None, server_name: None });
        assert_eq!(target.databases, None);
        assert_eq!(target.pool.max_connections, 20);
        assert_eq!(target.accounts.of(Lane::Admin).user, "reader");
        assert_eq!(password(&target.accounts.read), "s3cret");
        assert_eq!(target.pool.new_connections_per_second, None);
        assert!(target.pool.failover_wait.is_zero(), "nobody takes over, and everybody is told at once");
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    }

    #[test]
    fn the_example_loads_and_says_what_it_shows() {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tidegate.example.yaml");
        let config = load(&file, |_| Some("x".to_owned())).unwrap();
        assert_eq!(config.data_dir, PathBuf::from("/var/lib/tidegate"));
        assert_eq!(config.targets.len(), 3);
        assert_eq!(config.targets[0].accounts.of(Lane::Admin).user, "tidegate_admin");
        assert_eq!(config.limits, Limits::default());
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    }

    #[test]
    fn a_store_is_a_file_or_a_database_that_is_trusted_by_its_certificate() {
        let store = |text: &str| load_text(&format!("{SMALL}store: {{ {text} }}\n"));
        let account = "account: { user: tidegate, password_env: READER }";
        let postgres = format!("postgres: {{ endpoint: db.internal:5432, database: tidegate, {account} }}");
        let config = store(&postgres).unwrap();
        let Store::Postgres(server) = &config.store else { panic!("{:?}", config.store) };
        assert_eq!((server.endpoint.port, server.tls.clone()), (5432, StoreTls::VerifyFull { ca: None }));
        assert_eq!(server.password.expose(), "s3cret");
        let without = postgres.replace("database", "tls: { mode: disable }, database");
        assert!(store(&without).unwrap().warnings[0].contains("store.postgres.tls: \"db.internal:5432\""));
        let both = store(&format!("sqlite: a.db, {postgres}")).unwrap_err().to_string();
        assert!(both.ends_with("12: store: write either sqlite or postgres"), "{both}");
        for (from, to, wrong) in [
            ("db.internal:5432", "db.internal", "store.postgres.endpoint"),
            (", password_env: READER", "", "store.postgres.account"),
            ("database: tidegate", "database: ''", "store.postgres.database"),
            ("database", "tls: { mode: disable, ca: a }, database", "store.postgres.tls.ca"),
        ] {
            let error = store(&postgres.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_line_and_nearest_key() {
        assert_eq!(
            refusal("listeners:", "listners:"),
            "2: listners: unknown key: did you mean \"listeners\"?"
        );
        assert_eq!(
            refusal("password_env: READER", "password: s3cret"),
            "11: password: unknown key: did you mean \"password_file\"?"
        );
        let strange = refusal("    environment: prod", "    environment: prod\n    colour: red");
        assert!(strange.starts_with("9: colour: unknown key: write one of name, dialect"), "{strange}");
    }

    #[test]
    fn a_missing_doubled_or_misshapen_key_is_named_with_its_line() {
        assert!(refusal("    environment: prod\n", "").contains(": environment: missing key"));
        let twice = refusal("data_dir: data\n", "data_dir: data\ndata_dir: other\n");
        assert!(twice.starts_with("2: data_dir: the key is written twice"), "{twice}");
        let shape = refusal("plaintext: true", "plaintext: perhaps");
        assert!(shape.starts_with("5: plaintext: "), "{shape}");
        let word = refusal("plaintext: true", "plaintext: true\n    authentication: md5");
        assert_eq!(
            word,
            "6: authentication: unknown value \"md5\": write one of scram, caching_sha2, native, cleartext, oauth"
        );
    }

    #[test]
    fn a_broken_line_is_not_shown_because_it_may_hold_a_secret() {
        let error = refusal("password_env: READER }", "password_env: [s3cret }");
        assert!(error.starts_with("11"), "{error}");
    }

    #[test]
    fn cleartext_is_refused_wherever_it_could_cross_the_network_bare() {
        let clear = "plaintext: true\n    authentication: cleartext";
        assert!(refusal("plaintext: true", clear).starts_with("6: listeners.authentication: cleartext"));
        let both = format!("tls: {{ certificate: a, key: b }}\n    {clear}");
        assert!(refusal("plaintext: true", &both).starts_with("7: listeners.authentication: cleartext"));
        let tls_only = "tls: { certificate: a, key: b }\n    authentication: cleartext";
        assert!(load_text(&SMALL.replace("plaintext: true", tls_only)).is_ok());
        let oauth = "plaintext: true\n    authentication: oauth";
        assert!(refusal("plaintext: true", oauth).starts_with("6: listeners.authentication: oauth sends"));
    }

    const OIDC: &str = "oidc: { issuer: \"https://id.example\", client_id: tidegate }\ndata_dir: data\n";

    #[test]
    fn tokens_are_asked_for_where_somebody_issues_them() {
        let oauth = "tls: { certificate: a, key: b }\n    authentication: oauth";
        let error = refusal("plaintext: true", oauth);
        assert!(error.starts_with("6: listeners.authentication: nobody issues tokens"), "{error}");
        let with = SMALL.replace("data_dir: data\n", OIDC).replace("plaintext: true", oauth);
        assert_eq!(load_text(&with).unwrap().listeners[0].authentication, Authentication::Oauth);
    }

    #[test]
    fn a_provider_gets_the_documented_defaults() {
        assert!(load_text(SMALL).unwrap().oidc.is_none());
        let provider = load_text(&SMALL.replace("data_dir: data\n", OIDC)).unwrap().oidc.unwrap();
        assert_eq!(provider.audiences, ["tidegate"]);
        assert_eq!(provider.scopes, ["openid", "profile", "email"]);
        assert_eq!((provider.principal_claim.as_str(), provider.groups_claim), ("email", None));
        assert_eq!((provider.creates, provider.refetch.as_secs()), (false, 30));
        assert!(provider.client_secret.is_none());
        let more = "client_id: tidegate, client_secret_env: READER, scopes: [groups]";
        let text = SMALL.replace("data_dir: data\n", &OIDC.replace("client_id: tidegate", more));
        let provider = load_text(&text).unwrap().oidc.unwrap();
        assert_eq!(provider.client_secret.unwrap().expose(), "s3cret");
        assert_eq!(provider.scopes, ["openid", "groups"]);
    }

    #[test]
    fn what_is_wrong_with_a_provider_is_told_with_its_line() {
        let with = |from: &str, to: &str| {
            let error = load_text(&SMALL.replace("data_dir: data\n", &OIDC.replace(from, to))).unwrap_err();
            error.to_string().split_once("tidegate.yaml:").unwrap().1.to_owned()
        };
        for (from, to, words) in [
            ("https://id.example", "http://id.example", "1: oidc.issuer: \"http://id.example\" is no issuer"),
            ("client_id: tidegate", "client_id: ''", "1: oidc.client_id: it is empty"),
            ("tidegate }", "tidegate, audiences: [] }", "1: oidc.audiences: it is empty"),
            ("tidegate }", "tidegate, keys_refetch_s: 0 }", "1: oidc.keys_refetch_s: 0 is out of bounds"),
            (
                "tidegate }",
                "tidegate, redirect_urls: [\"http://x\"] }",
                "1: oidc.redirect_urls: \"http://x\"",
            ),
            ("tidegate }", "tidegate, client_secret: s }", "1: client_secret: unknown key"),
            ("tidegate }", "tidegate, client_secret_env: NONE }", "1: oidc.client_secret_env: environment"),
        ] {
            let error = with(from, to);
            assert!(error.starts_with(words), "{error}\nis not\n{words}");
        }
    }

    /// The listener, and its target, are of `dialect`; `more` is the listener's.
    fn in_dialect(dialect: &str, more: &str) -> Result<Config, ConfigError> {
        let listener = format!("plaintext: true\n    dialect: {dialect}{more}");
        let target = format!("environment: prod\n    dialect: {dialect}");
        load_text(&SMALL.replace("plaintext: true", &listener).replace("environment: prod", &target))
    }

    #[test]
    fn a_listener_authenticates_as_its_clients_can() {
        let default = |dialect| in_dialect(dialect, "").unwrap().listeners[0].authentication;
        assert_eq!(default("mysql"), Authentication::CachingSha2);
        assert_eq!(default("postgres"), Authentication::Scram);
        for (dialect, authentication) in
            [("mysql", "scram"), ("postgres", "caching_sha2"), ("postgres", "native")]
        {
            let error = in_dialect(dialect, &format!("\n    authentication: {authentication}"))
                .unwrap_err()
                .to_string();
            assert!(error.contains(&format!("{dialect} listener do not speak {authentication}")), "{error}");
        }
        assert!(in_dialect("mysql", "\n    authentication: native").is_ok());
    }

    #[test]
    fn clients_of_mysql_may_compress_unless_the_listener_says_otherwise() {
        let of =
            |dialect, compression| in_dialect(dialect, compression).unwrap().listeners[0].compression.clone();
        assert_eq!(of("mysql", ""), [Compression::Zlib, Compression::Zstd]);
        assert_eq!(of("mysql", "\n    compression: [zlib]"), [Compression::Zlib]);
        assert_eq!(of("mysql", "\n    compression: []"), []);
        assert_eq!(of("postgres", ""), []);
        let refused = in_dialect("postgres", "\n    compression: [zlib]").unwrap_err().to_string();
        assert!(refused.contains("listeners.compression: clients of a postgres listener"), "{refused}");
        let unknown = in_dialect("mysql", "\n    compression: [lz4]").unwrap_err().to_string();
        assert!(unknown.contains("unknown value \"lz4\""), "{unknown}");
    }

    #[test]
    fn a_listener_without_tls_must_say_plaintext() {
        assert!(refusal("    plaintext: true\n", "").contains("listeners.tls: nobody could connect"));
    }

    #[test]
    fn an_api_off_loopback_needs_tls() {
        let error = refusal("data_dir: data\n", "data_dir: data\napi: { address: \"10.0.0.1:6480\" }\n");
        assert!(error.starts_with("2: api.address: 10.0.0.1:6480 is not a loopback address"), "{error}");
        for fine in [
            "api: { address: \"[::1]:6480\" }\n",
            "api: { address: \"10.0.0.1:6480\", tls: { certificate: a, key: b } }\n",
        ] {
            assert!(load_text(&format!("{fine}{SMALL}")).is_ok(), "{fine}");
        }
    }

    #[test]
    fn the_consoles_address_is_one_that_a_link_can_begin_with() {
        let api = |url: &str| load_text(&format!("api: {{ public_url: \"{url}\" }}\n{SMALL}"));
        assert_eq!(
            api("https://gate.example/").unwrap().api.public_url.as_deref(),
            Some("https://gate.example")
        );
        assert!(api("http://[::1]:6480").is_ok());
        for bad in ["gate.example", "https://", "https://gate.example/x", "javascript:x", "https://a b"] {
            assert!(api(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_listener_names_targets_that_exist() {
        let error = refusal("targets: [hr]", "targets: [hrr]");
        assert_eq!(error, "4: listeners.targets: unknown target \"hrr\": did you mean \"hr\"?");
    }

    #[test]
    fn addresses_and_names_are_used_once() {
        let second = "plaintext: true\n  - { address: \"0.0.0.0:6432\", targets: [hr], plaintext: true }";
        assert!(
            refusal("plaintext: true", second).starts_with("6: listeners.address: address 0.0.0.0:6432 is")
        );
        let api = "data_dir: data\napi: { address: \"127.0.0.1:6432\" }\n";
        assert!(
            refusal("data_dir: data\n", api).starts_with("2: api.address: address 127.0.0.1:6432 is taken")
        );
        let other = "plaintext: true\n  - { address: \"127.0.0.2:6432\", targets: [hr], plaintext: true }";
        assert!(load_text(&SMALL.replace("plaintext: true", other)).is_ok());
        let (_, target) = SMALL.split_once("targets:\n").unwrap();
        let error = load_text(&format!("{SMALL}{target}")).unwrap_err().to_string();
        assert!(error.contains(":12: targets.name: target \"hr\" is there twice"), "{error}");
    }

    #[test]
    fn values_that_cannot_be_meant_are_refused_on_their_line() {
        for (from, to, words) in [
            ("127.0.0.1:6432", "localhost", "3: listeners.address: \"localhost\" is not an address"),
            ("db.internal:5432", "db.internal", "9: targets.endpoint: \"db.internal\" is not an endpoint"),
            ("db.internal:5432", "\"db.internal:0\"", "9: targets.endpoint: "),
            ("name: hr", "name: h/r", "7: targets.name: \"h/r\" is no name"),
            ("targets: [hr]", "targets: []", "4: listeners.targets: it is empty"),
            ("data_dir: data", "data_dir: ''", "1: data_dir: it is empty"),
            (", password_env: READER", "", "11: targets.accounts.read: write either password_file"),
            ("READER", "OTHER", "11: targets.accounts.read.password_env: environment variable \"OTHER\""),
            (
                "data_dir: data",
                "data_dir: data\nlimits: { sessions: 0 }",
                "2: limits.sessions: 0 is out of bounds",
            ),
            ("data_dir: data", "data_dir: data\nreplica: 1024", "2: replica: 1024 is out of bounds"),
            ("data_dir: data", "data_dir: data\nreplica: 0", "2: replica: 0 is out of bounds"),
            (
                "data_dir: data",
                "data_dir: data\nshutdown: { drain_s: 86401 }",
                "2: shutdown.drain_s: 86401 is out of bounds",
            ),
            (
                "data_dir: data",
                "data_dir: data\nlimits: { message_bytes: 2048 }",
                "2: limits.message_bytes: a message must",
            ),
            (
                "environment: prod",
                "environment: prod\n    tls: { mode: disable, ca: x.crt }",
                "9: targets.tls.ca: it has no effect",
            ),
            (
                "environment: prod",
                "environment: prod\n    databases: []",
                "9: targets.databases: it is empty",
            ),
        ] {
            let error = refusal(from, to);
            assert!(error.starts_with(words), "{error}\nis not\n{words}");
        }
    }

    #[test]
    fn a_password_file_is_read_without_its_line_end_and_watched_for_readers() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tidegate.yaml");
        let secret = folder.path().join("read.password");
        std::fs::write(&file, SMALL.replace("password_env: READER", "password_file: read.password")).unwrap();
        let missing = load(&file, |_| None).unwrap_err().to_string();
        assert!(missing.contains(":11: password_file: could not read"), "{missing}");
        for (mode, warnings) in [(0o600, 0), (0o640, 1), (0o604, 1)] {
            std::fs::write(&secret, " a b \n").unwrap();
            std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(mode)).unwrap();
            let config = load(&file, |_| None).unwrap();
            assert_eq!(password(&config.targets[0].accounts.read), " a b ");
            assert_eq!(config.warnings.len(), warnings, "{:?}", config.warnings);
            assert!(!format!("{config:?}").contains(" a b "));
        }
        std::fs::write(&secret, "\n").unwrap();
        let empty = load(&file, |_| None).unwrap_err().to_string();
        assert!(empty.contains("is empty: write the password into it"), "{empty}");
    }

    const RDS: &str = "hr.cluster-c1.eu-central-1.rds.amazonaws.com";

    /// The small configuration on RDS, with tokens; `iam` is what is written of them.
    fn with_tokens(iam: &str) -> String {
        SMALL
            .replace("db.internal", RDS)
            .replace(", password_env: READER", "")
            .replace("environment: prod", &format!("environment: prod\n    iam: {iam}"))
    }

    #[test]
    fn an_account_without_password_logs_in_with_tokens_of_the_endpoint_that_aws_knows() {
        let config = load_text(&with_tokens("{}")).unwrap();
        let target = &config.targets[0];
        assert_eq!(target.pool.new_connections_per_second, Some(50));
        let iam = tokens(&target.accounts.read);
        assert_eq!((iam.region.as_str(), iam.endpoint.to_string()), ("eu-central-1", format!("{RDS}:5432")));
        assert_eq!((&iam.profile, &iam.role_arn), (&None, &None));

        let all = "{ region: eu-west-1, profile: db, role_arn: \"arn:aws:iam::1:role/db\", endpoint: \"HR.db:6000\" }";
        let tunnel = with_tokens(all).replace(RDS, "127.0.0.1");
        let config = load_text(&tunnel).unwrap();
        let iam = tokens(&config.targets[0].accounts.read);
        assert_eq!((iam.region.as_str(), iam.endpoint.to_string()), ("eu-west-1", "hr.db:6000".to_owned()));
        assert_eq!(iam.profile.as_deref(), Some("db"));
        assert_eq!(iam.role_arn.as_deref(), Some("arn:aws:iam::1:role/db"));
        assert_eq!(config.targets[0].endpoint.host, "127.0.0.1");
    }

    #[test]
    fn tokens_that_could_not_work_or_would_be_shown_are_refused_on_their_line() {
        let refused = |text: &str| {
            let error = load_text(text).unwrap_err().to_string();
            error.split_once("tidegate.yaml:").unwrap().1.to_owned()
        };
        let bare = with_tokens("{}").replace("iam: {}", "iam: {}\n    tls: { mode: disable }");
        assert!(refused(&bare).starts_with("9: targets.iam: login tokens go over verified TLS only"));
        let tunnel = with_tokens("{}").replace(RDS, "db.internal");
        assert!(refused(&tunnel).starts_with("9: targets.iam.endpoint: AWS does not know \"db.internal\""));
        for (iam, words) in [
            (
                "{ endpoint: \"db.internal:5432\" }",
                "9: targets.iam.region: \"db.internal\" does not tell its region",
            ),
            ("{ endpoint: db.internal }", "9: targets.iam.endpoint: \"db.internal\" is not an endpoint"),
            ("{ region: Frankfurt }", "9: targets.iam.region: \"Frankfurt\" is no region"),
            ("{ role_arn: tidegate }", "9: targets.iam.role_arn: \"tidegate\" is no role"),
            ("{ profile: '' }", "9: targets.iam.profile: it is empty"),
            ("{ secret: x }", "9: secret: unknown key: "),
        ] {
            let error = refused(&with_tokens(iam));
            assert!(error.starts_with(words), "{error}\nis not\n{words}");
        }
        let unused = with_tokens("{}").replace("user: reader", "user: reader, password_env: READER");
        assert!(refused(&unused).starts_with("9: targets.iam: every account has a password"));
    }

    #[test]
    fn the_read_lane_may_go_to_a_reader_with_tokens_of_its_own() {
        let reader = "hr.cluster-ro-c1.eu-central-1.rds.amazonaws.com:5432";
        let text = with_tokens("{}")
            .replace("iam: {}", &format!("iam: {{}}\n    reader: {{ endpoint: \"{reader}\" }}"));
        let target = load_text(&text).unwrap().targets.remove(0);
        assert_eq!(target.reader.as_ref().unwrap().endpoint.to_string(), reader);
        assert_eq!(tokens(&target.accounts.read).endpoint.to_string(), reader);
        assert_eq!(target.pool.failover_wait.as_secs(), 30);
        let write = target.accounts.of(Lane::Write);
        assert_eq!(
            (write.user.as_str(), tokens(write).endpoint.to_string()),
            ("reader", format!("{RDS}:5432"))
        );

        let plain = |reader: &str| {
            load_text(
                &SMALL.replace("environment: prod", &format!("environment: prod\n    reader: {reader}")),
            )
        };
        let target = plain("{ endpoint: \"ro.internal:5432\", server_name: ro }").unwrap().targets.remove(0);
        assert_eq!(target.reader.unwrap().server_name.as_deref(), Some("ro"));
        assert!(target.accounts.write.is_none());
        let error =
            plain("{ endpoint: \"ro.internal:5432\", iam_endpoint: \"x:1\" }").unwrap_err().to_string();
        assert!(error.contains(":9: targets.reader.iam_endpoint: it has no effect without iam"), "{error}");
        let tunnel = text.replace(reader, "127.0.0.1:5433");
        let error = load_text(&tunnel).unwrap_err().to_string();
        assert!(
            error.contains(":10: targets.reader.iam_endpoint: AWS does not know \"127.0.0.1\""),
            "{error}"
        );
    }

    #[test]
    fn the_audit_log_rotates_is_signed_and_sent_as_it_is_written_down() {
        let with = |audit: &str| load_text(&format!("{SMALL}\naudit: {audit}\n"));
        let audit = load_text(SMALL).unwrap().audit;
        assert_eq!((audit.rotate_bytes, audit.index, audit.text), (1 << 30, true, AuditText::Full));
        assert!(audit.keep_for.is_none() && audit.keep_bytes.is_none() && audit.checkpoints.is_none());
        let all = "{ rotate: { bytes: 2000000, after_s: 86400 }, retain: { days: 400 }, index: false, \
                   checkpoints: { key_file: key.pem, also: stdout }, text: fingerprint, text_by_target: { hr: full }, \
                   sinks: [ { name: out, stdout: true }, { name: siem, syslog: { endpoint: \"siem:6514\" } }, \
                   { name: otel, otlp: { url: \"https://otel/v1/logs\" } }, \
                   { name: s3, s3: { bucket: b, region: eu-central-1 } }, \
                   { name: bus, kafka: { brokers: [\"b-1:9094\"], topic: audit, \
                     sasl: { mechanism: scram-sha-512, user: gate, password_env: READER } } } ] }";
        let audit = with(all).unwrap().audit;
        assert_eq!((audit.rotate_bytes, audit.index, audit.text), (2_000_000, false, AuditText::Fingerprint));
        assert_eq!(audit.keep_for.unwrap().as_secs(), 400 * 86_400);
        assert_eq!(audit.checkpoints.unwrap().also.unwrap().to_str(), Some("-"));
        let names: Vec<_> = audit.sinks.iter().map(|sink| sink.name.as_str()).collect();
        assert_eq!(names, ["out", "siem", "otel", "s3", "bus"]);
        for (texts, kept) in [
            ("text: hashed", AuditText::Hashed),
            ("text_by_environment: { prod: hashed }", AuditText::Hashed),
            ("text_by_environment: { prod: hashed }, text_by_target: { hr: full }", AuditText::Full),
        ] {
            let audit = with(&format!("{{ {texts}, text_key_env: TEXT_KEY }}")).unwrap().audit;
            assert_eq!(audit.text_by_target["hr"], kept, "{texts}");
            assert!(audit.text_key.is_some());
        }
        for (wrong, words) in [
            ("{ rotate: { bytes: 5 } }", "audit.rotate.bytes: 5 is out of bounds"),
            ("{ sinks: [ { name: a } ] }", "say what it is"),
            ("{ sinks: [ { name: a, stdout: true }, { name: a, stdout: true } ] }", "written twice"),
            ("{ sinks: [ { name: a, otlp: { url: \"http://otel/v1/logs\" } } ] }", "is no address"),
            ("{ sinks: [ { name: \"../a\", stdout: true } ] }", "is no name"),
            ("{ sinks: [ { name: a, kafka: { brokers: [], topic: t } } ] }", "it is empty"),
            ("{ sinks: [ { name: a, kafka: { brokers: [\"b:9\"], topic: \"a/b\" } } ] }", "is no topic"),
            (
                "{ sinks: [ { name: a, kafka: { brokers: [\"b:9\"], topic: t, tls: { mode: disable }, \
               sasl: { mechanism: plain, user: u, password_env: READER } } } ] }",
                "needs TLS",
            ),
            (
                "{ sinks: [ { name: a, kafka: { brokers: [\"b:9\"], topic: t, \
               sasl: { mechanism: gssapi, user: u, password_env: READER } } } ] }",
                "scram-sha-512",
            ),
            ("{ text: none }", "none"),
            ("{ text: hashed }", "audit.text: hashed needs a key"),
            ("{ text_by_environment: { prod: hashed } }", "audit.text: hashed needs a key"),
            ("{ text: hashed, text_key_env: READER }", "audit.text_key: it has fewer than 32"),
            ("{ text: hashed, text_key_env: TEXT_KEY, text_key_file: key }", "write exactly one of"),
            ("{ text_by_target: { none: full } }", "audit.text_by_target: there is no \"none\""),
            ("{ text_by_environment: { none: full } }", "audit.text_by_environment: there is no \"none\""),
        ] {
            let error = with(wrong).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn an_upstream_far_away_without_tls_is_warned_of() {
        let bare = "environment: prod\n    tls: { mode: disable }";
        let far = load_text(&SMALL.replace("environment: prod", bare)).unwrap();
        assert_eq!(far.warnings.len(), 1);
        let near = SMALL.replace("environment: prod", bare).replace("db.internal", "127.0.0.1");
        assert!(load_text(&near).unwrap().warnings.is_empty());
    }

    const SLACK: &str =
        "slack: { team: T0123, bot_token_env: READER, app_token_env: READER, channel: C0123 }\n";

    #[test]
    fn slack_is_reached_by_a_socket_or_reaches_us() {
        assert!(load_text(SMALL).unwrap().slack.is_none());
        let slack = load_text(&format!("{SMALL}{SLACK}")).unwrap().slack.unwrap();
        assert!(
            matches!(&slack.settings.door, SlackDoor::Socket { app_token } if app_token.expose() == "s3cret")
        );
        assert_eq!(
            (slack.settings.api.as_str(), slack.settings.link_by_email),
            ("https://slack.com/api", false)
        );
        let http = "http: { address: \"127.0.0.1:6481\", signing_secret_env: READER }";
        let text = format!("{SMALL}{}", SLACK.replace("app_token_env: READER", http));
        let slack = load_text(&text).unwrap().slack.unwrap();
        assert!(matches!(slack.settings.door, SlackDoor::Http { .. }));
        assert_eq!(slack.http.unwrap().address.port(), 6481);
    }

    #[test]
    fn what_is_wrong_with_slack_is_told_with_its_line() {
        let http = "http: { address: \"10.0.0.1:6481\", signing_secret_env: READER }";
        for (from, to, words) in [
            ("T0123", "acme", "slack.team: \"acme\" is no identifier of Slack: write it as in T0123ABCDE"),
            ("C0123", "\"#grants\"", "slack.channel: \"#grants\" is no identifier"),
            (
                "bot_token_env: READER, ",
                "",
                "slack.bot_token: write exactly one of bot_token_file, bot_token_env",
            ),
            (
                ", app_token_env: READER",
                "",
                "slack.app_token: write exactly one of app_token_file, app_token_env, http",
            ),
            ("channel", "http: { address: \"127.0.0.1:1\" }, channel", "slack.http: write exactly one of"),
            ("app_token_env: READER", http, "slack.http.address: 10.0.0.1:6481 is not a loopback address"),
            ("C0123 }", "C0123, page: \"https://x\" }", "slack.page: \"https://x\" is no address of a page"),
            ("C0123 }", "C0123, api_url: \"http://x/api\" }", "slack.api_url: \"http://x/api\" is not where"),
            ("C0123 }", "C0123, routes: [{ channel: x }] }", "slack.routes.channel: \"x\" is no identifier"),
            ("C0123 }", "C0123, routes: [{ target: '', channel: C1 }] }", "slack.routes.target: it is empty"),
            ("C0123 }", "C0123, chanel: C1 }", "chanel: unknown key: did you mean \"channel\"?"),
        ] {
            let error = load_text(&format!("{SMALL}{}", SLACK.replace(from, to))).unwrap_err().to_string();
            assert!(error.contains(&format!("tidegate.yaml:12: {words}")), "{error}\nis not\n{words}");
        }
    }
}
