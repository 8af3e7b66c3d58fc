//! Whatever is done to a log is found.

use super::*;
use crate::frame::Frame;
use crate::verdict::Verdict;

/// Offsets of the frames of a segment.
fn frames(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut at = 0;
    let mut frames = Vec::new();
    while let Some(frame) = Frame::read(&bytes[at..]) {
        frames.push(at..at + frame.bytes);
        at += frame.bytes;
    }
    frames
}

fn verdict(change: impl FnOnce(&mut Log)) -> Verdict {
    let mut log = Log::make(800, 30);
    change(&mut log);
    log.judge().verdict()
}

/// Flips this many single bits, spread over all files by a fixed sequence, and checks each time.
fn flip(log: &Log, flips: u64) {
    let segments_len: usize = log.segments.iter().map(|(_, bytes)| bytes.len()).sum();
    let total = segments_len + log.notes.len() + log.origin.len();
    let mut checked = log.check();
    let mut number = 88_172_645_463_325_252_u64;
    for _ in 0..flips {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        let bit = 1 << (number % 8);
        let mut at = usize::try_from(number >> 8).unwrap() % total;
        let place = log.segments.iter().position(|(_, bytes)| {
            let here = at < bytes.len();
            at -= if here { 0 } else { bytes.len() };
            here
        });
        let Some(place) = place else {
            let mut log = log.clone();
            match at.checked_sub(log.notes.len()) {
                None => log.notes[at] ^= bit,
                Some(at) => {
                    let mut bytes = log.origin.into_bytes();
                    bytes[at] ^= bit;
                    log.origin = String::from_utf8_lossy(&bytes).into_owned();
                }
            }
            assert_ne!(log.judge_with(&checked).verdict(), Verdict::Ok, "flip beside the segments at {at}");
            continue;
        };
        let (name, bytes) = &log.segments[place];
        let mut bytes = bytes.clone();
        bytes[at] ^= bit;
        let whole = std::mem::replace(&mut checked[place], Segment::check(*name, &bytes, None));
        let judgement = log.judge_with(&checked);
        checked[place] = whole;
        assert_ne!(judgement.verdict(), Verdict::Ok, "flip in segment {name} at {at}");
        // The leaf named is not behind the damage and not before its segment.
        let leaf = judgement.findings.iter().map(|finding| finding.from).min().unwrap();
        let hit = frames(&log.segments[place].1).into_iter().find(|frame| frame.contains(&at)).unwrap();
        let frame = Frame::read(&log.segments[place].1[hit]).unwrap();
        assert!(leaf >= *name && leaf <= frame.end(), "flip in segment {name} at {at}: leaf {leaf}");
    }
}

#[test]
fn a_whole_log_is_ok() {
    let judgement = Log::make(800, 30).judge();
    assert_eq!(judgement.findings, []);
    assert_eq!(judgement.notes, 4);
}

/// 150 flips in 800 records; `DUKOU_FLIPS` asks for more, in a log that grows with them.
#[test]
fn a_flipped_bit_is_found_wherever_it_is() {
    #[expect(clippy::disallowed_methods, reason = "a longer run is asked for from outside")]
    let flips = std::env::var("DUKOU_FLIPS").ok().and_then(|n| n.parse().ok()).unwrap_or(150);
    flip(&Log::make(800.max(flips / 5), 40.max(flips / 125)), flips);
}

#[test]
fn a_change_with_its_checksum_made_right_is_found() {
    let log = Log::make(800, 30);
    let mut number = 88_172_645_463_325_252_u64;
    for _ in 0..60 {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        let mut log = log.clone();
        let place = usize::try_from(number % 5).unwrap();
        let bytes = &mut log.segments[place].1;
        let frames = frames(bytes);
        let range = frames[usize::try_from(number >> 8).unwrap() % frames.len()].clone();
        // Length and count, first leaf, then all that the tree covers; clocks and run id have the checksum alone.
        let covered: Vec<usize> = (6..24).chain(56..range.len() - 20).collect();
        let at = range.start + covered[usize::try_from(number >> 16).unwrap() % covered.len()];
        bytes[at] ^= 1 << (number % 8);
        let header = usize::from(u16::from_le_bytes([bytes[range.start + 6], bytes[range.start + 7]]));
        let body = u32::from_le_bytes(bytes[range.start + 8..range.start + 12].try_into().unwrap()) as usize;
        let end = range.start.saturating_add(header).saturating_add(body).saturating_add(32);
        if end.saturating_add(4) <= bytes.len() {
            let crc = crc32c::crc32c(&bytes[range.start..end]);
            bytes[end..end + 4].copy_from_slice(&crc.to_le_bytes());
        }
        assert_ne!(log.judge().verdict(), Verdict::Ok, "segment {place} at {at}");
    }
}

#[test]
fn a_frame_taken_out_is_missing() {
    for place in [0, 7, 19] {
        let found = verdict(|log| {
            let range = frames(&log.segments[2].1)[place].clone();
            log.segments[2].1.drain(range);
        });
        assert!(matches!(found, Verdict::Missing | Verdict::Altered), "{place}: {found:?}");
    }
}

#[test]
fn frames_put_twice_or_in_another_order_are_found() {
    let found = verdict(|log| {
        let range = frames(&log.segments[2].1)[5].clone();
        let copy = log.segments[2].1[range.clone()].to_vec();
        log.segments[2].1.splice(range.end..range.end, copy);
    });
    assert_eq!(found, Verdict::Altered);
    let found = verdict(|log| {
        let frames = frames(&log.segments[2].1);
        let (fifth, sixth) = (frames[5].clone(), frames[6].clone());
        log.segments[2].1[fifth.start..sixth.end].rotate_left(fifth.len());
    });
    assert_eq!(found, Verdict::Altered);
}

#[test]
fn a_frame_put_in_between_is_found() {
    let found = verdict(|log| {
        let range = frames(&log.segments[2].1)[5].clone();
        let mut tree = Tree::default();
        let foreign = frame(&mut tree, &mut Vec::new(), &[record(3, &write(1))], false, 1);
        log.segments[2].1.splice(range.start..range.start, foreign);
    });
    assert_eq!(found, Verdict::Altered);
}

#[test]
fn a_log_cut_below_its_note_is_rolled_back() {
    let found = verdict(|log| {
        let last = log.segments.len() - 1;
        let range = frames(&log.segments[last].1)[12].clone();
        log.segments[last].1.truncate(range.start);
    });
    assert_eq!(found, Verdict::RolledBack);
    let found = verdict(|log| drop(log.segments.pop()));
    assert_eq!(found, Verdict::RolledBack);
}

#[test]
fn a_segment_taken_out_is_missing_with_its_leaves() {
    let mut log = Log::make(800, 30);
    log.segments.remove(2);
    let judgement = log.judge();
    assert_eq!(judgement.verdict(), Verdict::Missing);
    let finding = judgement.decisive().unwrap();
    assert_eq!((finding.from, finding.to), (161, 321));
}

#[test]
fn half_a_frame_behind_the_last_one_is_a_torn_tail() {
    let found = verdict(|log| {
        let last = log.segments.len() - 1;
        let half = log.segments[last].1[..300].to_vec();
        log.segments[last].1.extend_from_slice(&half);
    });
    assert_eq!(found, Verdict::TornTail);
}

#[test]
fn a_log_written_anew_without_the_key_does_not_fit_its_notes() {
    let mut log = Log::make(800, 30);
    let other = Log::make(1_100, 30);
    log.segments = other.segments;
    let (name, bytes) = log.segments.remove(3);
    let judgement = {
        // Everything from here on is made again with one record changed, all hashes and checksums right.
        let mut tree = Tree::default();
        let mut shadow = Vec::new();
        for (_, bytes) in &log.segments[..3] {
            for range in frames(bytes) {
                let frame = Frame::read(&bytes[range]).unwrap();
                for record in frame.records().flatten() {
                    grow(&mut shadow, tree.size, record);
                    tree.append(record);
                }
            }
        }
        let mut anew = Vec::new();
        for (i, range) in frames(&bytes).into_iter().enumerate() {
            let frame = Frame::read(&bytes[range]).unwrap();
            let mut records: Vec<Vec<u8>> =
                frame.records().flatten().map(|whole| record(whole[0], &whole[1..])).collect();
            if i == 4 {
                records[3][60] ^= 1;
            }
            anew.extend(super::frame(&mut tree, &mut shadow, &records, i == 0, frame.mono_ns));
        }
        log.segments.truncate(3);
        log.segments.push((name, anew));
        log.judge()
    };
    // The log ends below later notes as well; what was changed is told beside it.
    assert_eq!(judgement.verdict(), Verdict::RolledBack);
    let altered = judgement.findings.iter().find(|finding| finding.verdict == Verdict::Altered).unwrap();
    assert_eq!(altered.what, "a note names another root");
}

#[test]
fn two_notes_of_one_size_with_other_roots_prove_a_fork() {
    let mut log = Log::make(800, 30);
    let mut other = Log::make(800, 30);
    // The same key signs another root for the same size.
    let key = SigningKey::from_bytes(&[5; 32]);
    let origin = Origin::read(&log.origin).unwrap();
    let (note, _) = origin.notes(&log.notes).0.last().map(|note| (*note, ())).unwrap();
    let text = format!("{NAME}\n{}\n{}\n", note.size, STANDARD.encode([1; 32]));
    let hash = STANDARD.decode(other.notes.split(|b| *b == b' ').next_back().unwrap().trim_ascii_end()).unwrap();
    let code = STANDARD.encode([&hash[..4], &key.sign(text.as_bytes()).to_bytes()].concat());
    other.notes = format!("{text}\n\u{2014} {NAME} {code}\n\n").into_bytes();
    log.notes.extend_from_slice(&other.notes);
    assert_eq!(log.judge().verdict(), Verdict::Forked);
}

#[test]
fn a_bent_signature_is_named() {
    let found = verdict(|log| {
        let at = log.notes.len() - 20;
        log.notes[at] = if log.notes[at] == b'A' { b'B' } else { b'A' };
    });
    assert_eq!(found, Verdict::BadSignature);
}

#[test]
fn a_row_that_is_skipped_is_found() {
    let mut tree = Tree::default();
    let mut shadow = Vec::new();
    let body = [record(9, &heartbeat(4)), record(3, &write(5)), record(3, &write(7))];
    let bytes = frame(&mut tree, &mut shadow, &body, true, 1);
    let segment = Segment::check(0, &bytes, None);
    assert_eq!(segment.findings.len(), 1);
    assert_eq!(segment.findings[0].from, 2);
}
