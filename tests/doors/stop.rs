//! SIGTERM in the middle of the work: what was taken is finished, nothing is half told.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::house::House;
use crate::ledger;
use crate::node::{Sender, http, msa};

/// Asks until the node is gone; each answer is whole. The ids and receipts of all answers.
fn ask(base: &str, token: &str, name: &str, answers: &AtomicUsize) -> Vec<(String, String)> {
    let mut seen = Vec::new();
    for n in 0.. {
        let body = format!("{{\"resourceType\":\"Patient\",\"id\":\"{name}-{n}\"}}");
        let asked = match n % 3 {
            0 => http(base, token, "PUT", &format!("/Patient/{name}-{n}"), body.as_bytes()),
            1 => http(base, token, "GET", &format!("/Patient/{name}-{}", n - 1), b""),
            _ => http(base, token, "GET", "/Patient?_count=5", b""),
        };
        // A connection that is refused or closed without an answer is the only other end.
        let Ok(answer) = asked else { break };
        assert!(matches!(answer.status, 200 | 201), "{} {}", answer.status, answer.head);
        let header = |name: &str| answer.header(name).unwrap().to_owned();
        seen.push((header("x-request-id"), header("x-audit-receipt")));
        answers.fetch_add(1, Ordering::Relaxed);
    }
    seen
}

/// Asks again and again on one connection.
fn ask_on_one_connection(address: &str, token: &str, answers: &AtomicUsize) {
    let Ok(mut socket) = TcpStream::connect(address) else { return };
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request =
        format!("GET /fhir/Patient?_count=1 HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n");
    let mut buffer = vec![0_u8; 64 * 1024];
    loop {
        if socket.write_all(request.as_bytes()).is_err() {
            return;
        }
        let mut answer = Vec::new();
        loop {
            match socket.read(&mut buffer) {
                Ok(0) | Err(_) => {
                    assert!(answer.is_empty(), "an answer was cut: {}", String::from_utf8_lossy(&answer));
                    return;
                }
                Ok(n) => answer.extend_from_slice(&buffer[..n]),
            }
            if whole(&answer) {
                break;
            }
        }
        answers.fetch_add(1, Ordering::Relaxed);
    }
}

fn whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length: usize = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
    answer.len() >= end + 4 + length
}

fn message(id: &str) -> Vec<u8> {
    format!(
        "MSH|^~\\&|HIS|H1|DUKOU|H1|20261120081500+0800||ADT^A04^ADT_A01|{id}|P|2.5.1||||||UNICODE UTF-8\r\
         EVN|A04|20261120081500\rPID|1||{id}^^^H1^MR||王一||19580312|M\rPV1|1|O\r"
    )
    .into_bytes()
}

fn send(address: &str, name: &str, answers: &AtomicUsize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let Ok(mut sender) = Sender::connect(address) else { return acknowledged };
    for n in 0.. {
        let id = format!("{name}{n}");
        match sender.send(&message(&id)) {
            Ok(ack) => assert_eq!(msa(&ack), ("AA".to_owned(), id.clone())),
            Err(_) => break,
        }
        acknowledged.push(id);
        answers.fetch_add(1, Ordering::Relaxed);
    }
    acknowledged
}

#[test]
fn a_stop_in_the_middle_of_the_work_finishes_what_was_taken() {
    let house = House::new();
    for round in 0..3 {
        let doors = house.open();
        let (base, fhir, mllp, token) =
            (format!("http://{}/fhir", doors.fhir), doors.fhir.clone(), doors.mllp[0].clone(), doors.token.clone());
        let (asked, sent, on_one) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let (seen, acknowledged) = thread::scope(|scope| {
            let (base, mllp, token, fhir) = (&base, &mllp, &token, &fhir);
            let (asked, sent, on_one) = (&asked, &sent, &on_one);
            let asking: Vec<_> =
                (0..3).map(|n| scope.spawn(move || ask(base, token, &format!("r{round}t{n}"), asked))).collect();
            let sending: Vec<_> =
                (0..3).map(|n| scope.spawn(move || send(mllp, &format!("R{round}T{n}N"), sent))).collect();
            scope.spawn(move || ask_on_one_connection(fhir, token, on_one));
            // A connection in the middle of a head, and one that says nothing: neither may hold up the end.
            let mut half = TcpStream::connect(fhir).unwrap();
            half.write_all(b"GET /fhir/Patient HTTP/1.1\r\nHost: a").unwrap();
            let (_silent, _silent_sender) = (TcpStream::connect(fhir).unwrap(), TcpStream::connect(mllp).unwrap());
            thread::sleep(Duration::from_millis(300 + 150 * round));
            let waited = Instant::now();
            let loaded = || [asked, sent, on_one].iter().all(|answers| answers.load(Ordering::Relaxed) > 5);
            while !loaded() {
                assert!(waited.elapsed() < LOAD_WAIT_MAX, "no load within {LOAD_WAIT_MAX:?}");
                thread::sleep(Duration::from_millis(20));
            }
            let begun = Instant::now();
            assert_eq!(doors.stop(), Some(0));
            assert!(begun.elapsed() < Duration::from_secs(8), "the stop took {:?}", begun.elapsed());
            let seen: Vec<_> = asking.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
            let acknowledged: Vec<_> = sending.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
            (seen, acknowledged)
        });
        let trail = house.trail();
        let receipts: Vec<String> = seen.iter().map(|(_, receipt)| receipt.clone()).collect();
        ledger::assert_holds(&house.path("data/audit"), &receipts);
        let primaries = trail.primaries();
        for (id, _) in &seen {
            assert_eq!(primaries.iter().filter(|primary| primary.request == *id).count(), 1, "{id}");
        }

        let doors = house.open();
        for id in &acknowledged {
            let found = doors.ask("GET", &format!("/Patient?identifier={id}&_summary=count"), "").json();
            assert_eq!(found["total"], 1, "{id} was acknowledged");
        }
        assert_eq!(doors.stop(), Some(0));
    }
}

const LOAD_WAIT_MAX: Duration = Duration::from_secs(60);
