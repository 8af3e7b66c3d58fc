//! One card, once: a kiosk reads it, every later desk shows the token, and nobody learns anything by trying.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::house::{Doors, House};
use crate::node::Answer;

/// The chip of a card. Nobody has such a number: province 86 is not given out.
pub(crate) fn chip(number: &str, name: &str, sex: &str, born: &str) -> String {
    json!({"name": name, "sex": sex, "birthDate": born, "idNumber": number, "validUntil": "长期"}).to_string()
}

fn card() -> String {
    chip("86010119901231019X", "彭䶮", "男", "1990-12-31")
}

/// Parameters of an operation; a text that begins with `Encounter/` or `Patient/` is a reference.
fn parameters(parts: &[(&str, Value)]) -> String {
    let parameter = |(name, value): &(&str, Value)| match value {
        Value::Bool(flag) => json!({"name": name, "valueBoolean": flag}),
        Value::String(text) if text.starts_with("Encounter/") || text.starts_with("Patient/") => {
            json!({"name": name, "valueReference": {"reference": text}})
        }
        _ if *name == "terminal" => json!({"name": name, "valueIdentifier": {"value": value}}),
        _ => json!({"name": name, "valueString": value}),
    };
    json!({"resourceType": "Parameters", "parameter": parts.iter().map(parameter).collect::<Vec<_>>()}).to_string()
}

fn capture(doors: &Doors, terminal: &str, request: &str, payload: &str, more: &[(&str, Value)]) -> Answer {
    let mut parts = vec![
        ("request-id", json!(request)),
        ("medium", json!("resident-card")),
        ("payload", json!(payload)),
        ("terminal", json!(terminal)),
        ("operator", json!("0231")),
        ("purpose", json!("TREAT")),
    ];
    parts.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    parts.extend_from_slice(more);
    doors.ask("POST", "/Patient/$capture", &parameters(&parts))
}

fn resolve(doors: &Doors, terminal: &str, token: &str, more: &[(&str, Value)]) -> Answer {
    let mut parts = vec![
        ("request-id", json!("r")),
        ("token", json!(token)),
        ("terminal", json!(terminal)),
        ("purpose", json!("TREAT")),
    ];
    parts.extend_from_slice(more);
    doors.ask("POST", "/Patient/$resolve-capture", &parameters(&parts))
}

fn revoke(doors: &Doors, terminal: &str, what: (&str, Value)) -> Answer {
    let parts = [
        ("request-id", json!("v")),
        ("terminal", json!(terminal)),
        ("purpose", json!("TREAT")),
        ("reason", json!("card lost")),
        what,
    ];
    doors.ask("POST", "/Patient/$revoke-capture", &parameters(&parts))
}

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&answer.body)))
}

/// The value of the first parameter of a name, whatever its type.
fn value(answer: &Answer, name: &str) -> Value {
    let body = body(answer);
    let parts = body["parameter"].as_array().unwrap_or_else(|| panic!("{body}"));
    let found = parts.iter().find(|part| part["name"] == name);
    let member = found.and_then(|part| part.as_object()?.iter().find(|(name, _)| *name != "name"));
    member.map_or(Value::Null, |(_, value)| value.clone())
}

fn text(answer: &Answer, name: &str) -> String {
    let value = value(answer, name);
    value.as_str().or(value["reference"].as_str()).unwrap_or("").to_owned()
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, body(answer)["issue"][0]["details"]["coding"][0]["code"].as_str().unwrap_or("").to_owned())
}

fn encounter(doors: &Doors, id: &str, patient: &str, class: &str, status: &str, more: &str) {
    let content = format!(
        r#"{{"resourceType":"Encounter","id":"{id}","status":"{status}","class":{{"code":"{class}"}},"subject":{{"reference":"{patient}"}}{more}}}"#
    );
    let answer = doors.ask("PUT", &format!("/Encounter/{id}"), &content);
    assert!(answer.status < 300, "{}", String::from_utf8_lossy(&answer.body));
}

fn patients(doors: &Doors) -> u64 {
    body(&doors.ask("GET", "/Patient?_summary=count", ""))["total"].as_u64().unwrap()
}

#[test]
fn a_card_is_read_once_and_its_token_names_the_person_at_every_desk_of_the_path() {
    let house = House::new();
    let doors = house.open();
    let first = capture(&doors, "A-1", "1", &card(), &[]);
    assert_eq!((first.status, text(&first, "grade")), (200, "new".to_owned()));
    let shown = String::from_utf8_lossy(&first.body).into_owned();
    assert!(shown.contains("860***") && !shown.contains("86010119901231019X") && !shown.contains("彭䶮"), "{shown}");
    let (token, patient) = (text(&first, "token"), text(&first, "patient"));
    encounter(&doors, "e1", &patient, "AMB", "in-progress", "");
    let next = resolve(&doors, "A-2", &token, &[("encounter", json!("Encounter/e1"))]);
    assert_eq!((next.status, text(&next, "patient")), (200, patient.clone()));
    // The same card again is the same person, and no second registration.
    let again = capture(&doors, "A-3", "2", &card(), &[]);
    assert_eq!((text(&again, "grade"), text(&again, "patient")), ("certain".to_owned(), patient));
    assert_ne!(text(&again, "token"), token);
    assert_eq!(patients(&doors), 1);
    let metrics = doors.metrics();
    assert!(metrics.contains("dukou_duplicate_registrations_avoided_total{department=\"clinic\"} 1"), "{metrics}");
    assert_eq!(doors.stop(), Some(0));
    let asked: Vec<String> = house.trail().primaries().into_iter().map(|primary| primary.interaction).collect();
    let captures = asked.iter().filter(|asked| asked.contains("capture")).count();
    assert_eq!(captures, 3, "one record each: {asked:?}");
}

#[test]
fn a_kiosk_that_asks_again_gets_the_same_token_also_after_the_node_was_killed() {
    let house = House::new();
    let doors = house.open();
    let first = capture(&doors, "A-1", "k-1", &card(), &[]);
    let again = capture(&doors, "A-1", "k-1", &card(), &[]);
    assert_eq!((text(&first, "token"), text(&first, "patient")), (text(&again, "token"), text(&again, "patient")));
    // Dropped is killed: no good-bye, no flush.
    drop(doors);
    let doors = house.open();
    let after = capture(&doors, "A-1", "k-1", &card(), &[]);
    assert_eq!((text(&first, "token"), text(&first, "patient")), (text(&after, "token"), text(&after, "patient")));
    assert_eq!(patients(&doors), 1);
    let other = chip("860101198808080097", "吴体检", "男", "1988-08-08");
    assert_eq!(code(&capture(&doors, "A-1", "k-1", &other, &[])).1, "request-id-reused");
    assert_eq!(
        text(&capture(&doors, "A-2", "k-1", &card(), &[]), "grade"),
        "certain",
        "another terminal counts its own"
    );
}

#[test]
fn two_kiosks_with_one_card_in_the_same_moment_make_one_person() {
    let house = House::new();
    let doors = house.open();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let doors = &doors;
        let kiosks: Vec<_> =
            (0..8).map(|kiosk| scope.spawn(move || capture(doors, &format!("A-{kiosk}"), "1", &card(), &[]))).collect();
        kiosks.into_iter().map(|kiosk| kiosk.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| answer.status == 200));
    let first = text(&answers[0], "patient");
    assert!(answers.iter().all(|answer| text(answer, "patient") == first));
    assert_eq!(answers.iter().filter(|answer| text(answer, "grade") == "new").count(), 1);
    assert_eq!(patients(&doors), 1);
}

#[test]
fn a_card_that_was_swiped_is_not_the_person() {
    let house = House::new();
    let doors = house.open();
    let owner = text(&capture(&doors, "A-1", "1", &card(), &[]), "patient");
    let borrowed = chip("86010119901231019X", "陈𬱖", "男", "1990-12-31");
    let asked = capture(&doors, "A-1", "2", &borrowed, &[]);
    assert_eq!((text(&asked, "grade"), text(&asked, "token")), ("ask".to_owned(), String::new()));
    let shown = String::from_utf8_lossy(&asked.body).into_owned();
    assert!(shown.contains(&owner) && shown.contains("name different") && !shown.contains("彭䶮"), "{shown}");
    assert_eq!(patients(&doors), 1, "nobody was registered by a machine");
    let chosen = capture(&doors, "A-1", "3", &borrowed, &[("patient", json!(owner.clone()))]);
    assert_eq!((text(&chosen, "grade"), text(&chosen, "patient")), ("chosen".to_owned(), owner.clone()));
    assert_eq!(doors.ask("PUT", "/Patient/else", r#"{"resourceType":"Patient","id":"else"}"#).status, 201);
    let anybody = capture(&doors, "A-1", "6", &borrowed, &[("patient", json!("Patient/else"))]);
    assert_eq!(code(&anybody), (422, "not-a-candidate".to_owned()), "a desk picks one of those shown");
    assert_eq!(doors.ask("DELETE", "/Patient/else", "").status, 204);
    let registered = capture(&doors, "A-1", "4", &borrowed, &[("register", json!(true))]);
    assert_eq!(text(&registered, "grade"), "new");
    assert_ne!(text(&registered, "patient"), owner);
    // A number that contradicts the birth date beside it names nobody by itself.
    let wrong = chip("860101198808080097", "吴体检", "男", "1988-08-09");
    assert_eq!(text(&capture(&doors, "A-1", "5", &wrong, &[]), "grade"), "ask");
    assert_eq!(patients(&doors), 2);
}

#[test]
fn every_token_that_does_not_count_is_refused_alike_in_words_and_in_time() {
    let house = House::new();
    let doors = house.open();
    let first = capture(&doors, "A-1", "1", &card(), &[]);
    let (token, patient) = (text(&first, "token"), text(&first, "patient"));
    encounter(&doors, "mine", &patient, "AMB", "in-progress", "");
    encounter(&doors, "over", &patient, "AMB", "finished", "");
    assert_eq!(doors.ask("PUT", "/Patient/other", r#"{"resourceType":"Patient","id":"other"}"#).status, 201);
    encounter(&doors, "others", "Patient/other", "AMB", "in-progress", "");
    let ended = text(&capture(&doors, "A-1", "2", &card(), &[]), "token");
    assert_eq!(revoke(&doors, "A-1", ("token", json!(ended))).status, 200);
    assert_eq!(resolve(&doors, "A-2", &token, &[("encounter", json!("Encounter/mine"))]).status, 200);
    let unknown = token.chars().rev().collect::<String>();
    let mut answers = Vec::new();
    for (terminal, token, encounter) in [
        ("A-2", "not a token", "mine"),
        ("A-2", unknown.as_str(), "mine"),
        ("B-1", token.as_str(), "mine"),
        ("C-1", token.as_str(), "mine"),
        ("A-2", token.as_str(), "over"),
        ("A-2", token.as_str(), "others"),
        ("A-2", token.as_str(), "nowhere"),
        ("A-2", ended.as_str(), "mine"),
    ] {
        let begun = Instant::now();
        let answer = resolve(&doors, terminal, token, &[("encounter", json!(format!("Encounter/{encounter}")))]);
        assert!(begun.elapsed() >= Duration::from_millis(50), "{terminal} {encounter}");
        assert_eq!(code(&answer), (404, "capture-unknown".to_owned()), "{terminal} {encounter}");
        answers.push(body(&answer));
    }
    assert!(answers.windows(2).all(|two| two[0] == two[1]), "one refusal, one wording");
    assert_eq!(code(&revoke(&doors, "B-1", ("token", json!(token)))).1, "capture-unknown");
    let metrics = doors.metrics();
    assert!(metrics.contains("dukou_capture_tokens_refused_total 9"), "{metrics}");
    assert!(house.printed().contains("a capture token was refused"));
    assert_eq!(resolve(&doors, "A-2", &token, &[]).status, 200, "the token itself still counts");
}

#[test]
fn a_token_ends_with_its_visit_its_card_and_its_revocation_and_follows_a_path_of_encounters() {
    let house = House::new();
    let doors = house.open();
    let first = capture(&doors, "A-1", "1", &card(), &[]);
    let (token, patient) = (text(&first, "token"), text(&first, "patient"));
    encounter(&doors, "er", &patient, "EMER", "in-progress", "");
    encounter(&doors, "ward", &patient, "IMP", "in-progress", r#","partOf":{"reference":"Encounter/er"}"#);
    encounter(&doors, "apart", &patient, "AMB", "in-progress", "");
    let at =
        |encounter: &str| resolve(&doors, "A-2", &token, &[("encounter", json!(format!("Encounter/{encounter}")))]);
    let emergency = at("er");
    let ward = at("ward");
    assert!(text(&ward, "expires") > text(&emergency, "expires"), "a stay lasts longer than an emergency");
    assert_eq!(at("apart").status, 404, "a visit of its own needs the card");
    encounter(&doors, "er", &patient, "EMER", "finished", "");
    assert_eq!(at("ward").status, 200, "the stay goes on");
    encounter(&doors, "ward", &patient, "IMP", "finished", r#","partOf":{"reference":"Encounter/er"}"#);
    assert_eq!(at("ward").status, 404, "and ends with the discharge");

    let second = text(&capture(&doors, "A-1", "2", &card(), &[]), "token");
    assert_eq!(resolve(&doors, "A-2", &second, &[]).status, 200);
    assert_eq!(revoke(&doors, "A-1", ("patient", json!(patient.clone()))).status, 200);
    assert_eq!(resolve(&doors, "A-2", &second, &[]).status, 404, "all tokens of the person ended");
    std::thread::sleep(Duration::from_millis(5));
    let third = text(&capture(&doors, "A-1", "3", &card(), &[]), "token");
    assert_eq!(resolve(&doors, "A-2", &third, &[]).status, 200, "those given out later count");
    let mut stored = body(&doors.ask("GET", &format!("/{patient}"), ""));
    stored["identifier"][0]["period"] = json!({"end": "2026-01-01"});
    assert_eq!(doors.ask("PUT", &format!("/{patient}"), &stored.to_string()).status, 200);
    assert_eq!(resolve(&doors, "A-2", &third, &[]).status, 404, "a lost card ends its captures");
}

#[test]
fn the_history_page_holds_what_a_desk_needs_and_names_what_is_missing() {
    let house = House::new();
    let doors = house.open();
    let patient = text(&capture(&doors, "A-1", "1", &card(), &[]), "patient");
    encounter(&doors, "e1", &patient, "AMB", "finished", "");
    let allergy = format!(
        r#"{{"resourceType":"AllergyIntolerance","clinicalStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"active"}}]}},"patient":{{"reference":"{patient}"}},"code":{{"text":"青霉素"}}}}"#
    );
    assert_eq!(doors.ask("POST", "/AllergyIntolerance", &allergy).status, 201);
    let again = capture(&doors, "A-1", "2", &card(), &[("include-history", json!(true))]);
    let history = value(&again, "history");
    let kinds: Vec<&str> = history["entry"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["resource"]["resourceType"].as_str())
        .collect();
    assert_eq!((history["type"].as_str(), kinds), (Some("searchset"), vec!["AllergyIntolerance", "Encounter"]));
    let token = text(&again, "token");
    let next = resolve(&doors, "A-2", &token, &[("include-history", json!(true))]);
    assert_eq!(value(&next, "history")["entry"].as_array().unwrap().len(), 2);
    // A kiosk may not see allergies: the page says so and shows the rest.
    let kiosk = std::fs::read_to_string(house.path("tokens/kiosk")).unwrap();
    let lines = format!("Authorization: Bearer {kiosk}\r\nContent-Type: application/json\r\n");
    let plain = json!({"request-id": "3", "medium": "5", "payload": card(), "terminal": "A-9", "operator": "self",
        "purpose": "PATADMIN", "include-history": true});
    let answer = doors.request("POST", "/identity/capture", &lines, plain.to_string().as_bytes()).unwrap();
    let body = body(&answer);
    assert_eq!(
        (answer.status, body["grade"].as_str(), body["patient"].as_str()),
        (200, Some("certain"), Some(&*patient)),
        "{body}"
    );
    let issues = body["history"]["entry"][0]["resource"]["issue"].as_array().unwrap();
    assert!(issues.iter().all(|issue| issue["severity"] == "warning") && issues.len() == 7, "{body}");
    let (status, read) = {
        let answer = doors.request("GET", &format!("/fhir/{patient}"), &lines, b"").unwrap();
        (answer.status, answer)
    };
    assert_eq!((status, code(&read).1.as_str()), (403, "interaction-not-listed"));
}

#[test]
fn the_notice_that_was_shown_is_kept_once_with_who_and_when() {
    let house = House::new();
    let doors = house.open();
    for request in ["1", "2"] {
        let answer = capture(&doors, "A-1", request, &card(), &[("notice", json!("privacy-2026-01"))]);
        assert_eq!(answer.status, 200);
    }
    let consents = body(&doors.ask("GET", "/Consent", ""));
    let kept = consents["entry"].as_array().unwrap();
    assert_eq!(kept.len(), 1);
    let consent = &kept[0]["resource"];
    assert_eq!(consent["policy"][0]["uri"], "urn:dukou:notice:privacy-2026-01");
    assert_eq!(consent["performer"][0]["identifier"]["value"], "0231");
    assert_eq!(consent["performer"][0]["display"], "A-1");
}

#[test]
fn what_a_desk_gets_wrong_is_said_plainly() {
    let house = House::new();
    let doors = house.open();
    let ask = |name: &str, wrong: Value| {
        let parts: Vec<(&str, Value)> = [
            ("request-id", json!("1")),
            ("medium", json!("resident-card")),
            ("payload", json!(card())),
            ("terminal", json!("A-1")),
            ("purpose", json!("TREAT")),
        ]
        .into_iter()
        .map(|(known, value)| if known == name { (known, wrong.clone()) } else { (known, value) })
        .collect();
        code(&doors.ask("POST", "/Patient/$capture", &parameters(&parts)))
    };
    for (name, wrong, status, expected) in [
        ("request-id", json!(""), 422, "request-id-malformed"),
        ("medium", json!("palm"), 422, "medium-unknown"),
        ("payload", json!("{}"), 422, "payload-unreadable"),
        ("terminal", json!("Z-1"), 422, "terminal-not-listed"),
        ("purpose", json!(""), 422, "parameter-missing"),
        ("purpose", json!("HPAYMT"), 403, "purpose-differs"),
    ] {
        assert_eq!(ask(name, wrong), (status, expected.to_owned()));
    }
    let got = doors.ask("GET", "/Patient/$capture", "");
    assert_eq!(code(&got), (405, "method-not-allowed".to_owned()));
    assert_eq!(patients(&doors), 0);
}

#[test]
fn the_payloads_that_terminals_really_give_are_read_where_they_lie_beside_the_repository() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/samples/cn/06_yb_1101_card_capture.utf8.json");
    let Ok(bytes) = std::fs::read(file) else {
        println!("skipped: the samples do not lie beside the repository");
        return;
    };
    let sample: Value = serde_json::from_slice(&bytes).unwrap();
    let house = House::new();
    let doors = house.open();
    let read = |request: &str, medium: &str, payload: &Value| {
        let payload = payload.as_str().map_or_else(|| payload.to_string(), str::to_owned);
        capture(&doors, "A-1", request, &payload, &[("medium", json!(medium))])
    };
    let insured = read("1", "insurance-card", &sample);
    let credential = read("2", "insurance-credential", &sample["ec_query_decode"]);
    let grades = [&insured, &credential].map(|answer| (text(answer, "grade"), text(answer, "patient")));
    assert_eq!((grades[0].0.as_str(), grades[1].0.as_str()), ("new", "certain"));
    assert_eq!(grades[0].1, grades[1].1, "the card and the credential are one person's");
    assert_eq!(code(&read("3", "health-card", &sample["ehc_qr"]["dynamic"])).1, "code-expired");
    assert_eq!(code(&read("4", "health-card", &sample["ehc_qr"]["static"])).1, "names-nobody");
    assert_eq!(patients(&doors), 1);
    let kept: Vec<String> = ["TEST-ONE-TIME-TOKEN", "1024.50", "示范测试有限公司", "TEST-SIGN"]
        .into_iter()
        .filter(|mark| !house.found_on_disk(&[mark.as_bytes()]).is_empty())
        .map(str::to_owned)
        .collect();
    assert_eq!(kept, Vec::<String>::new());
}

/// A source of history in the configuration; the secret for it lies in `tokens/<name>`.
fn source(house: &House, name: &str, base: &str, token: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let file = house.path("tokens").join(name);
    std::fs::write(&file, token).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    format!(
        "[[identity.source]]\nname = \"{name}\"\nbase = \"{base}\"\ntoken = \"tokens/{name}\"\n\
         systems = [\"https://dukou.dev/fhir/system/CHN-resident-identity-card\"]\n"
    )
}

#[test]
fn other_systems_are_asked_for_the_history_and_one_that_is_silent_is_named_in_time() {
    // Another hospital's gateway knows a visit; a third system takes the connection and says nothing.
    let other = House::new();
    let others = other.open();
    let there = text(&capture(&others, "A-1", "1", &card(), &[]), "patient");
    encounter(&others, "there", &there, "IMP", "finished", "");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = |listener: &std::net::TcpListener| listener.local_addr().unwrap();
    let mut house = House::new();
    house.identity = house.identity.replacen("[identity]\n", "[identity]\nhistory_ms_max = 1500\n", 1);
    for (name, base) in [
        ("west", format!("http://{}/fhir", others.fhir)),
        ("emr", format!("http://{}/fhir", address(&silent))),
        ("gone", format!("http://{}/fhir", address(&gone))),
    ] {
        house.identity += &source(&house, name, &base, &others.token);
    }
    drop(gone);
    let doors = house.open();
    let first = capture(&doors, "A-1", "1", &card(), &[]);
    encounter(&doors, "here", &text(&first, "patient"), "AMB", "in-progress", "");
    let begun = Instant::now();
    let page = value(&resolve(&doors, "A-2", &text(&first, "token"), &[("include-history", json!(true))]), "history");
    let took = begun.elapsed();
    assert!((1_400..3_000).contains(&took.as_millis()), "{took:?}");
    let entries = page["entry"].as_array().unwrap();
    let visits: Vec<&str> = entries.iter().filter_map(|entry| entry["resource"]["id"].as_str()).collect();
    assert_eq!(visits, ["here", "there"], "{page}");
    let addresses: Vec<&str> = entries[..2].iter().filter_map(|entry| entry["fullUrl"].as_str()).collect();
    let of = |at: &dyn std::fmt::Display, id: &str| format!("http://{at}/fhir/Encounter/{id}");
    assert_eq!(addresses, [of(&doors.fhir, "here"), of(&others.fhir, "there")], "each says whose it is");
    let issues = entries[2]["resource"]["issue"].as_array().unwrap();
    let told: Vec<&str> = issues.iter().map(|issue| issue["details"]["text"].as_str().unwrap()).collect();
    assert_eq!(told, ["source emr: no answer in time", "source gone: not reached"]);
    assert!(issues.iter().all(|issue| issue["severity"] == "warning"));
    let metrics = doors.metrics();
    assert!(metrics.contains("dukou_history_source_failures_total{source=\"emr\"} 1"), "{metrics}");
    assert_eq!((doors.stop(), others.stop()), (Some(0), Some(0)));
    // What went out is recorded before and after, here; and there as a question of this node.
    house.trail();
    assert!(other.trail().primaries().iter().any(|primary| primary.interaction == "batch" && primary.status == 200));
    assert!(!house.printed().contains("86010119901231019X"));
}
