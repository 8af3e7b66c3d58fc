//! The Patient Identity Feed of IHE PIXm (ITI-104): each source feeds its own domain by number.

use super::house::{Answer, House};

const RED: &str = "urn:oid:1.3.6.1.4.1.21367.13.20.1000";
const BLUE: &str = "urn:oid:1.3.6.1.4.1.21367.13.20.2000";

fn body(domain: &str, number: &str, given: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","identifier":[{{"system":"{domain}","value":"{number}"}}],"active":true,"name":[{{"family":"MOHR","given":["{given}"]}}],"gender":"female","birthDate":"1958-01-30"}}"#
    )
}

fn feed(house: &House, token: &'static str, method: &str, domain: &str, number: &str, body: &str) -> Answer {
    let asking = house.ask(method, &format!("Patient?identifier={domain}%7C{number}")).token(Some(token));
    if body.is_empty() { asking.done() } else { asking.json(body).done() }
}

#[test]
fn a_source_adds_and_revises_its_patients_by_number() {
    let house = House::new();
    let added = feed(&house, "red.token", "PUT", RED, "IHERED-994", &body(RED, "IHERED-994", "ALISSA"));
    assert_eq!(added.status, 201, "{}", added.text());
    let revised = feed(&house, "red.token", "PUT", RED, "IHERED-994", &body(RED, "IHERED-994", "ALICE"));
    assert_eq!(revised.status, 200, "{}", revised.text());
    let found = house.get(&format!("Patient?identifier={RED}%7CIHERED-994")).json();
    assert_eq!(
        (found["total"].as_u64(), &found["entry"][0]["resource"]["name"][0]["given"][0]),
        (Some(1), &"ALICE".into())
    );
}

#[test]
fn a_source_removes_its_patient_by_number() {
    let house = House::new();
    feed(&house, "red.token", "PUT", RED, "IHERED-994", &body(RED, "IHERED-994", "ALICE"));
    assert_eq!(feed(&house, "red.token", "DELETE", RED, "IHERED-994", "").status, 204);
    assert!(house.get(&format!("Patient?identifier={RED}%7CIHERED-994")).ids().is_empty());
}

#[test]
fn a_source_that_writes_to_another_domain_is_refused_by_every_way() {
    let house = House::new();
    let red = body(RED, "IHERED-994", "ALICE");
    let added = feed(&house, "red.token", "PUT", RED, "IHERED-994", &red);
    let id = added.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(feed(&house, "blue.token", "PUT", RED, "IHERED-994", &red).status, 403, "revise");
    assert_eq!(feed(&house, "blue.token", "PUT", RED, "IHERED-1", &body(RED, "IHERED-1", "A")).status, 403, "add");
    assert_eq!(feed(&house, "blue.token", "DELETE", RED, "IHERED-994", "").status, 403, "remove");
    assert_eq!(
        feed(&house, "blue.token", "PUT", "urn:oid:9", "1", &body("urn:oid:9", "1", "A")).status,
        403,
        "not its own"
    );
    let blue = |method: &str, address: &str, body: &str| {
        house.ask(method, address).token(Some("blue.token")).json(body).done().status
    };
    assert_eq!(blue("POST", "Patient", &body(RED, "IHERED-2", "A")), 403, "create");
    let taken = format!(r#"{{"resourceType":"Patient","id":"{id}","name":[{{"family":"MOHR"}}]}}"#);
    assert_eq!(blue("PUT", &format!("Patient/{id}"), &taken), 403, "a number taken away");
    let batch = format!(
        r#"{{"resourceType":"Bundle","type":"transaction","entry":[{{"resource":{red},"request":{{"method":"PUT","url":"Patient?identifier={RED}|IHERED-994"}}}}]}}"#
    );
    assert_eq!(blue("POST", "", &batch), 403, "inside a Bundle");
    assert_eq!(
        house.ask("DELETE", &format!("Patient/{id}")).token(Some("blue.token")).done().status,
        403,
        "deleted by id"
    );
    let kept =
        red.replacen('{', &format!(r#"{{"id":"{id}","telecom":[{{"system":"phone","value":"19900000061"}}],"#), 1);
    assert_eq!(blue("PUT", &format!("Patient/{id}"), &kept), 200, "what stays is no change");
    assert_eq!(feed(&house, "blue.token", "PUT", BLUE, "IHEBLUE-994", &body(BLUE, "IHEBLUE-994", "ALICE")).status, 201);
}
