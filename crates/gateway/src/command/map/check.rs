//! `dukou map check`: all load checks of all files, and exports for reviewers.

use std::path::PathBuf;

use dukou_mapping::{Diagnostic, DiagnosticSeverity};
use serde_json::json;

use super::export;
use crate::command::choice::{Choice, name_of};
use crate::command::say;
use crate::maps::MapError;

/// What to check.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// Folder with maps; without it those of ./dukou.toml, else those built in.
    dir: Option<PathBuf>,
    #[command(flatten)]
    choice: Choice,
    /// Print the warnings as well, not only their number.
    #[arg(long)]
    warnings: bool,
    /// Write a ConceptMap for each table and two StructureMaps for each map into this folder.
    #[arg(long)]
    export: Option<PathBuf>,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

impl Check {
    /// Prints what is found, for the base alone and then with each overlay. False: there is an error.
    pub(crate) fn run(&self) -> Result<bool, MapError> {
        let chosen = self.choice.read(self.dir.as_deref())?;
        let mut fine = true;
        let mut told: Vec<Diagnostic> = Vec::new();
        let mut sets = Vec::new();
        for stack in chosen.stacks() {
            let (rules, found) = match chosen.all.with_overlays(&stack).check() {
                Ok(program) => (program.rule_count(), program.warnings().to_vec()),
                Err(found) => (0, found),
            };
            let errors = found.iter().filter(|one| one.severity == DiagnosticSeverity::Error).count();
            let warnings = found.len() - errors;
            fine &= errors == 0;
            sets.push(json!({"overlays": stack, "rules": rules, "errors": errors, "warnings": warnings}));
            if !self.json {
                // What the base has is not told again with each overlay.
                let new = found.iter().filter(|one| !told.contains(one));
                // Whoever writes an overlay wants to know what is odd in it; the base is not theirs.
                let own = |file: &str| stack.last().is_some_and(|name| file.starts_with(&format!("overlay/{name}/")));
                let shown =
                    new.filter(|one| self.warnings || one.severity == DiagnosticSeverity::Error || own(&one.file));
                shown.for_each(|one| eprintln!("{one}\n"));
                match errors {
                    0 => say(format_args!("{}: {rules} rules, {warnings} warnings", name_of(&stack))),
                    _ => say(format_args!("{}: {errors} errors, {warnings} warnings", name_of(&stack))),
                }
            }
            told.extend(found.into_iter().filter(|one| !told.contains(one)).collect::<Vec<_>>());
        }
        if self.json {
            let found: Vec<_> = told.iter().map(finding).collect();
            say(format_args!("{}", json!({"maps": chosen.from, "sets": sets, "findings": found})));
        }
        if let (true, Some(folder)) = (fine, &self.export) {
            let program = chosen.files().compile()?;
            let written = export::write(&program, folder)?;
            say(format_args!("{written} resources written to {}", folder.display()));
        }
        Ok(fine)
    }
}

fn finding(found: &Diagnostic) -> serde_json::Value {
    json!({
        "code": found.code,
        "severity": if found.severity == DiagnosticSeverity::Error { "error" } else { "warning" },
        "file": found.file, "line": found.line, "column": found.column, "length": found.length,
        "text": found.text, "hint": found.hint,
    })
}
