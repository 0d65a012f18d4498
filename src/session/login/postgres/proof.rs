//! Whether clients are who they say.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

use crate::{
    model::identity::{AdmitTokens, WhereTokensComeFrom},
    net::Stream,
    session::login::{
        claim::{Claim, Proven, by_certificate, by_token},
        door::{Authentication, Door},
        error::{Denial, LoginError},
        line::{gone, say},
    },
    wire::{
        WireError,
        postgres::{
            backend,
            frame::{self, Fields, HEADER_BYTES},
            oauth, scram,
        },
    },
};

/// Asks for a proof that the client is `user`.
///
/// A client certificate that our authority signed is the proof or the end of the matter: no password is asked for.
/// Beside the proof comes what must be sent before AuthenticationOk.
pub(super) async fn prove(
    stream: &mut Stream,
    user: &str,
    end_point: Option<&[u8]>,
    door: &Door,
) -> Result<(Proven, BytesMut), LoginError> {
    if let Some(certificate) = stream.peer_certificate() {
        return Ok((by_certificate(certificate, user, door)?, BytesMut::new()));
    }
    let claim = Claim::of(user, door);
    match door.authentication {
        Authentication::Cleartext => {
            in_clear(stream, user, claim, door).await.map(|proven| (proven, BytesMut::new()))
        }
        Authentication::Oauth => by_oauth(stream, user, door).await.map(|proven| (proven, BytesMut::new())),
        // The other protocol's: a listener of this one is never set to them, and if it were, this is the safe one.
        Authentication::CachingSha2 | Authentication::Native | Authentication::Scram => {
            by_scram(stream, claim, end_point, door).await
        }
    }
}

/// OAUTHBEARER: who has no token, or a wrong one, is told where to get one before the login fails.
///
/// It stands alone: libpq takes the first mechanism that it knows, so beside SCRAM it would never be taken, and before
/// SCRAM nobody with a password would get in.
async fn by_oauth(stream: &mut Stream, user: &str, door: &Door) -> Result<Proven, LoginError> {
    if stream.tls_version().is_none() {
        return Err(LoginError::ClearWithoutTls);
    }
    // closed: nobody whose tokens could be believed
    let tokens = door.tokens.as_deref().ok_or(Denial::NoCredentials)?;
    let mut out = BytesMut::new();
    backend::authentication_sasl(&mut out, &[oauth::MECHANISM]);
    say(stream, &out).await?;
    let judged = match oauth::ClientFirst::read(&read_answer(stream).await?)?.token {
        Some(token) => by_token(token.expose(), user, tokens).await,
        None => Err(LoginError::NoToken),
    };
    match judged {
        Ok(proven) => Ok(proven),
        Err(LoginError::NoToken) => {
            tell_where(stream, tokens).await?;
            Err(LoginError::NoToken)
        }
        Err(refused) => {
            // Whoever leaves now, or says nothing, has failed all the same.
            let _ = tokio::time::timeout(ACKNOWLEDGED_WITHIN, tell_where(stream, tokens)).await;
            Err(refused)
        }
    }
}

/// Tells where tokens come from, and waits until the client has heard it.
async fn tell_where(stream: &mut Stream, tokens: &dyn AdmitTokens) -> Result<(), LoginError> {
    let WhereTokensComeFrom { configuration, scope } = tokens.source();
    let mut out = BytesMut::new();
    backend::authentication_sasl_continue(&mut out, oauth::challenge(&configuration, &scope).as_bytes());
    say(stream, &out).await?;
    Ok(oauth::read_acknowledgement(&read_answer(stream).await?)?)
}

async fn by_scram(
    stream: &mut Stream,
    claim: Claim,
    end_point: Option<&[u8]>,
    door: &Door,
) -> Result<(Proven, BytesMut), LoginError> {
    let mut out = BytesMut::new();
    backend::authentication_sasl(&mut out, scram::Mechanism::offered(end_point.is_some()));
    say(stream, &out).await?;
    let first = scram::ClientFirst::read(&read_answer(stream).await?, end_point)?;
    let first = first.answer(&nonce()?, &claim.salt, claim.iterations);
    out.clear();
    backend::authentication_sasl_continue(&mut out, first.message().as_bytes());
    say(stream, &out).await?;
    let accepted = first.verify(&read_answer(stream).await?, &claim.keys())?;
    let proven = claim.judge(accepted.as_ref().map(|it| it.which), door.clock.now())?;
    out.clear();
    if let Some(accepted) = accepted {
        backend::authentication_sasl_final(&mut out, accepted.message.as_bytes());
    }
    Ok((proven, out))
}

async fn in_clear(stream: &mut Stream, user: &str, claim: Claim, door: &Door) -> Result<Proven, LoginError> {
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
    claim.by_password(password, user, door).await
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

/// How long a client with a wrong token may take to hear why.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(2);

/// The longest answer to a question for proof, with its header.
const MOST_ANSWER_BYTES: usize = 16 * 1024;
