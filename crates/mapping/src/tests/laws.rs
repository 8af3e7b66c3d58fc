//! The laws of translation both ways, over messages as they are made up and as hospitals send them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use dukou_fhir::{Value, json};
use dukou_wire::{Limits, Message, er7};
use proptest::prelude::*;

use super::properties::{PROGRAM, changed, changes};
use super::{SITE, files_below};
use crate::{FromFhirError, Outbound, Program, SourceFile, load};

/// The maps that are shipped, without overlays.
static SHIPPED: LazyLock<Program> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../mappings");
    let base = |name: &str| name.ends_with(".fmap.yaml") && !name.starts_with("overlay/");
    let all = files_below(&root).into_iter().map(|(name, text)| SourceFile { name, text });
    let (maps, others): (Vec<SourceFile>, Vec<SourceFile>) = all.partition(|file| base(&file.name));
    let codes: Vec<SourceFile> = others.into_iter().filter(|file| file.name.starts_with("codes/")).collect();
    load(&maps, &codes).unwrap_or_else(|found| panic!("{}", found[0]))
});

fn parse(bytes: &[u8]) -> Option<Message<'_>> {
    er7::parse(bytes, &Limits::default(), &dukou_wire::Site::default()).ok().map(|(message, _)| message)
}

fn nothing() -> Outbound<'static> {
    Outbound { profile: "", control_id: "", time: "", charset: "" }
}

/// The view of a message, on its own.
fn view(program: &Program, message: &Message<'_>) -> Value<'static> {
    program.to_fhir(message, &SITE).to_bundle().into_static()
}

fn put(program: &Program, view: &Value<'_>, message: &Message<'_>) -> Vec<u8> {
    program.from_fhir(view, &nothing(), Some(message), &SITE).unwrap().bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn an_unchanged_view_gives_back_the_message_byte_for_byte(changes in changes()) {
        let text = changed(changes);
        let Some(message) = parse(text.as_bytes()) else { return Ok(()) };
        let bytes = put(&PROGRAM, &view(&PROGRAM, &message), &message);
        prop_assert_eq!(String::from_utf8_lossy(&bytes), text);
    }
}

fn below(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path().is_dir() {
            true => below(&entry.path(), ending, found),
            false if entry.path().to_string_lossy().ends_with(ending) => found.push(entry.path()),
            false => {}
        }
    }
    found.sort();
}

#[test]
fn every_message_of_fixtures_and_corpus_comes_back_byte_for_byte() {
    let mut files = fixtures();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/hl7v2");
    below(&corpus, ".hl7", &mut files);
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let Some(message) = parse(&bytes) else { continue };
        assert!(put(&SHIPPED, &view(&SHIPPED, &message), &message) == bytes, "{} differs", file.display());
    }
}

fn fixtures() -> Vec<PathBuf> {
    let mut files = Vec::new();
    below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/hl7v2"), "input.hl7", &mut files);
    files
}

/// The value at a path such as `name[0].family`, to be changed; its parent and the last step.
fn parent<'x>(value: &'x mut Value<'static>, path: &'x str) -> Option<(&'x mut Value<'static>, &'x str)> {
    let (mut at, mut rest) = (value, path);
    while let Some((step, below)) = rest.split_once('.') {
        let (name, index) = step.split_once('[').unwrap_or((step, ""));
        at = at.get_mut(name)?;
        if let Some(index) = index.strip_suffix(']') {
            at = at.as_array_mut()?.get_mut(index.parse::<usize>().ok()?)?;
        }
        rest = below;
    }
    Some((at, rest))
}

/// Replaces the value at a path, or takes it away; false where there is none.
fn edit(resource: &mut Value<'static>, path: &str, new: Option<&Value<'static>>) -> bool {
    let Some((parent, last)) = parent(resource, path) else { return false };
    let (name, index) = last.split_once('[').unwrap_or((last, ""));
    let Some(object) = parent.as_object_mut().filter(|object| object.contains(name)) else { return false };
    let Some(index) = index.strip_suffix(']') else {
        match new {
            Some(new) => object.insert(name.to_owned(), new.clone()),
            None => object.remove(name),
        };
        return true;
    };
    let index: usize = index.parse().unwrap();
    let Some(items) = object.get_mut(name).and_then(Value::as_array_mut).filter(|items| index < items.len()) else {
        return false;
    };
    match new {
        Some(new) => items[index] = new.clone(),
        None => {
            items.remove(index);
        }
    }
    if items.is_empty() {
        object.remove(name);
    }
    true
}

/// Elements that a user of the FHIR side changes, and what they become; `-` takes them away. None of them is a part of
/// an id or repeated in another element.
const EDITS: &str = "\
Patient.birthDate -|Patient.name[0].family \"Neu\"|Patient.name[0].given[0] \"Vor\"|Patient.telecom[1] -
Patient.address[0].city \"Stadt\"|Patient.address[0] -|Patient.maritalStatus -|Patient.identifier[1] -
Patient.deceasedBoolean true|Patient.communication[0] -
Encounter.period.start \"2020-02-02T02:02:02+01:00\"|Encounter.period.end -|Encounter.class.code \"EMER\"
Encounter.hospitalization.dischargeDisposition -|Encounter.participant[0] -|Encounter.serviceType -
Observation.valueQuantity.value 7.70|Observation.valueString \"eins\\nzwei\"|Observation.status \"corrected\"
Observation.valueQuantity.unit \"kg\"|Observation.note[0] -|Observation.interpretation[0] -|Observation.method -
DiagnosticReport.issued \"2021-03-04T05:06:07+00:00\"|DiagnosticReport.code.text \"Bericht\"
ServiceRequest.reasonCode[0] -|Specimen.receivedTime \"2021-03-04T05:06:07+00:00\"
AllergyIntolerance.onsetDateTime -|Condition.onsetDateTime \"2020-01-01\"|Coverage.period.end -
RelatedPerson.birthDate \"2001-01-01\"";

#[test]
fn a_changed_view_is_what_the_changed_message_says() {
    let (mut tried, mut failed) = (0, Vec::new());
    for file in fixtures() {
        let bytes = fs::read(&file).unwrap();
        let Some(message) = parse(&bytes) else { continue };
        let before = view(&SHIPPED, &message);
        for line in EDITS.split(['\n', '|']) {
            let (place, new) = line.split_once(' ').unwrap();
            let (kind, path) = place.split_once('.').unwrap();
            let new =
                (new != "-").then(|| json::parse(new.as_bytes(), &json::Limits::default()).unwrap().into_static());
            let mut after = before.clone();
            let entries = after.get_mut("entry").and_then(Value::as_array_mut).unwrap();
            let mut resources = entries.iter_mut().filter_map(|entry| entry.get_mut("resource"));
            let Some(wanted) = resources.find_map(|one| {
                (one.resource_type() == Some(kind) && edit(one, path, new.as_ref())).then(|| one.clone())
            }) else {
                continue;
            };
            tried += 1;
            let changed = put(&SHIPPED, &after, &message);
            let changed = parse(&changed).unwrap();
            let mapped = SHIPPED.to_fhir(&changed, &SITE);
            let found = mapped.changes.iter().find(|change| Some(change.key.id.as_str()) == wanted.text_at("id"));
            if found.map(|change| change.apply(None)) != Some(wanted) {
                failed.push(format!("{} {place}", file.parent().unwrap().file_name().unwrap().display()));
            }
        }
    }
    assert!(tried > 250, "only {tried} changes were tried");
    // Each of these says one thing twice, and the change leaves the other saying the old.
    assert!(failed.len() * 50 <= tried, "{} of {tried}: {failed:?}", failed.len());
}

/// Leaves of a view without ids and references, by their place.
fn leaves(view: &Value<'_>) -> Vec<String> {
    fn walk(value: &Value<'_>, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                for (name, value) in
                    object.iter().filter(|(name, _)| !matches!(*name, "id" | "reference" | "resourceType"))
                {
                    walk(value, &format!("{path}.{name}"), found);
                }
            }
            Value::Array(items) => {
                (0..).zip(items).for_each(|(at, item): (usize, _)| walk(item, &format!("{path}[{at}]"), found));
            }
            leaf => found.push(format!("{path}={leaf:?}")),
        }
    }
    let mut found = Vec::new();
    let resources = view.list_at("entry").iter().filter_map(|entry| entry.get("resource"));
    // The provenance tells of the program itself.
    for resource in resources.filter(|resource| resource.resource_type() != Some("Provenance")) {
        walk(resource, resource.resource_type().unwrap_or(""), &mut found);
    }
    found.sort();
    found
}

#[test]
fn a_message_made_of_a_view_says_what_the_view_said() {
    let (mut all, mut back) = (0, 0);
    for file in fixtures() {
        let bytes = fs::read(&file).unwrap();
        let Some(message) = parse(&bytes) else { continue };
        let header = message.header();
        let profile = format!("{}-{}", header.message_code(), header.trigger()).to_ascii_lowercase();
        let before = view(&SHIPPED, &message);
        let outbound = Outbound { profile: &profile, ..nothing() };
        let Ok(written) = SHIPPED.from_fhir(&before, &outbound, None, &SITE) else { continue };
        let sums = &written.accounts;
        assert_eq!(sums.leaves, sums.written + sums.explained + sums.reported);
        let made = parse(&written.bytes).unwrap();
        let after = leaves(&view(&SHIPPED, &made));
        for leaf in leaves(&before) {
            all += 1;
            back += usize::from(after.binary_search(&leaf).is_ok());
        }
    }
    println!("{back} of {all} leaves come back");
    assert!(back * 100 >= all * 90, "only {back} of {all} leaves come back");
}

const REPORT: &str = "MSH|^~\\&|LIS|H|||20260312101500+0800||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||7^^^H^MR||Li^Wei||19900307|M|||a~b\r\
    ZPI|1|keep\rOBR|1||F1^LIS|CBC^Blood^L|||20260312085500+0800|||||||||||||||||F\r\
    OBX|1|NM|WBC^White^L||11.80|g/L|3-9|H|||F\rNTE|1||note\rOBX|2|ST|COL^Colour^L||red||||||F\r";

/// The report with a changed view, as text.
fn report_after(change: impl Fn(&mut Vec<Value<'static>>)) -> String {
    let message = parse(REPORT.as_bytes()).unwrap();
    let mut view = view(&SHIPPED, &message);
    change(view.get_mut("entry").and_then(Value::as_array_mut).unwrap());
    String::from_utf8(put(&SHIPPED, &view, &message)).unwrap()
}

fn resource<'e>(entries: &'e mut [Value<'static>], kind: &str, nth: usize) -> &'e mut Value<'static> {
    let all = entries.iter_mut().filter_map(|entry| entry.get_mut("resource"));
    all.filter(|resource| resource.resource_type() == Some(kind)).nth(nth).unwrap()
}

#[test]
fn only_what_changed_is_written() {
    let seven = json::parse(b"7.0", &json::Limits::default()).unwrap().into_static();
    let changed = report_after(|entries| {
        assert!(edit(resource(entries, "Observation", 0), "valueQuantity.value", Some(&seven)));
    });
    assert_eq!(changed, REPORT.replace("11.80", "7.0"));
}

#[test]
fn what_is_taken_away_becomes_null_and_items_go() {
    let changed = report_after(|entries| {
        assert!(edit(resource(entries, "Patient", 0), "birthDate", None));
        assert!(edit(resource(entries, "Patient", 0), "address[0]", None));
    });
    assert_eq!(changed, REPORT.replace("19900307", "\"\"").replace("|a~b", "|b"));
}

#[test]
fn a_resource_that_goes_takes_its_segments_along() {
    let changed = report_after(|entries| {
        let gone = resource(entries, "Observation", 0).text_at("id").unwrap().to_owned();
        entries.retain(|entry| entry.text_at("resource.id") != Some(&gone));
    });
    let expected: String =
        REPORT.split_inclusive('\r').filter(|line| !line.starts_with("OBX|1") && !line.starts_with("NTE")).collect();
    assert_eq!(changed, expected);
}

#[test]
fn a_new_resource_becomes_a_new_segment_where_it_belongs() {
    let new = br#"{"resource": {"resourceType": "Observation", "id": "new", "status": "final",
        "code": {"text": "Smell"}, "valueString": "none"}}"#;
    let new = json::parse(new, &json::Limits::default()).unwrap().into_static();
    let changed = report_after(|entries| {
        let report = resource(entries, "DiagnosticReport", 0);
        let results = report.get_mut("result").and_then(Value::as_array_mut).unwrap();
        results.push(Value::Object(dukou_fhir::Object::new().with("reference", "Observation/new")));
        entries.push(new.clone());
    });
    assert_eq!(changed, format!("{REPORT}OBX|3|ST|^Smell||none||||||F\r"));
}

#[test]
fn what_cannot_be_made_is_told_by_name() {
    let message = parse(REPORT.as_bytes()).unwrap();
    let view = view(&SHIPPED, &message);
    let wrong = SHIPPED.from_fhir(&view, &Outbound { profile: "oru-r99", ..nothing() }, None, &SITE);
    assert!(matches!(wrong, Err(FromFhirError::Profile { known, .. }) if known.contains("oru-r01")));
    let text = REPORT.replace("Li^Wei", "䶮^Wei");
    let message = parse(text.as_bytes()).unwrap();
    let view = super::laws::view(&SHIPPED, &message);
    let latin = Outbound { profile: "oru-r01", charset: "8859/1", ..nothing() };
    let refused = SHIPPED.from_fhir(&view, &latin, None, &SITE);
    assert!(
        matches!(&refused, Err(FromFhirError::Unencodable { path, .. }) if path.starts_with("PID-5")),
        "{refused:?}"
    );
}

#[test]
fn a_receiver_gets_no_longer_texts_than_it_takes_and_that_is_told() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../mappings");
    let all = files_below(&root).into_iter().map(|(name, text)| SourceFile { name, text });
    let all: Vec<SourceFile> = all.filter(|file| !file.name.starts_with("overlay/")).collect();
    let mut maps: Vec<SourceFile> = all.iter().filter(|file| file.name.ends_with(".fmap.yaml")).cloned().collect();
    let codes: Vec<SourceFile> = all.into_iter().filter(|file| file.name.starts_with("codes/")).collect();
    let text = "overlay: adt-patient\nlimits: {PID-5.1: 1 cut, PID-5.2: 2}\n";
    maps.push(SourceFile { name: "overlay/site/a01/patient.fmap.yaml".into(), text: text.into() });
    let program = load(&maps, &codes).unwrap();
    let message = parse(REPORT.as_bytes()).unwrap();
    let outbound = Outbound { profile: "oru-r01", ..nothing() };
    let written = program.from_fhir(&view(&program, &message), &outbound, None, &SITE).unwrap();
    let written_text = String::from_utf8(written.bytes).unwrap();
    let person = written_text.split('\r').find(|line| line.starts_with("PID")).unwrap();
    assert_eq!(person.split('|').nth(5).unwrap().trim_end_matches('^').split('^').next(), Some("L"), "{person}");
    assert!(!person.contains("Wei"), "{person}");
    let told: Vec<&str> = written.issues.iter().map(|issue| issue.code).collect();
    assert!(told.contains(&"too-long-cut") && told.contains(&"too-long"), "{told:?}");
}

/// What a message says once it was made anew of its view alone: the named field of every segment of a kind.
fn made_anew(text: &str, segment: &str, field: usize) -> Vec<String> {
    let message = parse(text.as_bytes()).unwrap();
    let outbound = Outbound { profile: "oru-r01", ..nothing() };
    let written = SHIPPED.from_fhir(&view(&SHIPPED, &message), &outbound, None, &SITE).unwrap();
    let text = String::from_utf8(written.bytes).unwrap();
    let lines = text.split('\r').filter(|line| line.starts_with(segment));
    lines.map(|line| line.split('|').nth(field).unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_performer_goes_back_to_the_field_of_its_kind() {
    let result = "OBX|1|NM|WBC^White^L||11.80|g/L|3-9|H|||F|||20260312|99000001^Central^CLIA|D7^Li^Wei|||||||Lab A^L^^^^CLIA^XX^^^A1";
    let text = REPORT.replace("OBX|1|NM|WBC^White^L||11.80|g/L|3-9|H|||F", result);
    assert_eq!(made_anew(&text, "OBX|1", 15), ["99000001^Central^CLIA"]);
    assert_eq!(made_anew(&text, "OBX|1", 16), ["D7^Li^Wei"]);
    assert_eq!(made_anew(&text, "OBX|1", 23), ["Lab A^L^^^^CLIA^XX^^^A1"]);
}

#[test]
fn a_specimen_of_several_reports_stands_below_each_of_them() {
    let specimen = "SPM|1|S1&LIS||BLD^Blood^L\r";
    let second =
        "OBR|2||F2^LIS|GLU^Sugar^L|||20260312085500+0800|||||||||||||||||F\rOBX|1|ST|GLU^Sugar^L||high||||||F\r";
    let text = format!("{REPORT}{specimen}{second}{specimen}");
    assert_eq!(made_anew(&text, "SPM", 2), ["S1&LIS", "S1&LIS"]);
    assert_eq!(made_anew(&text, "SPM", 4), ["BLD^Blood^L", "BLD^Blood^L"]);
}

#[test]
fn the_words_beside_a_display_go_back_as_the_original_text() {
    let concept = "BLD^Blood^L^^^^^^whole blood, frozen";
    let text = format!("{REPORT}SPM|1|S1&LIS||{concept}\r");
    assert_eq!(made_anew(&text, "SPM", 4), [concept]);
    assert_eq!(made_anew(&REPORT.replace("CBC^Blood^L", "^Blood"), "OBR", 4), ["^Blood"]);
}

#[test]
fn the_address_of_a_laboratory_needs_no_use() {
    let lab = br#"{"resourceType": "Bundle", "type": "collection", "entry": [
        {"resource": {"resourceType": "Organization", "id": "lab", "name": "Lab A", "address": [{"city": "X", "country": "CHN"}]}},
        {"resource": {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "Smell"},
            "valueString": "none", "performer": [{"reference": "Organization/lab"}]}}]}"#;
    let lab = json::parse(lab, &json::Limits::default()).unwrap();
    let outbound = Outbound { profile: "oru-r01", ..nothing() };
    let text = String::from_utf8(SHIPPED.from_fhir(&lab, &outbound, None, &SITE).unwrap().bytes).unwrap();
    assert!(text.contains("|Lab A|^^X^^^CHN"), "{text}");
}
