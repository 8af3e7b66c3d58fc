//! The Mobile Patient Identity Feed (IHE PMIR, ITI-93) by `$process-message`.

use serde_json::{Value, json};

use super::house::{Answer, House};

const DOMAIN: &str = "urn:oid:1.3.6.1.4.1.21367.13.20.9000";

fn patient(number: &str, given: &str) -> Value {
    json!({"resourceType": "Patient", "active": true, "identifier": [{"system": DOMAIN, "value": number}],
        "name": [{"family": "MOHR", "given": [given]}], "gender": "female", "birthDate": "1958-01-30"})
}

fn entry(method: &str, url: &str, resource: Value) -> Value {
    json!({"fullUrl": format!("http://registry.example/{url}"), "resource": resource,
        "request": {"method": method, "url": url}, "response": {"status": "200"}})
}

/// Sends a message with these entries in its history.
fn send(house: &House, entries: &[Value]) -> Answer {
    let message = json!({"resourceType": "Bundle", "type": "message", "entry": [
        {"fullUrl": "http://registry.example/MessageHeader/m1", "resource": {"resourceType": "MessageHeader", "id": "m1",
            "eventUri": "urn:ihe:iti:pmir:2019:patient-feed", "source": {"endpoint": "http://registry.example"}}},
        {"fullUrl": "http://registry.example/Bundle/h1", "resource": {"resourceType": "Bundle", "type": "history", "entry": entries}}
    ]});
    house.post("$process-message", &message.to_string())
}

/// The code of the answering message and the status of each entry.
fn told(answer: &Answer) -> (String, Vec<String>) {
    let json = answer.json();
    assert_eq!((answer.status, &json["type"]), (200, &json!("message")), "{}", answer.text());
    let header = &json["entry"][0]["resource"];
    assert_eq!((&header["resourceType"], &header["response"]["identifier"]), (&json!("MessageHeader"), &json!("m1")));
    let entries = json["entry"][1]["resource"]["entry"].as_array().cloned().unwrap_or_default();
    let status = |entry: &Value| entry["response"]["status"].as_str().unwrap()[..3].to_owned();
    (header["response"]["code"].as_str().unwrap().to_owned(), entries.iter().map(status).collect())
}

fn with_id(mut patient: Value, id: &str) -> Value {
    patient["id"] = json!(id);
    patient
}

fn added(house: &House, number: &str) -> String {
    house.create(&patient(number, "ALICE").to_string())
}

#[test]
fn the_feed_creates_updates_and_deletes_and_answers_with_a_message() {
    let house = House::new();
    let created = send(
        &house,
        &[entry("POST", "Patient", patient("1", "ALISSA")), entry("POST", "Patient", patient("2", "BERTA"))],
    );
    assert_eq!(told(&created), ("ok".to_owned(), vec!["201".to_owned(), "201".to_owned()]));
    let id = house.get(&format!("Patient?identifier={DOMAIN}%7C1")).ids().remove(0);
    let url = format!("Patient/{id}");
    assert_eq!(told(&send(&house, &[entry("PUT", &url, with_id(patient("1", "ALICE"), &id))])).1, ["200"]);
    assert_eq!(house.get(&url).json()["name"][0]["given"][0], "ALICE");
    let delete = json!({"fullUrl": "http://registry.example/x", "request": {"method": "DELETE", "url": url}, "response": {"status": "204"}});
    assert_eq!(told(&send(&house, &[delete])).1, ["204"]);
    assert_eq!(house.get(&url).status, 410);
}

#[test]
fn a_message_that_comes_again_creates_nobody_twice() {
    let house = House::new();
    let entries = [entry("POST", "Patient", patient("1", "ALICE"))];
    assert_eq!(told(&send(&house, &entries)).1, ["201"]);
    assert_eq!(told(&send(&house, &entries)).1, ["200"]);
    assert_eq!(house.get(&format!("Patient?identifier={DOMAIN}%7C1")).ids().len(), 1);
}

#[test]
fn a_merge_is_a_put_with_replaced_by() {
    let house = House::new();
    let (retired, survivor) = (added(&house, "1"), added(&house, "2"));
    let mut merged = with_id(patient("1", "ALICE"), &retired);
    merged["active"] = json!(false);
    merged["link"] = json!([{"other": {"reference": format!("Patient/{survivor}")}, "type": "replaced-by"}]);
    assert_eq!(
        told(&send(&house, &[entry("PUT", &format!("Patient/{retired}"), merged)])),
        ("ok".to_owned(), vec!["200".to_owned()])
    );
    let old = house.get(&format!("Patient/{retired}")).json();
    assert_eq!((&old["active"], &old["link"][0]["type"]), (&json!(false), &json!("replaced-by")));
    let new = house.get(&format!("Patient/{survivor}")).json();
    assert_eq!(
        (&new["link"][0]["type"], &new["link"][0]["other"]["reference"]),
        (&json!("replaces"), &json!(format!("Patient/{retired}")))
    );
    let answer = house.get(&format!("Patient/$ihe-pix?sourceIdentifier={DOMAIN}%7C1")).json().to_string();
    assert!(answer.contains(&survivor) && !answer.contains(&retired));
}

#[test]
fn taking_the_link_of_a_merged_record_away_is_answered_405_at_its_place() {
    let house = House::new();
    let (retired, survivor) = (added(&house, "1"), added(&house, "2"));
    let url = format!("Patient/{retired}");
    let mut merged = with_id(patient("1", "ALICE"), &retired);
    merged["link"] = json!([{"other": {"reference": format!("Patient/{survivor}")}, "type": "replaced-by"}]);
    send(&house, &[entry("PUT", &url, merged)]);
    let answer = send(
        &house,
        &[
            entry("PUT", &url, with_id(patient("1", "ALICE"), &retired)),
            entry("POST", "Patient", patient("3", "BERTA")),
        ],
    );
    assert_eq!(told(&answer), ("fatal-error".to_owned(), vec!["405".to_owned(), "201".to_owned()]));
    assert_eq!(house.get(&url).json()["active"], false, "it is merged still");
}

#[test]
fn a_newborn_and_the_mother_are_two_patients_and_a_related_person() {
    let house = House::new();
    let mother = added(&house, "1");
    let child = json!({"resourceType": "Patient", "name": [{"text": "王芳之子"}], "birthDate": "2026-11-20", "multipleBirthBoolean": false});
    let related = json!({"resourceType": "RelatedPerson", "patient": {"reference": "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
        "relationship": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "MTH"}]}],
        "identifier": [{"system": DOMAIN, "value": "1"}]});
    let mut linked = with_id(patient("1", "ALICE"), &mother);
    linked["link"] =
        json!([{"other": {"reference": "urn:uuid:6ba7b811-9dad-11d1-80b4-00c04fd430c8"}, "type": "seealso"}]);
    let named = |name: &str, url: &str, method: &str, resource: Value| json!({"fullUrl": format!("urn:uuid:{name}"), "resource": resource, "request": {"method": method, "url": url}});
    let answer = send(
        &house,
        &[
            named("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "Patient", "POST", child),
            named("6ba7b811-9dad-11d1-80b4-00c04fd430c8", "RelatedPerson", "POST", related),
            named("6ba7b812-9dad-11d1-80b4-00c04fd430c8", &format!("Patient/{mother}"), "PUT", linked),
        ],
    );
    assert_eq!(told(&answer), ("ok".to_owned(), vec!["201".to_owned(), "201".to_owned(), "200".to_owned()]));
    let related = house.get("RelatedPerson").json()["entry"][0]["resource"].clone();
    let child = related["patient"]["reference"].as_str().unwrap().to_owned();
    assert_ne!(child, format!("Patient/{mother}"), "the child is a patient of its own");
    assert!(house.get(&child).json()["identifier"].is_null(), "the mother's number is not the child's");
    let seen = house.get(&format!("Patient/{mother}")).json();
    assert_eq!(seen["link"][0]["other"]["reference"], format!("RelatedPerson/{}", related["id"].as_str().unwrap()));
}

#[test]
fn what_is_no_message_of_the_feed_is_refused_with_its_place() {
    let house = House::new();
    let header = json!({"resource": {"resourceType": "MessageHeader", "eventUri": "urn:ihe:iti:pmir:2019:patient-feed", "source": {"endpoint": "http://x"}}});
    let history = |entries: Value| json!({"resource": {"resourceType": "Bundle", "type": "history", "entry": entries}});
    let observation = history(
        json!([{"resource": {"resourceType": "Observation"}, "request": {"method": "POST", "url": "Observation"}}]),
    );
    let cases = [
        (json!({"resourceType": "Bundle", "type": "batch"}), "Bundle.type"),
        (json!({"resourceType": "Bundle", "type": "message", "entry": [history(json!([]))]}), "Bundle.entry[0]"),
        (
            json!({"resourceType": "Bundle", "type": "message", "entry": [{"resource": {"resourceType": "MessageHeader", "eventUri": "urn:other"}}]}),
            "MessageHeader.event",
        ),
        (json!({"resourceType": "Bundle", "type": "message", "entry": [header.clone()]}), "Bundle.entry[1]"),
        (
            json!({"resourceType": "Bundle", "type": "message", "entry": [header, observation]}),
            "Bundle.entry[1].resource.entry[0]",
        ),
    ];
    for (message, place) in cases {
        let answer = house.post("$process-message", &message.to_string());
        assert_eq!(answer.verdict(), (400, "message-not-understood".to_owned()));
        assert_eq!(answer.json()["issue"][0]["expression"][0], place);
    }
}
