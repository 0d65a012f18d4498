//! What real MySQL clients and servers said to each other, read again: whole, and split at every byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{collections::BTreeMap, fs, path::Path};

use bytes::{Buf, BytesMut};
use tidegate::wire::mysql::{
    capability::Capabilities,
    command::{Command, write},
    greeting::Greeting,
    handshake::{Opening, read_opening},
    packet::take_packet,
    response::{Event, Expect, Response, Step},
};

const LIMIT: usize = 1 << 20;

/// One command and everything that was answered to it.
struct Exchange {
    command: Vec<u8>,
    reply: Vec<u8>,
}

/// What one connection said, cut at the commands.
struct Session {
    greeting: Greeting,
    capabilities: Capabilities,
    user: String,
    exchanges: Vec<Exchange>,
}

fn captures() -> BTreeMap<String, Session> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/mysql");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|ending| ending == "txt"));
    texts
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, session(&fs::read_to_string(path).unwrap()))
        })
        .collect()
}

fn session(text: &str) -> Session {
    let mut greeting = None;
    let mut login = None;
    let mut logged_in = false;
    let mut exchanges: Vec<Exchange> = Vec::new();
    let (mut client, mut server) = (BytesMut::new(), BytesMut::new());
    for line in text.lines() {
        let (mark, hex) = line.split_once(' ').unwrap();
        let bytes = unhex(hex);
        match mark {
            "C" => client.extend_from_slice(&bytes),
            "S" => server.extend_from_slice(&bytes),
            _ => panic!("{line}"),
        }
        if logged_in {
            if let Some(last) = exchanges.last_mut() {
                last.reply.extend_from_slice(&server.split());
            }
            while let Some(packet) = take_packet(&mut client, LIMIT).unwrap() {
                // The exchange of proofs within COM_CHANGE_USER belongs to its command.
                if packet.sequence() == 0 {
                    let command = packet.into_payload().to_vec();
                    exchanges.push(Exchange { command, reply: Vec::new() });
                }
            }
            continue;
        }
        while let Some(packet) = take_packet(&mut server, LIMIT).unwrap() {
            if greeting.is_none() {
                greeting = Some(Greeting::read(packet.payload()).unwrap());
            } else if packet.payload()[0] == 0 {
                logged_in = true;
            }
        }
        while let Some(packet) = take_packet(&mut client, LIMIT).unwrap() {
            if login.is_none() {
                let offered = greeting.as_ref().unwrap().capabilities;
                let Opening::Login(response) = read_opening(packet.payload(), offered).unwrap() else {
                    panic!("TLS in a capture");
                };
                login = Some(response);
            }
        }
    }
    let login = login.unwrap();
    Session { greeting: greeting.unwrap(), capabilities: login.capabilities, user: login.user, exchanges }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn expect(command: &Command<'_>) -> Option<Expect> {
    Some(match command {
        Command::ProcessInfo | Command::Query(_) => Expect::Query,
        Command::StmtExecute(_) | Command::StmtBulkExecute(_) => Expect::Execute,
        Command::StmtFetch { .. } => Expect::Fetch,
        Command::StmtPrepare(_) => Expect::Prepare,
        Command::FieldList { .. } => Expect::FieldList,
        Command::Statistics => Expect::Statistics,
        Command::InitDb(_)
        | Command::Ping
        | Command::ProcessKill(_)
        | Command::ResetConnection
        | Command::SetMultiStatements(_)
        | Command::StmtReset(_) => Expect::Simple,
        Command::ChangeUser(_) | Command::Quit | Command::StmtClose(_) | Command::StmtSendLongData { .. } => {
            return None;
        }
        Command::Refused(_) | Command::Unknown(_) => panic!("{command:?}"),
    })
}

/// Reads `reply` in the pieces that `cuts` makes; gives the events and what was passed on.
fn read(response: &mut Response, reply: &[u8], cuts: &[usize]) -> (Vec<Event>, Vec<u8>) {
    let (mut events, mut passed) = (Vec::new(), Vec::new());
    let mut input = BytesMut::new();
    let mut from = 0;
    for &to in cuts.iter().chain([&reply.len()]) {
        input.extend_from_slice(&reply[from..to]);
        from = to;
        loop {
            match response.step(&mut input).unwrap() {
                Step::Wait => break,
                Step::Over => {
                    assert!(input.is_empty(), "{} bytes behind the reply", input.len());
                    break;
                }
                Step::Pass(bytes) => {
                    assert!(bytes > 0);
                    passed.extend_from_slice(&input[..bytes]);
                    input.advance(bytes);
                }
                Step::Packet { bytes, event } => {
                    events.push(event);
                    passed.extend_from_slice(&input[..bytes]);
                    input.advance(bytes);
                }
            }
        }
    }
    assert!(input.is_empty());
    (events, passed)
}

#[test]
fn every_reply_of_real_servers_is_read_to_its_end_however_it_is_split() {
    for (name, session) in captures() {
        for Exchange { command, reply } in &session.exchanges {
            let parsed = Command::read(command, session.capabilities).unwrap();
            let Some(expect) = expect(&parsed) else { continue };
            let new = || Response::new(expect, session.capabilities, 1, 1, LIMIT);
            let mut whole = new();
            let (events, passed) = read(&mut whole, reply, &[]);
            assert!(whole.is_over(), "{name}: {parsed:?} {events:?}");
            assert_eq!(&passed, reply, "{name}: {parsed:?}");
            for cut in 1..reply.len().min(600) {
                let mut split = new();
                assert_eq!(
                    read(&mut split, reply, &[cut]),
                    (events.clone(), passed.clone()),
                    "{name}: {cut}"
                );
                assert!(split.is_over());
            }
            let every: Vec<usize> = (1..reply.len()).collect();
            assert_eq!(read(&mut new(), reply, &every), (events, passed), "{name}: byte by byte");
        }
    }
}

#[test]
fn packets_are_renumbered_on_their_way() {
    for (name, session) in captures() {
        for Exchange { command, reply } in &session.exchanges {
            let parsed = Command::read(command, session.capabilities).unwrap();
            let Some(expect) = expect(&parsed) else { continue };
            let mut response = Response::new(expect, session.capabilities, 1, 250, LIMIT);
            let (_, passed) = read(&mut response, reply, &[]);
            let mut passed = BytesMut::from(passed.as_slice());
            let mut number = 250_u8;
            while let Some(packet) = take_packet(&mut passed, LIMIT).unwrap() {
                assert_eq!(packet.sequence(), number, "{name}");
                number = packet.next_sequence();
            }
            assert_eq!(response.client_next(), number, "{name}");
        }
    }
}

#[test]
fn what_the_replies_say_is_understood() {
    let mut rows = BTreeMap::new();
    let mut errors = Vec::new();
    let mut cursors = 0;
    let mut several = 0;
    for (name, session) in captures() {
        for Exchange { command, reply } in &session.exchanges {
            let parsed = Command::read(command, session.capabilities).unwrap();
            let Some(expect) = expect(&parsed) else { continue };
            let mut response = Response::new(expect, session.capabilities, 1, 1, LIMIT);
            for event in read(&mut response, reply, &[]).0 {
                match event {
                    Event::Complete(end) => {
                        *rows.entry(name.clone()).or_insert(0) += end.rows.unwrap_or_default();
                        cursors += usize::from(end.cursor() && expect == Expect::Execute);
                        several += usize::from(end.more());
                    }
                    Event::Failed(error) => errors.push(error.errno),
                    Event::LocalInfile { .. } => panic!("{name} asks for a file"),
                    Event::Prepared(prepared) => assert!(prepared.statement > 0),
                    Event::ResultSet { columns } => assert!(columns > 0),
                    Event::Statistics => {}
                }
            }
        }
    }
    assert!(errors.contains(&1146) && errors.contains(&1064), "{errors:?}");
    assert!(cursors >= 3 && several >= 4, "{cursors} {several}");
    assert_eq!(rows["raw_plain"], 2 + 2 + 5 + 2 + 1, "rows of a result, two fetches, two executions");
}

#[test]
fn texts_are_found_behind_query_attributes() {
    let captures = captures();
    let texts = |name: &str| -> Vec<String> {
        let session: &Session = &captures[name];
        let commands = session.exchanges.iter();
        commands
            .filter_map(|exchange| match Command::read(&exchange.command, session.capabilities).unwrap() {
                Command::Query(query) => Some(String::from_utf8(query.text.to_vec()).unwrap()),
                _ => None,
            })
            .collect()
    };
    for (name, text) in [
        ("mysql97", "select mysql_query_attribute_string(\"n1\")"),
        ("mysql97", "call p()"),
        ("mariadb", "select * from nosuch"),
        ("pymysql", "select 1; insert into t(name) values('q'); select 2"),
        ("raw_modern", "set names latin1"),
    ] {
        assert!(texts(name).iter().any(|it| it == text), "{name}: {:?}", texts(name));
    }
}

#[test]
fn a_command_that_is_written_again_is_the_same() {
    for (name, session) in captures() {
        let mut parameters = BTreeMap::new();
        for Exchange { command, reply } in &session.exchanges {
            let mut out = BytesMut::new();
            match Command::read(command, session.capabilities).unwrap() {
                Command::Query(it) => write::query(&mut out, it.text, it.attributes, session.capabilities),
                Command::InitDb(database) => write::init_db(&mut out, database),
                Command::FieldList { table, wildcard } => write::field_list(&mut out, table, wildcard),
                Command::StmtPrepare(text) => {
                    let mut response = Response::new(Expect::Prepare, session.capabilities, 1, 1, LIMIT);
                    for event in read(&mut response, reply, &[]).0 {
                        if let Event::Prepared(prepared) = event {
                            parameters.insert(prepared.statement, prepared.parameters);
                        }
                    }
                    write::prepare(&mut out, text)
                }
                Command::StmtExecute(it) => {
                    let head = it.parameters(parameters[&it.statement], session.capabilities).unwrap();
                    it.write(&mut out, it.statement, &head, None)
                }
                Command::StmtFetch { statement, rows } => write::fetch(&mut out, statement, rows),
                Command::StmtClose(statement) => write::close(&mut out, statement),
                Command::StmtReset(statement) => write::reset_statement(&mut out, statement),
                Command::StmtSendLongData { statement, parameter, data } => {
                    write::long_data(&mut out, statement, parameter, data)
                }
                Command::SetMultiStatements(on) => write::set_multi_statements(&mut out, on),
                Command::Ping => write::ping(&mut out),
                Command::Quit => write::quit(&mut out),
                Command::Statistics => write::statistics(&mut out),
                Command::ResetConnection => write::reset_connection(&mut out),
                Command::ChangeUser(it) => {
                    assert_eq!(it.user, session.user, "{name}");
                    assert_eq!(it.database, "lab");
                    continue;
                }
                Command::ProcessInfo
                | Command::ProcessKill(_)
                | Command::Refused(_)
                | Command::StmtBulkExecute(_)
                | Command::Unknown(_) => panic!("{name}"),
            };
            assert_eq!(&out[4..], command.as_slice(), "{name}");
        }
    }
}

#[test]
fn greetings_are_written_as_they_were_read() {
    for (name, session) in captures() {
        let mut out = BytesMut::new();
        session.greeting.write(&mut out, &mut 0);
        let packet = take_packet(&mut out, LIMIT).unwrap().unwrap();
        assert_eq!(Greeting::read(packet.payload()).unwrap(), session.greeting, "{name}");
        assert_eq!(session.greeting.is_mariadb(), name.contains("mariadb"), "{name}");
    }
}

#[test]
fn no_damage_to_a_reply_makes_the_reader_panic_or_read_on_for_ever() {
    for session in captures().into_values() {
        for Exchange { command, reply } in &session.exchanges {
            let parsed = Command::read(command, session.capabilities).unwrap();
            let Some(expect) = expect(&parsed) else { continue };
            for at in 0..reply.len().min(300) {
                for flip in [1_u8, 0x80, 0xff] {
                    let mut damaged = BytesMut::from(reply.as_slice());
                    damaged[at] ^= flip;
                    let mut response = Response::new(expect, session.capabilities, 1, 1, LIMIT);
                    for _ in 0..=reply.len() {
                        match response.step(&mut damaged) {
                            Ok(Step::Pass(bytes) | Step::Packet { bytes, .. }) => damaged.advance(bytes),
                            Ok(Step::Wait | Step::Over) | Err(_) => break,
                        }
                    }
                }
            }
            for at in 0..command.len() {
                for flip in [1_u8, 0x80, 0xff] {
                    let mut damaged = command.clone();
                    damaged[at] ^= flip;
                    if let Ok(Command::StmtExecute(it)) = Command::read(&damaged, session.capabilities) {
                        let _ = it.parameters(3, session.capabilities);
                    }
                }
            }
        }
    }
}
