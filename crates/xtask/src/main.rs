//! Chores of the repository that need more than a shell line: `cargo xtask <chore>`.
//!
//! `schema <folder>` makes the tables of `crates/fhir/data` from the published R4 definitions (`profiles-resources.json`,
//! `profiles-types.json`, `valuesets.json`, `v2-tables.json`, `v3-codesystems.json`, `search-parameters.json`).

mod schema;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["schema", definitions] => schema::make(Path::new(definitions), Path::new(FHIR_DATA)),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "usage: cargo xtask schema <folder of the R4 definitions>";

/// Where the tables stand.
const FHIR_DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fhir/data");
