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
    let found = faults.iter().map(|fault| of_table(fault, codes)).collect();
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

/// A table is called as its file.
fn stem(file: &str) -> &str {
    file.rsplit(['/', '\\']).next().unwrap_or(file).trim_end_matches(".csv")
}
