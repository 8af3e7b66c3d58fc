use std::fs;

use super::{fixtures, sources};
use crate::compile;

/// All findings of a folder of faulty files, as they are shown.
fn findings(case: &str) -> String {
    let (maps, tables) = sources(&fixtures().join("faults").join(case));
    let found = compile(&maps, &tables).expect_err("the case should not compile");
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    shown.join("\n") + "\n"
}

fn cases() -> Vec<String> {
    let mut cases: Vec<String> = fs::read_dir(fixtures().join("faults"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    cases.sort();
    cases
}

#[test]
fn every_fault_is_told_with_its_place_and_a_hint() {
    let mut wrong = Vec::new();
    for case in cases() {
        let file = fixtures().join("faults").join(&case).join("expected.txt");
        let expected = fs::read_to_string(&file).unwrap_or_default();
        let found = findings(&case);
        if found != expected {
            wrong.push(format!("== {case}: expected\n{expected}== found\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_a_case() {
    let shown: String = cases().iter().map(|case| findings(case)).collect();
    for code in CODES {
        assert!(shown.contains(&format!("{code} ")), "{code}");
    }
}

#[test]
fn the_order_of_files_changes_nothing() {
    let (mut maps, tables) = sources(&fixtures().join("maps"));
    let one = compile(&maps, &tables).unwrap().hash();
    maps.reverse();
    assert_eq!(one, compile(&maps, &tables).unwrap().hash());
}

const CODES: [&str; 31] = [
    "E-YAML",
    "E-YAML-COLON",
    "E-YAML-TAB",
    "E-YAML-ANCHOR",
    "E-YAML-ALIAS",
    "E-YAML-TAG",
    "E-YAML-MERGE",
    "E-YAML-DUPLICATE",
    "E-YAML-DOCUMENTS",
    "E-YAML-FLOW",
    "E-HEAD",
    "E-RULE",
    "E-SOURCE",
    "E-TARGET",
    "E-TYPE",
    "E-CARD",
    "E-CHOICE",
    "E-REQUIRED",
    "E-BINDING",
    "E-TABLE",
    "E-TABLE-INVERSE",
    "E-OVERLAP",
    "E-NO-ELSE",
    "E-REF",
    "E-LENS",
    "E-LENS-CYCLE",
    "E-LENS-ONE-WAY",
    "E-OVERLAY-RULE",
    "W-NO-RULE",
    "W-REVERSE-ORDER",
    "W-DROP-EMIT",
];
