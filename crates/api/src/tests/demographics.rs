//! The Mobile Patient Demographics Query of PDQm (IHE ITI-78): every parameter by GET and by POST, combined, and paged.

use super::house::{Answer, House};

const DOMAIN: &str = "urn:oid:1.3.6.1.4.1.21367.13.20.9000";

fn patient(number: &str, family: &str, given: &str, gender: &str, birth_date: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","active":true,"identifier":[{{"system":"{DOMAIN}","value":"{number}"}}],"name":[{{"family":"{family}","given":["{given}"]}}],"gender":"{gender}","birthDate":"{birth_date}",
        "telecom":[{{"system":"phone","value":"1990000{number}"}}],"address":[{{"line":["渡口路20号"],"city":"苏州市","state":"江苏省","postalCode":"215000","country":"CHN"}}],
        "extension":[{{"url":"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName","valueString":"Maiden{number}"}}]}}"#
    )
}

/// The one who is looked for, and two others.
fn house() -> (House, String) {
    let house = House::new();
    let id = house.create(&patient("0061", "MOHR", "ALICE", "female", "1958-01-30"));
    house.create(
        &patient("0062", "WEISS", "ALFONS", "male", "1970-05-05")
            .replace("苏州市", "上海市")
            .replace("江苏省", "上海")
            .replace("215000", "200000")
            .replace("CHN", "DEU")
            .replace("渡口路", "外滩"),
    );
    house.create(
        &patient("0063", "MOHR", "BERTA", "female", "1990-02-02")
            .replace("苏州市", "上海市")
            .replace("江苏省", "上海")
            .replace("215000", "200000")
            .replace("CHN", "DEU")
            .replace("渡口路", "外滩"),
    );
    (house, id)
}

fn both(house: &House, criteria: &str) -> [Answer; 2] {
    let get = house.get(&format!("Patient?{}", criteria.replace('|', "%7C")));
    let post =
        house.ask("POST", "Patient/_search").body("application/x-www-form-urlencoded", criteria.as_bytes()).done();
    [get, post]
}

#[test]
fn every_parameter_of_the_profile_finds_by_get_and_by_post() {
    let (house, id) = house();
    let identifier = format!("identifier={DOMAIN}|0061");
    let by_id = format!("_id={id}");
    let criteria = [
        by_id.as_str(),
        &identifier,
        "identifier=0061",
        "given=ali",
        "given:exact=ALICE",
        "family=mohr&given=alice",
        "birthdate=1958-01-30",
        "birthdate=ge1958-01-01&birthdate=le1958-12-31",
        "telecom=19900000061",
        "address=苏州",
        "address-city=苏州市",
        "address-country=CHN",
        "address-postalcode=215000",
        "address-state=江苏",
        "mothersMaidenName=maiden0061",
        "mothersMaidenName:exact=Maiden0061",
        "family=MOHR&gender=female&birthdate=lt1960",
        "birthdate=1958-01-30&family=MOHR",
        "family=MOHR,NOBODY&given=ALICE",
    ];
    for criterion in criteria {
        for answer in both(&house, criterion) {
            assert_eq!(answer.status, 200, "{criterion}: {}", answer.text());
            assert_eq!(answer.ids(), std::slice::from_ref(&id), "{criterion}");
            assert_eq!((answer.json()["type"].as_str(), answer.json()["total"].as_u64()), (Some("searchset"), Some(1)));
        }
    }
    for criterion in ["active=true", "gender=female,male"] {
        assert_eq!(both(&house, criterion).map(|answer| answer.ids().len()), [3, 3], "{criterion}");
    }
    assert_eq!(both(&house, "family=mohr&gender=female").map(|answer| answer.ids().len()), [2, 2]);
}

#[test]
fn nobody_found_is_a_bundle_with_total_nought_and_without_entries() {
    let (house, _) = house();
    for answer in both(&house, "family:exact=mohr") {
        assert_eq!(
            (answer.status, answer.json()["total"].as_u64(), answer.json()["entry"].is_null()),
            (200, Some(0), true)
        );
    }
}

#[test]
fn a_query_is_paged_and_each_patient_comes_once() {
    let (house, _) = house();
    let first = house.get("Patient?active=true&_count=2");
    let second = house.get(&first.link("next").unwrap());
    let mut all: Vec<String> = first.ids().into_iter().chain(second.ids()).collect();
    all.sort();
    all.dedup();
    assert_eq!((first.ids().len(), all.len(), second.link("next")), (2, 3, None));
}

#[test]
fn a_format_that_is_not_offered_is_not_acceptable() {
    let (house, _) = house();
    assert_eq!(house.get("Patient?family=MOHR&_format=application/x-nothing").status, 406);
}
