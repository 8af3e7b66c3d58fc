//! Transactions and batches.

use super::house::{House, patient};

fn bundle(kind: &str, entries: &[String]) -> String {
    format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":[{}]}}"#, entries.join(","))
}

fn post(resource: &str, url: &str, full_url: &str) -> String {
    format!(r#"{{"fullUrl":"{full_url}","resource":{resource},"request":{{"method":"POST","url":"{url}"}}}}"#)
}

const OBSERVATION: &str = r#"{"resourceType":"Observation","status":"final","code":{"text":"Hb"},"subject":{"reference":"urn:uuid:0b5bd1a5-0000-4000-8000-000000000001"}}"#;
const PATIENT_URN: &str = "urn:uuid:0b5bd1a5-0000-4000-8000-000000000001";

#[test]
fn a_transaction_resolves_its_own_names() {
    let house = House::new();
    let entries = [
        post(OBSERVATION, "Observation", "urn:uuid:0b5bd1a5-0000-4000-8000-000000000002"),
        post(&patient("t1", "王"), "Patient", PATIENT_URN),
    ];
    let answer = house.post("", &bundle("transaction", &entries));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json = answer.json();
    assert_eq!(json["type"], "transaction-response");
    let located = json["entry"][1]["response"]["location"].as_str().unwrap();
    assert!(located.starts_with("Patient/") && located.ends_with("/_history/1"), "answers stand in the order asked");
    assert_eq!(json["entry"][0]["response"]["status"], "201 Created");
    let id = located.split('/').nth(1).unwrap();
    assert_eq!(house.get(&format!("Observation?subject=Patient/{id}")).ids().len(), 1);
}

#[test]
fn a_transaction_is_done_as_a_whole_or_not_at_all() {
    let house = House::new();
    let bad = OBSERVATION.replace("final", "bogus");
    let entries = [
        post(&patient("t2", "王"), "Patient", PATIENT_URN),
        post(&bad, "Observation", "urn:uuid:0b5bd1a5-0000-4000-8000-000000000002"),
    ];
    let answer = house.post("", &bundle("transaction", &entries));
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert!(
        answer.json()["issue"][0]["expression"][0].as_str().unwrap().starts_with("Bundle.entry[1].resource"),
        "{}",
        answer.text()
    );
    assert!(house.get("Patient?identifier=urn:oid:2.16.86%7Ct2").ids().is_empty());
}

#[test]
fn a_batch_answers_each_entry_for_itself() {
    let house = House::new();
    let id = house.create(&patient("b0", "王"));
    let entries = [
        post(&patient("b1", "王"), "Patient", PATIENT_URN),
        r#"{"request":{"method":"GET","url":"Patient/nobody"}}"#.to_owned(),
        format!(r#"{{"request":{{"method":"GET","url":"Patient/{id}"}}}}"#),
        r#"{"request":{"method":"GET","url":"Patient?identifier=urn:oid:2.16.86|b0"}}"#.to_owned(),
        r#"{"request":{"method":"BREW","url":"Coffee"}}"#.to_owned(),
        r#"{"request":{"url":"Patient"}}"#.to_owned(),
        format!(r#"{{"request":{{"method":"DELETE","url":"http://test.example:8080/fhir/Patient/{id}"}}}}"#),
    ];
    let answer = house.post("", &bundle("batch", &entries));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json = answer.json();
    let statuses: Vec<&str> = json["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["response"]["status"].as_str().unwrap()[..3])
        .collect();
    assert_eq!(statuses, ["201", "404", "200", "200", "400", "400", "204"], "{}", answer.text());
    assert_eq!(json["entry"][1]["response"]["outcome"]["resourceType"], "OperationOutcome");
    assert_eq!(json["entry"][3]["resource"]["type"], "searchset");
}

#[test]
fn a_forbidden_entry_is_refused_inside_a_batch_and_ends_a_transaction() {
    let house = House::new();
    let id = house.create(&patient("f0", "王"));
    let observation = r#"{"resourceType":"Observation","status":"final","code":{"text":"Hb"}}"#;
    let entries = [
        format!(r#"{{"request":{{"method":"DELETE","url":"Patient/{id}"}}}}"#),
        post(observation, "Observation", PATIENT_URN),
    ];
    let ask = |kind: &str| {
        house
            .ask("POST", "")
            .token(Some("batch.token"))
            .json(&bundle(kind, &entries).replace("\"DELETE\",", "\"DELETE\",\"ifMatch\":\"W/\\\"1\\\"\","))
            .done()
    };
    let batch = ask("batch").json();
    assert_eq!(batch["entry"][0]["response"]["status"], "403 Forbidden", "{batch}");
    assert_eq!(batch["entry"][1]["response"]["status"], "201 Created", "{batch}");
    let whole = ask("transaction");
    assert_eq!(whole.verdict(), (403, "forbidden".into()));
}

#[test]
fn a_bundle_above_the_limit_is_refused_with_the_number() {
    let house = House::with(crate::Limits { bundle_entries_max: 2, ..crate::Limits::default() });
    let entry = post(&patient("l", "王"), "Patient", PATIENT_URN);
    assert_eq!(house.post("", &bundle("batch", &[entry.clone(), entry.clone()])).status, 200);
    let refused = house.post("", &bundle("batch", &[entry.clone(), entry.clone(), entry]));
    assert_eq!(refused.verdict(), (413, "too-many-entries".into()));
    assert!(refused.text().contains('2'));
    assert_eq!(house.post("", &patient("l", "王")).verdict(), (400, "bundle-type".into()));
    assert_eq!(house.post("", &bundle("collection", &[])).verdict(), (400, "bundle-type".into()));
}

#[test]
fn a_bundle_is_one_record() {
    let house = House::new();
    let before = house.leaves();
    let entries = [
        post(&patient("o1", "王"), "Patient", PATIENT_URN),
        post(&patient("o2", "王"), "Patient", "urn:uuid:0b5bd1a5-0000-4000-8000-000000000003"),
    ];
    assert_eq!(house.post("", &bundle("transaction", &entries)).status, 200);
    assert_eq!(house.leaves(), before + 1);
}
