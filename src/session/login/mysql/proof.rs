//! Whether clients are who they say.

use std::sync::Arc;
use zeroize::Zeroizing;

use super::{
    exchange::Exchange,
    lobby::Lobby,
    opening::{method, nonce},
};
use crate::{
    model::secret::Secret,
    session::login::{
        claim::{Claim, Proven, by_certificate, by_token_as_password},
        door::Door,
        error::{Denial, LoginError},
    },
    wire::mysql::{
        auth::{AuthMethod, cleartext, fast_key},
        greeting::Nonce,
        handshake::{AuthState, CACHING_KEY_REQUEST, auth_more, auth_switch},
    },
};

/// What a client has shown with its login packet.
pub(super) struct Shown {
    pub(super) user: String,
    /// The method that the proof is of; empty where the client knows of none.
    pub(super) plugin: String,
    pub(super) proof: Secret<Vec<u8>>,
    /// What the proof is bound to.
    pub(super) nonce: Nonce,
}

/// Asks for a proof that the client is whom it says.
///
/// A client certificate that our authority signed is the proof or the end of the matter: no password is asked for.
/// `shown.nonce` is the last one used at the end.
pub(super) async fn prove(
    exchange: &mut Exchange<'_>,
    shown: &mut Shown,
    door: &Door,
    lobby: &Lobby,
) -> Result<Proven, LoginError> {
    if let Some(certificate) = exchange.stream.peer_certificate() {
        return by_certificate(certificate, &shown.user, door);
    }
    let claim = Claim::of(&shown.user, door);
    let method = method(door.authentication);
    match method {
        AuthMethod::CachingSha2 | AuthMethod::Sha256 => {
            by_caching_sha2(exchange, shown, claim, door, lobby).await
        }
        AuthMethod::Cleartext => {
            if exchange.stream.tls_version().is_none() {
                return Err(LoginError::ClearWithoutTls);
            }
            let answer = asked(exchange, shown, method).await?;
            let password = Zeroizing::new(cleartext(&answer)?.to_vec());
            claim.by_password(password, &shown.user, door).await
        }
        AuthMethod::Native => {
            let answer = asked(exchange, shown, method).await?;
            let which = claim.matching_native(&answer, &shown.nonce);
            claim.judge(which, door.clock.now())
        }
    }
}

/// The proof of `method` that the client has shown, or is asked for now.
async fn asked(
    exchange: &mut Exchange<'_>,
    shown: &mut Shown,
    method: AuthMethod,
) -> Result<Zeroizing<Vec<u8>>, LoginError> {
    if shown.plugin == method.plugin() {
        return Ok(Zeroizing::new(shown.proof.expose().clone()));
    }
    shown.nonce = nonce()?;
    let nonce = shown.nonce;
    let data: &[u8] = if method == AuthMethod::Cleartext { &[] } else { &nonce };
    exchange.say(|out, sequence| auth_switch(out, sequence, method.plugin(), data)).await?;
    exchange.read().await
}

async fn by_caching_sha2(
    exchange: &mut Exchange<'_>,
    shown: &mut Shown,
    claim: Claim,
    door: &Door,
    lobby: &Lobby,
) -> Result<Proven, LoginError> {
    let proof = asked(exchange, shown, AuthMethod::CachingSha2).await?;
    let known = lobby.recognizes(&shown.user, claim.credentials(), &proof, &shown.nonce);
    if known.is_some() {
        let proven = claim.judge(known, door.clock.now())?;
        exchange.say(|out, sequence| auth_more(out, sequence, AuthState::FastPath.data())).await?;
        return Ok(proven);
    }
    exchange.say(|out, sequence| auth_more(out, sequence, AuthState::FullPath.data())).await?;
    let password = full_password(exchange, &shown.nonce, lobby).await?;
    // Only inside TLS does a password arrive that is as long as a token; outside it would have been readable.
    if exchange.stream.tls_version().is_some()
        && let Some(proven) = by_token_as_password(&password, &shown.user, door).await
    {
        return proven;
    }
    let key = fast_key(&password);
    let (claim, which) = claim.matching(password).await?;
    let proven = claim.judge(which, door.clock.now())?;
    if let Some(which) = which {
        lobby.remember(&proven.principal, which, key);
    }
    Ok(proven)
}

/// The password itself: in clear inside TLS, hidden with the gateway's key without.
async fn full_password(
    exchange: &mut Exchange<'_>,
    nonce: &Nonce,
    lobby: &Lobby,
) -> Result<Zeroizing<Vec<u8>>, LoginError> {
    let mut answer = exchange.read().await?;
    if exchange.stream.tls_version().is_some() {
        return Ok(Zeroizing::new(cleartext(&answer)?.to_vec()));
    }
    if *answer == [CACHING_KEY_REQUEST] {
        let key = lobby.key().public_pem().as_bytes();
        exchange.say(|out, sequence| auth_more(out, sequence, key)).await?;
        answer = exchange.read().await?;
    }
    let (key, nonce) = (Arc::clone(lobby.key()), *nonce);
    // A millisecond of arithmetic would hold up the other sessions of this thread.
    let opened = tokio::task::spawn_blocking(move || key.open(&answer, &nonce));
    let opened = opened.await.map_err(|source| LoginError::Compare { source })?;
    // A password that cannot be read is a wrong one: whether the key or the padding is at fault is nobody's business.
    opened.map(|password| Zeroizing::new(password.expose().clone())).ok_or_else(|| Denial::Wrong.into())
}
