//! Inbox, lanes, once-only keys, outbox.

use bytes::Bytes;
use dukou_audit::{Interaction, Permit};
use dukou_fhir::Instant;

use super::house::{House, all, batch, now, promises, put};
use crate::{
    Answers, Batch, Claim, Error, Expect, InboxKey, InboxRow, InboxState, InboxWrite, LaneState, LaneWrite,
    OutboxState, OutboxWrite, Payload, Received, Settlement, TokenKind, TokenRow,
};

promises!(
    a_message_comes_in_once_and_its_answer_is_kept,
    a_step_is_done_only_from_the_states_it_begins_with,
    a_start_finds_what_was_not_finished,
    a_version_names_the_message_it_came_from,
    a_row_that_says_what_stands_takes_the_place_of_the_one_before,
    a_stale_fencing_token_writes_nothing,
    a_once_only_key_is_used_once_until_it_expires,
    deliveries_keep_the_order_of_their_lane,
    a_lease_ends_by_itself_and_a_dead_delivery_can_be_sent_again,
);

fn inbox_key(control_id: &str) -> InboxKey {
    InboxKey {
        client: "his-main".to_owned(),
        application: "HIS".to_owned(),
        facility: "EAST".to_owned(),
        control_id: control_id.to_owned(),
        day: String::new(),
    }
}

fn receive(control_id: &str, hash: u8, state: InboxState) -> InboxWrite {
    InboxWrite::Receive(Received {
        key: inbox_key(control_id),
        raw: Bytes::from_static(b"MSH|^~\\&|HIS"),
        sha256: [hash; 32],
        state,
        reason: None,
        link: "his-adt".to_owned(),
        lane: "86001".to_owned(),
        answers: Answers { accept: None, application: Some(Bytes::from_static(b"MSA|AA|1")) },
    })
}

fn stored(house: &House, control_id: &str) -> Option<InboxRow> {
    house.with(all(Interaction::Ingest), |permit| house.store.inbox(permit, &inbox_key(control_id)).unwrap())
}

fn ingest(house: &House, inbox: InboxWrite, puts: &[&str]) -> Result<Option<u64>, Error> {
    let puts: Vec<_> = puts.iter().map(|text| put(text, Expect::Any)).collect();
    let made = house.commit_as(all(Interaction::Ingest), |permit| Batch { inbox: Some(inbox), ..batch(permit, puts) });
    made.map(|(outcome, _)| outcome.inbox)
}

fn a_message_comes_in_once_and_its_answer_is_kept(house: House) {
    let patient = r#"{"resourceType":"Patient","id":"p1"}"#;
    assert_eq!(ingest(&house, receive("1", 1, InboxState::Transformed), &[patient]).unwrap(), Some(1));
    for (hash, same) in [(1, true), (2, false)] {
        match ingest(&house, receive("1", hash, InboxState::Transformed), &[patient]) {
            Err(Error::Duplicate { row, same_hash }) => {
                assert_eq!((row.number, same_hash), (1, same));
                assert_eq!(row.answers.application.as_deref(), Some(&b"MSA|AA|1"[..]));
            }
            other => panic!("{other:?}"),
        }
    }
    let house = house.restart();
    assert_eq!(stored(&house, "1").unwrap().sha256, [1; 32]);
    assert_eq!(stored(&house, "2"), None);
    let raw = house.with(all(Interaction::Ingest), |permit| house.store.inbox_raw(permit, 1).unwrap());
    assert_eq!(raw.as_deref(), Some(&b"MSH|^~\\&|HIS"[..]));
    assert_eq!(house.read("Patient/p1").unwrap().version.number(), 1);
}

fn a_step_is_done_only_from_the_states_it_begins_with(house: House) {
    ingest(&house, receive("1", 1, InboxState::Received), &[]).unwrap();
    let apply = || InboxWrite::Advance {
        number: 1,
        from: vec![InboxState::Received, InboxState::Queued],
        state: InboxState::Transformed,
        reason: None,
        answers: Answers { accept: Some(Bytes::from_static(b"MSA|CA|1")), application: None },
    };
    let patient = r#"{"resourceType":"Patient","id":"p1"}"#;
    assert_eq!(ingest(&house, apply(), &[patient]).unwrap(), Some(1));
    assert!(matches!(
        ingest(&house, apply(), &[patient]),
        Err(Error::InboxState { number: 1, state: Some(InboxState::Transformed) })
    ));
    let row = stored(&house, "1").unwrap();
    assert_eq!(row.answers.accept.as_deref(), Some(&b"MSA|CA|1"[..]));
    assert_eq!(row.answers.application.as_deref(), Some(&b"MSA|AA|1"[..]));
}

fn a_start_finds_what_was_not_finished(house: House) {
    for (id, state) in [("1", InboxState::Received), ("2", InboxState::Parked), ("3", InboxState::Queued)] {
        ingest(&house, receive(id, 1, state), &[]).unwrap();
    }
    let house = house.restart();
    let open = house.with(all(Interaction::Ingest), |permit| house.store.inbox_unfinished(permit, 0, 10).unwrap());
    assert_eq!(open.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 3]);
    let later = house.with(all(Interaction::Ingest), |permit| house.store.inbox_unfinished(permit, 1, 10).unwrap());
    assert_eq!(later.len(), 1);
    let parked = house.with(all(Interaction::Ingest), |permit| house.store.inbox_parked(permit, 0, 10).unwrap());
    assert_eq!(parked.iter().map(|row| row.number).collect::<Vec<_>>(), [2], "what waits for a person is found");
    assert!(house.with(all(Interaction::Ingest), |permit| house.store.inbox_parked(permit, 2, 10).unwrap()).is_empty());
}

fn a_version_names_the_message_it_came_from(house: House) {
    house.put(r#"{"resourceType":"Patient","id":"p0"}"#);
    let patient = r#"{"resourceType":"Patient","id":"p1"}"#;
    ingest(&house, receive("1", 1, InboxState::Transformed), &[patient]).unwrap();
    assert_eq!(house.read("Patient/p0").unwrap().message, None);
    assert_eq!(house.read("Patient/p1").unwrap().message, Some(1));
    let changed = house.put(r#"{"resourceType":"Patient","id":"p1","active":true}"#);
    assert_eq!(changed.message, Some(1));
}

fn a_stale_fencing_token_writes_nothing(house: House) {
    let lane = |owner: &str, token: u64| LaneWrite {
        lane: "86001".to_owned(),
        owner: owner.to_owned(),
        token,
        state: LaneState::Running,
        reason: None,
    };
    let write = |lane: LaneWrite| {
        house.commit_as(all(Interaction::Ingest), |permit| Batch { lane: Some(lane), ..batch(permit, Vec::new()) })
    };
    write(lane("one", 1)).unwrap();
    write(lane("two", 2)).unwrap();
    assert!(matches!(write(lane("one", 1)), Err(Error::Fenced)));
    assert!(matches!(write(lane("one", 2)), Err(Error::Fenced)));
    write(lane("two", 2)).unwrap();
    let row = house.with(all(Interaction::Ingest), |permit| house.store.lane(permit, "86001").unwrap()).unwrap();
    assert_eq!((row.write.owner.as_str(), row.write.token), ("two", 2));
    let rows = house.with(all(Interaction::Ingest), |permit| house.store.lanes(permit, "", 10).unwrap());
    assert_eq!(rows, [row]);
}

fn a_once_only_key_is_used_once_until_it_expires(house: House) {
    let start = now(&house);
    let write = |minutes: i64| {
        let token = TokenRow {
            kind: TokenKind::Idempotency,
            source: "his-main".to_owned(),
            key: b"k1".to_vec(),
            expires: Instant::from_millis(start.as_millis() + minutes * 60_000),
            answer: Some(Bytes::from_static(b"201")),
            replaces: false,
        };
        house.commit(|permit| Batch { tokens: vec![token], ..batch(permit, Vec::new()) })
    };
    write(10).unwrap();
    match write(10) {
        Err(Error::TokenUsed { index: 0, answer }) => assert_eq!(answer.as_deref(), Some(&b"201"[..])),
        other => panic!("{:?}", other.map(|(_, written)| written)),
    }
    let stored = |at: Instant| {
        house.with(all(Interaction::Update), |permit| {
            house.store.token(permit, TokenKind::Idempotency, "his-main", b"k1", at).unwrap()
        })
    };
    assert!(stored(start).is_some());
    house.clock.pass(11 * 60 * 1_000_000_000);
    assert!(stored(now(&house)).is_none());
    write(20).unwrap();
    house.store.forget_tokens(Instant::from_millis(start.as_millis() + 21 * 60_000)).unwrap();
    assert!(stored(start).is_none());
}

fn a_row_that_says_what_stands_takes_the_place_of_the_one_before(house: House) {
    let start = now(&house);
    let row = |kind: TokenKind, answer: &'static str, minutes: i64, replaces: bool| TokenRow {
        kind,
        source: "ended".to_owned(),
        key: b"p1".to_vec(),
        expires: Instant::from_millis(start.as_millis() + minutes * 60_000),
        answer: Some(Bytes::from_static(answer.as_bytes())),
        replaces,
    };
    let write = |row: TokenRow| house.commit(|permit| Batch { tokens: vec![row], ..batch(permit, Vec::new()) });
    let stored = |minutes: i64| {
        let at = Instant::from_millis(start.as_millis() + minutes * 60_000);
        let read = |permit: &Permit<'_>| house.store.token(permit, TokenKind::Capture, "ended", b"p1", at).unwrap();
        house.with(all(Interaction::Update), read).and_then(|row| row.answer)
    };
    write(row(TokenKind::Capture, "1", 10, true)).unwrap();
    write(row(TokenKind::Capture, "2", 20, true)).unwrap();
    assert_eq!((stored(5).as_deref(), stored(15).as_deref(), stored(25)), (Some(&b"2"[..]), Some(&b"2"[..]), None));
    assert!(write(row(TokenKind::Capture, "3", 30, false)).is_err(), "a once-only key is still used once");
    write(row(TokenKind::Idempotency, "3", 30, false)).unwrap();
    assert_eq!(stored(5).as_deref(), Some(&b"2"[..]), "rows of another kind are other rows");
}

fn order(house: &House, patient: &str) -> u64 {
    let text = format!(
        r#"{{"resourceType":"Patient","id":"{patient}","multipleBirthInteger":{}}}"#,
        house.store.last_jseq().unwrap()
    );
    let row =
        OutboxWrite { target: "lis".to_owned(), lane: patient.to_owned(), what: Payload::Put(0), due: now(house) };
    let (outcome, _) =
        house.commit(|permit| Batch { outbox: vec![row], ..batch(permit, vec![put(&text, Expect::Any)]) }).unwrap();
    outcome.outbox[0]
}

fn claim(house: &House, count: usize) -> Vec<u64> {
    let start = now(house);
    let lease = Instant::from_millis(start.as_millis() + 60_000);
    let claim = Claim { target: "lis".to_owned(), now: start, lease, count };
    let rows = house.with(all(Interaction::Deliver), |permit| house.store.claim_outbox(permit, &claim).unwrap());
    rows.iter().map(|row| row.number).collect()
}

fn settle(house: &House, number: u64, settlement: Settlement) -> Result<(), Error> {
    house.with(all(Interaction::Deliver), |permit| house.store.settle_outbox(permit, number, settlement))
}

fn deliveries_keep_the_order_of_their_lane(house: House) {
    let numbers = [order(&house, "p1"), order(&house, "p1"), order(&house, "p2")];
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(claim(&house, 10), [1, 3]);
    assert_eq!(claim(&house, 10), [0_u64; 0]);
    settle(&house, 1, Settlement::Intent(77)).unwrap();
    settle(&house, 1, Settlement::Delivered).unwrap();
    assert!(matches!(settle(&house, 1, Settlement::Delivered), Err(Error::NoSuchDelivery { number: 1 })));
    assert_eq!(claim(&house, 10), [2]);
    let row = house.with(all(Interaction::Deliver), |permit| {
        house.store.outbox(permit, OutboxState::Delivered, 0, 10).unwrap().remove(0)
    });
    assert_eq!((row.number, row.intent, row.attempts), (1, Some(77), 1));
    let version = house.ask(all(Interaction::Deliver), |store, permit| store.outbox_version(permit, &row));
    assert!(matches!(version, Err(Error::NotPermitted)), "reading a delivery needs a permit to write");
}

fn a_lease_ends_by_itself_and_a_dead_delivery_can_be_sent_again(house: House) {
    order(&house, "p1");
    assert_eq!(claim(&house, 10), [1]);
    house.clock.pass(61_000_000_000);
    assert_eq!(claim(&house, 10), [1]);
    let later = Instant::from_millis(now(&house).as_millis() + 5_000);
    settle(&house, 1, Settlement::Retry(later)).unwrap();
    assert_eq!(claim(&house, 10), [0_u64; 0]);
    house.clock.pass(6_000_000_000);
    assert_eq!(claim(&house, 10), [1]);
    settle(&house, 1, Settlement::Dead("rejected-by-peer".to_owned())).unwrap();
    assert_eq!(claim(&house, 10), [0_u64; 0]);
    settle(&house, 1, Settlement::Again(now(&house))).unwrap();
    assert_eq!(claim(&house, 10), [1]);
}
