//! Messages and what they become, as files: adding a case is adding a folder below `fixtures/hl7v2`. `BLESS=1` rewrites what is expected.

use std::fs;
use std::path::{Path, PathBuf};

use dukou_fhir::{Language, OperationOutcome, Value, json};
use dukou_mapping::Program;
use dukou_wire::{Limits, Site, er7};

fn program(overlays: &[&str]) -> Program {
    let overlays: Vec<String> = overlays.iter().map(|name| (*name).to_owned()).collect();
    dukou_gateway::built_in_program(&overlays).unwrap()
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/hl7v2");
    let mut cases: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|p| p.is_dir()).collect();
    cases.sort();
    cases
}

fn pretty(value: &Value<'_>) -> String {
    let mut text = Vec::new();
    json::print_pretty(value, &mut text);
    text.push(b'\n');
    String::from_utf8(text).unwrap()
}

/// The line where two texts part, for a message that fits a screen.
fn first_difference(expected: &str, found: &str) -> String {
    let differs = expected.lines().zip(found.lines()).position(|(a, b)| a != b);
    let line = differs.unwrap_or_else(|| expected.lines().count().min(found.lines().count()));
    let at = |text: &str| text.lines().nth(line).unwrap_or("(nothing)").to_owned();
    format!("line {}: expected {} found {}", line + 1, at(expected), at(found))
}

#[test]
fn every_case_becomes_what_its_folder_says() {
    let bless = std::env::var("BLESS").is_ok();
    let programs = [("", program(&[])), ("cn", program(&["cn"]))];
    let mut wrong = Vec::new();
    for case in cases() {
        let overlay = fs::read_to_string(case.join("overlay")).unwrap_or_default();
        let (_, program) = programs.iter().find(|(name, _)| *name == overlay.trim()).expect("an overlay of the house");
        let raw = fs::read(case.join("input.hl7")).unwrap();
        let (message, wire_issues) = er7::parse(&raw, &Limits::default(), &Site::default()).unwrap();
        assert_eq!(er7::print(&message), raw, "{}: printing gives the bytes back", case.display());
        let mapped = program.to_fhir(&message, &dukou_mapping::Site { id: "fixture", zone: "+08:00" });
        let a = &mapped.accounts;
        assert_eq!(
            a.leaves,
            a.emitted + a.complement + a.dropped + a.reported,
            "{}: every leaf is accounted for",
            case.display()
        );
        let issues: Vec<_> =
            wire_issues.iter().map(dukou_exchange::issues::of_wire).chain(mapped.issues.iter().cloned()).collect();
        let outcome = OperationOutcome { issues }.to_value(Language::English);
        for (name, found) in
            [("expected.bundle.json", pretty(&mapped.to_bundle())), ("expected.issues.json", pretty(&outcome))]
        {
            let file = case.join(name);
            let expected = fs::read_to_string(&file).unwrap_or_default();
            if bless {
                fs::write(&file, &found).unwrap();
            } else if expected != found {
                wrong.push(format!("{}: {}", file.display(), first_difference(&expected, &found)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_translation_is_the_same_every_time_and_its_resources_are_valid() {
    let (first, second) = (program(&["cn"]), program(&["cn"]));
    assert_eq!(first.hash(), second.hash());
    for case in cases() {
        let raw = fs::read(case.join("input.hl7")).unwrap();
        let (message, _) = er7::parse(&raw, &Limits::default(), &Site::default()).unwrap();
        let site = dukou_mapping::Site { id: "fixture", zone: "+08:00" };
        let (one, two) = (first.to_fhir(&message, &site), second.to_fhir(&message, &site));
        assert_eq!(pretty(&one.to_bundle()), pretty(&two.to_bundle()), "{}", case.display());
        for change in &one.changes {
            let resource = change.apply(None);
            let faults: Vec<String> =
                dukou_fhir::validate::validate(&resource, &dukou_fhir::validate::Options::default())
                    .into_iter()
                    .filter(|issue| issue.severity.is_error())
                    .map(|issue| format!("{:?} {}", issue.expression, issue.text.en))
                    .collect();
            assert!(faults.is_empty(), "{}: {}: {faults:?}", case.display(), change.key);
        }
    }
}

#[test]
fn every_example_beside_a_map_holds() {
    let failures: Vec<String> = program(&[]).run_tests().iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
