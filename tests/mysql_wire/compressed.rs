//! The compressed protocol, frame by frame.

use std::{io::Write, time::Duration};

use tidegate::wire::mysql::compression::Algorithm;

use super::{
    BOTH, EXECUTE, LONG_DATA,
    support::{
        Lab, Login,
        mysql_wire::{MysqlWire, execute, framed},
    },
};

const ALGORITHMS: [Algorithm; 3] =
    [Algorithm::Zlib, Algorithm::Zstd { level: 3 }, Algorithm::Zstd { level: 22 }];

/// Tells a story to each server by each algorithm, as somebody who may read all tables.
fn reader(tell: impl Fn(&Login, MysqlWire)) {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let dana = lab.add("dana");
        lab.grant("dana", "select", &[], 600);
        for algorithm in ALGORITHMS {
            tell(&dana, MysqlWire::compressed(&dana, algorithm));
        }
    }
}

/// A frame of this number that says that `plain_bytes` are in it; 0 is one that is not compressed.
fn frame(sequence: u8, plain_bytes: usize, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    let plain = u32::try_from(plain_bytes).unwrap().to_le_bytes();
    [&length[..3], &[sequence], &plain[..3], body].concat()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn query(text: &str) -> Vec<u8> {
    framed(0, &[b"\x03", text.as_bytes()].concat())
}

#[test]
fn a_session_that_compresses_goes_on_like_any_other() {
    reader(|_, mut wire| {
        assert_eq!(wire.query("SELECT 7").unwrap(), [b"\x017"]);
        let long = format!("SELECT LENGTH('{}')", "x".repeat(300_000));
        assert_eq!(wire.query(&long).unwrap(), [b"\x06300000"]);
        let rows = wire.query("SELECT REPEAT('abc', 100000) FROM employee LIMIT 9").unwrap();
        assert!(rows.len() == 9 && rows.iter().all(|row| row.len() == 300_004 && row.ends_with(b"cabc")));
        assert_eq!(wire.run("DELETE FROM salary"), 1142);
        let statement = wire.prepare("SELECT LENGTH(?)").unwrap();
        let head = [&statement.to_le_bytes()[..], &0_u16.to_le_bytes()].concat();
        for _ in 0..3 {
            wire.command(LONG_DATA, &[head.as_slice(), &[b'x'; 70_000]].concat());
        }
        wire.command(EXECUTE, &execute(statement, false, &[0, 1, 252, 0]));
        assert_eq!(wire.rows().unwrap()[0][2..6], 210_000_i32.to_le_bytes());
        wire.command(0x0e, &[]);
        assert_eq!(wire.outcome(), 0);
    });
}

#[test]
fn a_packet_may_come_in_any_number_of_frames_and_a_frame_with_any_number_of_packets() {
    reader(|_, mut wire| {
        let packet = query("SELECT 'in pieces'");
        let pieces =
            packet.chunks(3).enumerate().map(|(at, piece)| frame(u8::try_from(at).unwrap(), 0, piece));
        for byte in pieces.flatten() {
            wire.send(&[byte]);
        }
        wire.sent_frames(packet.len().div_ceil(3));
        assert_eq!(wire.rows().unwrap(), [b"\x09in pieces"]);
        let three = [query("SELECT 1"), query("SELECT 2"), query("SELECT 3")].concat();
        let frames = wire.in_frames(&three);
        wire.send(&frames);
        for answer in ["\x011", "\x012", "\x013"] {
            assert_eq!(wire.rows().unwrap(), [answer.as_bytes()]);
        }
    });
}

#[test]
fn commands_that_come_ahead_are_answered_each_from_number_one() {
    reader(|_, mut wire| {
        let ahead: Vec<Vec<u8>> = ["SELECT 1", "SELECT REPEAT('x', 999999)", "SELECT 3"]
            .map(|text| wire.in_frames(&query(text)))
            .to_vec();
        wire.send(&ahead.concat());
        wire.sent_frames(1);
        assert_eq!(wire.rows().unwrap(), [b"\x011"]);
        wire.sent_frames(1);
        assert_eq!(wire.rows().unwrap()[0].len(), 999_999 + 4);
        wire.sent_frames(1);
        assert_eq!(wire.rows().unwrap(), [b"\x013"]);
    });
}

#[test]
fn frames_that_are_not_what_they_say_end_the_session_under_the_number_of_the_server() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let dana = lab.add("dana");
        lab.grant("dana", "select", &[], 600);
        let packet = query("SELECT 'something that is worth to be compressed, being so long'");
        let sound = zlib(&packet);
        assert!(sound.len() < packet.len() + 20);
        let mut damaged = sound.clone();
        *damaged.last_mut().unwrap() ^= 1;
        for (errno, frames) in [
            (1157, frame(0, packet.len(), b"neither zlib nor anything else")),
            (1157, frame(0, packet.len(), &damaged)),
            (1157, frame(0, packet.len() - 1, &sound)),
            (1157, frame(0, packet.len() + 1, &sound)),
            (1157, frame(0, packet.len(), &[&sound[..], b"more"].concat())),
            (1157, frame(0, packet.len(), b"")),
            (1156, frame(7, packet.len(), &sound)),
        ] {
            let mut wire = MysqlWire::compressed(&dana, Algorithm::Zlib);
            wire.sent_frames(1);
            wire.send(&frames);
            assert_eq!(wire.outcome(), errno);
            assert!(wire.packet().is_none());
        }
        let mut wire = MysqlWire::compressed(&dana, Algorithm::Zlib);
        wire.sent_frames(1);
        wire.send(&frame(0, packet.len(), &sound));
        assert_eq!(wire.rows().unwrap().len(), 1);
        // The numbers within frames mean nothing, to servers neither.
        let mut wire = MysqlWire::compressed(&dana, Algorithm::Zlib);
        wire.sent_frames(1);
        wire.send(&frame(0, 0, &framed(3, b"\x03SELECT 1")));
        assert_eq!(wire.rows().unwrap().len(), 1);
    }
}

#[test]
fn a_frame_that_grows_a_thousandfold_is_refused_like_the_text_that_is_in_it() {
    for server in BOTH {
        let Some(lab) = Lab::with_gateway(
            server,
            &serde_json::json!({ "plaintext": true, "limits": "limits: { message_bytes: 4194304 }" }),
        ) else {
            return;
        };
        let dana = lab.add("dana");
        lab.grant("dana", "select", &[], 600);
        let mut wire = MysqlWire::compressed(&dana, Algorithm::Zlib);
        let long = query(&format!("SELECT '{}'", "0".repeat(4_000_000)));
        wire.sent_frames(1);
        wire.send(&frame(0, long.len(), &zlib(&long)));
        assert_eq!(wire.outcome(), 1153);
        assert_eq!(wire.query("SELECT 1").unwrap().len(), 1, "the session goes on");
        // More than a message may have is refused by the header alone.
        wire.sent_frames(1);
        wire.send(&frame(0, 4_194_309, &[])[..7]);
        assert_eq!(wire.outcome(), 1153);
        assert!(wire.packet().is_none());
    }
}

#[test]
fn a_session_that_is_ended_while_it_waits_is_told_why_in_the_next_answer() {
    for server in BOTH {
        let Some(lab) = Lab::of(server) else { return };
        let full = lab.add_full();
        for algorithm in ALGORITHMS {
            let (mut first, mut second) =
                (MysqlWire::compressed(&full, algorithm), MysqlWire::compressed(&full, algorithm));
            assert_eq!(second.query("SELECT REPEAT('x', 300000)").unwrap().len(), 1);
            assert_eq!(first.run(&format!("KILL CONNECTION {}", second.number)), 0);
            second.be_patient(Duration::from_secs(5));
            // As one that has sent its next command, and reads the answer.
            second.sent_frames(1);
            assert_ne!(second.outcome(), 0);
            assert!(second.packet().is_none());
        }
    }
}
