//! What accounts log in with: passwords from files and variables, or tokens.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_saphyr::Spanned;
use zeroize::Zeroize;

use super::{
    check::{Place, line},
    error::{ConfigError, Problem},
    raw::RawAccount,
    settings::{Account, Credential, Iam},
};
use crate::model::secret::Secret;

/// Reads one account and its password; without one it logs in with `tokens`, if the target has them.
pub(super) fn account(
    place: &mut Place<'_>,
    key: &str,
    raw: &Spanned<RawAccount>,
    tokens: Option<&Iam>,
) -> Result<Account, ConfigError> {
    let user = user(place, key, raw)?;
    let credential = match (password(place, key, raw)?, tokens) {
        (Some(password), _) => Credential::Password(password),
        (None, Some(iam)) => Credential::Iam(iam.clone()),
        (None, None) => return Err(place.at(line(raw), key, Problem::PasswordSource)),
    };
    Ok(Account { user, credential })
}

/// The name of an account.
pub(super) fn user(place: &Place<'_>, key: &str, raw: &Spanned<RawAccount>) -> Result<String, ConfigError> {
    let user = raw.value.user.value.clone();
    if user.is_empty() {
        return Err(place.at(line(&raw.value.user), &format!("{key}.user"), Problem::Empty));
    }
    Ok(user)
}

/// The password of an account, if it has one.
pub(super) fn password(
    place: &mut Place<'_>,
    key: &str,
    raw: &Spanned<RawAccount>,
) -> Result<Option<Secret<String>>, ConfigError> {
    match (&raw.value.password_file, &raw.value.password_env) {
        (Some(file), None) => from_file(place, &format!("{key}.password"), file).map(Some),
        (None, Some(variable)) => from_environment(place, &format!("{key}.password"), variable).map(Some),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(place.at(line(raw), key, Problem::PasswordSource)),
    }
}

/// The secret in a file or in a variable; it is in one of them, which `keys` are called.
pub(super) fn one_of(
    place: &mut Place<'_>,
    at: u64,
    key: &str,
    written: (&Option<Spanned<String>>, &Option<Spanned<String>>),
    keys: &'static [&'static str],
) -> Result<Secret<String>, ConfigError> {
    match written {
        (Some(file), None) => from_file(place, key, file),
        (None, Some(variable)) => from_environment(place, key, variable),
        (None, None) | (Some(_), Some(_)) => Err(place.at(at, key, Problem::OneOf { keys })),
    }
}

/// The secret in a file; `key` is what its key begins with.
pub(super) fn from_file(
    place: &mut Place<'_>,
    key: &str,
    file: &Spanned<String>,
) -> Result<Secret<String>, ConfigError> {
    let path = place.beside(&file.value);
    let unreadable = |source| ConfigError::PasswordFile {
        file: place.file.to_owned(),
        line: line(file),
        password_file: path.clone(),
        source,
    };
    let mut text = fs::read_to_string(&path).map_err(unreadable)?;
    // The line end that an editor puts there is no part of the password; anything else may be.
    let password =
        text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    let password = Secret::new(password.to_owned());
    text.zeroize();
    if password.expose().is_empty() {
        return Err(place.at(line(file), &format!("{key}_file"), Problem::PasswordEmpty { file: path }));
    }
    if readable_by_others(&path) {
        place.warnings.push(format!(
            "{}:{}: {key}_file: \"{}\" can be read by others: chmod 600 it",
            place.file.display(),
            line(file),
            path.display()
        ));
    }
    Ok(password)
}

/// The secret in a variable; `key` is what its key begins with.
pub(super) fn from_environment(
    place: &Place<'_>,
    key: &str,
    variable: &Spanned<String>,
) -> Result<Secret<String>, ConfigError> {
    (place.environment)(&variable.value).filter(|password| !password.is_empty()).map(Secret::new).ok_or_else(
        || {
            let problem = Problem::PasswordVariable { variable: variable.value.clone() };
            place.at(line(variable), &format!("{key}_env"), problem)
        },
    )
}

fn readable_by_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o044 != 0)
}
