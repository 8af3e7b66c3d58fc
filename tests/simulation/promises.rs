//! Small promises of taking messages in, each shown by a few messages on a good day.

use std::sync::Arc;

use bytes::Bytes;
use dukou_exchange::{Done, Entry, Mode, Operation};
use dukou_fhir::{LogicalId, ResourceKey, ResourceType};

use super::node::{Cut, Delivered};
use super::rows::Rows;
use super::world::World;

fn world() -> World {
    World::new(1, Rows::in_memory(), &super::program())
}

fn registration(control_id: &str, event: &str, sex: &str, answers: &str) -> Bytes {
    let text = format!(
        "MSH|^~\\&|HIS|86H01|DUKOU|86H01|20261120080000+0800||ADT^A08^ADT_A01|{control_id}|P|2.5.1|||{answers}||UNICODE UTF-8\r\
         EVN|A08|{event}\rPID|1||86000001^^^86H01^MR||王建国||19580312|{sex}\r"
    );
    Bytes::from(text)
}

fn merge(control_id: &str, event: &str) -> Bytes {
    let text = format!(
        "MSH|^~\\&|HIS|86H01|DUKOU|86H01|20261120080000+0800||ADT^A40^ADT_A39|{control_id}|P|2.5.1||||||UNICODE UTF-8\r\
         EVN|A40|{event}\rPID|1||86000001^^^86H01^MR\rMRG|86000002^^^86H01^MR\r"
    );
    Bytes::from(text)
}

fn send(world: &World, raw: &Bytes) -> Delivered {
    let delivered = world.node().deliver("his", world.link("his"), raw, Cut::Never);
    assert!(delivered.answered);
    delivered
}

fn codes(delivered: &Delivered) -> Vec<String> {
    delivered.steps.iter().map(|left| String::from_utf8_lossy(&left.answer.code).into_owned()).collect()
}

/// The newest version of the patient of these messages, as JSON.
fn patient(world: &World) -> serde_json::Value {
    let query = world.node().exchange.criteria(ResourceType::PATIENT, "identifier=86000001").unwrap();
    let found = world.node().look(|store, permit| {
        let mut page = None;
        drop(
            store
                .search(permit, &query, &dukou_exchange::SearchLimits::default(), None)
                .unwrap()
                .map(|p| page = Some(p)),
        );
        page.unwrap().matches
    });
    serde_json::from_slice(&found.unwrap()[0].body).unwrap()
}

#[test]
fn an_older_event_changes_nothing_and_a_merge_or_an_edit_in_between_does_not_let_it_in() {
    let world = world();
    send(&world, &registration("A1", "20261120090000+0800", "M", "|"));
    send(&world, &merge("A2", "20261120070000+0800"));
    let merged = patient(&world);
    assert_eq!(merged["link"][0]["type"], "replaces");

    let key = ResourceKey::new(ResourceType::PATIENT, LogicalId::parse(merged["id"].as_str().unwrap()).unwrap());
    let mut edited = merged.clone();
    edited["implicitRules"] = "urn:dukou:edited".into();
    let content = super::callers::value(&edited.to_string());
    let operation = Operation::Update { key, content, if_match: None, create_allowed: false };
    let entry = Entry { full_url: None, operation };
    let done = world.node().ask("portal", dukou_audit::Interaction::Update, Cut::Never, |exchange, permit| {
        exchange.submit(permit, Mode::Single, std::slice::from_ref(&entry), super::callers::STATUSES)
    });
    assert!(matches!(done.unwrap().answer.unwrap()[0], Ok(Done::Updated(_))));

    let older = send(&world, &registration("A3", "20261120080000+0800", "F", "|"));
    assert_eq!(codes(&older), ["AA"]);
    assert!(older.steps[0].answer.issues.iter().any(|issue| issue.code == "older-event"));
    assert_eq!(patient(&world)["gender"], "male", "the older event is held back");
    send(&world, &registration("A4", "20261120100000+0800", "F", "|"));
    assert_eq!(patient(&world)["gender"], "female");
}

#[test]
fn an_answer_that_nobody_asked_for_is_not_sent_to_a_resend_either() {
    let world = world();
    let message = registration("B1", "20261120090000+0800", "M", "AL|NE");
    for _ in 0..2 {
        let delivered = send(&world, &message);
        assert_eq!(codes(&delivered), ["CA", "AA"]);
        let sent: Vec<bool> = delivered.steps.iter().map(|left| left.answer.ack.is_some()).collect();
        assert_eq!(sent, [true, false], "MSH-16 asks for no application acknowledgement");
    }
}

#[test]
fn another_content_under_a_used_control_id_is_refused_in_the_mode_of_its_sender() {
    let world = world();
    send(&world, &registration("C1", "20261120090000+0800", "M", "|"));
    assert_eq!(codes(&send(&world, &registration("C1", "20261120090000+0800", "F", "|"))), ["AE"]);
    assert_eq!(codes(&send(&world, &registration("C1", "20261120090000+0800", "F", "AL|AL"))), ["CE"]);
    assert_eq!(patient(&world)["gender"], "male");
}

#[test]
fn a_message_that_two_connections_carry_on_at_once_gets_one_answer() {
    let world = world();
    let message = registration("D1", "20261120090000+0800", "M", "AL|AL");
    let node = Arc::clone(world.node());
    node.deliver("his", world.link("his"), &message, Cut::BehindCommit(0));
    let (rival, link, raw) = (Arc::clone(&node), world.link("his").clone(), message.clone());
    let answers = Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = Arc::clone(&answers);
    node.contest.set(Some(Box::new(move || {
        let delivered = rival.deliver("his", &link, &raw, Cut::Never);
        heard.lock().unwrap().push(delivered.steps[1].answer.ack.clone());
    })));
    let mine = send(&world, &message).steps[1].answer.ack.clone();
    assert_eq!(*answers.lock().unwrap(), [mine]);
}

#[test]
fn an_entry_of_a_batch_that_the_writer_refuses_stays_alone() {
    let world = world();
    let observation = |subject: &str| {
        super::callers::value(&format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"text":"a"}},"subject":{{"reference":"{subject}"}}}}"#
        ))
    };
    let entry = |content: dukou_fhir::Value<'static>| {
        let kind = ResourceType::parse(content.resource_type().unwrap()).unwrap();
        Entry { full_url: None, operation: Operation::Create { kind, content, if_none_exist: None } }
    };
    let entries = [
        entry(observation("Patient/nobody")),
        entry(super::callers::value(r#"{"resourceType":"Patient","birthDate":"1966-09-09"}"#)),
        entry(observation("Patient/nobody-else")),
    ];
    let answer = |mode| {
        let left = world.node().ask("portal", dukou_audit::Interaction::Batch, Cut::Never, |exchange, permit| {
            exchange.submit(permit, mode, &entries, super::callers::STATUSES)
        });
        left.unwrap().answer
    };
    let results = answer(Mode::Batch).unwrap();
    assert!(matches!(results[1], Ok(Done::Created(_))), "{results:?}");
    for at in [0, 2] {
        assert!(matches!(results[at], Err(dukou_exchange::Error::MissingReference { .. })), "{results:?}");
    }
    assert!(matches!(answer(Mode::Transaction), Err(dukou_exchange::Error::Entry { index: 0, .. })));
}
