//! Time and memory grow with the input and no faster, whatever the input is made of.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod measured;

use std::time::Duration;

use dukou_wire::continuation::Reassembler;
use dukou_wire::mllp::Decoder;
use dukou_wire::{Limits, Message, NotAMessage, Place, Site, ack, batch, er7, groups};
use measured::{thread_cpu, time};

const HEADER: &str = "MSH|^~\\&|LIS|H|||||ORU^R01|1|P|2.7|\r";

/// An input of so many repeats of something.
type Make = fn(usize) -> Vec<u8>;

fn after_header(rest: &str) -> Vec<u8> {
    [HEADER, rest].concat().into_bytes()
}

fn orders(kind: &str, segments: &[&str], n: usize) -> Vec<u8> {
    let lines: String = (0..n).map(|i| segments[i % segments.len()]).collect();
    format!("MSH|^~\\&|LIS|H|||||{kind}|1|P|2.5\rPID|1\rORC|NW\r{lines}").into_bytes()
}

/// What senders and attackers make messages of.
const CASES: &[(&str, Make)] = &[
    ("delimiters of every level", |n| after_header(&format!("ZZ1|{}", "|~^&".repeat(n)))),
    ("empty fields", |n| after_header(&format!("ZZ1{}", "|".repeat(4 * n)))),
    ("repetitions", |n| after_header(&format!("PID|1||{}|x", "A~".repeat(2 * n)))),
    ("components", |n| after_header(&format!("OBX|1|CE|{}", "a^".repeat(2 * n)))),
    ("escaped delimiters", |n| after_header(&format!("OBX|1|TX|||{}", "\\F\\".repeat(n)))),
    ("hexadecimal escapes", |n| after_header(&format!("OBX|1|TX|||{}", "\\XC4E3\\".repeat(n)))),
    ("odd escapes", |n| after_header(&format!("OBX|1|TX|||{}", "\\XC4E\\ \\Q\\".repeat(n)))),
    ("lone escape characters", |n| after_header(&format!("OBX|1|TX|||{}", "\\\\ \\a".repeat(n)))),
    ("escapes to other repertoires", |n| after_header(&format!("OBX|1|TX|||{}", "\\M2442\\;3\\F\\".repeat(n)))),
    ("formatting commands", |n| after_header(&format!("OBX|1|FT|||{}", "\\.br\\x".repeat(n)))),
    ("one long value", |n| after_header(&format!("OBX|1|ED|||^^^Base64^{}|F", "QUJD".repeat(4 * n)))),
    ("segments of one kind", |n| after_header(&"OBX|1\r".repeat(n))),
    ("headers", |n| after_header(&"MSH|^~\\&|A\r".repeat(n))),
    ("lines of no segment", |n| after_header(&"x\r".repeat(2 * n))),
    ("blank lines", |n| after_header(&"\r\n \n".repeat(n))),
    ("private and garbled characters", |n| after_header(&format!("OBX|1|TX|||{}", "\u{E863}|Ã¤|锟斤拷|".repeat(n)))),
    ("signs of two sets", |n| {
        [
            &HEADER.replace("2.7|", "2.7||||||GBK").into_bytes()[..],
            &b"ZZ1|\x80|\xA3\xA0|\x82\x35\x90\x37|\xB0\xA1".repeat(n),
        ]
        .concat()
    }),
    ("orders without their ORC", |n| orders("ORM^O01", &["OBR|1\r"], n)),
    ("orders and results in disorder", |n| orders("ORM^O01", &["OBX|1\r", "OBR|1\r", "NTE|1\r", "RXO|1\r"], n)),
    ("patients in disorder", |n| orders("OML^O21", &["PID|1\r", "SPM|1\r", "OBX|1\r", "PV1|1\r"], n)),
    ("a report in disorder", |n| orders("ORU^R01", &["NTE|1\r", "SPM|1\r", "PV1|1\r", "CTI|1\r", "PID|1\r"], n)),
    ("merges in disorder", |n| orders("ADT^A40", &["MRG|1\r", "PV1|1\r", "IN1|1\r"], n)),
    ("no known structure", |n| orders("ZZZ^Z01", &["IN1|1\r", "OBX|1\r", "SPM|1\r", "MRG|1\r"], n)),
];

/// Everything that is done with a message by this crate.
fn work(bytes: &[u8]) {
    let (limits, site) =
        (Limits::default(), Site { join_broken_lines: bytes.len().is_multiple_of(2), ..Site::default() });
    drop(batch::Reader::new(bytes, &limits).finish());
    let Ok((message, issues)) = er7::parse(bytes, &limits, &site) else { panic!("the input is read") };
    assert!(issues.len() <= limits.issues_max);
    let decoded: usize = message.leaves().map(|leaf| leaf.node.text().len()).sum();
    let commands: usize = message.leaves().take(9).map(|leaf| leaf.node.formatted().len()).sum();
    assert!(decoded + commands <= 3 * message.text().len());
    let mut found = Vec::new();
    let groups = groups::arrange(&message, &mut found);
    assert!(groups.root().parent.is_none());
    let last = message.segment_count() - 1;
    let mut edits = message.edit();
    edits.set(0, Place::field(10), "x").set(last, Place::at(5, 2, 1, 0), "y");
    assert!(edits.finish().is_ok() || message.segment(last).is_raw());
    drop(ack::build(&message, ack::AckCode::Aa, &[], "1", "2026"));
}

#[test]
fn four_times_the_input_takes_about_four_times_as_long() {
    let mut slow = Vec::new();
    for (name, make) in CASES {
        let (small, large) = (make(6_000), make(24_000));
        let (Some(one), Some(four)) = (time(|| work(&small)), time(|| work(&large))) else {
            println!("skipped: the scheduler's clock is not there");
            return;
        };
        let ratio = four.as_secs_f64() / one.as_secs_f64();
        println!("{name}: {} bytes in {one:?}, four times as many in {four:?}, {ratio:.1} times", small.len());
        // A square would give sixteen.
        if ratio > 8.0 {
            slow.push(format!("{name}: {ratio:.1}"));
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
}

#[test]
fn memory_stays_below_six_times_the_input() {
    let mut greedy = Vec::new();
    for (name, make) in CASES {
        let bytes = make(40_000);
        let mut segments = 0;
        let used = allocation_counter::measure(|| {
            let (message, _) = er7::parse(&bytes, &Limits::default(), &Site::default()).unwrap();
            segments = message.segment_count();
        });
        let most = 6 * bytes.len() as u64 + (64 << 10);
        println!("{name}: {} bytes, {segments} segments, at most {} bytes held", bytes.len(), used.bytes_max);
        if used.bytes_max > most {
            greedy.push(format!("{name}: {:.1} times", used.bytes_max as f64 / bytes.len() as f64));
        }
    }
    assert!(greedy.is_empty(), "{greedy:?}");
}

#[test]
fn a_document_of_fifty_megabytes_in_one_value_is_read_or_refused_at_once() {
    let large =
        |unit: &str, size: usize| after_header(&format!("OBX|1|ED|||^^^Base64^{}|F\r", unit.repeat(size / unit.len())));
    let (limits, site) = (Limits::default(), Site::default());
    let bytes = large("QUJD", limits.leaf_bytes_max + 4);
    assert!(matches!(er7::parse(&bytes, &limits, &site), Err(NotAMessage::LeafTooLarge { .. })));
    for unit in ["QUJD", "\\F\\"] {
        let bytes = large(unit, 50_000_000);
        let begun = thread_cpu();
        let (message, _): (Message<'_>, _) = er7::parse(&bytes, &limits, &site).unwrap();
        let longest = message.leaves().map(|leaf| leaf.node.text().len()).max();
        assert!(longest > Some(10_000_000));
        if let (Some(begun), Some(ended)) = (begun, thread_cpu()) {
            assert!(ended - begun < Duration::from_secs(20), "{:?}", ended - begun);
        }
    }
}

#[test]
fn what_has_too_many_positions_or_segments_is_refused_before_memory_grows() {
    let (limits, site) = (Limits::default(), Site::default());
    let positions = after_header(&format!("ZZ1{}", "|".repeat(5_000_000)));
    let segments = after_header(&"OBX|1\r".repeat(200_000));
    for (bytes, code) in [(positions, "too-many-leaves"), (segments, "too-many-segments")] {
        let used = allocation_counter::measure(|| {
            assert_eq!(er7::parse(&bytes, &limits, &site).unwrap_err().code(), code);
        });
        assert!(used.bytes_max <= 6 * bytes.len() as u64 + (64 << 10), "{code}: {}", used.bytes_max);
    }
    let million = after_header(&format!("ZZ1{}", "|".repeat(1_000_000)));
    let (message, issues) = er7::parse(&million, &limits, &site).unwrap();
    assert_eq!((message.leaf_count() - 7, issues.last().unwrap().code.as_str()), (0, "position-overflow"));
}

#[test]
fn pieces_and_frames_are_joined_in_time_that_grows_with_them() {
    let value = "x".repeat(2_000);
    let join = |pieces: usize| {
        let mut reassembler =
            Reassembler::new(&Limits { reassembly_fragments_max: 100_000, ..Limits::default() }, &Site::default());
        for n in 0..pieces {
            let after = if n == 0 { String::new() } else { format!("p{n}") };
            let add = if n == 0 { "OBX|1|FT|||" } else { "ADD|" };
            let piece = format!("MSH|^~\\&|LIS|H||||||{n}|P|2.4||{after}\r{add}{value}\rADD|\rDSC|p{}|F\r", n + 1);
            reassembler.push(piece.as_bytes(), 0).unwrap();
        }
        assert!(reassembler.pending_bytes() > pieces * value.len());
    };
    let feed = |frames: usize| {
        let mut decoder = Decoder::new(&Limits::default(), &Site::default());
        let frame = [b"\x0B".as_slice(), &b"\x0BMSH|\x1C".repeat(20), b"\x1C\r"].concat();
        let stream = frame.repeat(frames);
        let mut events = 0;
        for byte in stream.chunks(1) {
            decoder.feed(byte);
            while let Some(_event) = decoder.next_frame().unwrap() {
                events += 1;
            }
        }
        assert_eq!(events, frames);
    };
    for run in [&join as &dyn Fn(usize), &feed] {
        let (Some(one), Some(four)) = (time(|| run(250)), time(|| run(1_000))) else { return };
        println!("{one:?}, four times as many in {four:?}");
        assert!(four.as_secs_f64() / one.as_secs_f64() < 8.0, "{one:?}, {four:?}");
    }
}
