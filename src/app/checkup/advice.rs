//! What to do about an upstream that cannot be used.

use crate::upstream::{LoginProblem, ServerWords, UpstreamError};

/// The step that failed, in one word.
pub(super) const fn step_of(error: &UpstreamError) -> &'static str {
    match error {
        UpstreamError::Dial { .. } => "tcp",
        UpstreamError::Tls { .. } | UpstreamError::TlsRefused { .. } => "tls",
        UpstreamError::Credential { .. } | UpstreamError::Token { .. } => "credential",
        UpstreamError::Refused { .. } | UpstreamError::Unexpected { .. } => "session",
        UpstreamError::Catalog { .. }
        | UpstreamError::Exhausted { .. }
        | UpstreamError::Login { .. }
        | UpstreamError::Lost { .. }
        | UpstreamError::Misuse { .. }
        | UpstreamError::Protocol { .. }
        | UpstreamError::ReadOnly { .. }
        | UpstreamError::Timeout { .. }
        | UpstreamError::TooFast { .. }
        | UpstreamError::Unavailable { .. }
        | UpstreamError::UnknownDatabase { .. }
        | UpstreamError::UnknownTarget { .. }
        | UpstreamError::WrongLane { .. } => "login",
    }
}

/// What to do.
pub(super) fn of_failure(error: &UpstreamError) -> &'static str {
    match error {
        UpstreamError::Dial { .. } | UpstreamError::Timeout { .. } | UpstreamError::Lost { .. } => {
            "look at the server, and at firewalls and security groups between"
        }
        UpstreamError::Tls { .. } => {
            "let tls.ca name the authority that signed the server's certificate (RDS: its trust bundle), and \
             tls.server_name the name in it"
        }
        UpstreamError::TlsRefused { .. } => "switch TLS on at the server",
        UpstreamError::Credential { .. } => "write the password file anew, for the gateway's user alone",
        UpstreamError::Token { .. } => {
            "give the gateway AWS credentials (IRSA, instance role, profile); docs/aurora.md lists the places"
        }
        UpstreamError::Login { source, .. } => of_login(source),
        UpstreamError::Refused { .. } | UpstreamError::Unexpected { .. } => {
            "look at the settings of the account and of the server"
        }
        UpstreamError::Unavailable { source, .. } => of_failure(source),
        UpstreamError::Catalog { .. }
        | UpstreamError::Exhausted { .. }
        | UpstreamError::Misuse { .. }
        | UpstreamError::Protocol { .. }
        | UpstreamError::ReadOnly { .. }
        | UpstreamError::TooFast { .. }
        | UpstreamError::UnknownDatabase { .. }
        | UpstreamError::UnknownTarget { .. }
        | UpstreamError::WrongLane { .. } => "look at the server and at the target's dialect and endpoint",
    }
}

fn of_login(problem: &LoginProblem) -> &'static str {
    match problem.server() {
        Some(ServerWords::Postgres(words)) if words.sqlstate == "3D000" => {
            "list a database that is there first in databases"
        }
        Some(ServerWords::Mysql(words)) if words.errno == 1049 => {
            "list a database that is there first in databases"
        }
        Some(ServerWords::Postgres(words)) if words.message.starts_with("PAM authentication failed") => {
            "give the role rds-db:connect on this account, and the account rds_iam; docs/aurora.md says more"
        }
        Some(_) => "correct the account's name or password, or make it: deploy/sql",
        None => "let the server take the account's password the way that it says",
    }
}
