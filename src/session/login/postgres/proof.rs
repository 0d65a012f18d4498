//! Whether clients are who they say.

use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

use crate::{
    net::Stream,
    session::login::{
        claim::{Claim, Proven, by_certificate},
        door::{Authentication, Door},
        error::LoginError,
        line::{gone, say},
    },
    wire::{
        WireError,
        postgres::{
            backend,
            frame::{self, Fields, HEADER_BYTES},
            scram,
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
            in_clear(stream, claim, door).await.map(|proven| (proven, BytesMut::new()))
        }
        // The other protocol's: a listener of this one is never set to them, and if it were, this is the safe one.
        Authentication::CachingSha2 | Authentication::Native | Authentication::Scram => {
            by_scram(stream, claim, end_point, door).await
        }
    }
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
    claim.by_password(password, door.clock.now()).await
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
