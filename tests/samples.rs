//! The payloads that Chinese systems really send, where they lie beside the repository: each gives the resources it should, every leaf is
//! accounted for, and its bytes come back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dukou_fhir::{Value, validate};
use dukou_wire::{Format, Limits, Site, delimited, er7, json, xml};

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples/cn");
    folder.is_dir().then_some(folder)
}

/// What a sample is made of, by resource type.
const SAMPLES: [(&str, &[(&str, usize)]); 7] = [
    ("01a_his_registration_soap_envelope.utf8.xml", REGISTRATION),
    ("01b_his_registration_inner.gb18030.xml", REGISTRATION),
    (
        "02_lis_result.gb18030.xml",
        &[("DiagnosticReport", 1), ("Observation", 8), ("Patient", 1), ("ServiceRequest", 1), ("Specimen", 1)],
    ),
    (
        "03_ris_exam_booking.utf8.xml",
        &[("Appointment", 1), ("ServiceRequest", 2), ("Patient", 1), ("Encounter", 1), ("Communication", 1)],
    ),
    ("03b_ris_booking_batch.gb18030.txt", &[("Appointment", 4)]),
    (
        "04_emr_discharge_summary_C0053.utf8.xml",
        &[("Composition", 1), ("DocumentReference", 1), ("Condition", 3), ("Procedure", 1), ("Encounter", 1)],
    ),
    ("06_yb_1101_card_capture.utf8.json", &[("Patient", 2), ("Coverage", 1)]),
];

const REGISTRATION: &[(&str, usize)] = &[
    ("Patient", 1),
    ("Encounter", 1),
    ("Coverage", 1),
    ("RelatedPerson", 1),
    ("Practitioner", 1),
    ("Organization", 2),
];

#[test]
fn every_sample_gives_its_resources_and_its_bytes_back() {
    let Some(folder) = folder() else { return println!("skipped: the samples are not here") };
    let program = dukou_gateway::built_in_program(&[]).unwrap();
    let (limits, site) = (Limits::default(), Site::default());
    for (name, expected) in SAMPLES {
        let raw = fs::read(folder.join(name)).unwrap();
        let (envelope, _) = program.open(&raw, &limits, &site).unwrap();
        let printed = match envelope.format() {
            Format::Er7 => er7::print(&envelope),
            Format::Xml => xml::print(&envelope),
            Format::Json => json::print(&envelope),
            Format::Delimited => delimited::print(&envelope),
        };
        assert_eq!(printed, raw, "{name}");
        assert_eq!(
            envelope.charset().encode(envelope.text()).unwrap(),
            unmarked(&raw),
            "{name}: its text leads back to its bytes"
        );
        let inner = program.wrapped(&envelope, &limits, &site);
        let message = inner.as_ref().map_or(&envelope, |(inner, _)| inner);
        let mapped = program.to_fhir(message, &dukou_mapping::Site { id: "samples", zone: "+08:00" });
        let a = &mapped.accounts;
        assert_eq!(a.leaves, a.emitted + a.complement + a.dropped + a.reported, "{name}");
        assert_eq!(a.reported, 0, "{name}: every leaf has a rule");
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        for change in &mapped.changes {
            *found.entry(change.key.kind.as_str()).or_default() += 1;
            let resource = change.apply(None);
            let faults = validate::validate(&resource, &validate::Options::default());
            assert!(!faults.iter().any(|fault| fault.severity.is_error()), "{name}: {}: {faults:?}", change.key);
        }
        for (kind, count) in expected {
            assert_eq!(found.get(kind), Some(count), "{name}: {kind} of {found:?}");
        }
    }
}

/// Without the byte order mark, which is no text.
fn unmarked(raw: &[u8]) -> &[u8] {
    raw.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(raw)
}

#[test]
fn what_a_laboratory_prints_becomes_what_a_clinician_reads() {
    let Some(folder) = folder() else { return println!("skipped: the samples are not here") };
    let program = dukou_gateway::built_in_program(&[]).unwrap();
    let raw = fs::read(folder.join("02_lis_result.gb18030.xml")).unwrap();
    let (message, _) = program.open(&raw, &Limits::default(), &Site::default()).unwrap();
    let mapped = program.to_fhir(&message, &dukou_mapping::Site { id: "samples", zone: "+08:00" });
    let observations: Vec<Value<'_>> =
        mapped.changes.iter().filter(|c| c.key.kind.as_str() == "Observation").map(|c| c.apply(None)).collect();
    let of = |code: &str| observations.iter().find(|o| o.text_at("code.coding[0].code") == Some(code)).unwrap();
    let number = |code: &str, path: &str| of(code).get(path).and_then(Value::as_number).map(str::to_owned);
    let flag = |code: &str| of(code).text_at("interpretation[0].coding[0].code").map(str::to_owned);
    assert_eq!(number("ALT", "valueQuantity.value").as_deref(), Some("45.2"));
    assert_eq!(of("ALT").text_at("code.text"), Some("丙氨酸氨基转移酶"), "the star is a mark, not a name");
    assert_eq!(number("ALT", "referenceRange[0].high.value").as_deref(), Some("40"));
    assert_eq!(of("ALT").text_at("extension[0].valueString"), Some("示范市HR"));
    assert_eq!(
        (flag("ALT").as_deref(), flag("CREA").as_deref(), flag("K").as_deref()),
        (Some("H"), Some("N"), Some("HH"))
    );
    assert_eq!(of("CREA").text_at("valueQuantity.code"), Some("umol/L"));
    assert_eq!(of("hsCRP").text_at("valueQuantity.comparator"), Some("<"));
    assert_eq!(of("HBsAg").text_at("valueCodeableConcept.coding[0].code"), Some("260385009"));
    assert_eq!(of("HEM").text_at("valueString"), Some("溶血,请重抽"));
}
