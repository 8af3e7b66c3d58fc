//! `dukou map`: maps without a gateway. Checks and explains; opens no store.

use std::path::PathBuf;

use crate::config::Maps;
use crate::maps::{MapError, MapFiles};

/// The verbs on maps.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Map {
    /// All load checks and the examples of every map; overlays of the folder included one level at a time.
    Check {
        /// Folder with maps; without it those built in.
        dir: Option<PathBuf>,
        /// Print the warnings as well, not only their number.
        #[arg(long)]
        warnings: bool,
    },
    /// Which rule speaks of a path, such as PID-8 or Patient.gender.
    Explain {
        /// A source path or a FHIR path.
        path: String,
        /// Folder with maps; without it those built in.
        #[arg(long)]
        maps: Option<PathBuf>,
        /// Overlays in order.
        #[arg(long, value_delimiter = ',')]
        overlay: Vec<String>,
    },
    /// How much of a folder of messages is carried, and which paths no rule carries; --guide for the implementation guide.
    Coverage(super::coverage::Coverage),
}

impl Map {
    /// Runs the verb. False: there are findings, and they were printed.
    pub(crate) fn run(&self) -> Result<bool, MapError> {
        match self {
            Map::Check { dir, warnings } => check(dir.as_deref(), *warnings),
            Map::Coverage(coverage) => coverage.run(),
            Map::Explain { path, maps, overlay } => {
                let files = MapFiles::of(&Maps { folder: maps.clone(), overlays: overlay.clone() })?;
                let program = files.compile()?;
                let lines = program.explain(path);
                if lines.is_empty() {
                    println!("no rule speaks of {path}");
                }
                for line in &lines {
                    println!("{line}");
                }
                Ok(!lines.is_empty())
            }
        }
    }
}

/// The base maps alone, then with each overlay, so that a fault is told with the overlay that brings it.
fn check(dir: Option<&std::path::Path>, warnings: bool) -> Result<bool, MapError> {
    let all = match dir {
        Some(dir) => MapFiles::read(dir)?,
        None => MapFiles::built_in(),
    };
    let mut fine = true;
    for overlay in std::iter::once(None).chain(all.overlays().into_iter().map(Some)) {
        let chosen: Vec<String> = overlay.iter().cloned().collect();
        let name = overlay.as_deref().unwrap_or("base");
        match all.with_overlays(&chosen).compile() {
            Err(MapError::Faults(faults)) => {
                fine = false;
                faults.iter().for_each(|fault| eprintln!("{fault}\n"));
            }
            Err(other) => return Err(other),
            Ok(program) => {
                for warning in program.warnings().iter().filter(|_| warnings) {
                    eprintln!("{warning}\n");
                }
                // Examples say what the base does; an overlay is there to change that.
                let failures = if overlay.is_none() { program.run_tests() } else { Vec::new() };
                failures.iter().for_each(|failure| eprintln!("{failure}\n"));
                fine &= failures.is_empty();
                let (rules, examples) =
                    (program.rules().len(), if overlay.is_none() { program.test_count() } else { 0 });
                println!(
                    "{name}: {rules} rules, {} warnings, {examples} examples, {} failed",
                    program.warnings().len(),
                    failures.len()
                );
            }
        }
    }
    Ok(fine)
}
