//! Streams that are cut, glued, slow or no MLLP at all: each gets its acknowledgements, its close and its place in the ledger.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::house::{Doors, House, cases, connect_from};
use crate::node::{Sender, msa};

/// What came back on one connection: the frames, and whether it was closed; where it should end, an end is waited for.
fn listen(socket: &mut TcpStream, answers: usize, ends: bool) -> (Vec<String>, bool) {
    let (mut all, mut buffer, mut silences) = (Vec::new(), [0_u8; 16 * 1024], 0);
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    loop {
        let closed = match socket.read(&mut buffer) {
            Ok(0) => true,
            Ok(n) => {
                all.extend_from_slice(&buffer[..n]);
                false
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                silences += 1;
                false
            }
            Err(_) => true,
        };
        let frames: Vec<String> = all
            .split(|byte| *byte == 0x0B)
            .skip(1)
            .filter_map(|frame| frame.strip_suffix(&[0x1C, 0x0D]))
            .map(|frame| String::from_utf8_lossy(frame).into_owned())
            .collect();
        if closed || (silences > 0 && !ends && frames.len() >= answers) || silences > 20 {
            return (frames, closed);
        }
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Runs a case from an address of its own; what is wrong with the answers, if anything.
fn run(doors: &Doors, place: usize, name: &str, folder: &Path) -> Vec<String> {
    let expected: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let mut socket = connect_from(address(place), &doors.mllp[0]);
    doors.send_raw(&mut socket, &std::fs::read(folder.join("stream.raw")).unwrap());
    let answers = texts(&expected["answers"]);
    let (frames, closed) = listen(&mut socket, answers.len(), expected["closed"] == true);
    let codes: Vec<String> = frames.iter().map(|frame| msa(frame).0).collect();
    let mut wrong = Vec::new();
    if codes != answers {
        wrong.push(format!("{name}: answers {codes:?} instead of {answers:?}: {frames:?}"));
    }
    if Some(closed) != expected["closed"].as_bool() {
        wrong.push(format!("{name}: closed is {closed}"));
    }
    wrong
}

fn address(place: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 3, 1 + place as u8))
}

#[test]
fn hostile_streams_are_answered_closed_and_counted_once() {
    let mut house = House::new();
    house.limits = "idle_ms_max = 600\nframe_ms_max = 600\nframe_bytes_max = 65536".to_owned();
    let doors = house.open();
    let cases = cases("mllp");
    let mut wrong = Vec::new();
    thread::scope(|scope| {
        let doors = &doors;
        let threads: Vec<_> = cases
            .iter()
            .enumerate()
            .map(|(place, (name, folder))| scope.spawn(move || run(doors, place, name, folder)))
            .collect();
        wrong.extend(threads.into_iter().flat_map(|thread| thread.join().unwrap()));
    });
    assert_eq!(doors.stop(), Some(0));
    let trail = house.trail();
    for (place, (name, folder)) in cases.iter().enumerate() {
        let expected: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let recorded = trail.about(&address(place).to_string());
        if recorded != texts(&expected["recorded"]) {
            wrong.push(format!("{name}: recorded {recorded:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A registration with answers as MSH-15 and MSH-16 ask.
fn registration(id: &str, accept: &str, application: &str) -> Vec<u8> {
    format!(
        "MSH|^~\\&|HIS|H1|DUKOU|H1|20261120081500+0800||ADT^A04^ADT_A01|{id}|P|2.5.1|||{accept}|{application}||UNICODE UTF-8\r\
         EVN|A04|20261120081500\rPID|1||{id}^^^H1^MR||王{id}||19580312|M\rPV1|1|O\r"
    )
    .into_bytes()
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&[0x0B], message, &[0x1C, 0x0D]].concat()
}

#[test]
fn however_a_stream_is_cut_its_frames_are_answered_in_their_order() {
    let house = House::new();
    let doors = house.open();
    let stream: Vec<u8> = ["A1", "A2", "A3"].iter().flat_map(|id| framed(&registration(id, "", ""))).collect();
    let mut first = None;
    // Every cut around the frame in the middle, from the last byte of the one before to the first of the one behind.
    for cut in stream.len() / 3 - 1..2 * stream.len() / 3 + 2 {
        let mut socket = TcpStream::connect(&doors.mllp[0]).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.write_all(&stream[..cut]).unwrap();
        thread::sleep(Duration::from_micros(500));
        socket.write_all(&stream[cut..]).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answers = String::new();
        socket.read_to_string(&mut answers).unwrap();
        let ids: Vec<String> = answers.split('\u{b}').skip(1).map(|ack| msa(ack.trim_end()).1).collect();
        assert_eq!(ids, ["A1", "A2", "A3"], "cut at {cut}");
        assert_eq!(*first.get_or_insert(answers.clone()), answers, "a resend gets the stored answers, cut at {cut}");
    }
    assert_eq!(doors.ask("GET", "/Patient?_summary=count", "").json()["total"], 3);
    assert_eq!(doors.stop(), Some(0));
    assert_eq!(house.trail().primaries().len(), 3 * (stream.len() / 3 + 3) + 1);
}

/// What one stream is answered with, to the close of the connection.
fn answers(doors: &Doors, stream: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(&doors.mllp[0]).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket.write_all(stream).unwrap();
    socket.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answers = Vec::new();
    socket.read_to_end(&mut answers).unwrap();
    answers
}

#[test]
fn links_of_release_2_hear_that_a_message_is_stored_before_they_hear_of_its_content() {
    let mut house = House::new();
    house.listen.push_str("commit_acks = true\n");
    let doors = house.open();
    let batch = [b"BHS|^~\\&|LIS|H1||||||||B7\r".as_slice(), &registration("R3", "", ""), b"BTS|1\r"].concat();
    for (message, codes) in [
        (registration("R1", "", ""), vec!["AA"]),
        (registration("R2", "AL", "AL"), vec!["CA", "AA"]),
        (batch, vec!["AA"]),
    ] {
        let heard = answers(&doors, &framed(&message));
        let rest = heard.strip_prefix(b"\x0B\x06\x1C\x0D").expect("the message is stored");
        assert!(!rest.windows(4).any(|four| four == b"\x0B\x06\x1C\x0D"), "which is said once");
        let text = String::from_utf8_lossy(rest);
        let found: Vec<_> = text.split("\rMSA|").skip(1).map(|msa| &msa[..2]).collect();
        assert_eq!(found, codes);
    }
    // Silence was asked for in the words of HL7; the link's own acknowledgement comes all the same.
    assert_eq!(answers(&doors, &framed(&registration("R4", "NE", "NE"))), b"\x0B\x06\x1C\x0D");
    assert_eq!(doors.stop(), Some(0));
}

#[test]
fn a_batch_is_answered_by_a_batch_that_names_it() {
    let house = House::new();
    let doors = house.open();
    let batch = [
        b"BHS|^~\\&|LIS|H1|GW|D|||||B8\r".as_slice(),
        &registration("B1", "", ""),
        &registration("B2", "", ""),
        b"BTS|2\r",
    ];
    let heard = answers(&doors, &framed(&batch.concat()));
    let text = String::from_utf8_lossy(&heard);
    let lines: Vec<&str> = text.trim_matches(['\u{b}', '\u{1c}', '\r']).split('\r').collect();
    let header: Vec<&str> = lines[0].split('|').collect();
    assert_eq!((header[0], &header[2..6], header[11]), ("BHS", &["GW", "D", "LIS", "H1"][..], "B8"));
    assert_eq!(lines.last(), Some(&"BTS|2"));
    assert_eq!(lines.iter().filter(|line| line.starts_with("MSA|AA|")).count(), 2);
    assert_eq!(doors.stop(), Some(0));
}

#[test]
fn a_message_accepted_before_a_kill_is_applied_once_after_it() {
    let house = House::new();
    let mut between = 0;
    for round in 0..4 {
        let doors = house.open();
        let id = format!("E{round}");
        let message = registration(&id, "AL", "AL");
        let mut sender = Sender::connect(&doors.mllp[0]).unwrap();
        let accepted = sender.send(&message).unwrap();
        assert_eq!(msa(&accepted), ("CA".to_owned(), id.clone()));
        doors.kill();
        between += usize::from(sender.receive().is_err());

        let doors = house.open();
        let mut sender = Sender::connect(&doors.mllp[0]).unwrap();
        assert_eq!(sender.send(&message).unwrap(), accepted, "a resend gets the stored answer");
        assert_eq!(msa(&sender.receive().unwrap()), ("AA".to_owned(), id.clone()));
        let found = doors.ask("GET", &format!("/Patient?identifier={id}"), "").json();
        assert_eq!(found["entry"].as_array().map(Vec::len), Some(1), "{id}: {found}");
        assert_eq!(found["entry"][0]["resource"]["meta"]["versionId"], "1", "{id} was applied once");
        assert_eq!(doors.stop(), Some(0));
    }
    println!("{between} of 4 kills fell between the two answers");
    crate::ledger::assert_sound(&house.path("data/audit"));
}

const SILENCE: Duration = Duration::from_millis(200);
