//! What a group of batches in one transaction promises to each of them.

use std::sync::mpsc::{Receiver, sync_channel};

use bytes::Bytes;
use dukou_audit::{Interaction, Settled, StoreSeal};
use dukou_fhir::Instant;

use super::house::{Place, all, batch, gate_and_seal, put};
use crate::apply::Work;
use crate::group::{self, Job};
use crate::home::Home;
use crate::model::Fault;
use crate::prepare::prepare;
use crate::tables::{Counters, Transaction};
use crate::{
    Answers, Batch, Error, Expect, InboxKey, InboxState, InboxWrite, Integrity, Outcome, Received, VersionId, model,
    sqlite,
};

type Answer = Receiver<Result<Settled<Outcome>, Error>>;

/// Runs batches as one group; gives the answers in order, and the counters afterwards.
fn run(
    place: &Place,
    fault: Option<Fault>,
    batches: Vec<(Vec<crate::Put>, Option<InboxWrite>)>,
) -> (Vec<Answer>, Counters) {
    let (gate, seal) = gate_and_seal();
    let mut answers = Vec::new();
    let mut counters = None;
    let pending = gate.write(all(Interaction::Transaction), |permit| {
        let turn = |writer: &mut dyn Transaction| {
            let mut jobs = Vec::new();
            for (puts, inbox) in batches {
                let work = Batch { inbox, ..batch(permit, puts) };
                let home = Home::of(super::house::SITE);
                let work = Work::new(work, home.clone(), |puts| prepare(writer.tables(), puts, home.site())).unwrap();
                let (reply, answer) = sync_channel(1);
                jobs.push(Job::Batch(Box::new(work), reply));
                answers.push(answer);
            }
            let mut after = writer.tables().counters().unwrap();
            finish(writer, &mut after, jobs, &seal);
            counters = Some(after);
        };
        match place {
            Place::Sqlite(_) => sqlite::with_writer(&place.file(), turn),
            Place::Model(disk) => model::with_writer(disk, fault, turn),
        }
        Err::<Settled<super::house::Shell<()>>, _>(super::house::Refused(None))
    });
    drop(pending);
    (answers, counters.expect("the closure panicked"))
}

fn finish(writer: &mut dyn Transaction, counters: &mut Counters, jobs: Vec<Job>, seal: &StoreSeal) {
    // The error was told to each job.
    drop(group::run(writer, counters, Instant::from_millis(1_714_536_000_000), jobs, seal));
}

fn message(answer: &'static [u8]) -> InboxWrite {
    let key = InboxKey {
        client: "his-main".to_owned(),
        application: "HIS".to_owned(),
        facility: "EAST".to_owned(),
        control_id: "1".to_owned(),
        day: String::new(),
    };
    InboxWrite::Receive(Received {
        key,
        raw: Bytes::from_static(b"MSH|"),
        sha256: [1; 32],
        state: InboxState::Transformed,
        reason: None,
        link: "his-adt".to_owned(),
        lane: "86001".to_owned(),
        answers: Answers { accept: None, application: Some(Bytes::from_static(answer)) },
    })
}

const PATIENT: &str = r#"{"resourceType":"Patient","id":"p1"}"#;
const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p1"}}"#;

fn a_batch_that_fails_does_not_hurt_its_neighbours(place: &Place) {
    let late = Expect::Version(VersionId::new(9).unwrap());
    let batches = vec![
        (vec![put(PATIENT, Expect::Absent)], None),
        (vec![put(r#"{"resourceType":"Device","id":"d1"}"#, Expect::Any), put(PATIENT, late)], None),
        (vec![put(OBSERVATION, Expect::Any)], None),
    ];
    let (answers, counters) = run(place, None, batches);
    let results: Vec<_> = answers.iter().map(|answer| answer.recv().unwrap()).collect();
    assert!(matches!(results[0], Ok(Settled::Committed(_))));
    assert!(matches!(results[1], Err(Error::Conflict { .. })));
    assert!(matches!(results[2], Ok(Settled::Committed(_))), "the third sees what the first wrote");
    assert_eq!((counters.seq, counters.res, counters.jseq), (2, 2, 2));
}

fn a_repeat_within_the_group_gets_the_answer_of_the_first(place: &Place) {
    let batches = vec![
        (vec![put(PATIENT, Expect::Any)], Some(message(b"AA 1"))),
        (vec![put(PATIENT, Expect::Any)], Some(message(b"AA 2"))),
    ];
    let (answers, counters) = run(place, None, batches);
    assert!(matches!(answers[0].recv().unwrap(), Ok(Settled::Committed(_))));
    match answers[1].recv().unwrap() {
        Err(Error::Duplicate { row, same_hash: true }) => {
            assert_eq!(row.answers.application.as_deref(), Some(&b"AA 1"[..]));
        }
        _ => panic!("the second message was applied"),
    }
    assert_eq!((counters.inbox, counters.jseq), (1, 1));
}

fn what_the_verdict_breaks_is_rolled_back_alone(place: &Place) {
    let (gate, seal) = gate_and_seal();
    let mut answers = Vec::new();
    let pending = gate.write(all(Interaction::Transaction), |permit| {
        let turn = |writer: &mut dyn Transaction| {
            let mut jobs = Vec::new();
            for broken in [true, false] {
                let text = PATIENT.replace("p1", if broken { "p1" } else { "p2" });
                let mut work = Batch { integrity: Integrity::Warn, ..batch(permit, vec![put(&text, Expect::Any)]) };
                if broken {
                    work.verdict = Box::new(|_| panic!("a broken verdict"));
                }
                let home = Home::of(super::house::SITE);
                let work = Work::new(work, home.clone(), |puts| prepare(writer.tables(), puts, home.site())).unwrap();
                let (reply, answer) = sync_channel(1);
                jobs.push(Job::Batch(Box::new(work), reply));
                answers.push(answer);
            }
            let mut counters = writer.tables().counters().unwrap();
            finish(writer, &mut counters, jobs, &seal);
            assert_eq!((counters.seq, counters.jseq), (1, 1));
        };
        match place {
            Place::Sqlite(_) => sqlite::with_writer(&place.file(), turn),
            Place::Model(disk) => model::with_writer(disk, None, turn),
        }
        Err::<Settled<super::house::Shell<()>>, _>(super::house::Refused(None))
    });
    drop(pending);
    assert!(matches!(answers[0].recv().unwrap(), Err(Error::Panicked)));
    assert!(matches!(answers[1].recv().unwrap(), Ok(Settled::Committed(_))));
}

#[test]
fn each_batch_of_a_group_stands_for_itself() {
    for place in [Place::sqlite(), Place::model()] {
        a_batch_that_fails_does_not_hurt_its_neighbours(&place);
    }
    for place in [Place::sqlite(), Place::model()] {
        a_repeat_within_the_group_gets_the_answer_of_the_first(&place);
    }
    for place in [Place::sqlite(), Place::model()] {
        what_the_verdict_breaks_is_rolled_back_alone(&place);
    }
}

#[test]
fn nobody_is_answered_from_a_neighbour_that_was_lost() {
    let batches = || {
        vec![
            (vec![put(PATIENT, Expect::Any)], Some(message(b"AA 1"))),
            (vec![put(PATIENT, Expect::Any)], Some(message(b"AA 2"))),
            (vec![put(PATIENT, Expect::Any)], None),
        ]
    };
    for (fault, full) in [(Fault::LostCommit, false), (Fault::Full, true)] {
        let place = Place::model();
        let (answers, counters) = run(&place, Some(fault), batches());
        for answer in answers {
            let refused = answer.recv().unwrap();
            assert!(matches!((refused, full), (Err(Error::Poisoned), false) | (Err(Error::Full), true)));
        }
        assert_eq!((counters.seq, counters.inbox, counters.jseq), (0, 0, 0));
    }
}
