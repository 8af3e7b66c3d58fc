//! What people wrote about a patient appears in no log, no metric and no refusal, whatever goes wrong.

use super::capture::chip;
use super::house::House;
use crate::node::Sender;

/// A word that stands in one field of a resource or message and nowhere else.
fn canary(n: usize) -> String {
    format!("{MARK}{n:03}")
}

/// A text in which each `@` is a word of its own, numbered from `first` on.
fn filled(template: &str, first: usize) -> String {
    let mut parts = template.split('@');
    let head = parts.next().unwrap_or("").to_owned();
    parts.enumerate().fold(head, |text, (n, part)| text + &canary(first + n) + part)
}

/// A Patient with a word of its own in every field that text can stand in.
fn patient(id: &str, gender: &str) -> String {
    filled(PATIENT, 0).replace("<id>", id).replace("<gender>", gender)
}

/// A message with a word in every field that can take one.
fn message(header: &str, control_id: &str) -> String {
    header.to_owned() + &filled(MESSAGE, 100).replace("<control>", control_id)
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

/// Every door that takes the numbers of a person: method, path, content type, body, and whether it is to be taken.
fn doors_for_numbers() -> Vec<(&'static str, &'static str, &'static str, String, bool)> {
    let fhir = "application/fhir+json";
    let system = "https://dukou.dev/fhir/system/CHN-resident-identity-card";
    let patient = format!(
        r#"{{"resourceType":"Patient","identifier":[{{"system":"{system}","value":"{NUMBER}"}}],"name":[{{"text":"{NAME}"}}],"gender":"male","birthDate":"1990-12-31"}}"#
    );
    let matched = format!(
        r#"{{"resourceType":"Parameters","parameter":[{{"name":"resource","resource":{patient}}},{{"name":"count","valueInteger":3}}]}}"#
    );
    let desk = |request: &str, medium: &str, payload: String| {
        serde_json::json!({"request-id": request, "medium": medium, "payload": payload, "terminal": "A-1", "operator": "0231",
            "purpose": "TREAT"})
        .to_string()
    };
    let wrong = chip(NUMBER, NAME, "男", "1990-12-30");
    let resolve = format!(
        r#"{{"resourceType":"Parameters","parameter":[{{"name":"request-id","valueString":"r"}},{{"name":"token","valueString":"{NUMBER}"}},
        {{"name":"terminal","valueString":"A-1"}},{{"name":"purpose","valueCode":"TREAT"}}]}}"#
    );
    let message = format!(
        "MSH|^~\\&|HIS|H1|DUKOU|H1|20261120081500+0800||ADT^A04^ADT_A01|N1|P|2.5.1||||||UNICODE UTF-8\rEVN|A04|20261120081500\r\
         PID|1||{CARD}^^^H1^MR~{NUMBER}^^^PRC^NNCHN||{NAME}||19901231|M\rPV1|1|O\r"
    );
    let rows = format!("<order><patientid>{CARD}</patientid><sfzh>{NUMBER}</sfzh><xm>{NAME}</xm></order>");
    let number = format!("identifier={system}%7C{NUMBER}");
    vec![
        (
            "POST",
            "/identity/capture",
            "application/json",
            desk("1", "resident-card", chip(NUMBER, NAME, "男", "1990-12-31")),
            true,
        ),
        ("POST", "/identity/capture", "application/json", desk("2", "resident-card", wrong), true),
        ("POST", "/identity/capture", "application/json", desk("3", "visit-card", CARD.to_owned()), false),
        ("POST", "/identity/capture", "application/json", desk("4", NUMBER, NAME.to_owned()), false),
        ("POST", "/identity/capture", "application/json", desk(NAME, "resident-card", CARD.to_owned()), false),
        ("POST", "/fhir/Patient/$resolve-capture", fhir, resolve, false),
        ("POST", "/ingest", "x-application/hl7-v2+er7", message, true),
        ("POST", "/ingest", "application/xml", rows, false),
        ("POST", "/ingest", "application/json", format!(r#"{{"userName":"{NAME}","idNo":"{NUMBER}""#), false),
        ("POST", "/fhir/Patient", fhir, patient.clone(), true),
        ("POST", "/fhir/Patient", fhir, patient.replace("1990-12-31", NAME), false),
        ("POST", "/fhir/Patient/_search", "application/x-www-form-urlencoded", number.clone(), true),
        ("POST", "/fhir/Patient/$match", fhir, matched.clone(), true),
        ("POST", "/fhir/Patient/$match", fhir, matched.replace("valueInteger\":3", "valueInteger\":\"x\""), false),
        (
            "GET",
            "/fhir/Patient?identifier=86010119901231019X&name=%E5%BD%AD%E6%B8%A1%E5%8F%A3",
            fhir,
            String::new(),
            true,
        ),
        ("GET", "/fhir/Patient/86010119901231019X", fhir, String::new(), false),
    ]
}

#[test]
fn a_marked_number_that_comes_in_through_every_door_is_in_no_log_no_metric_and_no_refusal() {
    let mut house = House::new();
    house.log = "debug";
    let doors = house.open();
    let mut wrong = Vec::new();
    let marks = [NUMBER, NAME, CARD, "%E5%BD%AD%E6%B8%A1"];
    let told = |text: &str| -> Vec<String> {
        text.lines().filter(|line| marks.iter().any(|mark| line.contains(mark))).map(str::to_owned).collect()
    };
    for (method, path, kind, body, taken) in doors_for_numbers() {
        let lines = format!("Authorization: Bearer {}\r\nContent-Type: {kind}\r\n", doors.token);
        let answer = doors.request(method, path, &lines, body.as_bytes()).unwrap();
        if (answer.status < 300) != taken {
            wrong.push(format!("{method} {path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body)));
        }
        if answer.status >= 300 {
            let text = format!("{}\n{}", answer.head, String::from_utf8_lossy(&answer.body));
            wrong.extend(told(&text).into_iter().map(|line| format!("{method} {path}: {line}")));
        }
    }
    let metrics = doors.metrics();
    assert_eq!(doors.stop(), Some(0));
    assert!(house.printed().contains("DEBUG") && !house.found_on_disk(&[NUMBER.as_bytes()]).is_empty());
    for (place, text) in [("log", &house.printed()), ("metrics", &metrics)] {
        wrong.extend(told(text).into_iter().map(|line| format!("{place}: {line}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_a_card_may_not_leave_behind_is_nowhere_on_the_disk_whichever_door_it_came_by() {
    let house = House::new();
    let doors = house.open();
    let insured = r#"{"request":{"cainfo":"FORBIDDENca","sign_no":"FORBIDDENsign","input":{"data":{"mdtrt_cert_type":"01",
        "mdtrt_cert_no":"FORBIDDENtoken","psn_cert_type":"01","certno":"86010119901231019X","psn_name":"彭渡口"}}},
        "response":{"infcode":"0","output":{"baseinfo":{"psn_no":"9901","psn_cert_type":"01","certno":"86010119901231019X",
        "psn_name":"彭渡口","gend":"1","brdy":"1990-12-31"},"insuinfo":[{"balc":"FORBIDDENbalance","emp_name":"FORBIDDEN单位"}]}}}"#;
    let credential = r#"{"code":0,"data":{"userName":"彭渡口","idNo":"86010119901231019X","idType":"01","ecToken":"FORBIDDENec",
        "gender":"男","birthday":"1990-12-31"}}"#;
    let chip = chip("86010119901231019X", "彭渡口", "男", "1990-12-31").replacen('{', "{\"PIN\":\"FORBIDDENpin\",", 1);
    let lines = format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", doors.token);
    let mut dropped = Vec::new();
    for (number, (medium, payload)) in
        [("insurance-card", insured), ("insurance-credential", credential), ("resident-card", &chip)]
            .into_iter()
            .enumerate()
    {
        let desk = serde_json::json!({"request-id": number.to_string(), "medium": medium, "payload": payload, "terminal": "A-1",
            "purpose": "TREAT"});
        let answer = doors.request("POST", "/identity/capture", &lines, desk.to_string().as_bytes()).unwrap();
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.status == 200 && !text.contains("FORBIDDEN"), "{text}");
        let body: serde_json::Value = serde_json::from_str(&text).unwrap();
        let issues = body["issue"]["issue"].as_array().unwrap();
        let told = issues.iter().find(|issue| issue["details"]["coding"][0]["code"] == "dropped-forbidden").unwrap();
        dropped.push(told["details"]["text"].as_str().unwrap()[..1].to_owned());
        // A payload that cannot be read is refused, and nothing of it stays either.
        let half = serde_json::json!({"request-id": "h", "medium": medium, "payload": payload[..payload.len() / 2], "terminal": "A-1",
            "purpose": "TREAT"});
        assert_eq!(
            doors.request("POST", "/identity/capture", &lines, half.to_string().as_bytes()).unwrap().status,
            422
        );
        let status = doors.request("POST", "/ingest", &lines, payload.as_bytes()).unwrap().status;
        assert!(status < 500, "{medium}");
    }
    assert_eq!(dropped, ["5", "1", "1"]);
    assert!(!house.found_on_disk(&["彭渡口".as_bytes()]).is_empty(), "what is kept is found");
    // While it runs the values could still stand in the log of the store; afterwards in the store, the ledger or a cache.
    assert_eq!(house.found_on_disk(&[b"FORBIDDEN"]), Vec::<String>::new());
    assert_eq!(doors.stop(), Some(0));
    assert_eq!(house.found_on_disk(&[b"FORBIDDEN"]), Vec::<String>::new());
}

const MARK: &str = "CANARYZQX";
/// A number, a name and a card that nobody has.
const NUMBER: &str = "86010119901231019X";
const NAME: &str = "彭渡口";
const CARD: &str = "K860000017";

const PATIENT: &str = r##"{"resourceType":"Patient","id":"<id>","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">@</div>"},
        "extension":[{"url":"http://example.org/@","valueString":"@"}],
        "identifier":[{"system":"urn:s","value":"@","assigner":{"display":"@"}}],
        "name":[{"text":"@","family":"@","given":["@"],"prefix":["@"]}],
        "telecom":[{"system":"phone","value":"@"}],"gender":"<gender>","birthDate":"1958-03-12",
        "address":[{"text":"@","line":["@"],"city":"@","district":"@"}],
        "maritalStatus":{"coding":[{"system":"urn:s","code":"@","display":"@"}],"text":"@"},
        "contact":[{"name":{"family":"@"},"telecom":[{"system":"phone","value":"@"}]}],
        "managingOrganization":{"reference":"#o","display":"@"},
        "contained":[{"resourceType":"Organization","id":"o","name":"@","alias":["@"]}]}"##;

const MESSAGE: &str = "|^~\\&|HIS|H1|DUKOU|H1|20261120081500+0800||ORU^R01^ORU_R01|<control>|P|2.5.1||||||UNICODE UTF-8\r\
         PID|1|@|@^^^H1^MR|@|@^@|@|@|M|@||@^^@||@|||S||@|@\r\
         OBR|1||@^LIS|@^@^L|||20261120080000+0800|||||||||@^@|||||||||F\r\
         OBX|1|ST|@^@^L||@||||||F\rOBX|2|NM|X^X^L||@||||||F\rNTE|1||@\rZZ9|@\r";
