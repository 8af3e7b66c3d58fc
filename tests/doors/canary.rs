//! What people wrote about a patient appears in no log, no metric and no refusal, whatever goes wrong.

use super::house::House;
use crate::node::Sender;

/// A word that stands in one field of a resource or message and nowhere else.
fn canary(n: usize) -> String {
    format!("{MARK}{n:03}")
}

/// Every field that text can stand in, each with a word of its own.
fn patient(id: &str, gender: &str) -> String {
    let word = |n| canary(n);
    format!(
        r##"{{"resourceType":"Patient","id":"{id}","text":{{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">{}</div>"}},
        "extension":[{{"url":"http://example.org/{}","valueString":"{}"}}],
        "identifier":[{{"system":"urn:s","value":"{}","assigner":{{"display":"{}"}}}}],
        "name":[{{"text":"{}","family":"{}","given":["{}"],"prefix":["{}"]}}],
        "telecom":[{{"system":"phone","value":"{}"}}],"gender":"{gender}","birthDate":"1958-03-12",
        "address":[{{"text":"{}","line":["{}"],"city":"{}","district":"{}"}}],
        "maritalStatus":{{"coding":[{{"system":"urn:s","code":"{}","display":"{}"}}],"text":"{}"}},
        "contact":[{{"name":{{"family":"{}"}},"telecom":[{{"system":"phone","value":"{}"}}]}}],
        "managingOrganization":{{"reference":"#o","display":"{}"}},
        "contained":[{{"resourceType":"Organization","id":"o","name":"{}","alias":["{}"]}}]}}"##,
        word(0),
        word(1),
        word(2),
        word(3),
        word(4),
        word(5),
        word(6),
        word(7),
        word(8),
        word(9),
        word(10),
        word(11),
        word(12),
        word(13),
        word(14),
        word(15),
        word(16),
        word(17),
        word(18),
        word(19),
        word(20),
        word(21),
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
        word(0),
        word(1),
        word(2),
        word(3),
        word(4),
        word(5),
        word(6),
        word(7),
        word(8),
        word(9),
        word(10),
        word(11),
        word(12),
        word(13),
        word(14),
        word(15),
        word(16),
        word(17),
        word(18),
        word(19),
        word(20),
        word(21),
        word(22),
        word(23),
    )
}

fn hits(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains(MARK)).collect()
}

/// Requests that are refused, each for a reason of its own: method, path, head lines, body, status.
type Refused = (&'static str, &'static str, String, String, u16);

/// Bodies that are refused.
fn refused_bodies(token: &str) -> Vec<Refused> {
    let json = format!("{token}Content-Type: application/fhir+json\r\n");
    let (good, word) = (patient("p1", "male"), canary(901));
    // A single word may be a code and is shown to its sender; anything else may be a name.
    let wrong = patient("p1", &format!("{} {}", canary(902), canary(903)));
    let entry = format!(r#"{{"resource":{wrong},"request":{{"method":"PUT","url":"Patient/p1"}}}}"#);
    let bundle = format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entry}]}}"#);
    let subject = format!(r#""subject":{{"reference":"Patient/{word}"}}"#);
    let observation =
        format!(r#"{{"resourceType":"Observation","status":"final","code":{{"text":"{word}"}},{subject}}}"#);
    let patch = format!(r#"[{{"op":"test","path":"/name/0/family","value":"{word}"}}]"#);
    let one = "/fhir/Patient/p1";
    vec![
        ("PUT", one, json.clone(), wrong, 422),
        ("PUT", one, json.clone(), good.replace("1958-03-12", &word), 422),
        ("PUT", one, json.clone(), good.replace("1958-03-12\"", &format!("{word}\\")), 400),
        ("PUT", one, json.clone(), good[..good.len() / 2].to_owned(), 400),
        ("PUT", one, format!("{json}If-Match: W/\"9\"\r\n"), good.clone(), 412),
        ("PUT", "/fhir/Patient/p2", json.clone(), good.clone(), 400),
        ("PUT", "/fhir/Observation/p1", json.clone(), good.clone(), 400),
        ("POST", "/fhir/Patient", format!("{token}Content-Type: text/plain\r\n"), good, 415),
        ("POST", "/fhir/Observation", json.clone(), observation, 422),
        ("POST", "/fhir", json, bundle, 422),
        ("PATCH", one, format!("{token}Content-Type: application/json-patch+json\r\n"), patch, 422),
        ("POST", "/ingest", format!("{token}Content-Type: x-application/hl7-v2+er7\r\n"), message("PID", "I1"), 422),
    ]
}

/// Heads that are refused.
fn refused_heads(token: &str) -> Vec<Refused> {
    let word = canary(901);
    let user = format!("X-User: {word}\r\nX-User-Name: {word}\r\nX-User-Role: {word}\r\n");
    let get = |path, lines: String, status| ("GET", path, lines, String::new(), status);
    vec![
        get("/fhir/Patient?birthdate=CANARYZQX904", token.to_owned(), 400),
        get("/fhir/Patient?_cursor=CANARYZQX905", token.to_owned(), 400),
        get("/fhir/Patient/CANARYZQX906", token.to_owned(), 404),
        get("/fhir/CANARYZQX907/1", token.to_owned(), 404),
        get("/fhir/Patient/p1", format!("{token}{user}"), 403),
        get("/fhir/Patient/p1", format!("{token}X-Purpose-Of-Use: {word}\r\n"), 403),
        get("/fhir/Patient/p1", format!("Authorization: Bearer {word}\r\n"), 401),
    ]
}

#[test]
fn words_about_a_patient_stay_out_of_logs_metrics_and_refusals() {
    let mut house = House::new();
    house.log = "debug";
    let doors = house.open();
    let token = format!("Authorization: Bearer {}\r\n", doors.token);
    assert_eq!(doors.ask("PUT", "/Patient/p1", &patient("p1", "male")).status, 201);
    let mut wrong = Vec::new();
    for (method, path, lines, body, status) in refused_bodies(&token).into_iter().chain(refused_heads(&token)) {
        let answer = doors.request(method, path, &lines, body.as_bytes()).unwrap();
        if answer.status != status {
            wrong.push(format!("{method} {path}: {} instead of {status}", answer.status));
        }
        let text = format!("{}\n{}", answer.head, String::from_utf8_lossy(&answer.body));
        wrong.extend(hits(&text).into_iter().map(|line| format!("{method} {path}: {line}")));
    }
    // Questions that find something or nothing, for their lines in the log.
    for path in ["/Patient?name=CANARYZQX006", "/Patient?identifier=urn:s%7CCANARYZQX003", "/Patient/p1?_pretty=true"] {
        assert_eq!(doors.ask("GET", path, "").status, 200);
    }
    let mut acks = String::new();
    let mut sender = Sender::connect(&doors.mllp[0]).unwrap();
    for text in [message("MSH", "M1"), message("MSH", "M1").replace("|F\r", "|C\r"), message("PID", "M2")] {
        acks.push_str(&sender.send(text.as_bytes()).unwrap().replace('\r', "\n"));
    }
    let (metrics, secret) = (doors.metrics(), doors.token.clone());
    assert_eq!(doors.stop(), Some(0));
    let printed = house.printed();
    assert!(printed.contains("DEBUG") && metrics.contains("dukou_http_answers_total"), "there is something to read");
    assert!(!printed.contains(&secret), "a token is in the log");
    for (place, text) in [("log", &printed), ("metrics", &metrics), ("acknowledgements", &acks)] {
        wrong.extend(hits(text).into_iter().map(|line| format!("{place}: {line}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const MARK: &str = "CANARYZQX";
