//! The wire code against what real clients and a real PostgreSQL said: split at every byte, replayed, and damaged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod captures;

use std::collections::BTreeSet;

use bytes::BytesMut;
use captures::{
    CAPTURES, Capture,
    mutate::{damaged, damages},
    readers::{Backend, Frontend, Heard, Said, whole},
    replay::{Pace, Replay},
};
use proptest::{prelude::*, sample::Index};
use tidegate::{
    model::secret::Secret,
    wire::postgres::{
        backend::{TransactionStatus, command_rows, error_code, error_field, message, read_parameter_status},
        frame::{Frame, take_frame},
        frontend,
        upstream::{LoggedIn, Login, LoginError, LoginRequest, ServerError, Transport, set_parameter},
    },
};

// -- what the captures are ---------------------------------------------------------------------------------------------

#[test]
fn the_captures_hold_every_kind_of_message_that_is_worth_a_test() {
    let said: BTreeSet<u8> =
        CAPTURES.iter().flat_map(|it| &it.said).filter_map(|said| Some(said.message()?.tag())).collect();
    let heard: BTreeSet<u8> = CAPTURES.iter().flat_map(|it| &it.heard).map(|heard| heard.tag).collect();
    assert_eq!(CAPTURES.len(), 8);
    assert_eq!(said, BTreeSet::from(*b"BCDEHPQSXcdfp"));
    assert_eq!(heard, BTreeSet::from(*b"123ACDEGHIKNRSTZcdnst"));
    assert!(CAPTURES.iter().any(|it| it.refusals() > 0), "no client asks for encryption");
}

#[test]
fn what_a_server_says_of_itself_can_be_read() {
    for capture in CAPTURES.iter() {
        let mut rows = 0;
        for Heard { tag, body, .. } in &capture.heard {
            match tag {
                b'D' => rows += 1,
                b'C' | b's' | b'I' => {
                    let tag = String::from_utf8_lossy(body);
                    // Rows that are counted: not those of SHOW, nor of a portal that was suspended.
                    if rows > 0 && !tag.is_empty() && !tag.starts_with("SHOW") {
                        assert_eq!(command_rows(body), Some(rows), "{}: {tag:?}", capture.client);
                    }
                    rows = 0;
                }
                b'E' | b'N' => {
                    assert_eq!(error_code(body).unwrap().map(str::len), Some(5));
                    assert!(error_field(body, b'M').unwrap().is_some_and(|text| !text.is_empty()));
                    assert_eq!(error_field(body, b'!').unwrap(), None);
                    rows = 0;
                }
                b'S' => drop(read_parameter_status(body).unwrap()),
                b'Z' => drop(TransactionStatus::read(body).unwrap()),
                _ => {}
            }
        }
    }
}

// -- split ---------------------------------------------------------------------------------------------------------------

/// Pieces of `bytes`, each at most as long as `lengths` says in turn.
fn pieces<'a>(mut bytes: &'a [u8], lengths: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    lengths.iter().cycle().map_while(move |length| {
        let (piece, rest) = bytes.split_at_checked(*length).unwrap_or((bytes, &[]));
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

fn same_said(capture: &Capture, lengths: &[usize]) {
    let (mut reader, mut said) = (Frontend::new(), Vec::new());
    for piece in pieces(&capture.frontend, lengths) {
        reader.feed(piece, &mut said).unwrap();
    }
    assert!(said == capture.said, "{}: the frontend in pieces of {lengths:?}", capture.client);
}

fn same_heard(capture: &Capture, lengths: &[usize]) {
    let (mut reader, mut heard) = (Backend::new(), Vec::new());
    for piece in pieces(&capture.backend[capture.refusals()..], lengths) {
        reader.feed(piece, &mut heard).unwrap();
    }
    assert!(heard == capture.heard, "{}: the backend in pieces of {lengths:?}", capture.client);
}

/// Every place near the beginning, some behind it.
fn places(length: usize) -> impl Iterator<Item = usize> {
    (1..length.min(1024)).chain((1024..length).step_by(61))
}

#[test]
fn a_client_is_understood_wherever_its_bytes_are_split() {
    for capture in CAPTURES.iter() {
        for at in places(capture.frontend.len()) {
            same_said(capture, &[at, usize::MAX]);
        }
    }
}

#[test]
fn a_server_is_understood_wherever_its_bytes_are_split() {
    for capture in CAPTURES.iter() {
        for at in places(capture.backend.len() - capture.refusals()) {
            same_heard(capture, &[at, usize::MAX]);
        }
    }
}

#[test]
fn every_message_of_a_client_is_the_same_split_at_each_of_its_bytes() {
    for capture in CAPTURES.iter() {
        let starts = capture.said_at();
        for (which, said) in capture.said.iter().enumerate().filter(|(_, said)| said.message().is_some()) {
            // With the first bytes of its neighbour, which must stay.
            let end = capture.frontend.len().min(starts[which + 1] + 3);
            let bytes = &capture.frontend[starts[which]..end];
            for at in 0..=bytes.len() {
                let (mut reader, mut again) = (Frontend::started(), Vec::new());
                reader.feed(&bytes[..at], &mut again).unwrap();
                assert_eq!(again.len(), usize::from(at >= said.bytes_read()));
                reader.feed(&bytes[at..], &mut again).unwrap();
                assert!(again == std::slice::from_ref(said), "{}: {said:?} split at {at}", capture.client);
                assert_eq!(reader.left(), bytes.len() - said.bytes_read());
            }
        }
    }
}

#[test]
fn every_message_of_a_server_is_the_same_split_at_each_of_its_bytes() {
    for capture in CAPTURES.iter() {
        let starts = capture.heard_at();
        for (which, message) in capture.heard.iter().enumerate() {
            let bytes = &capture.backend[starts[which]..starts[which + 1]];
            for at in 0..=bytes.len() {
                let (mut reader, mut again) = (Backend::new(), Vec::new());
                reader.feed(&bytes[..at], &mut again).unwrap();
                reader.feed(&bytes[at..], &mut again).unwrap();
                assert!(
                    again == std::slice::from_ref(message),
                    "{}: {message:?} split at {at}",
                    capture.client
                );
                assert_eq!(reader.left(), 0);
            }
        }
    }
}

#[test]
fn bytes_that_come_one_by_one_say_the_same() {
    for capture in CAPTURES.iter() {
        for lengths in [&[1][..], &[2, 3], &[5], &[4, 1], &[16], &[1, 1460], &[8192]] {
            same_said(capture, lengths);
            same_heard(capture, lengths);
        }
    }
}

// -- replayed --------------------------------------------------------------------------------------------------------------

#[test]
fn every_reply_of_a_server_pays_exactly_what_its_client_is_owed() {
    for capture in CAPTURES.iter() {
        for pace in [Pace::Early, Pace::Late] {
            for lengths in [&[usize::MAX][..], &[1], &[7, 300]] {
                let mut replay = Replay::new(capture, pace);
                let (mut reader, mut heard) = (Backend::new(), Vec::new());
                for piece in pieces(&capture.backend[capture.refusals()..], lengths) {
                    reader.feed(piece, &mut heard).unwrap();
                    for message in heard.drain(..) {
                        let held = replay.hear(&message);
                        assert!(held.is_ok(), "{}, {pace:?}: {held:?} for {message:?}", capture.client);
                    }
                }
                assert!(replay.is_over(), "{}, {pace:?}: something is owed at the end", capture.client);
                assert_eq!(replay.settled, replay.entered, "{}, {pace:?}", capture.client);
            }
        }
    }
}

#[test]
fn a_reply_too_few_or_too_many_is_found_out() {
    for capture in CAPTURES.iter() {
        let login = capture.heard.iter().position(|heard| heard.tag == b'Z').unwrap();
        for (which, pair) in capture.heard.windows(2).enumerate().skip(login + 1) {
            // Whether an error is one of this message or of the next cannot be told apart, and need not be.
            if !matches!(pair[0].tag, b'1' | b'2' | b'3' | b'Z' | b'n' | b's') || pair[1].tag == b'E' {
                continue;
            }
            for times in [0, 2] {
                let mut replay = Replay::new(capture, Pace::Early);
                let held: Result<(), _> = capture.heard.iter().enumerate().try_for_each(|(at, heard)| {
                    (0..if at == which { times } else { 1 }).try_for_each(|_| replay.hear(heard))
                });
                let whole = held.is_ok() && replay.is_over() && replay.settled == replay.entered;
                assert!(!whole, "{}: reply {which} came {times} times", capture.client);
            }
        }
    }
}

// -- the login to an upstream -----------------------------------------------------------------------------------------------

fn log_in(bytes: &[u8], lengths: &[usize]) -> (Result<Option<LoggedIn>, LoginError>, usize) {
    let request = LoginRequest { user: "gate", database: "hr_prod", application: "tidegate", options: "" };
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    let secret = Secret::new("not the one of the capture".to_owned());
    let mut login = Login::new(request, secret, Transport::Plain, &mut output).unwrap();
    for piece in pieces(bytes, lengths) {
        input.extend_from_slice(piece);
        match login.receive(&mut input, &mut output) {
            Ok(None) => {}
            end => return (end, output.len()),
        }
    }
    (Ok(None), output.len())
}

/// The login of a capture as a server that trusts us would have it: without the exchange of proofs.
fn trusting(capture: &Capture) -> Vec<u8> {
    let starts = capture.heard_at();
    let end = capture.heard.iter().position(|heard| heard.tag == b'Z').unwrap();
    (0..=end)
        .filter(|at| capture.heard[*at].tag != b'R' || capture.heard[*at].body == [0; 4])
        .flat_map(|at| &capture.backend[starts[at]..starts[at + 1]])
        .copied()
        .collect()
}

#[test]
fn the_gateway_logs_in_wherever_the_servers_bytes_are_split() {
    for capture in CAPTURES.iter() {
        let bytes = trusting(capture);
        let mut parameters = Vec::new();
        for heard in
            capture.heard.iter().take_while(|heard| heard.tag != b'Z').filter(|heard| heard.tag == b'S')
        {
            let (name, value) = read_parameter_status(&heard.body).unwrap();
            set_parameter(&mut parameters, name, value);
        }
        assert!(parameters.len() > 10);
        for at in 1..=bytes.len() {
            let login = log_in(&bytes, &[at, usize::MAX]).0.unwrap().expect("the login ends");
            assert_eq!(login.parameters, parameters, "{}: split at {at}", capture.client);
            assert_eq!(login.key.unwrap().secret.expose().len(), 4);
        }
        assert!(log_in(&bytes[..bytes.len() - 1], &[1]).0.unwrap().is_none());
    }
}

#[test]
fn a_server_that_repeats_the_proof_of_another_login_is_not_let_in() {
    for capture in CAPTURES.iter() {
        let (end, _) = log_in(&capture.backend[capture.refusals()..], &[usize::MAX]);
        assert!(matches!(end, Err(LoginError::Scram { .. })), "{}: {end:?}", capture.client);
    }
}

// -- damaged -----------------------------------------------------------------------------------------------------------------

fn framed(tag: u8, body: &[u8]) -> Frame {
    let mut bytes = BytesMut::new();
    message(&mut bytes, tag, |out| out.extend_from_slice(body));
    take_frame(&mut bytes, usize::MAX).unwrap().unwrap()
}

/// Everything of ours that looks into a body, on any body.
fn look_into(tag: u8, body: &[u8]) {
    let frame = framed(tag, body);
    assert_eq!((frame.tag(), frame.body()), (tag, body));
    if let Ok(meaning) = frontend::Frontend::read(&frame) {
        whole(&frame, meaning);
    }
    if let Ok((name, value)) = read_parameter_status(body) {
        assert_eq!([name, value, ""].join("\0").as_bytes(), body);
    }
    for code in [b'C', b'M', b'S', 0, 0xff] {
        if let Ok(Some(text)) = error_field(body, code) {
            assert!(!text.contains('\0'));
        }
    }
    ServerError::read(body);
    let _ = (command_rows(body), TransactionStatus::read(body));
}

#[test]
fn a_message_of_a_client_with_a_byte_more_or_less_is_refused() {
    let mut tried = BTreeSet::new();
    let messages = CAPTURES.iter().flat_map(|it| &it.said).filter_map(Said::message);
    // Those whose end only the length tells hold anything.
    for frame in messages.filter(|frame| !matches!(frame.tag(), b'd' | b'f' | b'p')) {
        let body = frame.body();
        let refused = |body: &[u8]| frontend::Frontend::read(&framed(frame.tag(), body)).is_err();
        assert!(!refused(body));
        assert!(refused(&[body, b"\0"].concat()), "a byte more than {frame:?}");
        assert!(body.is_empty() || refused(&body[..body.len() - 1]), "a byte less than {frame:?}");
        tried.insert(frame.tag());
    }
    assert_eq!(tried, BTreeSet::from(*b"BCDEHPQSXc"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_client_is_understood_or_refused_and_the_same_in_pieces(
        which in any::<Index>(), damages in damages(), lengths in prop::collection::vec(1..900_usize, 1..6),
    ) {
        let capture = which.get(&CAPTURES);
        let bytes = damaged(&capture.frontend, &capture.said_at(), &damages);
        let read = |lengths: &[usize]| {
            let (mut reader, mut said) = (Frontend::new(), Vec::<Said>::new());
            let end = pieces(&bytes, lengths).try_for_each(|piece| reader.feed(piece, &mut said));
            (end, said)
        };
        let (whole, split) = (read(&[usize::MAX]), read(&lengths));
        prop_assert!(whole == split, "{:?} and {:?}", whole.0, split.0);
    }

    #[test]
    fn a_damaged_server_is_understood_or_refused_and_never_pays_twice(
        which in any::<Index>(), damages in damages(), lengths in prop::collection::vec(1..900_usize, 1..6), late in any::<bool>(),
    ) {
        let capture = which.get(&CAPTURES);
        let bytes = damaged(&capture.backend, &capture.heard_at(), &damages);
        let bytes = bytes.get(capture.refusals()..).unwrap_or_default();
        let read = |lengths: &[usize]| {
            let (mut reader, mut heard) = (Backend::new(), Vec::new());
            let end = pieces(bytes, lengths).try_for_each(|piece| reader.feed(piece, &mut heard));
            (end, heard)
        };
        let (whole, split) = (read(&[usize::MAX]), read(&lengths));
        prop_assert!(whole == split, "{:?} and {:?}", whole.0, split.0);
        let mut replay = Replay::new(capture, if late { Pace::Late } else { Pace::Early });
        for heard in &whole.1 {
            if replay.hear(heard).is_err() {
                break;
            }
        }
        prop_assert!(replay.entered.starts_with(&replay.settled), "paid out of turn");
    }

    #[test]
    fn a_damaged_login_ends_and_is_the_same_in_pieces(
        which in any::<Index>(), damages in damages(), lengths in prop::collection::vec(1..90_usize, 1..6), trusts in any::<bool>(),
    ) {
        let capture = which.get(&CAPTURES);
        let login = if trusts { trusting(capture) } else { capture.backend[capture.refusals()..].to_vec() };
        let bytes = damaged(&login, &[0, 9, 24], &damages);
        let (whole, split) = (log_in(&bytes, &[usize::MAX]), log_in(&bytes, &lengths));
        prop_assert_eq!(format!("{:?}", whole.0), format!("{:?}", split.0));
        prop_assert_eq!(whole.1, split.1);
    }

    #[test]
    fn a_damaged_body_is_read_to_its_end_or_refused(which in any::<Index>(), nth in any::<Index>(), damages in damages(), tag in any::<u8>()) {
        let capture = which.get(&CAPTURES);
        let frames: Vec<_> = capture.said.iter().filter_map(Said::message).collect();
        let frame = nth.get(&frames);
        let body = damaged(frame.body(), &[0], &damages);
        look_into(frame.tag(), &body);
        look_into(tag, &body);
        let heard = nth.get(&capture.heard);
        look_into(heard.tag, &damaged(&heard.body, &[0], &damages));
    }
}
