//! Each answer has its record, which says the same; and what happens when none can be made.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use dukou_audit::How;
use hyper::body::{Body, Frame};

use super::house::{House, Plan, patient};

#[test]
fn the_record_says_what_was_answered() {
    let house = House::new();
    let id = house.create(&patient("a1", "王"));
    let address = format!("Patient/{id}");
    let body = patient("a1", "李").replacen('{', &format!("{{\"id\":\"{id}\","), 1);
    let observation = r#"{"resourceType":"Observation","status":"final","code":{"text":"Hb"}}"#;
    let patch = br#"[{"op":"add","path":"/active","value":true}]"#;
    let asked = [
        (house.ask("GET", &address), "read"),
        (house.ask("HEAD", &address), "read"),
        (house.ask("GET", &address).header("if-none-match", "1"), "read"),
        (house.ask("GET", &format!("{address}/_history/1")), "vread"),
        (house.ask("GET", "Patient/nobody"), "read"),
        (house.ask("GET", &format!("{address}/_history")), "history"),
        (house.ask("GET", "Patient?name=x"), "search"),
        (house.ask("GET", "Patient?nmae=x"), "search"),
        (house.ask("GET", &format!("{address}/$everything")), "everything"),
        (house.ask("POST", "Observation").json(observation), "create"),
        (house.ask("POST", "Patient").header("if-none-exist", "identifier=urn:oid:2.16.86|a1").json(&body), "create"),
        (house.ask("POST", "Patient").json("{"), "create"),
        (house.ask("PUT", &address).json(&body), "update"),
        (house.ask("PUT", &address).json(&body), "update"),
        (house.ask("PUT", &address).header("if-match", "9").json(&body), "update"),
        (house.ask("PATCH", &address).body("application/json-patch+json", patch), "patch"),
        (house.ask("POST", "$validate").json(&body), "validate"),
        (house.ask("OPTIONS", &address), "options"),
        (house.ask("GET", "nowhere"), "other"),
        (house.ask("DELETE", &address).header("prefer", "return=OperationOutcome"), "delete"),
        (house.ask("DELETE", &address), "delete"),
        (house.ask("GET", &address), "read"),
        (house.ask("POST", "").json(r#"{"resourceType":"Bundle","type":"transaction"}"#), "transaction"),
        (house.ask("POST", "").json(r#"{"resourceType":"Bundle","type":"batch"}"#), "batch"),
        (house.ask("POST", "").json("[]"), "batch"),
        (house.ask("DELETE", "Patient/1").token(Some("reader.token")), "delete"),
    ];
    for (asking, interaction) in asked {
        let answer = asking.done();
        let records = house.records(&answer);
        assert_eq!(records.len(), 1, "{interaction} {}", answer.status);
        let record = &records[0];
        assert_eq!((record.interaction.as_str(), record.status), (interaction, answer.status), "{record:?}");
        assert_eq!(record.permit, Some(answer.status != 403 && interaction != "other"), "{interaction}");
        let receipt: Vec<&str> = answer.header("x-audit-receipt").split(' ').collect();
        assert_eq!(receipt[1], record.leaf.to_string());
        assert!(record.opened);
    }
}

#[test]
fn the_record_of_a_search_names_every_patient_shown_and_the_whole_question() {
    let house = House::new();
    let mut made: Vec<String> = (0..3).map(|n| house.create(&patient(&format!("n{n}"), "Named"))).collect();
    house.create(&patient("other", "Other"));
    let form =
        house.ask("POST", "Patient/_search?gender=female").body("application/x-www-form-urlencoded", b"family=Named");
    let answer = form.done();
    let record = house.records(&answer).remove(0);
    let mut named: Vec<String> = record.patients.into_iter().filter_map(|(_, id)| id).collect();
    named.sort();
    made.sort();
    assert_eq!(named, made);
    assert_eq!(record.resources.len(), 3);
    assert!(record.resources.iter().all(|resource| resource.how == Some(How::Match)));
    let query = record.query.unwrap();
    assert!(query.contains("gender=female") && query.contains("family=Named"), "{query}");
}

#[test]
fn while_the_ledger_is_closed_only_the_constant_answer_leaves() {
    let mut house = House::new();
    let id = house.create(&patient("c1", "王"));
    house.stop_ledger();
    let read = house.get(&format!("Patient/{id}"));
    let write = house.post("Patient", &patient("c2", "李"));
    let refused = house.ask("DELETE", "Patient/1").token(Some("reader.token")).done();
    for answer in [&read, &write, &refused] {
        assert_eq!(answer.verdict(), (503, "unavailable".into()));
        assert_eq!(answer.bytes, read.bytes, "always the same bytes");
        assert_eq!((answer.header("retry-after"), answer.header("x-audit-receipt")), ("5", ""));
    }
}

#[test]
fn a_full_queue_is_told_at_once_and_recorded() {
    let house = House::planned(Plan { queue_max: 0, ..Plan::default() });
    let answer = house.get("Patient");
    assert_eq!(answer.verdict(), (503, "busy".into()));
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(house.records(&answer).len(), 1);
    assert_eq!(house.get("Patient/1").status, 404, "point reads need no thread of the crew");
}

#[test]
fn who_asks_too_often_is_told_when_to_come_back() {
    let house = House::planned(Plan { per_second: 2, ..Plan::default() });
    assert_eq!(house.get("Patient/1").status, 404);
    assert_eq!(house.get("Patient/1").status, 404);
    let answer = house.get("Patient/1");
    assert_eq!(answer.verdict(), (429, "too-many-requests".into()));
    assert_eq!(answer.header("retry-after"), "1");
    house.clock.pass(1_000_000_000);
    assert_eq!(house.get("Patient/1").status, 404);
}

#[test]
fn a_body_that_does_not_arrive_is_given_up() {
    let house = House::with(crate::Limits { body_ms_max: 20, ..crate::Limits::default() });
    let answer = house.ask("POST", "Patient").header("content-type", "application/fhir+json").send(Silent);
    assert_eq!(answer.verdict(), (408, "body-timeout".into()));
    assert_eq!(house.records(&answer).len(), 1);
}

/// A body of which nothing ever comes.
struct Silent;

impl Body for Silent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}
