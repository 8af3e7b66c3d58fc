//! Each event of chapter 3 that decides about identity, sent as its case in `fixtures/hl7v2` to a real node: what stands afterwards, and
//! what is found.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::node::{Answer, Node, Sender, msa};

/// A node, one connection, and how to ask it.
struct Ward {
    node: Node,
    sender: Sender,
    sent: u32,
    _folder: tempfile::TempDir,
}

const OWNER: &str = "860101H01&2.16.156.112797.1.1&ISO";
const SYSTEM: &str = "urn:oid:2.16.156.112797.1.1";

impl Ward {
    fn open() -> Ward {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::start(folder.path());
        let sender = Sender::connect(&node.mllp).unwrap();
        Ward { node, sender, sent: 0, _folder: folder }
    }

    /// Sends a message and gives the acknowledgement, which must have this code.
    fn send(&mut self, message: &[u8], code: &str) -> String {
        let ack = self.sender.send(message).unwrap();
        assert_eq!(msa(&ack).0, code, "{ack}");
        ack
    }

    /// Sends a case by the name of its folder, asking for the answer that tells what became of it.
    fn case(&mut self, name: &str) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/hl7v2").join(name);
        let text = fs::read_to_string(folder.join("input.hl7")).unwrap();
        self.send(text.replace("|||AL|NE|", "|||||").as_bytes(), "AA")
    }

    /// A message of the same hospital with these segments behind its header; its event lies before those of the cases.
    fn say(&mut self, kind: &str, segments: &str) -> String {
        self.sent += 1;
        let event = kind.split('^').nth(1).unwrap();
        let text = format!(
            "MSH|^~\\&|HIS|860101H01^2.16.156.112797.1.1^ISO|DUKOU|860101HIE|2026030108300{0}+0800||{kind}|D{0}|P|2.5.1||||||UNICODE UTF-8\r\
             EVN|{event}|2026030108300{0}+0800\r{segments}",
            self.sent
        );
        self.send(text.as_bytes(), "AA")
    }

    fn register(&mut self, number: &str, name: &str, further: &str) {
        let text = format!("PID|1||{number}^^^{OWNER}^MR{further}||{name}||19620318|F\r");
        self.say("ADT^A28^ADT_A05", &text);
    }

    /// A result of a visit of somebody.
    fn result(&mut self, number: &str, filler: &str, visit: &str) {
        let text = format!(
            "PID|1||{number}^^^{OWNER}^MR||王^秀英\rPV1|1|I|||||||||||||||||{visit}^^^{OWNER}^VN\r\
             OBR|1||{filler}^LIS|CHEM^生化^L|||20260301080000+0800||||||||||||||||||F\r\
             OBX|1|NM|2345-7^葡萄糖^LN||5.10|mmol/L|||||F\r"
        );
        self.say("ORU^R01^ORU_R01", &text);
    }

    fn get(&self, path: &str) -> Value {
        let answer: Answer = self.node.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// The record that holds a number, whether others replace it or not.
    fn record(&self, number: &str) -> Value {
        let found = self.get(&format!("/Patient?identifier={SYSTEM}|{number}&include-inactive=true"));
        let all: Vec<&Value> = found["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]).collect();
        // A number that was closed stands in both records; that which is inactive was made of it.
        let own = all.iter().find(|one| one["active"] == false).or(all.first());
        (*own.unwrap_or_else(|| panic!("nobody holds {number}"))).clone()
    }

    fn count(&self, path: &str) -> u64 {
        self.get(path)["total"].as_u64().unwrap_or_else(|| panic!("{path} has no total"))
    }

    /// How many results are found by this number of a patient.
    fn results_of(&self, number: &str) -> u64 {
        self.count(&format!("/Observation?subject:Patient.identifier={SYSTEM}|{number}"))
    }
}

fn id(resource: &Value) -> &str {
    resource["id"].as_str().unwrap()
}

fn links(patient: &Value, kind: &str) -> Vec<String> {
    let links = patient["link"].as_array().cloned().unwrap_or_default();
    let of_kind = links.iter().filter(|link| link["type"] == kind);
    of_kind.map(|link| link["other"]["reference"].as_str().unwrap().to_owned()).collect()
}

fn number<'a>(resource: &'a Value, value: &str) -> &'a Value {
    resource["identifier"].as_array().unwrap().iter().find(|one| one["value"] == value).unwrap()
}

/// Survivor and retired record of a case that merges H0008888 into H0001234.
fn merged_by(case: &str) {
    let mut ward = Ward::open();
    ward.register("H0001234", "王^秀英", "");
    ward.register("H0008888", "王^秀英", "");
    ward.result("H0008888", "F1", "V8");
    ward.case(case);
    let (survivor, retired) = (ward.record("H0001234"), ward.record("H0008888"));
    assert_eq!(retired["active"], false, "{case}");
    assert_eq!(links(&retired, "replaced-by"), [format!("Patient/{}", id(&survivor))], "{case}");
    assert_eq!(links(&survivor, "replaces"), [format!("Patient/{}", id(&retired))], "{case}");
    assert_eq!((ward.results_of("H0001234"), ward.results_of("H0008888")), (1, 1), "{case}");
    let versions = ward.count(&format!("/Patient/{}/_history", id(&retired)));
    ward.case(case);
    assert_eq!(ward.count(&format!("/Patient/{}/_history", id(&retired))), versions, "a replay changes nothing");
}

#[test]
fn a40_merges_two_patients_and_a_replay_changes_nothing() {
    merged_by("adt-a40-merge");
}

#[test]
fn a18_merges_patient_and_account() {
    merged_by("adt-a18-merge-of-patient-and-account");
}

#[test]
fn a30_merges_two_persons() {
    merged_by("adt-a30-merge-of-persons");
}

#[test]
fn a34_merges_two_patients_by_their_numbers_only() {
    merged_by("adt-a34-merge-patient-id-only");
}

#[test]
fn a39_merges_by_the_external_number() {
    let mut ward = Ward::open();
    ward.register("H0001234", "王^秀英", "");
    ward.register("H0008888", "王^秀英", &format!("~E99^^^{OWNER}^PI"));
    ward.case("adt-a39-merge-by-external-id");
    let (survivor, retired) = (ward.record("H0001234"), ward.record("H0008888"));
    assert_eq!(links(&retired, "replaced-by"), [format!("Patient/{}", id(&survivor))], "who holds E99 is merged");
}

#[test]
fn a24_links_two_records_without_loss_and_a37_unlinks_them() {
    let mut ward = Ward::open();
    ward.register("H0001234", "王^秀英", "");
    ward.register("H0004321", "王^绣英", "");
    ward.result("H0004321", "F1", "V8");
    assert_eq!(ward.results_of("H0001234"), 0);
    ward.case("adt-a24-link");
    let (one, other) = (ward.record("H0001234"), ward.record("H0004321"));
    assert_eq!(links(&one, "seealso"), [format!("Patient/{}", id(&other))]);
    assert_eq!(links(&other, "seealso"), [format!("Patient/{}", id(&one))]);
    assert!(one["active"] != false && other["active"] != false, "both stay records");
    assert_eq!(ward.results_of("H0001234"), 1, "one person now");
    ward.case("adt-a37-unlink");
    assert!(links(&ward.record("H0001234"), "seealso").is_empty());
    assert_eq!((ward.results_of("H0001234"), ward.results_of("H0004321")), (0, 1));
}

#[test]
fn a41_and_a35_merge_accounts_and_no_person() {
    for case in ["adt-a41-merge-of-accounts", "adt-a35-merge-account-only"] {
        let mut ward = Ward::open();
        ward.say("ADT^A01^ADT_A01", &visit("H0001234", "V1", "Z9"));
        ward.case(case);
        let retired = ward.get(&format!("/Account?identifier={SYSTEM}|Z9&status=inactive"));
        assert_eq!(retired["total"], 1, "{case}");
        let survivor = &ward.get(&format!("/Account?identifier={SYSTEM}|Z1"))["entry"][0]["resource"];
        assert_eq!(number(survivor, "Z9")["use"], "old", "{case}");
        let of_visit = &ward.get(&format!("/Encounter?identifier={SYSTEM}|V1"))["entry"][0]["resource"];
        assert_eq!(of_visit["account"][0]["reference"], format!("Account/{}", id(survivor)), "{case}");
        assert!(links(&ward.record("H0001234"), "replaces").is_empty(), "{case}: no person is touched");
    }
}

#[test]
fn a42_merges_visits_and_their_results_follow() {
    let mut ward = Ward::open();
    ward.say("ADT^A01^ADT_A01", &visit("H0001234", "V1", "Z1"));
    ward.say("ADT^A01^ADT_A01", &visit("H0001234", "V9", "Z1"));
    ward.result("H0001234", "F1", "V9");
    ward.case("adt-a42-merge-of-visits");
    let survivor = ward.get(&format!("/Encounter?identifier={SYSTEM}|V1"))["entry"][0]["resource"].clone();
    assert_eq!(number(&survivor, "V9")["use"], "old");
    assert_eq!(ward.count(&format!("/Observation?encounter=Encounter/{}", id(&survivor))), 1);
    assert_eq!(ward.count(&format!("/Encounter?identifier={SYSTEM}|V9&status=entered-in-error")), 1);
}

#[test]
fn a43_moves_a_number_with_its_data_from_one_owner_to_another() {
    let mut ward = Ward::open();
    ward.register("H0001234", "李^芳", &format!("~E77^^^{OWNER}^PI"));
    ward.register("H0007777", "陈^静", &format!("~E99^^^{OWNER}^PI"));
    ward.register("H0008888", "陈^静", "");
    ward.result("H0008888", "F1", "V8");
    ward.case("adt-a24-link-of-the-wrong-owner");
    assert_eq!(ward.results_of("E99"), 1, "the number was filed under the wrong owner");
    ward.case("adt-a43-move-between-owners");
    assert_eq!((ward.results_of("E99"), ward.results_of("E77")), (0, 1), "the data went with the number");
    let moved = ward.record("H0008888");
    assert!(moved["active"] != false, "a move is no merge");
    assert_eq!(links(&moved, "seealso"), [format!("Patient/{}", id(&ward.record("H0001234")))]);
}

#[test]
fn a43_to_another_number_keeps_the_old_one_findable() {
    let mut ward = Ward::open();
    ward.register("H0001234", "王^秀英", "");
    ward.register("H0008888", "王^秀英", "");
    ward.result("H0008888", "F1", "V8");
    ward.case("adt-a43-move-to-another-number");
    assert_eq!((ward.results_of("H0001234"), ward.results_of("H0008888")), (1, 1));
    let target = ward.get(&format!("/Patient?identifier={SYSTEM}|H0008888"));
    assert_eq!(id(&target["entry"][0]["resource"]), id(&ward.record("H0001234")), "the number is the target's");
}

#[test]
fn a44_moves_an_account_with_its_visits_and_results() {
    let mut ward = Ward::open();
    ward.register("H0001234", "王^秀英", "");
    ward.say("ADT^A01^ADT_A01", &visit("H0008888", "V1", "Z1"));
    ward.result("H0008888", "F1", "V1");
    assert_eq!((ward.results_of("H0001234"), ward.results_of("H0008888")), (0, 1));
    ward.case("adt-a44-account-moved");
    assert_eq!((ward.results_of("H0001234"), ward.results_of("H0008888")), (1, 0));
    assert!(ward.record("H0008888")["active"] != false, "the wrong patient stays a patient");
}

#[test]
fn a45_moves_a_visit_with_its_results_and_leaves_the_others() {
    let mut ward = Ward::open();
    ward.register("H0001234", "王^秀英", "");
    ward.say("ADT^A01^ADT_A01", &visit("H0008888", "V1", "Z1"));
    ward.result("H0008888", "F1", "V1");
    ward.result("H0008888", "F2", "V2");
    ward.case("adt-a45-visit-moved");
    assert_eq!((ward.results_of("H0001234"), ward.results_of("H0008888")), (1, 1));
}

#[test]
fn a46_and_a47_close_the_old_number_and_keep_it() {
    let mut ward = Ward::open();
    ward.register("H0001234", "王^秀英", &format!("~E99^^^{OWNER}^PI"));
    ward.case("adt-a46-external-id-changed");
    let changed = ward.record("H0001234");
    assert_eq!(number(&changed, "E99")["use"], "old");
    assert_eq!(number(&changed, "E99")["period"]["end"], "2026-03-15T09:00:00+08:00");
    assert!(links(&changed, "replaces").is_empty(), "only a number changed");

    let mut ward = Ward::open();
    ward.register("H0008888", "王^秀英", "");
    ward.result("H0008888", "F1", "V8");
    ward.case("adt-a47-number-changed");
    let now = ward.record("H0001234");
    assert_eq!(number(&now, "H0008888")["use"], "old");
    assert_eq!((ward.results_of("H0001234"), ward.results_of("H0008888")), (1, 1), "one person, one chart");
}

#[test]
fn a49_a50_and_a51_change_the_numbers_of_accounts_and_visits_only() {
    let mut ward = Ward::open();
    ward.say("ADT^A01^ADT_A01", &visit("H0001234", "V9", "Z9"));
    ward.result("H0001234", "F1", "V9");
    ward.case("adt-a49-account-number-changed");
    let account = ward.get(&format!("/Account?identifier={SYSTEM}|Z1"))["entry"][0]["resource"].clone();
    assert_eq!(number(&account, "Z9")["use"], "old");
    ward.case("adt-a50-visit-number-changed");
    let visit = ward.get(&format!("/Encounter?identifier={SYSTEM}|V1"))["entry"][0]["resource"].clone();
    assert_eq!(number(&visit, "V9")["use"], "old");
    assert_eq!(visit["period"]["start"], "2026-03-01T08:00:00+08:00", "what was known of the visit goes along");
    assert_eq!(ward.count(&format!("/Observation?encounter=Encounter/{}", id(&visit))), 1);
    ward.case("adt-a51-alternate-visit-id-changed");
    let visit = ward.get(&format!("/Encounter?identifier={SYSTEM}|W1"))["entry"][0]["resource"].clone();
    assert_eq!(number(&visit, "W9")["use"], "old");
    assert!(ward.record("H0001234")["link"].is_null(), "no person is touched");
}

#[test]
fn a23_and_a29_mark_and_delete_nothing_and_a_person_is_asked() {
    let mut ward = Ward::open();
    ward.say("ADT^A01^ADT_A01", &visit("H0001234", "V1", "Z1"));
    ward.case("adt-a23-visit-deleted");
    assert_eq!(ward.count(&format!("/Encounter?identifier={SYSTEM}|V1&status=entered-in-error")), 1);
    ward.case("adt-a29-person-deleted");
    assert_eq!(ward.record("H0001234")["active"], false);
    let tasks = ward.get("/Task?code=identity-review");
    assert_eq!(tasks["entry"][0]["resource"]["reasonCode"]["coding"][0]["code"], "deleted-at-source");
}

#[test]
fn a_merge_that_comes_before_the_registration_waits_as_a_stub_and_holds_when_it_comes() {
    let mut ward = Ward::open();
    ward.case("adt-a40-merge");
    let stub = ward.record("H0008888");
    assert_eq!((stub["active"].clone(), stub["name"].clone()), (Value::Bool(false), Value::Null));
    ward.register("H0008888", "王^秀英", "");
    ward.result("H0008888", "F1", "V8");
    let registered = ward.record("H0008888");
    assert_eq!((id(&registered), registered["active"].clone()), (id(&stub), Value::Bool(false)));
    assert_eq!(links(&registered, "replaced-by").len(), 1);
    assert_eq!(ward.results_of("H0001234"), 1);
}

#[test]
fn a_chain_of_merges_leads_to_its_end_and_a_circle_ends_with_the_latest_event_and_a_question() {
    let mut ward = Ward::open();
    let merge = |ward: &mut Ward, survivor: &str, retired: &str| {
        let text = format!("PID|1||{survivor}^^^{OWNER}^MR||王^秀英\rMRG|{retired}^^^{OWNER}^MR\r");
        ward.say("ADT^A40^ADT_A39", &text);
    };
    ward.result("A", "F1", "V1");
    merge(&mut ward, "B", "A");
    merge(&mut ward, "C", "B");
    for way in ["A", "B", "C"] {
        assert_eq!(ward.results_of(way), 1, "{way}");
        let found = ward.get(&format!("/Patient?identifier={SYSTEM}|{way}"));
        assert_eq!(id(&found["entry"][0]["resource"]), id(&ward.record("C")), "the end of the chain answers for {way}");
    }
    merge(&mut ward, "A", "C");
    let lead = ward.get(&format!("/Patient?identifier={SYSTEM}|B"));
    assert_eq!((lead["total"].clone(), id(&lead["entry"][0]["resource"])), (1.into(), id(&ward.record("A"))));
    assert_eq!(ward.results_of("B"), 1);
    assert_eq!(ward.count("/Task?code=identity-review"), 1, "somebody looks at the circle");
}

#[test]
fn a_merge_that_something_speaks_against_is_kept_answered_with_a_warning_and_not_applied() {
    let mut ward = Ward::open();
    let with_number = |number: &str| format!("~{number}^^^2.16.156.10011.1.3&2.16.156.10011.1.3&ISO^NNCHN");
    ward.register("H0001234", "王^秀英", &with_number("860101196203180021"));
    ward.register("H0008888", "李^芳", &with_number("860101196203180689"));
    let ack = ward.case("adt-a40-merge");
    let warning = ack.split('\r').find(|line| line.starts_with("ERR|")).unwrap_or_else(|| panic!("{ack}"));
    assert_eq!(warning.split('|').nth(4), Some("W"), "{ack}");
    let (one, other) = (ward.record("H0001234"), ward.record("H0008888"));
    assert!(one["link"].is_null() && other["link"].is_null() && other["active"] != false);
    let tasks = ward.get("/Task?code=identity-review");
    let kinds = tasks["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["resource"]["reasonCode"]["coding"][0]["code"].as_str().unwrap().to_owned());
    assert!(kinds.collect::<Vec<_>>().contains(&"veto-conflict".to_owned()), "{tasks}");
    ward.result("H0008888", "F1", "V8");
    assert_eq!((ward.results_of("H0001234"), ward.results_of("H0008888")), (0, 1), "both go on by themselves");
}

#[test]
fn somebody_without_a_name_is_identified_by_a_merge() {
    let mut ward = Ward::open();
    ward.register("H0001234", "王^秀英", "");
    ward.register("H0008888", "无名氏2026111801", "");
    ward.result("H0008888", "F1", "V8");
    ward.case("adt-a40-merge");
    assert_eq!(ward.results_of("H0001234"), 1, "the images of the night are in the chart");
    assert_eq!(ward.record("H0008888")["active"], false);
}

/// An admission.
fn visit(number: &str, visit: &str, account: &str) -> String {
    format!(
        "PID|1||{number}^^^{OWNER}^MR||王^秀英||19620318|F||||||||||{account}^^^{OWNER}^AN\r\
         PV1|1|I|||||||||||||||||{visit}^^^{OWNER}^VN|||||||||||||||||||||||||20260301080000+0800\r"
    )
}
