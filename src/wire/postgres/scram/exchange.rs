//! The exchange: two messages of the client, two of ours.

use aws_lc_rs::hmac;
use base64::prelude::{BASE64_STANDARD, Engine};

use super::keys::{first_match, hash, mac, same};
use crate::{
    model::principal::ScramKeys,
    wire::{
        WireError,
        error::ScramProblem::{
            self, AuthorizationIdentity, ChannelBinding, Downgrade, Extension, Malformed, MechanismMismatch,
            Nonce,
        },
        postgres::frame::Fields,
    },
};

/// What a client can choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// SCRAM-SHA-256.
    Sha256,
    /// SCRAM-SHA-256-PLUS: bound to the TLS channel by `tls-server-end-point`.
    Sha256Plus,
}

impl Mechanism {
    /// The mechanisms to offer, the best first.
    pub const fn offered(channel_binding: bool) -> &'static [&'static str] {
        if channel_binding { &["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"] } else { &["SCRAM-SHA-256"] }
    }

    fn named(name: &str, channel_binding: bool) -> Result<Self, ScramProblem> {
        match name {
            "SCRAM-SHA-256" => Ok(Self::Sha256),
            "SCRAM-SHA-256-PLUS" if channel_binding => Ok(Self::Sha256Plus),
            _ => Err(ScramProblem::Mechanism),
        }
    }
}

/// The client's first message, read.
#[derive(Debug)]
pub struct ClientFirst {
    bare: String,
    nonce: String,
    /// What the client's last message must say of the channel.
    binding: String,
}

impl ClientFirst {
    /// Reads the body of a SASLInitialResponse. `end_point` is the channel-binding data of this connection, given
    /// exactly when SCRAM-SHA-256-PLUS was offered.
    ///
    /// # Errors
    /// `Malformed` or `NotUtf8` for the message around it, `Scram` for what is in it.
    pub fn read(body: &[u8], end_point: Option<&[u8]>) -> Result<Self, WireError> {
        let mut fields = Fields::new(body, "SASLInitialResponse");
        let mechanism = Mechanism::named(fields.text()?, end_point.is_some())?;
        let length = usize::try_from(fields.int32()?).map_err(|_| Malformed)?;
        let message = fields.bytes(length)?;
        fields.end()?;
        Ok(Self::read_message(mechanism, message, end_point)?)
    }

    fn read_message(
        mechanism: Mechanism,
        message: &[u8],
        end_point: Option<&[u8]>,
    ) -> Result<Self, ScramProblem> {
        let message = std::str::from_utf8(message).map_err(|_| Malformed)?;
        let mut parts = message.splitn(3, ',');
        let (Some(flag), Some(identity), Some(bare)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Malformed);
        };
        let binding = channel(mechanism, flag, end_point)?;
        match identity {
            "" => {}
            _ if identity.starts_with("a=") => return Err(AuthorizationIdentity),
            _ => return Err(Malformed),
        }
        let mut attributes = bare.split(',');
        match attributes.next() {
            // The name in here is not used: the startup message has it.
            Some(name) if name.starts_with("n=") => {}
            Some(extension) if extension.starts_with("m=") => return Err(Extension),
            _ => return Err(Malformed),
        }
        let nonce = attributes.next().and_then(|it| it.strip_prefix("r=")).ok_or(Malformed)?;
        if nonce.is_empty() || !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Malformed);
        }
        attributes.try_for_each(optional)?;
        Ok(Self { bare: bare.to_owned(), nonce: nonce.to_owned(), binding })
    }

    /// Our first message. `server_nonce` is printable ASCII without commas, new for every exchange.
    pub fn answer(self, server_nonce: &str, salt: &[u8], iterations: u32) -> ServerFirst {
        let nonce = format!("{}{server_nonce}", self.nonce);
        let message = format!("r={nonce},s={},i={iterations}", BASE64_STANDARD.encode(salt));
        ServerFirst { client_first_bare: self.bare, binding: self.binding, nonce, message }
    }
}

/// Our first message, sent.
#[derive(Debug)]
pub struct ServerFirst {
    client_first_bare: String,
    binding: String,
    nonce: String,
    message: String,
}

/// A proof that holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Which of the keys it was.
    pub which: usize,
    /// Our last message.
    pub message: String,
}

impl ServerFirst {
    /// The message to send in AuthenticationSASLContinue.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Reads the client's last message (the body of a SASLResponse) and tries its proof on all of `keys`.
    ///
    /// `Ok(None)` when it proves none of them. The work depends on the count of keys only: give at least one.
    ///
    /// # Errors
    /// `Scram`.
    pub fn verify(&self, message: &[u8], keys: &[&ScramKeys]) -> Result<Option<Accepted>, WireError> {
        let (without_proof, proof) = self.read_final(message)?;
        let authenticated = format!("{},{},{without_proof}", self.client_first_bare, self.message);
        let which = first_match(keys.iter().map(|keys| {
            let signature = mac(&hmac_key(keys.stored_key.expose()), authenticated.as_bytes());
            let mut client_key = zeroize::Zeroizing::new(proof);
            client_key.iter_mut().zip(signature.iter()).for_each(|(byte, mask)| *byte ^= mask);
            same(&hash(client_key.as_ref()), keys.stored_key.expose())
        }));
        Ok(which.and_then(|which| keys.get(which).map(|keys| (which, keys))).map(|(which, keys)| {
            let signature = mac(&hmac_key(keys.server_key.expose()), authenticated.as_bytes());
            Accepted { which, message: format!("v={}", BASE64_STANDARD.encode(signature.as_ref())) }
        }))
    }

    fn read_final<'a>(&self, message: &'a [u8]) -> Result<(&'a str, [u8; 32]), ScramProblem> {
        let message = std::str::from_utf8(message).map_err(|_| Malformed)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next().and_then(|it| it.strip_prefix("c=")).ok_or(Malformed)?;
        if BASE64_STANDARD.decode(binding).is_err() {
            return Err(Malformed);
        }
        let nonce = attributes.next().and_then(|it| it.strip_prefix("r=")).ok_or(Malformed)?;
        attributes.try_for_each(optional)?;
        let proof = BASE64_STANDARD.decode(proof).ok().and_then(|it| it.try_into().ok()).ok_or(Malformed)?;
        if binding != self.binding {
            return Err(ChannelBinding);
        }
        if nonce != self.nonce {
            return Err(Nonce);
        }
        Ok((without_proof, proof))
    }
}

/// What the last message must carry as `c=` for the channel-binding flag of the first.
///
/// Source: RFC 5802, section 6.
fn channel(mechanism: Mechanism, flag: &str, end_point: Option<&[u8]>) -> Result<String, ScramProblem> {
    match (flag, mechanism, end_point) {
        ("n", Mechanism::Sha256, _) => Ok(BASE64_STANDARD.encode("n,,")),
        ("y", Mechanism::Sha256, None) => Ok(BASE64_STANDARD.encode("y,,")),
        // Somebody between us took PLUS off the offer.
        ("y", Mechanism::Sha256, Some(_)) => Err(Downgrade),
        ("p=tls-server-end-point", Mechanism::Sha256Plus, Some(end_point)) => {
            let header = [b"p=tls-server-end-point,,".as_slice(), end_point].concat();
            Ok(BASE64_STANDARD.encode(header))
        }
        ("n" | "y", Mechanism::Sha256Plus, _) => Err(MechanismMismatch),
        (_, Mechanism::Sha256, _) if flag.starts_with("p=") => Err(MechanismMismatch),
        (_, Mechanism::Sha256Plus, _) if flag.starts_with("p=") => Err(ChannelBinding),
        (_, Mechanism::Sha256 | Mechanism::Sha256Plus, _) => Err(Malformed),
    }
}

/// An attribute that may stand where the standard leaves room, and means nothing to us.
fn optional(attribute: &str) -> Result<(), ScramProblem> {
    match attribute.as_bytes() {
        [b'm', b'=', ..] => Err(Extension),
        [letter, b'=', ..] if letter.is_ascii_alphabetic() => Ok(()),
        _ => Err(Malformed),
    }
}

fn hmac_key(bytes: &[u8; 32]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::postgres::scram::scram_keys;

    fn initial(mechanism: &str, message: &str) -> Vec<u8> {
        let mut body = mechanism.as_bytes().to_vec();
        body.push(0);
        body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        body.extend(message.as_bytes());
        body
    }

    fn read(mechanism: &str, message: &str, end_point: Option<&[u8]>) -> Result<ClientFirst, WireError> {
        ClientFirst::read(&initial(mechanism, message), end_point)
    }

    fn problem<T: std::fmt::Debug>(result: Result<T, WireError>) -> ScramProblem {
        match result.unwrap_err() {
            WireError::Scram(problem) => problem,
            other => panic!("{other}"),
        }
    }

    const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";
    const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                         p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    /// The exchange of RFC 7677, section 3.
    fn rfc() -> (ServerFirst, ScramKeys) {
        let salt = BASE64_STANDARD.decode(SALT).unwrap();
        let first = read("SCRAM-SHA-256", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO", None).unwrap();
        (first.answer(SERVER_NONCE, &salt, 4096), scram_keys(b"pencil", &salt, 4096))
    }

    #[test]
    fn the_exchange_of_the_standard_is_accepted() {
        let (server, keys) = rfc();
        assert_eq!(
            server.message(),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let accepted = server.verify(FINAL.as_bytes(), &[&keys]).unwrap().unwrap();
        assert_eq!(accepted.message, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn the_proof_is_found_among_several_keys_and_only_there() {
        let (server, keys) = rfc();
        let other = scram_keys(b"pen", &BASE64_STANDARD.decode(SALT).unwrap(), 4096);
        assert_eq!(server.verify(FINAL.as_bytes(), &[&other, &keys]).unwrap().unwrap().which, 1);
        assert_eq!(server.verify(FINAL.as_bytes(), &[&other]).unwrap(), None);
        assert_eq!(server.verify(FINAL.as_bytes(), &[]).unwrap(), None);
    }

    #[test]
    fn a_last_message_with_any_byte_changed_is_never_accepted() {
        let (server, keys) = rfc();
        for at in 0..FINAL.len() {
            for flip in [1_u8, 2, 0x20, 0x80] {
                let mut bytes = FINAL.as_bytes().to_vec();
                bytes[at] ^= flip;
                assert!(!matches!(server.verify(&bytes, &[&keys]), Ok(Some(_))), "byte {at} ^ {flip}");
            }
            assert!(
                !matches!(server.verify(&FINAL.as_bytes()[..at], &[&keys]), Ok(Some(_))),
                "first {at} bytes"
            );
        }
    }

    #[test]
    fn the_channel_binding_flag_must_fit_mechanism_and_offer() {
        const FIRST: &str = "n=,r=abc";
        let end = Some(b"hash".as_slice());
        for (mechanism, flag, end_point, expected) in [
            ("SCRAM-SHA-256", "n", None, None),
            ("SCRAM-SHA-256", "n", end, None),
            ("SCRAM-SHA-256", "y", None, None),
            ("SCRAM-SHA-256-PLUS", "p=tls-server-end-point", end, None),
            ("SCRAM-SHA-256", "y", end, Some(Downgrade)),
            ("SCRAM-SHA-256", "p=tls-server-end-point", end, Some(MechanismMismatch)),
            ("SCRAM-SHA-256-PLUS", "n", end, Some(MechanismMismatch)),
            ("SCRAM-SHA-256-PLUS", "y", end, Some(MechanismMismatch)),
            ("SCRAM-SHA-256-PLUS", "p=tls-unique", end, Some(ChannelBinding)),
            ("SCRAM-SHA-256-PLUS", "p=tls-server-end-point", None, Some(ScramProblem::Mechanism)),
            ("SCRAM-SHA-1", "n", None, Some(ScramProblem::Mechanism)),
            ("SCRAM-SHA-256", "x", None, Some(Malformed)),
        ] {
            let result = read(mechanism, &format!("{flag},,{FIRST}"), end_point);
            match expected {
                None => assert!(result.is_ok(), "{mechanism} {flag}"),
                Some(expected) => assert_eq!(problem(result), expected, "{mechanism} {flag}"),
            }
        }
    }

    #[test]
    fn another_channel_than_ours_is_refused_and_ours_is_not() {
        let answer = |end_point: &[u8]| {
            read("SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=,r=abc", Some(end_point))
                .unwrap()
                .answer("def", b"salt", 1)
        };
        let said = BASE64_STANDARD.encode(b"p=tls-server-end-point,,ours");
        let proof = BASE64_STANDARD.encode([0; 32]);
        let message = format!("c={said},r=abcdef,p={proof}");
        assert_eq!(answer(b"ours").verify(message.as_bytes(), &[]), Ok(None));
        assert_eq!(problem(answer(b"theirs").verify(message.as_bytes(), &[])), ChannelBinding);
    }

    #[test]
    fn first_messages_out_of_shape_are_refused() {
        for (message, expected) in [
            ("", Malformed),
            ("n", Malformed),
            ("n,,", Malformed),
            ("n,,n=", Malformed),
            ("n,,n=,r=", Malformed),
            ("n,,r=abc,n=", Malformed),
            ("n,,n=,r=ab\tc", Malformed),
            ("n,,n=,r=abc,", Malformed),
            ("n,,n=,r=abc,5=x", Malformed),
            ("n,b,n=,r=abc", Malformed),
            ("n,a=root,n=,r=abc", AuthorizationIdentity),
            ("n,,m=ext,n=,r=abc", Extension),
            ("n,,n=,r=abc,m=ext", Extension),
        ] {
            assert_eq!(problem(read("SCRAM-SHA-256", message, None)), expected, "{message:?}");
        }
        assert!(read("SCRAM-SHA-256", "n,,n=,r=abc,x=optional", None).is_ok());
    }

    #[test]
    fn last_messages_out_of_shape_are_refused() {
        let proof = BASE64_STANDARD.encode([0; 32]);
        let server = || read("SCRAM-SHA-256", "n,,n=,r=abc", None).unwrap().answer("def", b"salt", 1);
        for (message, expected) in [
            (format!("c=biws,r=abc,p={proof}"), Nonce),
            (format!("c=biws,r=abcdefg,p={proof}"), Nonce),
            (format!("c=eSws,r=abcdef,p={proof}"), ChannelBinding),
            (format!("c=!,r=abcdef,p={proof}"), Malformed),
            (format!("r=abcdef,c=biws,p={proof}"), Malformed),
            ("c=biws,r=abcdef".to_owned(), Malformed),
            ("c=biws,r=abcdef,p=AAAA".to_owned(), Malformed),
            (format!("c=biws,r=abcdef,p={proof},x=y"), Malformed),
            (format!("c=biws,r=abcdef,m=x,p={proof}"), Extension),
        ] {
            assert_eq!(problem(server().verify(message.as_bytes(), &[])), expected, "{message:?}");
        }
        let fine = format!("c=biws,r=abcdef,x=optional,p={proof}");
        assert_eq!(server().verify(fine.as_bytes(), &[]), Ok(None));
    }

    #[test]
    fn an_initial_response_without_a_message_or_with_more_than_it_says_is_refused() {
        let mut absent = b"SCRAM-SHA-256\0".to_vec();
        absent.extend((-1_i32).to_be_bytes());
        assert!(ClientFirst::read(&absent, None).is_err());
        let mut longer = initial("SCRAM-SHA-256", "n,,n=,r=abc");
        assert!(ClientFirst::read(&longer, None).is_ok());
        longer.push(b'x');
        assert!(ClientFirst::read(&longer, None).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic_or_prove_anything(bytes: Vec<u8>, text in "[a-z=,0-9p]{0,60}") {
            let _ = ClientFirst::read(&bytes, Some(b"end"));
            let _ = read("SCRAM-SHA-256", &text, None);
            let (server, keys) = (read("SCRAM-SHA-256", "n,,n=,r=a", None).unwrap().answer("b", b"s", 1), scram_keys(b"x", b"s", 1));
            for message in [&bytes, text.as_bytes()] {
                proptest::prop_assert!(!matches!(server.verify(message, &[&keys]), Ok(Some(_))));
            }
        }
    }
}
