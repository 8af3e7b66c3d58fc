//! `Patient/$card`: whoever holds a number, masked, and in the record.

use super::house::{Answer, House};

const RESIDENT: &str = "https://dukou.dev/fhir/system/CHN-resident-identity-card";
const NUMBER: &str = "860202198507140329";

fn patient(name: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","identifier":[{{"system":"{RESIDENT}","value":"{NUMBER}"}}],"name":[{{"text":"{name}"}}],"gender":"female","birthDate":"1985-07-14","telecom":[{{"system":"phone","value":"19900000017"}}]}}"#
    )
}

fn ask(house: &House, system: &str, value: &str) -> Answer {
    let body = format!(
        r#"{{"resourceType":"Parameters","parameter":[{{"name":"identifier","valueIdentifier":{{"system":"{system}","value":"{value}"}}}}]}}"#
    );
    house.post("Patient/$card", &body)
}

#[test]
fn a_number_shows_the_masked_card_of_its_holder_and_the_change_of_a_moment_ago() {
    let house = House::new();
    let id = house.create(&patient("罗渡口"));
    for _ in 0..2 {
        let answer = ask(&house, RESIDENT, NUMBER);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = answer.text().to_string();
        let parts = answer.json()["parameter"][0]["part"].clone();
        assert_eq!(parts[0]["valueReference"]["reference"], format!("Patient/{id}"));
        assert!(text.contains("罗*口") && text.contains("199****0017") && text.contains("\"1985\""), "{text}");
        for hidden in ["罗渡口", NUMBER, "07-14", "19900000017"] {
            assert!(!text.contains(hidden), "{text}");
        }
    }
    let changed = patient("李渡口").replacen('{', &format!("{{\"id\":\"{id}\","), 1);
    assert_eq!(house.put(&format!("Patient/{id}"), &changed).status, 200);
    assert!(ask(&house, RESIDENT, NUMBER).text().contains("李*口"));
    assert!(ask(&house, "urn:oid:2.16.840.1.113883.2.23.1.19.1", NUMBER).text().contains("李*口"), "by another name");
}

#[test]
fn an_unknown_number_shows_nobody_and_a_question_without_one_is_refused() {
    let house = House::new();
    let answer = ask(&house, RESIDENT, "860202198507140337");
    assert_eq!((answer.status, answer.json()["parameter"].is_null()), (200, true));
    for body in [
        r#"{"resourceType":"Parameters"}"#,
        r#"{"resourceType":"Parameters","parameter":[{"name":"identifier","valueString":"x"}]}"#,
        r#"{"resourceType":"Parameters","parameter":[{"name":"number","valueIdentifier":{"system":"a","value":"b"}}]}"#,
    ] {
        assert_eq!(house.post("Patient/$card", body).status, 400, "{body}");
    }
}
