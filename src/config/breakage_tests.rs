//! Breaks a configuration that has every key, key by key, and looks at what the error names.

use super::{
    error::{ConfigError, Problem},
    load, schema,
};

/// Every key, each on a line of its own.
const FULL: &str = "\
name: gate-1
data_dir: data
listeners:
  - address: 127.0.0.1:6432
    dialect: postgres
    targets: [hr]
    tls:
      certificate: server.crt
      key: server.key
      client_ca: clients.crt
    plaintext: false
    authentication: scram
targets:
  - name: hr
    dialect: postgres
    environment: prod
    labels:
      team: people
    endpoint: db.internal:5432
    databases: [hr_prod]
    tls:
      mode: verify-full
      ca: ca.crt
      server_name: db
    reader:
      endpoint: ro.internal:5432
      server_name: ro
      iam_endpoint: hr.cluster-ro-1.eu-central-1.rds.amazonaws.com:5432
    iam:
      region: eu-central-1
      profile: db
      role_arn: arn:aws:iam::123456789012:role/tidegate
      endpoint: hr.cluster-1.eu-central-1.rds.amazonaws.com:5432
    accounts:
      read:
        user: tidegate_read
      write:
        user: tidegate_write
        password_env: SECRET
      admin:
        user: tidegate_admin
        password_env: SECRET
    pool:
      max_connections: 20
      wait_timeout_ms: 5000
      idle_timeout_s: 300
      max_lifetime_s: 3600
      failover_wait_ms: 30000
      new_connections_per_second: 50
policies: policies
store:
  postgres:
    endpoint: store.internal:5432
    database: tidegate
    account:
      user: tidegate
      password_env: SECRET
    tls:
      mode: verify-full
      ca: ca.crt
audit:
  path: audit.jsonl
  durability: process
api:
  address: 127.0.0.1:6480
  tls:
    certificate: api.crt
    key: api.key
oidc:
  issuer: https://id.example
  client_id: tidegate
  client_secret_env: SECRET
  audiences: [tidegate]
  parties: [psql]
  scopes: [openid]
  principal_claim: email
  groups_claim: groups
  create_people: false
  redirect_urls: [\"https://gate.example/callback\"]
  ca: ca.crt
  keys_refetch_s: 30
limits:
  statement_bytes: 1048576
  nesting: 200
  sessions: 10000
  sessions_per_principal: 500
  login_timeout_ms: 10000
  prepared_statements: 5000
  prepared_bytes: 16777216
  message_bytes: 1073741824
  facts_cache_bytes: 67108864
grants:
  announce_before_s: 300
log:
  format: text
  level: info
";

fn load_text(text: &str) -> Result<(), ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.yaml");
    std::fs::write(&file, text).unwrap();
    load(&file, |name| (name == "SECRET").then(|| "s3cret".to_owned())).map(|_| ())
}

/// Line, key and what is wrong.
fn refused(text: &str) -> (u64, String, Problem) {
    let error = load_text(text).unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
    match error {
        ConfigError::Key { file, line, key, problem } => {
            assert!(file.ends_with("tidegate.yaml"));
            (line, key, *problem)
        }
        other => panic!("{other}"),
    }
}

/// The lines of the full configuration that have a key: number, what stands before it, the key, and the rest.
fn keys() -> impl Iterator<Item = (u64, &'static str, &'static str, &'static str)> {
    FULL.lines().enumerate().map(|(index, line)| {
        let start = line.find(|letter: char| letter.is_ascii_alphabetic()).unwrap();
        let (indent, rest) = line.split_at(start);
        let (key, rest) = rest.split_once(':').unwrap();
        (index as u64 + 1, indent, key, rest)
    })
}

/// The full configuration with one line in place of another.
fn with(number: u64, line: &str) -> String {
    let lines = FULL.lines().enumerate();
    lines.map(|(index, old)| format!("{}\n", if index as u64 + 1 == number { line } else { old })).collect()
}

#[test]
fn the_full_configuration_is_taken() {
    load_text(FULL).unwrap();
}

#[test]
fn a_key_that_is_misspelled_is_named_with_its_line_and_the_right_one() {
    for (number, indent, key, rest) in keys().filter(|(_, _, key, _)| *key != "team") {
        let wrong = format!("{key}x");
        let (line, named, problem) = refused(&with(number, &format!("{indent}{wrong}:{rest}")));
        assert_eq!((line, named.as_str()), (number, wrong.as_str()), "{problem}");
        assert!(
            matches!(problem, Problem::UnknownKey { nearest: Some(near), .. } if near == key),
            "{problem:?}"
        );
    }
}

#[test]
fn a_value_of_the_wrong_shape_is_refused_on_its_line_by_its_key() {
    for (number, indent, key, rest) in keys().filter(|(_, _, _, rest)| !rest.is_empty()) {
        let (line, named, problem) = refused(&with(number, &format!("{indent}{key}: [[]]")));
        assert_eq!((line, named.as_str()), (number, key), "{problem} in place of {rest}");
    }
}

#[test]
fn a_key_that_is_written_twice_is_named_with_its_second_line() {
    for (number, indent, key, rest) in keys().filter(|(_, _, _, rest)| !rest.is_empty()) {
        let again = format!("{indent}{key}:{rest}\n{}{key}:{rest}", indent.replace('-', " "));
        let (line, named, problem) = refused(&with(number, &again));
        assert_eq!((line, named.as_str(), problem), (number + 1, key, Problem::Twice));
    }
}

#[test]
fn in_a_block_on_one_line_the_key_is_named_and_not_the_block() {
    let text = FULL.replace(
        "      read:\n        user: tidegate_read\n",
        "      read: { user: tidegate_read, password_env: [[]] }\n",
    );
    let (_, named, problem) = refused(&text);
    assert_eq!(named, "password_env", "{problem}");
}

#[test]
fn this_page_breaks_every_key_that_there_is() {
    fn look(shape: &serde_json::Value, missing: &mut Vec<String>) {
        for (key, inner) in shape["properties"].as_object().into_iter().flatten() {
            // What excludes another that is there.
            let is_other = ["sqlite", "password_file", "client_secret_file"].contains(&key.as_str());
            if !is_other && !keys().any(|(_, _, known, _)| known == key) {
                missing.push(key.clone());
            }
            look(inner, missing);
            look(&inner["items"], missing);
        }
    }
    let mut missing = Vec::new();
    look(&schema(), &mut missing);
    assert!(missing.is_empty(), "write {missing:?} into FULL");
}
