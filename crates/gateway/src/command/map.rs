//! `dukou map`: maps without a gateway. Opens no store and writes no ledger record: whoever runs it holds the files already.

mod check;
mod diff;
mod explain;
mod export;
mod golden;
mod test;

use crate::maps::MapError;

/// The verbs on maps.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Map {
    /// Everything that is checked before maps run, for the base and with each overlay.
    Check(check::Check),
    /// Examples in maps and overlays, messages with what they become, and laws that hold of every message.
    Test(test::Test),
    /// Which rule speaks of a path, such as PID-8, ZPI-2 or Patient.gender; with --in what became of it in a message.
    Explain(explain::Explain),
    /// Rules that differ between two sets of maps, and what becomes different because of them.
    Diff(diff::Diff),
    /// How much of a folder of messages is carried, and which paths no rule carries; --guide for the implementation guide.
    Coverage(super::coverage::Coverage),
    /// The JSON Schema of a map file, for editors.
    Schema,
}

impl Map {
    /// Runs the verb. False: there are findings, and they were printed.
    pub(crate) fn run(&self) -> Result<bool, MapError> {
        match self {
            Map::Check(check) => check.run(),
            Map::Test(test) => test.run(),
            Map::Explain(explain) => explain.run(),
            Map::Diff(diff) => diff.run(),
            Map::Coverage(coverage) => coverage.run(),
            Map::Schema => {
                print!("{}", pretty(&dukou_mapping::container_schema()));
                Ok(true)
            }
        }
    }
}

/// A value with indents, as files show it.
fn pretty(value: &dukou_fhir::Value<'_>) -> String {
    let mut text = Vec::new();
    dukou_fhir::json::print_pretty(value, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
