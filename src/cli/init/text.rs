//! The text of the configuration and of the first policy.

use std::path::Path;

use super::answers::{Account, Answers, Proof, Server, Tls};
use crate::model::dialect::Dialect;

/// The configuration. What is written into it can be read back as what was meant, or the file is refused as a whole.
pub(super) fn configuration(answers: &Answers) -> String {
    let Answers { server, accounts, listen, certificate, .. } = answers;
    let door = match certificate {
        Some((certificate, key)) => format!(
            "    tls:                           # read again every minute\n      certificate: {}\n      key: {}\n",
            path(certificate),
            path(key)
        ),
        None => "    plaintext: true                # this machine alone. To let in others: address 0.0.0.0, no plaintext, and\n    \
                 # tls: { certificate: server.crt, key: server.key }\n"
            .to_owned(),
    };
    let tokens = accounts.iter().any(|account| matches!(account.proof, Proof::Tokens));
    [
        HEAD,
        &format!("listeners:\n  - address: {}\n", word(&listen.to_string())),
        &format!("    dialect: {}\n    targets: [{}]\n", server.dialect.as_str(), word(&server.name)),
        &door,
        &target(server, tokens),
        "    accounts:                      # shared by all; people never log in as these. deploy/sql makes them\n",
        &accounts.iter().map(account).collect::<String>(),
        TAIL,
    ]
    .concat()
}

fn target(server: &Server, tokens: bool) -> String {
    let Server { name, dialect, environment, endpoint, reader, databases, tls } = server;
    let mut text = format!(
        "\ntargets:\n  - name: {}\n    dialect: {}\n    environment: {}              # which ceilings of the policy hold\n    endpoint: {}\n",
        word(name),
        dialect.as_str(),
        word(environment),
        word(endpoint)
    );
    if let Some(reader) = reader {
        text.push_str(&format!(
            "    reader: {{ endpoint: {} }}        # where the read lane goes\n",
            word(reader)
        ));
    }
    if databases.is_empty() {
        text.push_str("    # databases: [one, two]        # without it, any of the server\n");
    } else {
        let list: Vec<_> = databases.iter().map(|it| word(it)).collect();
        text.push_str(&format!(
            "    databases: [{}]            # without it, any of the server\n",
            list.join(", ")
        ));
    }
    match tls {
        Tls::Disable => text.push_str("    tls: { mode: disable }         # or mode: verify-full, and ca\n"),
        Tls::VerifyFull { ca, server_name } => {
            text.push_str("    tls:\n      mode: verify-full\n");
            match ca {
                Some(ca) => text.push_str(&format!("      ca: {}\n", path(ca))),
                None => text
                    .push_str("      # ca: ca.crt                 # without it, the system's authorities\n"),
            }
            if let Some(name) = server_name {
                text.push_str(&format!("      server_name: {}\n", word(name)));
            }
        }
    }
    if tokens {
        text.push_str(
            "    iam: {}                        # accounts without a password log in with tokens of RDS\n",
        );
    }
    text
}

fn account(account: &Account) -> String {
    let Account { lane, user, proof } = account;
    let proof = match proof {
        Proof::Env(variable) => format!(", password_env: {}", word(variable)),
        Proof::File(file) => format!(", password_file: {}", path(file)),
        Proof::Tokens => String::new(),
        Proof::Typed(_) => format!(", password_file: {}", password_file(account)),
    };
    format!("      {lane}: {{ user: {}{proof} }}\n", word(user))
}

/// Where a typed password is kept, beside the configuration.
pub(super) fn password_file(account: &Account) -> String {
    format!("{}.password", account.lane)
}

/// Names and texts of the first policy.
pub(super) fn policy(answers: &Answers) -> Vec<(&'static str, String)> {
    let Answers { server, administrator, .. } = answers;
    let database = server.databases.first().map_or("any", String::as_str);
    // MySQL's databases are its schemas: a table is named without, and judged with its database.
    let (table, object) = match server.dialect {
        Dialect::Mysql => ("employee", format!("{database}.employee")),
        Dialect::Postgres => ("public.employee", "public.employee".to_owned()),
    };
    POLICY
        .iter()
        .map(|(name, text)| {
            let text = text
                .replace("<ADMINISTRATOR>", &word(administrator))
                .replace("<TARGET>", &word(&server.name))
                .replace("<ENVIRONMENT>", &word(&server.environment))
                .replace("<DATABASE>", &word(database))
                .replace("<DIALECT>", server.dialect.as_str())
                .replace("<OBJECT>", &word(&object))
                .replace("<TABLE>", table);
            (*name, text)
        })
        .collect()
}

fn path(path: &Path) -> String {
    word(&path.display().to_string())
}

/// A word as YAML takes it, in quotes unless it needs none.
fn word(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '/');
    let starts = text.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '/');
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    if starts && text.chars().all(plain) && !reserved.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    // A string of JSON is one of YAML.
    serde_json::Value::from(text).to_string()
}

const HEAD: &str = "\
# Tidegate's configuration, as `tidegate init` wrote it. docs/configuration.md has every key, and
# tidegate.example.yaml shows them. Relative paths are relative to this file. `tidegate doctor --config` looks it over.

data_dir: data                     # store, administrator's key, audit log

";
const TAIL: &str = "
policies: policies                 # who may do what; read again when it changes

api: { address: \"127.0.0.1:6480\" } # administration; other addresses need tls: { certificate, key }

# store:                           # a PostgreSQL instead of data/tidegate.db, for several gateways: docs/store.md
# oidc:                            # people of an identity provider: docs/identity.md
";
const POLICY: &[(&str, &str)] = &[
    ("people.yaml", include_str!("policy/people.yaml")),
    ("access.yaml", include_str!("policy/access.yaml")),
    ("requests.yaml", include_str!("policy/requests.yaml")),
    ("first.test.yaml", include_str!("policy/first.test.yaml")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_back_as_it_was_meant() {
        for (text, written) in [
            ("hr_prod", "hr_prod"),
            ("db.internal:5432", "\"db.internal:5432\""),
            ("on", "\"on\""),
            ("12", "\"12\""),
            ("a\": b\n- c", "\"a\\\": b\\n- c\""),
            ("", "\"\""),
        ] {
            assert_eq!(word(text), written);
            assert_eq!(serde_saphyr::from_str::<String>(written).unwrap(), text);
        }
    }
}
