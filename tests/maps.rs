//! `dukou map` as people and scripts call it: exit codes, JSON, exports, and no values of patients unless they are asked for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dukou_fhir::{json, validate};
use dukou_terminology::Table;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs `dukou map` at the root of the house.
fn map(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dukou-node")).arg("map").args(arguments).current_dir(root()).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

#[test]
fn the_maps_of_the_house_hold_with_every_case_and_every_law() {
    let tested = map(&["test", "mappings", "--fixtures", "fixtures", "--json"]);
    let found = parsed(&tested);
    assert_eq!((tested.status.code(), found["failed"].as_u64()), (Some(0), Some(0)), "{found}");
    assert!(found["examples"].as_u64().unwrap() > 5 && found["cases"].as_u64().unwrap() > 40, "{found}");
}

#[test]
fn a_check_says_by_its_exit_code_what_it_found() {
    let fine = map(&["check", "mappings", "--json"]);
    assert_eq!(fine.status.code(), Some(0), "{}", text(&fine));
    let found = parsed(&fine);
    assert!(found["sets"].as_array().unwrap().iter().all(|set| set["errors"] == 0));
    let faulty = map(&["check", "fixtures/maps/E-TARGET/rules", "--json"]);
    assert_eq!(faulty.status.code(), Some(1));
    let first = &parsed(&faulty)["findings"][0];
    assert_eq!((first["code"].as_str(), first["line"].as_u64()), (Some("E-TARGET"), Some(8)), "{first}");
    assert_eq!(map(&["check", "no-such-folder"]).status.code(), Some(2));
    assert_eq!(map(&["check", "mappings", "--overlay", "vendor/none"]).status.code(), Some(2));
    assert_eq!(map(&["explain", "PID-98", "--maps", "mappings"]).status.code(), Some(1));
}

#[test]
fn what_is_exported_is_valid_and_a_table_that_comes_back_is_equal() {
    let folder = tempfile::tempdir().unwrap();
    let exported = map(&["check", "mappings", "--export", folder.path().to_str().unwrap()]);
    assert_eq!(exported.status.code(), Some(0), "{}", text(&exported));
    let program = dukou_gateway::built_in_program(&[]).unwrap();
    let mut tables = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let resource = json::parse(&bytes, &json::Limits::default()).unwrap();
        let faults: Vec<String> = validate::validate(&resource, &validate::Options::default())
            .into_iter()
            .filter(|fault| fault.severity.is_error())
            .map(|fault| fault.text.en.to_string())
            .collect();
        assert!(faults.is_empty(), "{}: {faults:?}", path.display());
        if resource.resource_type() == Some("ConceptMap") {
            let table = Table::from_concept_map(&resource).unwrap();
            let known = program.tables().any(|(_, known)| *known == table);
            assert!(known, "{} comes back as another table", path.display());
            tables += 1;
        }
    }
    assert_eq!(tables, program.tables().count(), "every table is exported under a name of its own");
}

#[test]
fn values_of_a_message_are_shown_on_demand_only() {
    let input = "fixtures/hl7v2/adt-a01-admission/input.hl7";
    let message = String::from_utf8(fs::read(root().join(input)).unwrap()).unwrap();
    let person = message.split('\r').find(|line| line.starts_with("PID")).unwrap();
    let name = person.split('|').nth(5).unwrap().split('^').next().unwrap();
    for path in [
        &["explain", "--maps", "mappings", "--in", input][..],
        &["explain", "PID-5", "--maps", "mappings", "--in", input],
    ] {
        let masked = text(&map(path));
        assert!(masked.contains("PID-5") && masked.contains("***") && !masked.contains(name), "{masked}");
        let shown = text(&map(&[path, &["--show-values"]].concat()));
        assert!(shown.contains(name), "{shown}");
    }
    let traced = parsed(&map(&["explain", "Patient.gender", "--maps", "mappings", "--in", input, "--json"]));
    let step = &traced["trace"][0];
    assert_eq!(
        (step["source"].as_str(), step["class"].as_str(), step["value"].as_str()),
        (Some("PID-8.1.1"), Some("emitted"), Some("***")),
        "{traced}"
    );
}

#[test]
fn a_changed_rule_is_found_with_the_values_that_change_because_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").args(["-r", "mappings"]).arg(folder.path()).current_dir(root()).status().unwrap();
    assert!(copied.success());
    let other = folder.path().join("mappings");
    let other_name = other.to_str().unwrap();
    let input = "fixtures/hl7v2/adt-a01-admission/input.hl7";
    let same = map(&["diff", "mappings", other_name, "--in", input]);
    assert_eq!(same.status.code(), Some(0), "{}", text(&same));
    let file = other.join("hl7v2/adt-patient.fmap.yaml");
    let changed =
        fs::read_to_string(&file).unwrap().replace("<-> gender table sex", "<-> gender table sex if PID-7 empty");
    fs::write(&file, changed).unwrap();
    let differs = map(&["diff", "mappings", other_name, "--in", input, "--json"]);
    assert_eq!(differs.status.code(), Some(1), "{}", text(&differs));
    let found = parsed(&differs);
    assert_eq!(found["changes"].as_array().unwrap().len(), 1, "{found}");
    assert!(found["changes"][0]["what"].as_str().unwrap().contains("pid8"), "{found}");
    let outputs = found["outputs"].as_array().unwrap();
    assert!(
        outputs.iter().any(|one| one["path"].as_str().unwrap().ends_with(".gender")
            && one["old"] == "***"
            && one["new"].is_null()),
        "{found}"
    );
}
