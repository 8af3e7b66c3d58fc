//! `Patient/$ihe-pix` (IHE PIXm, ITI-83): answers and the refusals that the profile words.

use serde_json::Value;

use super::house::{Answer, House};

const RED: &str = "urn:oid:1.3.6.1.4.1.21367.13.20.1000";
const GREEN: &str = "urn:oid:1.3.6.1.4.1.21367.13.20.3000";
const RESIDENT: &str = "https://dukou.dev/fhir/system/CHN-resident-identity-card";
const ALIAS: &str = "urn:oid:2.16.840.1.113883.2.23.1.19.1";
const NUMBER: &str = "860202198507140329";

fn patient(domain: &str, number: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","identifier":[{{"system":"{domain}","value":"{number}"}},{{"system":"{RESIDENT}","value":"{NUMBER}"}}],"name":[{{"text":"罗渡口"}}],"gender":"female","birthDate":"1985-07-14"}}"#
    )
}

/// Two records of one person, each with the number of its own domain.
fn two_records(house: &House) -> [String; 2] {
    [house.create_as("red.token", &patient(RED, "R1")), house.create(&patient(GREEN, "G1"))]
}

fn query(house: &House, criteria: &str) -> Answer {
    house.get(&format!("Patient/$ihe-pix?{}", criteria.replace('|', "%7C")))
}

/// The identifiers and records that an answer names, sorted.
fn named(answer: &Answer) -> (Vec<String>, Vec<String>) {
    let json = answer.json();
    assert_eq!((answer.status, json["resourceType"].as_str()), (200, Some("Parameters")), "{}", answer.text());
    let parts = json["parameter"].as_array().cloned().unwrap_or_default();
    let of = |name: &str, show: &dyn Fn(&Value) -> String| {
        let mut found: Vec<String> = parts.iter().filter(|part| part["name"] == name).map(show).collect();
        found.sort();
        found
    };
    let identifier = |part: &Value| {
        let text = |name: &str| part["valueIdentifier"][name].as_str().unwrap().to_owned();
        format!("{}|{}", text("system"), text("value"))
    };
    let record = |part: &Value| part["valueReference"]["reference"].as_str().unwrap().to_owned();
    (of("targetIdentifier", &identifier), of("targetId", &record))
}

/// The status, and of the OperationOutcome code and diagnostics.
fn refused(answer: &Answer) -> (u16, String, String) {
    let issue = &answer.json()["issue"][0];
    assert_eq!(issue["severity"], "error");
    let text = |name: &str| issue[name].as_str().unwrap_or("").to_owned();
    (answer.status, text("code"), text("diagnostics"))
}

#[test]
fn a_number_leads_to_the_other_numbers_and_all_records_of_the_person() {
    let house = House::new();
    let ids = two_records(&house);
    let (numbers, records) = named(&query(&house, &format!("sourceIdentifier={RED}|R1")));
    assert_eq!(numbers, [format!("{RESIDENT}|{NUMBER}"), format!("{GREEN}|G1")], "never the one that was asked by");
    let mut expected = ids.map(|id| format!("Patient/{id}"));
    expected.sort();
    assert_eq!(records, expected);
}

#[test]
fn a_target_system_selects_and_is_answered_by_the_name_it_was_asked_by() {
    let house = House::new();
    let ids = two_records(&house);
    let (numbers, records) = named(&query(&house, &format!("sourceIdentifier={RED}|R1&targetSystem={GREEN}")));
    assert_eq!((numbers, records), (vec![format!("{GREEN}|G1")], vec![format!("Patient/{}", ids[1])]));
    let (numbers, _) = named(&query(&house, &format!("sourceIdentifier={RED}|R1&targetSystem={ALIAS}")));
    assert_eq!(numbers, [format!("{ALIAS}|{NUMBER}")]);
    let both = format!("sourceIdentifier={ALIAS}|{NUMBER}&targetSystem={GREEN}&targetSystem={RED}");
    assert_eq!(named(&query(&house, &both)).0, [format!("{RED}|R1"), format!("{GREEN}|G1")]);
}

#[test]
fn a_post_keeps_the_number_out_of_the_address() {
    let house = House::new();
    two_records(&house);
    let get = query(&house, &format!("sourceIdentifier={RED}|R1")).json();
    let form = house
        .ask("POST", "Patient/$ihe-pix")
        .body("application/x-www-form-urlencoded", format!("sourceIdentifier={RED}%7CR1").as_bytes());
    assert_eq!(form.done().json(), get);
    let body = format!(
        r#"{{"resourceType":"Parameters","parameter":[{{"name":"sourceIdentifier","valueString":"{RED}|R1"}}]}}"#
    );
    assert_eq!(house.post("Patient/$ihe-pix", &body).json(), get);
    let body = format!(
        r#"{{"resourceType":"Parameters","parameter":[{{"name":"sourceIdentifier","valueIdentifier":{{"system":"{RED}","value":"R1"}}}}]}}"#
    );
    assert_eq!(house.post("Patient/$ihe-pix", &body).json(), get);
}

#[test]
fn a_logical_id_of_this_server_is_a_source_and_a_target() {
    let house = House::new();
    let ids = two_records(&house);
    let base = "http://test.example:8080/fhir";
    let (numbers, records) = named(&query(&house, &format!("sourceIdentifier={base}|Patient/{}", ids[0])));
    assert_eq!(numbers.len(), 3);
    assert_eq!(records, [format!("Patient/{}", ids[1])]);
    let (_, records) = named(&query(&house, &format!("sourceIdentifier={RED}|R1&targetSystem={base}")));
    assert_eq!(records.len(), 2);
}

#[test]
fn an_unknown_number_of_a_known_domain_is_not_found() {
    let house = House::new();
    two_records(&house);
    let expected = (404, "not-found".to_owned(), "sourceIdentifier Patient Identifier not found".to_owned());
    assert_eq!(refused(&query(&house, &format!("sourceIdentifier={GREEN}|nobody"))), expected);
    assert_eq!(refused(&query(&house, &format!("sourceIdentifier={ALIAS}|nobody"))), expected);
}

#[test]
fn an_unknown_source_domain_is_a_bad_request() {
    let house = House::new();
    two_records(&house);
    let expected = (400, "code-invalid".to_owned(), "sourceIdentifier Assigning Authority not found".to_owned());
    assert_eq!(refused(&query(&house, "sourceIdentifier=urn:oid:9.9.9|R1")), expected);
    for criteria in [
        "",
        "sourceIdentifier=R1",
        "sourceIdentifier=|R1",
        "sourceIdentifier=urn:x|1&sourceIdentifier=urn:x|2",
        "sourceIdentifier=urn:x|1&colour=red",
    ] {
        assert_eq!(query(&house, criteria).status, 400, "{criteria}");
    }
}

#[test]
fn an_unknown_target_domain_is_forbidden() {
    let house = House::new();
    two_records(&house);
    let expected = (403, "code-invalid".to_owned(), "targetSystem not found".to_owned());
    assert_eq!(refused(&query(&house, &format!("sourceIdentifier={RED}|R1&targetSystem=urn:oid:9.9.9"))), expected);
    let mixed = format!("sourceIdentifier={RED}|R1&targetSystem={GREEN}&targetSystem=urn:oid:9.9.9");
    assert_eq!(refused(&query(&house, &mixed)), expected, "one unknown domain among known ones");
}

#[test]
fn a_number_of_several_people_tells_nothing_about_any_of_them() {
    let house = House::new();
    let card = "https://dukou.dev/fhir/system/CHN-social-security-card";
    let holder = |name: &str, birth: &str| {
        format!(
            r#"{{"resourceType":"Patient","identifier":[{{"system":"{card}","value":"A1"}}],"name":[{{"text":"{name}"}}],"birthDate":"{birth}"}}"#
        )
    };
    house.create(&holder("王芳", "1960-01-02"));
    house.create(&holder("李军", "1990-05-06"));
    assert_eq!(query(&house, &format!("sourceIdentifier={card}|A1")).status, 409);
}

#[test]
fn a_removed_patient_is_no_longer_answered() {
    let house = House::new();
    two_records(&house);
    let gone = house.ask("DELETE", &format!("Patient?identifier={RED}%7CR1")).token(Some("red.token")).done();
    assert_eq!(gone.status, 204);
    assert_eq!(query(&house, &format!("sourceIdentifier={RED}|R1")).status, 404);
    let (numbers, _) = named(&query(&house, &format!("sourceIdentifier={GREEN}|G1")));
    assert_eq!(numbers, [format!("{RESIDENT}|{NUMBER}")]);
}
