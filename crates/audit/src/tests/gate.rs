//! The gate: one record for each request, and nothing leaves before it.

use super::*;

#[test]
fn a_read_leaves_with_the_receipt_of_its_record() {
    let opened = Bench::new(1).serve();
    let released = read(&opened).unwrap();
    let receipt = released.receipt().unwrap().clone();
    assert_eq!(receipt.origin(), ORIGIN);
    // Origin, heartbeat of the segment, START, then the read.
    assert_eq!(receipt.leaf(), 3);
    assert_eq!(released.into_inner().unwrap().0, "{}");
}

#[test]
fn a_write_leaves_with_the_receipt_of_its_row() {
    let opened = Bench::new(1).serve();
    let (answer, _) = write(&opened, 1);
    assert_eq!(answer.unwrap().receipt().unwrap().leaf(), 3);
    let (answer, _) = write(&opened, 2);
    assert_eq!(answer.unwrap().receipt().unwrap().leaf(), 4);
    opened.ledger.stop().unwrap();
}

#[test]
fn nothing_leaves_before_recovery_has_ended() {
    let bench = Bench::new(1);
    let opened = bench.open().unwrap();
    let closed = read(&opened).err().unwrap();
    assert_eq!(closed.reason(), ClosedReason::NotServing);
}

#[test]
fn a_panic_becomes_a_recorded_failure() {
    let opened = Bench::new(1).serve();
    let answer = opened.gate.read(who(Interaction::Read), |_| -> Result<Unreleased<Text>, Refusal> {
        panic!("broken handler");
    });
    let released = answer.wait().unwrap();
    assert_eq!(released.receipt().unwrap().leaf(), 3);
    assert_eq!(released.into_inner().err(), Some(Refusal::Failed(Failure::Panicked)));
}

#[test]
fn a_refusal_is_recorded_before_it_leaves() {
    let opened = Bench::new(1).serve();
    let released = opened.gate.refuse(who(Interaction::Read), Refusal::Forbidden).wait().unwrap();
    assert_eq!(released.receipt().unwrap().leaf(), 3);
}

#[test]
fn an_error_after_the_commit_does_not_make_a_second_record() {
    let opened = Bench::new(1).serve();
    let seal = &opened.seal;
    let answer = opened.gate.write(who(Interaction::Create), |permit| -> Result<Settled<Text>, Refusal> {
        let record = permit.draft().seal(&stamps(1))?;
        drop(seal.committed(vec![(1, record)]));
        Err(Refusal::Forbidden)
    });
    let released = answer.wait().unwrap();
    assert_eq!(released.receipt().unwrap().leaf(), 3);
    assert_eq!(opened.ledger.metrics().leaves, 4);
}

#[test]
fn a_write_that_changes_nothing_is_recorded_as_a_read() {
    let opened = Bench::new(1).serve();
    let seal = &opened.seal;
    let answer = opened.gate.write(who(Interaction::Update), |_| {
        Ok::<_, Refusal>(Settled::Unchanged(Unreleased::new(seal, Text("{}"), shown(&["p1"]))))
    });
    assert_eq!(answer.wait().unwrap().receipt().unwrap().leaf(), 3);
}

#[test]
fn an_effect_stands_between_intent_and_outcome() {
    let bench = Bench::new(1);
    let opened = bench.serve();
    let intent = Intent {
        access: who(Interaction::Deliver),
        organisation: Some("86H02".to_owned()),
        endpoint: Some("mllp://lis.example:2575".to_owned()),
        patients: vec!["p1".to_owned()],
        resources: Vec::new(),
        previous: None,
    };
    let answer: Answer<(), Refusal> = opened.gate.send(intent.clone(), |permit| {
        assert_eq!(permit.intent_leaf(), Some(3));
        assert_eq!(opened.ledger.metrics().leaves, 4, "the intent is durable before the effect");
        Ok(())
    });
    assert_eq!(answer.unwrap().receipt().unwrap().leaf(), 4);

    // A crash inside the effect leaves the intent open.
    let disk = std::cell::RefCell::new(None);
    let lost: Answer<(), Refusal> = opened.gate.send(intent, |_| {
        *disk.borrow_mut() = Some(bench.disk.killed());
        Ok(())
    });
    assert!(lost.is_err());
    let bench = bench.after(disk.into_inner().unwrap());
    let opened = bench.serve();
    assert_eq!(opened.unknown_outcomes, [5]);
    opened.gate.resolve(&who(Interaction::Deliver), 5, Outcome::http(200), "delivered once").wait().unwrap();
    opened.ledger.stop().unwrap();
    assert_eq!(bench.open().unwrap().unknown_outcomes, [0; 0]);
}

#[test]
fn a_long_answer_goes_on_in_further_records_of_one_frame() {
    let bench = Bench::new(1);
    let options = Options { segment_bytes: 1 << 20, first_segment_bytes: 1 << 20, reserve_bytes: 1 << 20, ..options() };
    let mut opened = bench.open_with(options).unwrap();
    opened.ledger.complete(0, Vec::new()).unwrap();
    let ids: Vec<String> = (0..900).map(|n| format!("patient-{n:04}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let seal = &opened.seal;
    let answer = opened
        .gate
        .read(who(Interaction::Search), |_| Ok::<_, Refusal>(Unreleased::new(seal, Text("{}"), shown(&ids))));
    assert_eq!(answer.wait().unwrap().receipt().unwrap().leaf(), 3);
    assert!(opened.ledger.metrics().leaves > 5);
}

#[test]
fn unauthenticated_peers_are_counted_and_the_counts_are_kept() {
    let bench = Bench::new(1);
    let opened = bench.serve();
    let peer = Peer { address: "198.51.100.9".to_owned(), port: 1, terminal: None };
    for _ in 0..40 {
        let what = Summary { what: "no-credential", status: 401, route: 0 };
        assert!(opened.gate.summarise(&peer, what, ()).receipt().is_none());
    }
    bench.clock.pass(1_000_000_000);
    opened.ledger.tick();
    assert_eq!(opened.ledger.metrics().leaves, 4);
}
