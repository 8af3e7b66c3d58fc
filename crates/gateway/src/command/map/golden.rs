//! Messages as files with what they become: `<case>/input.hl7` (or `.xml`, `.json`, `.csv`, `.txt`), `expected.bundle.json`, `expected.issues.json`.

use std::fs;
use std::path::{Path, PathBuf};

use dukou_fhir::{Language, OperationOutcome};
use dukou_mapping::{LeafClass, Mapped, Program, Site, unified_diff};
use dukou_wire::{Format, Message};

use super::pretty;
use crate::command::messages;
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
    // A message that must be refused has its refusal beside it.
    if folder.join("expected.txt").exists() {
        return None;
    }
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
        let (mut wrong, mut failed) = (Vec::new(), None);
        messages::each(program, &raw, &dukou_wire::Site::default(), |opened| match opened {
            Ok((message, issues)) => match self.judge(program, &message, &issues, bless) {
                Ok(found) => wrong.extend(found),
                Err(error) => failed = Some(error),
            },
            Err(reason) => wrong.push(format!("{}: no message that can be read: {reason}", self.input.display())),
        });
        failed.map_or(Ok(wrong), Err)
    }

    fn judge(
        &self,
        program: &Program,
        message: &Message<'_>,
        issues: &[dukou_wire::Issue],
        bless: bool,
    ) -> Result<Vec<String>, MapError> {
        let mapped = program.to_fhir(message, &SITE);
        let issues = issues.iter().map(dukou_exchange::issues::of_wire).chain(mapped.issues.iter().cloned()).collect();
        let outcome = OperationOutcome { issues }.to_value(Language::English);
        let mut expected =
            vec![("expected.bundle.json", pretty(&mapped.to_bundle())), ("expected.issues.json", pretty(&outcome))];
        if message.format() != Format::Er7 || self.folder.join("expected.account.json").exists() {
            expected.push(("expected.account.json", account(&mapped, program, message)));
        }
        let mut wrong = Vec::new();
        for (name, found) in expected {
            wrong.extend(self.compare(name, &found, bless)?);
        }
        wrong.extend(
            program.broken_laws(message, &SITE).into_iter().map(|law| format!("{}: {law}", self.input.display())),
        );
        Ok(wrong)
    }

    fn compare(&self, name: &str, found: &str, bless: bool) -> Result<Option<String>, MapError> {
        let file = self.folder.join(name);
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if expected.trim_end() == found.trim_end() {
            return Ok(None);
        }
        if bless {
            let io = |source| MapError::Write { path: file.clone(), source };
            fs::write(&file, format!("{}\n\n", found.trim_end())).map_err(io)?;
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

/// How many leaves of the messages of a file are emitted; nothing where one cannot be read.
pub(crate) fn emitted(program: &Program, raw: &[u8]) -> Option<u32> {
    let mut sum = Some(0);
    messages::each(program, raw, &dukou_wire::Site::default(), |opened| {
        sum = sum.zip(opened.ok()).map(|(sum, (message, _))| sum + program.to_fhir(&message, &SITE).accounts.emitted);
    });
    sum
}

/// The account of a document, its reported leaves by name.
fn account(mapped: &Mapped<'_>, program: &Program, message: &Message<'_>) -> String {
    let accounts = &mapped.accounts;
    let reported = accounts.lines(program, message).filter(|line| line.class == LeafClass::Reported);
    let reported: Vec<String> = reported.map(|line| line.path.to_string()).collect();
    let sums = serde_json::json!({
        "leaves": accounts.leaves, "emitted": accounts.emitted, "complement": accounts.complement,
        "dropped": accounts.dropped, "reported": reported,
    });
    format!("{sums:#}\n")
}

/// Endings of messages, the usual one first.
const INPUTS: [&str; 5] = ["hl7", "xml", "json", "csv", "txt"];
const SITE: Site<'static> = Site { id: "fixture", zone: "+08:00" };
