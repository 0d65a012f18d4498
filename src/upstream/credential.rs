//! What an upstream account proves itself with.

use std::{path::PathBuf, sync::Arc};

use tokio::io::AsyncReadExt;

use super::{error::UpstreamError, iam::IamTokens};
use crate::model::secret::Secret;

/// The source of an account's secret; asked anew at every connect, so that it may change while we run.
#[derive(Clone, Debug)]
pub enum Credential {
    /// Login tokens of RDS and Aurora.
    Iam(Arc<IamTokens>),
    /// A password, held in memory.
    Password(Secret<String>),
    /// A file whose content, without the line end, is the password.
    PasswordFile(PathBuf),
}

impl Credential {
    /// The secret to log in with now.
    ///
    /// # Errors
    /// `Credential` if it cannot be read, is empty, not UTF-8, or longer than 64 KiB; `Token` if none can be made.
    pub async fn secret(&self) -> Result<Secret<String>, UpstreamError> {
        match self {
            Self::Iam(tokens) => tokens
                .token()
                .await
                .map_err(|source| UpstreamError::Token { account: tokens.account().user.clone(), source }),
            Self::Password(password) => Ok(password.clone()),
            Self::PasswordFile(path) => {
                let failed = |source| UpstreamError::Credential { path: path.clone(), source };
                let file = tokio::fs::File::open(path).await.map_err(failed)?;
                let mut text = Secret::new(String::new());
                let mut content = String::new();
                file.take(MAX_SECRET_BYTES + 1).read_to_string(&mut content).await.map_err(failed)?;
                if !content.trim_end_matches(['\r', '\n']).is_empty()
                    && content.len() as u64 <= MAX_SECRET_BYTES
                {
                    text = Secret::new(content.trim_end_matches(['\r', '\n']).to_owned());
                }
                zeroize::Zeroize::zeroize(&mut content);
                if text.expose().is_empty() {
                    return Err(failed(std::io::Error::new(
                        std::io::ErrorKind::InvalidData,
                        "it must hold a password of 1 to 65536 bytes",
                    )));
                }
                Ok(text)
            }
        }
    }

    /// The server refused it: what is remembered of it is not shown again.
    pub(crate) fn refused(&self) {
        match self {
            Self::Iam(tokens) => tokens.forget(),
            Self::Password(_) | Self::PasswordFile(_) => {}
        }
    }

    /// Whether it goes out as it is, and therefore over verified TLS only.
    pub(crate) const fn is_bare(&self) -> bool {
        matches!(self, Self::Iam(_))
    }
}

const MAX_SECRET_BYTES: u64 = 64 * 1024;
