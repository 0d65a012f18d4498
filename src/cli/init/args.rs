//! What can be said beforehand.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;

use crate::{
    cli::value::dialect,
    model::{dialect::Dialect, ids::PrincipalName, target::Lane},
};

#[derive(Debug, Default, Args)]
pub(in crate::cli) struct InitArgs {
    /// Directory to write into; made where it is not there.
    #[arg(default_value = ".")]
    pub(super) directory: PathBuf,
    /// Ask nothing: what no flag says takes its default.
    #[arg(long)]
    pub(super) no_input: bool,
    /// Do not connect to the database.
    #[arg(long)]
    pub(super) no_check: bool,
    /// First administrator of the policy: the name that a person logs in by.
    #[arg(long, value_name = "NAME")]
    pub(super) administrator: Option<PrincipalName>,
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(flatten)]
    pub(super) accounts: AccountArgs,
    #[command(flatten)]
    pub(super) door: DoorArgs,
}

/// The database server.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "The database server")]
pub(super) struct ServerArgs {
    /// Its host and port, as in db.internal:5432.
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) endpoint: Option<String>,
    /// Where its readers answer, as Aurora's reader endpoint.
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) reader: Option<String>,
    /// What it speaks: postgres or mysql; told by the port if left out.
    #[arg(long, value_parser = dialect)]
    pub(super) dialect: Option<Dialect>,
    /// A database that may be reached; can be given several times. Without it any of the server.
    #[arg(long, value_name = "NAME")]
    pub(super) database: Vec<String>,
    /// What it is called in policy and grants; the first database or the host if left out.
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Which ceilings of the policy hold for it; prod if left out.
    #[arg(long, value_name = "NAME")]
    pub(super) environment: Option<String>,
    /// PEM file of the authorities that its certificate is checked against; the system's if left out.
    #[arg(long, value_name = "FILE", conflicts_with = "no_tls")]
    pub(super) ca: Option<PathBuf>,
    /// Name in its certificate, if that is not the host of the endpoint.
    #[arg(long, value_name = "NAME", conflicts_with = "no_tls")]
    pub(super) server_name: Option<String>,
    /// Reach it without TLS.
    #[arg(long)]
    pub(super) no_tls: bool,
}

/// The shared accounts.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "The shared accounts, one for each lane")]
pub(super) struct AccountArgs {
    /// Account of the read lane; tidegate_read if left out.
    #[arg(long, value_name = "USER")]
    pub(super) read_user: Option<String>,
    /// Account of the write lane.
    #[arg(long, value_name = "USER")]
    pub(super) write_user: Option<String>,
    /// Account of the admin lane.
    #[arg(long, value_name = "USER")]
    pub(super) admin_user: Option<String>,
    /// File that holds the password of a lane's account, as in read=/run/secrets/read.
    #[arg(long, value_name = "LANE=FILE", value_parser = of_lane)]
    pub(super) password_file: Vec<(Lane, String)>,
    /// Environment variable that holds it, as in read=TIDEGATE_READ.
    #[arg(long, value_name = "LANE=NAME", value_parser = of_lane)]
    pub(super) password_env: Vec<(Lane, String)>,
    /// Accounts without either log in with tokens of RDS and Aurora.
    #[arg(long, conflicts_with = "no_tls")]
    pub(super) iam: bool,
}

/// Where people connect.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Where people connect")]
pub(super) struct DoorArgs {
    /// Address and port; 127.0.0.1:6432, or :6306 for MySQL, if left out.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<SocketAddr>,
    /// PEM certificate that people's clients check; without it only this machine is served, in plain text.
    #[arg(long, value_name = "FILE", requires = "certificate_key")]
    pub(super) certificate: Option<PathBuf>,
    /// Its private key.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(super) certificate_key: Option<PathBuf>,
}

fn of_lane(text: &str) -> Result<(Lane, String), String> {
    let (lane, rest) = text.split_once('=').filter(|(_, rest)| !rest.is_empty()).ok_or("write LANE=…")?;
    let lane = Lane::ALL.into_iter().find(|known| known.as_str() == lane);
    Ok((lane.ok_or("the lanes are read, write and admin")?, rest.to_owned()))
}
