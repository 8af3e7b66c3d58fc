//! Requests that are cut, doubled, slow or too large: each gets its answer, its close and its place in the ledger.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::house::{Doors, House, cases, connect_from};

/// What came back on one connection.
struct Heard {
    statuses: Vec<u64>,
    closed: bool,
    text: String,
}

/// Reads until the connection ends or `answers` answers are there and nothing more comes; where it should end, an end is
/// waited for.
fn listen(socket: &mut TcpStream, answers: usize, ends: bool) -> Heard {
    let (mut all, mut buffer, mut closed) = (Vec::new(), [0_u8; 16 * 1024], false);
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    let mut silences = 0;
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => closed = true,
            Ok(n) => all.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => silences += 1,
            Err(_) => closed = true,
        }
        if closed || silences > 30 || (silences > 0 && !ends && statuses(&all).len() >= answers) {
            break;
        }
    }
    Heard { statuses: statuses(&all), closed, text: String::from_utf8_lossy(&all).into_owned() }
}

fn statuses(all: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(all);
    text.match_indices("HTTP/1.").filter_map(|(at, _)| text.get(at + 9..at + 12)?.parse().ok()).collect()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

/// What is wrong with the answer to a case, if anything.
fn judge(name: &str, expected: &Value, heard: &Heard, recorded: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    let statuses: Vec<u64> =
        list(&expected["status"]).iter().filter_map(Value::as_u64).filter(|status| *status != 0).collect();
    if heard.statuses != statuses {
        wrong.push(format!("{name}: statuses {:?} instead of {statuses:?}", heard.statuses));
    }
    if heard.closed != expected["closed"].as_bool().unwrap() {
        wrong.push(format!("{name}: closed is {}", heard.closed));
    }
    if heard.text.contains(SECRET) {
        wrong.push(format!("{name}: the answer holds data"));
    }
    let all = list(&expected["status"]);
    let mut wanted: Vec<String> = list(&expected["recorded"])
        .iter()
        .zip(&all)
        .filter_map(|(word, status)| {
            word.as_str().filter(|word| *word != "nothing").map(|word| format!("{word} {status}"))
        })
        .collect();
    wanted.sort();
    if recorded != wanted {
        wrong.push(format!("{name}: recorded {recorded:?} instead of {wanted:?}"));
    }
    wrong
}

fn run(doors: &Doors, place: usize, folder: &Path) -> (String, Value, Heard) {
    let expected: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let raw = std::fs::read(folder.join("request.raw")).unwrap();
    let address = Ipv4Addr::new(127, 0, 1 + (place / 200) as u8, 1 + (place % 200) as u8);
    let mut socket = connect_from(IpAddr::V4(address), &doors.fhir);
    doors.send_raw(&mut socket, &raw);
    let heard = listen(&mut socket, list(&expected["status"]).len(), expected["closed"] == true);
    (address.to_string(), expected, heard)
}

#[test]
fn hostile_requests_are_answered_closed_and_counted_once() {
    let mut house = House::new();
    house.limits = "head_ms_max = 500\nbody_ms_max = 500\nbody_bytes_max = 32768".to_owned();
    let doors = house.open();
    let patient = format!("{{\"resourceType\":\"Patient\",\"name\":[{{\"family\":\"{SECRET}\"}}]}}");
    assert_eq!(doors.ask("POST", "/Patient", &patient).status, 201);
    let cases = cases("http");
    let places: Vec<usize> = (0..cases.len()).collect();
    let mut outcomes = Vec::new();
    for part in places.chunks(24) {
        thread::scope(|scope| {
            let (doors, cases) = (&doors, &cases);
            let threads: Vec<_> =
                part.iter().map(|place| scope.spawn(move || run(doors, *place, &cases[*place].1))).collect();
            outcomes.extend(threads.into_iter().map(|thread| thread.join().unwrap()));
        });
    }
    assert_eq!(doors.ask("GET", "/Patient?_summary=count", "").status, 200, "the doors are still open");
    assert_eq!(doors.stop(), Some(0));
    let trail = house.trail();
    let mut wrong = Vec::new();
    for ((name, _), (address, expected, heard)) in cases.iter().zip(&outcomes) {
        wrong.extend(judge(name, expected, heard, &trail.about(address)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_caller_that_knows_http_2_is_served() {
    if Command::new("curl").arg("-V").output().is_ok_and(|v| String::from_utf8_lossy(&v.stdout).contains("HTTP2")) {
        let house = House::new();
        let doors = house.open();
        let (bearer, url) =
            (format!("Authorization: Bearer {}", doors.token), format!("http://{}/fhir/Patient", doors.fhir));
        for _ in 0..2 {
            let asked = Command::new("curl")
                .args([
                    "-s",
                    "--http2-prior-knowledge",
                    "-o",
                    "/dev/null",
                    "-w",
                    "%{http_version} %{http_code}",
                    "-H",
                    &bearer,
                    &url,
                ])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&asked.stdout), "2 200");
        }
        assert_eq!(doors.stop(), Some(0));
        assert_eq!(house.trail().primaries().len(), 2);
    } else {
        println!("skipped: there is no curl that speaks HTTP/2");
    }
}

#[test]
fn a_request_whose_sender_vanishes_is_still_recorded() {
    let house = House::new();
    let doors = house.open();
    let mut socket = connect_from(IpAddr::V4(Ipv4Addr::new(127, 0, 8, 1)), &doors.fhir);
    let get = b"GET /fhir/metadata HTTP/1.1\r\nHost: <<host>>\r\n\r\n";
    let post = b"POST /fhir/Patient HTTP/1.1\r\nHost: <<host>>\r\nAuthorization: Bearer <<token>>\r\nContent-Length: 99\r\n\r\n{";
    doors.send_raw(&mut socket, get);
    doors.send_raw(&mut socket, post);
    thread::sleep(Duration::from_millis(200));
    // The first answer was never read, so the system resets the connection.
    drop(socket);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(doors.stop(), Some(0));
    assert_eq!(house.trail().about("127.0.8.1"), ["metadata 200", "record 400"]);
}

/// One frame of HTTP/2 (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// What an attacker sends on one connection, and whether the gateway ended it.
fn flood(doors: &Doors, host: u8, frames: impl Iterator<Item = Vec<u8>>) -> bool {
    let mut socket = connect_from(IpAddr::V4(Ipv4Addr::new(127, 0, 9, host)), &doors.fhir);
    socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    socket.write_all(&frame(4, 0, 0, b"")).unwrap();
    let cut = frames.into_iter().any(|frame| socket.write_all(&frame).is_err());
    socket.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    let mut heard = Vec::new();
    let ended = match socket.read_to_end(&mut heard) {
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    };
    cut || ended
}

#[test]
fn floods_of_http_2_end_the_connection_and_not_the_service() {
    let house = House::new();
    let doors = house.open();
    // GET / over http, by the static table, and `x` as the authority (RFC 7541).
    let head = [0x82, 0x86, 0x84, 0x41, 0x01, b'x'];
    let resets =
        (0..5_000_u32).flat_map(|n| [frame(1, 5, 2 * n + 1, &head), frame(3, 0, 2 * n + 1, &8_u32.to_be_bytes())]);
    assert!(flood(&doors, 1, resets), "streams opened and reset at once");
    let continued = std::iter::once(frame(1, 1, 1, &head)).chain((0..5_000).map(|_| frame(9, 0, 1, &[0_u8; 1_000])));
    assert!(flood(&doors, 2, continued), "a head that never ends");
    assert!(flood(&doors, 3, std::iter::once(frame(0, 0, 1, b"no stream"))), "data on a stream that is not open");
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let bearer = [vec![0x40], text("authorization"), text(&format!("Bearer {}", doors.token))].concat();
    // POST, http, /fhir, an authority and the token; no body follows, then the stream is taken back.
    let post = [&[0x83, 0x86, 0x44][..], &text("/fhir"), &[0x41, 1, b'x'], &bearer].concat();
    let taken_back = [frame(1, 4, 1, &post), frame(3, 0, 1, &8_u32.to_be_bytes())];
    let taken_back = taken_back.into_iter().inspect(|_| thread::sleep(Duration::from_millis(100)));
    flood(&doors, 4, taken_back);
    assert_eq!(doors.ask("GET", "/Patient?_summary=count", "").status, 200, "the doors are still open");
    assert_eq!(doors.stop(), Some(0));
    assert_eq!(house.trail().about("127.0.9.4"), ["record 400"], "a request taken back is a request");
    for host in 1..4 {
        assert!(!house.trail().about(&format!("127.0.9.{host}")).is_empty(), "attacker {host} is in the ledger");
    }
}

const SECRET: &str = "密渡秘";
const SILENCE: Duration = Duration::from_millis(200);
