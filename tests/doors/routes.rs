//! Every route, with every kind of ending, leaves exactly one record or one count.

use std::collections::BTreeMap;

use dukou_api::ROUTES;

use super::house::House;

/// One request to one route, with the class of its status.
struct Ask {
    route: u16,
    class: u16,
    method: &'static str,
    path: &'static str,
    lines: &'static str,
    body: &'static str,
}

const fn ask(
    route: u16,
    class: u16,
    method: &'static str,
    path: &'static str,
    lines: &'static str,
    body: &'static str,
) -> Ask {
    Ask { route, class, method, path, lines, body }
}

const JSON: &str = "Content-Type: application/fhir+json\r\n";
const PATCH: &str = "Content-Type: application/json-patch+json\r\n";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const ER7: &str = "Content-Type: x-application/hl7-v2+er7\r\n";
const P: &str = r#"{"resourceType":"Patient","id":"p1","identifier":[{"system":"urn:t","value":"1"}]}"#;
const NEW: &str = r#"{"resourceType":"Patient","identifier":[{"system":"urn:t","value":"2"}]}"#;
const THIRD: &str = r#"{"resourceType":"Patient","identifier":[{"system":"urn:t","value":"3"}]}"#;
const BROKEN: &str = r#"{"resourceType":"Patient","gender":"#;
const WRONG: &str = r#"{"resourceType":"Patient","gender":7}"#;
const ACTIVE: &str = r#"[{"op":"add","path":"/active","value":true}]"#;
const NOWHERE: &str = r#"[{"op":"replace","path":"/nothing/at/all","value":true}]"#;
const BATCH: &str =
    r#"{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/p1"}}]}"#;
const KNOWN: &str = r#"{"resourceType":"Patient","identifier":[{"system":"urn:t","value":"1"}]}"#;
const FEED: &str = r#"{"resourceType":"Bundle","type":"message","entry":[{"resource":{"resourceType":"MessageHeader","eventUri":"urn:ihe:iti:pmir:2019:patient-feed","source":{"endpoint":"urn:x"}}},{"resource":{"resourceType":"Bundle","type":"history"}}]}"#;
const P5: &str = r#"{"resourceType":"Patient","id":"p5","name":[{"text":"王二"}]}"#;
const FINDING: &str = r#"{"resourceType":"Task","id":"t1","status":"requested","intent":"proposal","code":{"coding":[{"system":"https://dukou.dev/fhir/CodeSystem/task","code":"identity-review"}]},"reasonCode":{"coding":[{"system":"https://dukou.dev/fhir/CodeSystem/identity-review","code":"damaged-name"}]},"focus":{"reference":"Patient/p5"}}"#;
const LATER: &str = r#"{"resourceType":"Parameters","parameter":[{"name":"action","valueCode":"postpone"},{"name":"reason","valueString":"closed on Sunday"}]}"#;
const OTHER: &str = r#"{"resourceType":"Parameters","parameter":[{"name":"other","valueString":"p5"},{"name":"reason","valueString":"same card, same face"}]}"#;
const CARD: &str = r#"{"request-id":"1","medium":"typed","terminal":"A-1","purpose":"TREAT","payload":{"name":"彭䶮","idno":"86010119901231019X"}}"#;
const TOKEN: &str = r#"{"request-id":"1","terminal":"A-1","purpose":"TREAT","token":"none","reason":"lost"}"#;
/// `<token>` is the token of the capture before.
const SHOWN: &str = r#"{"request-id":"2","terminal":"A-2","purpose":"TREAT","token":"<token>"}"#;
const LOST: &str = r#"{"request-id":"1","terminal":"A-1","purpose":"TREAT","patient":"Patient/p1","reason":"lost"}"#;
const P6: &str = r#"{"resourceType":"Patient","id":"p6","name":[{"text":"王二"}]}"#;
const MERGE: &str = r#"{"resourceType":"Parameters","parameter":[{"name":"source-patient","valueReference":{"reference":"Patient/p6"}},{"name":"target-patient","valueReference":{"reference":"Patient/p1"}}]}"#;
const UNMERGE: &str = r#"{"resourceType":"Parameters","parameter":[{"name":"patient","valueReference":{"reference":"Patient/p6"}},{"name":"reason","valueString":"two people"}]}"#;
const NUMBERED: &str = r#"{"resourceType":"Parameters","parameter":[{"name":"identifier","valueIdentifier":{"system":"urn:t","value":"1"}}]}"#;
const NO_TYPE: &str = r#"{"resourceType":"Bundle","type":"document"}"#;
const MESSAGE: &str = "MSH|^~\\&|LIS|H1|DUKOU|H1|20261120081500+0800||ADT^A04^ADT_A01|R-1|P|2.5.1\rEVN|A04|20261120081500\r\
                       PID|1||20000001^^^H1^MR||王一||19580312|M\rPV1|1|O\r";

/// In this order: later ones build on what earlier ones wrote.
const ASKS: &[Ask] = &[
    ask(0, 4, "GET", "/fhir/Nonsense", "", ""),
    ask(0, 4, "GET", "/elsewhere", "", ""),
    ask(0, 4, "DELETE", "/fhir/metadata", "", ""),
    ask(2, 2, "OPTIONS", "/fhir/Patient", "", ""),
    ask(11, 2, "POST", "/fhir/Patient", JSON, NEW),
    ask(11, 4, "POST", "/fhir/Patient", JSON, BROKEN),
    ask(11, 4, "POST", "/fhir/Patient", JSON, WRONG),
    ask(11, 4, "POST", "/fhir/Patient", "Content-Type: text/plain\r\n", NEW),
    ask(12, 2, "PUT", "/fhir/Patient/p1", JSON, P),
    ask(12, 2, "PUT", "/fhir/Patient/p1", JSON, P),
    ask(12, 4, "PUT", "/fhir/Patient/p2", JSON, P),
    ask(12, 4, "PUT", "/fhir/Patient/p1", "Content-Type: application/fhir+json\r\nIf-Match: W/\"9\"\r\n", P),
    ask(13, 2, "PUT", "/fhir/Patient?identifier=urn:t%7C3", JSON, THIRD),
    ask(13, 4, "PUT", "/fhir/Patient?nothing=3", JSON, THIRD),
    ask(14, 2, "PATCH", "/fhir/Patient/p1", PATCH, ACTIVE),
    ask(14, 4, "PATCH", "/fhir/Patient/p1", PATCH, NOWHERE),
    ask(14, 4, "PATCH", "/fhir/Patient/none", PATCH, ACTIVE),
    ask(15, 2, "PATCH", "/fhir/Patient?identifier=urn:t%7C3", PATCH, ACTIVE),
    ask(15, 4, "PATCH", "/fhir/Patient?identifier=urn:t%7C9", PATCH, ACTIVE),
    ask(3, 2, "GET", "/fhir/Patient/p1", "", ""),
    ask(3, 2, "HEAD", "/fhir/Patient/p1", "", ""),
    ask(3, 3, "GET", "/fhir/Patient/p1", "If-None-Match: W/\"2\"\r\n", ""),
    ask(3, 4, "GET", "/fhir/Patient/none", "", ""),
    ask(3, 4, "GET", "/fhir/Patient/p1", "Accept: text/html\r\n", ""),
    ask(3, 4, "GET", "/fhir/Patient/p1", "X-Purpose-Of-Use: NONSENSE\r\n", ""),
    ask(4, 2, "GET", "/fhir/Patient/p1/_history/1", "", ""),
    ask(4, 4, "GET", "/fhir/Patient/p1/_history/99", "", ""),
    ask(5, 2, "GET", "/fhir/Patient?_count=1", "", ""),
    ask(5, 2, "POST", "/fhir/Patient/_search", FORM, "identifier=urn:t%7C2"),
    ask(5, 4, "GET", "/fhir/Patient?birthdate=yesterday", "", ""),
    ask(6, 2, "GET", "/fhir?_type=Patient&_count=1", "", ""),
    ask(6, 4, "GET", "/fhir?_type=Nonsense", "", ""),
    ask(7, 2, "GET", "/fhir/Patient/p1/Observation", "", ""),
    ask(7, 4, "GET", "/fhir/Patient/p1/Observation?date=yesterday", "", ""),
    ask(8, 2, "GET", "/fhir/Patient/p1/_history", "", ""),
    ask(8, 4, "GET", "/fhir/Patient/none/_history", "", ""),
    ask(9, 2, "GET", "/fhir/Patient/_history", "", ""),
    ask(9, 4, "GET", "/fhir/Patient/_history?_since=yesterday", "", ""),
    ask(10, 2, "GET", "/fhir/_history", "", ""),
    ask(10, 4, "GET", "/fhir/_history?_since=yesterday", "", ""),
    ask(16, 4, "DELETE", "/fhir/Patient/p1", "If-Match: W/\"99\"\r\n", ""),
    ask(16, 2, "DELETE", "/fhir/Patient/p1", "", ""),
    ask(0, 4, "DELETE", "/fhir/Patient/p_1", "", ""),
    ask(3, 4, "GET", "/fhir/Patient/p1", "", ""),
    ask(17, 2, "DELETE", "/fhir/Patient?identifier=urn:t%7C3", "", ""),
    ask(17, 4, "DELETE", "/fhir/Patient?nothing=3", "", ""),
    ask(18, 2, "POST", "/fhir", JSON, BATCH),
    ask(18, 4, "POST", "/fhir", JSON, NO_TYPE),
    ask(18, 4, "POST", "/fhir", JSON, BROKEN),
    ask(19, 2, "POST", "/fhir/Patient/$validate", JSON, WRONG),
    ask(19, 4, "POST", "/fhir/Patient/$validate", JSON, BROKEN),
    ask(12, 2, "PUT", "/fhir/Patient/p1", JSON, P),
    ask(20, 2, "GET", "/fhir/Patient/p1/$everything", "", ""),
    ask(20, 4, "GET", "/fhir/Patient/none/$everything", "", ""),
    ask(21, 2, "POST", "/ingest", ER7, MESSAGE),
    ask(21, 4, "POST", "/ingest", "Content-Type: image/png\r\n", MESSAGE),
    ask(22, 2, "GET", "/ingest", "", ""),
    ask(22, 4, "GET", "/ingest?after=yesterday", "", ""),
    ask(23, 2, "POST", "/fhir/Patient/$capture", JSON, CARD),
    ask(23, 4, "POST", "/fhir/Patient/$capture", JSON, NO_TYPE),
    ask(24, 2, "POST", "/fhir/Patient/$resolve-capture", JSON, SHOWN),
    ask(24, 4, "POST", "/fhir/Patient/$resolve-capture", JSON, TOKEN),
    ask(25, 2, "POST", "/fhir/Patient/$revoke-capture", JSON, LOST),
    ask(25, 4, "POST", "/fhir/Patient/$revoke-capture", JSON, TOKEN),
    ask(31, 2, "POST", "/identity/capture", "Content-Type: application/json\r\n", CARD),
    ask(31, 4, "POST", "/identity/capture", "Content-Type: application/json\r\n", BROKEN),
    ask(26, 2, "POST", "/fhir/Patient/$match", JSON, KNOWN),
    ask(26, 4, "POST", "/fhir/Patient/$match", JSON, NO_TYPE),
    ask(27, 2, "GET", "/fhir/Patient/$ihe-pix?sourceIdentifier=urn:t%7C1", "", ""),
    ask(27, 4, "POST", "/fhir/Patient/$ihe-pix", FORM, "sourceIdentifier=urn:none%7C1"),
    ask(12, 2, "PUT", "/fhir/Patient/p6", JSON, P6),
    ask(28, 2, "POST", "/fhir/Patient/$merge", JSON, MERGE),
    ask(28, 4, "POST", "/fhir/Patient/$merge", JSON, MERGE),
    ask(29, 2, "POST", "/fhir/Patient/$unmerge", JSON, UNMERGE),
    ask(29, 4, "POST", "/fhir/Patient/$unmerge", JSON, UNMERGE),
    ask(39, 2, "POST", "/fhir/Patient/$card", JSON, NUMBERED),
    ask(39, 4, "POST", "/fhir/Patient/$card", JSON, NO_TYPE),
    ask(30, 2, "POST", "/fhir/$process-message", JSON, FEED),
    ask(30, 4, "POST", "/fhir/$process-message", JSON, NO_TYPE),
    ask(12, 2, "PUT", "/fhir/Patient/p5", JSON, P5),
    ask(12, 2, "PUT", "/fhir/Task/t1", JSON, FINDING),
    ask(32, 2, "POST", "/fhir/Task/t1/$decide", JSON, LATER),
    ask(32, 4, "POST", "/fhir/Task/none/$decide", JSON, LATER),
    ask(36, 2, "POST", "/fhir/Patient/p1/$explain", JSON, OTHER),
    ask(36, 4, "POST", "/fhir/Patient/none/$explain", JSON, OTHER),
    ask(37, 2, "POST", "/fhir/Patient/p1/$assert-link", JSON, OTHER),
    ask(37, 4, "POST", "/fhir/Patient/none/$assert-link", JSON, OTHER),
    ask(38, 2, "POST", "/fhir/Patient/p1/$assert-not-same", JSON, OTHER),
    ask(38, 4, "POST", "/fhir/Patient/p1/$assert-not-same", JSON, LATER),
];

#[test]
fn every_request_of_a_known_client_leaves_exactly_one_record_under_the_id_of_its_answer() {
    for line in ROUTES.iter().filter(|line| line.number > 2) {
        let has = |class| ASKS.iter().any(|ask| ask.route == line.number && ask.class == class);
        assert!(has(2) && has(4), "route {} is not walked with a success and a refusal", line.name);
    }
    let house = House::new();
    let doors = house.open();
    let auditor = std::fs::read_to_string(house.path("tokens/compliance")).unwrap();
    let mut seen: BTreeMap<String, (u16, u64)> = BTreeMap::new();
    let (mut wrong, mut token_of_capture) = (Vec::new(), String::new());
    for (token, known) in [(&doors.token, true), (&auditor, false)] {
        for ask in ASKS {
            let lines = format!("Authorization: Bearer {token}\r\n{}", ask.lines);
            let body = ask.body.replace("<token>", &token_of_capture);
            let answer = doors.request(ask.method, ask.path, &lines, body.as_bytes()).unwrap();
            if ask.route == 23 && answer.status == 200 {
                token_of_capture = answer.json()["parameter"][0]["valueString"].as_str().unwrap().to_owned();
            }
            // The other client may read no patient at all; whatever it is told, it leaves its record.
            if known && answer.status / 100 != ask.class {
                let body = String::from_utf8_lossy(&answer.body);
                wrong.push(format!("{} {}: {} {body}", ask.method, ask.path, answer.status));
            }
            assert!(answer.header("x-audit-receipt").is_some(), "{} {}", ask.method, ask.path);
            let shown = answer.body.windows(5).any(|five| five == b"urn:t");
            assert!(known || !shown, "{} {} shows a patient to a client without right", ask.method, ask.path);
            let id = answer.header("x-request-id").unwrap().to_owned();
            assert!(seen.insert(id, (ask.route, answer.status.into())).is_none(), "an id is used once");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Strangers and the statement that anyone may read are counted.
    for ask in ASKS {
        let answer = doors.request(ask.method, ask.path, ask.lines, ask.body.as_bytes()).unwrap();
        assert_eq!(answer.status, 401, "{} {}", ask.method, ask.path);
        assert!(answer.header("www-authenticate").is_some() && answer.header("x-audit-receipt").is_none());
    }
    for _ in 0..3 {
        assert_eq!(doors.request("GET", "/fhir/metadata", "", b"").unwrap().status, 200);
    }
    assert_eq!(doors.stop(), Some(0));

    let trail = house.trail();
    let mut recorded: BTreeMap<String, (u16, u64)> = BTreeMap::new();
    for primary in trail.primaries() {
        // What became of a message is told by its acknowledgement; over HTTP it travels in a 200.
        let status = if primary.ack.is_empty() { primary.status } else { 200 };
        let outcome = (u16::try_from(primary.route).unwrap(), status);
        assert!(recorded.insert(primary.request.clone(), outcome).is_none(), "{primary:?} stands twice");
    }
    let differing: Vec<_> = seen.iter().filter(|(id, outcome)| recorded.get(*id) != Some(outcome)).collect();
    assert!(differing.is_empty() && recorded.len() == seen.len(), "{differing:?}");
    let counts = trail.counts();
    let total = |what: &str| counts.iter().filter(|((_, of, _), _)| of == what).map(|(_, count)| count).sum::<u64>();
    assert_eq!((total("credential-missing"), total("metadata")), (ASKS.len() as u64, 3));
    assert_eq!(counts.values().sum::<u64>(), ASKS.len() as u64 + 3, "{counts:?}");
}
