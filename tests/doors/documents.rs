//! Documents at the door: good records stand, bad ones are held with their reasons, a file sent again changes nothing, and what may not
//! be kept is nowhere on the disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::house::{Doors, House};
use crate::ledger;
use crate::node::Answer;

/// A file of a golden case.
fn case(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name)).unwrap()
}

fn send(doors: &Doors, kind: &str, body: &[u8]) -> Answer {
    let lines = format!("Authorization: Bearer {}\r\nContent-Type: {kind}\r\n", doors.token);
    doors.request("POST", "/ingest", &lines, body).unwrap()
}

/// The numbers of an answer.
fn summary(answer: &Value) -> BTreeMap<String, u64> {
    let numbers = answer["extension"][0]["extension"].as_array().unwrap();
    numbers.iter().map(|n| (n["url"].as_str().unwrap().to_owned(), n["valueUnsignedInt"].as_u64().unwrap())).collect()
}

fn numbers(answer: &Answer) -> [u64; 4] {
    let found = summary(&answer.json());
    ["records", "applied", "held", "unchanged"].map(|name| found[name])
}

/// The places that an answer names with an error, and their codes.
fn held(answer: &Value) -> Vec<(String, String)> {
    let issues = answer["issue"].as_array().unwrap().iter().filter(|issue| issue["severity"] == "error");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    issues.map(|issue| (text(&issue["expression"][0]), text(&issue["details"]["coding"][0]["code"]))).collect()
}

/// All live resources of some types with their versions.
fn versions(doors: &Doors) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for kind in ["Patient", "Observation", "DiagnosticReport", "Appointment", "Specimen", "Organization"] {
        let bundle = doors.ask("GET", &format!("/{kind}?_count=1000"), "").json();
        for entry in bundle["entry"].as_array().into_iter().flatten() {
            let resource = &entry["resource"];
            let version = resource["meta"]["versionId"].as_str().unwrap().to_owned();
            all.insert(format!("{kind}/{}", resource["id"].as_str().unwrap()), version);
        }
    }
    all
}

#[test]
fn a_damaged_row_is_held_with_its_reason_and_its_neighbours_stand() {
    let house = House::new();
    let doors = house.open();
    let answer = send(&doors, "text/csv; charset=gb18030", &case("delimited/clinic-results-damaged/input.csv"));
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let reasons = held(&answer.json());
    let of = |row: &str| reasons.iter().any(|(place, _)| place.starts_with(row));
    for row in ["row[1]", "row[3]", "row[4]", "row[5]", "row[7]"] {
        assert!(of(row), "{row} is held: {reasons:?}");
    }
    for row in ["row[2]", "row[6]", "row[8]"] {
        assert!(!of(row), "{row} stands: {reasons:?}");
    }
    assert_eq!(numbers(&answer), [8, 3, 5, 0]);
    assert!(reasons.contains(&("row[1]/证件号码".to_owned(), "id-as-number".to_owned())), "{reasons:?}");
    for issue in answer.json()["issue"].as_array().unwrap().iter().filter(|issue| issue["severity"] == "error") {
        assert!(issue["diagnostics"].as_str().is_some_and(|advice| !advice.is_empty()), "says what to do: {issue}");
        let zh = &issue["details"]["_text"]["extension"][0]["extension"][1]["valueString"];
        assert!(zh.as_str().is_some_and(|text| !text.is_ascii()), "says it in Chinese: {issue}");
    }
    let stored = doors.ask("GET", "/Observation?_count=100", "").json();
    assert_eq!(stored["total"].as_u64().or(stored["entry"].as_array().map(|all| all.len() as u64)), Some(3));
    let listed = |doors: &Doors| {
        let lines = format!("Authorization: Bearer {}\r\n", doors.token);
        let answer = doors.request("GET", "/ingest", &lines, b"").unwrap();
        assert_eq!(answer.status, 200);
        answer.json()["parameter"].as_array().cloned().unwrap_or_default()
    };
    let before = listed(&doors);
    assert_eq!(before.len(), 1);
    doors.kill();
    let doors = house.open();
    assert_eq!(listed(&doors), before, "what is held is found again after the process was killed");
    assert_eq!(doors.stop(), Some(0));
    ledger::assert_sound(&house.path("data/audit"));
}

#[test]
fn a_file_sent_again_and_a_file_of_the_same_rows_change_nothing() {
    let house = House::new();
    let doors = house.open();
    let (rows, booking) = (case("delimited/clinic-results/input.csv"), case("delimited/exam-booking/input.txt"));
    let xml = case("cn-xml/his-registration-two-rows/input.xml");
    let first: Vec<Answer> =
        [&rows, &booking, &xml].into_iter().map(|body| send(&doors, "application/octet-stream", body)).collect();
    assert!(first.iter().all(|answer| answer.status == 200));
    let stands = versions(&doors);
    for (body, answer) in [&rows, &booking, &xml].into_iter().zip(&first) {
        let again = send(&doors, "text/plain", body);
        assert_eq!((again.status, &again.body), (200, &answer.body), "the stored answer");
    }
    // A day-end file: the rows of the morning once more, in other encoding and order, and nothing new.
    let again = send(&doors, "text/csv", &case("delimited/clinic-results-utf8-no-trailer/input.csv"));
    assert_eq!(numbers(&again), [6, 0, 0, 6]);
    assert_eq!(versions(&doors), stands, "no new version of anything");
    assert_eq!(doors.stop(), Some(0));
    house.trail();
}

#[test]
fn what_a_card_may_not_leave_behind_is_nowhere_on_the_disk() {
    let house = House::new();
    let doors = house.open();
    let card = r#"{"request":{"infno":"1101","sign_no":"CANARY-SIGN","cainfo":"CANARY-CA","input":{"data":{"mdtrt_cert_type":"01","mdtrt_cert_no":"CANARY-TOKEN","psn_cert_type":"01"}}},
        "response":{"infcode":"0","output":{"baseinfo":{"psn_no":"9902000001","psn_cert_type":"01","certno":"860202198507140329","psn_name":"罗渡口","gend":"1"},
        "insuinfo":[{"balc":"CANARY-77.10","insutype":"310","emp_name":"CANARY单位","insuplc_admdvs":"860201"}]}},
        "ec_query_decode":{"response":{"data":{"userName":"罗渡口","idNo":"860202198507140329","idType":"01","ecToken":"CANARY-EC"}}}}"#;
    let answer = send(&doors, "application/json", card.as_bytes());
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    assert!(summary(&answer.json())["dropped"] >= 6, "{}", String::from_utf8_lossy(&answer.body));
    let broken = send(&doors, "application/json", b"{\"ecToken\":\"CANARY-BROKEN\", ");
    assert_eq!(broken.status, 422);
    let desk = "<message><head><yybm>99000002</yybm></head><body><row><patientid>1</patientid><klx>4</klx><kh>CANARY-CARD</kh><xm>罗渡口</xm></row></body></message>";
    let wrapped = format!("<a><msgBody>{}</msgBody></a>", desk.replace('<', "&lt;"));
    assert_eq!(send(&doors, "application/xml", desk.as_bytes()).status, 200);
    send(&doors, "application/xml", wrapped.as_bytes());
    assert_eq!(doors.stop(), Some(0));
    assert_eq!(house.found_on_disk(&[b"CANARY-", "CANARY单".as_bytes()]), Vec::<String>::new());
}

#[test]
fn what_cannot_be_read_is_refused_with_a_reason_and_nothing_of_it_stands() {
    let house = House::new();
    let doors = house.open();
    for (body, code) in [
        (&b""[..], ""),
        (&case("delimited/clinic-results-header-only/input.csv"), "no-record"),
        (b"<order><id>1</id></order>", "unmapped"),
        (b"{\"hello\": 1}", "unmapped"),
        (b"<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", ""),
    ] {
        let answer = send(&doors, "application/octet-stream", body);
        assert_eq!(answer.status, 422, "{}", String::from_utf8_lossy(&answer.body));
        let reasons = held(&answer.json());
        assert!(!reasons.is_empty() && (code.is_empty() || reasons[0].1 == code), "{reasons:?}");
    }
    assert!(versions(&doors).is_empty());
    assert_eq!(doors.stop(), Some(0));
    house.trail();
}
