//! Reports, the operator's decisions, and the check with the gateway's own code.

use super::*;

fn files(bench: &Bench) -> Arc<dyn Files> {
    Arc::new(bench.disk.clone())
}

fn last_segment(bench: &Bench) -> String {
    crate::segment::path(*crate::segment::list(&bench.disk).unwrap().last().unwrap())
}

fn verdict(bench: &Bench) -> Verdict {
    verify(&bench.disk, false, None).unwrap().verdict()
}

fn entries(bench: &Bench, question: &Question<'_>) -> Vec<Entry> {
    let mut entries = Vec::new();
    let reader = Reader::open(files(bench), &bench.keys()).unwrap();
    reader.search(question, |entry| entries.push(entry)).unwrap();
    entries
}

#[test]
fn who_saw_a_patient_and_what_a_user_saw_are_told_from_the_records() {
    let bench = Bench::new(1);
    let opened = bench.serve();
    read(&opened).unwrap();
    let seal = &opened.seal;
    let mut other = who(Interaction::Search);
    other.user.as_mut().unwrap().subject = "n2002".to_owned();
    let answer = opened.gate.read(other, |_| Ok::<_, Refusal>(Unreleased::new(seal, Text("{}"), shown(&["p2", "p1"]))));
    answer.wait().unwrap();
    write(&opened, 1).0.unwrap();
    opened.ledger.stop().unwrap();

    let saw_p1 = entries(&bench, &Question { patients: &["p1"], ..Question::default() });
    assert_eq!(saw_p1.len(), 3);
    assert_eq!(saw_p1[0].user_name.as_deref(), Some("李思远"));
    assert_eq!(saw_p1[0].query.as_deref(), Some("GET /Observation?patient=p1"));
    assert_eq!(saw_p1[2].resources[0].how, Some(How::Created));
    assert!(saw_p1.iter().all(|entry| entry.opened));
    let viewers = viewers(&saw_p1);
    assert_eq!(viewers.iter().map(|viewer| viewer.entries).collect::<Vec<_>>(), [2, 1]);
    let by_n2002 = entries(&bench, &Question { user: Some("n2002"), ..Question::default() });
    let patients: Vec<_> = by_n2002[0].patients.iter().filter_map(|(_, id)| id.as_deref()).collect();
    assert_eq!(patients, ["p2", "p1"]);
    assert_eq!(by_n2002[0].matched, Some(2));
}

#[test]
fn no_name_and_no_reference_stands_in_the_clear() {
    let bench = Bench::new(1);
    let opened = bench.serve();
    let seal = &opened.seal;
    let mut access = who(Interaction::Read);
    access.purpose.break_glass = Some("CANARY-reason".to_owned());
    access.query = Some("GET /Patient/CANARY-query".to_owned());
    let answer = opened.gate.read(access, |_| {
        let mut shown = shown(&[]);
        let place = shown.patient("CANARY-patient");
        shown.resources.push(ShownResource {
            kind: "Patient".to_owned(),
            id: "CANARY-patient".to_owned(),
            version: 2,
            patient: Some(place),
            how: How::Match,
        });
        Ok::<_, Refusal>(Unreleased::new(seal, Text("{}"), shown))
    });
    answer.wait().unwrap();
    opened.ledger.stop().unwrap();
    let bytes = crate::storage::read_all(&bench.disk, &last_segment(&bench)).unwrap();
    let holds = |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    assert!(!holds("CANARY") && !holds("李思远"));
    let found = entries(&bench, &Question { patients: &["CANARY-patient"], ..Question::default() });
    assert_eq!(found[0].resources[0].id, "CANARY-patient");
    assert_eq!(found[0].break_glass.as_deref(), Some("CANARY-reason"));
}

/// Who, when, where, what, why, on which basis, with which outcome: the fields the law asks for, by their keys.
#[test]
fn a_record_carries_every_field_that_is_asked_for() {
    let bench = Bench::new(1);
    let opened = bench.serve();
    let mut access = who(Interaction::Search);
    access.trace = Some([1; 24]);
    access.purpose.basis = Some("treatment".to_owned());
    access.purpose.break_glass = Some("reason".to_owned());
    access.purpose.treatment_proof = Some("Encounter/e1".to_owned());
    access.decision.consents = vec!["c1/2".to_owned()];
    let control_id = "M1".to_owned();
    access.message = Some(MessageRef { source: "his".to_owned(), kind: "QBP".to_owned(), control_id, sha256: [1; 32] });
    let mut shown = shown(&["p1"]);
    shown.labels = Labels { highest: 3, codes: vec!["R".to_owned()], ..Labels::default() };
    let made = crate::record::access(&opened.gate.shared, &access, crate::record::ACCESS, &Text("{}"), &shown).unwrap();
    let record = crate::record::records(made.as_bytes()).next().unwrap().unwrap();
    let content = crate::decode::Cbor::parse(&record[1..]).unwrap();
    for key in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19, 25, 27, 28, 30] {
        assert!(content.key(key).is_some(), "key {key}");
    }
    let clear =
        [(7, 0), (7, 1), (8, 0), (8, 1), (8, 2), (9, 0), (9, 1), (9, 2), (9, 3), (12, 0), (12, 1), (12, 2), (12, 3)];
    for (key, sub) in clear {
        assert!(content.key(key).and_then(|map| map.key(sub)).is_some(), "key {key}.{sub}");
    }
    assert!((250..=520).contains(&made.as_bytes().len()), "{} bytes", made.as_bytes().len());
}

#[test]
fn what_is_sealed_stays_out_of_logs_and_panics() {
    let mut access = who(Interaction::Ingest);
    access.purpose.break_glass = Some("CANARY".to_owned());
    access.purpose.treatment_proof = Some("CANARY".to_owned());
    access.query = Some("CANARY".to_owned());
    access.user.as_mut().unwrap().name = Some("CANARY".to_owned());
    let control_id = "CANARY".to_owned();
    let message = MessageRef { source: "his".to_owned(), kind: "ADT^A01".to_owned(), control_id, sha256: [0; 32] };
    access.message = Some(message.clone());
    assert!(!format!("{access:?} {message:?} {:?} {:?}", access.user, access.purpose).contains("CANARY"));
}

#[test]
fn an_altered_log_serves_again_only_after_a_signed_gap() {
    for (offset, noted) in [(700, true), (700, false)] {
        let bench = Bench::new(1);
        let opened = bench.serve();
        for jseq in 1..=5 {
            write(&opened, jseq).0.unwrap();
        }
        if noted {
            opened.ledger.stop().unwrap();
        } else {
            drop(opened);
        }
        assert!(bench.disk.tamper(&last_segment(&bench), |bytes| bytes[offset] ^= 1));
        assert!(matches!(bench.open().err(), Some(OpenError::Corrupt { .. })));
        let decree = Decree { reason: "disk sector lost", by: "王审计" };
        let random = Arc::new(SeededRandom::new(99));
        accept_gap(&bench.disk, &bench.keys(), bench.clock.clone(), random.clone(), decree).unwrap();
        let again = accept_gap(&bench.disk, &bench.keys(), bench.clock.clone(), random, decree);
        assert!(matches!(again, Err(AcceptError::NothingToAccept)));
        let mut opened = bench.open().unwrap();
        let last = opened.last_jseq;
        opened.ledger.complete(last, Vec::new()).unwrap();
        read(&opened).unwrap();
        opened.ledger.stop().unwrap();
        bench.open().unwrap();
        // What was noted and is damaged stays damaged for every verifier.
        assert_eq!(verdict(&bench), if noted { Verdict::Altered } else { Verdict::Ok });
    }
}

#[test]
fn a_store_behind_serves_again_only_after_a_signed_rollback() {
    let bench = Bench::new(1);
    let opened = bench.serve();
    for jseq in 1..=5 {
        write(&opened, jseq).0.unwrap();
    }
    opened.ledger.stop().unwrap();
    let decree = Decree { reason: "store restored from Sunday", by: "王审计" };
    let random = Arc::new(SeededRandom::new(99));
    accept_rollback(&bench.disk, &bench.keys(), bench.clock.clone(), random, 3, decree).unwrap();
    let mut opened = bench.open().unwrap();
    assert_eq!(opened.last_jseq, 3);
    opened.ledger.complete(3, Vec::new()).unwrap();
    write(&opened, 4).0.unwrap();
    opened.ledger.stop().unwrap();
    assert_eq!(verdict(&bench), Verdict::Ok);
    assert_eq!(bench.open().unwrap().last_jseq, 4);
}

#[test]
fn a_whole_log_is_ok_and_each_kind_of_damage_has_its_verdict() {
    let bench = Bench::new(1);
    let opened = bench.serve();
    for jseq in 1..=400 {
        write(&opened, jseq).0.unwrap();
        if jseq % 100 == 0 {
            bench.clock.pass(1_100_000_000);
            opened.ledger.tick();
        }
    }
    opened.ledger.stop().unwrap();
    assert_eq!(verify(&bench.disk, false, None).unwrap().findings, []);
    let segments = crate::segment::list(&bench.disk).unwrap();
    let fresh = || bench.after(bench.disk.unsynced_dropped());
    let original = fresh();

    let case = original.after(copy(&original));
    case.disk.remove(&crate::segment::path(segments[2])).unwrap();
    assert_eq!(verdict(&case), Verdict::Missing);
    let case = original.after(copy(&original));
    case.disk.remove(&last_segment(&case)).unwrap();
    assert_eq!(verdict(&case), Verdict::RolledBack);
    let case = original.after(copy(&original));
    case.disk.tamper(&crate::segment::path(segments[1]), |bytes| bytes[900] ^= 4);
    assert_eq!(verdict(&case), Verdict::Altered);
    let case = original.after(copy(&original));
    case.disk.tamper("notes", |bytes| bytes[40] ^= 1);
    assert_eq!(verdict(&case), Verdict::BadSignature);
    let case = original.after(copy(&original));
    case.disk.tamper(&last_segment(&case), |bytes| bytes.extend_from_slice(b"DKL1 half a frame"));
    assert_eq!(verdict(&case), Verdict::TornTail);
    let late = verify(&original.disk, false, Some(bench.clock.wall_ns() + 1)).unwrap();
    assert_eq!(late.verdict(), Verdict::Stale);
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_readers_panic(
        head in proptest::collection::vec(0_u8.., 0..200),
        edits in proptest::collection::vec((0_usize..3_456, 0_u8..), 0..6),
    ) {
        let mut bytes = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/logs/whole/seg/00000000000000000001.seg")).unwrap();
        for (at, byte) in edits {
            bytes[at] = byte;
        }
        let origin = crate::origin::Origin { name: ORIGIN.to_owned(), public: [3; 32] };
        for bytes in [&head, &bytes] {
            let _ = crate::frame::Frame::parse(bytes).map(|frame| frame.leaves().count());
            drop(crate::recovery::read_segment(bytes, 1, None));
            drop(crate::decode::Cbor::parse(bytes));
            drop(RecordBytes::from_row(bytes.clone()));
            drop(crate::recovery::all_notes(bytes, &origin));
            drop(crate::origin::Origin::parse(&String::from_utf8_lossy(bytes)));
        }
    }
}

/// A disk with the same files.
fn copy(bench: &Bench) -> Faulty {
    let disk = Faulty::new();
    for dir in ["", "seg", "keys"] {
        for name in bench.disk.list(dir).unwrap() {
            let path = if dir.is_empty() { name } else { format!("{dir}/{name}") };
            let bytes = crate::storage::read_all(&bench.disk, &path).unwrap();
            crate::segment::write_file(&disk, dir, &path, &bytes).unwrap();
        }
    }
    disk
}
