//! Power loss, torn writes, failing syncs, full disks.

use super::*;
use crate::storage::Fault;

/// Reads and writes until the disk dies; the receipts of what was answered, and the rows the store kept.
fn load(opened: &Opened, rounds: u64) -> (Vec<Receipt>, Vec<(u64, Vec<u8>)>) {
    let (mut receipts, mut rows) = (Vec::new(), Vec::new());
    let mut jseq = opened.last_jseq;
    for round in 0..rounds {
        let answer = if round % 3 == 0 {
            let (answer, row) = write(opened, jseq + 1);
            if !row.is_empty() {
                jseq += 1;
                rows.push((jseq, row));
            }
            answer
        } else {
            read(opened)
        };
        match answer {
            Ok(released) => receipts.extend(released.receipt().cloned()),
            Err(_) => break,
        }
        if round % 16 == 15 {
            opened.ledger.tick();
        }
    }
    (receipts, rows)
}

fn leaf_hashes(bench: &Bench) -> Vec<[u8; 32]> {
    let mut hashes = Vec::new();
    let mut buffer = Vec::new();
    for first in crate::segment::list(&bench.disk).unwrap() {
        let bytes = crate::storage::read_all(&bench.disk, &crate::segment::path(first)).unwrap();
        let mut at = 0;
        while let Some(frame) = crate::frame::Frame::parse(&bytes[at..]) {
            assert_eq!(frame.first_leaf, hashes.len() as u64);
            hashes.extend(frame.leaves().map(|(_, record)| crate::tree::leaf_hash(record, &mut buffer)));
            at += frame.len;
        }
    }
    hashes
}

/// The next run over what is left: every answered record must be there, and the rows complete the ledger.
fn check_survivors(bench: &Bench, receipts: &[Receipt], rows: &[(u64, Vec<u8>)], case: &str) {
    let mut opened = bench.open().unwrap_or_else(|error| panic!("{case}: {error}"));
    let last = opened.last_jseq;
    let missing = rows.iter().filter(|(jseq, _)| *jseq > last);
    let missing = missing.map(|(jseq, row)| (*jseq, RecordBytes::from_row(row.clone()).unwrap())).collect();
    let store = rows.last().map_or(last, |(jseq, _)| last.max(*jseq));
    opened.ledger.complete(store, missing).unwrap_or_else(|error| panic!("{case}: {error}"));
    read(&opened).unwrap_or_else(|closed| panic!("{case}: {closed:?}"));
    opened.ledger.stop().unwrap();
    let hashes = leaf_hashes(bench);
    for receipt in receipts {
        assert_eq!(hashes.get(receipt.leaf() as usize), Some(receipt.hash()), "{case}: leaf {}", receipt.leaf());
    }
}

#[test]
fn what_was_answered_survives_the_loss_of_power() {
    for seed in 0..200 {
        let bench = Bench::new(seed);
        let at = 1 + SeededRandom::new(seed).number() % 120;
        let opened = bench.serve();
        let (base, writes) = (bench.disk.syncs(), bench.disk.writes());
        bench.disk.plan(if seed % 2 == 0 { Fault::DiesAtSync(base + at) } else { Fault::DiesAtWrite(writes + at) });
        let (receipts, rows) = load(&opened, 200);
        let left = if seed % 5 == 0 { bench.disk.unsynced_dropped() } else { bench.disk.power_lost(seed) };
        check_survivors(&bench.after(left), &receipts, &rows, &format!("seed {seed}"));
    }
}

#[test]
fn what_a_restart_answers_from_survives_although_it_was_never_synced() {
    for at in 1..40 {
        let bench = Bench::new(at);
        let opened = bench.serve();
        bench.disk.plan(Fault::DiesAtSync(bench.disk.syncs() + at));
        let (_, rows) = load(&opened, 60);
        // The process dies, the page cache lives; the restart answers from it; then power fails.
        let bench = bench.after(bench.disk.killed());
        let mut opened = bench.open().unwrap();
        let last = opened.last_jseq;
        let missing = rows.iter().filter(|(jseq, _)| *jseq > last);
        let missing = missing.map(|(jseq, row)| (*jseq, RecordBytes::from_row(row.clone()).unwrap())).collect();
        opened.ledger.complete(rows.last().map_or(0, |(jseq, _)| *jseq), missing).unwrap();
        let before = leaf_hashes(&bench);
        let bench = bench.after(bench.disk.unsynced_dropped());
        let opened = bench.open().unwrap();
        assert_eq!(opened.last_jseq, rows.last().map_or(0, |(jseq, _)| *jseq), "sync {at}");
        assert_eq!(leaf_hashes(&bench), before, "sync {at}");
    }
}

#[test]
fn a_failed_sync_or_write_ends_the_run_and_is_never_tried_again() {
    for n in 1..200 {
        let faults = [Fault::SyncFails(n), Fault::WriteNoSpace(n), Fault::WriteShort(n), Fault::WriteInterrupted(n)];
        for fault in faults {
            let bench = Bench::new(n);
            let mut opened = bench.open().unwrap();
            let (syncs, writes) = (bench.disk.syncs(), bench.disk.writes());
            bench.disk.plan(shifted(fault, syncs, writes));
            if opened.ledger.complete(0, Vec::new()).is_err() {
                assert_eq!(bench.disk.syncs_after_failure(), 0);
                continue;
            }
            let (receipts, rows) = load(&opened, 220);
            if opened.ledger.poisoned() {
                assert_eq!(read(&opened).err().map(|closed| closed.reason()), Some(ClosedReason::Poisoned));
            }
            assert_eq!(bench.disk.syncs_after_failure(), 0, "{fault:?}");
            let left = bench.after(bench.disk.power_lost(n));
            check_survivors(&left, &receipts, &rows, &format!("{fault:?}"));
        }
    }
}

fn shifted(fault: Fault, syncs: u64, writes: u64) -> Fault {
    match fault {
        Fault::SyncFails(n) => Fault::SyncFails(n + syncs),
        Fault::WriteNoSpace(n) => Fault::WriteNoSpace(n + writes),
        Fault::WriteShort(n) => Fault::WriteShort(n + writes),
        Fault::WriteInterrupted(n) => Fault::WriteInterrupted(n + writes),
        other => other,
    }
}

#[test]
fn a_full_disk_closes_the_gate_and_space_opens_it_again() {
    let bench = Bench::new(3);
    let opened = bench.serve();
    opened.ledger.tick();
    bench.disk.limit(Some(bench.disk.used()));
    let mut standings = vec![opened.gate.standing()];
    let mut answered = 0;
    let closed = loop {
        opened.ledger.tick();
        match read(&opened) {
            Ok(_) => answered += 1,
            Err(closed) => break closed,
        }
        standings.push(opened.gate.standing());
    };
    assert!(answered > 100, "the prepared segment is used first: {answered}");
    assert_eq!(closed.reason(), ClosedReason::NoSpace);
    standings.dedup();
    assert_eq!(standings, [Standing::Serving, Standing::Narrow, Standing::Reserve]);
    drop(closed.release(()));

    // Break-glass goes on in the reserve until that is full, too.
    let mut emergency = who(Interaction::Create);
    emergency.purpose.break_glass = Some("cardiac arrest".to_owned());
    let mut jseq = 0;
    let unanswered = loop {
        jseq += 1;
        let (answer, _) = write_as(&opened, emergency.clone(), jseq);
        if let Err(closed) = answer {
            break closed.reason();
        }
    };
    assert!(jseq > 100, "{jseq}");
    assert_eq!((unanswered, opened.gate.standing()), (ClosedReason::NoSpace, Standing::Full));
    assert_eq!(bench.disk.syncs_after_failure(), 0);

    bench.disk.limit(None);
    opened.ledger.tick();
    assert_eq!(opened.gate.standing(), Standing::Serving);
    read(&opened).unwrap();
    opened.ledger.tick();
    opened.ledger.stop().unwrap();
    // The row that found no room was committed in the store; it was kept and written when space came back.
    assert_eq!(bench.open().unwrap().last_jseq, jseq);
    assert_eq!(verify(&bench.disk, false, None).unwrap().findings, []);
}

#[test]
fn searches_are_refused_first_when_space_runs_short() {
    let bench = Bench::new(3);
    let opened = bench.serve();
    bench.disk.limit(Some(bench.disk.used()));
    opened.ledger.tick();
    assert_eq!(opened.gate.standing(), Standing::Narrow);
    let search =
        opened.gate.read(who(Interaction::Search), |permit| Ok::<_, Refusal>(permit.without_patient_data(Text(""))));
    assert_eq!(search.wait().err().map(|closed| closed.reason()), Some(ClosedReason::NoSpace));
    read(&opened).unwrap();
}

#[test]
fn a_store_behind_its_ledger_is_refused() {
    let bench = Bench::new(1);
    let opened = bench.serve();
    for jseq in 1..=3 {
        write(&opened, jseq).0.unwrap();
    }
    opened.ledger.stop().unwrap();
    let mut opened = bench.open().unwrap();
    let error = opened.ledger.complete(2, Vec::new()).unwrap_err();
    assert!(matches!(error, CompleteError::StoreBehind { store: 2, ledger: 3 }));
    assert_eq!(read(&opened).err().map(|closed| closed.reason()), Some(ClosedReason::NotServing));
}

#[test]
fn a_log_shorter_than_its_note_is_refused() {
    let bench = Bench::new(1);
    let opened = bench.serve();
    read(&opened).unwrap();
    opened.ledger.stop().unwrap();
    let last = crate::segment::path(*crate::segment::list(&bench.disk).unwrap().last().unwrap());
    assert!(bench.disk.tamper(&last, |bytes| bytes.clear()));
    assert!(matches!(bench.open().err(), Some(OpenError::RolledBack { .. })));
}

#[test]
fn a_changed_record_with_valid_ones_behind_it_is_refused() {
    let bench = Bench::new(1);
    let opened = bench.serve();
    for _ in 0..5 {
        read(&opened).unwrap();
    }
    opened.ledger.stop().unwrap();
    let last = crate::segment::path(*crate::segment::list(&bench.disk).unwrap().last().unwrap());
    assert!(bench.disk.tamper(&last, |bytes| bytes[700] ^= 1));
    assert!(matches!(bench.open().err(), Some(OpenError::Corrupt { .. })));
}

#[test]
fn a_long_run_crosses_many_segments_and_starts_again_from_the_last() {
    let bench = Bench::new(1);
    let opened = bench.serve();
    let (receipts, rows) = load(&opened, 1_500);
    assert_eq!(receipts.len(), 1_500);
    opened.ledger.stop().unwrap();
    assert!(crate::segment::list(&bench.disk).unwrap().len() > 5);
    check_survivors(&bench, &receipts, &rows, "stopped");
}

#[test]
fn a_prepared_segment_has_its_full_length_before_it_is_used() {
    let bench = Bench::new(1);
    let opened = bench.serve();
    opened.ledger.tick();
    let left = bench.disk.unsynced_dropped();
    for path in ["seg/next.seg", "emerg.seg"] {
        let bytes = crate::storage::read_all(&left, path).unwrap();
        assert_eq!(bytes.len(), 64 << 10, "{path}");
        assert!(bytes.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn a_break_in_the_run_of_rows_closes_the_gate() {
    let bench = Bench::new(1);
    let opened = bench.serve();
    write(&opened, 1).0.unwrap();
    assert_eq!(write(&opened, 3).0.err().map(|closed| closed.reason()), Some(ClosedReason::Poisoned));
    assert!(opened.ledger.poisoned());
}

#[test]
fn a_frame_that_names_another_root_before_it_is_refused() {
    let bench = Bench::new(1);
    let opened = bench.serve();
    read(&opened).unwrap();
    drop(opened);
    let last = crate::segment::path(*crate::segment::list(&bench.disk).unwrap().last().unwrap());
    bench.disk.tamper(&last, |bytes| {
        let first = crate::frame::Frame::parse(bytes).unwrap().len;
        let second = crate::frame::Frame::parse(&bytes[first..]).unwrap();
        let checked = first + 88 + second.body.len() + 32;
        bytes[first + 60] ^= 1;
        let crc = crc32c::crc32c(&bytes[first..checked]);
        bytes[checked..checked + 4].copy_from_slice(&crc.to_le_bytes());
    });
    assert!(matches!(bench.open().err(), Some(OpenError::Corrupt { leaf: 3 })));
    assert_eq!(verify(&bench.disk, false, None).unwrap().verdict(), Verdict::Altered);
}

#[test]
fn a_frontier_that_does_not_fold_is_refused() {
    let bench = Bench::new(1);
    let opened = bench.serve();
    read(&opened).unwrap();
    drop(opened);
    let last = crate::segment::path(*crate::segment::list(&bench.disk).unwrap().last().unwrap());
    bench.disk.tamper(&last, |bytes| {
        let frame = crate::frame::Frame::parse(bytes).unwrap();
        let checked = 89 + 32 + frame.body.len() + 32;
        bytes[100] ^= 1;
        let crc = crc32c::crc32c(&bytes[..checked]);
        bytes[checked..checked + 4].copy_from_slice(&crc.to_le_bytes());
        assert!(crate::frame::Frame::parse(bytes).is_some());
    });
    assert!(matches!(bench.open().err(), Some(OpenError::Corrupt { leaf: 1 })));
    assert_eq!(verify(&bench.disk, false, None).unwrap().verdict(), Verdict::Altered);
}
