//! What all MySQL listeners share beside their doors: a key, and what is remembered of logins.

use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::{
    model::{
        ids::PrincipalName,
        principal::{Credentials, Principal},
        secret::Secret,
    },
    wire::mysql::{
        auth::{FastKey, NoKey, ServerKey, fast_proves},
        greeting::Nonce,
    },
};

/// Shared by all MySQL listeners of a gateway.
#[derive(Debug)]
pub struct Lobby {
    key: Arc<ServerKey>,
    /// By principal: what of its credentials was proved in full, oldest first.
    proved: Cache<PrincipalName, Arc<[Proved]>>,
}

/// A proof in full that went well.
#[derive(Clone, Debug)]
struct Proved {
    /// The credentials that it held for; with any others it is worth nothing.
    credentials: Arc<Credentials>,
    /// Which of them.
    which: usize,
    key: FastKey,
}

impl Lobby {
    /// Makes a new RSA key of 2048 bits, and remembers nothing yet. Takes tens of milliseconds.
    ///
    /// # Errors
    /// `NoKey` when the crypto library fails.
    pub fn new() -> Result<Self, NoKey> {
        Ok(Self { key: Arc::new(ServerKey::generate()?), proved: Cache::new(MOST_PRINCIPALS) })
    }

    /// The key that clients without TLS hide their password with.
    pub(super) const fn key(&self) -> &Arc<ServerKey> {
        &self.key
    }

    /// Which of `credentials` `proof` is of, if that was proved in full before. The work is that of one comparison at
    /// least, for names that do not exist, too.
    pub(super) fn recognizes(
        &self,
        user: &str,
        credentials: Option<&Arc<Credentials>>,
        proof: &[u8],
        nonce: &Nonce,
    ) -> Option<usize> {
        let nobody = fast_proves(proof, nonce, &Secret::new([0; 32]));
        let known = self.proved.get(user)?;
        let credentials = credentials?;
        let mut valid = known.iter().filter(|it| *it.credentials == **credentials);
        let found = valid.find(|it| fast_proves(proof, nonce, &it.key))?;
        (!nobody).then_some(found.which)
    }

    /// Remembers that `key` proves what stands at `which` among the keys of `principal`.
    pub(super) fn remember(&self, principal: &Principal, which: usize, key: FastKey) {
        let credentials = &principal.credentials;
        let known = self.proved.get(&*principal.name);
        let kept = known.iter().flat_map(|known| known.iter());
        // What was proved by credentials that changed since is let go.
        let kept = kept.filter(|it| *it.credentials == **credentials && it.which != which);
        let mut proved: Vec<Proved> = kept.cloned().collect();
        proved.push(Proved { credentials: Arc::clone(credentials), which, key });
        let over = proved.len().saturating_sub(MOST_OF_ONE);
        proved.drain(..over);
        self.proved.insert(principal.name.clone(), proved.into());
    }
}

/// Principals that are remembered.
const MOST_PRINCIPALS: usize = 4096;

/// Passwords and tokens of one principal that are remembered.
const MOST_OF_ONE: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::mysql::auth::{fast_key, fast_proof};

    const NONCE: Nonce = *b"abcdefghijklmnopqrst";

    fn principal(name: &str, salt: u8) -> Principal {
        Principal {
            name: PrincipalName::from(name),
            groups: Vec::new(),
            attributes: [].into(),
            disabled: false,
            credentials: Arc::new(Credentials { salt: vec![salt; 16], ..Credentials::default() }),
        }
    }

    fn which(lobby: &Lobby, principal: &Principal, password: &str) -> Option<usize> {
        let proof = fast_proof(password.as_bytes(), &NONCE);
        lobby.recognizes(&principal.name, Some(&principal.credentials), &proof, &NONCE)
    }

    #[test]
    fn what_was_proved_is_recognized_until_the_credentials_change() {
        let lobby = Lobby::new().unwrap();
        let dana = principal("dana", 1);
        assert_eq!(which(&lobby, &dana, "secret"), None);
        lobby.remember(&dana, 1, fast_key(b"secret"));
        lobby.remember(&dana, 2, fast_key(b"token"));
        assert_eq!(which(&lobby, &dana, "secret"), Some(1));
        assert_eq!(which(&lobby, &dana, "token"), Some(2));
        assert_eq!(which(&lobby, &dana, "other"), None);
        assert_eq!(which(&lobby, &principal("erin", 1), "secret"), None);
        // The same credentials in a newer snapshot are still the same.
        assert_eq!(which(&lobby, &principal("dana", 1), "secret"), Some(1));
        assert_eq!(which(&lobby, &principal("dana", 2), "secret"), None);
        let proof = fast_proof(b"secret", &NONCE);
        assert_eq!(lobby.recognizes("dana", None, &proof, &NONCE), None);
    }

    #[test]
    fn of_one_principal_only_so_much_is_remembered() {
        let lobby = Lobby::new().unwrap();
        let dana = principal("dana", 1);
        for at in 0..=MOST_OF_ONE {
            lobby.remember(&dana, at, fast_key(format!("secret{at}").as_bytes()));
        }
        assert_eq!(which(&lobby, &dana, "secret0"), None);
        assert_eq!(which(&lobby, &dana, "secret1"), Some(1));
    }
}
