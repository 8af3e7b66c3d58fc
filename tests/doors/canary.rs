//! What people wrote about a patient appears in no log, no metric and no refusal, whatever goes wrong.

use super::house::House;
use crate::node::{Answer, Sender};

/// A word that stands in one field of a resource or message and nowhere else.
fn canary(n: usize) -> String {
    format!("{MARK}{n:03}")
}

/// Every field that text can stand in, each with a word of its own.
fn patient(id: &str, gender: &str) -> String {
    let word = |n| canary(n);
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","text":{{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">{}</div>"}},
        "extension":[{{"url":"http://example.org/{}","valueString":"{}"}}],
        "identifier":[{{"system":"urn:s","value":"{}","assigner":{{"display":"{}"}}}}],
        "name":[{{"text":"{}","family":"{}","given":["{}"],"prefix":["{}"]}}],
        "telecom":[{{"system":"phone","value":"{}"}}],"gender":"{gender}","birthDate":"1958-03-12",
        "address":[{{"text":"{}","line":["{}"],"city":"{}","district":"{}"}}],
        "maritalStatus":{{"coding":[{{"system":"urn:s","code":"{}","display":"{}"}}],"text":"{}"}},
        "contact":[{{"name":{{"family":"{}"}},"telecom":[{{"value":"{}"}}]}}],
        "managingOrganization":{{"display":"{}"}},
        "contained":[{{"resourceType":"Observation","id":"o","status":"final","code":{{"text":"{}"}},"valueString":"{}"}}]}}"#,
        word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7), word(8), word(9), word(10), word(11), word(12),
        word(13), word(14), word(15), word(16), word(17), word(18), word(19), word(20), word(21),
    )
}

/// A message with a word in every field that can take one.
fn message(header: &str, control_id: &str) -> String {
    let word = |n: usize| canary(100 + n);
    format!(
        "{header}|^~\\&|HIS|H1|DUKOU|H1|20261120081500+0800||ORU^R01^ORU_R01|{control_id}|P|2.5.1||||||UNICODE UTF-8\r\
         PID|1|{}|{}^^^H1^MR|{}|{}^{}|{}|{}|M|{}||{}^^{}||{}|||S||{}|{}\r\
         OBR|1||{}^LIS|{}^{}^L|||20261120080000+0800|||||||||{}^{}|||||||||F\r\
         OBX|1|ST|{}^{}^L||{}||||||F\rOBX|2|NM|X^X^L||{}||||||F\rNTE|1||{}\rZZ9|{}\r",
        word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7), word(8), word(9), word(10), word(11), word(12),
        word(13), word(14), word(15), word(16), word(17), word(18), word(19), word(20), word(21), word(22), word(23),
    )
}

fn hits(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains(MARK)).collect()
}

#[test]
fn words_about_a_patient_stay_out_of_logs_metrics_and_refusals() {
    let mut house = House::new();
    house.log = "debug";
    let doors = house.open();
    let mut refusals: Vec<(String, Answer)> = Vec::new();
    let token = format!("Authorization: Bearer {}\r\n", doors.token);
    let user = format!("X-User: {0}\r\nX-User-Name: {0}\r\nX-User-Role: {0}\r\n", canary(900));
    let json = format!("{token}Content-Type: application/fhir+json\r\n");
    let mut ask = |method: &str, path: &str, lines: &str, body: &str| {
        let answer = doors.request(method, path, lines, body.as_bytes()).unwrap();
        let status = answer.status;
        if status >= 400 {
            refusals.push((format!("{method} {path}"), answer));
        }
        status
    };
    let (good, word) = (patient("p1", "male"), canary(901));
    assert_eq!(ask("PUT", "/fhir/Patient/p1", &json, &good), 201);
    let wrong = patient("p1", &canary(902));
    let refused: &[(&str, &str, String, String, u16)] = &[
        ("PUT", "/fhir/Patient/p1", json.clone(), wrong.clone(), 422),
        ("PUT", "/fhir/Patient/p1", json.clone(), good.replace("\"birthDate\":\"1958-03-12\"", &format!("\"birthDate\":\"{word}\"")), 422),
        ("PUT", "/fhir/Patient/p1", json.clone(), good.replace("\"gender\"", &format!("\"{word}\"")), 422),
        ("PUT", "/fhir/Patient/p1", json.clone(), good.replace("1958-03-12\"", &format!("{word}\\")), 400),
        ("PUT", "/fhir/Patient/p1", json.clone(), good[..good.len() / 2].to_owned(), 400),
        ("PUT", "/fhir/Patient/p1", format!("{json}If-Match: W/\"9\"\r\n"), good.clone(), 412),
        ("PUT", "/fhir/Patient/p2", json.clone(), good.clone(), 400),
        ("PUT", "/fhir/Observation/p1", json.clone(), good.clone(), 400),
        ("POST", "/fhir/Patient", format!("{token}Content-Type: text/plain\r\n"), good.clone(), 415),
        ("POST", "/fhir/Observation", json.clone(), format!("{{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{{\"text\":\"{word}\"}},\"subject\":{{\"reference\":\"Patient/{word}\"}}}}"), 409),
        ("POST", "/fhir", json.clone(), format!("{{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[{{\"resource\":{wrong},\"request\":{{\"method\":\"PUT\",\"url\":\"Patient/p1\"}}}}]}}"), 422),
        ("PATCH", "/fhir/Patient/p1", format!("{token}Content-Type: application/json-patch+json\r\n"), format!("[{{\"op\":\"test\",\"path\":\"/name/0/family\",\"value\":\"{word}\"}}]"), 422),
        ("GET", "/fhir/Patient?birthdate=CANARYZQX903", token.clone(), String::new(), 400),
        ("GET", "/fhir/Patient?CANARYZQX904=1", token.clone(), String::new(), 400),
        ("GET", "/fhir/Patient?name:CANARYZQX905=1", token.clone(), String::new(), 400),
        ("GET", "/fhir/Patient?_sort=CANARYZQX906", token.clone(), String::new(), 400),
        ("GET", "/fhir/Patient?_cursor=CANARYZQX907", token.clone(), String::new(), 400),
        ("GET", "/fhir/Patient/CANARYZQX908", token.clone(), String::new(), 404),
        ("GET", "/fhir/CANARYZQX909/1", token.clone(), String::new(), 404),
        ("GET", "/fhir/Patient/p1", format!("{token}{user}"), String::new(), 403),
        ("GET", "/fhir/Patient/p1", format!("{token}X-Purpose-Of-Use: {word}\r\n"), String::new(), 403),
        ("GET", "/fhir/Patient/p1", format!("Authorization: Bearer {word}\r\n"), String::new(), 401),
        ("POST", "/ingest", format!("{token}Content-Type: x-application/hl7-v2+er7\r\n"), message("PID", "I1"), 400),
    ];
    let mut wrong = Vec::new();
    for (method, path, lines, body, status) in refused {
        let got = ask(method, path, lines, body);
        if got != *status {
            wrong.push(format!("{method} {path}: {got} instead of {status}"));
        }
    }
    // Questions that find something or nothing, for their lines in the log.
    for path in ["/fhir/Patient?name=CANARYZQX006", "/fhir/Patient?identifier=urn:s%7CCANARYZQX003", "/fhir/Patient/p1?_pretty=true"] {
        assert_eq!(ask("GET", path, &token, ""), 200);
    }
    let mut acks = String::new();
    let mut sender = Sender::connect(&doors.mllp[0]).unwrap();
    for text in [message("MSH", "M1"), message("MSH", "M1").replace("|F\r", "|C\r"), message("PID", "M2"), message("MSH", "M3").replace("2.5.1", &canary(950))] {
        acks.push_str(&sender.send(text.as_bytes()).unwrap());
        acks.push('\r');
    }
    let metrics = doors.metrics();
    assert_eq!(doors.stop(), Some(0));
    let printed = house.printed();
    assert!(printed.contains("DEBUG") && metrics.contains("dukou_http_answers_total"), "there is something to look through");
    for (place, text) in [("log", &printed), ("metrics", &metrics), ("acknowledgements", &acks.replace('\r', "\n"))] {
        wrong.extend(hits(text).into_iter().map(|line| format!("{place}: {line}")));
    }
    wrong.extend(hits(&printed.replace(&doors_token(&house), MARK)).into_iter().map(|line| format!("log, token: {line}")));
    for (asked, answer) in &refusals {
        let text = format!("{}\n{}", answer.head, String::from_utf8_lossy(&answer.body));
        wrong.extend(hits(&text).into_iter().map(|line| format!("{asked}: {line}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn doors_token(house: &House) -> String {
    std::fs::read_to_string(house.path("tokens/system")).unwrap()
}

const MARK: &str = "CANARYZQX";
