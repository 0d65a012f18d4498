//! Whether clients are who they say.

use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::BytesMut;
use jiff::Timestamp;
use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

use super::{
    door::{Authentication, Door},
    error::{Denial, LoginError},
    opening::{gone, say},
};
use crate::{
    model::{
        ids::TokenId,
        principal::{Principal, ScramKeys},
        secret::Secret,
    },
    net::{Stream, tls::identities},
    wire::{
        WireError,
        postgres::{
            backend,
            frame::{self, Fields, HEADER_BYTES},
            scram,
        },
    },
};

/// A proof that holds.
#[derive(Debug)]
pub(super) struct Proven {
    pub(super) principal: Arc<Principal>,
    /// As audited.
    pub(super) method: String,
    /// What must be sent before AuthenticationOk.
    pub(super) last_words: BytesMut,
}

/// Asks for a proof that the client is `user`.
///
/// A client certificate that our authority signed is the proof or the end of the matter: no password is asked for.
pub(super) async fn prove(
    stream: &mut Stream,
    user: &str,
    end_point: Option<&[u8]>,
    door: &Door,
) -> Result<Proven, LoginError> {
    if let Some(certificate) = stream.peer_certificate() {
        return by_certificate(identities(certificate)?, user, door);
    }
    let claim = Claim::of(user, door);
    match door.authentication {
        Authentication::Cleartext => in_clear(stream, claim, door).await,
        Authentication::Scram => by_scram(stream, claim, end_point, door).await,
    }
}

fn by_certificate(names: Vec<String>, user: &str, door: &Door) -> Result<Proven, LoginError> {
    let snapshot = door.snapshot.load();
    match snapshot.principal_by_certificate(&names) {
        Some(principal) if principal.name.as_str() == user && principal.disabled => {
            Err(Denial::Disabled.into())
        }
        Some(principal) if principal.name.as_str() == user => {
            let subject = names.into_iter().next().unwrap_or_default();
            Ok(Proven {
                principal: Arc::clone(principal),
                method: format!("certificate:{subject}"),
                last_words: BytesMut::new(),
            })
        }
        Some(_) | None => Err(Denial::Certificate { names }.into()),
    }
}

async fn by_scram(
    stream: &mut Stream,
    claim: Claim,
    end_point: Option<&[u8]>,
    door: &Door,
) -> Result<Proven, LoginError> {
    let mut out = BytesMut::new();
    backend::authentication_sasl(&mut out, scram::Mechanism::offered(end_point.is_some()));
    say(stream, &out).await?;
    let first = scram::ClientFirst::read(&read_answer(stream).await?, end_point)?;
    let first = first.answer(&nonce()?, &claim.salt, claim.iterations);
    out.clear();
    backend::authentication_sasl_continue(&mut out, first.message().as_bytes());
    say(stream, &out).await?;
    let accepted = first.verify(&read_answer(stream).await?, &claim.keys())?;
    let mut proven = claim.judge(accepted.as_ref().map(|it| it.which), door.clock.now())?;
    if let Some(accepted) = accepted {
        backend::authentication_sasl_final(&mut proven.last_words, accepted.message.as_bytes());
    }
    Ok(proven)
}

async fn in_clear(stream: &mut Stream, claim: Claim, door: &Door) -> Result<Proven, LoginError> {
    if stream.tls_version().is_none() {
        return Err(LoginError::ClearWithoutTls);
    }
    let mut out = BytesMut::new();
    backend::authentication_cleartext_password(&mut out);
    say(stream, &out).await?;
    let answer = read_answer(stream).await?;
    let mut fields = Fields::new(&answer, "PasswordMessage");
    let password = Zeroizing::new(fields.text()?.as_bytes().to_vec());
    fields.end()?;
    // A millisecond of hashing would hold up the other sessions of this thread.
    let judged = tokio::task::spawn_blocking(move || {
        let which = scram::matching_password(&password, &claim.salt, claim.iterations, &claim.keys());
        (claim, which)
    });
    let (claim, which) = judged.await.map_err(|source| LoginError::Compare { source })?;
    claim.judge(which, door.clock.now())
}

/// A name somebody claims, and what would prove it; the same to look at whether the name exists or not.
struct Claim {
    principal: Option<Arc<Principal>>,
    salt: Vec<u8>,
    iterations: u32,
    mock: ScramKeys,
}

impl Claim {
    fn of(user: &str, door: &Door) -> Self {
        let principal = door.snapshot.load().principal(user).cloned();
        // Made for everybody, so that it takes everybody the same time.
        let salt = scram::mock_salt(door.mock_secret.expose(), user).to_vec();
        let mock = ScramKeys { stored_key: Secret::new([0; 32]), server_key: Secret::new([0; 32]) };
        match &principal {
            Some(known) if has_keys(known) => {
                let (salt, iterations) = (known.credentials.salt.clone(), known.credentials.iterations);
                Self { principal, salt, iterations, mock }
            }
            Some(_) | None => Self { principal, salt, iterations: scram::DEFAULT_ITERATIONS, mock },
        }
    }

    /// The mock keys, those of the password if there is one, those of the tokens, over or not.
    fn keys(&self) -> Vec<&ScramKeys> {
        let credentials = self.principal.iter().filter(|it| has_keys(it)).map(|it| &it.credentials);
        let real =
            credentials.flat_map(|it| it.password.iter().chain(it.tokens.iter().map(|token| &token.keys)));
        std::iter::once(&self.mock).chain(real).collect()
    }

    /// Says what it means that the key at `which` of [`Self::keys`] was matched.
    fn judge(self, which: Option<usize>, now: Timestamp) -> Result<Proven, LoginError> {
        let principal = self.principal.ok_or(Denial::Unknown)?;
        if !has_keys(&principal) {
            return Err(Denial::NoCredentials.into());
        }
        let passwords = usize::from(principal.credentials.password.is_some());
        let method = match which.map(|at| at.checked_sub(1)) {
            // Nobody has the mock keys.
            None | Some(None) => return Err(Denial::Wrong.into()),
            Some(Some(at)) if at < passwords => "password".to_owned(),
            Some(Some(at)) => {
                let token = principal.credentials.tokens.get(at - passwords).ok_or(Denial::Wrong)?;
                if token.ends_at <= now {
                    return Err(Denial::TokenOver { token: token.id }.into());
                }
                token_method(token.id)
            }
        };
        if principal.disabled {
            return Err(Denial::Disabled.into());
        }
        Ok(Proven { principal, method, last_words: BytesMut::new() })
    }
}

fn has_keys(principal: &Principal) -> bool {
    let credentials = &principal.credentials;
    credentials.password.is_some() || !credentials.tokens.is_empty()
}

fn token_method(token: TokenId) -> String {
    format!("token:{token}")
}

/// Reads the body of one PasswordMessage, SASLInitialResponse or SASLResponse, and not a byte more.
async fn read_answer(stream: &mut Stream) -> Result<Zeroizing<Vec<u8>>, LoginError> {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).await.map_err(gone)?;
    let tag = header.first().copied().unwrap_or_default();
    if tag != b'p' {
        return Err(WireError::Unexpected { tag }.into());
    }
    let length =
        frame::header(&header, MOST_ANSWER_BYTES)?.map_or(0, |header| header.total_bytes - HEADER_BYTES);
    let mut body = Zeroizing::new(vec![0; length]);
    stream.read_exact(&mut body).await.map_err(gone)?;
    Ok(body)
}

/// 144 random bits in base64, which has no comma.
fn nonce() -> Result<String, LoginError> {
    let mut bytes = [0; 18];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| LoginError::Random)?;
    Ok(BASE64_STANDARD.encode(bytes))
}

/// The longest answer to a question for proof, with its header.
const MOST_ANSWER_BYTES: usize = 16 * 1024;
