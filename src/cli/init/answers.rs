//! What is to be written, from flags and answers.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf, absolute},
};

use anyhow::{Context, bail};

use super::{
    args::{AccountArgs, DoorArgs, InitArgs, ServerArgs},
    asking::Asking,
};
use crate::model::{dialect::Dialect, secret::Secret, target::Lane};

/// What is to be written.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) server: Server,
    pub(super) accounts: Vec<Account>,
    pub(super) listen: SocketAddr,
    /// Certificate and key.
    pub(super) certificate: Option<(PathBuf, PathBuf)>,
    pub(super) administrator: String,
}

/// The database server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) dialect: Dialect,
    pub(super) environment: String,
    pub(super) endpoint: String,
    pub(super) reader: Option<String>,
    pub(super) databases: Vec<String>,
    pub(super) tls: Tls,
}

/// How it is trusted.
#[derive(Debug)]
pub(super) enum Tls {
    Disable,
    VerifyFull { ca: Option<PathBuf>, server_name: Option<String> },
}

/// A shared account.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) lane: Lane,
    pub(super) user: String,
    pub(super) proof: Proof,
}

/// What it logs in with.
#[derive(Debug)]
pub(super) enum Proof {
    /// The password in this variable.
    Env(String),
    /// The password in this file.
    File(PathBuf),
    /// Tokens of RDS.
    Tokens,
    /// This password, which is to be kept in a file.
    Typed(Secret<String>),
}

/// Takes flags, and asks for the rest.
pub(super) fn collect(args: &InitArgs, asking: &Asking) -> anyhow::Result<Answers> {
    let server = server(&args.server, asking)?;
    let accounts = accounts(&args.accounts, &server, asking)?;
    let (listen, certificate) = door(&args.door, server.dialect, asking)?;
    let administrator = args.administrator.as_ref().map(ToString::to_string);
    let question = "Name of the person who administers the gateway";
    let administrator = asking.text(administrator, question, Some("admin"), "--administrator")?;
    Ok(Answers { server, accounts, listen, certificate, administrator })
}

fn server(args: &ServerArgs, asking: &Asking) -> anyhow::Result<Server> {
    let question = "Host and port of the database server";
    let endpoint = asking.text(args.endpoint.clone(), question, None, "--endpoint")?;
    let guess = if endpoint.ends_with(":3306") { "mysql" } else { "postgres" };
    let said = args.dialect.map(|dialect| dialect.as_str().to_owned());
    let dialect =
        match asking.text(said, "What it speaks, postgres or mysql", Some(guess), "--dialect")?.as_str() {
            "mysql" => Dialect::Mysql,
            "postgres" => Dialect::Postgres,
            other => bail!("\"{other}\" is not spoken: write postgres or mysql"),
        };
    let databases = if args.database.is_empty() {
        let asked = asking.optional(None, "Database that may be reached", None)?;
        asked.into_iter().flat_map(|it| it.split([',', ' ']).map(str::to_owned).collect::<Vec<_>>()).collect()
    } else {
        args.database.clone()
    };
    let called = databases.first().map_or_else(|| host_word(&endpoint), |database| name_of(database));
    let name = asking.text(args.name.clone(), "Its name in policy and grants", Some(&called), "--name")?;
    let environment =
        asking.text(args.environment.clone(), "Its environment", Some("prod"), "--environment")?;
    let tls = if args.no_tls {
        Tls::Disable
    } else {
        let said = args.ca.as_ref().map(|path| path.display().to_string());
        let ca = asking.optional(said, "PEM file of the authority of its certificate", None)?;
        let ca = ca.map(|path| existing(Path::new(&path))).transpose()?;
        Tls::VerifyFull { ca, server_name: args.server_name.clone() }
    };
    Ok(Server { name, dialect, environment, endpoint, reader: args.reader.clone(), databases, tls })
}

fn accounts(args: &AccountArgs, server: &Server, asking: &Asking) -> anyhow::Result<Vec<Account>> {
    let mut accounts = Vec::new();
    for lane in Lane::ALL {
        let (said, default) = match lane {
            Lane::Read => (&args.read_user, "tidegate_read"),
            Lane::Write => (&args.write_user, "tidegate_write"),
            Lane::Admin => (&args.admin_user, "-"),
        };
        let question = format!("Account of the {lane} lane");
        let user = match lane {
            Lane::Read => Some(asking.text(said.clone(), &question, Some(default), "--read-user")?),
            Lane::Write | Lane::Admin => asking.optional(said.clone(), &question, Some(default))?,
        };
        if let Some(user) = user.filter(|user| user != "-") {
            let proof = proof(args, server, lane, &user, asking)?;
            accounts.push(Account { lane, user, proof });
        }
    }
    let unused = args
        .password_file
        .iter()
        .chain(&args.password_env)
        .find(|(lane, _)| accounts.iter().all(|account| account.lane != *lane));
    match unused {
        Some((lane, _)) => {
            bail!("there is a password of the {lane} lane, and no account: write --{lane}-user")
        }
        None => Ok(accounts),
    }
}

fn proof(
    args: &AccountArgs,
    server: &Server,
    lane: Lane,
    user: &str,
    asking: &Asking,
) -> anyhow::Result<Proof> {
    let of = |said: &[(Lane, String)]| said.iter().find(|(of, _)| *of == lane).map(|(_, it)| it.clone());
    match (of(&args.password_file), of(&args.password_env)) {
        (Some(_), Some(_)) => bail!("the {lane} lane has two passwords: write one of them"),
        (Some(file), None) => return existing(Path::new(&file)).map(Proof::File),
        (None, Some(variable)) => return Ok(Proof::Env(variable)),
        (None, None) if args.iam => return Ok(Proof::Tokens),
        (None, None) => {}
    }
    if !asking.asks() {
        bail!(
            "nothing says what {user} logs in with: write --password-file {lane}=FILE, --password-env {lane}=NAME or --iam"
        );
    }
    let guess = if server.endpoint.contains(".rds.amazonaws.") { "iam" } else { "password" };
    let question = format!("{user} logs in with password, file:PATH, env:NAME or iam");
    let answer = asking.text(None, &question, Some(guess), "--password-file")?;
    Ok(match answer.split_once(':') {
        Some(("file", path)) => Proof::File(existing(Path::new(path))?),
        Some(("env", variable)) => Proof::Env(variable.to_owned()),
        None if answer == "iam" => Proof::Tokens,
        None if answer == "password" => Proof::Typed(asking.password(user)?),
        _ => bail!("\"{answer}\" is none of password, file:PATH, env:NAME and iam"),
    })
}

type Door = (SocketAddr, Option<(PathBuf, PathBuf)>);

fn door(args: &DoorArgs, dialect: Dialect, asking: &Asking) -> anyhow::Result<Door> {
    let port = match dialect {
        Dialect::Mysql => 6306,
        Dialect::Postgres => 6432,
    };
    let default = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port).to_string();
    let said = args.listen.map(|address| address.to_string());
    let listen = asking.text(said, "Address where people connect", Some(&default), "--listen")?;
    let listen: SocketAddr = listen.parse().context("write an IP address and a port, as in 0.0.0.0:6432")?;
    let said = args.certificate.as_ref().map(|path| path.display().to_string());
    let certificate = asking.optional(said, "Certificate that their clients check, a PEM file", None)?;
    let Some(certificate) = certificate else {
        if !listen.ip().is_loopback() {
            bail!(
                "passwords would cross the network in plain text: write --certificate and --certificate-key, or \
                   --listen 127.0.0.1:{port}"
            );
        }
        return Ok((listen, None));
    };
    let said = args.certificate_key.as_ref().map(|path| path.display().to_string());
    let key = asking.text(said, "Its private key, a PEM file", None, "--certificate-key")?;
    Ok((listen, Some((existing(Path::new(&certificate))?, existing(Path::new(&key))?))))
}

/// From the root on, so that it means the same in a file that lies elsewhere.
fn existing(path: &Path) -> anyhow::Result<PathBuf> {
    let whole = absolute(path).with_context(|| format!("could not look for {}", path.display()))?;
    if !whole.is_file() {
        bail!("there is no file {}", whole.display());
    }
    Ok(whole)
}

/// The first word of a host, or the whole of an address.
fn host_word(endpoint: &str) -> String {
    let host = endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host);
    let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    name_of(if is_address { "db" } else { host.split('.').next().unwrap_or(host) })
}

/// What of a text may be a name.
fn name_of(text: &str) -> String {
    let fine = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let name: String = text.chars().filter(fine).take(63).collect();
    if name.is_empty() { "db".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> InitArgs {
        InitArgs {
            server: ServerArgs { endpoint: Some("db.internal:3306".to_owned()), ..ServerArgs::default() },
            accounts: AccountArgs { iam: true, ..AccountArgs::default() },
            ..InitArgs::default()
        }
    }

    fn refused(args: &InitArgs) -> String {
        collect(args, &Asking::new(true)).unwrap_err().to_string()
    }

    #[test]
    fn what_no_flag_says_takes_its_default() {
        let answers = collect(&args(), &Asking::new(true)).unwrap();
        let server = &answers.server;
        assert_eq!(
            (server.dialect, server.name.as_str(), server.environment.as_str()),
            (Dialect::Mysql, "db", "prod")
        );
        assert_eq!(answers.listen.to_string(), "127.0.0.1:6306");
        assert_eq!(answers.accounts.len(), 1);
        assert!(
            matches!(&answers.accounts[0], Account { user, proof: Proof::Tokens, .. } if user == "tidegate_read")
        );
    }

    #[test]
    fn what_has_no_default_is_asked_for_by_its_flag() {
        let mut without = args();
        without.server.endpoint = None;
        assert!(refused(&without).contains("--endpoint"));
        let mut without = args();
        without.accounts.iam = false;
        assert!(refused(&without).contains("--password-file read=FILE"));
        let mut odd = args();
        odd.accounts.password_env.push((Lane::Write, "W".to_owned()));
        assert!(refused(&odd).contains("--write-user"));
    }

    #[test]
    fn people_of_other_machines_need_a_certificate() {
        let mut far = args();
        far.door.listen = Some("0.0.0.0:6306".parse().unwrap());
        assert!(refused(&far).contains("plain text"));
    }

    #[test]
    fn a_target_is_called_by_its_database_or_its_host() {
        assert_eq!(host_word("hr.cluster-1.eu-central-1.rds.amazonaws.com:5432"), "hr");
        assert_eq!(host_word("[::1]:5432"), "db");
        assert_eq!(name_of("hr prod/1"), "hrprod1");
    }
}
