//! What the checker says of faulty files: one folder a case below `fixtures/maps/<code>`. `BLESS=1` rewrites what is expected.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{files_below, fixtures, paths_below, sources};
use crate::{Diagnostic, SourceFile, compile, load};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/maps")
}

/// All findings of a folder of faulty files, as they are shown.
fn findings(case: &Path) -> String {
    let (files, mut found) = read(case);
    let ending = |ending: &str| files.iter().filter(|file| file.name.ends_with(ending)).cloned().collect::<Vec<_>>();
    match load(&ending(".yaml"), &ending(".csv")) {
        Ok(program) => found.extend(program.warnings().iter().cloned()),
        Err(others) => found.extend(others),
    }
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    shown.join("\n") + "\n"
}

/// The files of a case, and what is wrong with their bytes.
fn read(case: &Path) -> (Vec<SourceFile>, Vec<Diagnostic>) {
    let (mut files, mut found) = (Vec::new(), Vec::new());
    for path in paths_below(case).iter().filter(|path| !path.ends_with("expected.txt")) {
        let name = path.strip_prefix(case).unwrap().to_string_lossy().into_owned();
        match SourceFile::read(&name, &fs::read(path).unwrap()) {
            Ok(file) => files.push(file),
            Err(fault) => found.push(fault),
        }
    }
    (files, found)
}

/// Every folder with an `expected.txt`, or whose files would get one.
fn cases() -> Vec<PathBuf> {
    let is_case = |folder: &Path| {
        fs::read_dir(folder).unwrap().any(|entry| {
            let name = entry.unwrap().file_name();
            matches!(name.to_str(), Some("expected.txt" | "input.fmap.yaml"))
        })
    };
    let mut ahead = vec![folder()];
    let mut found = Vec::new();
    while let Some(folder) = ahead.pop() {
        if is_case(&folder) {
            found.push(folder);
        } else {
            ahead.extend(fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()));
        }
    }
    found.sort();
    found
}

/// The codes that stand as literals in the sources of this crate, tests aside.
fn codes() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for (name, text) in files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let shipped = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or("");
        if name.starts_with("tests") {
            continue;
        }
        for literal in shipped.split('"').filter(|part| part.starts_with("E-") || part.starts_with("W-")) {
            if literal[2..].bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
                codes.insert(literal.to_owned());
            }
        }
    }
    // Said of a message, not of a map.
    codes.remove("E-ID-CLASH");
    codes
}

#[test]
#[allow(clippy::disallowed_methods, reason = "BLESS=1 rewrites what is expected")]
fn every_fault_is_told_with_its_place_and_a_hint() {
    let mut wrong = Vec::new();
    for case in cases() {
        let file = case.join("expected.txt");
        let expected = fs::read_to_string(&file).unwrap_or_default();
        let found = findings(&case);
        if std::env::var("BLESS").is_ok() {
            fs::write(&file, &found).unwrap();
        } else if found != expected {
            wrong.push(format!("== {}: expected\n{expected}== found\n{found}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_that_the_checker_knows_has_a_case_that_shows_it() {
    let root = folder();
    let mut shown = BTreeSet::new();
    for case in cases() {
        let code = case.strip_prefix(&root).unwrap().components().next().unwrap();
        let code = code.as_os_str().to_string_lossy().into_owned();
        let expected = fs::read_to_string(case.join("expected.txt")).unwrap();
        assert!(
            expected.lines().any(|line| line.starts_with(&format!("{code} "))),
            "{} does not show {code}",
            case.display()
        );
        shown.insert(code);
    }
    assert_eq!(shown, codes(), "left: folders of fixtures/maps, right: codes in the sources");
}

#[test]
fn findings_of_all_files_come_in_the_order_of_files_and_lines() {
    for case in cases() {
        let read: Vec<SourceFile> = read(&case).0.into_iter().filter(|file| file.name.ends_with(".yaml")).collect();
        let mut turned = read.clone();
        turned.reverse();
        let sorted = |found: &[Diagnostic]| {
            found.windows(2).all(|pair| {
                (&pair[0].file, pair[0].line, pair[0].column) <= (&pair[1].file, pair[1].line, pair[1].column)
            })
        };
        if let Err(found) = load(&read, &[]) {
            assert!(sorted(&found), "{}", case.display());
            let other = load(&turned, &[]).expect_err("the order of files decides nothing");
            let codes = |found: &[Diagnostic]| found.iter().map(|one| one.code).collect::<Vec<_>>();
            assert_eq!(codes(&found).len(), codes(&other).len(), "{}", case.display());
        }
    }
}

#[test]
fn the_order_of_files_changes_nothing() {
    let (mut maps, tables) = sources(&fixtures().join("maps"));
    let one = compile(&maps, &tables).unwrap().hash();
    maps.reverse();
    assert_eq!(one, compile(&maps, &tables).unwrap().hash());
}
