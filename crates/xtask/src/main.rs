//! Chores of the repository that need more than a shell line: `cargo xtask <chore>`.
//!
//! `schema <folder>` makes the tables of `crates/fhir/data` from the published R4 definitions (`profiles-resources.json`,
//! `profiles-types.json`, `valuesets.json`, `v2-tables.json`, `v3-codesystems.json`, `search-parameters.json`).
//! `unihan <folder>` makes the tables of `crates/identity/data` that come from the Unihan database (`Unihan_Readings.txt`,
//! `Unihan_Variants.txt`).
//! `bless` rewrites what the golden cases expect and the page of coverage. `soak` runs the tests that grow with the time they are
//! given, and `guided` for ten minutes a target. `guided <seconds>` runs the fuzz targets that follow coverage.

mod guided;
mod schema;
mod unihan;

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["schema", definitions] => schema::make(Path::new(definitions), Path::new(FHIR_DATA)),
        ["unihan", folder] => unihan::make(Path::new(folder), Path::new(IDENTITY_DATA)),
        ["bless"] => tests(&["golden", "coverage"], &[("BLESS", "1")]),
        ["soak"] => {
            tests(&["crossing", "simulation", "fuzz"], &SOAK).and_then(|_| flips()).and_then(|_| guided::run("600"))
        }
        ["guided", seconds] => guided::run(seconds),
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

/// Tests of the whole house with an optimised build, by the names of their modules.
fn tests(modules: &[&str], variables: &[(&str, &str)]) -> Result<String, Box<dyn Error>> {
    cargo("dukou-tests", modules, variables)
}

/// The long run of flipped bits.
fn flips() -> Result<String, Box<dyn Error>> {
    cargo("dukou-verify", &["a_flipped_bit"], &[("DUKOU_FLIPS", "50000")])
}

fn cargo(package: &str, filters: &[&str], variables: &[(&str, &str)]) -> Result<String, Box<dyn Error>> {
    let mut command = Command::new("cargo");
    command.args(["test", "--release", "--locked", "--package", package, "--"]).args(filters);
    let status = command.envs(variables.iter().copied()).status()?;
    if status.success() { Ok(format!("{package}: passed")) } else { Err(format!("{package}: {status}").into()) }
}

/// Hours instead of seconds.
const SOAK: [(&str, &str); 3] =
    [("DUKOU_KILL_ROUNDS", "1000"), ("DUKOU_SEEDS", "100000"), ("DUKOU_FUZZ_SECONDS", "600")];

const USAGE: &str = "usage: cargo xtask schema <folder of the R4 definitions> | unihan <folder of Unihan> | bless | guided <seconds> | soak";

/// Where the tables stand.
const FHIR_DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fhir/data");
const IDENTITY_DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../identity/data");
