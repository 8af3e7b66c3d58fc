//! Messages and documents and what they become, as files: adding a case is adding a folder below `fixtures/hl7v2`, `cn-xml`, `cn-json`,
//! `delimited` or `cda`. `BLESS=1` rewrites what is expected.

use std::fs;
use std::path::{Path, PathBuf};

use dukou_fhir::{Language, OperationOutcome, Value, json};
use dukou_mapping::{Accounts, LeafClass, Named, Outbound, Program, Told};
use dukou_wire::{Format, Issue, Limits, Message, Site, delimited, er7, json as wire_json, xml};

fn program(overlays: &[&str]) -> Program {
    let overlays: Vec<String> = overlays.iter().map(|name| (*name).to_owned()).collect();
    dukou_gateway::built_in_program(&overlays).unwrap()
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    let folders = ["hl7v2", "cn-xml", "cn-json", "delimited", "cda"].map(|name| folder.join(name));
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    cases.sort();
    cases
}

/// The bytes of a case: the one file in its folder that is called `input`.
fn input(case: &Path) -> Vec<u8> {
    let mut files = fs::read_dir(case).unwrap().map(|entry| entry.unwrap().path());
    let file = files.find(|path| path.file_stem().is_some_and(|stem| stem == "input"));
    fs::read(file.unwrap_or_else(|| panic!("{} has no input", case.display()))).unwrap()
}

fn opened<'a>(program: &Program, raw: &'a [u8]) -> (Message<'a>, Vec<Issue>) {
    program.open(raw, &Limits::default(), &Site::default()).unwrap()
}

fn printed(message: &Message<'_>) -> Vec<u8> {
    match message.format() {
        Format::Er7 => er7::print(message),
        Format::Xml => xml::print(message),
        Format::Json => wire_json::print(message),
        Format::Delimited => delimited::print(message),
    }
}

/// The account of a document, its reported leaves by name.
fn account(accounts: &Accounts, program: &Program, message: &Message<'_>) -> String {
    let reported = accounts.lines(program, message).filter(|line| line.class == LeafClass::Reported);
    let reported: Vec<String> = reported.map(|line| line.path.to_string()).collect();
    let sums = serde_json::json!({
        "leaves": accounts.leaves, "emitted": accounts.emitted, "complement": accounts.complement,
        "dropped": accounts.dropped, "reported": reported,
    });
    format!("{}\n", serde_json::to_string_pretty(&sums).unwrap())
}

/// What a message decides about identity.
fn told(decisions: &[Told]) -> String {
    let named = |named: &Named| serde_json::json!({"key": named.key.to_string(), "system": named.system, "value": named.value, "kind": named.kind});
    let line = |told: &Told| match told {
        Told::Merge { survivor, retired } => {
            serde_json::json!({"merge": {"survivor": survivor.to_string(), "retired": named(retired)}})
        }
        Told::Link { one, other } => serde_json::json!({"link": [one.to_string(), other.to_string()]}),
        Told::Unlink { one, other } => serde_json::json!({"unlink": [one.to_string(), other.to_string()]}),
        Told::Move { to, moved, from, owner } => serde_json::json!({"move": {
            "to": to.to_string(), "moved": named(moved), "from": from.as_ref().map(named), "owner": owner.as_ref().map(named),
        }}),
        Told::Change { of, old, new } => {
            serde_json::json!({"change": {"of": of.to_string(), "old": named(old), "new": new.as_ref().map(named)}})
        }
        Told::Delete { key } => serde_json::json!({"delete": key.to_string()}),
    };
    format!("{}\n", serde_json::to_string_pretty(&decisions.iter().map(line).collect::<Vec<_>>()).unwrap())
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
        let raw = input(&case);
        let (envelope, mut wire_issues) = opened(program, &raw);
        assert_eq!(printed(&envelope), raw, "{}: printing gives the bytes back", case.display());
        let inner = program.wrapped(&envelope, &Limits::default(), &Site::default());
        let message = inner.as_ref().map_or(&envelope, |(inner, _)| inner);
        wire_issues.extend(inner.iter().flat_map(|(_, found)| found.iter().cloned()));
        let mapped = program.to_fhir(message, &dukou_mapping::Site { id: "fixture", zone: "+08:00" });
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
        let mut expected =
            vec![("expected.bundle.json", pretty(&mapped.to_bundle())), ("expected.issues.json", pretty(&outcome))];
        if !mapped.facts.told.is_empty() {
            expected.push(("expected.told.json", told(&mapped.facts.told)));
        }
        if message.format() != Format::Er7 {
            expected.push(("expected.account.json", account(&mapped.accounts, program, message)));
        }
        for (name, found) in expected {
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
        let raw = input(&case);
        let (envelope, _) = opened(&first, &raw);
        let inner = first.wrapped(&envelope, &Limits::default(), &Site::default());
        let message = inner.as_ref().map_or(&envelope, |(inner, _)| inner);
        let site = dukou_mapping::Site { id: "fixture", zone: "+08:00" };
        let (one, two) = (first.to_fhir(message, &site), second.to_fhir(message, &site));
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

#[test]
fn a_document_whose_view_nobody_changed_comes_back_byte_for_byte() {
    let program = program(&[]);
    let site = dukou_mapping::Site { id: "fixture", zone: "+08:00" };
    for case in cases().into_iter().filter(|case| !case.parent().is_some_and(|kind| kind.ends_with("hl7v2"))) {
        let raw = input(&case);
        let (envelope, _) = opened(&program, &raw);
        let inner = program.wrapped(&envelope, &Limits::default(), &Site::default());
        let message = inner.as_ref().map_or(&envelope, |(inner, _)| inner);
        let mapped = program.to_fhir(message, &site);
        let bundle = mapped.to_bundle();
        let outbound = Outbound { profile: "", control_id: "1", time: "20261206103000", charset: "" };
        let written = program.from_fhir(&bundle, &outbound, Some(message), &site).unwrap();
        assert!(written.bytes == raw, "{}: {}", case.display(), String::from_utf8_lossy(&written.bytes));
    }
}

#[test]
fn a_partner_gets_its_own_format_made_from_fhir_alone() {
    let bless = std::env::var("BLESS").is_ok();
    let program = program(&[]);
    let site = dukou_mapping::Site { id: "fixture", zone: "+08:00" };
    for case in cases() {
        let Ok(profile) = fs::read_to_string(case.join("create")) else { continue };
        let raw = input(&case);
        let (message, _) = opened(&program, &raw);
        let mapped = program.to_fhir(&message, &site);
        let outbound = Outbound { profile: profile.trim(), control_id: "", time: "", charset: "" };
        let written = program.from_fhir(&mapped.to_bundle(), &outbound, None, &site).unwrap();
        let file = case.join("expected.created");
        if bless {
            fs::write(&file, &written.bytes).unwrap();
        }
        let expected = fs::read(&file).unwrap_or_default();
        assert!(expected == written.bytes, "{}: {}", case.display(), String::from_utf8_lossy(&written.bytes));
    }
}
