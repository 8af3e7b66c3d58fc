//! `$merge`, `$unmerge`, and what is found after them.

use serde_json::{Value, json};

use super::house::{Answer, House, patient};

fn reference(id: &str) -> Value {
    json!({ "reference": format!("Patient/{id}") })
}

fn merge_with(source: &str, target: &str, further: &[Value]) -> String {
    let mut parameters = vec![
        json!({"name": "source-patient", "valueReference": reference(source)}),
        json!({"name": "target-patient", "valueReference": reference(target)}),
    ];
    parameters.extend(further.iter().cloned());
    json!({"resourceType": "Parameters", "parameter": parameters}).to_string()
}

fn merge(house: &House, source: &str, target: &str) -> Answer {
    house.post("Patient/$merge", &merge_with(source, target, &[]))
}

fn unmerge(house: &House, patient: &str, further: &[Value]) -> Answer {
    let mut parameters = vec![
        json!({"name": "patient", "valueReference": reference(patient)}),
        json!({"name": "reason", "valueString": "两人同名，误合并"}),
    ];
    parameters.extend(further.iter().cloned());
    house.post("Patient/$unmerge", &json!({"resourceType": "Parameters", "parameter": parameters}).to_string())
}

fn result(house: &House, patient: &str, code: &str) -> String {
    house.create(&format!(
        r#"{{"resourceType":"Observation","status":"final","code":{{"text":"{code}"}},"subject":{{"reference":"Patient/{patient}"}}}}"#
    ))
}

fn part<'a>(answer: &'a Value, name: &str) -> &'a Value {
    answer["parameter"].as_array().unwrap().iter().find(|part| part["name"] == name).unwrap_or(&Value::Null)
}

fn counted(answer: &Value, name: &str) -> u64 {
    let all = answer["parameter"].as_array().unwrap().iter().filter(|part| part["name"] == name);
    all.map(|part| part["part"][1]["valueInteger"].as_u64().unwrap()).sum()
}

fn sorted(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut ids = answer.ids();
    ids.sort();
    ids
}

/// Two records with a result each.
fn two(house: &House) -> (String, String, Vec<String>) {
    let (a, b) = (house.create(&patient("A1", "李")), house.create(&patient("B1", "李")));
    let mut results = vec![result(house, &a, "one"), result(house, &b, "two")];
    results.sort();
    (a, b, results)
}

#[test]
fn a_merge_is_two_links_and_leaves_every_reference_as_it_is() {
    let house = House::new();
    let (a, b, results) = two(&house);
    let answer = merge(&house, &b, &a);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let said = answer.json();
    assert_eq!(counted(&said, "affected"), 1);
    assert_eq!(part(&said, "result")["resource"]["link"][0]["type"], "replaces");
    assert!(part(&said, "merge")["valueInteger"].is_u64());
    let retired = house.get(&format!("Patient/{b}"));
    assert_eq!(retired.status, 200, "the old id keeps working");
    assert_eq!(retired.json()["active"], false);
    assert_eq!(retired.json()["link"][0]["type"], "replaced-by");
    assert_eq!(retired.json()["link"][0]["other"]["reference"], format!("Patient/{a}"));
    let of_b = results.iter().map(|id| house.get(&format!("Observation/{id}")).json());
    let subjects: Vec<Value> = of_b.map(|result| result["subject"]["reference"].clone()).collect();
    assert!(subjects.contains(&json!(format!("Patient/{b}"))), "no clinical reference is rewritten");
}

#[test]
fn a_search_by_either_id_or_any_identifier_finds_everything_of_the_person() {
    let house = House::new();
    let (a, b, results) = two(&house);
    assert_eq!(merge(&house, &b, &a).status, 200);
    let ways = [
        format!("Observation?subject=Patient/{a}"),
        format!("Observation?patient={b}"),
        format!("Patient/{a}/Observation"),
        format!("Patient/{b}/Observation"),
        "Observation?subject:Patient.identifier=urn:oid:2.16.86|B1".to_owned(),
        "Observation?patient.identifier=urn:oid:2.16.86|A1".to_owned(),
        format!("Observation?subject=Patient/{b}&_sort=-_lastUpdated"),
        format!("Observation?subject=Patient/{b}&_count=1000&status=final"),
    ];
    for way in ways {
        assert_eq!(sorted(&house.get(&way)), results, "{way}");
    }
    let everything = sorted(&house.get(&format!("Patient/{b}/$everything")));
    assert!(results.iter().chain([&a, &b]).all(|id| everything.contains(id)));
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        {"request": {"method": "GET", "url": format!("Observation?subject=Patient/{b}")}}]});
    let answer = house.post("", &bundle.to_string()).json();
    assert_eq!(answer["entry"][0]["resource"]["total"], 2);
}

#[test]
fn a_search_for_patients_gives_the_survivor_and_the_inactive_one_on_request() {
    let house = House::new();
    let (a, b, _) = two(&house);
    let other = house.create(&patient("C1", "王"));
    assert_eq!(merge(&house, &b, &a).status, 200);
    let one = std::slice::from_ref(&a);
    for way in ["Patient?identifier=urn:oid:2.16.86|B1", "Patient?identifier=A1", "Patient?family=李"] {
        let answer = house.get(way);
        assert_eq!((sorted(&answer).as_slice(), answer.json()["total"].as_u64()), (one, Some(1)), "{way}");
    }
    assert_eq!(sorted(&house.get(&format!("Patient?_id={b}"))), one);
    let all = house.get("Patient?_summary=count").json()["total"].as_u64();
    assert_eq!(all, Some(2), "a merged record is not counted as a patient");
    let asked = house.get("Patient?identifier=B1&include-inactive=true");
    assert_eq!(sorted(&asked).as_slice(), std::slice::from_ref(&b));
    assert!(asked.link("self").unwrap().contains("include-inactive=true"));
    assert_eq!(sorted(&house.get("Patient?active=false")), [b]);
    assert_eq!(sorted(&house.get("Patient?identifier=C1")), [other]);
}

#[test]
fn a_preview_counts_shows_the_result_and_changes_nothing() {
    let house = House::new();
    let (a, b, _) = two(&house);
    let preview = json!({"name": "preview", "valueBoolean": true});
    let answer = house.post("Patient/$merge", &merge_with(&b, &a, std::slice::from_ref(&preview)));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(counted(&answer.json(), "affected"), 1);
    assert_eq!(part(&answer.json(), "result")["resource"]["link"][0]["type"], "replaces");
    assert_eq!(house.get(&format!("Patient/{a}/_history")).json()["total"], 1);
    assert_eq!(house.get(&format!("Patient/{b}/_history")).json()["total"], 1);
    assert_eq!(merge(&house, &b, &a).status, 200);
    assert_eq!(unmerge(&house, &b, &[preview]).status, 200);
    assert_eq!(house.get(&format!("Patient/{b}")).json()["active"], false);
}

#[test]
fn parties_that_are_not_exactly_one_record_are_refused_and_a_repeat_names_the_survivor() {
    let house = House::new();
    let (a, b, _) = two(&house);
    let twin = house.create(&patient("A1", "李"));
    let by_number = |value: &str| {
        let identifier = json!({"system": "urn:oid:2.16.86", "value": value});
        json!({"resourceType": "Parameters", "parameter": [
            {"name": "source-patient-identifier", "valueIdentifier": identifier},
            {"name": "target-patient", "valueReference": reference(&b)}]})
        .to_string()
    };
    let refused = |body: &str| house.post("Patient/$merge", body).verdict();
    assert_eq!(refused(&by_number("A1")), (422, "not-exactly-one".into()), "two hold the number");
    assert_eq!(refused(&by_number("none")), (422, "not-exactly-one".into()));
    assert_eq!(refused(&merge_with("absent", &b, &[])), (422, "not-exactly-one".into()));
    assert_eq!(refused(&merge_with(&a, &a, &[])), (422, "same-patient".into()));
    assert_eq!(refused(r#"{"resourceType":"Parameters"}"#), (422, "not-exactly-one".into()));
    assert_eq!(house.post("Patient/$merge", &by_number("B1")).verdict().1, "same-patient");
    assert_eq!(merge(&house, &twin, &a).status, 200);
    let repeat = merge(&house, &twin, &a);
    assert_eq!(repeat.verdict(), (422, "merged-already".into()));
    assert!(repeat.text().contains(&format!("Patient/{a}")));
    assert_eq!(merge(&house, &b, &twin).verdict().1, "merged-already", "nobody is merged into a retired record");
}

#[test]
fn an_unmerge_works_after_later_edits_and_everything_filed_since_finds_its_chart_or_both() {
    let house = House::new();
    let (a, b, _) = two(&house);
    let visit = |patient: &str| {
        house.create(&format!(
            r#"{{"resourceType":"Encounter","status":"in-progress","class":{{"code":"IMP"}},"subject":{{"reference":"Patient/{patient}"}}}}"#
        ))
    };
    let (visit_a, visit_b) = (visit(&a), visit(&b));
    let order_b = house.create(&format!(
        r#"{{"resourceType":"ServiceRequest","status":"active","intent":"order","subject":{{"reference":"Patient/{b}"}}}}"#
    ));
    let since = |further: &str| {
        house.create(&format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/{a}"}}{further}}}"#
        ))
    };
    assert_eq!(merge(&house, &b, &a).status, 200);
    house.clock.pass(5_000_000_000);
    let by_visit = since(&format!(r#","encounter":{{"reference":"Encounter/{visit_b}"}}"#));
    let by_order = since(&format!(r#","basedOn":[{{"reference":"ServiceRequest/{order_b}"}}]"#));
    let stays = since(&format!(r#","encounter":{{"reference":"Encounter/{visit_a}"}}"#));
    let held = since("");
    let report = house.create(&format!(
        r#"{{"resourceType":"DiagnosticReport","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/{a}"}},"basedOn":[{{"reference":"ServiceRequest/{order_b}"}}],"result":[{{"reference":"Observation/{held}"}}]}}"#
    ));
    let doubtful = since("");
    let carried = result(&house, &b, "came under the old number");
    // Both records are edited after the merge.
    for (id, value) in [(&a, "A1"), (&b, "B1")] {
        let mut edited = house.get(&format!("Patient/{id}")).json();
        edited["telecom"] = json!([{"system": "phone", "value": format!("199000000{value}")}]);
        assert_eq!(house.put(&format!("Patient/{id}"), &edited.to_string()).status, 200);
    }
    let answer = unmerge(&house, &b, &[]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let said = answer.json();
    assert_eq!(
        (counted(&said, "restored-data"), counted(&said, "survivor-data"), counted(&said, "in-doubt")),
        (4, 1, 1)
    );
    let subject = |kind: &str, id: &str| house.get(&format!("{kind}/{id}")).json()["subject"]["reference"].clone();
    for id in [&by_visit, &by_order, &held, &carried] {
        assert_eq!(subject("Observation", id), format!("Patient/{b}"));
    }
    assert_eq!(subject("DiagnosticReport", &report), format!("Patient/{b}"));
    assert_eq!(subject("Observation", &stays), format!("Patient/{a}"));
    let shown = house.get(&format!("Observation/{doubtful}")).json();
    assert_eq!(shown["meta"]["tag"][0]["code"], "in-doubt");
    for way in [format!("Observation?patient={a}"), format!("Patient/{a}/Observation")] {
        let mut expected = vec![
            stays.clone(),
            doubtful.clone(),
            house.get(&format!("Observation?patient={a}&code:text=one")).ids()[0].clone(),
        ];
        expected.sort();
        assert_eq!(sorted(&house.get(&way)), expected, "{way}");
    }
    for way in [
        format!("Observation?subject=Patient/{b}"),
        format!("Observation?patient={b}"),
        format!("Patient/{b}/Observation"),
    ] {
        assert!(sorted(&house.get(&way)).contains(&doubtful), "what is in doubt is kept back from nobody: {way}");
        assert!(!sorted(&house.get(&way)).contains(&stays), "{way}");
    }
    let restored = house.get(&format!("Patient/{b}")).json();
    assert_eq!((restored["active"].clone(), restored["link"].clone()), (json!(true), Value::Null));
    assert_eq!(restored["telecom"][0]["value"], "199000000B1", "later edits stay");
    let tasks = house.get("Task?code=identity-review").json();
    assert_eq!(tasks["total"], 1, "the doubt is queued: {tasks}");
    assert_eq!(unmerge(&house, &b, &[]).verdict(), (422, "no-such-merge".into()));
}

#[test]
fn after_an_unmerge_the_two_are_held_apart_and_a_new_merge_needs_two_people() {
    let house = House::new();
    let (a, b, _) = two(&house);
    let entry = part(&merge(&house, &b, &a).json(), "merge")["valueInteger"].clone();
    let named = json!({"name": "merge", "valueInteger": entry});
    assert_eq!(unmerge(&house, &a, std::slice::from_ref(&named)).status, 200, "the survivor's id will do as well");
    assert_eq!(unmerge(&house, &b, &[named]).verdict(), (422, "no-such-merge".into()));
    assert_eq!(merge(&house, &b, &a).verdict(), (422, "reason-missing".into()));
    let reason = json!({"name": "reason", "valueString": "同一张身份证，本人到场"});
    let body = merge_with(&b, &a, &[reason]);
    let first = house.post("Patient/$merge", &body);
    assert_eq!(first.status, 202, "{}", first.text());
    assert!(part(&first.json(), "task")["valueReference"]["reference"].is_string());
    assert_eq!(house.post("Patient/$merge", &body).status, 202, "the same person twice is still one person");
    assert_eq!(house.get(&format!("Patient/{b}")).json()["active"], true);
    let second = house.ask("POST", "Patient/$merge").token(Some("blue.token")).json(&body).done();
    assert_eq!(second.status, 200, "{}", second.text());
    assert_eq!(house.get(&format!("Patient/{b}")).json()["active"], false);
    let mut again = house.get(&format!("Patient/{b}")).json();
    again["active"] = json!(true);
    assert_eq!(house.put(&format!("Patient/{b}"), &again.to_string()).status, 200);
}

#[test]
fn a_plain_put_cannot_merge_what_people_hold_apart() {
    let house = House::new();
    let (a, b, _) = two(&house);
    assert_eq!(merge(&house, &b, &a).status, 200);
    assert_eq!(unmerge(&house, &b, &[]).status, 200);
    let mut linked = house.get(&format!("Patient/{b}")).json();
    linked["link"] = json!([{"other": reference(&a), "type": "replaced-by"}]);
    assert_eq!(house.put(&format!("Patient/{b}"), &linked.to_string()).verdict(), (422, "merge-vetoed".into()));
    linked["link"] = json!([{"other": reference(&b), "type": "replaced-by"}]);
    assert_eq!(house.put(&format!("Patient/{b}"), &linked.to_string()).verdict(), (422, "merge-circle".into()));
}

#[test]
fn a_permission_for_one_patient_reaches_what_a_merge_has_made_that_patient_and_nothing_else() {
    let house = House::new();
    for (id, number) in [("p1", "A1"), ("p2", "B1"), ("p3", "C1")] {
        assert_eq!(house.put(&format!("Patient/{id}"), &with_id(id, number)).status, 201);
        result(&house, id, number);
    }
    let ward = |address: &str| house.ask("GET", address).token(Some("ward.token")).done();
    assert_eq!((ward("Patient/p1").status, ward("Patient/p2").status), (200, 404));
    assert_eq!(merge(&house, "p2", "p1").status, 200);
    assert_eq!((ward("Patient/p1").status, ward("Patient/p2").status, ward("Patient/p3").status), (200, 200, 404));
    assert_eq!(ward("Observation?patient=p1").ids().len(), 2);
    assert_eq!(ward("Observation").ids().len(), 2, "the third patient's stay out of reach");
    assert_eq!(ward("Patient/p2/Observation").ids().len(), 2);
    assert_eq!(unmerge(&house, "p2", &[]).status, 200);
    assert_eq!((ward("Patient/p1").status, ward("Patient/p2").status), (200, 404));
    assert_eq!(ward("Observation?patient=p1").ids().len(), 1);
}

fn with_id(id: &str, number: &str) -> String {
    patient(number, "李").replacen('{', &format!(r#"{{"id":"{id}","#), 1)
}

#[test]
fn a_plain_put_of_a_replaced_by_link_is_a_merge_and_cannot_be_unsaid_by_another() {
    let house = House::new();
    let (a, b, results) = two(&house);
    let plain = house.get(&format!("Patient/{b}")).json();
    let mut linked = plain.clone();
    linked["link"] = json!([{"other": reference(&a), "type": "replaced-by"}]);
    let answer = house.put(&format!("Patient/{b}"), &linked.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(sorted(&house.get(&format!("Observation?patient={a}"))), results);
    assert_eq!(house.get(&format!("Patient/{a}")).json()["link"][0]["type"], "replaces");
    assert_eq!(merge(&house, &b, &a).verdict().1, "merged-already");
    let mut plain = plain;
    plain["active"] = json!(true);
    let removed = house.put(&format!("Patient/{b}"), &plain.to_string());
    assert_eq!(removed.verdict(), (405, "unmerge-not-here".into()));
    assert_eq!(unmerge(&house, &b, &[]).status, 200);
    assert_eq!(sorted(&house.get(&format!("Observation?patient={a}"))).len(), 1);
    assert_eq!(house.get(&format!("Patient/{a}")).json()["link"], Value::Null);
}

#[test]
fn merged_records_are_not_said_to_be_two_people_but_unmerged() {
    let house = House::new();
    let (a, b, _) = two(&house);
    assert_eq!(merge(&house, &b, &a).status, 200);
    let body = json!({"resourceType": "Parameters", "parameter": [
        {"name": "other", "valueReference": reference(&b)}, {"name": "reason", "valueString": "两个人"}]});
    let said = house.post(&format!("Patient/{a}/$assert-not-same"), &body.to_string());
    assert_eq!(said.verdict(), (422, "merged-use-unmerge".into()));
    assert_eq!(unmerge(&house, &b, &[]).status, 200);
}
