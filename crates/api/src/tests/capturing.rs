//! How long a captured card counts, and what ends it, by a clock that is turned by hand.

use serde_json::{Value, json};

use super::house::{Answer, House};

fn post(house: &House, operation: &str, parts: &[(&str, Value)]) -> Answer {
    let mut all = vec![("terminal", json!("K-1")), ("purpose", json!("TREAT"))];
    all.extend_from_slice(parts);
    let parameter = |(name, value): &(&str, Value)| match value {
        Value::Object(_) => json!({"name": name, "valueReference": value}),
        _ => json!({"name": name, "valueString": value}),
    };
    let body = json!({"resourceType": "Parameters", "parameter": all.iter().map(parameter).collect::<Vec<_>>()});
    house.post(&format!("Patient/{operation}"), &body.to_string())
}

fn capture_with(house: &House, request: &str, more: &[(&str, Value)]) -> Answer {
    let chip =
        json!({"name": "彭䶮", "sex": "男", "birthDate": "1990-12-31", "idNumber": "86010119901231019X"}).to_string();
    let mut parts = vec![("request-id", json!(request)), ("medium", json!("resident-card")), ("payload", json!(chip))];
    parts.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    parts.extend_from_slice(more);
    let answer = post(house, "$capture", &parts);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

fn text(answer: &Answer, name: &str) -> String {
    let json = answer.json();
    let part =
        json["parameter"].as_array().unwrap().iter().find(|part| part["name"] == name).cloned().unwrap_or_default();
    let value = ["valueString", "valueCode", "valueInstant"].iter().find_map(|member| part[member].as_str());
    value.or(part["valueReference"]["reference"].as_str()).unwrap_or("").to_owned()
}

fn capture(house: &House, request: &str) -> String {
    text(&capture_with(house, request, &[]), "token")
}

fn resolve(house: &House, token: &str, encounter: Option<&str>) -> Answer {
    let mut parts = vec![("request-id", json!("r")), ("token", json!(token))];
    parts.extend(encounter.map(|id| ("encounter", json!({"reference": format!("Encounter/{id}")}))));
    post(house, "$resolve-capture", &parts)
}

fn encounter(house: &House, id: &str, patient: &str, class: &str, more: &str) {
    let answer = house.put(
        &format!("Encounter/{id}"),
        &format!(
            r#"{{"resourceType":"Encounter","id":"{id}","status":"in-progress","class":{{"code":"{class}"}},"subject":{{"reference":"{patient}"}}{more}}}"#
        ),
    );
    assert!(answer.status < 300, "{}", answer.text());
}

fn pass(house: &House, minutes: i64) {
    house.clock.pass(minutes as u64 * 60_000_000_000);
}

/// The day begins at 08:00 local time; each kind of visit has a token of its own, bound at once.
fn bound(house: &House, kinds: &[&str]) -> Vec<String> {
    let mut tokens = Vec::new();
    for kind in kinds {
        let answer = capture_with(house, &format!("b-{kind}"), &[]);
        encounter(house, kind, &text(&answer, "patient"), kind, "");
        let token = text(&answer, "token");
        assert_eq!(resolve(house, &token, Some(kind)).status, 200);
        tokens.push(token);
    }
    tokens
}

#[test]
fn a_capture_that_nobody_binds_lapses_after_a_quarter_of_an_hour() {
    let house = House::new();
    let token = capture(&house, "1");
    pass(&house, 14);
    assert_eq!(resolve(&house, &token, None).status, 200);
    pass(&house, 1);
    assert_eq!(resolve(&house, &token, None).verdict(), (404, "capture-unknown".into()));
    let patient = text(&capture_with(&house, "2", &[]), "patient");
    encounter(&house, "late", &patient, "AMB", "");
    assert_eq!(resolve(&house, &token, Some("late")).status, 404, "it cannot be bound any more");
}

#[test]
fn a_day_visit_lasts_twelve_hours_an_emergency_as_long_and_a_stay_until_its_end() {
    let house = House::new();
    let tokens = bound(&house, &["AMB", "EMER", "IMP"]);
    let counts = || tokens.iter().map(|token| resolve(&house, token, None).status).collect::<Vec<_>>();
    pass(&house, 11 * 60 + 55);
    assert_eq!(counts(), [200, 200, 200]);
    pass(&house, 6);
    assert_eq!(counts(), [404, 404, 200]);
    pass(&house, 40 * 24 * 60);
    assert_eq!(counts(), [404, 404, 200]);
}

#[test]
fn a_day_visit_ends_at_local_midnight_and_an_emergency_runs_over_it() {
    let house = House::new();
    pass(&house, 13 * 60);
    let tokens = bound(&house, &["AMB", "EMER"]);
    let counts = || tokens.iter().map(|token| resolve(&house, token, None).status).collect::<Vec<_>>();
    pass(&house, 2 * 60 + 58);
    assert_eq!(counts(), [200, 200]);
    pass(&house, 2);
    assert_eq!(counts(), [404, 200]);
}

#[test]
fn after_a_merge_a_token_names_the_survivor_and_an_unmerge_ends_it() {
    let house = House::new();
    let first = capture_with(&house, "1", &[]);
    let (token, card) = (text(&first, "token"), text(&first, "patient"));
    let other =
        house.create(r#"{"resourceType":"Patient","name":[{"text":"彭䶮"}],"gender":"male","birthDate":"1990-12-31"}"#);
    let other = format!("Patient/{other}");
    let decide = |operation: &str, parts: &[(&str, &str)]| {
        let mut parameters: Vec<Value> =
            parts.iter().map(|(name, target)| json!({"name": name, "valueReference": {"reference": target}})).collect();
        parameters.push(json!({"name": "reason", "valueString": "同一人"}));
        let answer = house.post(
            &format!("Patient/{operation}"),
            &json!({"resourceType": "Parameters", "parameter": parameters}).to_string(),
        );
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    assert_eq!(text(&resolve(&house, &token, None), "patient"), card);
    decide("$merge", &[("source-patient", &card), ("target-patient", &other)]);
    assert_eq!(text(&resolve(&house, &token, None), "patient"), other);
    assert_eq!(text(&capture_with(&house, "2", &[]), "patient"), other, "so does the card itself");
    decide("$unmerge", &[("patient", &card)]);
    assert_eq!(resolve(&house, &token, None).status, 404);
    house.clock.pass(1_000_000);
    let again = capture(&house, "3");
    assert_eq!(text(&resolve(&house, &again, None), "patient"), card, "a capture made since counts");
}

#[test]
fn a_repeated_revocation_ends_nothing_that_came_after_it() {
    let house = House::new();
    let first = capture_with(&house, "1", &[]);
    let patient = text(&first, "patient");
    let revoke = |request: &str| {
        let what = json!({"reference": patient.as_str()});
        post(&house, "$revoke-capture", &[("request-id", json!(request)), ("patient", what), ("reason", json!("lost"))])
            .status
    };
    assert_eq!(revoke("v"), 200);
    assert_eq!(resolve(&house, &text(&first, "token"), None).status, 404);
    house.clock.pass(1_000_000);
    let second = capture(&house, "2");
    assert_eq!(revoke("v"), 200);
    assert_eq!(resolve(&house, &second, None).status, 200);
    assert_eq!(revoke("w"), 200);
    assert_eq!(resolve(&house, &second, None).status, 404);
}

#[test]
fn an_encounter_that_came_of_a_booking_gets_a_token_without_a_card() {
    let house = House::new();
    let patient = text(&capture_with(&house, "1", &[]), "patient");
    let booking = |status: &str| {
        let content = format!(
            r#"{{"resourceType":"Appointment","id":"a1","status":"{status}","start":"2026-04-02T09:00:00+08:00","end":"2026-04-02T09:15:00+08:00","participant":[{{"actor":{{"reference":"{patient}"}},"status":"accepted"}}]}}"#
        );
        assert!(house.put("Appointment/a1", &content).status < 300);
    };
    booking("booked");
    encounter(&house, "came", &patient, "AMB", r#","appointment":[{"reference":"Appointment/a1"}]"#);
    encounter(&house, "apart", &patient, "AMB", "");
    let ask = |request: &str, encounter: Option<&str>| {
        let mut parts =
            vec![("request-id", json!(request)), ("medium", json!("booking")), ("payload", json!("Appointment/a1"))];
        parts.extend(encounter.map(|id| ("encounter", json!({"reference": format!("Encounter/{id}")}))));
        post(&house, "$capture", &parts)
    };
    pass(&house, 24 * 60);
    let given = ask("2", Some("came"));
    assert_eq!((text(&given, "grade"), text(&given, "patient")), ("booked".to_owned(), patient.clone()));
    assert_eq!(resolve(&house, &text(&given, "token"), Some("came")).status, 200);
    assert_eq!(ask("3", None).verdict().1, "booking-without-encounter");
    assert_eq!(ask("4", Some("apart")).verdict().1, "booking-unknown");
    booking("cancelled");
    assert_eq!(ask("5", Some("came")).verdict().1, "booking-unknown");
}
