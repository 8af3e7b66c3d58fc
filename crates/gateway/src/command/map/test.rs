//! `dukou map test`: examples, messages with what they become, and laws.

use std::path::PathBuf;

use dukou_mapping::{DiagnosticSeverity, ExampleFailure, Program};
use serde_json::json;

use super::golden::{self, Case};
use crate::command::choice::{Choice, Chosen, name_of};
use crate::command::say;
use crate::maps::MapError;

/// What to test.
#[derive(Debug, clap::Args)]
pub(crate) struct Test {
    /// Folder with maps; without it those of ./dukou.toml, else those built in.
    dir: Option<PathBuf>,
    #[command(flatten)]
    choice: Choice,
    /// A folder with more cases (input.hl7, expected.bundle.json, expected.issues.json) beside those in fixtures folders of the maps.
    #[arg(long)]
    fixtures: Option<PathBuf>,
    /// Write what the cases become as what is expected; read it before you keep it.
    #[arg(long)]
    bless: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

/// What was run, and what does not hold.
#[derive(Default)]
struct Tally {
    examples: usize,
    cases: usize,
    failures: Vec<ExampleFailure>,
    /// Faults of files, cases and laws, as they are shown.
    faults: Vec<String>,
}

impl Test {
    /// Runs everything. False: something does not hold, and it was printed.
    pub(crate) fn run(&self) -> Result<bool, MapError> {
        let chosen = self.choice.read(self.dir.as_deref())?;
        let mut cases = match &chosen.folder {
            Some(folder) => golden::beside(folder)?,
            None => Vec::new(),
        };
        if let Some(folder) = &self.fixtures {
            cases.extend(golden::below(folder)?);
        }
        let mut tally = Tally::default();
        let base = self.compiled(&chosen, &[], &mut tally);
        for stack in chosen.stacks() {
            let Some(program) = self.compiled(&chosen, &stack, &mut tally) else { continue };
            self.examples(&program, &stack, &mut tally);
            self.cases(&program, &stack, &cases, &mut tally)?;
            if let Some(base) = base.as_ref().filter(|_| !stack.is_empty()) {
                monotone(base, &program, &stack, &cases, &mut tally);
            }
        }
        let fine = tally.failures.is_empty() && tally.faults.is_empty();
        if self.json {
            say(format_args!("{}", tally.json()));
        } else {
            tally.print();
        }
        Ok(fine)
    }

    /// The program of a set of overlays; its faults are told once.
    fn compiled(&self, chosen: &Chosen, stack: &[String], tally: &mut Tally) -> Option<Program> {
        match chosen.all.with_overlays(stack).check() {
            Ok(program) => Some(program),
            Err(found) => {
                let errors = found.iter().filter(|one| one.severity == DiagnosticSeverity::Error);
                for fault in errors.map(ToString::to_string) {
                    if !tally.faults.contains(&fault) {
                        tally.faults.push(fault);
                    }
                }
                None
            }
        }
    }

    /// The examples of the last overlay of a set; those of the base where it has none. An overlay is there to change what
    /// the base does, so the examples of the base do not run with it.
    fn examples(&self, program: &Program, stack: &[String], tally: &mut Tally) {
        let own = |file: &str| match stack.last() {
            Some(overlay) => file.starts_with(&format!("overlay/{overlay}/")),
            None => !file.starts_with("overlay/"),
        };
        for example in program.examples().iter().filter(|example| own(example.file())) {
            tally.examples += 1;
            tally.failures.extend(program.judge(example));
        }
    }

    fn cases(&self, program: &Program, stack: &[String], cases: &[Case], tally: &mut Tally) -> Result<(), MapError> {
        for case in cases.iter().filter(|case| case.overlays.last() == stack.last()) {
            tally.cases += 1;
            tally.faults.extend(case.run(program, self.bless)?);
        }
        Ok(())
    }
}

/// An overlay that drops no rule never carries less of a message than the base.
fn monotone(base: &Program, program: &Program, stack: &[String], cases: &[Case], tally: &mut Tally) {
    if program.rules().any(|rule| rule.class == "dropped by an overlay") {
        return;
    }
    let mut told = |what: String, before: Option<u32>, now: Option<u32>| {
        if let (Some(before), Some(now)) = (before, now)
            && now < before
        {
            let name = name_of(stack);
            tally.faults.push(format!(
                "{what}: L6: with {name} {now} values are carried, without it {before}, though it drops no rule"
            ));
        }
    };
    for example in base.examples() {
        let raw = example.message().as_bytes();
        let what = format!("{}:{}", example.file(), example.line());
        told(what, golden::emitted(base, raw), golden::emitted(program, raw));
    }
    for case in cases.iter().filter(|case| case.overlays.is_empty()) {
        told(case.folder.display().to_string(), case.emitted(base), case.emitted(program));
    }
}

impl Tally {
    fn failed(&self) -> usize {
        self.failures.len() + self.faults.len()
    }

    fn print(&self) {
        for fault in &self.faults {
            say(format_args!("{fault}\n"));
        }
        for failure in &self.failures {
            say(format_args!("{failure}\n"));
        }
        say(format_args!("{} examples, {} cases, {} failed", self.examples, self.cases, self.failed()));
    }

    fn json(&self) -> serde_json::Value {
        let failures: Vec<_> = self
            .failures
            .iter()
            .map(|one| {
                let causes: Vec<_> =
                    one.causes.iter().map(|cause| json!({"path": cause.path, "text": cause.text})).collect();
                json!({"map": one.map, "file": one.file, "line": one.line, "note": one.note, "diff": one.diff,
                       "faults": one.faults, "causes": causes})
            })
            .collect();
        json!({"examples": self.examples, "cases": self.cases, "failed": self.failed(), "failures": failures, "faults": self.faults})
    }
}
