//! Messages as files with what they become: `<case>/input.hl7` (or `.xml`, `.json`, `.csv`, `.txt`), `expected.bundle.json`, `expected.issues.json`.

use std::fs;
use std::path::{Path, PathBuf};

use dukou_fhir::{Language, OperationOutcome, Value};
use dukou_mapping::{Mapped, Program, Site, unified_diff};
use dukou_wire::{Limits, Message};

use super::pretty;
use crate::maps::MapError;

/// One folder with a message.
pub(crate) struct Case {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// The message file.
    input: PathBuf,
    /// The overlays with which it runs.
    pub(crate) overlays: Vec<String>,
}

/// The cases below `fixtures` folders of a folder of maps; what lies below an overlay runs with it.
pub(crate) fn beside(maps: &Path) -> Result<Vec<Case>, MapError> {
    let mut cases = Vec::new();
    let io = |source| MapError::Read { folder: maps.to_path_buf(), source };
    walk(maps, &mut |folder| {
        let within = folder.strip_prefix(maps).unwrap_or(folder).to_string_lossy().replace('\\', "/");
        let inside = within.split('/').any(|part| part == "fixtures");
        let overlay =
            within.strip_prefix("overlay/").and_then(|rest| rest.split_once("/fixtures")).map(|(name, _)| name);
        cases.extend(inside.then(|| case(folder, overlay)).flatten());
    })
    .map_err(io)?;
    Ok(cases)
}

/// All cases below a folder.
pub(crate) fn below(folder: &Path) -> Result<Vec<Case>, MapError> {
    let mut cases = Vec::new();
    let io = |source| MapError::Read { folder: folder.to_path_buf(), source };
    walk(folder, &mut |folder| cases.extend(case(folder, None))).map_err(io)?;
    Ok(cases)
}

fn walk(folder: &Path, each: &mut impl FnMut(&Path)) -> std::io::Result<()> {
    let mut inner = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            inner.push(path);
        }
    }
    inner.sort();
    each(folder);
    inner.iter().try_for_each(|path| walk(path, each))
}

fn case(folder: &Path, overlay: Option<&str>) -> Option<Case> {
    let input = INPUTS.iter().map(|ending| folder.join(format!("input.{ending}"))).find(|input| input.exists())?;
    let named = fs::read_to_string(folder.join("overlay")).unwrap_or_default();
    let named = named.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned);
    let overlays = overlay.map(str::to_owned).into_iter().chain(named).collect();
    Some(Case { folder: folder.to_path_buf(), input, overlays })
}

impl Case {
    /// What is wrong with the case, a text each; with `bless` what is expected is written instead.
    pub(crate) fn run(&self, program: &Program, bless: bool) -> Result<Vec<String>, MapError> {
        let io = |source| MapError::Read { folder: self.input.clone(), source };
        let raw = fs::read(&self.input).map_err(io)?;
        let (message, issues) = match program.open(&raw, &Limits::default(), &dukou_wire::Site::default()) {
            Ok(read) => read,
            Err(reason) => return Ok(vec![format!("{}: no message that can be read: {reason}", self.input.display())]),
        };
        let mapped = program.to_fhir(&message, &SITE);
        let issues = issues.iter().map(dukou_exchange::issues::of_wire).chain(mapped.issues.iter().cloned()).collect();
        let outcome = OperationOutcome { issues }.to_value(Language::English);
        let mut wrong = Vec::new();
        for (name, found) in [("expected.bundle.json", mapped.to_bundle()), ("expected.issues.json", outcome)] {
            wrong.extend(self.compare(name, &found, bless)?);
        }
        wrong.extend(
            program.broken_laws(&message, &SITE).into_iter().map(|law| format!("{}: {law}", self.input.display())),
        );
        Ok(wrong)
    }

    fn compare(&self, name: &str, found: &Value<'_>, bless: bool) -> Result<Option<String>, MapError> {
        let file = self.folder.join(name);
        let found = pretty(found);
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if expected.trim_end() == found.trim_end() {
            return Ok(None);
        }
        if bless {
            let io = |source| MapError::Write { path: file.clone(), source };
            fs::write(&file, format!("{found}\n")).map_err(io)?;
            return Ok(None);
        }
        if expected.is_empty() {
            return Ok(Some(format!("{}: there is none yet; --bless writes it, then read it", file.display())));
        }
        let line = expected.lines().zip(found.lines()).take_while(|(a, b)| a == b).count() + 1;
        let diff = unified_diff(expected.trim_end(), found.trim_end());
        Ok(Some(format!(
            "{}:{line}: the message becomes something else\n--- expected\n+++ found\n{}",
            file.display(),
            diff.trim_end()
        )))
    }

    /// How many leaves of its message are emitted; nothing where it cannot be read.
    pub(crate) fn emitted(&self, program: &Program) -> Option<u32> {
        let raw = fs::read(&self.input).ok()?;
        emitted(program, &raw)
    }
}

/// How many leaves of a message are emitted; nothing where it cannot be read.
pub(crate) fn emitted(program: &Program, raw: &[u8]) -> Option<u32> {
    let (message, _): (Message<'_>, _) = program.open(raw, &Limits::default(), &dukou_wire::Site::default()).ok()?;
    let mapped: Mapped<'_> = program.to_fhir(&message, &SITE);
    Some(mapped.accounts.emitted)
}

/// Endings of messages, the usual one first.
const INPUTS: [&str; 5] = ["hl7", "xml", "json", "csv", "txt"];
const SITE: Site<'static> = Site { id: "fixture", zone: "+08:00" };
