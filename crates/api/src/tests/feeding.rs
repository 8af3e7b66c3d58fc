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

/// What a source says of a record that another one of its domain goes on for.
fn duplicate(number: &str, survivor: &str) -> String {
    let link = format!(
        r#","link":[{{"other":{{"identifier":{{"system":"{RED}","value":"{survivor}"}}}},"type":"replaced-by"}}]}}"#
    );
    let body = body(RED, number, "MAIDEN");
    format!("{}{link}", &body[..body.len() - 1])
}

fn read(house: &House, id: &str) -> serde_json::Value {
    house.get(&format!("Patient/{id}")).json()
}

#[test]
fn a_source_resolves_a_duplicate_by_number_and_the_cross_reference_follows() {
    let house = House::new();
    let add = |number: &str| {
        let added = feed(&house, "red.token", "PUT", RED, number, &body(RED, number, "ALICE"));
        added.json()["id"].as_str().unwrap().to_owned()
    };
    let (retired, survivor) = (add("IHERED-m94"), add("IHERED-994"));
    let resolved = feed(&house, "red.token", "PUT", RED, "IHERED-m94", &duplicate("IHERED-m94", "IHERED-994"));
    assert_eq!(resolved.status, 200, "{}", resolved.text());
    let (old, new) = (read(&house, &retired), read(&house, &survivor));
    assert_eq!(
        (&old["active"], &old["link"][0]["other"]["reference"]),
        (&false.into(), &format!("Patient/{survivor}").into())
    );
    assert_eq!(
        (&new["link"][0]["type"], &new["link"][0]["other"]["reference"]),
        (&"replaces".into(), &format!("Patient/{retired}").into())
    );
    let asked = house.get(&format!("Patient/$ihe-pix?sourceIdentifier={RED}%7CIHERED-m94")).json().to_string();
    assert!(
        asked.contains("IHERED-994") && !asked.contains(&retired),
        "the old number leads to the one that goes on: {asked}"
    );
    let again = feed(&house, "red.token", "PUT", RED, "IHERED-m94", &duplicate("IHERED-m94", "IHERED-994"));
    assert_eq!(again.status, 200, "said twice, done once");
    assert_eq!(read(&house, &survivor)["meta"]["versionId"], "2");
}

#[test]
fn a_write_that_leaves_the_link_of_a_retired_record_out_is_not_allowed() {
    let house = House::new();
    for number in ["IHERED-m94", "IHERED-994"] {
        feed(&house, "red.token", "PUT", RED, number, &body(RED, number, "ALICE"));
    }
    feed(&house, "red.token", "PUT", RED, "IHERED-m94", &duplicate("IHERED-m94", "IHERED-994"));
    let revised = feed(&house, "red.token", "PUT", RED, "IHERED-m94", &body(RED, "IHERED-m94", "ALICE"));
    assert_eq!(revised.verdict(), (405, "unmerge-not-here".to_owned()));
}

#[test]
fn a_duplicate_is_not_resolved_against_what_forbids_it_nor_with_nobody_nor_in_a_circle() {
    let house = House::new();
    let resident = "https://dukou.dev/fhir/system/CHN-resident-identity-card";
    let with = |number: &str, card: &str| {
        body(RED, number, "ALICE").replacen('[', &format!(r#"[{{"system":"{resident}","value":"{card}"}},"#), 1)
    };
    let add = |number: &str, body: &str| assert_eq!(feed(&house, "red.token", "PUT", RED, number, body).status, 201);
    add("1", &with("1", "860202198507140329"));
    add("2", &with("2", "860203198507140464"));
    add("3", &body(RED, "3", "ALICE"));
    let forbidden =
        duplicate("1", "2").replacen('[', &format!(r#"[{{"system":"{resident}","value":"860202198507140329"}},"#), 1);
    assert_eq!(feed(&house, "red.token", "PUT", RED, "1", &forbidden).verdict(), (422, "merge-vetoed".to_owned()));
    let nobody = feed(&house, "red.token", "PUT", RED, "3", &duplicate("3", "99"));
    assert_eq!(nobody.verdict(), (422, "survivor-unknown".to_owned()));
    let itself = feed(&house, "red.token", "PUT", RED, "3", &duplicate("3", "3"));
    assert_eq!(itself.verdict(), (422, "merge-circle".to_owned()));
}
