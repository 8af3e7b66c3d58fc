//! `Patient/$match`: the cases of the profile PDQm (IHE ITI-119, 2:3.119.4.1.3), one test each, and what the house promises beside them.

use serde_json::Value;

use super::house::{Answer, House};

const RESIDENT: &str = "https://dukou.dev/fhir/system/CHN-resident-identity-card";
const NUMBER: &str = "860202198507140329";

/// A Patient from its name, birth date and further members.
fn person(name: &str, birth_date: &str, more: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","active":true,"name":[{{"text":"{name}"}}],"gender":"female","birthDate":"{birth_date}"{more}}}"#
    )
}

fn number(number: &str) -> String {
    format!(r#","identifier":[{{"system":"{RESIDENT}","value":"{number}"}}]"#)
}

fn phone(number: &str) -> String {
    format!(r#","telecom":[{{"system":"phone","value":"{number}"}}]"#)
}

/// Asks with Parameters: a Patient and further parameters.
fn ask(house: &House, patient: &str, more: &str) -> Answer {
    let body =
        format!(r#"{{"resourceType":"Parameters","parameter":[{{"name":"resource","resource":{patient}}}{more}]}}"#);
    let answer = house.post("Patient/$match", &body);
    assert_eq!(answer.json()["resourceType"], if answer.status == 200 { "Bundle" } else { "OperationOutcome" });
    answer
}

const CERTAIN_ONLY: &str = r#",{"name":"onlyCertainMatches","valueBoolean":true}"#;

/// The entries that are matches.
fn matches(answer: &Answer) -> Vec<Value> {
    let json = answer.json();
    let entries = json["entry"].as_array().cloned().unwrap_or_default();
    entries.into_iter().filter(|entry| entry["search"]["mode"] == "match").collect()
}

fn notes(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let entries = json["entry"].as_array().cloned().unwrap_or_default();
    let outcome = entries.into_iter().find(|entry| entry["search"]["mode"] == "outcome");
    let issues = outcome.map(|entry| entry["resource"]["issue"].as_array().cloned().unwrap_or_default());
    let code = |issue: &Value| issue["details"]["coding"][0]["code"].as_str().unwrap_or("").to_owned();
    issues.unwrap_or_default().iter().map(code).collect()
}

fn grade(entry: &Value) -> &str {
    let extension = &entry["search"]["extension"][0];
    assert_eq!(extension["url"], "http://hl7.org/fhir/StructureDefinition/match-grade");
    extension["valueCode"].as_str().unwrap()
}

fn score(entry: &Value) -> f64 {
    let score = entry["search"]["score"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&score));
    score
}

#[test]
fn pdqm_case_1_one_record_is_found_with_its_score_and_grade() {
    let house = House::new();
    let id = house.create(&person("罗渡口", "1985-07-14", &number(NUMBER)));
    house.create(&person("乔示例", "1972-03-02", ""));
    let answer = ask(&house, &person("罗渡口", "1985-07-14", &number(NUMBER)), "");
    let found = matches(&answer);
    assert_eq!((answer.status, found.len(), answer.json()["total"].as_u64()), (200, 1, Some(1)));
    assert_eq!(found[0]["resource"]["id"], id);
    assert_eq!(found[0]["fullUrl"], format!("http://test.example:8080/fhir/Patient/{id}"));
    assert_eq!(grade(&found[0]), "certain");
    assert!(score(&found[0]) > 0.9);
    assert_eq!(answer.json()["type"], "searchset");
}

#[test]
fn pdqm_case_2_several_records_are_ordered_from_the_most_likely_on() {
    let house = House::new();
    let right = house.create(&person("罗渡口", "1985-07-14", &number(NUMBER)));
    house.create(&person("罗渡口", "1985-07-15", &phone("19900000071")));
    let answer =
        ask(&house, &person("罗渡口", "1985-07-14", &format!("{}{}", number(NUMBER), phone("19900000071"))), "");
    let found = matches(&answer);
    assert_eq!(answer.status, 200);
    assert_eq!(found.len(), 2, "{}", answer.text());
    assert_eq!(found[0]["resource"]["id"], right);
    assert!(score(&found[0]) >= score(&found[1]));
}

#[test]
fn pdqm_case_3_only_certain_matches_shows_a_certain_one() {
    let house = House::new();
    let id = house.create(&person("罗渡口", "1985-07-14", &number(NUMBER)));
    let found = matches(&ask(&house, &person("罗渡口", "1985-07-14", &number(NUMBER)), CERTAIN_ONLY));
    assert_eq!((found.len(), &found[0]["resource"]["id"]), (1, &Value::from(id)));
    assert_eq!(grade(&found[0]), "certain");
}

#[test]
fn pdqm_case_4_only_certain_matches_leaves_out_one_that_is_not_certain() {
    let house = House::new();
    house.create(&person("罗渡口", "1985-07-14", &number(NUMBER)));
    let vague = person("罗渡口", "1985-07-14", "");
    assert_eq!(matches(&ask(&house, &vague, "")).len(), 1, "it is there");
    let answer = ask(&house, &vague, CERTAIN_ONLY);
    assert_eq!((answer.status, answer.json()["total"].as_u64()), (200, Some(0)));
    assert!(matches(&answer).is_empty());
}

#[test]
fn pdqm_case_5_only_certain_matches_is_empty_where_two_people_come_as_near() {
    let house = House::new();
    for own in ["860202198507140062", "860203198507140464"] {
        house.create(&person("罗渡口", "1985-07-14", &format!("{}{}", number(own), phone("19900000061"))));
    }
    let asked = person("罗渡口", "1985-07-14", &phone("19900000061"));
    assert_eq!(matches(&ask(&house, &asked, "")).len(), 2, "both are there");
    let answer = ask(&house, &asked, CERTAIN_ONLY);
    assert_eq!((answer.status, matches(&answer).len()), (200, 0), "{}", answer.text());
    let first = format!("{}{CERTAIN_ONLY}", r#",{"name":"count","valueInteger":1}"#);
    assert!(matches(&ask(&house, &asked, &first)).is_empty(), "a count does not hide the second person");
}

#[test]
fn pdqm_case_6_no_more_than_the_count_are_shown_and_the_best_ones() {
    let house = House::new();
    let right = house.create(&person("罗渡口", "1985-07-14", &number(NUMBER)));
    house.create(&person("罗渡口", "1985-07-15", &phone("19900000071")));
    let asked = person("罗渡口", "1985-07-14", &format!("{}{}", number(NUMBER), phone("19900000071")));
    let found = matches(&ask(&house, &asked, r#",{"name":"count","valueInteger":1}"#));
    assert_eq!((found.len(), &found[0]["resource"]["id"]), (1, &Value::from(right)));
}

#[test]
fn pdqm_case_7_nobody_found_is_an_empty_set() {
    let house = House::new();
    house.create(&person("乔示例", "1972-03-02", ""));
    let answer = ask(&house, &person("罗渡口", "1985-07-14", &number(NUMBER)), "");
    assert_eq!((answer.status, answer.json()["total"].as_u64()), (200, Some(0)));
    assert!(matches(&answer).is_empty());
}

#[test]
fn pdqm_case_8_a_deprecated_record_is_left_out() {
    let house = House::new();
    let id = house.create(&person("罗渡口", "1985-07-14", &number(NUMBER)));
    let content = person("罗渡口", "1985-07-14", &number(NUMBER)).replacen("true", "false", 1);
    let inactive = content.replacen('{', &format!(r#"{{"id":"{id}","#), 1);
    assert_eq!(house.put(&format!("Patient/{id}"), &inactive).status, 200);
    let answer = ask(&house, &person("罗渡口", "1985-07-14", &number(NUMBER)), "");
    assert_eq!((answer.status, matches(&answer).len()), (200, 0));
}

#[test]
fn pdqm_case_8_a_merged_record_is_shown_on_request_beside_the_one_that_goes_on_and_never_alone() {
    let house = House::new();
    let content = person("罗渡口", "1985-07-14", &number(NUMBER));
    let (retired, survivor) = (house.create(&content), house.create(&content));
    let link = format!(
        r#"{{"id":"{retired}","link":[{{"other":{{"reference":"Patient/{survivor}"}},"type":"replaced-by"}}],"#
    );
    assert_eq!(house.put(&format!("Patient/{retired}"), &content.replacen('{', &link, 1)).status, 200);
    let found = matches(&ask(&house, &content, ""));
    assert_eq!(
        found.iter().map(|entry| entry["resource"]["id"].clone()).collect::<Vec<_>>(),
        std::slice::from_ref(&survivor)
    );
    let found = matches(&ask(&house, &content, r#",{"name":"include-inactive","valueBoolean":true}"#));
    let shown: Vec<&str> = found.iter().map(|entry| entry["resource"]["id"].as_str().unwrap()).collect();
    assert_eq!(shown, [survivor.as_str(), retired.as_str()], "the one that goes on comes first");
    let old = &found[1]["resource"];
    assert_eq!((&old["active"], &old["link"][0]["type"]), (&false.into(), &"replaced-by".into()));
}

#[test]
fn pdqm_case_9_too_few_properties_are_named_and_other_faults_refused() {
    let house = House::new();
    let lacking = [
        (
            r#"{"resourceType":"Patient","gender":"female"}"#,
            &["Patient.name", "Patient.birthDate", "Patient.telecom", "Patient.identifier"][..],
        ),
        (
            r#"{"resourceType":"Patient","name":[{"text":"罗渡口"}]}"#,
            &["Patient.birthDate", "Patient.telecom", "Patient.identifier"],
        ),
        (r#"{"resourceType":"Patient","birthDate":"1985-07-14"}"#, &["Patient.name", "Patient.identifier"]),
    ];
    for (patient, places) in lacking {
        let answer = ask(&house, patient, "");
        assert_eq!(answer.verdict(), (400, "too-few-properties".to_owned()), "{}", answer.text());
        assert_eq!(answer.json()["issue"][0]["expression"], serde_json::json!(places));
    }
    let whole = person("罗渡口", "1985-07-14", "");
    assert_eq!(ask(&house, &whole, r#",{"name":"colour","valueString":"red"}"#).status, 400);
    assert_eq!(ask(&house, &whole, r#",{"name":"count","valueInteger":0}"#).status, 400);
    assert_eq!(ask(&house, r#"{"resourceType":"Observation"}"#, "").status, 422);
    let modified = whole.replacen('{', r#"{"modifierExtension":[{"url":"urn:x","valueBoolean":true}],"#, 1);
    assert_eq!(ask(&house, &modified, "").verdict(), (400, "modified".to_owned()));
}

#[test]
fn a_bare_patient_asks_the_same_as_parameters() {
    let house = House::new();
    house.create(&person("罗渡口", "1985-07-14", &number(NUMBER)));
    let asked = person("罗渡口", "1985-07-14", &number(NUMBER));
    let bare = house.post("Patient/$match", &asked);
    assert_eq!((bare.status, bare.json()), (200, ask(&house, &asked, "").json()));
}

#[test]
fn a_match_is_found_under_every_name_of_the_authority() {
    let house = House::new();
    house.create(&person("罗渡口", "1985-07-14", &number(NUMBER)));
    for system in
        ["urn:oid:2.16.840.1.113883.2.23.1.19.1", "urn:oid:2.16.840.1.113883.18.3.7", "urn:oid:2.16.156.10011.1.3"]
    {
        let more = format!(r#","identifier":[{{"system":"{system}","value":"{NUMBER}"}}]"#);
        let found = matches(&ask(&house, &person("罗渡口", "1985-07-14", &more), ""));
        assert_eq!(found.first().map(grade), Some("certain"), "{system}");
    }
}

#[test]
fn an_explained_match_shows_masked_values_and_bits_that_add_up() {
    let house = House::new();
    house.create(&person("罗渡口", "1985-07-14", &number(NUMBER)));
    let asked = person("罗渡口", "1985-07-14", &number(NUMBER));
    assert_eq!(
        matches(&ask(&house, &asked, ""))[0]["search"]["extension"].as_array().unwrap().len(),
        1,
        "only when asked"
    );
    let found = matches(&ask(&house, &asked, r#",{"name":"explain","valueBoolean":true}"#));
    let explanation = &found[0]["search"]["extension"][1];
    assert_eq!(explanation["url"], "https://dukou.dev/fhir/StructureDefinition/match-explanation");
    let parts = explanation["extension"].as_array().unwrap();
    let milli = |value: &Value| (value["valueDecimal"].as_f64().unwrap() * 1000.0).round() as i64;
    let of = |url: &str| parts.iter().filter(|part| part["url"] == url).cloned().collect::<Vec<_>>();
    let lines = of("line");
    let sum: i64 = lines.iter().map(|line| milli(line["extension"].as_array().unwrap().last().unwrap())).sum();
    assert_eq!(sum, milli(&of("bits")[0]));
    assert!(lines.len() > 3 && !of("model").is_empty());
    let text = explanation.to_string();
    assert!(!text.contains(NUMBER) && !text.contains("罗渡口"), "values are masked: {text}");
}

#[test]
fn what_stands_uneasily_in_the_question_is_told_beside_the_answer() {
    let house = House::new();
    house.create(&person("罗渡口", "1985-07-14", &number(NUMBER)));
    let contradicting = person("罗渡口", "1985-07-16", &number(NUMBER));
    assert!(notes(&ask(&house, &contradicting, "")).contains(&"birth-date-against-number".to_owned()));
}

#[test]
fn every_match_shown_stands_in_the_record_and_out_of_reach_there_is_none() {
    let house = House::new();
    let id = house.create(&person("罗渡口", "1985-07-14", &number(NUMBER)));
    let body = person("罗渡口", "1985-07-14", &number(NUMBER));
    let answer = house.post("Patient/$match", &body);
    let shown = format!("{:?}", house.records(&answer));
    assert!(shown.contains(&id), "the record names what was shown");
    let ward = house.ask("POST", "Patient/$match").token(Some("ward.token")).json(&body).done();
    assert_eq!((ward.status, matches(&ward).len()), (200, 0), "another patient is out of reach");
    let reader = house.ask("POST", "Patient/$match").token(Some("batch.token")).json(&body).done();
    assert_eq!(reader.status, 403, "who may not read Patients may not match them");
}
