//! Maps and code tables from their files, all faults of all files in one run.

use dukou_terminology::{LoadError, Tables};

use crate::compile::{Faulty, compile_with};
use crate::diagnostic::{Diagnostic, DiagnosticSeverity};
use crate::place::SourceFile;
use crate::plan::Program;

/// Compiles map files and the code tables beside them. Overlays are told by their folders, as for [`crate::compile`].
///
/// # Errors
/// Every error (and warning) of every file, maps and tables, in the order of files and lines, when at least one is an error.
pub fn load(maps: &[SourceFile], codes: &[SourceFile]) -> Result<Program, Vec<Diagnostic>> {
    let texts = codes.iter().map(|file| (file.name.clone(), file.text.clone())).collect();
    let (tables, faults) = Tables::load_sound(texts);
    let mut found: Vec<Diagnostic> = faults.iter().map(|fault| of_table(fault, codes)).collect();
    found.extend(maps.iter().filter(|file| !file.name.ends_with(".fmap.yaml")).map(misnamed));
    let tables_faulty = faults.iter().map(|fault| stem(&fault.file).to_owned()).collect();
    compile_with(maps, &tables, Faulty { found, tables: tables_faulty })
}

fn of_table(fault: &LoadError, codes: &[SourceFile]) -> Diagnostic {
    let text = codes.iter().find(|file| file.name == fault.file).map_or("", |file| file.text.as_str());
    let source = text.lines().nth(fault.line.saturating_sub(1) as usize).unwrap_or("").to_owned();
    Diagnostic {
        code: "E-TABLE-FILE",
        severity: DiagnosticSeverity::Error,
        file: fault.file.clone(),
        line: fault.line,
        column: 1,
        length: source.chars().count() as u32,
        text: fault.text.clone(),
        source,
        hint: String::new(),
    }
}

/// A map under another name is read, so that its own faults are told as well, but the set is refused.
fn misnamed(file: &SourceFile) -> Diagnostic {
    let line = file.text.lines().next().unwrap_or("").to_owned();
    Diagnostic {
        code: "E-FILE",
        severity: DiagnosticSeverity::Error,
        file: file.name.clone(),
        line: 1,
        column: 1,
        length: line.chars().count() as u32,
        text: "the name of a map file ends in .fmap.yaml".to_owned(),
        source: line,
        hint: "rename the file, or move it out of the folder".to_owned(),
    }
}

/// A table is called as its file.
fn stem(file: &str) -> &str {
    file.rsplit(['/', '\\']).next().unwrap_or(file).trim_end_matches(".csv")
}
