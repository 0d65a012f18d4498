//! What clients send before they are sessions, split at every byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;
use tidegate::wire::{
    WireError,
    postgres::startup::{CancelRequest, Opening, Request, Startup},
};

const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;
const CANCEL: u32 = 80_877_102;

fn request(code: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 8).unwrap();
    [&length.to_be_bytes(), &code.to_be_bytes(), body].concat()
}

fn version(major: u16, minor: u16) -> u32 {
    (u32::from(major) << 16) | u32::from(minor)
}

fn parameters(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in pairs {
        body.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    body.push(0);
    body
}

fn startup(pairs: &[(&str, &str)]) -> Vec<u8> {
    request(version(3, 0), &parameters(pairs))
}

/// Feeds `bytes` in two parts, split at `at`; gives the request and what was left.
fn feed_split(opening: &mut Opening, bytes: &[u8], at: usize) -> Result<(Option<Request>, usize), WireError> {
    let (head, tail) = bytes.split_at(at);
    let mut input = head;
    if let Some(request) = opening.feed(&mut input)? {
        return Ok((Some(request), input.len() + tail.len()));
    }
    assert!(input.is_empty());
    let mut input = tail;
    Ok((opening.feed(&mut input)?, input.len()))
}

fn read(bytes: &[u8]) -> Result<Request, WireError> {
    let whole = Opening::new().feed(&mut &*bytes).map(|it| it.expect("a whole request"));
    for at in 0..=bytes.len() {
        let split =
            feed_split(&mut Opening::new(), bytes, at).map(|(request, _)| request.expect("a whole request"));
        assert_eq!(split, whole, "split at {at}");
    }
    whole
}

fn read_startup(bytes: &[u8]) -> Startup {
    match read(bytes).unwrap() {
        Request::Startup(startup) => startup,
        other => panic!("{other:?}"),
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn no_byte_behind_a_request_is_taken() {
    for code in [SSL, GSS] {
        let mut bytes = request(code, &[]);
        bytes.extend(startup(&[("user", "mallory")]));
        for at in 0..=bytes.len() {
            let (request, left) = feed_split(&mut Opening::new(), &bytes, at).unwrap();
            assert!(matches!(request, Some(Request::Ssl | Request::Gss)));
            assert_eq!(left, bytes.len() - 8, "split at {at}");
        }
    }
}

#[test]
fn what_is_wanted_never_reaches_past_the_request() {
    for bytes in [request(SSL, &[]), startup(&[("user", "dana")]), request(CANCEL, &[0; 8])] {
        let (mut opening, mut at) = (Opening::new(), 0);
        loop {
            let wanted = opening.wanted();
            assert!(wanted > 0 && at + wanted <= bytes.len());
            let end = at + wanted;
            if opening.feed(&mut &bytes[at..end]).unwrap().is_some() {
                assert_eq!(end, bytes.len());
                break;
            }
            at = end;
        }
    }
}

#[test]
fn a_tls_handshake_without_asking_is_told_by_its_first_byte_only_at_the_start() {
    let hello = [0x16, 3, 1, 2, 0];
    let mut opening = Opening::new();
    assert_eq!(opening.wanted(), 1);
    let mut input = hello.as_slice();
    assert_eq!(opening.feed(&mut input).unwrap(), Some(Request::DirectTls));
    assert_eq!(input, &hello[1..]);

    let mut asked = Opening::new();
    asked.feed(&mut request(GSS, &[]).as_slice()).unwrap();
    assert!(matches!(asked.feed(&mut hello.as_slice()), Err(WireError::StartupLength { .. })));
}

#[test]
fn tls_and_gss_can_each_be_asked_for_once_in_either_order() {
    for [first, second] in [[SSL, GSS], [GSS, SSL]] {
        let mut opening = Opening::new();
        assert!(opening.feed(&mut request(first, &[]).as_slice()).unwrap().is_some());
        assert!(opening.feed(&mut request(second, &[]).as_slice()).unwrap().is_some());
        for code in [SSL, GSS] {
            let again = opening.feed(&mut request(code, &[]).as_slice());
            assert!(matches!(again, Err(WireError::Repeated { .. })));
        }
    }
}

#[test]
fn inside_tls_only_login_and_cancel_are_left() {
    for code in [SSL, GSS] {
        let mut opening = Opening::new();
        opening.feed(&mut request(SSL, &[]).as_slice()).unwrap();
        opening.inside_tls();
        let asked = opening.feed(&mut request(code, &[]).as_slice());
        assert!(matches!(asked, Err(WireError::Repeated { .. })));
    }
    let mut opening = Opening::new();
    opening.feed(&mut [0x16].as_slice()).unwrap();
    assert!(matches!(opening.feed(&mut [0x16, 3, 1, 0].as_slice()), Err(WireError::StartupLength { .. })));
    let mut opening = Opening::new();
    opening.inside_tls();
    assert!(opening.feed(&mut startup(&[("user", "dana")]).as_slice()).unwrap().is_some());
}

#[test]
fn cancel_keys_have_4_to_256_bytes() {
    for length in [4, 32, 256] {
        let mut body = 77_i32.to_be_bytes().to_vec();
        body.extend(vec![9; length]);
        let expected = Request::Cancel(CancelRequest { process_id: 77, key: vec![9; length] });
        assert_eq!(read(&request(CANCEL, &body)), Ok(expected));
    }
    for length in [0, 3, 257] {
        let body = vec![0; 4 + length];
        assert_eq!(read(&request(CANCEL, &body)), Err(WireError::Malformed { message: "CancelRequest" }));
    }
    assert!(read(&request(CANCEL, &[0])).is_err());
    assert!(read(&request(SSL, &[0])).is_err());
}

#[test]
fn a_startup_message_is_taken_apart() {
    let startup = read_startup(&startup(&[
        ("user", "dana"),
        ("database", "hr/hr_prod"),
        ("application_name", "psql"),
        ("options", "-c geqo=off"),
        ("client_encoding", "UTF8"),
    ]));
    assert_eq!(
        startup,
        Startup {
            minor: 0,
            negotiate: false,
            unknown_options: vec![],
            user: "dana".to_owned(),
            database: "hr/hr_prod".to_owned(),
            settings: vec![
                pair("geqo", "off"),
                pair("application_name", "psql"),
                pair("client_encoding", "UTF8")
            ],
        }
    );
}

#[test]
fn the_database_is_the_user_unless_given() {
    assert_eq!(read_startup(&startup(&[("user", "dana")])).database, "dana");
    assert_eq!(read_startup(&startup(&[("user", "dana"), ("database", "")])).database, "dana");
    assert_eq!(read_startup(&startup(&[("database", "hr"), ("user", "dana")])).database, "hr");
}

#[test]
fn a_startup_message_without_a_user_is_refused() {
    assert_eq!(read(&startup(&[("database", "hr")])), Err(WireError::NoUser));
    assert_eq!(read(&startup(&[("user", "")])), Err(WireError::NoUser));
    assert_eq!(read(&startup(&[])), Err(WireError::NoUser));
}

#[test]
fn newer_minor_versions_and_unknown_options_are_negotiated_down() {
    let body = parameters(&[("user", "dana")]);
    for (asked, minor, negotiate) in [(0, 0, false), (2, 2, false), (3, 2, true), (9999, 2, true)] {
        let startup = read_startup(&request(version(3, asked), &body));
        assert_eq!((startup.minor, startup.negotiate), (minor, negotiate));
    }
    let startup = read_startup(&startup(&[("user", "dana"), ("_pq_.compression", "lz4")]));
    assert!(startup.negotiate);
    assert_eq!(startup.unknown_options, ["_pq_.compression"]);
    assert_eq!(startup.settings, []);
}

#[test]
fn other_major_versions_are_refused() {
    for (major, minor) in [(2, 0), (1, 0), (4, 0), (1234, 1), (0, 0)] {
        let refused = read(&request(version(major, minor), &parameters(&[("user", "dana")])));
        assert_eq!(refused, Err(WireError::UnsupportedProtocol { major, minor }));
    }
}

#[test]
fn the_length_is_bounded_as_the_server_bounds_it() {
    let long = |value: usize| startup(&[("user", "dana"), ("options", &" ".repeat(value))]);
    let fits = 10_004 - startup(&[("user", "dana"), ("options", "")]).len();
    assert!(Opening::new().feed(&mut long(fits).as_slice()).unwrap().is_some());
    let refused = Opening::new().feed(&mut long(fits + 1).as_slice());
    assert_eq!(refused, Err(WireError::StartupLength { length_bytes: 10_005 }));
    for length in [0_u32, 3, 7] {
        assert!(matches!(read(&length.to_be_bytes()), Err(WireError::StartupLength { .. })));
    }
    assert!(matches!(Opening::new().feed(&mut b"GET / HT".as_slice()), Err(WireError::StartupLength { .. })));
    assert!(read(&request(version(3, 0), &[])).is_err());
}

#[test]
fn the_terminator_must_be_the_last_byte() {
    for body in [
        b"user\0dana\0".as_slice(),
        b"user\0dana\0\0\0",
        b"user\0dana\0\0database\0hr\0\0",
        b"user\0dana",
        b"user\0dana\0database\0",
    ] {
        assert_eq!(read(&request(version(3, 0), body)), Err(WireError::Malformed { message: "startup" }));
    }
}

#[test]
fn parameters_given_twice_are_refused_whatever_their_letter_case() {
    let twice = read(&startup(&[("user", "dana"), ("user", "root")]));
    assert_eq!(twice, Err(WireError::DuplicateParameter { name: "user".to_owned() }));
    assert!(read(&startup(&[("user", "dana"), ("DateStyle", "ISO"), ("datestyle", "SQL")])).is_err());
    assert!(read(&startup(&[("user", "dana"), ("DateStyle", "ISO"), ("TimeZone", "UTC")])).is_ok());
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    let refused = read(&request(version(3, 0), b"user\0d\xff\0\0"));
    assert_eq!(refused, Err(WireError::NotUtf8 { message: "startup" }));
    assert_eq!(read_startup(&startup(&[("user", "dañá")])).user, "dañá");
}

#[test]
fn replication_is_refused_and_not_asking_for_it_is_not() {
    for value in ["true", "on", "1", "yes", "database", "t", "TRUE", "", "o", "nonsense"] {
        let refused = read(&startup(&[("user", "dana"), ("replication", value)]));
        assert_eq!(refused, Err(WireError::Replication), "{value}");
    }
    for value in ["false", "off", "0", "no", "f", "OFF", "of"] {
        assert!(read(&startup(&[("user", "dana"), ("replication", value)])).is_ok(), "{value}");
    }
}

#[test]
fn every_refusal_has_a_code_and_does_not_end_in_a_full_stop() {
    let refused = read(&startup(&[("user", "dana"), ("options", "-S 64")])).unwrap_err().refusal();
    assert_eq!((refused.code.sqlstate(), refused.hint.is_some()), ("42601", true));
    let refused = read(&request(version(2, 0), &[0])).unwrap_err().refusal();
    assert_eq!(refused.code.sqlstate(), "0A000");
    assert_eq!(refused.message, "unsupported frontend protocol 2.0: server supports 3.0 to 3.2");
}

proptest! {
    #[test]
    fn no_bytes_are_taken_for_more_than_they_are(bytes: Vec<u8>, cut in 0_usize..64) {
        let at = cut.min(bytes.len());
        let whole = Opening::new().feed(&mut &*bytes);
        let split = feed_split(&mut Opening::new(), &bytes, at).map(|(request, _)| request);
        prop_assert_eq!(whole, split);
    }

    #[test]
    fn parameters_of_any_text_come_back_as_they_were(user in "[^\0]{1,20}", value in "[^\0]{0,40}") {
        let startup = read_startup(&startup(&[("user", &user), ("x", &value)]));
        prop_assert_eq!(startup.user, user);
        prop_assert_eq!(startup.settings, vec![pair("x", &value)]);
    }
}
