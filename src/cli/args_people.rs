//! The commands about people, their tokens, and service keys.

use clap::Subcommand;

use super::{args::Connection, value::id};
use crate::{
    api::bodies::{Lifetime, Scope},
    model::ids::{GroupName, KeyId, PrincipalName, TokenId},
};

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a principal; asks for its password.
    Add {
        /// The name that it logs in with.
        name: PrincipalName,
        /// A group; it must be in policy. May be repeated.
        #[arg(long = "group", value_name = "GROUP", value_delimiter = ',')]
        groups: Vec<GroupName>,
        /// Set no password: it logs in with tokens or a certificate.
        #[arg(long, conflicts_with = "password_stdin")]
        no_password: bool,
        /// Read the password from standard input, one line.
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// Set a principal's password; asks for it.
    Passwd {
        /// Whose.
        name: PrincipalName,
        /// Read the password from standard input, one line.
        #[arg(long)]
        password_stdin: bool,
        /// Keep a key of mysql_native_password, too, for MySQL clients that speak nothing newer; it is weaker.
        #[arg(long)]
        mysql_native: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// Set a principal's groups, beside those that policy gives it; without --group it has none.
    Groups {
        /// Whose.
        name: PrincipalName,
        /// A group; it must be in policy. May be repeated.
        #[arg(long = "group", value_name = "GROUP", value_delimiter = ',')]
        groups: Vec<GroupName>,
        #[command(flatten)]
        connection: Connection,
    },
    /// List principals.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Keep a principal from logging in, and end its sessions.
    Disable {
        /// Whom.
        name: PrincipalName,
        #[command(flatten)]
        connection: Connection,
    },
    /// Let a principal log in again.
    Enable {
        /// Whom.
        name: PrincipalName,
        #[command(flatten)]
        connection: Connection,
    },
    /// Remove a principal with its password and tokens, and revoke its own grants.
    Remove {
        /// Whom.
        name: PrincipalName,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token and print it, once.
    Create {
        /// Whom it logs in.
        #[arg(long = "for", value_name = "PRINCIPAL")]
        principal: PrincipalName,
        /// How long: 15m, 8h, 1d; at most 30d.
        #[arg(long, value_name = "TIME")]
        ttl: Lifetime,
        /// What people call it.
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// List tokens that have not ended.
    List {
        /// Of this principal alone.
        #[arg(long = "for", value_name = "PRINCIPAL")]
        principal: Option<PrincipalName>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Revoke a token.
    Revoke {
        /// Which.
        #[arg(value_parser = id::<TokenId>)]
        id: TokenId,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SlackCommand {
    /// Link your Slack account to yourself, by the code that `/tidegate link` shows there.
    Link {
        /// The code.
        code: String,
        /// Do not ask whether the account is yours.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// List who is who in Slack: yourself, or, with the right key, everybody.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Take the link to Slack from a principal.
    Unlink {
        /// Whom.
        name: PrincipalName,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a service key and print it, once.
    Create {
        /// What people call it; the actor of what is done with it.
        name: String,
        /// The principal whose key it is: what is done with it is done by them.
        #[arg(long = "for", value_name = "PRINCIPAL")]
        principal: Option<PrincipalName>,
        /// What it may do: admin, directory, grants, people, policy, read, sessions; beside --for also person, request,
        /// review. May be repeated, or several with commas; person if it is left out beside --for.
        #[arg(
            long = "scope",
            value_name = "SCOPE",
            value_delimiter = ',',
            required_unless_present = "principal"
        )]
        scopes: Vec<Scope>,
        /// How long, at most 90d; without end if left out.
        #[arg(long, value_name = "TIME")]
        ttl: Option<Lifetime>,
        #[command(flatten)]
        connection: Connection,
    },
    /// List service keys.
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Revoke a service key.
    Revoke {
        /// Which.
        #[arg(value_parser = id::<KeyId>)]
        id: KeyId,
        #[command(flatten)]
        connection: Connection,
    },
}
