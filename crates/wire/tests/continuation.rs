//! Messages that come in pieces.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use dukou_wire::continuation::{ExpiredReason, Joined, PieceError, Pushed, Reassembler};
use dukou_wire::{Limits, Path, Site, er7, invariants};
use proptest::prelude::*;

fn reassembler(limits: Limits) -> Reassembler {
    Reassembler::new(&limits, &Site::default())
}

/// A message of this sender; `after` is MSH-14 and `next` DSC-1.
fn piece(sender: &str, id: &str, after: &str, body: &[u8], next: &str) -> Vec<u8> {
    let mut bytes = format!("MSH|^~\\&|{sender}|H||||||{id}|P|2.4||{after}||||GBK\r").into_bytes();
    bytes.extend_from_slice(body);
    if !next.is_empty() {
        bytes.extend_from_slice(format!("\rADD|\rDSC|{next}|F\r").as_bytes());
    }
    bytes
}

fn complete(pushed: Result<Pushed, PieceError>) -> Joined {
    let Ok(Pushed::Complete(joined)) = pushed else { panic!("{pushed:?}") };
    joined
}

#[test]
fn a_segment_cut_inside_a_character_and_an_escape_is_joined_before_it_is_decoded() {
    let mut reassembler = reassembler(Limits::default());
    // 珅 is AB 7C; the escape that is cut stands for a component separator.
    let pieces = [
        piece("LIS", "1", "", b"PID|1||1\rOBX|1|FT|||\xC0\xEE\xAB", "p1"),
        piece("LIS", "2", "p1", b"ADD|\x7C a\\", "p2"),
        piece("LIS", "3", "p2", b"ADD|S\\b|||||F\rOBX|2|NM|||5\r", ""),
    ];
    assert_eq!(reassembler.push(&pieces[0], 0), Ok(Pushed::Kept { pieces: 1 }));
    assert_eq!(reassembler.push(&pieces[1], 1), Ok(Pushed::Kept { pieces: 2 }));
    assert_eq!(reassembler.push(&pieces[1], 2), Ok(Pushed::Kept { pieces: 2 }), "a piece sent again changes nothing");
    let joined = complete(reassembler.push(&pieces[2], 3));
    let (message, _) = er7::parse(&joined.bytes, &Limits::default(), &Site::default()).unwrap();
    assert_eq!(message.get(&Path::parse("OBX-5").unwrap()).unwrap().text(), "李珅 a^b");
    assert_eq!(message.get(&Path::parse("OBX[2]-5").unwrap()).unwrap().text(), "5");
    assert_eq!((message.segment_count(), joined.control_ids), (4, vec!["1".into(), "2".into(), "3".into()]));
    assert_eq!(reassembler.pending_bytes(), 0);
}

#[test]
fn pieces_cut_between_segments_need_no_add() {
    let mut reassembler = reassembler(Limits::default());
    let first = b"MSH|^~\\&|LIS|H||||||1|P|2.5\nSFT|v\nPID|1\nOBX|1\nDSC|p1|F\n";
    assert_eq!(reassembler.push(first, 0), Ok(Pushed::Kept { pieces: 1 }));
    let joined = complete(reassembler.push(b"MSH|^~\\&|LIS|H||||||2|P|2.5||p1\nSFT|v\nOBX|2\n", 0));
    assert_eq!(joined.bytes, b"MSH|^~\\&|LIS|H||||||1|P|2.5\nSFT|v\nPID|1\nOBX|1\nOBX|2\n");
}

#[test]
fn messages_of_others_and_whole_ones_come_between_pieces() {
    let mut reassembler = reassembler(Limits::default());
    for sender in ["LIS", "RIS"] {
        let pushed = reassembler.push(&piece(sender, "1", "", b"OBX|1|FT|||a", "p1"), 0);
        assert_eq!(pushed, Ok(Pushed::Kept { pieces: 1 }));
    }
    assert_eq!(reassembler.push(&piece("LIS", "7", "", b"PID|1", ""), 0), Ok(Pushed::Whole));
    let joined = complete(reassembler.push(&piece("RIS", "2", "p1", b"ADD|b", ""), 0));
    assert!(joined.bytes.starts_with(b"MSH|^~\\&|RIS|") && joined.bytes.ends_with(b"OBX|1|FT|||ab"));
    assert!(complete(reassembler.push(&piece("LIS", "2", "p1", b"ADD|c", ""), 0)).bytes.ends_with(b"|||ac"));
}

#[test]
fn the_continuation_of_a_query_is_no_piece() {
    for body in [&b"QRD|1\rDSC|p1\r"[..], b"QPD|1\rDSC|p1|I\r", b"PID|1\rDSC|p1|I\r", b"PID|1\rDSC|\r"] {
        let bytes = piece("LIS", "1", "", body, "");
        assert_eq!(reassembler(Limits::default()).push(&bytes, 0), Ok(Pushed::Whole));
    }
    let bytes = piece("LIS", "1", "", b"PID|1\rDSC|p1\r", "");
    assert_eq!(reassembler(Limits::default()).push(&bytes, 0), Ok(Pushed::Kept { pieces: 1 }));
}

#[test]
fn what_cannot_be_a_piece_is_refused_and_leaves_the_others_alone() {
    let mut reassembler = reassembler(Limits::default());
    reassembler.push(&piece("LIS", "1", "", b"PID|1||86001", "p1"), 0).unwrap();
    assert_eq!(reassembler.push(&piece("LIS", "2", "p9", b"ADD|x", ""), 0), Err(PieceError::Unknown));
    assert_eq!(reassembler.push(&piece("LIS", "3", "", b"OBX|1", "p1"), 0), Err(PieceError::PointerTaken));
    let other = b"MSH|^~\\&|LIS|H||||||4|P|2.4||p1||||UNICODE UTF-8\rADD|x\r";
    assert_eq!(reassembler.push(other, 0), Err(PieceError::Written));
    let refused = reassembler.push(&piece("LIS", "5", "p1", b"ADD|x", ""), 0);
    assert_eq!(refused, Err(PieceError::Uncontinuable("PID".to_owned())));
    assert!(matches!(reassembler.push(b"garbage", 0), Err(PieceError::NotAMessage(_))));
    assert!(complete(reassembler.push(&piece("LIS", "6", "p1", b"OBX|1", ""), 0)).bytes.ends_with(b"86001\rOBX|1"));
}

#[test]
fn what_is_not_completed_expires_and_names_its_pieces() {
    let limits = Limits { reassembly_age_ms_max: 100, ..Limits::default() };
    let mut aged = reassembler(limits);
    aged.push(&piece("LIS", "A1", "", b"OBX|1", "p1"), 0).unwrap();
    aged.push(&piece("LIS", "A2", "p1", b"ADD|2", "p2"), 90).unwrap();
    assert!(aged.expire(100).is_empty());
    let expired = aged.expire(101);
    assert_eq!(expired[0].control_ids, ["A1", "A2"]);
    assert_eq!((expired[0].reason, aged.pending_bytes()), (ExpiredReason::Age, 0));
    assert!(expired[0].to_string().ends_with("pieces by MSH-10: A1, A2"));
    assert_eq!(aged.push(&piece("LIS", "A3", "p2", b"ADD|3", ""), 102), Err(PieceError::Unknown));
}

#[test]
fn what_is_held_has_a_limit() {
    let mut few = reassembler(Limits { reassembly_fragments_max: 2, ..Limits::default() });
    few.push(&piece("LIS", "1", "", b"OBX|1", "p1"), 0).unwrap();
    few.push(&piece("RIS", "1", "", b"OBX|1", "p1"), 0).unwrap();
    let Err(PieceError::GivenUp(expired)) = few.push(&piece("LIS", "2", "p1", b"ADD|2", "p2"), 0) else { panic!() };
    assert_eq!((expired.reason, expired.control_ids), (ExpiredReason::Pieces, vec!["1".to_owned(), "2".to_owned()]));
    assert!(complete(few.push(&piece("RIS", "2", "p1", b"ADD|2", ""), 0)).bytes.ends_with(b"OBX|12"));
    let mut small = reassembler(Limits { reassembly_bytes_max: 60, ..Limits::default() });
    let Err(PieceError::GivenUp(expired)) = small.push(&piece("LIS", "1", "", &[b'x'; 60], "p1"), 0) else { panic!() };
    assert_eq!((expired.reason, small.pending_bytes()), (ExpiredReason::Bytes, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_message_cut_anywhere_is_joined_byte_for_byte(
        pieces in prop::collection::vec(prop::sample::select(vec![&b"\rOBX|2|FT|||"[..], b"\\F\\", b"\xAB\x7C", b"\xC0\xEE", b"|", b"ADD", b"DSC|", b"\rPID|", b" ", b"a"]), 0..30),
        cuts in prop::collection::vec(0..200_usize, 0..6),
    ) {
        invariants::reassembler(&pieces.concat(), &cuts);
    }
}
